/// A SHA-256 digest (FIPS 180-4). This module only names it; `Storage` computes it.
public struct Digest: Hashable, Sendable {
  public static let byteCount = 32

  /// 32 bytes.
  public let bytes: [UInt8]

  /// - Returns: nil unless `bytes` are 32.
  public init?(bytes: some Sequence<UInt8>) {
    let bytes = Array(bytes)
    guard bytes.count == Digest.byteCount else { return nil }
    self.bytes = bytes
  }

  /// - Returns: nil unless `hexadecimal` is 64 hexadecimal digits.
  public init?(hexadecimal: String) {
    let digits = Array(hexadecimal.utf8)
    guard digits.count == 2 * Digest.byteCount else { return nil }
    var bytes: [UInt8] = []
    for pair in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Digest.value(ofHexadecimalDigit: digits[pair]),
        let low = Digest.value(ofHexadecimalDigit: digits[pair + 1])
      else { return nil }
      bytes.append(high << 4 | low)
    }
    self.bytes = bytes
  }

  /// 64 lower-case hexadecimal digits.
  public var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  private static func value(ofHexadecimalDigit digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

extension Digest: CustomStringConvertible {
  public var description: String { hexadecimal }
}
