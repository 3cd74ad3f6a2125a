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
  ///   - experts: what was measured of the layer's experts; nil: it has none.
  ///   - sampleCount: calibration samples behind the moments; only WIFN uses it.
  /// - Throws: if moments are missing or of too few tokens, or do not fit the norms.
  public init(
    metric: Metric, moments: PerTap<ChannelMoments>?, norms: PerTap<WeightNorms>,
    experts: ExpertNeurons? = nil, sampleCount: Int, layer: Int
  ) throws(PruningError) {
    self = try PerTap { tap throws(PruningError) in
      if tap == .mlpDown, let experts {
        return try LayerScores.scores(
          metric: metric, experts, norms[tap], sampleCount: sampleCount, layer: layer)
      }
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

  /// The scores of a whole model from its statistics.
  ///
  /// - Throws: as for one layer; if what was measured of experts is missing.
  public static func scores(
    metric: Metric, _ statistics: ModelStatistics, of shape: ModelShape
  ) throws(PruningError) -> [LayerScores] {
    guard shape.hasExperts else {
      return try scores(metric: metric, moments: statistics.moments, norms: statistics.norms)
    }
    let moments = metric.needsMoments ? statistics.moments : nil
    let experts = try statistics.expertNeurons(of: shape, areMeasured: metric.needsMoments)
    guard statistics.norms.count == shape.layers.count,
      moments.map({ $0.layers.count == shape.layers.count }) ?? true
    else { throw .layerCount(expected: shape.layers.count, found: statistics.norms.count) }
    var scores: [LayerScores] = []
    for (layer, norms) in statistics.norms.enumerated() {
      scores.append(
        try LayerScores(
          metric: metric, moments: moments?.layers[layer], norms: norms, experts: experts[layer],
          sampleCount: moments?.sampleCount ?? 0, layer: layer))
    }
    return scores
  }

  /// Of every neuron of a layer's experts, expert by expert; zeros for one that fewer than two tokens went
  /// through.
  private static func scores(
    metric: Metric, _ experts: ExpertNeurons, _ norms: WeightNorms, sampleCount: Int, layer: Int
  ) throws(PruningError) -> [Double] {
    let width = norms.channelCount / experts.count
    var scores: [Double] = []
    for expert in 0..<experts.count {
      let neurons = expert * width..<(expert + 1) * width
      let own = WeightNorms(
        squareSum: Array(norms.squareSum[neurons]), absoluteMean: Array(norms.absoluteMean[neurons])
      )
      let moments = experts.moments(ofExpert: expert)
      guard moments.map({ $0.count > 1 }) ?? true else {
        scores += Array(repeating: 0, count: width)
        continue
      }
      scores += try channelScores(
        metric: metric, moments: moments, norms: own, sampleCount: sampleCount, layer: layer,
        tap: .mlpDown)
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
