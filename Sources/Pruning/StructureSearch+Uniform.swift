extension StructureSearch {
  /// UL-UM: in every layer and module, what scores at least the r-th lowest (counted from 0)
  /// stays, with r = ratio · units, rounded down. Ties at that score all stay.
  func selectUniformly(_ scores: UnitScores) -> Selection {
    let groups = scores.groups.map { lowestKept($0) }
    let neurons = scores.neurons.map { lowestKept($0) }
    return Selection(
      of: scores, keepingGroup: { layer, score in score >= groups[layer] },
      keepingNeuron: { layer, score in score >= neurons[layer] })
  }

  private func lowestKept(_ scores: [Double]) -> Double {
    scores.sorted()[Int(ratio * Double(scores.count))]
  }
}
