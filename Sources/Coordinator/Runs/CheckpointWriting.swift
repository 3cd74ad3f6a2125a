internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Host
internal import Logging
internal import Pruning
internal import Statistics
internal import Storage
internal import SystemPackage
internal import Wire

/// The end of every run that writes a pruned checkpoint: the workers write the shards, then the
/// coordinator writes what makes a folder of shards a checkpoint, the index last.
struct CheckpointWriting {
  let inputs: RunInputs
  let plan: PruningPlan
  /// Of the channels at every tap, for the compensation; nil leaves it out.
  let means: [PerTap<[Double]>]?
  /// What takes the places of experts; nil where nothing does.
  var expertMeans: [[[Double]]]?
  /// For least squares; nil leaves the weights as they are.
  let secondMoments: FilePath?
  /// The folder of the pruned model's own sums, from which the maps are fitted once more; nil: none.
  var targetMoments: FilePath?
  let options: WriteOptions
  /// Whether a class of transformers itself loads what is written.
  let isUniform: Bool

  private var shape: ModelShape { inputs.shape }

  private var compensates: Bool { means != nil }

  /// What the workers need to know.
  ///
  /// - Parameter gathering: whether the workers send the shards.
  func broadcast(into folder: FilePath, gathering: Bool) -> PlanBroadcast {
    PlanBroadcast(
      plan, of: shape, means: means, expertMeans: expertMeans, secondMoments: secondMoments,
      targetMoments: targetMoments, isUniform: isUniform,
      outputDirectory: gathering ? nil : folder.absolute.string,
      maximumShardBytes: options.maximumShardBytes)
  }

  func lacksShards(_ ledger: RunLedger) throws -> Bool {
    try layout().shards.shards.indices.contains { ledger.record(of: .shard(index: $0)) == nil }
  }

  /// Has the shards written that are not there yet.
  ///
  /// - Parameter gathering: whether the workers send them.
  /// - Returns: the ledger's records of all shards, in order.
  func writeShards(
    into folder: FilePath, gathering: Bool, _ ledger: inout RunLedger,
    _ session: inout ClusterSession, _ console: Console
  ) throws -> [LedgerRecord] {
    let broadcast = broadcast(into: folder, gathering: gathering)
    let layout = try self.layout().shards
    try session.writeShards(broadcast, layout, into: folder, &ledger, console)
    return layout.shards.indices.compactMap { ledger.record(of: .shard(index: $0)) }
  }

  /// Writes all but the shards. - Precondition: every shard is committed.
  func finish(_ path: FilePath, _ log: Logger) throws {
    for warning in try SideFiles.copy(from: inputs.directory, to: path).warnings {
      log.warning("\(warning)")
    }
    let dense = inputs.checkpoint.configuration
    let configuration: [UInt8]
    if isUniform {
      configuration = try PrunedConfiguration.transformersJSON(
        dense: dense, plan: plan, compensating: compensates)
    } else {
      for file in RemoteCode.files(for: dense.family) {
        try AtomicFile.write(file.bytes, to: path.appending(file.name))
      }
      configuration = try PrunedConfiguration.json(
        dense: dense, plan: plan, compensating: compensates)
    }
    try AtomicFile.write(configuration, to: path.appending("config.json"))
    if let index = try layout().shards.indexJSON() {
      try AtomicFile.write(index, to: path.appending("model.safetensors.index.json"))
    }
  }

  private func layout() throws -> PrunedLayout {
    try PrunedLayout(
      dense: inputs.checkpoint, plan: plan, isCompensated: compensates,
      maximumShardBytes: options.maximumShardBytes, isUniform: isUniform)
  }
}

extension FilePath {
  /// The path from the root, for a worker whose working folder may be another.
  var absolute: FilePath {
    isAbsolute ? self : FilePath(Host.workingDirectory).pushing(self).lexicallyNormalized()
  }
}
