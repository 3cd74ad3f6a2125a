public import FlapCore

extension PruningPlan {
  /// Keeps so many units of every module, those that its order of removal comes to last.
  ///
  /// - Parameters:
  ///   - counts: kept groups and neurons, per layer.
  ///   - ranks: [layer][tap][unit], the position at which the unit goes, the first at 0. Of units
  ///     with the same position the lower index stays longer.
  /// - Precondition: as many counts as ranks, and no count below 0. `validate(for:)` checks whether
  ///   the plan fits a model.
  public init(keeping counts: [PerTap<Int>], ranks: [PerTap<[Int]>]) {
    precondition(counts.count == ranks.count, "Counts and ranks of the same layers.")
    self.init(
      layers: zip(counts, ranks).map { counts, ranks in
        let kept = PerTap { keepingBest(counts[$0], of: ranks[$0].map(Double.init)) }
        return Layer(keptGroups: kept.attentionOutput, keptNeurons: kept.mlpDown)
      })
  }
}
