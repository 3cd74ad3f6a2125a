/// What bounds time and memory of a knapsack.
enum KnapsackLimits {
  static let optionsPerModule = 128
  static let cells = 1 << 16
  /// Of all tables together, 8 bytes each.
  static let tableEntries = 1 << 24
}

/// One count that a module may keep.
struct KnapsackOption {
  var kept: Int
  /// Parameters ÷ hidden size.
  var cost: Int
  var loss: Double
}

/// Chooses one option of every module so that the sum of losses is least and that of costs within a
/// budget, by dynamic programming over the budget:
///
///     best[m][c] = min over options o of m: loss(o) + best[m + 1][c − cost(o)]
///
/// A cell is the greatest common divisor of the costs above each module's least; where the budget
/// has more cells than the limit, a multiple of it, costs being rounded up: what is chosen always
/// fits, but may not be the best.
struct Knapsack {
  private let modules: [[KnapsackOption]]
  /// [module][option]: cells above the module's least cost.
  private let widths: [[Int]]
  /// The budget above all least costs, in cells.
  private let cellCount: Int
  /// Whether no cost was rounded.
  let isExact: Bool

  /// - Parameter modules: the options of each, by descending kept count, at least one.
  /// - Precondition: the budget pays for the cheapest options.
  init(_ modules: [[KnapsackOption]], budget: Int) {
    let least = modules.map { options in options.reduce(Int.max) { min($0, $1.cost) } }
    let costs = zip(modules, least).map { options, least in options.map { $0.cost - least } }
    let most = costs.reduce(0) { $0 + ($1.max() ?? 0) }
    let spare = min(budget - least.reduce(0, +), most)
    precondition(spare >= 0, "The budget pays for the cheapest options.")
    let unit = max(1, costs.joined().reduce(0, greatestCommonDivisor))
    let limit = min(KnapsackLimits.cells, KnapsackLimits.tableEntries / (modules.count + 1) - 1)
    let coarseness = max(1, (spare / unit + limit - 1) / limit)
    let cell = unit * coarseness
    self.modules = modules
    widths = costs.map { $0.map { ($0 + cell - 1) / cell } }
    cellCount = spare / cell
    isExact = coarseness == 1
  }

  /// The kept counts; of equal sums those with more of the earlier module.
  func solution() -> [Int] {
    let length = cellCount + 1
    var tables = Array(repeating: 0.0, count: (modules.count + 1) * length)
    tables.withUnsafeMutableBufferPointer { tables in
      for module in modules.indices.reversed() {
        let later = UnsafeBufferPointer(
          rebasing: tables[(module + 1) * length..<(module + 2) * length])
        let own = UnsafeMutableBufferPointer(
          rebasing: tables[module * length..<(module + 1) * length])
        fill(own, module: module, later: later)
      }
    }
    var cell = cellCount
    return modules.indices.map { module in
      let best = tables[module * length + cell]
      let options = modules[module]
      let chosen = options.indices.first { option in
        let rest = cell - widths[module][option]
        return rest >= 0 && tables[(module + 1) * length + rest] + options[option].loss == best
      }
      guard let chosen else { preconditionFailure("A table's entry comes from an option.") }
      cell -= widths[module][chosen]
      return options[chosen].kept
    }
  }

  /// [cells] of one module from those of the modules after it.
  private func fill(
    _ own: UnsafeMutableBufferPointer<Double>, module: Int, later: UnsafeBufferPointer<Double>
  ) {
    own.update(repeating: .infinity)
    for (option, width) in zip(modules[module], widths[module]) where width < own.count {
      let loss = option.loss
      let own = UnsafeMutableBufferPointer(rebasing: own[width...])
      for index in own.indices {
        let sum = later[index] + loss
        own[index] = sum < own[index] ? sum : own[index]
      }
    }
  }
}
