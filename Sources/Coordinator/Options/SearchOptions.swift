public import ArgumentParser
internal import Checkpoint
internal import Export
internal import FlapCore
internal import Pruning
internal import Statistics

/// What is to be removed, and by which score.
public struct SearchOptions: Sendable {
  let method: PruningMethod
  let metric: Metric
  private(set) var search: StructureSearch
  /// As they were asked for; ``search`` has the first.
  let ratios: [Double]
  /// Of `--round-to` and `--tensor-parallel`.
  let rounding: Int
  let ranks: Int

  /// - Parameters:
  ///   - ratios: at least one.
  ///   - method: says what metric and structure are where these are nil.
  ///   - isUniform: every layer keeps the same counts, so that a class of transformers itself
  ///     takes them.
  ///   - rounding: kept neurons are a multiple of it; nil: any number.
  ///   - ranks: of tensor parallelism, which share out every layer's heads and neurons; nil: one.
  ///   - cutsAsPublished: AL-AM ends where the published code does, not at the ratio.
  /// - Throws: ``UsageError`` for a name that is none, or a ratio outside [0, 1).
  public init(
    ratios: [Double], method: PruningMethod = .flap, metric: String? = nil,
    structure: String? = nil, groupsRemoved: Int?,
    isUniform: Bool = false, rounding: Int? = nil, ranks: Int? = nil,
    cutsAsPublished: Bool = false
  ) throws {
    let structure = try structure.map(SearchOptions.structure(named:)) ?? method.structure
    let metric =
      try metric.map(SearchOptions.metric(named:))
      ?? (structure == .measured ? .conditionalVariance : method.metric)
    guard structure != .measured || metric == .conditionalVariance else {
      throw UsageError(
        "--structure measured removes units in the order of --metric OBS: leave out --metric "
          + metric.rawValue)
    }
    guard let first = ratios.first else { throw UsageError("--ratio: name at least one") }
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
      structure: structure, ratio: first, groupsRemoved: groupsRemoved,
      widths: WidthRules(
        isUniform: isUniform, roundingNeuronsTo: self.rounding, tensorParallelism: self.ranks),
      cut: cutsAsPublished ? .published : .fitted)
  }

  private static func metric(named name: String) throws -> Metric {
    guard let metric = Metric(rawValue: name) else {
      let names = Metric.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageError("--metric \(name): choose one of \(names)")
    }
    return metric
  }

  private static func structure(named name: String) throws -> Structure {
    guard let structure = Structure(rawValue: name) else {
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

  /// The same for one of the ratios.
  func with(ratio: Double) -> SearchOptions {
    var options = self
    options.search.ratio = ratio
    return options
  }

  /// With the rules of the class that `--uniform` writes for.
  ///
  /// - Parameter modelType: nil where it is not known: then the strictest rules.
  /// - Throws: ``TransformersClassError`` when there is no such class, or it has no place for the
  ///   biases.
  func fitting(modelType: String?, _ shape: ModelShape) throws -> SearchOptions {
    guard isUniform else { return self }
    var options = self
    let transformersClass = try modelType.map { modelType throws(TransformersClassError) in
      try TransformersClass(modelType: modelType)
    }
    _ = try transformersClass?.biases(holding: shape.biases)
    options.search.widths.headsDivideHiddenSize =
      transformersClass?.wantsHeadsToDivideHiddenSize ?? true
    return options
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
