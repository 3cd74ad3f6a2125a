/// What one decoder layer consists of, as a table: a row for each tensor, in the order in which
/// checkpoints name them.
///
/// A family is a way to fill the table (``ModelShape/table(layer:)``). Reading, checking, pruning,
/// counting, running and exporting a layer go through it row by row and know no other list.
public struct LayerTable: Hashable, Sendable {
  /// A tensor below `model.layers.L.`.
  public struct Tensor: Hashable, Sendable {
    public enum Content: Hashable, Sendable {
      /// W of one map, or of several that are fused, one after another along the rows.
      case weights([LinearMap])
      /// b of the same.
      case biases([LinearMap])
      case norm(Norm)
      /// The mean output of an expert that is no more.
      case mean(expert: Int)
    }

    /// With its suffix, such as `self_attn.q_proj.weight`.
    public let name: String
    /// Row-major.
    public let shape: [Int]
    public let content: Content
  }

  /// A weight by which channels are normalized.
  public enum Norm: Hashable, Sendable, CaseIterable {
    case attentionInput, mlpInput
    /// Of what is added to the stream (Gemma 3, OLMo 2).
    case attentionOutput, mlpOutput
    /// Of every query head (Qwen3), or of all together (OLMo 2).
    case queries, keys

    public func axis(of model: ModelShape) -> Axis {
      switch self {
      case .attentionInput, .mlpInput, .attentionOutput, .mlpOutput: .hidden
      case .queries: model.arithmetic.normalizesHeadsTogether ? .queries : .head
      case .keys: model.arithmetic.normalizesHeadsTogether ? .keys : .head
      }
    }

    /// Below `model.layers.L.`, without `.weight`.
    func name(in placement: Arithmetic.NormPlacement) -> String {
      switch self {
      case .attentionInput: "input_layernorm"
      case .attentionOutput: "post_attention_layernorm"
      // LLaMA counts from the layer's beginning, and Gemma has two between attention and MLP.
      case .mlpInput:
        placement == .before ? "post_attention_layernorm" : "pre_feedforward_layernorm"
      case .mlpOutput: "post_feedforward_layernorm"
      case .queries: "self_attn.q_norm"
      case .keys: "self_attn.k_norm"
      }
    }
  }

  public let tensors: [Tensor]

  /// The linear maps, in the order of ``LinearMap/Role``; the router before the experts, these one after
  /// another.
  public var maps: [LinearMap] {
    tensors.flatMap { tensor in
      if case .weights(let maps) = tensor.content { maps } else { [LinearMap]() }
    }
  }

  /// The map that reads what is measured at a tap.
  ///
  /// - Precondition: it is no tap of experts, which have a map each.
  public func map(at tap: Tap) -> LinearMap {
    guard let map = maps.first(where: { $0.tap == tap }) else {
      preconditionFailure("every layer has a map at \(tap.moduleName)")
    }
    return map
  }
}

extension ModelShape {
  /// The tensors of one decoder layer.
  public func table(layer index: Int) -> LayerTable {
    var builder = LayerTableBuilder(layer: layers[index], model: self)
    let placement = arithmetic.normPlacement
    if placement != .behind { builder.addNorm(.attentionInput) }
    builder.addMaps(
      [.query, .key, .value], fusedAs: fusedMaps.queryKeyValue ? "self_attn.qkv_proj" : nil,
      hasBias: biases.queryKeyValue)
    if normalizesQueriesAndKeys {
      builder.addNorm(.queries)
      builder.addNorm(.keys)
    }
    builder.addMaps([.output], hasBias: biases.attentionOutput)
    if placement != .before { builder.addNorm(.attentionOutput) }
    if placement != .behind { builder.addNorm(.mlpInput) }
    if let experts = layers[index].experts {
      builder.addMaps([.router], hasBias: false)
      let replaced = Set(experts.replaced)
      for expert in 0..<experts.count {
        if replaced.contains(expert) {
          builder.addMean(ofExpert: expert, experts)
        } else {
          builder.addMaps([.gate, .up], ofExpert: expert, hasBias: false)
          builder.addMaps([.down], ofExpert: expert, hasBias: biases.mlpDown)
        }
      }
    } else {
      builder.addMaps(
        [.gate, .up], fusedAs: fusedMaps.gateUp ? "mlp.gate_up_proj" : nil, hasBias: biases.gateUp)
      builder.addMaps([.down], hasBias: biases.mlpDown)
    }
    if placement != .before { builder.addNorm(.mlpOutput) }
    return LayerTable(tensors: builder.tensors)
  }
}

