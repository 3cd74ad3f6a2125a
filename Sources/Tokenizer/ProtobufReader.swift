/// Reads one protobuf message field by field (protobuf.dev/programming-guides/encoding).
struct ProtobufReader {
  enum Value {
    case number(UInt64)
    case fixed32(UInt32)
    case bytes(UnsafeRawBufferPointer)
    /// Of a type that these messages do not use.
    case other
  }

  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The next field; nil at the end.
  /// - Throws: ``Malformed`` when the bytes end too early or are no fields.
  mutating func next() throws(Malformed) -> (field: Int, value: Value)? {
    guard position < bytes.count else { return nil }
    let tag = try number()
    guard tag >> 3 > 0, tag <= UInt64(UInt32.max) else { throw Malformed() }
    let field = Int(tag >> 3)
    switch tag & 7 {
    case 0: return (field, .number(try number()))
    case 1:
      _ = try take(8)
      return (field, .other)
    case 2:
      guard let count = Int(exactly: try number()) else { throw Malformed() }
      return (field, .bytes(try take(count)))
    case 5:
      let word = try take(4).loadUnaligned(as: UInt32.self)
      return (field, .fixed32(UInt32(littleEndian: word)))
    default: throw Malformed()
    }
  }

  private mutating func number() throws(Malformed) -> UInt64 {
    var number: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      let byte = try take(1)[0]
      guard shift < 63 || byte <= 1 else { throw Malformed() }
      number |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return number }
    }
    throw Malformed()
  }

  private mutating func take(_ count: Int) throws(Malformed) -> UnsafeRawBufferPointer {
    guard count <= bytes.count - position else { throw Malformed() }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  struct Malformed: Error {}
}
