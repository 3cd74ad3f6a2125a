/// Protobuf fields written by hand, to make what the encoder never makes.
enum ProtobufBytes {
  static func varint(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  static func number(_ field: UInt64, _ value: UInt64) -> [UInt8] {
    varint(field << 3) + varint(value)
  }

  static func data(_ field: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    varint(field << 3 | 2) + varint(UInt64(bytes.count)) + bytes
  }

  static func text(_ field: UInt64, _ string: String) -> [UInt8] {
    data(field, Array(string.utf8))
  }

  /// An attempt at task 1 as field 1.
  static func attempt(_ attempt: UInt64 = 1) -> [UInt8] {
    data(1, number(1, 1) + number(2, attempt))
  }
}
