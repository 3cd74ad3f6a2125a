internal import FlapCore

/// Llama 1, 2 and 3.x, and what was trained from them, such as Vicuna (`LlamaConfig`).
enum LlamaFamily: FamilyDefinition {
  static let className = "Llama"
  static let ownFields: Set<String> = ["attention_bias", "mlp_bias"]

  static func biases(_ fields: ConfigurationFields) throws(ConfigurationError) -> Biases {
    let attention = try fields.flag("attention_bias") ?? false
    let mlp = try fields.flag("mlp_bias") ?? false
    return Biases(
      queryKeyValue: attention, attentionOutput: attention, gateUp: mlp, mlpDown: mlp)
  }
}
