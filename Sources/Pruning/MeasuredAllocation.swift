public import FlapCore

/// How many groups and neurons every layer keeps, so that the model loses least at a size: the
/// counts with the least sum of the modules' ``LossCurve``s whose cost is at most (1 − ratio) of
/// the decoder layers' linear parameters.
///
/// Costs are integers, parameters ÷ hidden size: a group 2·g·d + 2·d, a neuron 3. The sum is added
/// up in f64 in a fixed order, and nothing but the input decides. Of counts with equal sums the
/// ones that keep more of the earlier layer win, in a layer those that keep more of attention.
///
/// The counts are optimal where no module has more than 128 counts to choose from and the budget
/// no more than 65 536 steps. Larger models are searched from coarse to fine: near
/// the counts found with coarse steps, again with finer ones.
public struct MeasuredAllocation: Hashable, Sendable {
  /// Part of the decoder layers' linear parameters to remove, in [0, 1). 0 keeps everything.
  public var ratio: Double
  /// The counts that layers may be left with.
  public var widths: WidthRules
  /// What stays as it is, or loses a share of its own.
  public var sparing: Sparing

  public init(
    ratio: Double, widths: WidthRules = WidthRules(), sparing: Sparing = Sparing()
  ) {
    self.ratio = ratio
    self.widths = widths
    self.sparing = sparing
  }

  /// - Parameter curves: per layer, for the units of the shape.
  /// - Throws: if the ratio cannot be met, or the curves do not fit the shape or are not finite.
  public func run(curves: [PerTap<LossCurve>], shape: ModelShape) throws(PruningError)
    -> AllocatedCounts
  {
    guard ratio >= 0, ratio < 1 else { throw .ratioOutOfRange(ratio) }
    try StructureSearch.check(shape)
    try MeasuredAllocation.check(curves, for: shape)
    guard sparing.layers.isEmpty else {
      return try runSparingLayers(curves: curves, shape: shape)
    }
    try widths.check(shape)
    let costs = UnitBudget(shape: shape)
    guard ratio <= costs.largestReachableRatio else {
      throw .ratioUnreachable(asked: ratio, largestReachable: costs.largestReachableRatio)
    }
    if ratio == 0, widths.allowsKeepingAll(of: shape) {
      let all = shape.layers.map {
        PerTap(attentionOutput: $0.keyValueHeadCount, mlpDown: $0.intermediateSize)
      }
      return AllocatedCounts(counts: all, loss: 0)
    }
    let modules = modules(curves, costs)
    let budget = MeasuredAllocation.budget(keeping: 1 - ratio, of: costs.total)
    let kept: [Int]
    if widths.isUniform {
      guard sparing.moduleRatio == nil else { throw .moduleRatioUnused(.measured) }
      kept = try sameInLayers(modules, shape: shape, costs: costs, budget: budget)
    } else if let ratios = try sparing.moduleRatios(ratio, of: shape) {
      kept = try differing(modules, ratios: ratios, shape: shape)
    } else {
      kept = try differing(modules, total: costs.total, budget: budget)
    }
    return AllocatedCounts(
      counts: shape.layers.indices.map { layer in
        PerTap { kept[MeasuredAllocation.index(layer: layer, tap: $0)] }
      }, loss: modules.loss(keeping: kept))
  }

  // MARK: Counts

  /// Each layer its own counts.
  func differing(_ modules: [AllocationModule], total: Int, budget: Int)
    throws(PruningError) -> [Int]
  {
    let least = modules.cost(keeping: modules.map(\.multiple))
    guard least <= budget else { throw missed(nearest: least, of: total) }
    let kept = modules.keepingLeastLoss(budget: budget)
    let cost = modules.cost(keeping: kept)
    let step = modules.reduce(0) { max($0, $1.stepCost) }
    guard budget - cost <= step else { throw missed(nearest: cost, of: total) }
    return kept
  }

  /// The same, each kind of module with a budget of its own.
  func differing(
    _ modules: [AllocationModule], ratios: PerTap<Double>, shape: ModelShape
  ) throws(PruningError) -> [Int] {
    var kept = modules.map(\.largest)
    for tap in Tap.allCases {
      let indices = modules.indices.filter { modules[$0].tap == tap }
      let total = shape.unitCosts(tap: tap)
      var allocation = self
      allocation.ratio = ratios[tap]
      let found = try allocation.differing(
        indices.map { modules[$0] }, total: total,
        budget: MeasuredAllocation.budget(keeping: 1 - ratios[tap], of: total))
      for (index, count) in zip(indices, found) { kept[index] = count }
    }
    return kept
  }

