internal import Export
internal import FlapCore
internal import Transformer

extension PrunedCheckpoint {
  /// The same for a forward pass, without writing anything.
  var pruning: ModelPruning {
    get throws {
      let biases = try plan.layers.indices.map { layer in
        ModelPruning.Biases(
          attentionOutput: try biasValues(layer: layer, .attentionOutput),
          mlpDown: try biasValues(layer: layer, .mlpDown))
      }
      return ModelPruning(plan: plan, biases: biases)
    }
  }
}
