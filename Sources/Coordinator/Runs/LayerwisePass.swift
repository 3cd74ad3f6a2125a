internal import Checkpoint
internal import Coordination
internal import FlapCore
internal import Pruning
internal import Statistics

/// Wanda-sp: layer after layer the same ratio goes, by the weighted norms of what the layers before,
/// pruned already, bring to it (as `prune_wanda_sp` of FLAP's published code).
struct LayerwisePass {
  let pass: SampledPass
  let norms: [PerTap<WeightNorms>]
  let ratio: Double

  /// - Parameter meter: over all layers.
  func run(_ session: inout ClusterSession, meter: ProgressMeter) throws -> PruningPlan {
    let shape = pass.shape
    var plan = PruningPlan(keepingAllOf: shape)
    let search = StructureSearch(structure: .uniform, ratio: ratio)
    let count = Double(shape.layers.count)
    for layer in shape.layers.indices {
      let broadcast = PlanBroadcast(
        plan, of: shape, means: nil, isUniform: false, outputDirectory: nil,
        maximumShardBytes: Int(Int32.max))
      let moments = try session.measureMoments(
        pass, by: broadcast, shape: plan.prunedShape(of: shape, compensating: false),
        meter: meter.part(Double(layer) / count, Double(layer + 1) / count))
      // What is kept of one layer depends on that layer's scores alone.
      let scores = try LayerScores(
        metric: .weightedNorm, moments: moments[layer], norms: norms[layer],
        sampleCount: pass.tokens.sampleCount, layer: layer)
      var single = shape
      single.layers = [shape.layers[layer]]
      plan.layers[layer] =
        try search.run(scores: [scores], shape: single, compensating: false).plan.layers[0]
    }
    return plan
  }
}
