internal import Checkpoint
internal import Chronicle
internal import Coordination
internal import Export
internal import FlapCore
internal import Journal
internal import Logging
internal import Pruning
internal import Report
internal import Statistics
internal import Storage
public import SystemPackage

/// `flap-coord compare`: what each way to prune makes of a model, without a checkpoint being written.
public struct ComparisonRun: Sendable {
  let model: FilePath
  let calibration: FilePath
  let evaluation: FilePath
  let output: FilePath
  let ratios: [Double]
  let methods: [ComparedMethod]
  let forward: ForwardOptions
  let cluster: ClusterOptions

  /// - Parameters:
  ///   - output: a folder: gets what was measured, and the figures.
  ///   - ratios: at least one.
  public init(
    model: FilePath, calibration: FilePath, evaluation: FilePath, output: FilePath,
    ratios: [Double], methods: MethodList, forward: ForwardOptions, cluster: ClusterOptions
  ) {
    self.model = model
    self.calibration = calibration
    self.evaluation = evaluation
    self.output = output
    self.ratios = ratios
    self.methods = methods.methods
    self.forward = forward
    self.cluster = cluster
  }

  /// One method at one ratio.
  private struct Candidate {
    let method: ComparedMethod
    let ratio: Double
    let plan: PruningPlan
    let predictedLoss: Double?
    let broadcast: PlanBroadcast
  }

  public func run(_ console: Console) throws {
    let plan = try ClusterPlan(cluster)
    guard !cluster.gathers else {
      throw UsageError("compare writes no shards: leave out --gather")
    }
    let inputs = try RunInputs(model: model)
    guard !inputs.shape.hasExperts else {
      throw UsageError(
        "the methods that compare knows remove heads and neurons, and this model has experts: use "
          + "calibrate, then eval --statistics with --experts-ratio and --metric")
    }
    for ratio in ratios {
      for method in methods { try method.search(ratio)?.check(inputs.shape) }
    }
    let evaluated = try inputs.evaluationPass(over: evaluation, forward, plan, console)
    try Folder.make(output)
    _ = try calibrationRun.measure(console)
    let statistics = try StatisticsFile(path: statisticsPath).statistics
    let pass = try inputs.pass(
      over: calibration, forward, plan, sumsProducts: needsSums, console)
    let candidates = try prepare(statistics, inputs, pass, plan, console)
    let losses = try evaluate(candidates, inputs, evaluated, plan, console)
    let summary = ComparisonSummary(
      dense: losses[0], data: evaluation.string, window: evaluated.tokens.tokensPerSample,
      entries: zip(candidates, losses.dropFirst()).map { candidate, loss in
        ComparisonSummary.Entry(
          method: candidate.method.rawValue, ratioAsked: candidate.ratio,
          ratioReached: ReachedRatio(of: candidate.plan, for: inputs.shape, compensating: false)
            .decoderLayers, perplexity: loss.perplexity, predictedLoss: candidate.predictedLoss)
      })
    try AtomicFile.write(
      Array(Console.encode(summary, pretty: true)), to: output.appending("compare.json"))
    let report = ComparisonReport(
      summary, inputs, calibration: PruningReport.DataSet(calibration, pass),
      evaluation: PruningReport.DataSet(evaluation, evaluated))
    try AtomicFile.write(Array(report.html().utf8), to: output.appending("compare.html"))
    try console.show(summary, isInFiles: true, table: summary.table(console.width))
  }

  // MARK: Files

  private var statisticsPath: FilePath { output.appending("statistics.safetensors") }
  private var secondMomentsPath: FilePath { output.appending("second-moments") }
  private var needsSums: Bool { methods.contains { $0.compensation == .leastSquares } }

  private var calibrationRun: CalibrationRun {
    let needsMaps = methods.contains { [.order, .measured, .best].contains($0) }
    return CalibrationRun(
      model: model, calibration: calibration, output: statisticsPath,
      method: needsMaps ? .best : .flap, secondMoments: needsSums ? secondMomentsPath : nil,
      forward: forward, cluster: cluster)
  }

  // MARK: Plans

  /// All methods' plans; those that go through the pruned model layer by layer do so here.
  private func prepare(
    _ statistics: ModelStatistics, _ inputs: RunInputs, _ pass: SampledPass,
    _ cluster: ClusterPlan, _ console: Console
  ) throws -> [Candidate] {
    var session = try ClusterSession(
      inputs, pass, cluster, console, chronicle: Chronicle(nil))
    let candidates = try session.guarded { session in
      var candidates: [Candidate] = []
      var passes = layerwiseMeters(pass, console)[...]
      for ratio in ratios {
        for method in methods {
          candidates.append(
            try candidate(
              method, ratio, statistics, inputs, pass, cluster,
              meter: method == .wanda ? passes.popFirst() : nil, &session, console))
        }
      }
      return candidates
    }
    try session.end()
    return candidates
  }

