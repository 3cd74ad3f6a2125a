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
    let orders = shape.layers.indices.map { layer in
      PerTap(
        attentionOutput: ranks.map { $0[layer].attentionOutput.map(Double.init) }
          ?? units.groups[layer],
        mlpDown: ranks.map { $0[layer].mlpDown.map(Double.init) } ?? units.neurons[layer])
    }
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
