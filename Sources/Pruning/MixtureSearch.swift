import FlapCore

/// Shares a ratio among the heads, neurons and experts of a mixture.
///
/// As ``StructureSearch`` does of other models, but for what experts ask for: those of the model keep as
/// many neurons each, and those of each layer are as many, so that a class of one expert size loads them.
/// What is removed is therefore a slice: of neurons the next worst of every expert, of experts the next
/// worst of every layer, whose score is the mean of theirs.
///
/// AL-AM removes slices, groups and neurons in rising order of standardized score until the ratio is
/// met. UL-UM removes the same share of groups and of neurons everywhere, and no experts of itself.
struct MixtureSearch {
  private let search: StructureSearch
  private let experts: ExpertSearch
  private let shape: ModelShape
  private let budget: MixtureBudget
  private let widths: [SharedWidth]
  private var counts: MixtureCounts
  /// Of each width, the count that it keeps.
  private var positions: [Int]

  /// - Parameters:
  ///   - scores: per layer, as ``LayerScores`` computes them.
  ///   - expertScores: per layer; nil: none may go.
  /// - Throws: where the rules leave no counts.
  init(
    _ search: StructureSearch, scores: [LayerScores], expertScores: [[Double]]?, shape: ModelShape
  ) throws(PruningError) {
    self.search = search
    experts = search.experts ?? ExpertSearch(metric: .expertActivation, share: 0)
    self.shape = shape
    budget = MixtureBudget(shape, replacesExperts: experts.replaces)
    try search.widths.check(shape)
    counts = MixtureCounts(keepingAllOf: shape)
    widths = MixtureSearch.widths(search, scores, expertScores, shape)
    positions = widths.map { _ in 0 }
  }

  /// - Returns: how many units stay.
  /// - Throws: if the ratio cannot be met.
  mutating func run() throws(PruningError) -> MixtureCounts {
    let total = budget.cost(counts)
    let target = Double(total) * (1 - search.ratio)
    for index in widths.indices { obeyMultiple(index) }
    try removeShareOfExperts()
    try checkReach(total)
    let left = budget.cost(counts)
    guard Double(left) >= target || experts.share == nil || search.ratio == 0 else {
      throw .expertsExceedRatio(asked: search.ratio, reached: 1 - Double(left) / Double(total))
    }
    guard search.ratio > 0 else { return counts }
    let ratio = max(0, 1 - (target - fixedCost) / (Double(left) - fixedCost))
    try shareAttention(ratio, target: target)
    if search.structure == .uniform {
      keepShares(target: target, ratio)
    } else {
      let rest = widths.indices.filter {
        widths[$0].kind != .groups
          || (!search.widths.isUniform && search.sparing.moduleRatio == nil)
      }
      walk(rest, to: target) { $0.cost($1) }
      try checkDistance(to: target, of: total)
    }
    return counts
  }

  // MARK: Widths

  private static func widths(
    _ search: StructureSearch, _ scores: [LayerScores], _ expertScores: [[Double]]?,
    _ shape: ModelShape
  ) -> [SharedWidth] {
    let units = UnitScores(standardizing: scores, shape: shape)
    let dense = shape.layers.indices.filter { shape.layers[$0].experts == nil }
    let mixed = shape.layers.indices.filter { shape.layers[$0].experts != nil }
    func widths(_ kind: SharedWidth.Kind, _ layers: [Int], _ units: [[Double]], _ multiple: Int)
      -> [SharedWidth]
    {
      guard search.widths.isUniform else {
        return layers.map {
          SharedWidth(kind, layers: [$0], units: [units[$0]], multiple: multiple)
        }
      }
      return layers.isEmpty
        ? []
        : [SharedWidth(kind, layers: layers, units: layers.map { units[$0] }, multiple: multiple)]
    }
    // Experts that too few tokens went through have no scores, and say nothing of the others.
    let maps = mixed.flatMap { layer -> [[Double]] in
      let width = shape.layers[layer].intermediateSize
      return (0..<shape.layers[layer].experts!.count).map {
        standardized(Array(scores[layer].mlpDown[$0 * width..<($0 + 1) * width]))
      }
    }
    let scored = maps.filter { map in map.contains { $0 != map.first } }
    var all =
      widths(.groups, Array(shape.layers.indices), units.groups, search.widths.groupMultiple)
      + widths(.neurons, dense, units.neurons, search.widths.neuronMultiple)
    all.append(
      SharedWidth(
        .expertNeurons, layers: mixed, units: scored.isEmpty ? maps : scored,
        multiple: search.widths.expertNeuronMultiple(of: maps.map(\.count).min() ?? 1)))
    if let expertScores {
      all.append(
        SharedWidth(
          .experts, layers: mixed, units: mixed.map { standardized(expertScores[$0]) }, multiple: 1)
      )
    }
    return all
  }

