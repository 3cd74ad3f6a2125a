/// What is kept of every layer.
public struct PruningPlan: Hashable, Sendable {
  public struct Layer: Hashable, Sendable {
    /// One flag per key/value head: its group (g query heads, one key and one value head) stays.
    public var keptGroups: [Bool]
    /// One flag per MLP neuron; with experts, one for each neuron of each, expert by expert: those of
    /// an expert that goes all go, and all others keep the same number.
    public var keptNeurons: [Bool]
    /// One flag per expert; empty in a layer that has none.
    public var keptExperts: [Bool]
    /// Whether the mean output of an expert that goes takes its place: the router then keeps its rows.
    public var replacesExperts: Bool

    public init(
      keptGroups: [Bool], keptNeurons: [Bool], keptExperts: [Bool] = [],
      replacesExperts: Bool = false
    ) {
      self.replacesExperts = replacesExperts
      self.keptGroups = keptGroups
      self.keptNeurons = keptNeurons
      self.keptExperts = keptExperts
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
    /// Of all experts together, where there are such.
    public var keptNeuronCount: Int { keptNeurons.count { $0 } }
    public var keptExpertCount: Int { keptExperts.count { $0 } }
    /// Units of one map that a tap feeds: of each expert that stays, where there are such.
    public func keptUnitCount(_ tap: Tap) -> Int {
      let count = self[tap].count { $0 }
      return tap == .mlpDown && !keptExperts.isEmpty ? count / max(keptExpertCount, 1) : count
    }
    /// Numbers of the experts that go, rising.
    public var removedExperts: [Int] { keptExperts.indices.filter { !keptExperts[$0] } }

    /// Whether the experts that stay keep the same number of neurons each, and the others none.
    public var keepsWholeExperts: Bool {
      guard !keptExperts.isEmpty else { return true }
      let width = keptNeurons.count / keptExperts.count
      let counts = keptExperts.indices.map { expert in
        keptNeurons[expert * width..<(expert + 1) * width].count { $0 }
      }
      let size = counts.max() ?? 0
      return zip(keptExperts, counts).allSatisfy { $0 ? $1 == size && size > 0 : $1 == 0 }
    }

    /// Takes experts away, and their neurons with them.
    ///
    /// - Precondition: the layer has experts.
    public mutating func remove(experts: some Sequence<Int>) {
      let width = keptNeurons.count / keptExperts.count
      for expert in experts {
        keptExperts[expert] = false
        for neuron in expert * width..<(expert + 1) * width { keptNeurons[neuron] = false }
      }
    }
  }

  /// One entry per decoder layer.
  public var layers: [Layer]

  public init(layers: [Layer]) { self.layers = layers }

  /// The plan that keeps everything.
  public init(keepingAllOf shape: ModelShape) {
    layers = shape.layers.map { layer in
      Layer(
        keptGroups: Array(repeating: true, count: layer.keyValueHeadCount),
        keptNeurons: Array(repeating: true, count: layer.neuronCount),
        keptExperts: Array(repeating: true, count: layer.experts?.count ?? 0))
    }
  }

  /// Flags of the positions along an axis of a layer's tensors: a group's or a neuron's flag repeated
  /// for all that go with it; nil where all stay.
  ///
  /// - Parameter expert: whose neurons are asked for; nil: the layer's.
  public func kept(
    _ axis: Axis, ofExpert expert: Int? = nil, layer: Int, of shape: ModelShape
  ) -> [Bool]? {
    if axis == .experts {
      let kept = layers[layer].keptExperts
      return kept.isEmpty || layers[layer].replacesExperts ? nil : kept
    }
    if axis == .neurons, let expert {
      let width = shape.layers[layer].intermediateSize
      return Array(layers[layer].keptNeurons[expert * width..<(expert + 1) * width])
    }
    guard let (tap, width) = axis.unit(shape.layers[layer], of: shape) else { return nil }
    let units = layers[layer][tap]
    return width == 1 ? units : units.flatMap { Array(repeating: $0, count: width) }
  }

  /// Flags of the channels at a tap.
  public func keptChannels(layer: Int, tap: Tap, shape: ModelShape) -> [Bool] {
    kept(tap.axis, layer: layer, of: shape) ?? []
  }

  /// Flags of the channels at a tap that leave nothing in a bias: those that stay, and those of experts
  /// that go, whose maps go with them.
  public func channelsWithoutBias(layer: Int, tap: Tap, shape: ModelShape) -> [Bool] {
    var flags = keptChannels(layer: layer, tap: tap, shape: shape)
    guard tap == .mlpDown else { return flags }
    let width = shape.layers[layer].intermediateSize
    for expert in layers[layer].removedExperts {
      for channel in expert * width..<(expert + 1) * width { flags[channel] = true }
    }
    return flags
  }

  /// Whether mean outputs take the places of experts.
  public var replacesExperts: Bool { layers.contains { $0.replacesExperts } }

  /// Where the first unit goes, counted in halves of layers, attention before MLP; nil: none goes.
  public var firstPrunedStep: Int? {
    for (index, layer) in layers.enumerated() {
      for tap in Tap.allCases where layer[tap].contains(false) {
        // Neurons of an expert that goes are among them.
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
    guard var left = experts else {
      intermediateSize = kept.keptNeuronCount
      return
    }
    if kept.replacesExperts {
      left.replaced = kept.removedExperts
    } else {
      left.count = kept.keptExpertCount
      left.countPerToken = min(left.countPerToken, left.count)
    }
    let computing = left.computingCount
    intermediateSize = computing == 0 ? 0 : kept.keptNeuronCount / computing
    experts = left
  }
}
