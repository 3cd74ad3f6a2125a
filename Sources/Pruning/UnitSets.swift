import FlapCore

/// Units of one layer and kind that stay or go together, so that counts are multiples.
struct UnitSet {
  var layer: Int
  var isOfGroups: Bool
  /// Mean of the units' scores.
  var score: Double
  var units: ArraySlice<Int>
  /// Parameters ÷ hidden size.
  var cost: Int
}

/// The sets of one layer and kind, best first: units in descending order of score, the earlier
/// first of equals, cut into sets of one size. Units that fill no set belong to none.
///
/// The means of consecutive sets never rise, so the best sets are made of the best units.
func unitSets(
  of scores: [Double], size: Int, layer: Int, isOfGroups: Bool, unitCost: Int
) -> [UnitSet] {
  let ranked = ranked(scores)
  return (0..<scores.count / size).map { index in
    let units = ranked[index * size..<(index + 1) * size]
    return UnitSet(
      layer: layer, isOfGroups: isOfGroups,
      score: units.reduce(0) { $0 + scores[$1] } / Double(size), units: units,
      cost: unitCost * size)
  }
}

/// Positions in descending order of score; of equals the earlier first.
func ranked(_ scores: [Double]) -> [Int] {
  scores.indices.sorted { scores[$0] > scores[$1] || (scores[$0] == scores[$1] && $0 < $1) }
}

/// Flags of the `count` best.
func keepingBest(_ count: Int, of scores: [Double]) -> [Bool] {
  var kept = Array(repeating: false, count: scores.count)
  for unit in ranked(scores).prefix(count) { kept[unit] = true }
  return kept
}

extension Selection {
  /// Keeps nothing yet.
  init(nothingOf shape: ModelShape) {
    self.init(
      layers: shape.layers.map { layer in
        PruningPlan.Layer(
          keptGroups: Array(repeating: false, count: layer.keyValueHeadCount),
          keptNeurons: Array(repeating: false, count: layer.intermediateSize))
      })
  }

  mutating func keep(_ set: UnitSet) {
    for unit in set.units {
      if set.isOfGroups {
        layers[set.layer].keptGroups[unit] = true
      } else {
        layers[set.layer].keptNeurons[unit] = true
      }
    }
  }

  /// Cost of what is kept.
  func cost(_ budget: UnitBudget) -> Int {
    layers.indices.reduce(0) { sum, layer in
      sum + budget.groupCosts[layer] * layers[layer].keptGroupCount
        + budget.neuronCost * layers[layer].keptNeuronCount
    }
  }
}