  /// What has to go in any case: where all units are no multiple, or layers that are to keep the same have
  /// more than others.
  private mutating func obeyMultiple(_ index: Int) {
    let multiple =
      switch widths[index].kind {
      case .groups: search.widths.groupMultiple
      case .neurons, .expertNeurons: search.widths.neuronMultiple
      case .experts: 1
      }
    keep(widths[index].counts[0] % multiple == 0 ? 0 : 1, of: index)
  }

  private mutating func keep(_ position: Int, of index: Int) {
    positions[index] = position
    counts.keep(widths[index].counts[position], of: widths[index])
  }

  // MARK: Shares that are given

  private func checkReach(_ total: Int) throws(PruningError) {
    guard search.ratio >= 0, search.ratio < 1 else { throw .ratioOutOfRange(search.ratio) }
    var least = counts
    for width in widths where width.kind != .experts || experts.share == nil {
      least.keep(width.counts[width.counts.count - 1], of: width)
    }
    let reach = 1 - Double(budget.cost(least)) / Double(total)
    guard search.ratio <= reach else {
      throw .ratioUnreachable(asked: search.ratio, largestReachable: reach)
    }
  }

  /// Where nothing that may go is left, the ratio is missed by more than any step.
  private func checkDistance(to target: Double, of total: Int) throws(PruningError) {
    let all = MixtureCounts(keepingAllOf: shape)
    let mayGo = widths.filter { $0.kind != .experts || experts.share == nil }
    let step = mayGo.filter { $0.counts.count > 1 }.reduce(0) { step, width in
      var next = all
      next.keep(width.counts[1], of: width)
      return max(step, budget.cost(all) - budget.cost(next))
    }
    let kept = budget.cost(counts)
    guard Double(kept) - target <= Double(step) else {
      throw .ratioMissed(asked: search.ratio, nearest: 1 - Double(kept) / Double(total))
    }
  }

  private mutating func removeShareOfExperts() throws(PruningError) {
    guard let share = experts.share else { return }
    guard share >= 0, share < 1 else { throw .ratioOutOfRange(share) }
    guard share > 0 else { return }
    guard let index = widths.indices.first(where: { widths[$0].kind == .experts }) else {
      throw .momentsMissing(experts.metric)
    }
    let count = widths[index].counts[0]
    let removed = Int((share * Double(count)).rounded())
    guard removed < count else {
      throw .expertShareUnreachable(asked: share, largest: Double(count - 1) / Double(count))
    }
    keep(removed, of: index)
  }

  /// Of what no group or neuron takes along: rows of the router, and means.
  private var fixedCost: Double {
    var none = counts
    none.groups = none.groups.map { _ in 0 }
    none.neurons = none.neurons.map { _ in 0 }
    return Double(budget.cost(none))
  }

