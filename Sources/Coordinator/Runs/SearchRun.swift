internal import Export
internal import FlapCore
internal import Pruning
internal import Statistics
public import SystemPackage

/// `flap-coord search`: what to keep, from a statistics file alone.
public struct SearchRun: Sendable {
  let statistics: FilePath
  let output: FilePath
  let search: SearchOptions

  public init(statistics: FilePath, output: FilePath, search: SearchOptions) {
    self.statistics = statistics
    self.output = output
    self.search = search
  }

  public func run(_ console: Console) throws {
    let file = try StatisticsFile(path: statistics)
    try OutputFile.check(output)
    let result = try search.run(moments: file.moments, norms: file.norms, shape: file.shape)
    let plan = PlanFile(
      result, search, shape: file.shape, modelDigest: file.modelDigest, dataDigest: file.dataDigest)
    try plan.write(to: output)
    let summary = SearchSummary(result, search, shape: file.shape, output: output.string)
    summary.warn(console.log)
    try console.show(summary, table: summary.table)
  }
}

extension SearchOptions {
  func run(
    moments: ModelMoments?, norms: [LayerWeightNorms], shape: ModelShape, compensating: Bool = true
  ) throws -> SearchResult {
    let scores = try LayerScores.scores(metric: metric, moments: moments, norms: norms)
    return try search.run(scores: scores, shape: shape, compensating: compensating)
  }

  /// Finds out before a long calibration whether the ratio can be reached at all: no score
  /// decides that.
  func check(_ shape: ModelShape) throws {
    let scores = shape.layers.indices.map { layer in
      func rising(_ tap: Tap) -> [Double] {
        (0..<shape.channelCount(layer: layer, tap: tap)).map(Double.init)
      }
      return LayerScores(attentionOutput: rising(.attentionOutput), mlpDown: rising(.mlpDown))
    }
    _ = try search.run(scores: scores, shape: shape)
  }
}

extension PlanFile {
  init(
    _ result: SearchResult, _ search: SearchOptions, shape: ModelShape, modelDigest: Digest,
    dataDigest: Digest?
  ) {
    self.init(
      plan: result.plan, metric: search.metric.rawValue,
      structure: search.search.structure.rawValue, ratioAsked: search.search.ratio,
      ratioReached: result.reached.decoderLayers, shape: shape, modelDigest: modelDigest,
      dataDigest: dataDigest)
  }
}
