internal import FlapCore
internal import Pruning

/// What is to become of the experts of a mixture.
public struct ExpertOptions: Sendable {
  /// Part of each layer's to remove; nil: as the ratio has it.
  let share: Double?
  /// Of `--metric random`.
  let seed: UInt64

  /// Whether mean outputs take the places of those that go.
  let replaces: Bool

  public init(share: Double? = nil, seed: UInt64 = 0, replaces: Bool = false) {
    self.share = share
    self.seed = seed
    self.replaces = replaces
  }

  var isAsked: Bool { share != nil || replaces }
}

/// What the options mean for a model with experts.
extension SearchOptions {
  /// Experts alone go as a rule; with a metric of channels or a structure that shares the ratio heads and
  /// neurons do, too.
  ///
  /// - Parameter isStock: whether the class of the family itself has a place for all that the model has.
  mutating func fitMixture(_ shape: ModelShape, isStock: Bool) throws {
    guard experts.seed == 0 || metric == .random else {
      throw UsageError("--experts-seed goes with --metric random")
    }
    guard !experts.replaces || !isUniform else {
      throw UsageError(
        "--replace-experts leaves means of experts, for which no class of transformers has a place: "
          + "leave out it or --uniform")
    }
    let isOfExperts = hasMetric ? metric.isOfExperts : method == .flap
    if hasStructure ? search.structure == .experts : isOfExperts {
      try loseExperts(shape, isStock: isStock)
    } else {
      try shareRatio(shape)
    }
  }

  private mutating func loseExperts(_ shape: ModelShape, isStock: Bool) throws {
    func refuse(_ option: String) -> UsageError {
      UsageError(
        "--structure experts removes experts, which \(option) does not choose: leave it out, or choose "
          + "--structure AL-AM")
    }
    guard !hasMetric || metric.isOfExperts else { throw refuse("--metric \(metric.rawValue)") }
    guard method == .flap else { throw refuse("--method \(method.rawValue)") }
    guard search.cut == .fitted else { throw refuse("--published-cut") }
    if let (name, _) = sparingOptions.first { throw refuse(name) }
    guard rounding == 1 && ranks == 1 else { throw refuse("--round-to or --tensor-parallel") }
    guard !hasRatio || experts.share == nil else {
      throw UsageError("--experts-ratio says how much goes: leave out it or --ratio")
    }
    metric = hasMetric ? metric : .expertActivation
    search.structure = .experts
    let choice = ExpertSearch(
      metric: metric, seed: experts.seed, share: experts.share, replaces: experts.replaces)
    search.experts = choice
    if experts.share != nil {
      // What a share of the experts comes to.
      search.ratio = try choice.ratio(asked: 0, of: shape)
      ratios = [search.ratio]
    }
    // Its own class loads what is left, but for means in the places of experts, and for what was pruned
    // before.
    search.widths = WidthRules(isUniform: isUniform || isStock && !experts.replaces)
  }

  private mutating func shareRatio(_ shape: ModelShape) throws {
    guard [.adaptive, .uniform, .measured].contains(search.structure) else {
      throw UsageError(
        "--structure \(search.structure.rawValue) is not for models with experts: choose experts, "
          + "AL-AM, UL-UM or measured")
    }
    guard search.structure != .measured || !isUniform else {
      throw UsageError(
        "--structure measured weighs what least squares leaves, and the class of --uniform has no biases "
          + "for it: leave out --uniform, or choose --structure AL-AM")
    }
    guard search.cut == .fitted else {
      throw UsageError("--published-cut is not for models with experts: leave it out")
    }
    guard search.sparing.layers.isEmpty else {
      throw UsageError(
        "--exclude-layers is not for models with experts, which have one size in all layers: leave it "
          + "out")
    }
    guard hasRatio else {
      throw UsageError(
        "--structure \(search.structure.rawValue) shares --ratio among heads and neurons, and "
          + "--experts-ratio among experts: give both, or --structure experts")
    }
    search.experts = ExpertSearch(
      metric: .expertActivation, share: experts.share, replaces: experts.replaces)
    readsExpertNeurons = metric.needsMoments
  }
}
