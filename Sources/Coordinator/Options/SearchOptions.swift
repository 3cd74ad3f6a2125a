public import ArgumentParser
internal import Checkpoint
internal import Export
internal import FlapCore
internal import Pruning
internal import Statistics

/// What is to be removed, and by which score.
public struct SearchOptions: Sendable {
  let method: PruningMethod
  var metric: Metric
  /// What was asked for of experts; nil: nothing.
  let experts: ExpertOptions
  let hasMetric: Bool
  let hasStructure: Bool
  let hasRatio: Bool
  var search: StructureSearch
  /// As they were asked for; ``search`` has the first.
  var ratios: [Double]
  /// Of `--round-to` and `--tensor-parallel`.
  let rounding: Int
  let ranks: Int
  /// Whether the moments of experts' neurons are needed; known of a model.
  var readsExpertNeurons = false

  /// - Parameters:
  ///   - ratios: at least one, but where a share of the experts is given.
  ///   - method: says what metric and structure are where these are nil.
  ///   - isUniform: every layer keeps the same counts, so that a class of transformers itself
  ///     takes them.
  ///   - rounding: kept neurons are a multiple of it; nil: any number.
  ///   - ranks: of tensor parallelism, which share out every layer's heads and neurons; nil: one.
  ///   - cutsAsPublished: AL-AM ends where the published code does, not at the ratio.
  ///   - excludedLayers: that keep all of their units.
  ///   - experts: what is to become of a mixture's.
  ///   - attentionRatio: part of attention's parameters to remove; nil: what the search finds, or what
  ///     the MLPs leave of the ratio.
  ///   - mlpRatio: the same of the MLPs.
  /// - Throws: ``UsageError`` for a name that is none, or a ratio outside [0, 1).
  public init(
    ratios: [Double], method: PruningMethod = .flap, metric: String? = nil,
    structure: String? = nil, groupsRemoved: Int?,
    isUniform: Bool = false, rounding: Int? = nil, ranks: Int? = nil,
    cutsAsPublished: Bool = false,
    excludedLayers: Set<Int> = [], experts: ExpertOptions = ExpertOptions(),
    attentionRatio: Double? = nil, mlpRatio: Double? = nil
  ) throws {
    self.experts = experts
    hasMetric = metric != nil
    hasStructure = structure != nil
    let structure = try structure.map(SearchOptions.structure(named:)) ?? method.structure
    let metric =
      try metric.map(SearchOptions.metric(named:))
      ?? (structure == .measured ? .conditionalVariance : method.metric)
    guard !metric.isOfExperts || structure == .experts || !hasStructure else {
      throw UsageError("--metric \(metric.rawValue) goes with --structure experts")
    }
    guard structure != .measured || metric == .conditionalVariance else {
      throw UsageError(
        "--structure measured removes units in the order of --metric OBS: leave out --metric "
          + metric.rawValue)
    }
    hasRatio = !ratios.isEmpty
    guard hasRatio || experts.share != nil else {
      throw UsageError("--ratio: name at least one")
    }
    let ratios = hasRatio ? ratios : [0]
    for ratio in ratios where !(ratio >= 0 && ratio < 1) {
      throw UsageError("--ratio \(ratio): the share to remove is at least 0 and less than 1")
    }
    if groupsRemoved != nil, !structure.needsGroupsRemoved {
      throw UsageError("--groups-removed goes with --structure AL-MM or UL-MM")
    }
    if cutsAsPublished, structure != .adaptive {
      throw UsageError("--published-cut goes with --structure AL-AM")
    }
    if groupsRemoved == nil, structure.needsGroupsRemoved {
      throw UsageError("--structure \(structure.rawValue) needs --groups-removed")
    }
    let sizes = 1...Limits.dimension
    if let rounding, !sizes.contains(rounding) {
      throw UsageError("--round-to \(rounding): give a number of neurons such as 32, 64 or 256")
    }
    // More ranks than that no machine has, and products of both stay small.
    if let ranks, !(1...1024).contains(ranks) {
      throw UsageError("--tensor-parallel \(ranks): give the number of ranks, 1 to 1024")
    }
    self.method = method
    self.metric = metric
    self.ratios = ratios
    self.rounding = rounding ?? 1
    self.ranks = ranks ?? 1
    search = StructureSearch(
      structure: structure, ratio: ratios[0], groupsRemoved: groupsRemoved,
      widths: WidthRules(
        isUniform: isUniform, roundingNeuronsTo: self.rounding, tensorParallelism: self.ranks),
      cut: cutsAsPublished ? .published : .fitted,
      sparing: Sparing(
        layers: excludedLayers,
        moduleRatio: try SearchOptions.moduleRatio(attentionRatio, mlpRatio)))
    try checkSparing()
  }

  private static func moduleRatio(
    _ attention: Double?, _ mlp: Double?
  ) throws -> Sparing.ModuleRatio? {
    guard attention == nil || mlp == nil else {
      throw UsageError("--ratio and --attention-ratio decide what --mlp-ratio is: leave out one")
    }
    guard let ratio = attention ?? mlp else { return nil }
    let tap = attention == nil ? Tap.mlpDown : .attentionOutput
    guard ratio >= 0, ratio < 1 else {
      throw UsageError(
        "\(SearchOptions.name(tap)) \(ratio): the share to remove is at least 0 and less than 1")
    }
    return Sparing.ModuleRatio(tap: tap, ratio: ratio)
  }

