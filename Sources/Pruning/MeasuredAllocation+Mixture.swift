import FlapCore

/// Counts by measured loss of a model with experts.
extension MeasuredAllocation {
  /// Groups and neurons as of other models; the neurons of all experts of the model are one module, whose
  /// loss with so many left is the sum of what its layers lose.
  ///
  /// - Parameters:
  ///   - curves: per layer; of experts for the neurons of each.
  ///   - keptExperts: per layer; 0 where it has none.
  ///   - budget: what the units cost.
  /// - Throws: as ``run(curves:shape:)``.
  func runMixture(
    curves: [PerTap<LossCurve>], keptExperts: [Int], _ budget: MixtureBudget, shape: ModelShape
  ) throws(PruningError) -> (counts: MixtureCounts, loss: Double) {
    guard ratio >= 0, ratio < 1 else { throw .ratioOutOfRange(ratio) }
    try StructureSearch.check(shape)
    try MeasuredAllocation.check(curves, for: shape)
    try widths.check(shape)
    let total = budget.cost(MixtureCounts(keepingAllOf: shape))
    var all = MixtureCounts(keepingAllOf: shape)
    all.experts = keptExperts
    var none = all
    none.groups = none.groups.map { _ in 0 }
    none.neurons = none.neurons.map { _ in 0 }
    guard ratio > 0 else { return (all, 0) }
    let rest =
      MeasuredAllocation.budget(keeping: 1 - ratio, of: total) - budget.cost(none)
    guard rest <= budget.cost(all) - budget.cost(none) else {
      throw .expertsExceedRatio(
        asked: ratio, reached: 1 - Double(budget.cost(all)) / Double(total))
    }
    let units = MixtureModules(curves, keptExperts, widths, shape)
    let least = units.modules.cost(keeping: units.modules.map(\.multiple))
    guard least <= rest else {
      throw .ratioUnreachable(
        asked: ratio, largestReachable: 1 - Double(least + budget.cost(none)) / Double(total))
    }
    let kept: [Int]
    if let ratios = try sparing.moduleRatios(ratio, of: shape) {
      kept = try differing(units.modules, ratios: ratios, shape: shape)
    } else {
      kept = try differing(units.modules, total: total, budget: rest)
    }
    units.keep(kept, in: &all)
    return (all, units.modules.loss(keeping: kept))
  }
}

/// The modules of a mixture that share a budget, and whose they are.
private struct MixtureModules {
  private(set) var modules: [AllocationModule] = []
  /// Layers and kind of each.
  private var places: [(layers: [Int], isAttention: Bool)] = []

  init(
    _ curves: [PerTap<LossCurve>], _ keptExperts: [Int], _ widths: WidthRules, _ shape: ModelShape
  ) {
    let mixed = shape.layers.indices.filter { shape.layers[$0].experts != nil }
    for layer in shape.layers.indices {
      add(.attentionOutput, [layer], curves, widths) { shape.unitCost(layer: $0, tap: $1) }
      guard !mixed.contains(layer) else { continue }
      add(.mlpDown, [layer], curves, widths) { shape.unitCost(layer: $0, tap: $1) }
    }
    add(.mlpDown, mixed, curves, widths) {
      shape.unitCost(layer: $0, tap: $1) * keptExperts[$0]
    }
  }

  private mutating func add(
    _ tap: Tap, _ layers: [Int], _ curves: [PerTap<LossCurve>], _ widths: WidthRules,
    unitCost: (Int, Tap) -> Int
  ) {
    let multiple = widths.multiple(at: tap)
    let losses = layers.map { curves[$0][tap].losses }
    let count = losses.map(\.count).min() ?? 0
    modules.append(
      AllocationModule(
        tap: tap, multiple: multiple, largest: count / multiple * multiple,
        unitCost: layers.reduce(0) { $0 + unitCost($1, tap) },
        losses: (0..<count).map { kept in losses.reduce(0) { $0 + $1[kept] } }))
    places.append((layers, tap == .attentionOutput))
  }

  func keep(_ kept: [Int], in counts: inout MixtureCounts) {
    for (count, place) in zip(kept, places) {
      for layer in place.layers {
        if place.isAttention {
          counts.groups[layer] = count
        } else {
          counts.neurons[layer] = count
        }
      }
    }
  }
}
