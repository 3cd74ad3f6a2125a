internal import Checkpoint
internal import Coordination
internal import Export
internal import FlapCore
internal import Logging
internal import Statistics
internal import Wire

/// What calibration measures: the moments of the activations and the norms of the weights.
struct Measurements {
  /// nil when only the weights were measured.
  var moments: ModelMoments?
  var norms: [LayerWeightNorms]
}

extension ClusterSession {
  /// Has the workers measure the weights of every layer and, given samples, the activations;
  /// merges the reports along the canonical tree.
  mutating func measure(_ pass: SampledPass?, shape: ModelShape, _ console: Console) throws
    -> Measurements
  {
    let meter =
      pass.map { console.meter("calibration", unit: "tokens", total: Double($0.tokenCount)) }
      ?? console.meter("weight norms", unit: "layers", total: Double(shape.layers.count))
    var norms = [LayerWeightNorms?](repeating: nil, count: shape.layers.count)
    var reducer = pass.map { TreeReducer<ModelMoments>(tree: $0.layout.tree) }
    let work =
      (pass?.blocks ?? []).map(Work.calibrate) + shape.layers.indices.map(Work.measureWeights)
    try perform(work, meter: meter) { work, result in
      guard case .report(let bytes) = result else { throw ClusterError.unexpectedResult(work.name) }
      switch work {
      case .measureWeights(let layer):
        norms[layer] = try Payload.decodeWeightNorms(bytes, layer: layer, shape: shape)
      case .calibrate(let block):
        let moments = try Payload.decodeMoments(bytes, shape: shape)
        guard reducer?.accept(moments, of: block.node) == .accepted else {
          throw ClusterError.unexpectedResult(work.name)
        }
      case .evaluate, .writeShard: throw ClusterError.unexpectedResult(work.name)
      }
    }
    return Measurements(moments: reducer?.result, norms: norms.map { $0! })
  }

  /// Has the workers compute the mean negative log-likelihood of the samples.
  mutating func evaluate(_ pass: SampledPass, _ console: Console) throws -> LossSum {
    let meter = console.meter("evaluation", unit: "tokens", total: Double(pass.tokenCount))
    var reducer = TreeReducer<LossSum>(tree: pass.layout.tree)
    try perform(pass.blocks.map(Work.evaluate), meter: meter) { work, result in
      guard case .evaluate(let block) = work, case .report(let bytes) = result,
        reducer.accept(try Payload.decodeLoss(bytes), of: block.node) == .accepted
      else { throw ClusterError.unexpectedResult(work.name) }
    }
    return reducer.result!
  }

  /// Has the workers write the shards of a pruned checkpoint, in any order.
  mutating func writeShards(
    _ plan: PlanBroadcast, _ layout: CheckpointLayout, _ console: Console
  ) throws -> [ShardCommitted] {
    let meter = console.meter("writing", unit: "bytes", total: Double(layout.byteCount))
    try broadcast(plan)
    var shards = [ShardCommitted?](repeating: nil, count: layout.shards.count)
    try perform(layout.shards.indices.map(Work.writeShard), meter: meter) { work, result in
      guard case .writeShard(let index) = work, case .shard(let shard) = result else {
        throw ClusterError.unexpectedResult(work.name)
      }
      shards[index] = shard
    }
    return shards.map { $0! }
  }
}
