import FlapCore

/// One module among those that share a budget: what it may keep, what that costs and loses.
struct AllocationModule {
  let tap: Tap
  /// Kept units are a multiple of it, and at least it.
  let multiple: Int
  /// The largest such count.
  let largest: Int
  /// Parameters ÷ hidden size of one unit.
  let unitCost: Int
  /// [units]: loss with 1, 2, … units kept; it never rises.
  let losses: [Double]

  /// Cost of keeping one multiple more.
  var stepCost: Int { unitCost * multiple }

  func option(keeping kept: Int) -> KnapsackOption {
    KnapsackOption(kept: kept, cost: unitCost * kept, loss: losses[kept - 1])
  }
}

extension [AllocationModule] {
  func cost(keeping kept: [Int]) -> Int {
    zip(self, kept).reduce(0) { $0 + $1.0.unitCost * $1.1 }
  }

  func loss(keeping kept: [Int]) -> Double {
    zip(self, kept).reduce(0) { $0 + $1.0.losses[$1.1 - 1] }
  }

  /// The counts that lose least within the budget: first among counts so far apart that no module
  /// has too many, then among nearer ones around those found, down to single multiples. What is
  /// left of the budget goes where it gains most.
  ///
  /// - Precondition: the budget pays for one multiple of every module.
  func keepingLeastLoss(budget: Int) -> [Int] {
    var windows = map { CountWindow(around: $0.largest, reach: $0.largest, of: $0) }
    var best = map(\.multiple)
    var wasFinest = false
    while true {
      let knapsack = Knapsack(
        zip(self, windows).map { module, window in window.counts.map(module.option) },
        budget: budget)
      let found = spending(budget, startingWith: knapsack.solution())
      // A coarse grid rounds costs up, so that what was found before may not fit.
      if loss(keeping: found) <= loss(keeping: best) { best = found }
      let isFinest = zip(self, windows).allSatisfy { $0.multiple == $1.step }
      if isFinest && (knapsack.isExact || wasFinest) { return best }
      wasFinest = isFinest
      windows = indices.map {
        CountWindow(around: best[$0], reach: windows[$0].step, of: self[$0])
      }
    }
  }

  /// One multiple after the other, each where it lowers the loss most for its cost, while one fits;
  /// of equals the earlier module's.
  private func spending(_ budget: Int, startingWith kept: [Int]) -> [Int] {
    var kept = kept
    var left = budget - cost(keeping: kept)
    while true {
      var best: (index: Int, gain: Double)?
      for (index, module) in enumerated() {
        let next = kept[index] + module.multiple
        guard next <= module.largest, module.stepCost <= left else { continue }
        let gain =
          (module.losses[kept[index] - 1] - module.losses[next - 1]) / Double(module.stepCost)
        if let best, best.gain >= gain { continue }
        best = (index, gain)
      }
      guard let best else { return kept }
      kept[best.index] += self[best.index].multiple
      left -= self[best.index].stepCost
    }
  }
}

/// The counts of one module that are tried: evenly spaced around a middle one, and the ends.
private struct CountWindow {
  /// A multiple of the module's.
  let step: Int
  /// Descending.
  let counts: [Int]

  /// Counts no further than `reach` from `middle`, at most ``KnapsackLimits/optionsPerModule``.
  init(around middle: Int, reach: Int, of module: AllocationModule) {
    let low = Swift.max(module.multiple, middle - reach)
    let high = Swift.min(module.largest, middle + reach)
    // The middle and both ends come on top of the steps between.
    let multiples = (high - low) / module.multiple
    let steps = KnapsackLimits.optionsPerModule - 3
    let step = module.multiple * Swift.max(1, (multiples + steps - 1) / steps)
    let upper = stride(from: middle, to: high, by: step).reversed()
    let lower = stride(from: middle - step, to: low, by: -step)
    var counts = [high] + upper + lower
    if low < high { counts.append(low) }
    self.step = step
    self.counts = counts
  }
}
