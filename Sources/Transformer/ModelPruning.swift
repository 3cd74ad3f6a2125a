public import FlapCore
internal import Kernels

/// What is left out of a model that runs as if it had been pruned: a forward pass with it has the
/// bits of one over the checkpoint that a writer would make by the same plan.
///
/// Weights are not masked but packed without what goes, so that sums have the same terms in the
/// same order, and a pass costs what the pruned model's does.
public struct ModelPruning: Sendable {
  /// The biases of the maps whose inputs are pruned, f32 [hidden], with the type of the checkpoint
  /// rounded to; nil where the map has none.
  public struct Biases: Sendable {
    public var attentionOutput: [Float]?
    public var mlpDown: [Float]?

    public init(attentionOutput: [Float]?, mlpDown: [Float]?) {
      self.attentionOutput = attentionOutput
      self.mlpDown = mlpDown
    }
  }

  public let plan: PruningPlan
  /// One entry per decoder layer, in place of the model's own.
  public let biases: [Biases]

  /// - Precondition: as many biases as the plan has layers.
  public init(plan: PruningPlan, biases: [Biases]) {
    precondition(plan.layers.count == biases.count, "biases for every layer")
    self.plan = plan
    self.biases = biases
  }

  /// Takes what goes out of a layer's weights.
  func apply(to weights: inout LayerWeights, layer index: Int, of model: ModelShape) {
    let kept = plan.layers[index]
    let heads = plan.keptChannels(layer: index, tap: .attentionOutput, shape: model)
    let keys = kept.keptGroups.flatMap { Array(repeating: $0, count: model.headDimension) }
    weights.shape.headCount = kept.keptGroupCount * weights.shape.headsPerGroup
    weights.shape.keyValueHeadCount = kept.keptGroupCount
    weights.shape.intermediateSize = kept.keptNeuronCount
    weights.maps.query.keep(outputs: heads)
    weights.maps.key.keep(outputs: keys)
    weights.maps.value.keep(outputs: keys)
    weights.maps.output.keep(channels: heads, bias: biases[index].attentionOutput)
    weights.maps.gate.keep(outputs: kept.keptNeurons)
    weights.maps.up.keep(outputs: kept.keptNeurons)
    weights.maps.down.keep(channels: kept.keptNeurons, bias: biases[index].mlpDown)
  }
}

extension Linear {
  fileprivate mutating func keep(outputs: [Bool]) {
    weight = weight.keeping(rows: outputs, columns: nil)
    bias = bias.map { bias in bias.indices.filter { outputs[$0] }.map { bias[$0] } }
  }

  fileprivate mutating func keep(channels: [Bool], bias: [Float]?) {
    weight = weight.keeping(rows: nil, columns: channels)
    self.bias = bias
  }
}
