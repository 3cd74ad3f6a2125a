import FlapCore

extension StructureSearch {
  /// The same search among the layers that may lose something.
  func runSparingLayers(scores: [LayerScores], shape: ModelShape, compensating: Bool)
    throws(PruningError) -> SearchResult
  {
    let space = try SearchSpace(sparing, of: shape, widths)
    var search = self
    search.sparing = space.sparing
    search.ratio = try space.ratio(ratio)
    let all = PruningPlan(keepingAllOf: shape)
    var result = SearchResult(
      plan: all, threshold: nil, unitsKeptByMinimum: 0,
      reached: ReachedRatio(of: all, for: shape, compensating: compensating))
    guard !space.layers.isEmpty else { return result }
    do throws(PruningError) {
      result = try search.run(
        scores: space.layers.map { scores[$0] }, shape: space.shape, compensating: compensating)
    } catch {
      throw space.error(error, asked: ratio)
    }
    result.plan.layers = space.spread(result.plan.layers) { all.layers[$0] }
    result.reached = ReachedRatio(of: result.plan, for: shape, compensating: compensating)
    return result
  }

  /// AL-AM with a threshold for groups and one for neurons, each kind to a ratio of its own.
  ///
  /// - Parameter least: what stays in any case.
  func selectAdaptively(
    _ scores: UnitScores, ratios: PerTap<Double>, least: Selection, shape: ModelShape,
    budget: UnitBudget
  ) -> Selection {
    var selection = Selection(layers: PruningPlan(keepingAllOf: shape).layers)
    for tap in Tap.allCases where ratios[tap] > 0 {
      var search = self
      search.ratio = ratios[tap]
      let kept = search.selectAdaptively(
        scores.only(tap), least: least, budget: budget.only(tap, of: shape))
      for layer in selection.layers.indices {
        selection.layers[layer][tap] = kept.layers[layer][tap]
      }
    }
    return selection
  }
}

extension UnitScores {
  /// As if there were no other units.
  fileprivate func only(_ tap: Tap) -> UnitScores {
    var scores = self
    switch tap {
    case .attentionOutput: scores.neurons = neurons.map { _ in [] }
    case .mlpDown: scores.groups = groups.map { _ in [] }
    }
    return scores
  }
}

extension UnitBudget {
  /// As if there were no other units.
  fileprivate func only(_ tap: Tap, of shape: ModelShape) -> UnitBudget {
    UnitBudget(
      groupCosts: groupCosts, neuronCost: neuronCost,
      layerCosts: shape.layers.indices.map {
        shape.unitCost(layer: $0, tap: tap) * shape.unitCount(layer: $0, tap: tap)
      })
  }
}
