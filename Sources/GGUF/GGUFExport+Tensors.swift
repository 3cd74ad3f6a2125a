internal import Checkpoint
internal import FlapCore
internal import SystemPackage

/// The names of llama.cpp (`LLM_TENSOR_NAMES` in `llama-arch.cpp`).
extension GGUFExport {
  static func entries(
    _ shape: ModelShape, _ elementType: ElementType, _ directory: FilePath
  ) throws -> [Entry] {
    var entries: [Entry] = []
    if let divisors = shape.rotaryEmbedding.frequencyDivisors(headDimension: shape.headDimension) {
      let info = TensorInfo(
        name: "rope_freqs.weight", shape: [divisors.count], elementType: .float32)
      entries.append(Entry(info: info, content: .numbers(divisors)))
    }
    for (name, tensorShape) in shape.expectedTensors() {
      guard let target = targetName(of: name) else {
        let isNorm = name.contains(".q_norm.") || name.contains(".k_norm.")
        throw GGUFError.noTarget(
          directory: directory.string,
          reason: isNorm ? ModelFacts.noNormsReason : "llama.cpp has no tensor for \(name)")
      }
      let isRotated = name.contains(".q_proj.") || name.contains(".k_proj.")
      let info = TensorInfo(
        name: target, shape: tensorShape,
        // ggml adds and multiplies vectors in F32 only.
        elementType: tensorShape.count == 1 ? .float32 : elementType)
      let order: RowOrder =
        isRotated ? .rotaryPairs(headDimension: shape.headDimension) : .asStored
      entries.append(Entry(info: info, content: .tensor(name: name, order)))
    }
    return entries
  }

  /// - Returns: nil for a tensor that llama.cpp does not know.
  private static func targetName(of name: String) -> String? {
    switch name {
    case "model.embed_tokens.weight": return "token_embd.weight"
    case "model.norm.weight": return "output_norm.weight"
    case "lm_head.weight": return "output.weight"
    default: break
    }
    // model.layers.L.MAP.KIND or model.layers.L.MODULE.MAP.KIND
    let parts = name.split(separator: ".").map(String.init)
    guard parts.count >= 5, parts[0] == "model", parts[1] == "layers",
      let map = maps[parts[3..<parts.count - 1].joined(separator: ".")]
    else { return nil }
    return "blk.\(parts[2]).\(map).\(parts[parts.count - 1])"
  }

  private static let maps = [
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
  ]
}
