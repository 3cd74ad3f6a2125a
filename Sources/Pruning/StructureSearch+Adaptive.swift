import FlapCore

extension StructureSearch {
  /// AL-AM: all groups and neurons of the model in descending order of standardized score (a
  /// stable sort: all groups, layer by layer, come before all neurons); the cut is where the
  /// summed cost comes nearest to (1 − ratio) · total, the first such place; what scores strictly
  /// above the unit at the cut stays.
  ///
  /// Costs are summed as integers. An implementation that sums rounded fractions (a group as
  /// cost / 3) can place the cut one unit elsewhere where two places are equally near.
  func selectAdaptively(_ scores: UnitScores, budget: UnitBudget) -> Selection {
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

  private struct Unit {
    var score: Double
    var order: Int
    var cost: Int
  }

  private func rankedUnits(_ scores: UnitScores, budget: UnitBudget) -> [Unit] {
    var units: [Unit] = []
    for (layer, groups) in scores.groups.enumerated() {
      for score in groups {
        units.append(Unit(score: score, order: units.count, cost: budget.groupCosts[layer]))
      }
    }
    for score in scores.neurons.joined() {
      units.append(Unit(score: score, order: units.count, cost: budget.neuronCost))
    }
    units.sort { $0.score > $1.score || ($0.score == $1.score && $0.order < $1.order) }
    return units
  }
}
