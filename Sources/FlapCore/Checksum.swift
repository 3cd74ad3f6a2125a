/// A checksum of 128 bits, XXH3. It finds damage, not malice: who wants to can make other bytes of the
/// same checksum. This module only names it; `Storage` computes it.
public struct Checksum: Hashable, Sendable {
  public static let byteCount = 16

  public let high: UInt64
  public let low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// - Returns: nil unless `bytes` are 16, the most significant first.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Checksum.byteCount else { return nil }
    func word(_ bytes: some Sequence<UInt8>) -> UInt64 {
      bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
    self.init(high: word(bytes.prefix(8)), low: word(bytes.suffix(8)))
  }

  /// - Returns: nil unless `hexadecimal` is 32 hexadecimal digits.
  public init?(hexadecimal: String) {
    guard hexadecimal.utf8.count == 2 * Checksum.byteCount,
      hexadecimal.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let high = UInt64(hexadecimal.prefix(16), radix: 16),
      let low = UInt64(hexadecimal.suffix(16), radix: 16)
    else { return nil }
    self.init(high: high, low: low)
  }

  /// 16 bytes, the most significant first.
  public var bytes: [UInt8] {
    [high, low].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
    }
  }

  /// 32 lower-case hexadecimal digits, as `xxhsum -H128` prints them.
  public var hexadecimal: String {
    [high, low].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}

extension Checksum: CustomStringConvertible {
  public var description: String { hexadecimal }
}

/// The checksum of all bytes of a tensor.
public struct TensorChecksum: Hashable, Sendable {
  /// The tensor's position among the model's tensors in the order of their names, which every copy
  /// of a model has alike.
  public var tensor: Int
  public var checksum: Checksum

  public init(tensor: Int, _ checksum: Checksum) {
    self.tensor = tensor
    self.checksum = checksum
  }
}
