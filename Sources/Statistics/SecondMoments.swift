public import FlapCore

/// Σ x_i x_j of all pairs of channels at a tap, and Σ x_i, over some tokens, in fixed point.
///
/// With the scales 2^e_i of ``ChannelScales`` a sum over any tokens fits into its integer, and
/// integers add up exactly: any split of the samples over workers, any order, the same bits.
///
/// As bytes: the tokens (u64), then Σ x_i · 2^(e_i + 20) (i64 [channels]), then Σ x_i x_j · 2^(e_i + e_j)
/// for j ≤ i, row by row (i32 [channels · (channels + 1) / 2]), each term rounded leaf by leaf. Where
/// several maps read the channels, as those of experts, there are pairs within a map's alone, map after map,
/// and before the sums every map's tokens (i64 [maps]).
public struct SecondMoments: Hashable, Sendable {
  public let bytes: [UInt8]
  public let channels: MapChannels

  /// Bits that a sum is scaled by besides its channel's 2^e.
  public static let sumBits = 20

  /// - Precondition: as many bytes as the layout has.
  public init(bytes: [UInt8], _ channels: MapChannels) {
    precondition(bytes.count == SecondMoments.byteCount(channels))
    self.bytes = bytes
    self.channels = channels
  }

  /// Pairs of one map's channels.
  public static func productCount(_ channels: Int) -> Int { channels * (channels + 1) / 2 }

  /// Pairs of all maps' channels.
  public static func productCount(_ channels: MapChannels) -> Int {
    channels.mapCount * productCount(channels.width)
  }

  /// Counts of tokens that lie before the sums, besides that of all.
  public static func countCount(_ channels: MapChannels) -> Int {
    channels.mapCount == 1 ? 0 : channels.mapCount
  }

  public static func layout(_ channels: MapChannels) -> IntegerLayout {
    IntegerLayout([
      (8, 1 + countCount(channels) + channels.channelCount), (4, productCount(channels)),
    ])
  }

  public static func byteCount(_ channels: MapChannels) -> Int { layout(channels).byteCount }

  /// Tokens seen.
  public var count: Int { bytes.withUnsafeBytes { SecondMoments.count(in: $0) } }

  /// Tokens that sums in this layout have seen.
  public static func count(in bytes: UnsafeRawBufferPointer) -> Int {
    Int(truncatingIfNeeded: bytes.loadUnaligned(as: UInt64.self).littleEndian)
  }

  public func withSums<Result>(
    _ body: (UnsafeBufferPointer<Int64>) throws -> Result
  ) rethrows -> Result {
    try bytes.withUnsafeBytes { bytes in
      try body(
        UnsafeRawBufferPointer(rebasing: bytes[sumRange]).assumingMemoryBound(to: Int64.self))
    }
  }

  private var sumRange: Range<Int> {
    let first = 8 + 8 * SecondMoments.countCount(channels)
    return first..<first + 8 * channels.channelCount
  }

  public func withProducts<Result>(
    _ body: (UnsafeBufferPointer<Int32>) throws -> Result
  ) rethrows -> Result {
    try bytes.withUnsafeBytes { bytes in
      try body(
        UnsafeRawBufferPointer(rebasing: bytes[sumRange.upperBound...]).assumingMemoryBound(
          to: Int32.self))
    }
  }
}

extension SecondMoments {
  /// Whether least squares has what to fit the map of one expert to: of tokens that go through it twice as
  /// many as it reads channels.
  public static func areEnough(tokens: Int, channels: Int) -> Bool { tokens >= 2 * channels }
}

/// The samples on which is tried what the others gave.
public enum HeldOutLeaves {
  /// Every eighth leaf is held out.
  public static let period = 8

  /// - Parameter leaf: its number in the run.
  public static func contains(_ leaf: Int) -> Bool { leaf % period == period - 1 }
}

/// The scales of the fixed point in which ``SecondMoments`` are summed: 2^e for every channel.
///
/// By Cauchy and Schwarz |Σ x_i x_j| ≤ √(q_i q_j) over any tokens, q being Σ x² over all of them;
/// with 2^e ≤ 2^15 / √q each product's sum stays below 2^30, and rounding operands to bf16 does not
/// take it to 2^31.
public struct ChannelScales: Hashable, Sendable {
  /// e of every channel, for every layer.
  public var exponents: [PerTap<[Int8]>]

  public init(exponents: [PerTap<[Int8]>]) { self.exponents = exponents }

  /// Tap by tap, in the order in which samples meet them.
  public var taps: [[Int8]] {
    exponents.flatMap { layer in Tap.allCases.map { layer[$0] } }
  }

  /// Beyond this they would not be scales of f32.
  public static let limit = 60

  /// - Parameter moments: of all tokens that are going to be summed.
  public init(_ moments: ModelMoments) {
    self.init(squareSums: moments.layers.map { $0.map(\.squareSum) })
  }

  /// - Parameter squareSums: Σ x² of every channel over all tokens that are going to be summed, per layer.
  public init(squareSums: [PerTap<[Double]>]) {
    exponents = squareSums.map { layer in
      layer.map { sums in sums.map { ChannelScales.exponent(squareSum: $0) } }
    }
  }

  static func exponent(squareSum: Double) -> Int8 {
    guard squareSum > 0, squareSum.isFinite else { return 0 }
    // ⌊15 − log₂(q) / 2⌋ by the exponent of q alone: 2^(2e) · q ≤ 2^30.
    let exponent = (29 - Int(squareSum.exponent)) >> 1
    return Int8(max(-limit, min(limit, exponent)))
  }
}
