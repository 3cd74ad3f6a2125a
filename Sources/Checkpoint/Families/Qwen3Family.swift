internal import FlapCore

/// Qwen3 without experts: norms on queries and keys, heads of a size of their own (`Qwen3Config`).
enum Qwen3Family: FamilyDefinition {
  static let className = "Qwen3"
  static let defaultKeyValueHeadCount: Int? = 32
  static let ownFields = QwenWindows.fields.union(["attention_bias"])
  static let defaultHeadDimension: Int? = 128
  static let normalizesQueriesAndKeys = true

  static func biases(_ fields: ConfigurationFields) throws(ConfigurationError) -> Biases {
    let attention = try fields.flag("attention_bias") ?? false
    return Biases(queryKeyValue: attention, attentionOutput: attention)
  }

  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  {
    try QwenWindows.read(fields, layerCount: layerCount)
  }
}
