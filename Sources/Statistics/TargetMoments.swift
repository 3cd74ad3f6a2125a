public import FlapCore

/// What a fit of a map on a pruned model's own inputs is made of, over some tokens: ``SecondMoments``
/// of its input x, and Σ y_i x_j and Σ y_i of what it should give, y.
///
/// In fixed point, so that any split of the samples gives the same bits: as bytes the second moments,
/// then Σ y_i · 2^24 (i64 [outputs]), then Σ y_i x_j · 2^(24 + e_j) (i64 [outputs, channels]).
public struct TargetMoments: Hashable, Sendable {
  /// Bits that y is scaled by.
  public static let targetBits = 24

  public let bytes: [UInt8]
  public let channelCount: Int
  public let outputCount: Int

  /// - Precondition: as many bytes as the layout has.
  public init(bytes: [UInt8], channelCount: Int, outputCount: Int) {
    precondition(
      bytes.count
        == TargetMoments.layout(channelCount: channelCount, outputCount: outputCount).byteCount)
    self.bytes = bytes
    self.channelCount = channelCount
    self.outputCount = outputCount
  }

  public static func layout(channelCount: Int, outputCount: Int) -> IntegerLayout {
    IntegerLayout([
      (8, 1 + channelCount), (4, SecondMoments.productCount(channelCount)),
      (8, outputCount * (1 + channelCount)),
    ])
  }

  /// Of x.
  public var inputs: SecondMoments {
    SecondMoments(bytes: Array(bytes[..<SecondMoments.byteCount(inputChannels)]), inputChannels)
  }

  private var inputChannels: MapChannels { MapChannels(channelCount: channelCount) }

  /// Σ y_i and Σ y_i x_j, in fixed point.
  public var targets: (sums: [Int64], products: [Int64]) {
    let first = SecondMoments.byteCount(inputChannels)
    let numbers = bytes.withUnsafeBytes { bytes in
      stride(from: first, to: bytes.count, by: 8).map {
        bytes.loadUnaligned(fromByteOffset: $0, as: Int64.self)
      }
    }
    return (Array(numbers[..<outputCount]), Array(numbers[outputCount...]))
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
