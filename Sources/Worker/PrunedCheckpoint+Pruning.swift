internal import Export
internal import FlapCore
internal import Transformer

extension PrunedCheckpoint {
  /// The same for a forward pass, without writing anything.
  var pruning: ModelPruning {
    get throws {
      let plan = layout.plan
      let biases = try plan.layers.indices.map { layer in
        try PerTap { tap in try biasValues(layer: layer, tap) }
      }
      return ModelPruning(plan: plan, biases: biases)
    }
  }
}
