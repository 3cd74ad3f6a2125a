public import FlapCore

/// What a fit of a map on a pruned model's own inputs is made of, over some tokens: ``SecondMoments``
/// of its input x, and Σ y_i x_j and Σ y_i of what it should give, y.
///
/// In fixed point, so that any split of the samples gives the same bits: as bytes the second moments,
/// then Σ y_i · 2^24 (i64 [outputs]), then Σ y_i x_j · 2^(24 + e_j) (i64 [outputs, channels]).
public struct TargetMoments: SampleStatistic {
  public static let kind = StatisticKind("target-moments")
  public static let source = StatisticSource.targets

  /// Bits that y is scaled by.
  public static let targetBits = 24

  public private(set) var bytes: [UInt8]
  public let channelCount: Int

  public init(
    count: Int, inputSums: UnsafeBufferPointer<Int64>, inputProducts: UnsafeBufferPointer<Int32>,
    sums: UnsafeBufferPointer<Int64>, products: UnsafeBufferPointer<Int64>
  ) {
    precondition(products.count == sums.count * inputSums.count, "one per output and channel")
    channelCount = inputSums.count
    let parts = [
      UnsafeRawBufferPointer(inputSums), UnsafeRawBufferPointer(inputProducts),
      UnsafeRawBufferPointer(sums), UnsafeRawBufferPointer(products),
    ]
    bytes = []
    bytes.reserveCapacity(8 + parts.reduce(0) { $0 + $1.count })
    withUnsafeBytes(of: UInt64(count).littleEndian) { bytes.append(contentsOf: $0) }
    for part in parts { bytes.append(contentsOf: part) }
  }

  public init(bytes: [UInt8], channelCount: Int) {
    self.bytes = bytes
    self.channelCount = channelCount
  }

  public static func byteCount(channelCount: Int) -> Int {
    preconditionFailure("its size is that of a map")
  }

  public static func byteCount(channelCount: Int, hiddenSize: Int) -> Int {
    SecondMoments.byteCount(channelCount: channelCount) + 8 * hiddenSize * (1 + channelCount)
  }

  private var inputBytes: Int { SecondMoments.byteCount(channelCount: channelCount) }
  public var outputCount: Int { (bytes.count - inputBytes) / (8 * (1 + channelCount)) }

  /// Of x.
  public var inputs: SecondMoments {
    SecondMoments(bytes: Array(bytes[..<inputBytes]), channelCount: channelCount)
  }

  /// As they lie in the bytes: those of y, then those of y and x.
  public func withTargets<Result>(
    _ body: (_ sums: UnsafeRawBufferPointer, _ products: UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    let first = inputBytes
    let middle = first + 8 * outputCount
    return try bytes.withUnsafeBytes {
      try body(
        UnsafeRawBufferPointer(rebasing: $0[first..<middle]),
        UnsafeRawBufferPointer(rebasing: $0[middle...]))
    }
  }

  public mutating func merge(_ right: TargetMoments) {
    precondition(bytes.count == right.bytes.count, "both are of one map")
    let (channels, end) = (channelCount, inputBytes)
    let firstProduct = 8 + 8 * channels
    bytes.withUnsafeMutableBytes { left in
      right.bytes.withUnsafeBytes { right in
        SecondMoments.add(right, to: left, as: Int64.self, 0..<firstProduct)
        SecondMoments.add(right, to: left, as: Int32.self, firstProduct..<end)
        TargetMoments.add(right, to: left, end..<left.count)
      }
    }
  }

  /// What follows the triangle need not lie at a multiple of 8 bytes.
  private static func add(
    _ right: UnsafeRawBufferPointer, to left: UnsafeMutableRawBufferPointer, _ range: Range<Int>
  ) {
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
      let sum =
        left.loadUnaligned(fromByteOffset: offset, as: Int64.self)
        &+ right.loadUnaligned(fromByteOffset: offset, as: Int64.self)
      left.storeBytes(of: sum, toByteOffset: offset, as: Int64.self)
    }
  }

  /// A sum of squares that did not fit into its integer is below 0.
  public func validate() throws(StatisticDefect) {
    let count = bytes.withUnsafeBytes { Int64(littleEndian: $0.load(as: Int64.self)) }
    guard (0...Int64(ChannelMoments.largestTokenCount)).contains(count) else {
      throw .tokenCount(found: Int(count))
    }
    let first = 8 + 8 * channelCount
    let negative = bytes.withUnsafeBytes { bytes in
      (0..<channelCount).first { channel in
        let diagonal = SecondMoments.productCount(channel + 1) - 1
        return bytes.loadUnaligned(fromByteOffset: first + 4 * diagonal, as: Int32.self) < 0
      }
    }
    if let negative { throw .negative(channel: negative) }
  }
}

extension ChannelScales {
  /// Of one tap's channels that stay, on the inputs of a pruned model: what they come to is not known
  /// yet, so there is room for eight times as much.
  public func ofPruned(_ place: TapPlace, kept: [Bool]) -> [Int8] {
    zip(exponents[place.layer][place.tap], kept).compactMap { exponent, isKept in
      isKept ? max(exponent - 3, Int8(-ChannelScales.limit)) : nil
    }
  }

  /// Of a single tap.
  public init(_ exponents: [Int8], at tap: Tap) {
    self.exponents = [PerTap { $0 == tap ? exponents : [] }]
  }
}
