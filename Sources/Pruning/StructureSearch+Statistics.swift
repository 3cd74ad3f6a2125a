public import FlapCore
public import Statistics

/// Searches from all that was measured.
extension StructureSearch {
  /// - Parameters:
  ///   - metric: which units of a layer go; OBS: those that go first in the order of removal.
  ///   - statistics: with what metric and structure need.
  ///   - compensating: whether the pruned model gets biases, which its size counts.
  /// - Throws: as ``run(scores:activity:shape:compensating:)``, and if something was not measured.
  public func run(
    _ statistics: ModelStatistics, metric: Metric, shape: ModelShape, compensating: Bool = true
  ) throws(PruningError) -> SearchResult {
    guard structure != .measured else {
      return try runMeasured(statistics, shape: shape, compensating: compensating)
    }
    let activity = statistics[ExpertActivity.self]?.map(\.mlpDown)
    if structure == .experts, let experts {
      return try runExperts(experts, activity, shape: shape)
    }
    let scores = try LayerScores.scores(metric: metric, statistics, of: shape)
    guard !shape.hasExperts else {
      return try runMixture(
        scores: scores, activity: readsActivity(metric) ? activity : nil,
        ranks: metric.needsOrder ? try statistics.removalRanks(of: shape) : nil, shape: shape,
        compensating: compensating)
    }
    var result = try run(scores: scores, shape: shape, compensating: compensating)
    if metric.needsOrder {
      let counts = result.plan.layers.map {
        PerTap(attentionOutput: $0.keptGroupCount, mlpDown: $0.keptNeuronCount)
      }
      result.plan = PruningPlan(keeping: counts, ranks: try statistics.removalRanks(of: shape))
    }
    return result
  }

  private func runMeasured(
    _ statistics: ModelStatistics, shape: ModelShape, compensating: Bool
  ) throws(PruningError) -> SearchResult {
    try StructureSearch.check(shape)
    let ranks = try statistics.removalRanks(of: shape)
    let curves = try statistics.lossCurves(of: shape)
    guard !shape.hasExperts else {
      return try runMeasuredMixture(
        curves: curves, ranks: ranks, activity: statistics[ExpertActivity.self]?.map(\.mlpDown),
        shape: shape, compensating: compensating)
    }
    let allocated = try MeasuredAllocation(ratio: ratio, widths: widths, sparing: sparing)
      .run(curves: curves, shape: shape)
    let plan = PruningPlan(keeping: allocated.counts, ranks: ranks)
    return SearchResult(
      plan: plan, threshold: nil, unitsKeptByMinimum: 0,
      reached: ReachedRatio(of: plan, for: shape, compensating: compensating),
      predictedLoss: allocated.loss)
  }
}

extension ModelStatistics {
  /// At which position each unit goes, [layer][tap][unit].
  ///
  /// - Throws: ``PruningError/orderMissing`` where it was not measured, or is none of this shape.
  public func removalRanks(of shape: ModelShape) throws(PruningError) -> [PerTap<[Int]>] {
    try map(RemovalCurve.self, missing: .orderMissing, shape) { curve, width, inputs in
      curve.unitRanks(width: width, mapCount: inputs.mapCount)
    }
  }

  /// The error of each map's output without the first k units of its order, [layer][tap][units]; of
  /// experts, of all of a layer without the first k of each.
  ///
  /// - Throws: as ``removalRanks(of:)``.
  public func removalErrors(of shape: ModelShape) throws(PruningError) -> [PerTap<[Double]>] {
    try map(RemovalCurve.self, missing: .orderMissing, shape) { curve, width, inputs in
      curve.unitErrors(width: width, mapCount: inputs.mapCount)
    }
  }

  /// What the model loses with fewer units of each module.
  ///
  /// - Throws: ``PruningError/lossesMissing`` where it was not measured, or is of another shape.
  public func lossCurves(of shape: ModelShape) throws(PruningError) -> [PerTap<LossCurve>] {
    let errors = try removalErrors(of: shape)
    let losses = try map(ModuleLosses.self, missing: .lossesMissing, shape) { losses, _, _ in
      losses.levels
    }
    return zip(errors, losses).map { errors, levels in
      PerTap { tap in
        LossCurve(
          errors: errors[tap],
          measured: levels[tap].filter { $0.kept < errors[tap].count }.map {
            LossCurve.Level(kept: $0.kept, loss: $0.divergence)
          })
      }
    }
  }

  private func map<Value: Statistic, Result>(
    _ type: Value.Type, missing: PruningError, _ shape: ModelShape,
    _ transform: (Value, _ unitWidth: Int, MapChannels) -> Result?
  ) throws(PruningError) -> [PerTap<Result>] {
    guard let layers = self[type], layers.count == shape.layers.count else { throw missing }
    var results: [PerTap<Result>] = []
    for (layer, values) in layers.enumerated() {
      results.append(
        try PerTap { tap throws(PruningError) in
          let width = shape.unitWidth(layer: layer, tap: tap)
          let inputs = shape.mapChannels(layer: layer, tap: tap)
          guard let result = transform(values[tap], width, inputs) else { throw missing }
          return result
        })
    }
    return results
  }
}
