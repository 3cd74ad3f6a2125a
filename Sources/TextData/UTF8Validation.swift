/// Where bytes cease to be UTF-8 (Unicode Standard, table 3-7).
enum UTF8Validation {
  /// The offset of the first byte that no scalar can be read from; nil: all is valid.
  static func firstInvalidOffset(in bytes: UnsafeRawBufferPointer) -> Int? {
    var position = 0
    while position < bytes.count {
      if position + 8 <= bytes.count,
        bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
      {
        position += 8
        continue
      }
      guard let byteCount = scalarByteCount(bytes, at: position) else { return position }
      position += byteCount
    }
    return nil
  }

  private static func scalarByteCount(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Int? {
    let byteCount: Int
    // The second byte's range excludes overlong forms, surrogates and what is above U+10FFFF.
    let second: ClosedRange<UInt8>
    switch bytes[position] {
    case 0...0x7F: return 1
    case 0xC2...0xDF: (byteCount, second) = (2, 0x80...0xBF)
    case 0xE0: (byteCount, second) = (3, 0xA0...0xBF)
    case 0xED: (byteCount, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: (byteCount, second) = (3, 0x80...0xBF)
    case 0xF0: (byteCount, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (byteCount, second) = (4, 0x80...0xBF)
    case 0xF4: (byteCount, second) = (4, 0x80...0x8F)
    default: return nil
    }
    guard position + byteCount <= bytes.count, second.contains(bytes[position + 1]) else {
      return nil
    }
    for index in position + 2..<max(position + 2, position + byteCount) {
      guard bytes[index] & 0xC0 == 0x80 else { return nil }
    }
    return byteCount
  }
}
