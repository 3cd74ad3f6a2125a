public import FlapCore
public import Statistics

/// The score of every channel at both taps of one decoder layer: [query heads · head dimension] and
/// [intermediate]. Higher is kept longer.
public typealias LayerScores = PerTap<[Double]>

extension LayerScores {
  /// The scores of one layer by a metric's formula; those of attention squared where the
  /// published code does so (see ``Metric``).
  ///
  /// - Parameters:
  ///   - moments: nil only for a metric that needs none.
  ///   - sampleCount: calibration samples behind the moments; only WIFN uses it.
  /// - Throws: if moments are missing or of too few tokens, or do not fit the norms.
  public init(
    metric: Metric, moments: PerTap<ChannelMoments>?, norms: PerTap<WeightNorms>,
    sampleCount: Int, layer: Int
  ) throws(PruningError) {
    self = try PerTap { tap throws(PruningError) in
      let scores = try LayerScores.channelScores(
        metric: metric, moments: moments?[tap], norms: norms[tap], sampleCount: sampleCount,
        layer: layer, tap: tap)
      return metric.squaresScores(at: tap) ? scores.map { $0 * $0 } : scores
    }
  }

  /// The scores of a whole model.
  ///
  /// - Throws: as for one layer, and if the counts of layers differ.
  public static func scores(metric: Metric, moments: ModelMoments?, norms: [PerTap<WeightNorms>])
    throws(PruningError) -> [LayerScores]
  {
    if let moments, moments.layers.count != norms.count {
      throw .layerCount(expected: norms.count, found: moments.layers.count)
    }
    var scores: [LayerScores] = []
    for (layer, norms) in norms.enumerated() {
      scores.append(
        try LayerScores(
          metric: metric, moments: moments?.layers[layer], norms: norms,
          sampleCount: moments?.sampleCount ?? 0, layer: layer))
    }
    return scores
  }

  /// One score per input channel of one linear map, not squared.
  private static func channelScores(
    metric: Metric, moments: ChannelMoments?, norms: WeightNorms, sampleCount: Int, layer: Int,
    tap: Tap
  ) throws(PruningError) -> [Double] {
    guard metric != .magnitude else { return norms.squareSum.map { $0.squareRoot() } }
    guard let moments else { throw .momentsMissing(metric) }
    guard moments.channelCount == norms.channelCount else {
      throw .channelCount(
        layer: layer, tap: tap, expected: norms.channelCount, found: moments.channelCount)
    }
    guard moments.count > 1 else { throw .tooFewTokens(moments.count) }
    switch metric {
    case .variance: return moments.variance
    case .weightedVariance, .conditionalVariance:
      return zip(moments.variance, norms.squareSum).map { $0 * $1 }
    case .weightedNorm:
      guard sampleCount > 0 else { throw .noSamples }
      let samples = Double(sampleCount)
      return zip(moments.squareSum, norms.absoluteMean).map { $1 * ($0 / samples).squareRoot() }
    case .expertActivation, .frequency, .random: throw .metricOfExperts(metric)
    case .magnitude: return norms.squareSum.map { $0.squareRoot() }
    }
  }
}
