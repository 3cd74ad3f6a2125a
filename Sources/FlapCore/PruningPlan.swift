/// What is kept of every layer.
public struct PruningPlan: Hashable, Sendable {
  public struct Layer: Hashable, Sendable {
    /// One flag per key/value head: its group (g query heads, one key and one value head) stays.
    public var keptGroups: [Bool]
    /// One flag per MLP neuron.
    public var keptNeurons: [Bool]

    public init(keptGroups: [Bool], keptNeurons: [Bool]) {
      self.keptGroups = keptGroups
      self.keptNeurons = keptNeurons
    }

    public var keptGroupCount: Int { keptGroups.count { $0 } }
    public var keptNeuronCount: Int { keptNeurons.count { $0 } }
  }

  /// One entry per decoder layer.
  public var layers: [Layer]

  public init(layers: [Layer]) { self.layers = layers }

  /// The plan that keeps everything.
  public init(keepingAllOf shape: ModelShape) {
    layers = shape.layers.map { layer in
      Layer(
        keptGroups: Array(repeating: true, count: layer.keyValueHeadCount),
        keptNeurons: Array(repeating: true, count: layer.intermediateSize))
    }
  }

  /// Flags of the channels at a tap: a group's flag repeated for its g · head_dim channels.
  public func keptChannels(layer: Int, tap: Tap, shape: ModelShape) -> [Bool] {
    switch tap {
    case .mlpDown: return layers[layer].keptNeurons
    case .attentionOutput:
      let width = shape.layers[layer].headsPerGroup * shape.headDimension
      return layers[layer].keptGroups.flatMap { Array(repeating: $0, count: width) }
    }
  }

  /// The shape of the pruned model: fewer heads and neurons, and biases on `o_proj` and
  /// `down_proj` where `compensating`.
  public func prunedShape(of shape: ModelShape, compensating: Bool = true) -> ModelShape {
    var pruned = shape
    for (index, layer) in layers.enumerated() {
      let heads = layer.keptGroupCount * shape.layers[index].headsPerGroup
      pruned.layers[index].headCount = heads
      pruned.layers[index].keyValueHeadCount = layer.keptGroupCount
      pruned.layers[index].intermediateSize = layer.keptNeuronCount
    }
    if compensating {
      pruned.biases.attentionOutput = true
      pruned.biases.mlpDown = true
    }
    return pruned
  }
}