  /// Groups, where their share is given, or the same number stays in every layer.
  ///
  /// - Parameter ratio: of what is left after a given share of experts.
  private mutating func shareAttention(
    _ ratio: Double, target: Double
  ) throws(PruningError) {
    let groups = widths.indices.filter { widths[$0].kind == .groups }
    let attention = Double(budget.attentionCost(counts))
    var share: Double?
    if let given = search.sparing.moduleRatio {
      let mlp = Double(budget.cost(counts)) - attention
      share =
        given.tap == .attentionOutput
        ? given.ratio : 1 - (target - mlp * (1 - given.ratio)) / attention
    }
    guard let wanted = share ?? (search.widths.isUniform ? ratio : nil) else { return }
    guard (0..<1).contains(wanted) || abs(wanted) < 0x1p-40 else {
      throw .moduleRatioUnreachable(.attentionOutput, needed: wanted, largest: 1)
    }
    guard search.widths.isUniform else {
      if search.structure == .uniform {
        for index in groups { keepShare(of: index, wanted) }
      } else {
        walk(groups, to: attention * (1 - wanted)) { $0.attentionCost($1) }
      }
      return
    }
    // More rather than fewer: losing groups costs more than the neurons that would pay for them.
    let allowed = search.widths.groupCounts(sharedByLayersOf: shape)
    let count = shape.layers.map(\.keyValueHeadCount).min() ?? 0
    let least = count - Int(wanted * Double(count))
    guard let chosen = allowed.first(where: { $0 >= least }) ?? allowed.last,
      let index = groups.first, let position = widths[index].counts.firstIndex(of: chosen)
    else { throw .noUniformHeads(hiddenSize: shape.hiddenSize) }
    keep(position, of: index)
  }

  // MARK: UL-UM

  /// The same share of groups and neurons everywhere; what groups were given leaves to the neurons.
  private mutating func keepShares(target: Double, _ ratio: Double) {
    let areGroupsKept = search.widths.isUniform || search.sparing.moduleRatio != nil
    var share = ratio
    if areGroupsKept {
      let attention = Double(budget.attentionCost(counts)) + fixedCost
      let mlp = Double(budget.cost(counts)) - attention
      share = max(0, 1 - (target - attention) / mlp)
    }
    for index in widths.indices {
      switch widths[index].kind {
      case .experts: continue
      case .groups where areGroupsKept: continue
      case .groups, .neurons, .expertNeurons: keepShare(of: index, share)
      }
    }
  }

  private mutating func keepShare(of index: Int, _ share: Double) {
    let count = widths[index].counts[0]
    let wanted = Double(count - Int(share * Double(count)))
    keep(max(positions[index], widths[index].position(nearest: wanted)), of: index)
  }

  // MARK: AL-AM

  private struct Step {
    let width: Int
    /// The count that it leads to.
    let position: Int
    let score: Double
  }

  /// Removes in rising order of score, of equals the later first, until a cost is met. Where a step goes
  /// too far, the next ones are tried instead: up to the score of the second next slice of experts' neurons,
  /// and more of these slices, which are the finest that a mixture has. What came nearest is kept.
  ///
  /// - Parameter cost: that is to come nearest to the target.
  private mutating func walk(
    _ indices: [Int], to target: Double, cost: (MixtureBudget, MixtureCounts) -> Int
  ) {
    var blocked: Set<Int> = []
    var limit = Double.infinity
    var beyond: (excess: Double, counts: MixtureCounts, positions: [Int])?
    for step in steps(of: indices) {
      guard step.score <= limit || widths[step.width].kind == .expertNeurons,
        !blocked.contains(step.width)
      else { continue }
      let (before, position) = (counts, positions[step.width])
      keep(step.position, of: step.width)
      let excess = target - Double(cost(budget, counts))
      guard excess > 0 else { continue }
      if excess < beyond?.excess ?? .infinity { beyond = (excess, counts, positions) }
      (counts, positions[step.width]) = (before, position)
      if blocked.isEmpty { limit = secondNextScore(among: indices) }
      blocked.insert(step.width)
    }
    guard let beyond, beyond.excess < Double(cost(budget, counts)) - target else { return }
    (counts, positions) = (beyond.counts, beyond.positions)
  }

  /// From where the counts are, as they are to be taken.
  private func steps(of indices: [Int]) -> [Step] {
    indices.filter { experts.share == nil || widths[$0].kind != .experts }.flatMap { index in
      widths[index].scores.indices.dropFirst(positions[index]).map {
        Step(width: index, position: $0 + 1, score: widths[index].scores[$0])
      }
    }.sorted {
      ($0.score, -$0.width, $0.position) < ($1.score, -$1.width, $1.position)
    }
  }

  /// Of slices of experts' neurons; infinite where there are none.
  private func secondNextScore(among indices: [Int]) -> Double {
    guard let index = indices.first(where: { widths[$0].kind == .expertNeurons }) else {
      return .infinity
    }
    let scores = widths[index].scores.dropFirst(positions[index] + 1)
    return scores.first ?? .infinity
  }
}
