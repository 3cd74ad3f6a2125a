/// Reads bytes one after another, never beyond their end.
struct ByteReader {
  let bytes: UnsafeRawBufferPointer
  /// Where they begin in the file, and what they are, for errors.
  let origin: Int
  let part: String
  private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer, part: String, origin: Int) {
    self.bytes = bytes
    self.part = part
    self.origin = origin
  }

  var remainingCount: Int { bytes.count - position }
  var cutOff: ColumnsError { .cutOff(part: part, offset: origin + position) }
  var damaged: ColumnsError { .damaged(part: part, offset: origin + position) }

  mutating func byte() throws(ColumnsError) -> UInt8 {
    guard position < bytes.count else { throw cutOff }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func take(_ count: Int) throws(ColumnsError) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remainingCount else { throw cutOff }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  /// All that is left.
  mutating func rest() -> UnsafeRawBufferPointer {
    defer { position = bytes.count }
    return UnsafeRawBufferPointer(rebasing: bytes[position...])
  }

  /// Little-endian.
  mutating func uint32() throws(ColumnsError) -> UInt32 {
    UInt32(littleEndian: try take(4).loadUnaligned(as: UInt32.self))
  }

  /// LEB128, 64 bits.
  mutating func variable() throws(ColumnsError) -> UInt64 {
    var number: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      let byte = try byte()
      guard shift < 63 || byte <= 1 else { throw damaged }
      number |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return number }
    }
    throw damaged
  }

  /// LEB128 of a number with its sign in the lowest bit.
  mutating func zigzag() throws(ColumnsError) -> Int64 {
    let number = try variable()
    return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
  }
}

extension UnsafeRawBufferPointer {
  /// A number, little-endian. - Precondition: it lies within.
  func number<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Number.Type)
    -> Number
  {
    precondition(offset >= 0 && offset + MemoryLayout<Number>.size <= count)
    return Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }

  /// - Returns: nil where the range does not lie within.
  func slice(_ offset: Int, count: Int) -> UnsafeRawBufferPointer? {
    guard offset >= 0, count >= 0, offset <= self.count, count <= self.count - offset else {
      return nil
    }
    return UnsafeRawBufferPointer(rebasing: self[offset..<offset + count])
  }
}
