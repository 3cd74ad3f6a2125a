public import FlapCore
public import Statistics

/// Decides which groups and neurons of every layer stay (FLAP, arXiv 2312.11983, section
/// "adaptive structure search"; where the paper is silent, as its published code does).
///
/// A unit is a group (one key/value head with its g query heads) or an MLP neuron; it costs
/// 2·g·d + 2·d or 3 parameters ÷ hidden. Layers may differ in groups and neurons, as those of a
/// model that was pruned before do. Every layer keeps its best group and its best neuron.
///
/// All is decided from the scores alone, in a fixed order: of units that score the same, the one
/// in the earlier layer, attention before MLP, with the lower index is the better one.
public struct StructureSearch: Hashable, Sendable {
  public var structure: Structure
  /// Part of the decoder layers' linear parameters to remove, in [0, 1). 0 keeps everything.
  public var ratio: Double
  /// Groups to remove from the whole model, for AL-MM and UL-MM, as in the published code
  /// (`--remove_heads`); UL-MM takes the same number from every layer.
  public var groupsRemoved: Int?
  /// The counts that layers may be left with.
  public var widths: WidthRules
  /// Where AL-AM stops; the other structures do not look at it.
  public var cut: Cut

  /// Where the ranking of all units is cut.
  public enum Cut: Hashable, Sendable {
    /// As in the published code: the unit at the cut goes, and what every layer keeps in any case comes
    /// on top, so that a model of few or large units misses the ratio by a percent.
    case published
    /// Within half a neuron of the ratio, while there are neurons to choose.
    case fitted
  }

  /// What stays as it is, or loses a share of its own.
  public var sparing: Sparing
  /// Which experts of a mixture go.
  public var experts: ExpertSearch?

  public init(
    structure: Structure, ratio: Double, groupsRemoved: Int? = nil,
    widths: WidthRules = WidthRules(), cut: Cut = .published, sparing: Sparing = Sparing(),
    experts: ExpertSearch? = nil
  ) {
    self.experts = experts
    self.cut = cut
    self.sparing = sparing
    self.structure = structure
    self.ratio = ratio
    self.groupsRemoved = groupsRemoved
    self.widths = widths
  }

  /// - Parameters:
  ///   - scores: per layer, as ``LayerScores`` computes them.
  ///   - activity: of a mixture's experts, one entry per layer; nil: none may go.
  ///   - compensating: whether the pruned model gets biases, which its size counts.
  /// - Throws: if the ratio or the number of groups cannot be met, or the scores do not fit the
  ///   shape or are not finite.
  public func run(
    scores: [LayerScores], activity: [ExpertActivity]? = nil, shape: ModelShape,
    compensating: Bool = true
  ) throws(PruningError) -> SearchResult {
    try checkOptions()
    guard !shape.hasExperts else {
      return try runMixture(
        scores: scores, activity: activity, shape: shape, compensating: compensating)
    }
    try StructureSearch.check(shape)
    try StructureSearch.check(scores, for: shape)
    guard sparing.layers.isEmpty else {
      return try runSparingLayers(scores: scores, shape: shape, compensating: compensating)
    }
    let budget = UnitBudget(shape: shape)
    guard ratio <= budget.largestReachableRatio else {
      throw .ratioUnreachable(asked: ratio, largestReachable: budget.largestReachableRatio)
    }
    let ratios = try sparing.moduleRatios(ratio, of: shape)
    var selection =
      try widths.areNone
      ? select(scores: scores, ratios: ratios, shape: shape, budget: budget)
      : selectByRules(scores: scores, ratios: ratios, shape: shape, budget: budget) {
        () throws(PruningError) in
        var free = try select(scores: scores, ratios: ratios, shape: shape, budget: budget)
        _ = free.restoreMinimum(UnitScores(summing: scores, shape: shape))
        return free
      }
    let restored = selection.restoreMinimum(UnitScores(summing: scores, shape: shape))
    let plan = PruningPlan(layers: selection.layers)
    return SearchResult(
      plan: plan, threshold: selection.threshold, unitsKeptByMinimum: restored,
      reached: ReachedRatio(of: plan, for: shape, compensating: compensating))
  }

  /// - Parameter ratios: of each kind of module, where they are given.
  private func select(
    scores: [LayerScores], ratios: PerTap<Double>?, shape: ModelShape, budget: UnitBudget
  ) throws(PruningError) -> Selection {
    if ratio == 0 && (groupsRemoved ?? 0) == 0 {
      return Selection(layers: PruningPlan(keepingAllOf: shape).layers)
    }
    switch structure {
    case .adaptive:
      let units = UnitScores(standardizing: scores, shape: shape)
      let least = Selection(best: UnitScores(summing: scores, shape: shape))
      guard let ratios else { return selectAdaptively(units, least: least, budget: budget) }
      return selectAdaptively(
        units, ratios: ratios, least: least, shape: shape, budget: budget)
    case .uniform:
      return selectUniformly(UnitScores(summing: scores, shape: shape), ratios: ratios)
    case .adaptiveLayersManualModules:
      return try selectOverLayers(
        UnitScores(standardizing: scores, shape: shape), groupsRemoved: groupsRemoved ?? 0,
        budget: budget)
    case .measured, .experts: preconditionFailure("losses decide, or experts go, not channels")
    case .uniformLayersManualModules:
      return try selectInLayers(
        UnitScores(summing: scores, shape: shape), groupsRemoved: groupsRemoved ?? 0,
        budget: budget)
    }
  }

  private func checkOptions() throws(PruningError) {
    guard ratio >= 0, ratio < 1 else { throw .ratioOutOfRange(ratio) }
    if structure.needsGroupsRemoved && groupsRemoved == nil {
      throw .groupsRemovedMissing(structure)
    }
    if !structure.needsGroupsRemoved && groupsRemoved != nil {
      throw .groupsRemovedUnused(structure)
    }
    if structure.needsGroupsRemoved && sparing.moduleRatio != nil {
      throw .moduleRatioUnused(structure)
    }
  }

  /// So that no product of sizes, which may come from a file, overflows below.
  static func check(_ shape: ModelShape) throws(PruningError) {
    let dimensions = 1...Limits.dimension
    guard dimensions.contains(shape.hiddenSize), dimensions.contains(shape.headDimension),
      (0...Limits.dimension).contains(shape.vocabularySize)
    else { throw .unusableShape }
    for (index, layer) in shape.layers.enumerated() {
      guard dimensions.contains(layer.headCount), dimensions.contains(layer.intermediateSize),
        layer.keyValueHeadCount > 0, layer.headCount % layer.keyValueHeadCount == 0
      else { throw .unusableLayer(index) }
    }
  }

  static func check(_ scores: [LayerScores], for shape: ModelShape) throws(PruningError) {
    guard scores.count == shape.layers.count, !scores.isEmpty else {
      throw .layerCount(expected: max(1, shape.layers.count), found: scores.count)
    }
    for layer in scores.indices {
      for tap in Tap.allCases {
        let expected = shape.channelCount(layer: layer, tap: tap)
        let found = scores[layer][tap]
        guard found.count == expected else {
          throw .channelCount(layer: layer, tap: tap, expected: expected, found: found.count)
        }
        if let channel = found.firstIndex(where: { !$0.isFinite }) {
          throw .scoreNotFinite(layer: layer, tap: tap, channel: channel)
        }
      }
    }
  }
}
