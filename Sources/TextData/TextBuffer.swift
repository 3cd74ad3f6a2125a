internal import Glibc

/// What was read of a text and is not used up yet.
struct TextBuffer: ~Copyable {
  let path: String
  private var stream: ByteStream
  private var bytes: [UInt8] = []
  /// What of `bytes` is used up, and where they begin in the text.
  private var used = 0
  private var offset = 0
  private(set) var isAtEnd = false

  /// - Throws: ``TextDataError`` or a `StorageError`.
  init(_ file: TextFile) throws {
    var stream = try ByteStream(file)
    while bytes.count < TextLimits.probeBytes, !isAtEnd {
      isAtEnd = !(try stream.read(into: &bytes))
    }
    path = file.name
    self.stream = stream
  }

  var isPacked: Bool { stream.isPacked }

  var firstBytes: ArraySlice<UInt8> { bytes[used...].prefix(TextLimits.probeBytes) }

  /// Bytes that are here and not used up.
  var count: Int { bytes.count - used }

  /// - Parameter index: counts from the first byte that is not used up, as everywhere here.
  subscript(index: Int) -> UInt8 { bytes[used + index] }

  subscript(range: Range<Int>) -> [UInt8] {
    Array(bytes[used + range.lowerBound..<used + range.upperBound])
  }

  /// Where a byte lies in the whole text.
  func position(_ index: Int) -> Int { offset + used + index }

  func withBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let result = bytes.withUnsafeBytes { all in
      Swift.Result { () throws(Failure) in
        try body(
          UnsafeRawBufferPointer(
            rebasing: all[used + range.lowerBound..<used + range.upperBound]))
      }
    }
    return try result.get()
  }

  /// The first place of a byte at or after `start`; nil where it is not here.
  func firstIndex(of byte: UInt8, from start: Int) -> Int? {
    bytes.withUnsafeBytes { all in
      guard let base = all.baseAddress, used + start < all.count,
        let found = memchr(base + used + start, Int32(byte), all.count - used - start)
      else { return nil }
      return UnsafeRawPointer(found) - base - used
    }
  }

  mutating func use(_ count: Int) {
    used += count
    assert(used <= bytes.count)
  }

  /// Takes all.
  mutating func takeAll() -> [UInt8] {
    bytes.removeFirst(used)
    defer {
      offset += bytes.count + used
      bytes = []
      used = 0
    }
    return bytes
  }

  /// Reads more, as much again as is here: so that who looks through all again each time has no more
  /// than twice the work.
  ///
  /// - Returns: false at the end.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  mutating func readMore() throws -> Bool {
    guard !isAtEnd else { return false }
    bytes.removeFirst(used)
    offset += used
    used = 0
    let before = bytes.count
    repeat {
      isAtEnd = !(try stream.read(into: &bytes))
      guard bytes.count <= TextLimits.documentBytes else {
        throw TextDataError.documentTooLarge(path: path, limitBytes: TextLimits.documentBytes)
      }
    } while !isAtEnd && bytes.count < 2 * before
    return bytes.count > before
  }

  /// - Throws: ``TextDataError/invalidUTF8(path:offset:)``.
  func validate(_ range: Range<Int>) throws(TextDataError) {
    let invalid = withBytes(range) { UTF8Validation.firstInvalidOffset(in: $0) }
    if let invalid {
      throw .invalidUTF8(path: path, offset: position(range.lowerBound + invalid))
    }
  }
}

// MARK: Lines

extension TextBuffer {
  /// Reads until a whole line is here.
  ///
  /// - Returns: the bytes of the next line without its end; nil at the end of the text.
  /// - Throws: ``TextDataError`` or a `StorageError`.
  mutating func nextLine() throws -> Int? {
    var searched = 0
    while true {
      if let end = firstIndex(of: UInt8(ascii: "\n"), from: searched) { return end }
      searched = count
      guard try readMore() else { break }
    }
    return count == 0 ? nil : count
  }

  /// Goes over a line and its end, which the last one may lack.
  mutating func useLine(_ byteCount: Int) { use(min(byteCount + 1, count)) }
}
