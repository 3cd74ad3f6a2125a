import FlapCore

extension StructureSearch {
  /// UL-UM: in every layer and module, what scores at least the r-th lowest (counted from 0)
  /// stays, with r = ratio · units, rounded down. Ties at that score all stay.
  ///
  /// - Parameter ratios: of each kind of module; nil: the same of both.
  func selectUniformly(_ scores: UnitScores, ratios: PerTap<Double>?) -> Selection {
    let groups = scores.groups.map { lowestKept($0, ratios?.attentionOutput ?? ratio) }
    let neurons = scores.neurons.map { lowestKept($0, ratios?.mlpDown ?? ratio) }
    return Selection(
      of: scores, keepingGroup: { layer, score in score >= groups[layer] },
      keepingNeuron: { layer, score in score >= neurons[layer] })
  }

  private func lowestKept(_ scores: [Double], _ ratio: Double) -> Double {
    scores.sorted()[Int(ratio * Double(scores.count))]
  }
}
