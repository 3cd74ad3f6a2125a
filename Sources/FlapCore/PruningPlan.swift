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

    /// One flag per unit that is pruned at a tap: groups or neurons.
    public subscript(tap: Tap) -> [Bool] {
      get {
        switch tap {
        case .attentionOutput: keptGroups
        case .mlpDown: keptNeurons
        }
      }
      set {
        switch tap {
        case .attentionOutput: keptGroups = newValue
        case .mlpDown: keptNeurons = newValue
        }
      }
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

  /// Flags of the positions along an axis of a layer's tensors: a group's or a neuron's flag repeated
  /// for all that go with it; nil where all stay.
  public func kept(_ axis: Axis, layer: Int, of shape: ModelShape) -> [Bool]? {
    guard let (tap, width) = axis.unit(shape.layers[layer], of: shape) else { return nil }
    let units = layers[layer][tap]
    return width == 1 ? units : units.flatMap { Array(repeating: $0, count: width) }
  }

  /// Flags of the channels at a tap.
  public func keptChannels(layer: Int, tap: Tap, shape: ModelShape) -> [Bool] {
    kept(tap.axis, layer: layer, of: shape) ?? []
  }

  /// Where the first unit goes, counted in halves of layers, attention before MLP; nil: none goes.
  public var firstPrunedStep: Int? {
    for (index, layer) in layers.enumerated() {
      for tap in Tap.allCases where layer[tap].contains(false) {
        return Tap.allCases.count * index + tap.rawValue
      }
    }
    return nil
  }

  /// The shape of the pruned model: fewer heads and neurons, and biases on `o_proj` and
  /// `down_proj` where `compensating`.
  public func prunedShape(of shape: ModelShape, compensating: Bool = true) -> ModelShape {
    var pruned = shape
    for (index, layer) in layers.enumerated() { pruned.layers[index].keep(layer) }
    if compensating {
      pruned.biases.attentionOutput = true
      pruned.biases.mlpDown = true
    }
    return pruned
  }
}

extension LayerShape {
  /// Leaves the layer with the groups and neurons that stay.
  public mutating func keep(_ kept: PruningPlan.Layer) {
    headCount = kept.keptGroupCount * headsPerGroup
    keyValueHeadCount = kept.keptGroupCount
    intermediateSize = kept.keptNeuronCount
  }
}
