public import FlapCore

/// What is wrong with moments that came from a file or a peer.
public enum StatisticsError: Error, Hashable, Sendable {
  case layerCount(expected: Int, found: Int)
  case channelCount(layer: Int, tap: Tap, expected: Int, found: Int)
  /// A count that is negative, beyond 2⁵³, or not the same at every tap.
  case tokenCount(layer: Int, tap: Tap, found: Int)
  /// A count that is negative or above the count of tokens.
  case sampleCount(found: Int, tokenCount: Int)
  /// A mean or M2 that is infinite or not a number.
  case notFinite(layer: Int, tap: Tap, channel: Int)
  case negativeM2(layer: Int, tap: Tap, channel: Int)
}

extension ModelMoments {
  /// Most tokens that moments can hold: counts stay exact in f64, and adding two cannot overflow.
  public static let largestTokenCount = 1 << 53

  /// Checks that these are possible moments of a model of this shape, so that merging and scoring
  /// them cannot trap or spread NaN.
  ///
  /// - Throws: the first problem found, in order of layers.
  public func validate(for shape: ModelShape) throws(StatisticsError) {
    guard layers.count == shape.layers.count else {
      throw .layerCount(expected: shape.layers.count, found: layers.count)
    }
    for layer in layers.indices {
      for tap in Tap.allCases {
        try validate(layer: layer, tap: tap, shape: shape)
      }
    }
    guard (0...tokenCount).contains(sampleCount) else {
      throw .sampleCount(found: sampleCount, tokenCount: tokenCount)
    }
  }

  private func validate(layer: Int, tap: Tap, shape: ModelShape) throws(StatisticsError) {
    let moments = layers[layer][tap]
    let expected = shape.channelCount(layer: layer, tap: tap)
    guard moments.channelCount == expected else {
      throw .channelCount(
        layer: layer, tap: tap, expected: expected, found: moments.channelCount)
    }
    guard moments.count == tokenCount,
      (0...ModelMoments.largestTokenCount).contains(moments.count)
    else {
      throw .tokenCount(layer: layer, tap: tap, found: moments.count)
    }
    for channel in 0..<moments.channelCount {
      guard moments.mean[channel].isFinite, moments.m2[channel].isFinite else {
        throw .notFinite(layer: layer, tap: tap, channel: channel)
      }
      guard moments.m2[channel] >= 0 else {
        throw .negativeM2(layer: layer, tap: tap, channel: channel)
      }
    }
  }
}

extension StatisticsError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .layerCount(let expected, let found):
      "The statistics hold \(found) decoder layers, the model has \(expected); "
        + "calibrate this model again."
    case .channelCount(let layer, let tap, let expected, let found):
      "The statistics of \(tap.moduleName(layer: layer)) hold \(found) channels, "
        + "the model has \(expected); calibrate this model again."
    case .tokenCount(let layer, let tap, let found):
      "The statistics of \(tap.moduleName(layer: layer)) count \(found) tokens, which is "
        + "impossible or not what the other layers count; calibrate again."
    case .sampleCount(let found, let tokenCount):
      "The statistics count \(found) samples for \(tokenCount) tokens, which is impossible; "
        + "calibrate again."
    case .notFinite(let layer, let tap, let channel):
      "The statistics of \(tap.moduleName(layer: layer)), channel \(channel), are not finite; "
        + "check the model's weights and calibrate again."
    case .negativeM2(let layer, let tap, let channel):
      "The statistics of \(tap.moduleName(layer: layer)), channel \(channel), hold a negative "
        + "sum of squares; calibrate again."
    }
  }
}
