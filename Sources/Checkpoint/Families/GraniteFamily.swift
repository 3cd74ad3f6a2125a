internal import FlapCore

/// Granite 3 and 4 without experts or Mamba: LLaMA with four factors (`GraniteConfig`).
enum GraniteFamily: FamilyDefinition {
  static let className = "Granite"
  static let rotaryRules = RotaryRules(wantsRopeType: true)
  static let ownFields: Set<String> = [
    "attention_bias", "mlp_bias", "embedding_multiplier", "logits_scaling", "residual_multiplier",
    "attention_multiplier",
  ]

  static func biases(_ fields: ConfigurationFields) throws(ConfigurationError) -> Biases {
    try LlamaFamily.biases(fields)
  }

  static func arithmetic(_ fields: ConfigurationFields) throws(ConfigurationError) -> Arithmetic {
    Arithmetic(
      embeddingScale: try fields.positive("embedding_multiplier", usual: 1),
      attentionScale: try fields.positive("attention_multiplier", usual: 1),
      residualScale: try fields.positive("residual_multiplier", usual: 1),
      logitDivisor: try fields.positive("logits_scaling", usual: 1))
  }
}
