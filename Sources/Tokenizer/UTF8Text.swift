/// Reading valid UTF-8 scalar by scalar; callers promise validity, positions are scalar bounds.
typealias UTF8Text = UnsafeBufferPointer<UInt8>

extension UTF8Text {
  /// The scalar that begins at a position, and its length in bytes.
  @inline(__always)
  func scalar(at position: Int) -> (value: UInt32, byteCount: Int) {
    let first = UInt32(self[position])
    if first < 0x80 { return (first, 1) }
    let second = UInt32(self[position + 1] & 0x3F)
    if first < 0xE0 { return ((first & 0x1F) << 6 | second, 2) }
    let third = UInt32(self[position + 2] & 0x3F)
    if first < 0xF0 { return ((first & 0x0F) << 12 | second << 6 | third, 3) }
    let fourth = UInt32(self[position + 3] & 0x3F)
    return ((first & 0x07) << 18 | second << 12 | third << 6 | fourth, 4)
  }

  /// The scalar that ends at a position, which is not the start.
  func scalar(before position: Int) -> (value: UInt32, byteCount: Int) {
    var start = position - 1
    while self[start] & 0xC0 == 0x80 { start -= 1 }
    return scalar(at: start)
  }

  @inline(__always)
  subscript(range: Range<Int>) -> UTF8Text { UTF8Text(rebasing: self[range] as Slice) }
}

extension [UInt8] {
  /// Appends a scalar's UTF-8.
  mutating func append(scalar value: UInt32) {
    switch value {
    case 0..<0x80: append(UInt8(value))
    case 0x80..<0x800:
      append(0xC0 | UInt8(value >> 6))
      append(0x80 | UInt8(value & 0x3F))
    case 0x800..<0x10000:
      append(0xE0 | UInt8(value >> 12))
      append(0x80 | UInt8(value >> 6 & 0x3F))
      append(0x80 | UInt8(value & 0x3F))
    default:
      append(0xF0 | UInt8(value >> 18))
      append(0x80 | UInt8(value >> 12 & 0x3F))
      append(0x80 | UInt8(value >> 6 & 0x3F))
      append(0x80 | UInt8(value & 0x3F))
    }
  }
}

extension Unicode.Scalar {
  /// U+2581, which stands for a space in vocabularies of SentencePiece.
  static let lowerOneEighthBlock: Unicode.Scalar = "\u{2581}"
}
