public import FlapCore
internal import Foundation
internal import Storage
public import SystemPackage

/// A checkpoint's `config.json`: the model's shape, and the text for whoever writes it again.
public struct ModelConfiguration: Sendable {
  public let shape: ModelShape
  /// "llama" or "flap_llama".
  public let modelType: String
  /// The whole file.
  public let json: [UInt8]

  /// Families that the forward pass knows, by `model_type`.
  public static let knownModelTypes = ["llama", "flap_llama"]

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
    guard ModelConfiguration.knownModelTypes.contains(modelType) else {
      throw fields.error(
        "model_type",
        "is \(modelType); supported are "
          + ModelConfiguration.knownModelTypes.joined(separator: ", "))
    }
    shape = try ModelConfiguration.shape(fields)
  }

  private static func shape(_ fields: ConfigurationFields) throws(ConfigurationError) -> ModelShape
  {
    let activation = try fields.text("hidden_act") ?? "silu"
    guard activation == "silu" else {
      throw fields.error("hidden_act", "is \(activation); only silu is supported")
    }
    let hidden = try fields.size("hidden_size")
    let heads = try fields.size("num_attention_heads")
    let headDimension =
      try fields.has("head_dim") ? fields.size("head_dim") : quotient(hidden, heads, fields)
    guard headDimension % 2 == 0 else {
      throw fields.error("head_dim", "is \(headDimension); rotary embedding needs an even number")
    }
    let layerCount = try fields.size("num_hidden_layers")
    guard layerCount <= Limits.layerCount else {
      throw fields.error("num_hidden_layers", "is \(layerCount), more than \(Limits.layerCount)")
    }
    let isPruned = try fields.flag("flap_bias") ?? false
    let attentionBias = try fields.flag("attention_bias") ?? false
    let mlpBias = try fields.flag("mlp_bias") ?? false
    return ModelShape(
      hiddenSize: hidden, headDimension: headDimension,
      vocabularySize: try fields.size("vocab_size"),
      rmsNormEpsilon: try fields.number("rms_norm_eps") ?? 1e-6,
      rotaryEmbedding: try rotaryEmbedding(fields),
      tiesEmbeddings: try fields.flag("tie_word_embeddings") ?? false,
      biases: Biases(
        queryKeyValue: attentionBias, attentionOutput: attentionBias || isPruned, gateUp: mlpBias,
        mlpDown: mlpBias || isPruned),
      layers: try layers(fields, count: layerCount, heads: heads))
  }

  private static func quotient(_ hidden: Int, _ heads: Int, _ fields: ConfigurationFields)
    throws(ConfigurationError) -> Int
  {
    guard hidden % heads == 0 else {
      throw fields.error("hidden_size", "is no multiple of num_attention_heads: name head_dim")
    }
    return hidden / heads
  }

  /// The global sizes, with `per_layer_config` where a layer has its own.
  private static func layers(_ fields: ConfigurationFields, count: Int, heads: Int)
    throws(ConfigurationError) -> [LayerShape]
  {
    let keyValueHeads =
      try fields.has("num_key_value_heads") ? fields.size("num_key_value_heads") : heads
    let intermediate = try fields.size("intermediate_size")
    let perLayer = try fields.nested("per_layer_config")
    var layers: [LayerShape] = []
    for index in 0..<count {
      let own = try perLayer?.nested("\(index)")
      let layer = LayerShape(
        headCount: try own?.sizeIfPresent("num_attention_heads") ?? heads,
        keyValueHeadCount: try own?.sizeIfPresent("num_key_value_heads") ?? keyValueHeads,
        intermediateSize: try own?.sizeIfPresent("intermediate_size") ?? intermediate)
      guard layer.headCount % layer.keyValueHeadCount == 0 else {
        throw (own ?? fields).error(
          "num_key_value_heads",
          "is \(layer.keyValueHeadCount), no divisor of num_attention_heads \(layer.headCount)")
      }
      layers.append(layer)
    }
    return layers
  }

  /// `rope_theta` and `rope_scaling`, or `rope_parameters` as transformers 5 writes them.
  private static func rotaryEmbedding(_ fields: ConfigurationFields) throws(ConfigurationError)
    -> RotaryEmbedding
  {
    let parameters = try fields.nested("rope_parameters")
    let ownTheta = try parameters?.number("rope_theta")
    let globalTheta = try fields.number("rope_theta")
    let theta = ownTheta ?? globalTheta ?? 10000
    guard theta > 0 else { throw fields.error("rope_theta", "is not positive") }
    let olderParameters = try fields.nested("rope_scaling")
    guard let scaling = parameters ?? olderParameters else {
      return RotaryEmbedding(theta: theta)
    }
    let newerName = try scaling.text("rope_type")
    let olderName = try scaling.text("type")
    let type = newerName ?? olderName ?? "default"
    switch type {
    case "default": return RotaryEmbedding(theta: theta)
    case "linear":
      return RotaryEmbedding(
        theta: theta, scaling: .linear(factor: try scaling.positive("factor")))
    case "llama3":
      return RotaryEmbedding(
        theta: theta,
        scaling: .llama3(
          factor: try scaling.positive("factor"),
          lowFrequencyFactor: try scaling.positive("low_freq_factor"),
          highFrequencyFactor: try scaling.positive("high_freq_factor"),
          originalContextLength: try scaling.size("original_max_position_embeddings")))
    default:
      throw scaling.error("rope_type", "is \(type); supported are default, linear, llama3")
    }
  }
}
