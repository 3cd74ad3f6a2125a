internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Host
internal import Journal
internal import Logging
internal import Pruning
internal import Report
internal import Statistics
internal import Storage
public import SystemPackage

/// `flap-coord`: the whole way from token ids to a pruned checkpoint.
public struct PruneRun: Sendable {
  let model: FilePath
  let calibration: FilePath?
  let evaluation: FilePath?
  let tasks: TaskOptions
  let output: FilePath
  let search: SearchOptions
  let write: WriteOptions
  let forward: ForwardOptions
  let cluster: ClusterOptions
  let sequential: Bool?
  let command: [String]

  /// - Parameters:
  ///   - evaluation: data over which to measure perplexity, dense and pruned; nil: not at all.
  ///   - tasks: questions that are put to the dense and the pruned model.
  ///   - sequential: whether maps are fitted once more, to the inputs that they have in the pruned
  ///     model; nil: as the method has it.
  ///   - command: the command line, for the report.
  public init(
    model: FilePath, calibration: FilePath?, evaluation: FilePath?, tasks: TaskOptions,
    output: FilePath, search: SearchOptions, write: WriteOptions, forward: ForwardOptions,
    cluster: ClusterOptions,
    sequential: Bool? = nil, command: [String]
  ) {
    self.sequential = sequential
    self.tasks = tasks
    self.command = command
    self.model = model
    self.calibration = calibration
    self.evaluation = evaluation
    self.output = output
    self.search = search
    self.write = write
    self.forward = forward
    self.cluster = cluster
  }

  public func run(_ console: Console) throws {
    let start = ContinuousClock.now
    let cluster = try ClusterPlan(cluster)
    let (inputs, pass, search) = try open(cluster, console)
    let compensation = try inputs.compensation(
      try search.takesCompensation ? compensationAsked : noCompensation(),
      isUniform: search.isUniform,
      console.log)
    let compensates = compensation != .none
    try write.checkFormat(
      inputs, isUniform: search.isUniform,
      keepsHeads: search.search.sparing.ratio(of: .attentionOutput) == 0, compensates: compensates)
    let secondMoments = try secondMomentsPass(inputs, pass, compensation, search, cluster)
    let comparison = try evaluation.map {
      try ComparedEvaluation($0, inputs, forward, cluster.options, console)
    }
    let questions = try ComparedTasks(tasks, inputs, forward, cluster.options, console)
    var identity = RunIdentity(inputs, pass)
    identity.add(search)
    identity.add(write, compensation)
    let isSequential = try isSequential(compensation, inputs.shape)
    identity.add("--sequential", "\(isSequential)")
    let place = RunWorkspace.Place.checkpoint(output)
    let finished = try FinishedRun.find(
      place, as: identity, resuming: cluster.options.resumes)
    if try place.isComplete(
      finished, write.format, evaluatingOver: comparison?.dataDigest,
      answering: questions?.digest, console)
    {
      return
    }
    let interruption = Interruption()
    var workspace = try RunWorkspace(
      place, identity: identity, tree: pass?.layout.tree, shape: inputs.shape,
      resuming: cluster.options.resumes, reopening: finished, log: console.log)
    let isResumed = workspace.isResumed
    let done = try workspace.surviving(console) { workspace in
      var session = try ClusterSession(
        inputs, pass, cluster, console, kernels: workspace.kernels,
        logFolder: place.logPath, reference: workspace.reference(inputs.checkpoint),
        chronicle: workspace.chronicle, interruption: interruption)
      var done = try session.guarded { session in
        var statistics = try session.measure(
          pass, shape: inputs.shape, &workspace.ledger, console)
        // Sums are measured when the first asks for them: a run that only adds to its result has none.
        var sums = secondMoments.map {
          NeededSecondMoments($0, path: PruneRun.secondMoments(output))
        }
        if let maps = secondMoments.map({ MapsPass(pass: $0.pass, kinds: search.mapKinds) }) {
          if maps.isMissing(in: workspace.ledger) {
            try sums?.need(statistics, &session, &workspace.ledger, console)
          }
          try maps.run(
            &statistics, from: PruneRun.secondMoments(output), &session, &workspace.ledger, console)
        }
        let result = try search.run(
          statistics, shape: inputs.shape, compensating: compensates)
        var writing = CheckpointWriting(
          inputs: inputs, plan: result.plan,
          means: compensates ? try statistics.inputMeans(of: inputs.shape) : nil,
          expertMeans: try statistics.expertMeans(of: result.plan),
          secondMoments: compensation == .leastSquares ? PruneRun.secondMoments(output) : nil,
          options: write, isUniform: search.isUniform)
        if compensation == .leastSquares, try writing.lacksShards(workspace.ledger) {
          inputs.tellScarceExperts(statistics, console.log)
          try sums?.need(statistics, &session, &workspace.ledger, console)
          if isSequential, let pass, let moments = statistics.moments {
            writing.targetMoments = PruneRun.targetMoments(output)
            try SequentialPass(
              pass: pass, cluster: cluster, plan: result.plan, scales: ChannelScales(moments),
              broadcast: writing.broadcast(into: output, gathering: cluster.options.gathers),
              folder: PruneRun.targetMoments(output)
            ).run(&session, &workspace.ledger, console)
          }
        }
        let shards = try writing.writeShards(
          into: output, gathering: cluster.options.gathers, &workspace.ledger, &session, console)
        _ = try session.finishReference()
        try writeRecords(statistics, result, search, inputs, pass)
        try writing.finish(output, console.log)
        return Done(statistics: statistics, result: result, shards: shards)
      }
      try session.end()
      done.peakWorkerBytes = session.peakWorkerBytes
      done.account = session.account
      done.evaluation =
        try finished?.evaluation(over: comparison?.dataDigest)
        ?? comparison?.run(
          dense: inputs, pruned: output, &done.account.phases, workspace.chronicle, interruption,
          console)
      done.tasks =
        try finished?.answers(to: questions?.digest)
        ?? questions?.run(
          dense: inputs, pruned: output, &done.account.phases, workspace.chronicle, interruption,
          console)
      try interruption.check()
      done.gguf = try write.addGGUF(to: output, of: finished, interruption, console)
      return done
    }

    let records = try PruningReport.File.records(in: output)
    var summary = PruneSummary(
      search: SearchSummary(done.result, search, shape: inputs.shape, output: output.string),
      shards: done.shards, records: records, tokenCount: pass?.tokenCount ?? 0,
      modelDigest: inputs.checkpoint.digest, dataDigest: pass?.tokens.digest,
      compute: pass?.compute, compensation: compensation, evaluation: done.evaluation,
      kernels: done.account.kernels, peakWorkerBytes: done.peakWorkerBytes,
      seconds: (.now - start) / .seconds(1),
      terms: identity.dictionary, model: ModelRecord(inputs.checkpoint))
    summary.gguf = done.gguf
    summary.tasks = done.tasks
    summary.maps = MapSummary.all(in: output, earlier: finished?.maps)
    let run = PruningReport.Run(
      command: command, compute: pass?.compute, seconds: summary.seconds,
      peakWorkerBytes: done.peakWorkerBytes, isResumed: isResumed, done.account)
    try writeDocuments(done, records, search, compensation, summary.maps, run, inputs, pass)
    try AtomicFile.write(
      Array(Console.encode(summary, pretty: true)), to: output.appending("flap/run.json"))
    Folder.remove(PruneRun.targetMoments(output))
    RidgeRecord.remove(in: output)
    try workspace.finish()
    summary.search.warn(console.log)
    try console.show(summary, isInFiles: true, table: summary.table)
  }

