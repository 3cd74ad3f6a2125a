/// The printable scalars that stand for bytes in byte-level vocabularies (GPT-2's
/// `bytes_to_unicode`): printable Latin-1 for itself, the other 68 bytes from U+0100 on.
enum ByteAlphabet {
  /// The scalar of every byte.
  static let scalars: [UInt32] = {
    var next: UInt32 = 0x100
    return (0...255).map { (byte: UInt32) in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        defer { next += 1 }
        return next
      }
    }
  }()

  private static let bytes: [UInt32: UInt8] = Dictionary(
    uniqueKeysWithValues: scalars.enumerated().map { ($1, UInt8($0)) })

  /// The bytes that a token stands for; nil where it holds scalars that stand for none.
  static func bytes(of token: UTF8Text) -> [UInt8]? {
    var result: [UInt8] = []
    var position = 0
    while position < token.count {
      let (value, byteCount) = token.scalar(at: position)
      guard let byte = bytes[value] else { return nil }
      result.append(byte)
      position += byteCount
    }
    return result
  }
}
