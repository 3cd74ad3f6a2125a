public import SystemPackage

/// The lines of a file of JSON lines, plain or packed, that have something in them.
public struct TextLines: ~Copyable {
  private var buffer: TextBuffer
  private var line = 0

  /// - Throws: ``TextDataError`` or a `StorageError`.
  public init(path: FilePath) throws {
    let file = TextFile(path: path)
    guard file.form == .json else { throw TextDataError.notLines(path: path.string) }
    buffer = try TextBuffer(file)
    // A byte order mark is no part of the text.
    if buffer.firstBytes.starts(with: FileContents.byteOrderMark) { buffer.use(3) }
  }

  /// The next line without its end, UTF-8, and its number from 1; nil at the end of the file.
  ///
  /// - Throws: ``TextDataError`` or a `StorageError`.
  public mutating func next() throws -> (number: Int, bytes: [UInt8])? {
    while let byteCount = try buffer.nextLine() {
      line += 1
      try buffer.validate(0..<byteCount)
      let bytes = buffer[0..<byteCount]
      buffer.useLine(byteCount)
      if !bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return (line, bytes) }
    }
    return nil
  }
}
