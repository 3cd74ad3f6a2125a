internal import Checkpoint
internal import Export
internal import FlapCore
internal import Pruning
internal import Storage
public import SystemPackage

/// `flap-coord`: the whole way from token ids to a pruned checkpoint.
public struct PruneRun: Sendable {
  let model: FilePath
  let calibration: FilePath?
  let output: FilePath
  let search: SearchOptions
  let write: WriteOptions
  let forward: ForwardOptions
  let cluster: ClusterOptions

  public init(
    model: FilePath, calibration: FilePath?, output: FilePath, search: SearchOptions,
    write: WriteOptions, forward: ForwardOptions, cluster: ClusterOptions
  ) {
    self.model = model
    self.calibration = calibration
    self.output = output
    self.search = search
    self.write = write
    self.forward = forward
    self.cluster = cluster
  }

  public func run(_ console: Console) throws {
    let start = ContinuousClock.now
    let (inputs, pass) = try open()
    let folder = try OutputFolder(output)
    var session = try ClusterSession(inputs, pass, cluster, console)

    let (result, shards) = try session.guarded { session in
      let measurements = try session.measure(pass, shape: inputs.shape, console)
      let result = try search.run(
        moments: measurements.moments, norms: measurements.norms, shape: inputs.shape,
        compensating: compensates)
      let writing = CheckpointWriting(
        inputs: inputs, plan: result.plan, moments: compensates ? measurements.moments : nil,
        options: write)
      let shards = try writing.writeShards(into: folder, &session, console)
      try writeRecords(measurements, result, inputs, pass, folder)
      try writing.finish(folder)
      return (result, shards)
    }
    try session.end()

    let summary = PruneSummary(
      search: SearchSummary(result, search, shape: inputs.shape, output: output.string),
      shards: shards, tokenCount: pass?.tokenCount ?? 0,
      modelDigest: inputs.checkpoint.digest, dataDigest: pass?.tokens.digest,
      compute: pass?.compute, compensates: compensates,
      peakWorkerBytes: session.peakWorkerBytes, seconds: (.now - start) / .seconds(1))
    try AtomicFile.write(
      Array(Console.encode(summary, pretty: true)), to: output.appending("flap/run.json"))
    folder.finish()
    summary.search.warn(console.log)
    try console.show(summary, table: summary.table)
  }

  public func describe(_ console: Console) throws {
    let (inputs, pass) = try open()
    let summary = DryRunSummary(inputs, pass, cluster)
    try console.show(summary, table: summary.table)
  }

  /// Removed channels can leave a bias behind where their means are known.
  private var compensates: Bool { write.compensates && search.metric.needsMoments }

  private func open() throws -> (RunInputs, SampledPass?) {
    let inputs = try RunInputs(model: model)
    try search.check(inputs.shape)
    guard search.metric.needsMoments else { return (inputs, nil) }
    guard let calibration else {
      throw UsageError("--metric \(search.metric.rawValue) needs --calibration")
    }
    return (inputs, try inputs.pass(over: calibration, forward, workerCount: cluster.workerCount))
  }

  /// The folder `flap/`: what was measured and decided.
  private func writeRecords(
    _ measurements: Measurements, _ result: SearchResult, _ inputs: RunInputs,
    _ pass: SampledPass?, _ folder: borrowing OutputFolder
  ) throws {
    let records = try folder.makeFolder("flap")
    let digest = inputs.checkpoint.digest
    if let pass {
      try StatisticsFile(measurements, pass: pass, modelDigest: digest)
        .write(to: records.appending("statistics.safetensors"))
    }
    try PlanFile(
      result, search, shape: inputs.shape, modelDigest: digest, dataDigest: pass?.tokens.digest
    ).write(to: records.appending("plan.safetensors"))
  }
}
