public import FlapCore

/// Σ x_i x_j of all pairs of channels at a tap, and Σ x_i, over some tokens, in fixed point.
///
/// With the scales 2^e_i of ``ChannelScales`` a sum over any tokens fits into its integer, and
/// integers add up exactly: any split of the samples over workers, any order, the same bits.
///
/// As bytes: the tokens (u64), then Σ x_i · 2^(e_i + 20) (i64 [channels]), then Σ x_i x_j · 2^(e_i + e_j)
/// for j ≤ i, row by row (i32 [channels · (channels + 1) / 2]), each term rounded leaf by leaf.
public struct SecondMoments: SampleStatistic {
  public static let kind = StatisticKind("second-moments")
  public static let source = StatisticSource.products

  public private(set) var bytes: [UInt8]
  public let channelCount: Int

  /// Bits that a sum is scaled by besides its channel's 2^e.
  public static let sumBits = 20

  public init(
    count: Int, sums: UnsafeBufferPointer<Int64>, products: UnsafeBufferPointer<Int32>
  ) {
    channelCount = sums.count
    precondition(products.count == SecondMoments.productCount(channelCount))
    bytes = Array(
      unsafeUninitializedCapacity: SecondMoments.byteCount(channelCount: channelCount)
    ) { bytes, byteCount in
      let target = UnsafeMutableRawBufferPointer(bytes)
      target.storeBytes(of: UInt64(count).littleEndian, as: UInt64.self)
      UnsafeMutableRawBufferPointer(rebasing: target[8...]).copyMemory(from: .init(sums))
      UnsafeMutableRawBufferPointer(rebasing: target[(8 + 8 * sums.count)...])
        .copyMemory(from: .init(products))
      byteCount = target.count
    }
  }

  public init(bytes: [UInt8], channelCount: Int) {
    precondition(bytes.count == SecondMoments.byteCount(channelCount: channelCount))
    self.bytes = bytes
    self.channelCount = channelCount
  }

  public static func productCount(_ channels: Int) -> Int { channels * (channels + 1) / 2 }

  public static func byteCount(channelCount: Int) -> Int {
    8 + 8 * channelCount + 4 * productCount(channelCount)
  }

  /// Tokens seen.
  public var count: Int {
    bytes.withUnsafeBytes { Int(truncatingIfNeeded: $0.load(as: UInt64.self).littleEndian) }
  }

  public func withSums<Result>(
    _ body: (UnsafeBufferPointer<Int64>) throws -> Result
  ) rethrows -> Result {
    try bytes.withUnsafeBytes { bytes in
      try body(
        UnsafeRawBufferPointer(rebasing: bytes[8..<8 + 8 * channelCount]).assumingMemoryBound(
          to: Int64.self))
    }
  }

  public func withProducts<Result>(
    _ body: (UnsafeBufferPointer<Int32>) throws -> Result
  ) rethrows -> Result {
    try bytes.withUnsafeBytes { bytes in
      try body(
        UnsafeRawBufferPointer(rebasing: bytes[(8 + 8 * channelCount)...]).assumingMemoryBound(
          to: Int32.self))
    }
  }

  public mutating func merge(_ right: SecondMoments) {
    precondition(channelCount == right.channelCount, "Both are of one tap.")
    let channels = channelCount
    bytes.withUnsafeMutableBytes { left in
      right.bytes.withUnsafeBytes { right in
        SecondMoments.add(right, to: left, as: UInt64.self, 0..<8)
        SecondMoments.add(right, to: left, as: Int64.self, 8..<8 + 8 * channels)
        SecondMoments.add(right, to: left, as: Int32.self, 8 + 8 * channels..<left.count)
      }
    }
  }

  /// Without a trap, so that it vectorizes; honest sums do not overflow.
  static func add<Number: FixedWidthInteger>(
    _ right: UnsafeRawBufferPointer, to left: UnsafeMutableRawBufferPointer, as _: Number.Type,
    _ range: Range<Int>
  ) {
    let left = UnsafeMutableRawBufferPointer(rebasing: left[range])
      .assumingMemoryBound(to: Number.self)
    let right = UnsafeRawBufferPointer(rebasing: right[range]).assumingMemoryBound(to: Number.self)
    for index in left.indices { left[index] &+= right[index] }
  }

  public func validate() throws(StatisticDefect) {
    guard (0...ChannelMoments.largestTokenCount).contains(count) else {
      throw .tokenCount(found: count)
    }
    let negative = withProducts { products in
      (0..<channelCount).first { products[SecondMoments.productCount($0 + 1) - 1] < 0 }
    }
    if let negative { throw .negative(channel: negative) }
  }
}

/// ``SecondMoments`` of the samples on which what the others gave is tried.
public struct HeldOutSecondMoments: SampleStatistic {
  public static let kind = StatisticKind("held-out-second-moments")
  public static let source = StatisticSource.products

  public var moments: SecondMoments

  public init(_ moments: SecondMoments) { self.moments = moments }

  public init(bytes: [UInt8], channelCount: Int) {
    moments = SecondMoments(bytes: bytes, channelCount: channelCount)
  }

  public static func byteCount(channelCount: Int) -> Int {
    SecondMoments.byteCount(channelCount: channelCount)
  }

  public var bytes: [UInt8] { moments.bytes }
  public func validate() throws(StatisticDefect) { try moments.validate() }
  public mutating func merge(_ right: HeldOutSecondMoments) { moments.merge(right.moments) }

  /// Every eighth leaf is held out.
  public static let period = 8

  /// - Parameter leaf: its number in the run.
  public static func contains(leaf: Int) -> Bool { leaf % period == period - 1 }
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

  /// Whether a model of this shape has these channels.
  public func fits(_ shape: ModelShape) -> Bool {
    taps.map(\.count)
      == TapPlace.all(in: shape.layers.indices).map {
        shape.channelCount(layer: $0.layer, tap: $0.tap)
      }
  }

  /// Beyond this they would not be scales of f32.
  public static let limit = 60

  /// - Parameter moments: of all tokens that are going to be summed.
  public init(_ moments: ModelMoments) {
    exponents = moments.layers.map { layer in
      layer.map { moments in moments.squareSum.map { ChannelScales.exponent(squareSum: $0) } }
    }
  }

  static func exponent(squareSum: Double) -> Int8 {
    guard squareSum > 0, squareSum.isFinite else { return 0 }
    // ⌊15 − log₂(q) / 2⌋ by the exponent of q alone: 2^(2e) · q ≤ 2^30.
    let exponent = (29 - Int(squareSum.exponent)) >> 1
    return Int8(max(-limit, min(limit, exponent)))
  }
}