  private static func secondMoments(_ output: FilePath) -> FilePath {
    output.appending("flap").appending("second-moments")
  }

  /// Only while the run is at work: they are of no other plan's use.
  private static func targetMoments(_ output: FilePath) -> FilePath {
    output.appending("flap").appending("sequential")
  }

  private func isSequential(_ compensation: CompensationMethod, _ shape: ModelShape) throws -> Bool
  {
    guard compensation == .leastSquares else {
      guard sequential != true else {
        throw UsageError("--sequential goes with --compensation least-squares")
      }
      return false
    }
    guard !shape.hasExperts else {
      guard sequential != true else {
        throw UsageError(
          "--sequential fits maps to the pruned model's own inputs, whose tokens go to other experts: "
            + "leave it out")
      }
      return false
    }
    guard shape.arithmetic.normPlacement == .before else {
      guard sequential != true else {
        throw UsageError(
          "--sequential fits maps to what the stream lacks; models of this type normalize what maps "
            + "give before it is added")
      }
      return false
    }
    return sequential ?? (search.method == .best)
  }

  /// - Throws: ``UsageError`` where one was asked for that is none of experts.
  private func noCompensation() throws -> CompensationMethod {
    try write.check(compensatingExperts: compensationAsked)
    return .none
  }

  private var compensationAsked: CompensationMethod {
    write.compensation ?? search.method.compensation
  }