  /// The same among the layers that may lose something.
  private func runSparingLayers(curves: [PerTap<LossCurve>], shape: ModelShape)
    throws(PruningError) -> AllocatedCounts
  {
    let space = try SearchSpace(sparing, of: shape, widths)
    var allocation = self
    allocation.sparing = space.sparing
    allocation.ratio = try space.ratio(ratio)
    var found = AllocatedCounts(counts: [], loss: 0)
    if !space.layers.isEmpty {
      do throws(PruningError) {
        found = try allocation.run(curves: space.layers.map { curves[$0] }, shape: space.shape)
      } catch {
        throw space.error(error, asked: ratio)
      }
    }
    found.counts = space.spread(found.counts) { layer in
      PerTap { shape.unitCount(layer: layer, tap: $0) }
    }
    return found
  }

  /// The same counts in every layer: for each number of groups as many neurons as the budget pays
  /// for; of those that come within a step of it, the pair that loses least; of equals that with
  /// more groups.
  private func sameInLayers(
    _ modules: [AllocationModule], shape: ModelShape, costs: UnitBudget, budget: Int
  ) throws(PruningError) -> [Int] {
    let groupCounts = widths.groupCounts(sharedByLayersOf: shape)
    guard let fewest = groupCounts.first else {
      throw .noUniformHeads(hiddenSize: shape.hiddenSize)
    }
    func counts(groups: Int, neurons: Int) -> [Int] {
      modules.map { $0.tap == .mlpDown ? neurons : groups }
    }
    let largest = modules.reduce(Int.max) { $1.tap == .mlpDown ? min($0, $1.largest) : $0 }
    let step = costs.neuronCost * widths.neuronMultiple * shape.layers.count
    var nearest = modules.cost(keeping: counts(groups: fewest, neurons: widths.neuronMultiple))
    var best: (kept: [Int], loss: Double)?
    for groups in groupCounts.reversed() {
      let rest = budget - modules.cost(keeping: counts(groups: groups, neurons: 0))
      guard rest >= step else { continue }
      let kept = counts(groups: groups, neurons: min(rest / step * widths.neuronMultiple, largest))
      let cost = modules.cost(keeping: kept)
      nearest = max(nearest, cost)
      guard budget - cost <= step else { continue }
      let loss = modules.loss(keeping: kept)
      if let best, best.loss <= loss { continue }
      best = (kept, loss)
    }
    guard let best else { throw missed(nearest: nearest, of: costs.total) }
    return best.kept
  }

  private func missed(nearest cost: Int, of total: Int) -> PruningError {
    .ratioMissed(asked: ratio, nearest: 1 - Double(cost) / Double(total))
  }

  // MARK: Modules

  /// Layer by layer, attention before MLP.
  private func modules(_ curves: [PerTap<LossCurve>], _ costs: UnitBudget) -> [AllocationModule] {
    curves.indices.flatMap { layer in
      Tap.allCases.map { tap in
        let multiple = widths.multiple(at: tap)
        let losses = curves[layer][tap].losses
        return AllocationModule(
          tap: tap, multiple: multiple, largest: losses.count / multiple * multiple,
          unitCost: tap == .mlpDown ? costs.neuronCost : costs.groupCosts[layer], losses: losses)
      }
    }
  }

  private static func index(layer: Int, tap: Tap) -> Int {
    layer * Tap.allCases.count + tap.rawValue
  }

  /// `part` · total rounded down, except where it misses a whole number only by the rounding of the
  /// ratio: 1 − 0.9 is less than 0.1.
  static func budget(keeping part: Double, of total: Int) -> Int {
    let exact = part * Double(total)
    let nearest = exact.rounded()
    return Int((nearest - exact).magnitude <= Double(total) * 0x1p-50 ? nearest : exact)
  }

  static func check(_ curves: [PerTap<LossCurve>], for shape: ModelShape)
    throws(PruningError)
  {
    guard curves.count == shape.layers.count, !curves.isEmpty else {
      throw .layerCount(expected: max(1, shape.layers.count), found: curves.count)
    }
    for (layer, curves) in curves.enumerated() {
      for tap in Tap.allCases {
        // Experts are left with as many each.
        let expected = shape.unitCountPerMap(layer: layer, tap: tap)
        guard curves[tap].unitCount == expected else {
          throw .channelCount(
            layer: layer, tap: tap, expected: expected, found: curves[tap].unitCount)
        }
        try curves[tap].validate(layer: layer, tap: tap)
      }
    }
  }
}

/// What a ``MeasuredAllocation`` found.
public struct AllocatedCounts: Hashable, Sendable {
  /// Kept groups and neurons, per layer.
  public var counts: [PerTap<Int>]
  /// Sum of the modules' losses, in nats per token: what the model would lose if they added up.
  public var loss: Double
}
