internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Glibc
internal import Logging
internal import Statistics
internal import Storage
internal import SystemPackage
internal import Wire

/// What calibration measures: the moments of the activations and the norms of the weights.
struct Measurements {
  /// nil when only the weights were measured.
  var moments: ModelMoments?
  var norms: [LayerWeightNorms]
}

extension ClusterSession {
  /// Has the workers measure what the ledger does not have yet: the weights of every layer and,
  /// given samples, the activations. Reports are merged along the canonical tree.
  mutating func measure(
    _ pass: SampledPass?, shape: ModelShape, _ ledger: inout RunLedger, _ console: Console
  ) throws -> Measurements {
    let blocks = pass.map { $0.blocks(in: ledger.missingNodes) } ?? []
    let layers = shape.layers.indices.filter { ledger.record(of: .norms(layer: $0)) == nil }
    let tokenCount = blocks.reduce(0) { $0 + $1.tokens.count }
    let meter =
      pass == nil
      ? console.meter("weight norms", unit: "layers", total: Double(layers.count))
      : console.meter("calibration", unit: "tokens", total: Double(tokenCount))
    let work = blocks.map(Work.calibrate) + layers.map(Work.measureWeights)
    inbox.momentsByteCount = Payload.largestReportBytes(shape: shape)
    try perform(work, meter: meter) { work, attempt, result, inbox in
      guard case .received(_, let digest) = result else { return false }
      let bytes = inbox.takeReport(attempt)
      guard ClusterSession.isPlausible(bytes, of: work, shape) else { return false }
      return try ledger.keep(bytes, expecting: digest, of: work)
    }
    return Measurements(
      moments: try pass.map { _ in
        try Payload.decodeMoments(try ledger.rootValue(), shape: shape)
      },
      norms: try shape.layers.indices.map { layer in
        try Payload.decodeWeightNorms(
          try ledger.norms(layer: layer), layer: layer, shape: shape)
      })
  }

  /// A report that cannot be read is turned down when it comes, not when it is needed.
  private static func isPlausible(_ bytes: [UInt8], of work: Work, _ shape: ModelShape) -> Bool {
    switch work {
    case .calibrate: Payload.holdsMoments(bytes, shape: shape)
    case .measureWeights(let layer):
      (try? Payload.decodeWeightNorms(bytes, layer: layer, shape: shape)) != nil
    case .evaluate: (try? Payload.decodeLoss(bytes)) != nil
    case .writeShard: false
    }
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
      storage: MemoryLedgerStorage(), tree: pass.layout.tree, merge: LedgerMerge.loss,
      digest: { Digest(hashing: $0) })
    let work = pass.blocks(in: ledger.missingNodes).map {
      Work.evaluate($0, plan: plan?.digest)
    }
    try perform(work, meter: meter) { work, attempt, result, inbox in
      guard case .received(_, let digest) = result else { return false }
      let bytes = inbox.takeReport(attempt)
      guard ClusterSession.isPlausible(bytes, of: work, shape) else { return false }
      return try ledger.keep(bytes, expecting: digest, of: work)
    }
    return try Payload.decodeLoss(try ledger.rootValue())
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
      return SmallFile.byteCount(folder.appending(record.fileName)) != record.byteCount
    }
    let byteCount = missing.reduce(0) { $0 + layout.shards[$1].byteCount }
    let meter = console.meter("writing", unit: "bytes", total: Double(byteCount))
    inbox.shardPath = { folder.appending(layout.shards[$0].fileName) }
    try broadcast(plan)
    try perform(missing.map(Work.writeShard), meter: meter) { work, attempt, result, inbox in
      guard case .writeShard(let index) = work else { return false }
      let fileName = layout.shards[index].fileName
      switch result {
      case .written(let shard):
        guard shard.fileName == fileName else { throw ClusterError.unexpectedResult(fileName) }
        try ledger.keep(
          shard: index, fileName: fileName, byteCount: shard.byteCount, digest: shard.digest)
      case .received(_, let digest):
        guard let file = try inbox.commitShard(attempt, expecting: digest) else { return false }
        try ledger.keep(
          shard: index, fileName: fileName, byteCount: file.byteCount, digest: digest)
      }
      return true
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
      let record = ledger.record(of: .shard(index: index))!
      let path = folder.appending(record.fileName)
      while SmallFile.byteCount(path) != record.byteCount {
        guard ContinuousClock.now < deadline else {
          throw ClusterError.shardMissing(path.string)
        }
        usleep(100_000)
      }
    }
  }
}