extension ModelShape {
  /// The full name of the map that a tap feeds, without `.weight` and `.bias`.
  ///
  /// - Parameter expert: whose map it is; nil: the layer's own.
  public func moduleName(layer: Int, tap: Tap, expert: Int?) -> String {
    guard tap == .mlpDown, expert != nil else { return tap.moduleName(layer: layer) }
    return ModelShape.name(
      ofLayer: layer, LinearMap.Role.down.module(layers[layer].experts, expert))
  }
}

private struct LayerTableBuilder {
  let layer: LayerShape
  let model: ModelShape
  private(set) var tensors: [LayerTable.Tensor] = []

  init(layer: LayerShape, model: ModelShape) {
    self.layer = layer
    self.model = model
  }

  mutating func addNorm(_ norm: LayerTable.Norm) {
    tensors.append(
      .init(
        name: "\(norm.name(in: model.arithmetic.normPlacement)).weight",
        shape: [norm.axis(of: model).count(layer, of: model)], content: .norm(norm)))
  }

  mutating func addMean(ofExpert expert: Int, _ experts: ExpertsShape) {
    tensors.append(
      .init(
        name: "\(experts.place).experts.\(expert).mean", shape: [model.hiddenSize],
        content: .mean(expert: expert)))
  }

  /// - Parameter module: the one tensor that holds all of the maps; nil: each has its own.
  mutating func addMaps(
    _ roles: [LinearMap.Role], ofExpert expert: Int? = nil, fusedAs module: String? = nil,
    hasBias: Bool
  ) {
    var fused: [LinearMap] = []
    for role in roles {
      let first = module == nil ? 0 : fused.last?.rowRange.upperBound ?? 0
      let map = LinearMap(
        role: role, expert: expert, module: module ?? role.module(layer.experts, expert),
        rowRange: first..<first + role.rowAxis.count(layer, of: model), rowAxis: role.rowAxis,
        columnAxis: role.columnAxis, columns: role.columnAxis.count(layer, of: model),
        hasBias: hasBias)
      if module == nil { addTensors(of: [map]) } else { fused.append(map) }
    }
    if !fused.isEmpty { addTensors(of: fused) }
  }

  private mutating func addTensors(of maps: [LinearMap]) {
    let map = maps[0]
    let rows = maps.reduce(0) { $0 + $1.rows }
    tensors.append(
      .init(name: "\(map.module).weight", shape: [rows, map.columns], content: .weights(maps)))
    guard map.hasBias else { return }
    tensors.append(.init(name: "\(map.module).bias", shape: [rows], content: .biases(maps)))
  }
}

extension ExpertsShape {
  /// The name of the module of router and experts.
  fileprivate var place: String { names == .mixtral ? "block_sparse_moe" : "mlp" }
}

extension LinearMap.Role {
  /// The tensor's name where each map has its own.
  fileprivate func module(_ experts: ExpertsShape?, _ expert: Int?) -> String {
    guard let experts else { return module }
    let isMixtral = experts.names == .mixtral
    let place = experts.place
    guard let expert else { return self == .router ? "\(place).gate" : module }
    let name =
      switch self {
      case .gate: isMixtral ? "w1" : "gate_proj"
      case .up: isMixtral ? "w3" : "up_proj"
      default: isMixtral ? "w2" : "down_proj"
      }
    return "\(place).experts.\(expert).\(name)"
  }

  private var module: String {
    switch self {
    case .query: "self_attn.q_proj"
    case .key: "self_attn.k_proj"
    case .value: "self_attn.v_proj"
    case .output: Tap.attentionOutput.moduleName
    case .gate: "mlp.gate_proj"
    case .up: "mlp.up_proj"
    case .down: Tap.mlpDown.moduleName
    case .router: "mlp.gate"
    }
  }

  fileprivate var rowAxis: Axis {
    switch self {
    case .query: .queries
    case .key, .value: .keys
    case .gate, .up: .neurons
    case .router: .experts
    case .output, .down: .hidden
    }
  }

  fileprivate var columnAxis: Axis {
    switch self {
    case .query, .key, .value, .gate, .up, .router: .hidden
    case .output: Tap.attentionOutput.axis
    case .down: Tap.mlpDown.axis
    }
  }
}
