public import FlapCore
public import Statistics

/// Searches of models with experts.
extension StructureSearch {
  /// Whether experts may go: a metric that needs no data leaves them, unless a share of them is given.
  public func readsActivity(_ metric: Metric) -> Bool {
    metric.needsMoments || experts?.share ?? 0 > 0
  }

  /// - Parameters:
  ///   - activity: of the experts, one entry per layer; nil: none may go.
  ///   - ranks: at which position each unit of a layer goes, those of experts expert by expert; nil: by
  ///     the scores.
  ///   - compensating: whether the pruned model gets biases, which its size counts.
  func runMixture(
    scores: [LayerScores], activity: [ExpertActivity]?, ranks: [PerTap<[Int]>]? = nil,
    shape: ModelShape, compensating: Bool
  ) throws(PruningError) -> SearchResult {
    try StructureSearch.check(shape)
    try StructureSearch.check(scores, for: shape)
    let expertScores = activity.map { $0.map { $0.scores(experts?.metric ?? .expertActivation) } }
    var search = try MixtureSearch(
      self, scores: scores, expertScores: expertScores, shape: shape)
    let counts = try search.run()
    let units = UnitScores(summing: scores, shape: shape)
    let orders =
      ranks?.doubles
      ?? shape.layers.indices.map { layer in
        PerTap(attentionOutput: units.groups[layer], mlpDown: units.neurons[layer])
      }
    return mixtureResult(counts, orders, expertScores, activity, shape, compensating)
  }

  /// Counts by measured losses; of experts as many go as were given, by their activity.
  ///
  /// - Parameter curves: per layer; of experts for the neurons of each.
  public func runMeasuredMixture(
    curves: [PerTap<LossCurve>], ranks: [PerTap<[Int]>], activity: [ExpertActivity]?,
    shape: ModelShape, compensating: Bool = true
  ) throws(PruningError) -> SearchResult {
    let experts = experts ?? ExpertSearch(metric: .expertActivation, share: 0)
    var kept = shape.layers.map { $0.experts?.count ?? 0 }
    if let share = experts.share, share > 0 {
      let removed = try ExpertSearch(metric: experts.metric, share: share)
        .removedCount(ratio: 0, of: shape)
      kept = kept.map { max(0, $0 - removed) }
      guard activity != nil else { throw .momentsMissing(experts.metric) }
    }
    let (counts, loss) = try MeasuredAllocation(ratio: ratio, widths: widths, sparing: sparing)
      .runMixture(
        curves: curves, keptExperts: kept,
        MixtureBudget(shape, replacesExperts: experts.replaces), shape: shape)
    let expertScores = activity.map { $0.map { $0.scores(experts.metric) } }
    var result = mixtureResult(
      counts, ranks.doubles, expertScores, activity, shape, compensating)
    result.predictedLoss = loss
    return result
  }

  private func mixtureResult(
    _ counts: MixtureCounts, _ orders: [PerTap<[Double]>], _ expertScores: [[Double]]?,
    _ activity: [ExpertActivity]?, _ shape: ModelShape, _ compensating: Bool
  ) -> SearchResult {
    let plan = PruningPlan(
      keeping: counts, orders, expertScores, replacesExperts: experts?.replaces ?? false, of: shape)
    var result = SearchResult(
      plan: plan, threshold: nil, unitsKeptByMinimum: 0,
      reached: ReachedRatio(of: plan, for: shape, compensating: compensating))
    result.idleExpertCount = activity?.idleExpertCount ?? 0
    return result
  }

  /// - Parameter activity: one entry per layer.
  public func runExperts(
    _ experts: ExpertSearch, _ activity: [ExpertActivity]?, shape: ModelShape
  ) throws(PruningError) -> SearchResult {
    let plan = try experts.run(ratio: ratio, activity: activity, shape: shape)
    var result = SearchResult(
      plan: plan, threshold: nil, unitsKeptByMinimum: 0,
      reached: ReachedRatio(of: plan, for: shape, compensating: false))
    result.idleExpertCount = activity?.idleExpertCount ?? 0
    return result
  }
}

extension [PerTap<[Int]>] {
  fileprivate var doubles: [PerTap<[Double]>] { map { $0.map { $0.map(Double.init) } } }
}

extension [ExpertActivity] {
  /// Experts that no token went through.
  fileprivate var idleExpertCount: Int { reduce(0) { $0 + $1.counts.count { $0 == 0 } } }
}

extension PruningPlan {
  /// The best units of every place, as many as were counted.
  ///
  /// - Parameters:
  ///   - orders: higher stays longer, [layer][tap][unit].
  ///   - expertScores: the same of experts; nil: none goes.
  init(
    keeping counts: MixtureCounts, _ orders: [PerTap<[Double]>], _ expertScores: [[Double]]?,
    replacesExperts: Bool, of shape: ModelShape
  ) {
    self.init(keepingAllOf: shape)
    for (index, layer) in shape.layers.enumerated() {
      layers[index].keptGroups = keepingBest(
        counts.groups[index], of: orders[index].attentionOutput)
      guard let experts = layer.experts else {
        layers[index].keptNeurons = keepingBest(counts.neurons[index], of: orders[index].mlpDown)
        continue
      }
      layers[index].keptNeurons = (0..<experts.count).flatMap { expert in
        let neurons = shape.channels(layer: index, tap: .mlpDown, expert: expert)
        return keepingBest(counts.neurons[index], of: Array(orders[index].mlpDown[neurons]))
      }
      guard let expertScores, counts.experts[index] < experts.count else { continue }
      let best = keepingBest(counts.experts[index], of: expertScores[index])
      layers[index].remove(experts: best.indices.filter { !best[$0] })
      layers[index].replacesExperts = replacesExperts
    }
  }
}
