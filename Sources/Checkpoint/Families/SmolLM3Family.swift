internal import FlapCore

/// SmolLM3: layers without rotation among others (`SmolLM3Config`).
enum SmolLM3Family: FamilyDefinition {
  static let className = "SmolLM3"
  static let defaultKeyValueHeadCount: Int? = 4
  static let tiesEmbeddings = true
  static let rotaryRules = RotaryRules(theta: 2_000_000)
  static let ownFields: Set<String> = [
    "attention_bias", "mlp_bias", "no_rope_layers", "no_rope_layer_interval",
    "use_sliding_window", "sliding_window", "layer_types",
  ]

  static func biases(_ fields: ConfigurationFields) throws(ConfigurationError) -> Biases {
    try LlamaFamily.biases(fields)
  }

  /// A window holds in the layers that `layer_types` names, or, without it, in those that are not
  /// turned.
  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  {
    let isUsed = try fields.flag("use_sliding_window") ?? false
    let window = isUsed ? try fields.sizeIfPresent("sliding_window") : nil
    if let windows = try LayerTypes.windows(fields, window: window, layerCount: layerCount) {
      return windows
    }
    return try turned(fields, layerCount: layerCount).map { $0 ? nil : window }
  }

  static func rotations(_ fields: ConfigurationFields, windows: [Int?]) throws(ConfigurationError)
    -> [LayerShape.Rotation]
  {
    try turned(fields, layerCount: windows.count).map { $0 ? .global : .none }
  }

  /// `no_rope_layers`: 1 where a layer is turned; without it every one but each
  /// `no_rope_layer_interval`-th.
  private static func turned(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Bool]
  {
    guard let flags = try fields.wholes("no_rope_layers") else {
      let interval = try fields.sizeIfPresent("no_rope_layer_interval") ?? 4
      return (1...layerCount).map { $0 % interval != 0 }
    }
    guard flags.count >= layerCount else {
      throw fields.error(
        "no_rope_layers", "names \(flags.count) layers, where num_hidden_layers is \(layerCount)")
    }
    return flags.prefix(layerCount).map { $0 != 0 }
  }
}