  /// The second pass, where least squares is to compensate or maps are to be measured.
  private func secondMomentsPass(
    _ inputs: RunInputs, _ pass: SampledPass?, _ compensation: CompensationMethod,
    _ search: SearchOptions, _ cluster: ClusterPlan
  ) throws -> SecondMomentsPass? {
    guard let pass, pass.sumsProducts else { return nil }
    guard !cluster.options.gathers else {
      let option =
        search.mapKinds.isEmpty
        ? "--compensation least-squares" : "--metric \(search.metric.rawValue)"
      throw UsageError(
        "\(option) reads \(PruneRun.secondMoments(output)) on every host: leave out --gather, and "
          + "give an --output that all of them share")
    }
    return try SecondMomentsPass(inputs, pass, cluster)
  }

  /// What a run came to.
  private struct Done {
    let statistics: ModelStatistics
    let result: SearchResult
    let shards: [LedgerRecord]
    var peakWorkerBytes = 0
    var account = WorkAccount()
    var evaluation: PruningReport.Evaluation?
    var tasks: ComparedTasksSummary?
    var gguf: ExportSummary?
  }

  /// The model card and the report, for people.
  private func writeDocuments(
    _ done: Done, _ records: [PruningReport.File], _ search: SearchOptions,
    _ compensation: CompensationMethod, _ maps: [MapSummary]?, _ run: PruningReport.Run,
    _ inputs: RunInputs, _ pass: SampledPass?
  ) throws {
    var documents = RunDocuments(
      inputs: inputs, plan: done.result.plan, metric: search.metric.rawValue,
      structure: search.search.structure.rawValue, ratioAsked: search.search.ratio,
      compensation: compensation, isSequential: try isSequential(compensation, inputs.shape),
      statistics: done.statistics, baseModel: write.baseModel,
      ridges: (maps ?? []).compactMap(FittedRidge.init), sparing: search.search.sparing,
      evaluation: done.evaluation)
    documents.taskResults = done.tasks.flatMap(PruningReport.TaskResults.init)
    let data = pass.flatMap { pass in calibration.map { PruningReport.DataSet($0, pass) } }
    try documents.writeCard(data.map(ModelCard.Calibration.init), to: output)
    try documents.writeReport(
      done.result, done.statistics, search.metric, calibration: data,
      files: done.shards.map { PruningReport.File($0) } + records, run: run, to: output)
  }

  public func describe(_ console: Console) throws {
    let cluster = try ClusterPlan(cluster)
    let (inputs, pass, _) = try open(cluster, console)
    // What the run would refuse is refused here.
    _ = try evaluation.map {
      try ComparedEvaluation($0, inputs, forward, cluster.options, console)
    }
    _ = try ComparedTasks(tasks, inputs, forward, cluster.options, console)
    let summary = try DryRunSummary(inputs, pass, cluster)
    try console.show(summary, table: summary.table)
  }

  private func open(_ cluster: ClusterPlan, _ console: Console) throws -> (
    RunInputs, SampledPass?, SearchOptions
  ) {
    let inputs = try RunInputs(model: model, console.log)
    let search = try search.fitting(
      modelType: inputs.checkpoint.configuration.modelType, inputs.shape)
    try search.check(inputs.shape)
    try write.check(replacingExperts: search.replacesExperts)
    try write.checkFormat(model: model)
    guard search.readsData else {
      guard compensationAsked != .leastSquares else {
        throw UsageError(
          "--compensation least-squares needs data, which --metric \(search.metric.rawValue) does "
            + "not read: choose another metric or compensation")
      }
      guard calibration == nil else {
        throw UsageError(
          "--metric \(search.metric.rawValue) reads no data and compensates nothing: leave out "
            + "--calibration, or choose another metric")
      }
      return (inputs, nil, search)
    }
    guard let calibration else {
      let option =
        search.metric.needsMoments
        ? "--metric \(search.metric.rawValue)"
        : search.replacesExperts ? "--replace-experts" : "--experts-ratio"
      throw UsageError("\(option) needs --calibration")
    }
    let pass = try inputs.pass(
      over: calibration, forward, cluster,
      sumsProducts: compensationAsked == .leastSquares || !search.mapKinds.isEmpty,
      askedOfExperts: search.askedOfExperts, console)
    return (inputs, pass, search)
  }

  /// The folder `flap/`: what was measured and decided.
  private func writeRecords(
    _ statistics: ModelStatistics, _ result: SearchResult, _ search: SearchOptions,
    _ inputs: RunInputs, _ pass: SampledPass?
  ) throws {
    let records = output.appending("flap")
    let digest = inputs.checkpoint.digest
    if let pass {
      try StatisticsFile(statistics, pass: pass, inputs.checkpoint)
        .write(to: records.appending("statistics.safetensors"))
    }
    try PlanFile(
      result, search, shape: inputs.shape, modelDigest: digest, dataDigest: pass?.tokens.digest,
      fullDigest: inputs.checkpoint.fullDigest
    ).write(to: records.appending("plan.safetensors"))
  }
}
