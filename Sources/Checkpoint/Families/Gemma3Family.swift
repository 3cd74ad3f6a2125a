internal import FlapCore

/// Gemma 3 for text: norms around attention and MLP, whose weights are 1 + w, GELU, a scaled embedding,
/// and two rotary embeddings, one for layers with a window (`Gemma3TextConfig`).
enum Gemma3Family: FamilyDefinition {
  static let className = "Gemma3"
  static let configurationName = "Gemma3TextConfig"
  static let modelName = "Gemma3TextModel"
  static let defaultKeyValueHeadCount: Int? = 4
  static let defaultHeadDimension: Int? = 256
  static let normalizesQueriesAndKeys = true
  static let tiesEmbeddings = true
  static let activation = (field: "hidden_activation", names: ["gelu_pytorch_tanh"])
  static let rotaryRules = RotaryRules(theta: 1_000_000, isLayered: true, wantsRopeType: true)
  static let ownFields: Set<String> = [
    "attention_bias", "final_logit_softcapping", "hidden_activation", "layer_types",
    "query_pre_attn_scalar", "rope_local_base_freq", "sliding_window", "sliding_window_pattern",
    "_sliding_window_pattern",
  ]
  static let unreadFields: Set<String> = ["hidden_act"]

  static func biases(_ fields: ConfigurationFields) throws(ConfigurationError) -> Biases {
    try Qwen3Family.biases(fields)
  }

  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  {
    let window =
      fields.isNull("sliding_window") ? nil : try fields.sizeIfPresent("sliding_window") ?? 4096
    if let windows = try LayerTypes.windows(fields, window: window, layerCount: layerCount) {
      return windows
    }
    let pattern = try fields.sizeIfPresent("sliding_window_pattern") ?? 6
    guard let window else {
      throw fields.error("sliding_window", "is null, but layers attend over a window")
    }
    return (1...layerCount).map { $0 % pattern == 0 ? nil : window }
  }

  static func rotations(_ fields: ConfigurationFields, windows: [Int?]) -> [LayerShape.Rotation] {
    windows.map { $0 == nil ? .global : .local }
  }

  static func globalRotaryFields(_ fields: ConfigurationFields) throws(ConfigurationError)
    -> ConfigurationFields
  { try LayeredRotaryFields(fields).global }

  /// `rope_local_base_freq`, unscaled.
  static func localRotaryEmbedding(
    _ fields: ConfigurationFields, headDimension: Int, global: RotaryEmbedding
  ) throws(ConfigurationError) -> RotaryEmbedding? {
    let theta = fields.value("rope_local_base_freq")
    return try LayeredRotaryFields(fields).local(
      theta: theta, headDimension: headDimension, RotaryRules(theta: 10000))
  }

  static func arithmetic(_ fields: ConfigurationFields) throws(ConfigurationError) -> Arithmetic {
    let hidden = try fields.size("hidden_size")
    let scalar = try fields.positive("query_pre_attn_scalar", usual: 256)
    let cap =
      fields.has("final_logit_softcapping")
      ? try fields.positive("final_logit_softcapping") : nil
    return Arithmetic(
      activation: .geluTanh, normPlacement: .around, addsOneToNorms: true,
      embeddingScale: Double(hidden).squareRoot(), roundsEmbeddingScale: true,
      attentionScale: 1 / scalar.squareRoot(), logitCap: cap)
  }
}
