internal import FlapCore

/// Mistral: a window of attention in every layer, or in none (`MistralConfig`).
enum MistralFamily: FamilyDefinition {
  static let className = "Mistral"
  static let defaultKeyValueHeadCount: Int? = 8
  static let ownFields: Set<String> = ["sliding_window", "layer_types"]

  static func biases(_ fields: ConfigurationFields) -> Biases { Biases() }

  /// `sliding_window`: null is none, an absent one is 4096.
  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  {
    guard !fields.has("layer_types") else {
      throw fields.error("layer_types", "is not supported in a model of type mistral")
    }
    let window =
      try fields.isNull("sliding_window") ? nil : fields.sizeIfPresent("sliding_window") ?? 4096
    return Array(repeating: window, count: layerCount)
  }
}
