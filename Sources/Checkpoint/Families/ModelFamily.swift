internal import FlapCore

/// A family of models that the forward pass knows, by its `model_type`.
public enum ModelFamily: String, CaseIterable, Hashable, Sendable {
  case llama, mistral, mixtral, qwen2, qwen3, phi3, smollm3, granite, olmo2, olmo3
  case qwen3Moe = "qwen3_moe"
  case gemma3 = "gemma3_text"

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
    case .phi3: Phi3Family.self
    case .smollm3: SmolLM3Family.self
    case .gemma3: Gemma3Family.self
    case .granite: GraniteFamily.self
    case .olmo2: OLMo2Family.self
    case .olmo3: OLMo3Family.self
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
  static var fusedMaps: FusedMaps { get }
  /// `tie_word_embeddings` where the file has none.
  static var tiesEmbeddings: Bool { get }
  /// `rms_norm_eps` where the file has none.
  static var normEpsilon: Double { get }
  /// The field that names the activation, and the names that are supported, all of one function.
  static var activation: (field: String, names: [String]) { get }
  static var rotaryRules: RotaryRules { get }
  /// Fields of `config.json` that are read in this family and not in all.
  static var ownFields: Set<String> { get }
  /// Fields that are read in other families and have no use in this one.
  static var unreadFields: Set<String> { get }
  /// Of the dense model.
  static func biases(_ fields: ConfigurationFields) throws(ConfigurationError) -> Biases
  /// Tokens that a token of each layer attends to at most, itself included; nil: all before it.
  static func attentionWindows(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [Int?]
  /// Of each layer; nil: it has one MLP of `intermediate_size`.
  static func experts(_ fields: ConfigurationFields, layerCount: Int)
    throws(ConfigurationError) -> [LayerExperts?]
  /// By which embedding each layer turns queries and keys.
  ///
  /// - Parameter windows: of the layers.
  static func rotations(_ fields: ConfigurationFields, windows: [Int?]) throws(ConfigurationError)
    -> [LayerShape.Rotation]
  /// Of layers that turn by another embedding than ``globalRotaryFields(_:)`` say; nil: there are none.
  static func localRotaryEmbedding(
    _ fields: ConfigurationFields, headDimension: Int, global: RotaryEmbedding
  ) throws(ConfigurationError) -> RotaryEmbedding?
  /// The fields with those of the global embedding where most families have them.
  static func globalRotaryFields(_ fields: ConfigurationFields) throws(ConfigurationError)
    -> ConfigurationFields
  static func arithmetic(_ fields: ConfigurationFields) throws(ConfigurationError) -> Arithmetic
}

extension FamilyDefinition {
  static var fusedMaps: FusedMaps { FusedMaps() }
  static var tiesEmbeddings: Bool { false }
  static var normEpsilon: Double { 1e-6 }
  static var activation: (field: String, names: [String]) { ("hidden_act", ["silu", "swish"]) }
  static var rotaryRules: RotaryRules { RotaryRules() }
  static var unreadFields: Set<String> { [] }
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

  static func rotations(_ fields: ConfigurationFields, windows: [Int?])
    throws(ConfigurationError) -> [LayerShape.Rotation]
  {
    Array(repeating: .global, count: windows.count)
  }

  static func localRotaryEmbedding(
    _ fields: ConfigurationFields, headDimension: Int, global: RotaryEmbedding
  ) throws(ConfigurationError) -> RotaryEmbedding? { nil }

  static func globalRotaryFields(_ fields: ConfigurationFields) throws(ConfigurationError)
    -> ConfigurationFields
  { fields }

  static func arithmetic(_ fields: ConfigurationFields) throws(ConfigurationError) -> Arithmetic {
    Arithmetic()
  }
}
