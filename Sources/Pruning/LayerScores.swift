public import FlapCore
public import Statistics

/// The score of every channel at both taps of one decoder layer; higher is kept longer.
public struct LayerScores: Hashable, Sendable {
  /// [query heads · head dimension].
  public var attentionOutput: [Double]
  /// [intermediate].
  public var mlpDown: [Double]

  public init(attentionOutput: [Double], mlpDown: [Double]) {
    self.attentionOutput = attentionOutput
    self.mlpDown = mlpDown
  }

  public subscript(tap: Tap) -> [Double] {
    switch tap {
    case .attentionOutput: attentionOutput
    case .mlpDown: mlpDown
    }
  }
}

extension LayerScores {
  /// The scores of one layer by a metric's formula; those of attention squared where the
  /// published code does so (see ``Metric``).
  ///
  /// - Parameters:
  ///   - moments: nil only for a metric that needs none.
  ///   - sampleCount: calibration samples behind the moments; only WIFN uses it.
  /// - Throws: if moments are missing or of too few tokens, or do not fit the norms.
  public init(
    metric: Metric, moments: LayerMoments?, norms: LayerWeightNorms, sampleCount: Int, layer: Int
  ) throws(PruningError) {
    let attention = try LayerScores.channelScores(
      metric: metric, moments: moments?.attentionOutput, norms: norms.attentionOutput,
      sampleCount: sampleCount, layer: layer, tap: .attentionOutput)
    mlpDown = try LayerScores.channelScores(
      metric: metric, moments: moments?.mlpDown, norms: norms.mlpDown, sampleCount: sampleCount,
      layer: layer, tap: .mlpDown)
    attentionOutput = metric.squaresAttention ? attention.map { $0 * $0 } : attention
  }

  /// The scores of a whole model.
  ///
  /// - Throws: as for one layer, and if the counts of layers differ.
  public static func scores(metric: Metric, moments: ModelMoments?, norms: [LayerWeightNorms])
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
    guard metric.needsMoments else { return norms.squareSum.map { $0.squareRoot() } }
    guard let moments else { throw .momentsMissing(metric) }
    guard moments.channelCount == norms.channelCount else {
      throw .channelCount(
        layer: layer, tap: tap, expected: norms.channelCount, found: moments.channelCount)
    }
    guard moments.count > 1 else { throw .tooFewTokens(moments.count) }
    switch metric {
    case .variance: return moments.variance
    case .weightedVariance: return zip(moments.variance, norms.squareSum).map { $0 * $1 }
    case .weightedNorm:
      guard sampleCount > 0 else { throw .noSamples }
      let samples = Double(sampleCount)
      return zip(moments.squareSum, norms.absoluteMean).map { $1 * ($0 / samples).squareRoot() }
    case .magnitude: return norms.squareSum.map { $0.squareRoot() }
    }
  }
}