  private func checkSparing() throws {
    if isUniform, !search.sparing.layers.isEmpty {
      throw UsageError(
        "--uniform gives every layer the same counts: leave out it or --exclude-layers")
    }
    guard let name = search.sparing.moduleRatio.map({ SearchOptions.name($0.tap) }) else { return }
    if search.structure.needsGroupsRemoved {
      throw UsageError(
        "\(name) goes with --structure AL-AM, UL-UM or measured: with \(search.structure.rawValue) "
          + "--groups-removed says how much of attention goes")
    }
    if isUniform, search.structure == .measured {
      throw UsageError(
        "--structure measured with --uniform shares the ratio among attention and MLPs by itself: "
          + "leave out \(name)")
    }
  }

  static func name(_ tap: Tap) -> String {
    tap == .mlpDown ? "--mlp-ratio" : "--attention-ratio"
  }

  /// What is spared, by the options' names; empty where nothing is.
  var sparingOptions: [(name: String, value: String)] {
    let layers = search.sparing.layers
    let excluded = layers.isEmpty ? nil : ("--exclude-layers", LayerNumbers.text(layers))
    let ratio = search.sparing.moduleRatio.map { (SearchOptions.name($0.tap), "\($0.ratio)") }
    return [excluded, ratio].compactMap(\.self)
  }

  /// Whether somebody means a name, however he writes it.
  private static func isSame(_ name: String, _ written: String) -> Bool {
    name.lowercased() == written.lowercased()
  }

  private static func metric(named name: String) throws -> Metric {
    guard let metric = Metric.allCases.first(where: { isSame($0.rawValue, name) }) else {
      let names = Metric.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageError("--metric \(name): choose one of \(names)")
    }
    return metric
  }

  private static func structure(named name: String) throws -> Structure {
    guard let structure = Structure.allCases.first(where: { isSame($0.rawValue, name) }) else {
      let names = Structure.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageError("--structure \(name): choose one of \(names)")
    }
    return structure
  }

  /// What is to be measured of the maps.
  var mapKinds: [StatisticKind] {
    (metric.needsOrder ? [RemovalCurve.kind] : [])
      + (search.structure == .measured ? [ModuleLosses.kind] : [])
  }

  var isUniform: Bool { search.widths.isUniform }

  /// Whether something is to be measured over samples.
  var readsData: Bool {
    metric.needsMoments || replacesExperts
      || search.structure != .experts && search.readsActivity(metric)
  }

  /// What is measured of experts only where it is asked for.
  var askedOfExperts: Set<StatisticSource> {
    var asked: Set<StatisticSource> = []
    if replacesExperts { asked.insert(.expertOutputs) }
    if readsExpertNeurons { asked.insert(.expertNeurons) }
    return asked
  }

  /// Whether mean outputs take the places of experts.
  var replacesExperts: Bool { search.experts?.replaces ?? false }

  /// The same for one of the ratios.
  func with(ratio: Double) -> SearchOptions {
    var options = self
    options.search.ratio = ratio
    return options
  }

  /// Whether biases can make up for what goes.
  var takesCompensation: Bool { metric.needsMoments && !metric.isOfExperts }

  /// What of experts is asked for, by the options' names; empty where nothing is.
  var expertOptions: [(name: String, value: String)] {
    guard let experts = search.experts else { return [] }
    let share = experts.share.map { ("--experts-ratio", "\($0)") }
    let seed = experts.metric == .random ? ("--experts-seed", "\(experts.seed)") : nil
    let replaces = experts.replaces ? ("--replace-experts", "true") : nil
    return [share, seed, replaces].compactMap(\.self)
  }

  /// How much was asked for, for tables.
  var amount: String {
    let share = search.experts?.share.map { "experts \($0)" }
    return hasRatio ? "\(search.ratio)" : share ?? "\(search.ratio)"
  }

  /// With the rules of the class that `--uniform` writes for, and for a mixture what is chosen of it.
  ///
  /// - Parameter modelType: nil where it is not known: then the strictest rules.
  /// - Throws: ``TransformersClassError`` when there is no such class, or it has no place for the
  ///   biases.
  func fitting(modelType: String?, _ shape: ModelShape) throws -> SearchOptions {
    var options = self
    guard !shape.hasReplacedExperts else {
      throw UsageError(
        "means have taken the places of experts of this model already: prune the dense one")
    }
    if shape.hasExperts {
      let isStock = modelType.map { (try? TransformersClass(modelType: $0))?.takes(shape) ?? false }
      try options.fitMixture(shape, isStock: isStock ?? true)
    } else if metric.isOfExperts || search.structure == .experts || experts.isAsked {
      throw UsageError(
        "the model has no experts: leave out --experts-ratio, --replace-experts, --structure experts "
          + "and --metric REAP, frequency or random")
    }
    guard options.isUniform else { return options }
    let transformersClass = try modelType.map { modelType throws(TransformersClassError) in
      try TransformersClass(modelType: modelType)
    }
    _ = try transformersClass?.biases(holding: shape.biases)
    options.search.widths.headsDivideHiddenSize =
      transformersClass?.wantsHeadsToDivideHiddenSize ?? true
    options.search.widths.keepsGroups = transformersClass?.wantsAllHeads(of: shape) ?? false
    return options
  }
}

/// `0,1,30-31`: layers, counted from 0.
public struct LayerList: ExpressibleByArgument, Sendable {
  public let layers: Set<Int>

  /// - Returns: nil for anything but numbers and ranges of them.
  public init?(argument: String) {
    guard let layers = LayerNumbers.layers(in: argument) else { return nil }
    self.layers = layers
  }
}

/// `0.2`, or several ratios with commas between.
public struct RatioList: ExpressibleByArgument, Sendable {
  public let ratios: [Double]

  /// - Returns: nil for anything but numbers.
  public init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let ratios = parts.compactMap { Double($0) }
    guard ratios.count == parts.count else { return nil }
    self.ratios = ratios
  }
}
