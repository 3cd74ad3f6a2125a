internal import Checkpoint
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

/// `flap-coord write`: the pruned checkpoint that a plan describes.
public struct WriteRun: Sendable {
  let model: FilePath
  let plan: FilePath
  let statistics: FilePath?
  let secondMoments: FilePath?
  let output: FilePath
  let write: WriteOptions
  let cluster: ClusterOptions

  public init(
    model: FilePath, plan: FilePath, statistics: FilePath?, secondMoments: FilePath?,
    output: FilePath,
    write: WriteOptions, cluster: ClusterOptions
  ) {
    self.model = model
    self.plan = plan
    self.statistics = statistics
    self.secondMoments = secondMoments
    self.output = output
    self.write = write
    self.cluster = cluster
  }

  public func run(_ console: Console) throws {
    let inputs = try RunInputs(model: model, console.log)
    let planFile = try PlanFile(path: plan)
    try inputs.check(planFile.modelDigest, of: plan)
    let replaces = planFile.plan.replacesExperts
    try write.check(replacingExperts: replaces)
    try write.checkFormat(model: model)
    let compensationAsked = try compensationAsked(planFile)
    let readsStatistics = compensationAsked != .none || replaces
    let statisticsFile = try inputs.openStatistics(
      readsStatistics ? statistics : nil, isNeeded: readsStatistics && !replaces)
    let expertMeans = try inputs.expertMeans(of: planFile.plan, statisticsFile)
    let compensation = try inputs.compensation(
      compensationAsked, isUniform: planFile.isUniform, console.log)
    let compensates = compensation != .none
    try write.checkFormat(
      inputs, isUniform: planFile.isUniform,
      keepsHeads: !planFile.plan.layers.contains { $0.keptGroups.contains(false) },
      compensates: compensates)
    let momentsPath = try checkedSecondMoments(inputs, statisticsFile, compensationAsked)
    let cluster = try ClusterPlan(cluster)
    var identity = RunIdentity(inputs, nil)
    identity.add("plan digest", try SmallFile.digest(plan).hexadecimal)
    identity.add("statistics digest", try statisticsDigest(areRead: readsStatistics))
    if let momentsPath {
      identity.add(
        "second moments", try SecondMomentsFolder(path: momentsPath).fingerprint().hexadecimal)
    }
    identity.add(write, compensationAsked)
    let place = RunWorkspace.Place.checkpoint(output)
    let finished = try FinishedRun.find(
      place, as: identity, resuming: cluster.options.resumes)
    if try place.isComplete(finished, write.format, console) { return }
    let interruption = Interruption()
    var workspace = try RunWorkspace(
      place, identity: identity, tree: nil, shape: inputs.shape,
      resuming: cluster.options.resumes, reopening: finished, log: console.log)
    let (shards, gguf) = try workspace.surviving(console) { workspace in
      var session = try ClusterSession(
        inputs, nil, cluster, console, kernels: workspace.kernels,
        logFolder: place.logPath, reference: workspace.reference(inputs.checkpoint),
        chronicle: workspace.chronicle, interruption: interruption)
      let shards = try session.guarded { session in
        if compensation == .leastSquares, let statisticsFile {
          inputs.tellScarceExperts(statisticsFile.statistics, console.log)
        }
        let writing = CheckpointWriting(
          inputs: inputs, plan: planFile.plan,
          means: compensates ? try statisticsFile?.statistics.inputMeans(of: inputs.shape) : nil,
          expertMeans: expertMeans,
          secondMoments: momentsPath, options: write, isUniform: planFile.isUniform)
        let shards = try writing.writeShards(
          into: output, gathering: cluster.options.gathers, &workspace.ledger, &session, console)
        let fullDigest = try session.finishReference()
        try inputs.check(full: planFile.fullDigest, fullDigest, of: plan)
        if let statistics {
          try inputs.check(full: statisticsFile?.fullDigest, fullDigest, of: statistics)
        }
        let records = output.appending("flap")
        try statisticsFile?.write(to: records.appending("statistics.safetensors"))
        try planFile.write(to: records.appending("plan.safetensors"))
        try writing.finish(output, console.log)
        let maps = MapSummary.all(in: output, earlier: finished?.maps)
        try writeCard(planFile, statisticsFile, compensation, maps, inputs)
        return shards
      }
      try session.end()
      try interruption.check()
      return (shards, try write.addGGUF(to: output, of: finished, interruption, console))
    }
    let summary = WriteSummary(
      output: output.string, shards: shards.map { FileSummary($0) },
      records: try PruningReport.File.records(in: output).map { FileSummary($0) },
      gguf: gguf, maps: MapSummary.all(in: output, earlier: finished?.maps),
      terms: identity.dictionary, model: ModelRecord(inputs.checkpoint))
    try AtomicFile.write(
      Array(Console.encode(summary, pretty: true)), to: output.appending("flap/run.json"))
    RidgeRecord.remove(in: output)
    try workspace.finish()
    try console.show(summary, isInFiles: true, table: summary.table)
  }

  private func compensationAsked(_ plan: PlanFile) throws -> CompensationMethod {
    guard plan.takesCompensation else {
      if let asked = write.compensation { try write.check(compensatingExperts: asked) }
      return .none
    }
    if let asked = write.compensation { return asked }
    return secondMoments == nil ? .bias : .leastSquares
  }

  private func writeCard(
    _ plan: PlanFile, _ statistics: StatisticsFile?,
    _ compensation: CompensationMethod, _ maps: [MapSummary]?, _ inputs: RunInputs
  ) throws {
    let documents = RunDocuments(
      inputs: inputs, plan: plan.plan, metric: plan.metric, structure: plan.structure,
      ratioAsked: plan.ratioAsked, compensation: compensation, statistics: statistics?.statistics,
      baseModel: write.baseModel, ridges: (maps ?? []).compactMap(FittedRidge.init),
      sparing: plan.sparing)
    // Without the statistics nobody knows how much data there was: the plan has its digest.
    try documents.writeCard(
      plan.dataDigest.map { digest in
        ModelCard.Calibration(
          digest: digest, sampleCount: statistics?.statistics.sampleCount,
          tokenCount: statistics?.statistics.moments?.tokenCount)
      }, to: output)
  }

  /// For least squares; nil for what needs none.
  private func checkedSecondMoments(
    _ inputs: RunInputs, _ statistics: StatisticsFile?, _ compensation: CompensationMethod
  ) throws -> FilePath? {
    guard compensation == .leastSquares else {
      guard secondMoments == nil else {
        throw UsageError("--second-moments goes with --compensation least-squares")
      }
      return nil
    }
    guard let secondMoments else {
      throw UsageError(
        "--compensation least-squares needs --second-moments, which flap-coord calibrate "
          + "--second-moments makes")
    }
    guard !cluster.gathers else {
      throw UsageError(
        "--compensation least-squares reads \(secondMoments) on every host: leave out --gather, "
          + "and give files that all of them share")
    }
    try inputs.check(secondMoments: secondMoments, statistics)
    return secondMoments
  }

  private func statisticsDigest(areRead: Bool) throws -> String {
    guard areRead, let statistics else { return "not set" }
    return try SmallFile.digest(statistics).hexadecimal
  }
}
