public import FlapCore
internal import Storage
public import SystemPackage

/// A checkpoint's `config.json`: the model's shape, and the text for whoever writes it again.
public struct ModelConfiguration: Sendable {
  public let family: ModelFamily
  public var shape: ModelShape
  /// The family's name; "flap_" before it says that layers have sizes of their own.
  public let modelType: String
  /// Tokens of the longest text that the model was made for (`max_position_embeddings`); nil where
  /// that is not told.
  public let positionCount: Int?
  /// What of the file has no effect here, though somebody may have meant it to: lines for whoever
  /// begins a run.
  public let notes: [String]
  /// The whole file.
  public let json: [UInt8]

  /// - Throws: ``ConfigurationError`` that names the field, or a ``StorageError``.
  public init(path: FilePath) throws {
    try self.init(
      json: try SmallFile.read(path, limit: Limits.jsonFileBytes), path: path.string)
  }

  /// - Parameter path: for messages.
  public init(json: [UInt8], path: String) throws(ConfigurationError) {
    self.json = json
    let fields = try ConfigurationFields(json: json, path: path)
    guard let modelType = try fields.text("model_type") else {
      throw fields.error("model_type", "is missing")
    }
    self.modelType = modelType
    guard let family = ModelFamily(modelType: modelType) else {
      throw fields.error(
        "model_type",
        "is \(modelType)\(UnsupportedModels.reason(modelType: modelType)); supported are "
          + ModelFamily.allCases.map(\.modelType).joined(separator: ", "))
    }
    self.family = family
    try UnsupportedModels.check(fields, family)
    shape = try ModelConfiguration.shape(fields, family.definition)
    // It decides nothing that is computed: where it is no length, nothing is lost.
    notes = try ConfigurationNotes.notes(fields, family)
    positionCount = (try? fields.sizeIfPresent("max_position_embeddings")) ?? nil
  }

  private static func shape(_ fields: ConfigurationFields, _ family: any FamilyDefinition.Type)
    throws(ConfigurationError) -> ModelShape
  {
    var biases = try family.biases(fields)
    if try fields.flag("flap_bias") ?? false {
      biases.attentionOutput = true
      biases.mlpDown = true
    }
    let headDimension = try headDimension(fields, family)
    let rotary = try RotaryEmbedding(
      family.globalRotaryFields(fields), headDimension: headDimension, family.rotaryRules)
    let local = try family.localRotaryEmbedding(
      fields, headDimension: headDimension, global: rotary)
    return ModelShape(
      hiddenSize: try fields.size("hidden_size"),
      headDimension: headDimension,
      vocabularySize: try fields.size("vocab_size"),
      rmsNormEpsilon: try fields.number("rms_norm_eps") ?? family.normEpsilon,
      rotaryEmbedding: rotary, localRotaryEmbedding: local,
      tiesEmbeddings: try fields.flag("tie_word_embeddings") ?? family.tiesEmbeddings,
      biases: biases,
      normalizesQueriesAndKeys: family.normalizesQueriesAndKeys,
      fusedMaps: family.fusedMaps, arithmetic: try family.arithmetic(fields),
      layers: try layers(fields, family))
  }

  private static func headDimension(
    _ fields: ConfigurationFields, _ family: any FamilyDefinition.Type
  ) throws(ConfigurationError) -> Int {
    if let named = try fields.sizeIfPresent("head_dim") ?? family.defaultHeadDimension {
      guard named % 2 == 0 else {
        throw fields.error("head_dim", "is \(named); rotary embedding needs an even number")
      }
      return named
    }
    let hidden = try fields.size("hidden_size")
    let heads = try fields.size("num_attention_heads")
    guard hidden % (2 * heads) == 0 else {
      throw fields.error(
        "hidden_size", "is no even multiple of num_attention_heads: name head_dim")
    }
    return hidden / heads
  }

  /// The global sizes, with `per_layer_config` where a layer has its own.
  private static func layers(
    _ fields: ConfigurationFields, _ family: any FamilyDefinition.Type
  ) throws(ConfigurationError) -> [LayerShape] {
    let count = try fields.size("num_hidden_layers")
    guard count <= Limits.layerCount else {
      throw fields.error("num_hidden_layers", "is \(count), more than \(Limits.layerCount)")
    }
    let heads = try fields.size("num_attention_heads")
    // A null is as many as heads in every family.
    let usual = fields.isNull("num_key_value_heads") ? nil : family.defaultKeyValueHeadCount
    let keyValueHeads = try fields.sizeIfPresent("num_key_value_heads") ?? usual ?? heads
    let intermediate = try fields.size("intermediate_size")
    let windows = try family.attentionWindows(fields, layerCount: count)
    let experts = try fields.withReplacedExperts(try family.experts(fields, layerCount: count))
    let rotations = try family.rotations(fields, windows: windows)
    let perLayer = try fields.nested("per_layer_config")?.nestedByNumber() ?? [:]
    for (index, own) in perLayer.sorted(by: { $0.key < $1.key }) {
      try checkOverrides(own, layer: index, of: count, fields)
    }
    var layers: [LayerShape] = []
    for index in 0..<count {
      let own = perLayer[index]
      let ownSize = try own?.sizeIfPresent("intermediate_size")
      let size = experts[index]?.intermediateSize ?? ownSize ?? intermediate
      if let own, let ownSize, ownSize != size {
        throw own.error(
          "intermediate_size", "is \(ownSize), where experts of \(size) are in place of the MLP")
      }
      let layer = LayerShape(
        headCount: try own?.sizeIfPresent("num_attention_heads") ?? heads,
        keyValueHeadCount: try own?.sizeIfPresent("num_key_value_heads") ?? keyValueHeads,
        intermediateSize: size, attentionWindow: windows[index], rotation: rotations[index],
        experts: experts[index]?.shape)
      guard layer.headCount % layer.keyValueHeadCount == 0 else {
        throw (own ?? fields).error(
          "num_key_value_heads",
          "is \(layer.keyValueHeadCount), no divisor of num_attention_heads \(layer.headCount)")
      }
      layers.append(layer)
    }
    return layers
  }

  private static let layerSizes: Set<String> = [
    "num_attention_heads", "num_key_value_heads", "intermediate_size",
  ]

  /// transformers 5 lets a layer have any field of its own.
  private static func checkOverrides(
    _ own: ConfigurationFields, layer: Int, of count: Int, _ fields: ConfigurationFields
  ) throws(ConfigurationError) {
    guard layer < count else {
      throw fields.error(
        "per_layer_config", "names layer \(layer), where num_hidden_layers is \(count)")
    }
    for name in own.names
    where !layerSizes.contains(name) && own.value(name) != fields.value(name) {
      throw own.error(
        name,
        "is of this layer alone: layers may differ in num_attention_heads, "
          + "num_key_value_heads and intermediate_size only")
    }
  }
}
