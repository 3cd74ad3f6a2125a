import FlapCore

/// Searches whose counts obey ``WidthRules``.
extension StructureSearch {
  /// - Parameters:
  ///   - ratios: of each kind of module, where they are given.
  ///   - free: what is kept without rules; not asked for where the rules decide alone.
  /// - Throws: if no layer's counts can obey, or none that do come near the ratio.
  func selectByRules(
    scores: [LayerScores], ratios: PerTap<Double>?, shape: ModelShape, budget: UnitBudget,
    free: () throws(PruningError) -> Selection
  ) throws(PruningError) -> Selection {
    try widths.check(shape)
    if ratio == 0, (groupsRemoved ?? 0) == 0, widths.allowsKeepingAll(of: shape) {
      return Selection(layers: PruningPlan(keepingAllOf: shape).layers)
    }
    let target = Double(budget.total) * (1 - ratio)
    let selection: Selection
    let step: Int
    if widths.isUniform {
      step = budget.neuronCost * widths.neuronMultiple * shape.layers.count
      selection = try selectSameInLayers(
        UnitScores(summing: scores, shape: shape),
        wantedGroups: try wantedGroups(
          shape, ratio: ratios?.attentionOutput ?? ratio, free: free), shape: shape, budget: budget,
        target: target, step: step)
    } else {
      let largestGroup = budget.groupCosts.max() ?? 0
      step = max(
        budget.neuronCost * widths.neuronMultiple, largestGroup * widths.groupMultiple)
      let units = UnitScores(standardizing: scores, shape: shape)
      if structure == .adaptive, let ratios {
        let groups = selectSets(
          groupSets(units, budget), into: Selection(nothingOf: shape),
          target: Double(shape.unitCosts(tap: .attentionOutput)) * (1 - ratios.attentionOutput))
        selection = selectSets(
          neuronSets(units, budget), into: groups, target: target - Double(groups.cost(budget)))
      } else if structure == .adaptive {
        selection = selectSets(
          groupSets(units, budget) + neuronSets(units, budget), into: Selection(nothingOf: shape),
          target: target)
      } else {
        selection = selectFillingUp(
          units, like: try free(), shape: shape, budget: budget, target: target)
      }
    }
    let kept = selection.cost(budget)
    guard (Double(kept) - target).magnitude <= Double(step) else {
      throw .ratioMissed(asked: ratio, nearest: 1 - Double(kept) / Double(budget.total))
    }
    return selection
  }

  // MARK: Sets of units

  /// AL-AM over sets: each layer's best sets stay; of all others, in descending order of their
  /// mean standardized score, as many as bring the cost nearest to the target.
  ///
  /// What a smaller ratio keeps contains what a larger one keeps.
  private func selectSets(
    _ layers: [[UnitSet]], into empty: Selection, target: Double
  ) -> Selection {
    var selection = empty
    var kept = 0
    var others: [UnitSet] = []
    for sets in layers {
      for (index, set) in sets.enumerated() {
        if index == 0 {
          selection.keep(set)
          kept += set.cost
        } else {
          others.append(set)
        }
      }
    }
    let order = ranked(others.map(\.score))
    var nearest = (Double(kept) - target).magnitude
    var count = 0
    for (index, set) in order.enumerated() {
      kept += others[set].cost
      let distance = (Double(kept) - target).magnitude
      if distance < nearest {
        nearest = distance
        count = index + 1
      } else if Double(kept) > target {
        break
      }
    }
    for set in order.prefix(count) { selection.keep(others[set]) }
    selection.threshold = count < order.count ? others[order[count]].score : nil
    return selection
  }

  private func groupSets(_ scores: UnitScores, _ budget: UnitBudget) -> [[UnitSet]] {
    scores.groups.enumerated().map { layer, scores in
      unitSets(
        of: scores, size: widths.groupMultiple, layer: layer, isOfGroups: true,
        unitCost: budget.groupCosts[layer])
    }
  }

  private func neuronSets(_ scores: UnitScores, _ budget: UnitBudget) -> [[UnitSet]] {
    scores.neurons.enumerated().map { layer, scores in
      unitSets(
        of: scores, size: widths.neuronMultiple, layer: layer, isOfGroups: false,
        unitCost: budget.neuronCost)
    }
  }

  // MARK: Other structures

