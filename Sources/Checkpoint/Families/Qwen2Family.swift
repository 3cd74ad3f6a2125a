internal import FlapCore

/// Qwen2 and Qwen2.5: biases on queries, keys and values, always (`Qwen2Config`).
enum Qwen2Family: FamilyDefinition {
  static let className = "Qwen2"
  static let defaultKeyValueHeadCount: Int? = 32
  static let ownFields = QwenWindows.fields

  static func biases(_ fields: ConfigurationFields) -> Biases { Biases(queryKeyValue: true) }

  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  {
    try QwenWindows.read(fields, layerCount: layerCount)
  }
}

/// Windows of attention in some layers, as Qwen2 and Qwen3 name them.
enum QwenWindows {
  static let fields: Set<String> = [
    "use_sliding_window", "sliding_window", "max_window_layers", "layer_types",
  ]

  /// Nothing counts unless `use_sliding_window`. Then `sliding_window` holds in the layers that
  /// `layer_types` names, or, without it, from layer `max_window_layers` on.
  static func read(_ fields: ConfigurationFields, layerCount: Int) throws(ConfigurationError)
    -> [Int?]
  {
    let window = try window(fields)
    if let windows = try LayerTypes.windows(fields, window: window, layerCount: layerCount) {
      return windows
    }
    let first = try fields.naturalIfPresent("max_window_layers") ?? 28
    return (0..<layerCount).map { $0 >= first ? window : nil }
  }

  private static func window(_ fields: ConfigurationFields) throws(ConfigurationError) -> Int? {
    guard try fields.flag("use_sliding_window") ?? false, !fields.isNull("sliding_window") else {
      return nil
    }
    return try fields.sizeIfPresent("sliding_window") ?? 4096
  }
}
