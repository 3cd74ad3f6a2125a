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
  /// Has the workers measure what the ledger does not have yet: every kind of statistic that is of
  /// weights and, given samples, every kind that is of taps.
  mutating func measure(
    _ pass: SampledPass?, shape: ModelShape, _ ledger: inout RunLedger, _ console: Console
  ) throws -> ModelStatistics {
    let catalog = StatisticCatalog.standard
    let tapKinds = pass?.tapKinds ?? catalog.kinds(atTapsOf: shape)
    let sampleWork = pass.map { ledger.missingWork(of: tapKinds, $0) } ?? []
    let weightWork = ledger.missingWork(of: catalog.kinds(from: .weights), shape)
    let meter =
      pass == nil
      ? console.meter("weight norms", unit: "layers", total: Double(weightWork.count))
      : console.meter("calibration", unit: "tokens", total: Double(sampleWork.tokenCount))
    try perform(sampleWork + weightWork, meter: meter, &ledger) { ledger, delivery in
      try ledger.keep(report: delivery)
    }
    var statistics = ModelStatistics(sampleCount: pass?.tokens.sampleCount ?? 0)
    for type in catalog.types
    where type.source == .weights || (tapKinds.contains(type.kind) && pass != nil) {
      try statistics.take(type, from: ledger)
    }
    return statistics
  }

  /// Has the workers measure single maps, in any order.
  mutating func measureMaps(
    _ work: [Work], _ ledger: inout RunLedger, _ console: Console
  ) throws {
    let hasLosses = work.contains {
      if case .measureMap(let map) = $0 { map.samples != nil } else { false }
    }
    let label = hasLosses ? "losses" : "orders of removal"
    let meter = console.meter(label, unit: "maps", total: Double(work.count))
    try perform(work, meter: meter, &ledger) { ledger, delivery in
      try ledger.keep(report: delivery)
    }
  }

  /// Has the workers compute the mean negative log-likelihood of the samples.
  ///
  /// - Parameter plan: by which they leave parts of the model out; nil: nothing.
  mutating func evaluate(
    _ pass: SampledPass, by plan: PlanBroadcast? = nil, shape: ModelShape, meter: ProgressMeter
  ) throws -> LossSum {
    if let plan { try broadcast(plan) }
    var ledger = try RunLedger(
      storage: MemoryLedgerStorage(), tree: pass.layout.tree, shape: shape,
      digest: { Digest(hashing: $0) })
    let work = pass.units(in: ledger.missingNodes(of: LossSum.kind)).map {
      Work.measureSamples([LossSum.kind], $0, plan: plan?.digest)
    }
    try perform(work, meter: meter, &ledger) { ledger, delivery in
      try ledger.keep(report: delivery)
    }
    return try ledger.value(of: LossSum.self, at: nil)
  }

  /// Has the workers measure the moments of a model that a plan prunes.
  ///
  /// - Parameter shape: what the plan leaves.
  mutating func measureMoments(
    _ pass: SampledPass, by plan: PlanBroadcast, shape: ModelShape, meter: ProgressMeter
  ) throws -> [PerTap<ChannelMoments>] {
    try broadcast(plan)
    var ledger = try RunLedger(
      storage: MemoryLedgerStorage(), tree: pass.layout.tree, shape: shape,
      digest: { Digest(hashing: $0) })
    let work = pass.units(in: ledger.missingNodes(of: ChannelMoments.kind)).map {
      Work.measureSamples([ChannelMoments.kind], $0, plan: plan.digest)
    }
    try perform(work, meter: meter, &ledger) { ledger, delivery in
      try ledger.keep(report: delivery)
    }
    return try ledger.layers(of: ChannelMoments.self)
  }

  /// Has the workers write the shards that are not there yet, in any order.
  ///
  /// - Parameter folder: the output folder.
  mutating func writeShards(
    _ plan: PlanBroadcast, _ layout: CheckpointLayout, into folder: FilePath,
    _ ledger: inout RunLedger, _ console: Console
  ) throws {
    let missing = layout.shards.indices.filter { ledger.record(of: .shard(index: $0)) == nil }
    let byteCount = missing.reduce(0) { $0 + layout.shards[$1].byteCount }
    let meter = console.meter("writing", unit: "bytes", total: Double(byteCount))
    inbox.shardPath = { folder.appending(layout.shards[$0].fileName) }
    try broadcast(plan)
    try perform(missing.map(Work.writeShard), meter: meter, &ledger) { ledger, delivery in
      guard case .writeShard(let index) = delivery.work else {
        preconditionFailure("only shards were asked for")
      }
      let fileName = layout.shards[index].fileName
      switch delivery.result {
      case .written(let shard):
        // Only now, when it counts: no other attempt's file can come in its stead.
        guard shard.fileName == fileName else { throw ClusterError.unexpectedResult(fileName) }
        let file = WaitingFile(
          destination: folder.appending(fileName), attempt: delivery.attempt.fileSuffix)
        try file.await(byteCount: shard.byteCount)
        try file.putInPlace()
        try ledger.keep(
          shard: index, fileName: fileName, byteCount: shard.byteCount, digest: shard.digest)
      case .received(_, let digest, _):
        guard case .shard(let shard) = delivery.received,
          let file = try shard.commit(expecting: digest)
        else {
          return .refused(reason: "its shard was damaged on the way")
        }
        try ledger.keep(
          shard: index, fileName: fileName, byteCount: file.byteCount, digest: digest)
      }
      return .kept
    }
  }
}

