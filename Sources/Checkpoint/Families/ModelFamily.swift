internal import FlapCore

/// A family of models that the forward pass knows, by its `model_type`.
public enum ModelFamily: String, CaseIterable, Hashable, Sendable {
  case llama, mistral, mixtral, qwen2, qwen3
  case qwen3Moe = "qwen3_moe"

  /// `model_type` of a dense model; with ``prunedPrefix`` before it, of a pruned one.
  public var modelType: String { rawValue }

  /// How transformers' classes of the family begin, such as `LlamaForCausalLM`.
  public var className: String { definition.className }

  /// Whether its layers can have experts.
  public var hasExperts: Bool { self == .mixtral || self == .qwen3Moe }

  /// `model_type` of a model of unequal layers, which transformers loads by its own code.
  public static let prunedPrefix = "flap_"

  /// - Parameter modelType: of a dense or pruned model.
  public init?(modelType: String) {
    let isPruned = modelType.hasPrefix(ModelFamily.prunedPrefix)
    self.init(
      rawValue: isPruned ? String(modelType.dropFirst(ModelFamily.prunedPrefix.count)) : modelType)
  }

  var definition: any FamilyDefinition.Type {
    switch self {
    case .llama: LlamaFamily.self
    case .mistral: MistralFamily.self
    case .mixtral: MixtralFamily.self
    case .qwen2: Qwen2Family.self
    case .qwen3: Qwen3Family.self
    case .qwen3Moe: Qwen3MoeFamily.self
    }
  }
}

/// What a family's `config.json` means, besides the fields that all families share. Defaults are
/// those of transformers' configuration classes.
protocol FamilyDefinition {
  static var className: String { get }
  /// `head_dim` where the file has none; nil: `hidden_size` ÷ `num_attention_heads`.
  static var defaultHeadDimension: Int? { get }
  /// `num_key_value_heads` where the file has none; nil: `num_attention_heads`, as with a null.
  static var defaultKeyValueHeadCount: Int? { get }
  static var normalizesQueriesAndKeys: Bool { get }
  /// Fields of `config.json` that are read in this family and not in all.
  static var ownFields: Set<String> { get }
  /// Of the dense model.
  static func biases(_ fields: ConfigurationFields) throws(ConfigurationError) -> Biases
  /// Tokens that a token of each layer attends to at most, itself included; nil: all before it.
  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  /// Of each layer; nil: it has one MLP of `intermediate_size`.
  static func experts(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [LayerExperts?]
}

extension FamilyDefinition {
  static var defaultHeadDimension: Int? { nil }
  static var defaultKeyValueHeadCount: Int? { nil }
  static var normalizesQueriesAndKeys: Bool { false }

  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  {
    Array(repeating: nil, count: layerCount)
  }

  static func experts(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [LayerExperts?]
  {
    Array(repeating: nil, count: layerCount)
  }
}
