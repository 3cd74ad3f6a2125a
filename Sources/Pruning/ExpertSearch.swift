public import FlapCore
public import Statistics

/// Decides which experts of a mixture stay: the same number in every layer that has experts, so that the
/// model's own class loads what is left.
///
/// The router's rows of those that stay are kept as they are: a token then goes through the best of
/// these, through all of them where there are fewer than it took before.
public struct ExpertSearch: Hashable, Sendable {
  /// By which experts stay; of equal ones the first is the better.
  public var metric: Metric
  /// Seed of ``Metric/random``.
  public var seed: UInt64
  /// Part of each layer's experts to remove; nil: as many as bring the decoder layers' parameters
  /// nearest to a ratio.
  public var share: Double?
  /// Whether mean outputs take the places of experts that go (MoNE, arXiv 2507.00390): the router then
  /// keeps its rows.
  public var replaces: Bool

  /// - Precondition: a metric of experts.
  public init(metric: Metric, seed: UInt64 = 0, share: Double? = nil, replaces: Bool = false) {
    precondition(metric.isOfExperts, "experts are no channels")
    self.metric = metric
    self.seed = seed
    self.share = share
    self.replaces = replaces
  }

  /// - Parameters:
  ///   - ratio: part of the decoder layers' parameters to remove, where ``share`` is nil.
  ///   - activity: one entry per layer; nil for a metric that needs none.
  /// - Throws: if there are no experts, not so many, or their activity is missing.
  public func run(
    ratio: Double, activity: [ExpertActivity]?, shape: ModelShape
  ) throws(PruningError) -> PruningPlan {
    let removed = try removedCount(ratio: ratio, of: shape)
    var plan = PruningPlan(keepingAllOf: shape)
    var generator = SplitMix64(seed: seed)
    for (layer, sizes) in shape.layers.enumerated() {
      guard let experts = sizes.experts else { continue }
      let scores = try scores(
        layer, of: experts.count, activity?[layer], shape: shape, &generator)
      let best = keepingBest(experts.count - removed, of: scores)
      plan.layers[layer].remove(experts: best.indices.filter { !best[$0] })
      plan.layers[layer].replacesExperts = replaces
    }
    return plan
  }

  /// Part of the decoder layers' parameters that goes.
  ///
  /// - Throws: as ``run(ratio:activity:shape:)``.
  public func ratio(asked ratio: Double, of shape: ModelShape) throws(PruningError) -> Double {
    let removed = try removedCount(ratio: ratio, of: shape)
    let cost = shape.layers.indices.reduce(0) {
      $0
        + (shape.layers[$1].experts == nil
          ? 0 : shape.expertParameterCount(layer: $1, replaced: replaces))
    }
    return Double(removed * cost) / Double(shape.decoderParameterCount)
  }

  /// Made comparable over the layers, as scores of channels are; none in a layer without experts, nil
  /// without their activity.
  public func standardizedScores(_ statistics: ModelStatistics) -> [[Double]]? {
    guard metric != .random else { return nil }
    return statistics[ExpertActivity.self]?.map { standardized($0.mlpDown.scores(metric)) }
  }

  /// Experts that go in each layer that has some.
  func removedCount(ratio: Double, of shape: ModelShape) throws(PruningError) -> Int {
    let layers = shape.layers.indices.filter { shape.layers[$0].experts != nil }
    guard let count = layers.compactMap({ shape.layers[$0].experts?.count }).min() else {
      throw .noExperts
    }
    let largest = Double(count - 1) / Double(count)
    if let share {
      guard share >= 0, share < 1 else { throw .ratioOutOfRange(share) }
      let removed = Int((share * Double(count)).rounded())
      guard removed < count else { throw .expertShareUnreachable(asked: share, largest: largest) }
      return removed
    }
    guard ratio >= 0, ratio < 1 else { throw .ratioOutOfRange(ratio) }
    let cost = layers.reduce(0) {
      $0 + shape.expertParameterCount(layer: $1, replaced: replaces)
    }
    let wanted = ratio * Double(shape.decoderParameterCount)
    let removed = Int((wanted / Double(cost)).rounded())
    guard removed < count else {
      throw .ratioUnreachable(
        asked: ratio,
        largestReachable: Double((count - 1) * cost) / Double(shape.decoderParameterCount))
    }
    return removed
  }

  private func scores(
    _ layer: Int, of count: Int, _ activity: ExpertActivity?, shape: ModelShape,
    _ generator: inout SplitMix64
  ) throws(PruningError) -> [Double] {
    guard metric != .random else {
      return (0..<count).map { _ in Double(generator.next() >> 11) }
    }
    guard let activity else { throw .momentsMissing(metric) }
    guard activity.expertCount == count else {
      throw .channelCount(
        layer: layer, tap: .mlpDown, expected: count, found: activity.expertCount)
    }
    return activity.scores(metric)
  }
}

extension ExpertActivity {
  /// One per expert; 0 for one that no token goes through.
  func scores(_ metric: Metric) -> [Double] {
    counts.indices.map { expert in
      guard counts[expert] > 0 else { return 0 }
      let count = Double(counts[expert])
      return metric == .frequency ? count : gatedNormSums[expert] / count
    }
  }
}

extension ModelShape {
  /// Weights that go with one expert of a layer: its maps', and its row of the router.
  ///
  /// - Parameter replaced: whether the row stays, and a mean comes.
  public func expertParameterCount(layer: Int, replaced: Bool = false) -> Int {
    table(layer: layer).maps.filter { $0.expert == 0 }.reduce(replaced ? -hiddenSize : hiddenSize) {
      $0 + $1.rows * $1.columns
    }
  }
}
