import FlapCore

extension StructureSearch {
  /// AL-MM: over the layers of the model, the given number of groups with the lowest standardized
  /// scores goes, then as many neurons as the rest of the budget pays for, rounded down (as in the
  /// published code, `cal_remove_neuron`, here with each layer's own cost of a group).
  ///
  /// The best group and the best neuron of every layer do not stand for removal, so the numbers
  /// are exact.
  func selectOverLayers(_ scores: UnitScores, groupsRemoved: Int, budget: UnitBudget)
    throws(PruningError) -> Selection
  {
    let removable = scores.groups.reduce(0) { $0 + $1.count - 1 }
    guard (0...removable).contains(groupsRemoved) else {
      throw .groupsRemovedOutOfRange(asked: groupsRemoved, largest: removable)
    }
    let keptGroups = keepingAllButLowest(scores.groups, removing: groupsRemoved)
    let groupCost = keptGroups.indices.reduce(0) { cost, layer in
      cost + budget.groupCosts[layer] * keptGroups[layer].count { !$0 }
    }
    let neurons = try neuronsRemoved(
      groupCost: groupCost, neuronCost: budget.neuronCost, total: budget.total,
      removable: scores.neurons.reduce(0) { $0 + $1.count - 1 })
    let keptNeurons = keepingAllButLowest(scores.neurons, removing: neurons)
    return Selection(
      layers: zip(keptGroups, keptNeurons).map {
        PruningPlan.Layer(keptGroups: $0, keptNeurons: $1)
      })
  }

  /// UL-MM: the same in every layer by itself, with its share of the groups and the ratio of its
  /// own parameters.
  func selectInLayers(_ scores: UnitScores, groupsRemoved: Int, budget: UnitBudget)
    throws(PruningError) -> Selection
  {
    let layerCount = scores.groups.count
    let smallest = scores.groups.reduce(Int.max) { min($0, $1.count) }
    let largest = (smallest - 1) * layerCount
    guard (0...largest).contains(groupsRemoved) else {
      throw .groupsRemovedOutOfRange(asked: groupsRemoved, largest: largest)
    }
    guard groupsRemoved % layerCount == 0 else {
      throw .groupsRemovedUneven(asked: groupsRemoved, layerCount: layerCount)
    }
    let perLayer = groupsRemoved / layerCount
    try checkReachable(scores, groupsRemoved: perLayer, budget: budget)
    var layers: [PruningPlan.Layer] = []
    for layer in 0..<layerCount {
      let neurons = try neuronsRemoved(
        groupCost: budget.groupCosts[layer] * perLayer, neuronCost: budget.neuronCost,
        total: budget.layerCosts[layer], removable: scores.neurons[layer].count - 1)
      layers.append(
        PruningPlan.Layer(
          keptGroups: keepingAllButLowest([scores.groups[layer]], removing: perLayer)[0],
          keptNeurons: keepingAllButLowest([scores.neurons[layer]], removing: neurons)[0]))
    }
    return Selection(layers: layers)
  }

  /// Names the ratio that all layers can reach, not that of the first layer that fails.
  private func checkReachable(_ scores: UnitScores, groupsRemoved: Int, budget: UnitBudget)
    throws(PruningError)
  {
    let reachable = scores.groups.indices.map { layer in
      let removable =
        budget.groupCosts[layer] * groupsRemoved
        + budget.neuronCost * (scores.neurons[layer].count - 1)
      return Double(removable) / Double(budget.layerCosts[layer])
    }
    let largest = reachable.reduce(1, min)
    guard ratio <= largest else {
      throw .ratioUnreachable(asked: ratio, largestReachable: largest)
    }
  }

  /// Neurons that go besides groups of `groupCost`, to remove the ratio of `total`.
  private func neuronsRemoved(
    groupCost: Int, neuronCost: Int, total: Int, removable: Int
  ) throws(PruningError) -> Int {
    let rest = ratio * Double(total) - Double(groupCost)
    guard rest >= 0 else {
      throw .groupsExceedRatio(asked: ratio, reached: Double(groupCost) / Double(total))
    }
    let count = Int(rest / Double(neuronCost))
    guard count <= removable else {
      let largest = groupCost + neuronCost * removable
      throw .ratioUnreachable(
        asked: ratio, largestReachable: Double(largest) / Double(total))
    }
    return count
  }

  /// Flags [layer][unit]: the lowest scores of all go, but never a layer's best. Of equal scores
  /// the later one goes first.
  private func keepingAllButLowest(_ scores: [[Double]], removing count: Int) -> [[Bool]] {
    var candidates: [(score: Double, layer: Int, unit: Int)] = []
    for (layer, units) in scores.enumerated() {
      let best = indexOfBest(units)
      for (unit, score) in units.enumerated() where unit != best {
        candidates.append((score, layer, unit))
      }
    }
    candidates.sort { ($0.score, $1.layer, $1.unit) < ($1.score, $0.layer, $0.unit) }
    var kept = scores.map { Array(repeating: true, count: $0.count) }
    for candidate in candidates.prefix(count) {
      kept[candidate.layer][candidate.unit] = false
    }
    return kept
  }
}