extension WaitingFile {
  /// What a worker wrote on a shared file system is seen here, too, though perhaps a little later
  /// (NFS caches what it knows of folders); elsewhere only `--gather` brings it.
  fileprivate func await(byteCount: Int) throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while self.byteCount != byteCount {
      guard ContinuousClock.now < deadline else {
        throw ClusterError.shardMissing(destination.string)
      }
      usleep(100_000)
    }
  }
}

extension RunLedger {
  /// Kinds that lack the same nodes are measured together.
  fileprivate func missingWork(
    of kinds: [StatisticKind], _ pass: SampledPass
  ) -> [Work] {
    var work: [Work] = []
    var rest = kinds
    while let first = rest.first {
      let missing = missingNodes(of: first)
      let together = rest.filter { missingNodes(of: $0) == missing }
      work += pass.units(in: missing).map { .measureSamples(together, $0) }
      rest.removeAll(where: together.contains)
    }
    return work
  }

  fileprivate func missingWork(of kinds: [StatisticKind], _ shape: ModelShape) -> [Work] {
    shape.layers.indices.compactMap { layer in
      let missing = kinds.filter { !has($0, ofLayer: layer) }
      return missing.isEmpty ? nil : .measureWeights(missing, layer: layer)
    }
  }

  /// Keeps the report that a worker has sent.
  fileprivate mutating func keep(report delivery: StoringThread.Delivery) throws -> Verdict {
    guard case .received(_, let digest, _) = delivery.result,
      case .report(let file) = delivery.received
    else {
      return .refused(reason: "its result is of another kind")
    }
    var report = ReportReader(file)
    return try keep(&report, of: delivery.work, expecting: digest)
  }
}

extension [Work] {
  fileprivate var tokenCount: Int {
    reduce(0) { sum, work in
      guard case .measureSamples(_, let unit, _) = work else { return sum }
      return sum + unit.tokens.count
    }
  }
}

extension ModelStatistics {
  /// A kind that the ledger has of all taps.
  mutating func take(_ kind: StatisticKind, from ledger: RunLedger) throws {
    let type = try StatisticCatalog.standard.type(named: kind)
    try take(type, from: ledger)
  }

  fileprivate mutating func take<Value: Statistic>(
    _ type: Value.Type, from ledger: RunLedger
  ) throws {
    self[type] = try ledger.layers(of: type)
  }
}
