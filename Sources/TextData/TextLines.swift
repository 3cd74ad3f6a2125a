public import SystemPackage

/// The lines of a file of JSON lines, plain or as `.gz`, that have something in them.
public struct TextLines: ~Copyable {
  private let path: String
  private var stream: ByteStream
  private var bytes: [UInt8] = []
  /// What of `bytes` was handed out already, and where they begin in the text.
  private var done = 0
  private var offset = 0
  private var line = 0
  private var isAtEnd = false

  private static let lineBytes = 64 << 20

  /// - Throws: ``TextDataError`` or a `StorageError`.
  public init(path: FilePath) throws {
    let file = TextFile(path: path)
    guard file.form == .json else { throw TextDataError.notLines(path: path.string) }
    let stream = try ByteStream(file)
    self.path = path.string
    self.stream = stream
  }

  /// The next line without its end, UTF-8, and its number from 1; nil at the end of the file.
  ///
  /// - Throws: ``TextDataError`` or a `StorageError`.
  public mutating func next() throws -> (number: Int, bytes: [UInt8])? {
    while var range = try nextLine() {
      line += 1
      // A byte order mark is no part of the text.
      if line == 1, bytes[range].starts(with: [0xEF, 0xBB, 0xBF]) {
        range = range.lowerBound + 3..<range.upperBound
      }
      let invalid = bytes.withUnsafeBytes {
        UTF8Validation.firstInvalidOffset(in: UnsafeRawBufferPointer(rebasing: $0[range]))
      }
      if let invalid {
        throw TextDataError.invalidUTF8(path: path, offset: offset + range.lowerBound + invalid)
      }
      let isBlank = bytes[range].allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
      if !isBlank { return (line, Array(bytes[range])) }
    }
    return nil
  }

  private mutating func nextLine() throws -> Range<Int>? {
    var searched = done
    while true {
      if let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { done = end + 1 }
        return done..<end
      }
      searched = bytes.count - done
      bytes.removeFirst(done)
      offset += done
      done = 0
      guard bytes.count <= TextLines.lineBytes else {
        throw TextDataError.documentTooLarge(path: path, limitBytes: TextLines.lineBytes)
      }
      guard try read() else { break }
    }
    guard !bytes.isEmpty else { return nil }
    defer { done = bytes.count }
    return 0..<bytes.count
  }

  private mutating func read() throws -> Bool {
    guard !isAtEnd else { return false }
    isAtEnd = !(try stream.read(into: &bytes))
    return !isAtEnd
  }
}
