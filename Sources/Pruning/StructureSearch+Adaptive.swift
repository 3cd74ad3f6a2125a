import FlapCore

extension StructureSearch {
  /// AL-AM, cut as was asked for.
  ///
  /// - Parameter least: what stays in any case.
  func selectAdaptively(
    _ scores: UnitScores, least: Selection, budget: UnitBudget
  ) -> Selection {
    switch cut {
    case .published: selectAsPublished(scores, budget: budget)
    case .fitted: selectFittingly(scores, least: least, budget: budget)
    }
  }

  /// AL-AM: all groups and neurons of the model in descending order of standardized score (a
  /// stable sort: all groups, layer by layer, come before all neurons); the cut is where the
  /// summed cost comes nearest to (1 − ratio) · total, the first such place; what scores strictly
  /// above the unit at the cut stays.
  ///
  /// Costs are summed as integers. An implementation that sums rounded fractions (a group as
  /// cost / 3) can place the cut one unit elsewhere where two places are equally near.
  private func selectAsPublished(_ scores: UnitScores, budget: UnitBudget) -> Selection {
    let threshold = threshold(scores, budget: budget)
    return Selection(
      of: scores, threshold: threshold, keepingGroup: { _, score in score > threshold },
      keepingNeuron: { _, score in score > threshold })
  }

  private func threshold(_ scores: UnitScores, budget: UnitBudget) -> Double {
    let units = rankedUnits(scores, budget: budget)
    let target = Double(budget.total) * (1 - ratio)
    var kept = 0
    var nearest = Double.infinity
    var threshold = Double.infinity
    for unit in units {
      kept += unit.cost
      let distance = (Double(kept) - target).magnitude
      if distance < nearest {
        nearest = distance
        threshold = unit.score
      } else if Double(kept) > target {
        break
      }
    }
    return threshold
  }

  /// AL-AM, cut where the ratio is met: in the same order, but with what every layer keeps in any case
  /// counted first. Units stay from the best one on as long as that brings the cost nearer to
  /// (1 − ratio) · total; where the group at the cut is too large to come near, the next neurons go or
  /// stay instead, until the cost is within half a neuron.
  ///
  /// - Parameter least: what stays in any case.
  private func selectFittingly(
    _ scores: UnitScores, least: Selection, budget: UnitBudget
  ) -> Selection {
    let target = Double(budget.total) * (1 - ratio)
    let units = rankedUnits(scores, budget: budget)
    var kept = units.map { least.keeps($0) }
    var cost = zip(units, kept).reduce(0) { $0 + ($1.1 ? $1.0.cost : 0) }
    var cut = units.count
    for index in units.indices where !kept[index] {
      guard nearer(cost + units[index].cost, than: cost, to: target) else {
        cut = index
        break
      }
      kept[index] = true
      cost += units[index].cost
    }
    // Too few: the best neurons of those that would go. Too many: the worst of those that would stay.
    for index in units.indices[cut...] where units[index].isNeuron && !kept[index] {
      guard nearer(cost + units[index].cost, than: cost, to: target) else { break }
      kept[index] = true
      cost += units[index].cost
    }
    for index in units.indices[..<cut].reversed()
    where units[index].isNeuron && kept[index] && !least.keeps(units[index]) {
      guard nearer(cost - units[index].cost, than: cost, to: target) else { break }
      kept[index] = false
      cost -= units[index].cost
    }
    var selection = least
    for (unit, isKept) in zip(units, kept) where isKept { selection.keep(unit) }
    // Above it all stays but what was exchanged at the cut.
    selection.threshold = cut < units.count ? units[cut].score : nil
    return selection
  }

  private func nearer(_ cost: Int, than other: Int, to target: Double) -> Bool {
    (Double(cost) - target).magnitude < (Double(other) - target).magnitude
  }

  fileprivate struct Unit {
    var score: Double
    var order: Int
    var cost: Int
    var layer: Int
    var index: Int
    var isNeuron: Bool
  }

  private func rankedUnits(_ scores: UnitScores, budget: UnitBudget) -> [Unit] {
    var units: [Unit] = []
    for (layer, groups) in scores.groups.enumerated() {
      for (index, score) in groups.enumerated() {
        units.append(
          Unit(
            score: score, order: units.count, cost: budget.groupCosts[layer], layer: layer,
            index: index, isNeuron: false))
      }
    }
    for (layer, neurons) in scores.neurons.enumerated() {
      for (index, score) in neurons.enumerated() {
        units.append(
          Unit(
            score: score, order: units.count, cost: budget.neuronCost, layer: layer, index: index,
            isNeuron: true))
      }
    }
    units.sort { $0.score > $1.score || ($0.score == $1.score && $0.order < $1.order) }
    return units
  }
}

extension Selection {
  fileprivate func keeps(_ unit: StructureSearch.Unit) -> Bool {
    unit.isNeuron
      ? layers[unit.layer].keptNeurons[unit.index] : layers[unit.layer].keptGroups[unit.index]
  }

  fileprivate mutating func keep(_ unit: StructureSearch.Unit) {
    if unit.isNeuron {
      layers[unit.layer].keptNeurons[unit.index] = true
    } else {
      layers[unit.layer].keptGroups[unit.index] = true
    }
  }
}