  /// Each layer's groups as without rules, rounded to the nearest multiple; neurons fill the
  /// budget up, over all layers (AL-MM) or in each, what rounding leaves over going to the next
  /// (UL-MM, UL-UM).
  private func selectFillingUp(
    _ scores: UnitScores, like free: Selection, shape: ModelShape, budget: UnitBudget,
    target: Double
  ) -> Selection {
    var selection = Selection(nothingOf: shape)
    for layer in shape.layers.indices {
      let count = nearestMultiple(
        of: widths.groupMultiple, to: Double(free.layers[layer].keptGroupCount),
        within: scores.groups[layer].count)
      selection.layers[layer].keptGroups = keepingBest(count, of: scores.groups[layer])
    }
    if structure == .adaptiveLayersManualModules {
      let rest = target - Double(selection.cost(budget))
      return selectSets(neuronSets(scores, budget), into: selection, target: rest)
    }
    var leftOver = 0.0
    for layer in shape.layers.indices {
      let groups = budget.groupCosts[layer] * selection.layers[layer].keptGroupCount
      let wanted = Double(budget.layerCosts[layer]) * (1 - ratio) - Double(groups) + leftOver
      let count = nearestMultiple(
        of: widths.neuronMultiple, to: wanted / Double(budget.neuronCost),
        within: scores.neurons[layer].count)
      leftOver = wanted - Double(count * budget.neuronCost)
      selection.layers[layer].keptNeurons = keepingBest(count, of: scores.neurons[layer])
    }
    return selection
  }

  /// The same counts in every layer: of the numbers of groups with which the budget can be kept
  /// within a step the smallest that is wanted or more, or else the largest; neurons fill up.
  ///
  /// More, not the nearest: losing more groups than their share costs far more than the neurons
  /// that would pay for them. On two trained models, one with six heads a layer and one with four
  /// groups, at ratios from 0.2 to 0.5, this choice was the best of the counts that were tried.
  private func selectSameInLayers(
    _ scores: UnitScores, wantedGroups: Double, shape: ModelShape, budget: UnitBudget,
    target: Double, step: Int
  ) throws(PruningError) -> Selection {
    let layerCount = shape.layers.count
    let largest = shape.layers.map(\.intermediateSize).min() ?? 0
    var best: (groups: Int, neurons: Int, miss: Double, lack: Double, surplus: Double)?
    for groups in widths.groupCounts(sharedByLayersOf: shape) {
      let perLayer = target / Double(layerCount) - Double(budget.groupCosts[0] * groups)
      let neurons = nearestMultiple(
        of: widths.neuronMultiple, to: perLayer / Double(budget.neuronCost), within: largest)
      let cost = layerCount * (budget.groupCosts[0] * groups + budget.neuronCost * neurons)
      // Within a step all are as good.
      let miss = max(0, (Double(cost) - target).magnitude - Double(step))
      let lack = max(0, wantedGroups - Double(groups))
      let surplus = max(0, Double(groups) - wantedGroups)
      if let best, (best.miss, best.lack, best.surplus) <= (miss, lack, surplus) { continue }
      best = (groups, neurons, miss, lack, surplus)
    }
    guard let best else { throw .noUniformHeads(hiddenSize: shape.hiddenSize) }
    return Selection(
      layers: scores.groups.indices.map { layer in
        PruningPlan.Layer(
          keptGroups: keepingBest(best.groups, of: scores.groups[layer]),
          keptNeurons: keepingBest(best.neurons, of: scores.neurons[layer]))
      })
  }

  /// Groups that a layer keeps, on the mean: where a number to remove is given, what that leaves;
  /// else what the ratio leaves of each module (UL-UM), since thresholds over layers, as AL-AM has
  /// them, say nothing about counts that are the same in all.
  private func wantedGroups(
    _ shape: ModelShape, ratio: Double, free: () throws(PruningError) -> Selection
  ) throws(PruningError) -> Double {
    let kept: [Int]
    if structure.needsGroupsRemoved {
      kept = try free().layers.map(\.keptGroupCount)
    } else {
      kept = shape.layers.map { layer in
        layer.keyValueHeadCount - Int(ratio * Double(layer.keyValueHeadCount))
      }
    }
    return Double(kept.reduce(0, +)) / Double(kept.count)
  }

  // MARK: Counts

  /// The multiple nearest to a number, the larger of two, that is neither 0 nor above the limit.
  private func nearestMultiple(of multiple: Int, to value: Double, within limit: Int) -> Int {
    let largest = limit / multiple
    let nearest = (value / Double(multiple)).rounded(.toNearestOrAwayFromZero)
    return multiple * Int(min(max(nearest, 1), Double(largest)))
  }
}
