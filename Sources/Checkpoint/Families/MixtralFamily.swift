internal import FlapCore

/// Mixtral: experts in every layer, their gates normalized (`MixtralConfig`).
enum MixtralFamily: FamilyDefinition {
  static let className = "Mixtral"
  static let defaultKeyValueHeadCount: Int? = 8
  static let normEpsilon = 1e-5
  static let rotaryRules = RotaryRules(theta: 1_000_000)
  static let ownFields: Set<String> = [
    "sliding_window", "num_local_experts", "num_experts_per_tok",
  ]

  static func biases(_ fields: ConfigurationFields) -> Biases { Biases() }

  /// `sliding_window`: an absent one is none, unlike Mistral's.
  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  {
    Array(repeating: try fields.sizeIfPresent("sliding_window"), count: layerCount)
  }

  static func experts(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [LayerExperts?]
  {
    let count = try fields.sizeIfPresent("num_local_experts") ?? 8
    let shape = ExpertsShape(
      count: count, countPerToken: try fields.sizeIfPresent("num_experts_per_tok") ?? 2,
      names: .mixtral)
    try shape.check(fields, countField: "num_local_experts", layerCount: layerCount)
    let experts = LayerExperts(
      shape: shape, intermediateSize: try fields.size("intermediate_size"))
    return Array(repeating: experts, count: layerCount)
  }
}
