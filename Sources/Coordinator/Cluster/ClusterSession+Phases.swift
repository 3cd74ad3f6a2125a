internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Glibc
internal import Logging
internal import Statistics
internal import Storage
internal import SystemPackage

extension ClusterSession {
  /// Has the workers measure what the ledger does not have yet: the weights of every layer and,
  /// given samples, the activations. Reports are merged along the canonical tree.
  mutating func measure(
    _ pass: SampledPass?, shape: ModelShape, _ ledger: inout RunLedger, _ console: Console
  ) throws -> ModelStatistics {
    let units = pass.map { $0.units(in: ledger.missingNodes(of: ChannelMoments.kind)) } ?? []
    let layers = shape.layers.indices.filter { !ledger.has(WeightNorms.kind, ofLayer: $0) }
    let tokenCount = units.reduce(0) { $0 + $1.tokens.count }
    let meter =
      pass == nil
      ? console.meter("weight norms", unit: "layers", total: Double(layers.count))
      : console.meter("calibration", unit: "tokens", total: Double(tokenCount))
    let work =
      units.map { Work.measureSamples([ChannelMoments.kind], $0) }
      + layers.map { Work.measureWeights([WeightNorms.kind], layer: $0) }
    try perform(work, meter: meter) { work, attempt, result, inbox in
      try ledger.keep(result, of: work, attempt, &inbox)
    }
    var statistics = ModelStatistics(sampleCount: pass?.tokens.sampleCount ?? 0)
    if pass != nil { statistics[ChannelMoments.self] = try ledger.layers(of: ChannelMoments.self) }
    statistics[WeightNorms.self] = try ledger.layers(of: WeightNorms.self)
    return statistics
  }

  /// Has the workers compute the mean negative log-likelihood of the samples.
  ///
  /// - Parameter plan: by which they leave parts of the model out; nil: nothing.
  mutating func evaluate(
    _ pass: SampledPass, by plan: PlanBroadcast? = nil, shape: ModelShape, _ console: Console
  ) throws -> LossSum {
    if let plan { try broadcast(plan) }
    let meter = console.meter("evaluation", unit: "tokens", total: Double(pass.tokenCount))
    var ledger = try RunLedger(
      storage: MemoryLedgerStorage(), tree: pass.layout.tree, shape: shape,
      digest: { Digest(hashing: $0) })
    let work = pass.units(in: ledger.missingNodes(of: LossSum.kind)).map {
      Work.measureSamples([LossSum.kind], $0, plan: plan?.digest)
    }
    try perform(work, meter: meter) { work, attempt, result, inbox in
      try ledger.keep(result, of: work, attempt, &inbox)
    }
    return try ledger.value(of: LossSum.self, at: nil)
  }

  /// Has the workers write the shards that are not there yet, in any order.
  ///
  /// - Parameter folder: the output folder.
  mutating func writeShards(
    _ plan: PlanBroadcast, _ layout: CheckpointLayout, into folder: FilePath,
    _ ledger: inout RunLedger, _ console: Console
  ) throws {
    let missing = layout.shards.indices.filter { index in
      guard let record = ledger.record(of: .shard(index: index)) else { return true }
      // What the journal says stands there could have been taken away.
      return SmallFile.byteCount(folder.appending(record.fileName)) != record.bytes.count
    }
    let byteCount = missing.reduce(0) { $0 + layout.shards[$1].byteCount }
    let meter = console.meter("writing", unit: "bytes", total: Double(byteCount))
    inbox.shardPath = { folder.appending(layout.shards[$0].fileName) }
    try broadcast(plan)
    try perform(missing.map(Work.writeShard), meter: meter) { work, attempt, result, inbox in
      guard case .writeShard(let index) = work else {
        preconditionFailure("only shards were asked for")
      }
      let fileName = layout.shards[index].fileName
      switch result {
      case .written(let shard):
        guard shard.fileName == fileName else { throw ClusterError.unexpectedResult(fileName) }
        try ledger.keep(
          shard: index, fileName: fileName, byteCount: shard.byteCount, digest: shard.digest)
      case .received(_, let digest):
        guard let file = try inbox.commitShard(attempt, expecting: digest) else {
          return .refused(reason: "its shard was damaged on the way")
        }
        try ledger.keep(
          shard: index, fileName: fileName, byteCount: file.byteCount, digest: digest)
      }
      return .kept
    }
    try awaitShards(layout, in: folder, ledger)
  }

  /// What workers wrote on a shared file system is seen here, too, though perhaps a little later
  /// (NFS caches what it knows of folders); elsewhere only `--gather` brings it.
  private func awaitShards(
    _ layout: CheckpointLayout, in folder: FilePath, _ ledger: RunLedger
  ) throws {
    let deadline = ContinuousClock.now + .seconds(30)
    for index in layout.shards.indices {
      guard let record = ledger.record(of: .shard(index: index)) else {
        preconditionFailure("shards are awaited when all were committed")
      }
      let path = folder.appending(record.fileName)
      while SmallFile.byteCount(path) != record.bytes.count {
        guard ContinuousClock.now < deadline else {
          throw ClusterError.shardMissing(path.string)
        }
        usleep(100_000)
      }
    }
  }
}

extension RunLedger {
  /// Keeps the report that a worker has sent.
  fileprivate mutating func keep(
    _ result: TaskResult, of work: Work, _ attempt: TaskAttempt, _ inbox: inout ResultInbox
  ) throws -> Verdict {
    guard case .received(_, let digest) = result, var report = inbox.takeReport(attempt) else {
      return .refused(reason: "its result is of another kind")
    }
    return try keep(&report, of: work, expecting: digest)
  }
}