  /// Of the passes that Wanda-sp takes, one for each layer and ratio.
  private func layerwiseMeters(_ pass: SampledPass, _ console: Console) -> [ProgressMeter] {
    guard methods.contains(.wanda) else { return [] }
    let tokens = pass.tokenCount * pass.shape.layers.count * ratios.count
    return console.meter("calibration", unit: "tokens", total: Double(tokens))
      .parts(ratios.map { (ComparisonRun.name(.wanda, $0), 1) })
  }

  private static func name(_ method: ComparedMethod, _ ratio: Double) -> String {
    "\(method.rawValue) at \(ratio)"
  }

  /// - Parameter meter: of a method that goes layer by layer.
  private func candidate(
    _ method: ComparedMethod, _ ratio: Double, _ statistics: ModelStatistics, _ inputs: RunInputs,
    _ pass: SampledPass, _ cluster: ClusterPlan, meter: ProgressMeter?,
    _ session: inout ClusterSession, _ console: Console
  ) throws -> Candidate {
    let compensates = method.compensation != .none
    let plan: PruningPlan
    var predictedLoss: Double?
    if let search = try method.search(ratio) {
      let result = try search.run(statistics, shape: inputs.shape, compensating: compensates)
      (plan, predictedLoss) = (result.plan, result.predictedLoss)
    } else {
      guard let meter else { preconditionFailure("a method without a search goes layer by layer") }
      plan = try LayerwisePass(pass: pass, norms: statistics.norms, ratio: ratio)
        .run(&session, meter: meter)
    }
    let isSequential = method == .best && inputs.shape.arithmetic.normPlacement == .before
    let folder = output.appending("sequential-\(ratio)")
    let broadcast = PlanBroadcast(
      plan, of: inputs.shape,
      means: compensates ? try statistics.inputMeans(of: inputs.shape) : nil,
      secondMoments: method.compensation == .leastSquares ? secondMomentsPath : nil,
      targetMoments: isSequential ? folder : nil, isUniform: false, outputDirectory: nil,
      maximumShardBytes: Int(Int32.max))
    if isSequential, let moments = statistics.moments {
      var ledger = try RunLedger(
        storage: MemoryLedgerStorage(), tree: pass.layout.tree,
        shape: inputs.shape, digest: { Digest(hashing: $0) })
      try SequentialPass(
        pass: pass, cluster: cluster, plan: plan, scales: ChannelScales(moments),
        broadcast: broadcast,
        folder: folder
      ).run(for: ComparisonRun.name(method, ratio), &session, &ledger, console)
    }
    return Candidate(
      method: method, ratio: ratio, plan: plan, predictedLoss: predictedLoss, broadcast: broadcast)
  }

  // MARK: Perplexities

  private func evaluate(
    _ candidates: [Candidate], _ inputs: RunInputs, _ pass: SampledPass, _ cluster: ClusterPlan,
    _ console: Console
  ) throws -> [LossSum] {
    var session = try ClusterSession(
      inputs, pass, cluster, console, chronicle: Chronicle(nil))
    let sweep = EvaluationSweep(
      pass, inputs.shape,
      candidates.map {
        (ComparisonRun.name($0.method, $0.ratio), $0.plan, $0.broadcast)
      })
    let meter = sweep.meter(console)
    let losses = try session.guarded { session in
      try sweep.run(&session, meter: meter) { console.noteResult($0, $1) }
    }
    try session.end()
    for ratio in ratios { Folder.remove(output.appending("sequential-\(ratio)")) }
    return losses
  }
}

extension ComparisonReport {
  fileprivate init(
    _ summary: ComparisonSummary, _ inputs: RunInputs, calibration: PruningReport.DataSet,
    evaluation: PruningReport.DataSet
  ) {
    self.init(
      modelName: ModelName.short(path: inputs.directory.absolute.string),
      modelDigest: inputs.checkpoint.digest, calibration: calibration, evaluation: evaluation,
      predictedTokenCount: summary.tokens, densePerplexity: summary.densePerplexity,
      entries: summary.entries.map { entry in
        Entry(
          method: entry.method, ratioAsked: entry.ratioAsked, ratioReached: entry.ratioReached,
          perplexity: entry.perplexity, predictedLoss: entry.predictedLoss,
          takenBack: summary.takenBack(entry))
      }, version: SoftwareVersion.current)
  }
}
