internal import Export
internal import FlapCore
internal import Pruning
internal import Statistics
public import SystemPackage

/// `flap-coord search`: what to keep, from a statistics file alone; for one ratio or several.
public struct SearchRun: Sendable {
  let statistics: FilePath
  let output: FilePath?
  let search: SearchOptions

  /// - Parameter output: nil: only the table. Of several plans each has its ratio in its name.
  public init(statistics: FilePath, output: FilePath?, search: SearchOptions) {
    self.statistics = statistics
    self.output = output
    self.search = search
  }

  public func run(_ console: Console) throws {
    let file = try StatisticsFile(path: statistics)
    let search = try search.fitting(modelType: file.modelType, file.shape)
    if let output { try OutputFile.check(output, inputs: [statistics]) }
    // All of them before any is written.
    let found = try search.results(file.statistics, shape: file.shape)
    for (options, result) in found {
      let plan = PlanFile(
        result, options, shape: file.shape, modelDigest: file.modelDigest,
        dataDigest: file.dataDigest, fullDigest: file.fullDigest)
      if let path = path(options) { try plan.write(to: path) }
    }
    let summaries = found.map { options, result in
      SearchSummary(result, options, shape: file.shape, output: path(options)?.string)
    }
    for summary in summaries { summary.warn(console.log) }
    if found.count == 1 {
      return try console.show(summaries[0], isInFiles: output != nil, table: summaries[0].table)
    }
    let sweep = SweepSummary(
      search, dense: file.shape,
      plans: found.map { options, result in
        SweepSummary.Entry(
          output: path(options)?.string,
          figures: PlanFigures(
            result.plan, of: file.shape, ratioAsked: options.search.ratio,
            compensating: options.search.structure != .experts),
          predictedLoss: result.predictedLoss)
      })
    try console.show(sweep, isInFiles: output != nil, table: sweep.table(console.width))
  }

  /// The file of one ratio's plan: of several, `plan.safetensors` becomes `plan-0.2.safetensors`.
  private func path(_ options: SearchOptions) -> FilePath? {
    guard let output, search.ratios.count > 1, let name = output.lastComponent else {
      return output
    }
    var path = output.removingLastComponent()
    let suffix = name.extension.map { ".\($0)" } ?? ""
    path.append("\(name.stem)-\(options.search.ratio)\(suffix)")
    return path
  }
}

extension SearchOptions {
  /// One result for each ratio.
  func results(
    _ statistics: ModelStatistics, shape: ModelShape
  ) throws -> [(options: SearchOptions, result: SearchResult)] {
    try ratios.map { ratio in
      let options = with(ratio: ratio)
      return (options, try options.run(statistics, shape: shape))
    }
  }

  func run(
    _ statistics: ModelStatistics, shape: ModelShape, compensating: Bool = true
  ) throws -> SearchResult {
    let result = try search.run(
      statistics, metric: metric, shape: shape, compensating: compensating)
    // Who writes the plan would miss them.
    _ = try statistics.expertMeans(of: result.plan)
    return result
  }

  /// Finds out before a long calibration whether the ratio can be reached at all: no score
  /// decides that.
  func check(_ shape: ModelShape) throws {
    guard search.structure != .measured else {
      guard !shape.hasExperts else {
        _ = try search.runMeasuredMixture(
          curves: LossCurve.samples(of: shape), ranks: [PerTap<[Int]>].samples(of: shape),
          activity: [ExpertActivity].idle(shape), shape: shape)
        return
      }
      _ = try MeasuredAllocation(
        ratio: search.ratio, widths: search.widths, sparing: search.sparing
      )
      .run(curves: LossCurve.samples(of: shape), shape: shape)
      return
    }
    if search.structure == .experts, let experts = search.experts {
      _ = try ExpertSearch(
        metric: .random, share: experts.share, replaces: experts.replaces
      ).run(
        ratio: search.ratio, activity: nil, shape: shape)
      return
    }
    let scores = shape.layers.indices.map { layer in
      PerTap { tap in (0..<shape.channelCount(layer: layer, tap: tap)).map(Double.init) }
    }
    _ = try search.run(
      scores: scores, activity: search.readsActivity(metric) ? [ExpertActivity].idle(shape) : nil,
      shape: shape)
  }
}

extension PlanFile {
  init(
    _ result: SearchResult, _ search: SearchOptions, shape: ModelShape, modelDigest: Digest,
    dataDigest: Digest?, fullDigest: Digest?
  ) {
    self.init(
      plan: result.plan, metric: search.metric.rawValue,
      structure: search.search.structure.rawValue, ratioAsked: search.search.ratio,
      ratioReached: result.reached.decoderLayers, shape: shape, modelDigest: modelDigest,
      dataDigest: dataDigest, isUniform: search.isUniform, fullDigest: fullDigest,
      sparing: search.search.sparing)
  }
}

extension [PerTap<[Int]>] {
  /// Some orders of a shape's units, for what none decides.
  fileprivate static func samples(of shape: ModelShape) -> [PerTap<[Int]>] {
    shape.layers.indices.map { layer in
      PerTap { [Int](0..<shape.unitCount(layer: layer, tap: $0)) }
    }
  }
}

extension [ExpertActivity] {
  /// Of experts that nobody uses, for what no activity decides.
  fileprivate static func idle(_ shape: ModelShape) -> [ExpertActivity] {
    shape.layers.map { layer in
      let count = layer.experts?.count ?? 0
      let sums = [Double](repeating: 0, count: count)
      return ExpertActivity(
        counts: [Int](repeating: 0, count: count), gateSums: sums, normSums: sums,
        gatedNormSums: sums)
    }
  }
}

extension LossCurve {
  /// Some curves of a shape, for what no curve decides.
  fileprivate static func samples(of shape: ModelShape) -> [PerTap<LossCurve>] {
    func curve(_ units: Int) -> LossCurve {
      LossCurve(errors: (0..<units).map(Double.init), measured: [Level(kept: 1, loss: 1)])
    }
    return shape.layers.map {
      PerTap(attentionOutput: curve($0.keyValueHeadCount), mlpDown: curve($0.intermediateSize))
    }
  }
}
