public import FlapCore

extension [PerTap<LossCurve>] {
  /// The sum of the modules' losses with what a plan keeps, in nats per token: what the model would
  /// lose if they added up.
  ///
  /// - Precondition: the curves are of the plan's layers, and every module keeps a unit.
  public func loss(of plan: PruningPlan) -> Double {
    loss(keeping: plan.layers.map { layer in PerTap { layer.keptUnitCount($0) } })
  }

  /// The same with every module keeping the same share of its units, rounded, at least one.
  ///
  /// - Parameter share: 0 to 1.
  public func loss(keepingShare share: Double) -> Double {
    loss(
      keeping: map { curves in
        curves.map { curve in
          Swift.max(1, Int((share * Double(curve.unitCount)).rounded()))
        }
      })
  }

  private func loss(keeping counts: [PerTap<Int>]) -> Double {
    var sum = 0.0
    // In the order of `MeasuredAllocation`: the same sum, bit for bit.
    for (curves, counts) in zip(self, counts) {
      for tap in Tap.allCases { sum += curves[tap].losses[counts[tap] - 1] }
    }
    return sum
  }
}
