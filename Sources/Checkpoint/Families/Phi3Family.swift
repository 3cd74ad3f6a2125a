internal import FlapCore

/// Phi-3, 3.5 and 4: joined maps, of Phi-4-mini's heads a part is turned (`Phi3Config`).
enum Phi3Family: FamilyDefinition {
  static let className = "Phi3"
  static let ownFields: Set<String> = ["sliding_window"]
  static let fusedMaps = FusedMaps(queryKeyValue: true, gateUp: true)
  static let normEpsilon = 1e-5
  static let rotaryRules = RotaryRules(
    takesFraction: true, originalLength: 4096, types: ["default", "longrope"],
    aliases: ["su": "longrope", "yarn": "longrope"],
    olderFields: ["type", "short_factor", "long_factor"])

  static func biases(_ fields: ConfigurationFields) -> Biases { Biases() }

  /// `sliding_window`: of all layers; absent is none.
  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  {
    Array(repeating: try fields.sizeIfPresent("sliding_window"), count: layerCount)
  }
}
