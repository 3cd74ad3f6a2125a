/// The two places of a decoder layer whose channels are measured and pruned:
/// the inputs of the linear maps `o_proj` and `down_proj`.
public enum Tap: Int, CaseIterable, Hashable, Sendable {
  /// The input of `self_attn.o_proj`: concatenated head outputs.
  case attentionOutput = 0
  /// The input of `mlp.down_proj`: SiLU(gate) · up; in a layer with experts those of all of them, beside
  /// one another.
  case mlpDown = 1

  /// The linear map's name below `model.layers.L.` in a Hugging Face checkpoint.
  public var moduleName: String {
    switch self {
    case .attentionOutput: "self_attn.o_proj"
    case .mlpDown: "mlp.down_proj"
    }
  }

  /// - Returns: nil where no tap feeds a map of that name.
  public init?(moduleName: String) {
    guard let tap = Tap.allCases.first(where: { $0.moduleName == moduleName }) else { return nil }
    self = tap
  }

  /// The linear map's full name in a Hugging Face checkpoint, without `.weight`.
  public func moduleName(layer: Int) -> String { ModelShape.name(ofLayer: layer, moduleName) }

  /// What its channels are.
  public var axis: Axis {
    switch self {
    case .attentionOutput: .queries
    case .mlpDown: .neurons
    }
  }
}

/// The units that are pruned at a tap: groups of heads, or neurons.
extension ModelShape {
  public func unitCount(layer: Int, tap: Tap) -> Int {
    switch tap {
    case .attentionOutput: layers[layer].keyValueHeadCount
    case .mlpDown: layers[layer].neuronCount
    }
  }

  /// Channels of one, side by side.
  public func unitWidth(layer: Int, tap: Tap) -> Int {
    tap.axis.unit(layers[layer], of: self)?.width ?? 1
  }
}
