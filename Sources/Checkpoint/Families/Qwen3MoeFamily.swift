internal import FlapCore

/// Qwen3 with experts in some layers or in all (`Qwen3MoeConfig`).
enum Qwen3MoeFamily: FamilyDefinition {
  static let className = "Qwen3Moe"
  static let defaultKeyValueHeadCount: Int? = 4
  static let normalizesQueriesAndKeys = true
  static let ownFields: Set<String> = [
    "attention_bias", "decoder_sparse_step", "max_window_layers", "mlp_only_layers",
    "moe_intermediate_size", "norm_topk_prob", "num_experts", "num_experts_per_tok",
    "num_local_experts",
    "sliding_window", "use_sliding_window",
  ]

  static func biases(_ fields: ConfigurationFields) throws(ConfigurationError) -> Biases {
    try Qwen3Family.biases(fields)
  }

  /// Where `use_sliding_window` is true, `sliding_window` holds in every layer: its class reads no
  /// `max_window_layers`.
  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  {
    let isWindowed = try fields.flag("use_sliding_window") ?? false
    guard isWindowed, !fields.isNull("sliding_window") else {
      return Array(repeating: nil, count: layerCount)
    }
    return Array(
      repeating: try fields.sizeIfPresent("sliding_window") ?? 4096, count: layerCount)
  }

  /// `num_experts`; transformers 5 saves it as `num_local_experts`.
  private static func count(_ fields: ConfigurationFields) throws(ConfigurationError) -> Int {
    let own = try fields.naturalIfPresent("num_experts")
    let local = try fields.naturalIfPresent("num_local_experts")
    if let own, let local, own != local {
      throw fields.error("num_local_experts", "is \(local), where num_experts is \(own)")
    }
    return own ?? local ?? 128
  }

  /// Every `decoder_sparse_step`-th layer has experts, but for those of `mlp_only_layers`.
  static func experts(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [LayerExperts?]
  {
    let count = try count(fields)
    let step = try fields.sizeIfPresent("decoder_sparse_step") ?? 1
    let dense = Set(try fields.numbers("mlp_only_layers") ?? [])
    guard count > 0 else { return Array(repeating: nil, count: layerCount) }
    let shape = ExpertsShape(
      count: count, countPerToken: try fields.sizeIfPresent("num_experts_per_tok") ?? 8,
      normalizesGates: try fields.flag("norm_topk_prob") ?? false)
    try shape.check(fields, countField: "num_experts", layerCount: layerCount)
    let experts = LayerExperts(
      shape: shape,
      intermediateSize: try fields.sizeIfPresent("moe_intermediate_size") ?? 768)
    return (0..<layerCount).map { layer in
      (layer + 1) % step == 0 && !dense.contains(Double(layer)) ? experts : nil
    }
  }
}
