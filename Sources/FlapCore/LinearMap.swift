/// What the positions along one side of a layer's tensor are, and so what pruning takes of them.
public enum Axis: Hashable, Sendable, CaseIterable {
  /// Channels of the residual stream, which all layers share: none goes.
  case hidden
  /// Channels of the query heads, head by head: a group that goes takes its g · head dimension.
  case queries
  /// Channels of the key heads, or of the value heads: a group that goes takes one head.
  case keys
  /// Neurons of the MLP, or of one expert.
  case neurons
  /// Experts of a layer; 0 where it has none.
  case experts
  /// Channels of a single head, the same for every head of a layer: none goes.
  case head
}

extension Axis {
  /// Positions in a layer of a model.
  public func count(_ layer: LayerShape, of model: ModelShape) -> Int {
    switch self {
    case .hidden: model.hiddenSize
    case .queries: layer.headCount * model.headDimension
    case .keys: layer.keyValueHeadCount * model.headDimension
    case .neurons: layer.intermediateSize
    case .experts: layer.experts?.count ?? 0
    case .head: model.headDimension
    }
  }

  /// Positions that go with one unit of attention (a group) or of the MLP (a neuron); nil where
  /// none does. Experts are no units of a tap: they go whole.
  public func unit(_ layer: LayerShape, of model: ModelShape) -> (tap: Tap, width: Int)? {
    switch self {
    case .hidden, .head, .experts: nil
    case .queries: (.attentionOutput, layer.headsPerGroup * model.headDimension)
    case .keys: (.attentionOutput, model.headDimension)
    case .neurons: (.mlpDown, 1)
    }
  }
}

/// One linear map y = W · x + b of a decoder layer: a row of the ``LayerTable``.
///
/// All that is to be known of it follows from here: names and shapes of its tensors, what pruning
/// does to them, what it costs, how other formats name it.
public struct LinearMap: Hashable, Sendable {
  /// What the forward pass does with it.
  public enum Role: Hashable, Sendable, CaseIterable {
    case query, key, value, output, gate, up, down
    /// From the stream to a logit for each expert.
    case router
  }

  public let role: Role
  /// Whose map it is; nil: the layer's own.
  public let expert: Int?
  /// The name of its tensors below `model.layers.L.`, without `.weight` and `.bias`.
  public let module: String
  /// The rows of W in the tensor of that name: all of them, or, where several maps are fused into
  /// one tensor, this map's.
  public let rowRange: Range<Int>
  /// Output channels.
  public let rowAxis: Axis
  /// Input channels.
  public let columnAxis: Axis
  public let columns: Int
  public let hasBias: Bool

  /// Output channels.
  public var rows: Int { rowRange.count }

  /// Where its input is measured and pruned; nil for a map that reads the residual stream.
  public var tap: Tap? { Tap.allCases.first { $0.axis == columnAxis } }
}
