import FlapCore

/// What a model loses of a metric when every layer keeps so many of its best groups and neurons.
struct CumulatedLosses {
  /// By the number of kept groups, or neurons, over all layers.
  private var groups: [Double]
  private var neurons: [Double]

  /// - Parameter units: of the same scores, by which groups are ranked.
  init(_ scores: [LayerScores], _ units: UnitScores, _ shape: ModelShape) {
    groups = Array(repeating: 0, count: (shape.layers.map(\.keyValueHeadCount).min() ?? 0) + 1)
    neurons = Array(repeating: 0, count: (shape.layers.map(\.intermediateSize).min() ?? 0) + 1)
    for (layer, scores) in scores.enumerated() {
      let attention =
        scores.squaresAttention
        ? scores.attentionOutput.map { $0.squareRoot() } : scores.attentionOutput
      let groupCount = units.groups[layer].count
      CumulatedLosses.add(
        groupSums(attention, groupCount: groupCount), rankedBy: units.groups[layer], to: &groups)
      CumulatedLosses.add(scores.mlpDown, rankedBy: units.neurons[layer], to: &neurons)
    }
  }

  func loss(keepingGroups groupCount: Int, neurons neuronCount: Int) -> Double {
    groups[groupCount] + neurons[neuronCount]
  }

  private static func add(
    _ values: [Double], rankedBy scores: [Double], to losses: inout [Double]
  ) {
    var lost = 0.0
    for (kept, unit) in ranked(scores).enumerated().reversed() {
      lost += values[unit]
      if kept < losses.count { losses[kept] += lost }
    }
  }
}
