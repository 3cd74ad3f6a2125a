internal import Checkpoint
internal import FlapCore
internal import SystemPackage

/// The names of llama.cpp (`LLM_TENSOR_NAMES` in `llama-arch.cpp`).
extension GGUFExport {
  static func entries(
    _ shape: ModelShape, _ elementType: ElementType, _ target: Architecture, _ directory: FilePath
  ) throws -> [Entry] {
    var entries: [Entry] = []
    if case .yarn(let yarn) = shape.rotaryEmbedding.scaling, !yarn.truncatesRamp {
      throw GGUFError.noTarget(
        directory: directory.string,
        reason: "llama.cpp rounds the ends of YaRN's ramp, and rope_scaling.truncate is false")
    }
    let rotary = shape.rotaryEmbedding
    for (name, divisors) in rotary.divisorTensors(headDimension: shape.headDimension) {
      let info = TensorInfo(name: name, shape: [divisors.count], elementType: .float32)
      entries.append(Entry(info: info, content: .numbers(divisors)))
    }
    func add(
      _ name: String, _ source: ModelTensor, rows: Range<Int>? = nil, _ order: RowOrder = .asStored,
      as type: ElementType? = nil
    ) {
      let rows = rows ?? 0..<source.shape[0]
      let info = TensorInfo(
        name: name, shape: [rows.count] + source.shape.dropFirst(),
        // ggml adds and multiplies vectors in F32 only.
        elementType: type ?? (source.shape.count == 1 ? .float32 : elementType))
      entries.append(Entry(info: info, content: .tensor(source, rows: rows, order)))
    }
    let tensors = shape.tensors
    /// The same map of all experts of a layer, [experts, rows, columns].
    func stack(_ role: LinearMap.Role, ofLayer layer: Int) {
      let sources = tensors.filter { tensor in
        guard case .layer(layer, .weights(let maps)) = tensor.place else { return false }
        return maps[0].role == role && maps[0].expert != nil
      }
      let info = TensorInfo(
        name: "blk.\(layer).\(role.target)_exps.weight",
        shape: [sources.count] + sources[0].shape, elementType: elementType)
      entries.append(Entry(info: info, content: .stack(sources)))
    }
    func addNorm(_ name: String, _ source: ModelTensor) {
      guard shape.arithmetic.addsOneToNorms else { return add(name, source) }
      let info = TensorInfo(name: name, shape: source.shape, elementType: .float32)
      entries.append(Entry(info: info, content: .onePlus(source)))
    }
    for tensor in tensors {
      switch tensor.place {
      case .embedding: add("token_embd.weight", tensor)
      case .finalNorm: addNorm("output_norm.weight", tensor)
      case .outputProjection: add("output.weight", tensor)
      case .layer(let layer, .norm(let norm)):
        addNorm("blk.\(layer).\(norm.target).weight", tensor)
      case .layer(let layer, .weights(let maps)):
        if let expert = maps[0].expert {
          // With the first those of all.
          if expert == 0 { stack(maps[0].role, ofLayer: layer) }
          continue
        }
        for map in maps {
          add(
            "blk.\(layer).\(map.role.target).weight", tensor, rows: map.rowRange,
            map.rowOrder(shape, target), as: map.role == .router ? .float32 : nil)
        }
      case .layer(_, .mean): preconditionFailure("no architecture has means")
      case .layer(let layer, .biases(let maps)):
        for map in maps {
          add(
            "blk.\(layer).\(map.role.target).bias", tensor, rows: map.rowRange,
            map.rowOrder(shape, target))
        }
      }
    }
    return entries
  }
}

extension LinearMap.Role {
  fileprivate var target: String {
    switch self {
    case .query: "attn_q"
    case .key: "attn_k"
    case .value: "attn_v"
    case .output: "attn_output"
    case .gate: "ffn_gate"
    case .up: "ffn_up"
    case .down: "ffn_down"
    case .router: "ffn_gate_inp"
    }
  }
}

extension LinearMap {
  fileprivate func rowOrder(_ shape: ModelShape, _ target: Architecture) -> RowOrder {
    switch role {
    case .query, .key:
      target.turnsNeighbours ? .rotaryPairs(headDimension: shape.headDimension) : .asStored
    case .value, .output, .gate, .up, .down, .router: .asStored
    }
  }
}

extension LayerTable.Norm {
  fileprivate var target: String {
    switch self {
    case .attentionInput: "attn_norm"
    case .mlpInput: "ffn_norm"
    case .queries: "attn_q_norm"
    case .keys: "attn_k_norm"
    case .attentionOutput: "post_attention_norm"
    case .mlpOutput: "post_ffw_norm"
    }
  }
}
