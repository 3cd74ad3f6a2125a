internal import FlapCore

/// OLMo 2: norms behind attention and MLP, and of all queries and keys together (`Olmo2Config`).
enum OLMo2Family: FamilyDefinition {
  static let className = "Olmo2"
  static let normalizesQueriesAndKeys = true
  static let normEpsilon = 1e-5
  static let ownFields: Set<String> = ["attention_bias"]
  // transformers 4.57 takes a scaling only where its factor is written with a fraction.
  static let rotaryRules = RotaryRules(types: ["default"])

  static func biases(_ fields: ConfigurationFields) throws(ConfigurationError) -> Biases {
    try Qwen3Family.biases(fields)
  }

  static func arithmetic(_ fields: ConfigurationFields) -> Arithmetic {
    Arithmetic(normPlacement: .behind, normalizesHeadsTogether: true)
  }
}

/// OLMo 3: OLMo 2 with windows in three layers of four, which are turned without scaling
/// (`Olmo3Config`).
enum OLMo3Family: FamilyDefinition {
  static let className = "Olmo3"
  static let normalizesQueriesAndKeys = true
  static let normEpsilon = 1e-5
  static let ownFields: Set<String> = ["attention_bias", "layer_types", "sliding_window"]
  static let rotaryRules = RotaryRules(isLayered: true, wantsRopeType: true)

  static func biases(_ fields: ConfigurationFields) throws(ConfigurationError) -> Biases {
    try Qwen3Family.biases(fields)
  }

  static func arithmetic(_ fields: ConfigurationFields) -> Arithmetic {
    OLMo2Family.arithmetic(fields)
  }

  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  {
    let window =
      fields.isNull("sliding_window") ? nil : try fields.sizeIfPresent("sliding_window") ?? 4096
    if let windows = try LayerTypes.windows(fields, window: window, layerCount: layerCount) {
      return windows
    }
    guard let window else {
      throw fields.error("sliding_window", "is null, but layers attend over a window")
    }
    return (1...layerCount).map { $0 % 4 == 0 ? nil : window }
  }

  static func rotations(_ fields: ConfigurationFields, windows: [Int?]) -> [LayerShape.Rotation] {
    windows.map { $0 == nil ? .global : .local }
  }

  static func globalRotaryFields(_ fields: ConfigurationFields) throws(ConfigurationError)
    -> ConfigurationFields
  { try LayeredRotaryFields(fields).global }

  /// `rope_theta` without scaling. Without `rope_parameters` transformers 5 takes 500,000 in layers with
  /// a window, whatever the file says.
  static func localRotaryEmbedding(
    _ fields: ConfigurationFields, headDimension: Int, global: RotaryEmbedding
  ) throws(ConfigurationError) -> RotaryEmbedding? {
    let layered = try LayeredRotaryFields(fields)
    let theta = try layered.slidingTheta ?? newerTheta
    guard fields.has("rope_theta") || fields.has("rope_parameters") else {
      throw fields.error(
        "rope_theta", "is missing: transformers 4.57 takes 10000, 5 \(newerTheta); name it")
    }
    guard theta == global.theta else {
      throw fields.error(
        "rope_theta",
        "is \(global.theta), and in transformers 5 \(theta) in layers with a window, which 4.57 does "
          + "not tell apart: name rope_parameters of both kinds of layers")
    }
    return try layered.local(theta: nil, headDimension: headDimension, RotaryRules(theta: theta))
  }

  private static let newerTheta = 500_000.0
}
