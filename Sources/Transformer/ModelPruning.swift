public import FlapCore
internal import Kernels

/// What is left out of a model that runs as if it had been pruned: a forward pass with it has the
/// bits of one over the checkpoint that a writer would make by the same plan.
///
/// Weights are not masked but packed without what goes, so that sums have the same terms in the
/// same order, and a pass costs what the pruned model's does.
public struct ModelPruning: Sendable {
  public let plan: PruningPlan
  /// The biases of the maps that the taps feed, f32 [hidden], with the type of the checkpoint
  /// rounded to; nil where the map has none. One entry per decoder layer, in place of the model's
  /// own.
  public let biases: [PerTap<[Float]?>]

  /// - Precondition: as many biases as the plan has layers.
  public init(plan: PruningPlan, biases: [PerTap<[Float]?>]) {
    precondition(plan.layers.count == biases.count, "biases for every layer")
    self.plan = plan
    self.biases = biases
  }

  /// Takes what goes out of a layer's weights.
  func apply(to weights: inout LayerWeights, layer index: Int, of model: ModelShape) {
    weights.shape.keep(plan.layers[index])
    weights.maps = LayerMaps { role in
      let map = weights.table[role]
      var linear = weights.maps[role]
      let rows = plan.kept(map.rowAxis, layer: index, of: model)
      linear.weight = linear.weight.keeping(
        rows: rows, columns: plan.kept(map.columnAxis, layer: index, of: model))
      if let tap = map.tap {
        linear.bias = biases[index][tap]
      } else if let rows {
        linear.bias = linear.bias.map { bias in
          bias.indices.filter { rows[$0] }.map { bias[$0] }
        }
      }
      return linear
    }
  }
}
