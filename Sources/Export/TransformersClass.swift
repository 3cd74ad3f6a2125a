public import FlapCore

/// The class of transformers itself that loads a checkpoint whose layers all have the same sizes:
/// the dense model's own (`modeling_llama.py` and its like in transformers 4.57 and 5).
public struct TransformersClass: Hashable, Sendable {
  /// `model_type`.
  public let modelType: String
  /// `architectures`.
  public let architecture: String
  /// Whether `attention_bias` and `mlp_bias` give every linear map a bias, so that those that
  /// pruning makes have a place.
  public let takesCompensation: Bool
  /// Whether the number of heads has to divide the hidden size (`LlamaConfig` of transformers 5),
  /// whatever `head_dim` says.
  public let wantsHeadsToDivideHiddenSize: Bool

  static let all = [
    TransformersClass(
      modelType: "llama", architecture: "LlamaForCausalLM", takesCompensation: true,
      wantsHeadsToDivideHiddenSize: true),
    TransformersClass(
      modelType: "mistral", architecture: "MistralForCausalLM", takesCompensation: false,
      wantsHeadsToDivideHiddenSize: false),
    TransformersClass(
      modelType: "mixtral", architecture: "MixtralForCausalLM", takesCompensation: false,
      wantsHeadsToDivideHiddenSize: false),
    TransformersClass(
      modelType: "qwen3_moe", architecture: "Qwen3MoeForCausalLM", takesCompensation: false,
      wantsHeadsToDivideHiddenSize: false),
    TransformersClass(
      modelType: "qwen2", architecture: "Qwen2ForCausalLM", takesCompensation: false,
      wantsHeadsToDivideHiddenSize: false),
    TransformersClass(
      modelType: "qwen3", architecture: "Qwen3ForCausalLM", takesCompensation: false,
      wantsHeadsToDivideHiddenSize: false),
    TransformersClass(
      modelType: "phi3", architecture: "Phi3ForCausalLM", takesCompensation: false,
      wantsHeadsToDivideHiddenSize: false),
    TransformersClass(
      modelType: "smollm3", architecture: "SmolLM3ForCausalLM", takesCompensation: true,
      wantsHeadsToDivideHiddenSize: false),
    TransformersClass(
      modelType: "gemma3_text", architecture: "Gemma3ForCausalLM", takesCompensation: false,
      wantsHeadsToDivideHiddenSize: true),
    TransformersClass(
      modelType: "granite", architecture: "GraniteForCausalLM", takesCompensation: true,
      wantsHeadsToDivideHiddenSize: false),
    TransformersClass(
      modelType: "olmo2", architecture: "Olmo2ForCausalLM", takesCompensation: false,
      wantsHeadsToDivideHiddenSize: false),
    TransformersClass(
      modelType: "olmo3", architecture: "Olmo3ForCausalLM", takesCompensation: false,
      wantsHeadsToDivideHiddenSize: false),
  ]

}

extension TransformersClass {
  /// The class of a model, also of one that was pruned before (`flap_…`).
  public init(modelType: String) throws(TransformersClassError) {
    let family = modelType.hasPrefix("flap_") ? String(modelType.dropFirst(5)) : modelType
    guard let known = TransformersClass.all.first(where: { $0.modelType == family }) else {
      throw .unknown(modelType: modelType)
    }
    self = known
  }

  /// The biases that the class gives its maps; those that a checkpoint lacks are zeros there.
  ///
  /// - Parameters:
  ///   - present: that the weights bring, the compensation's included.
  /// - Throws: when one of these has no place in the class.
  public func biases(holding present: Biases) throws(TransformersClassError) -> Biases {
    guard takesCompensation else {
      // What such a class has is fixed; it is the dense model's own.
      guard !present.mlpDown, !present.gateUp, !present.attentionOutput || present.queryKeyValue
      else { throw .noPlaceForBiases(architecture: architecture) }
      return present
    }
    let attention = present.queryKeyValue || present.attentionOutput
    let mlp = present.gateUp || present.mlpDown
    return Biases(
      queryKeyValue: attention, attentionOutput: attention, gateUp: mlp, mlpDown: mlp)
  }

  /// Whether it has a place for all that a model has.
  public func takes(_ shape: ModelShape) -> Bool {
    do throws(TransformersClassError) {
      try check(shape)
      _ = try biases(holding: shape.biases)
      return true
    } catch {
      return false
    }
  }

  /// Whether it wants as many heads as the dense model has: Phi-3's checks the divisors of longrope
  /// against hidden size ÷ heads, whatever `head_dim` says.
  public func wantsAllHeads(of shape: ModelShape) -> Bool {
    if modelType == "phi3", case .longRope = shape.rotaryEmbedding.scaling { true } else { false }
  }

  /// Checks what is left of a model against what the class takes.
  ///
  /// - Throws: the first reason why it does not.
  func check(_ pruned: ModelShape) throws(TransformersClassError) {
    guard let first = pruned.layers.first else { return }
    // Experts have a size of their own, besides that of the layers that have none.
    for isMixture in [false, true] {
      let layers = pruned.layers.enumerated().filter { ($1.experts != nil) == isMixture }
      guard let (_, like) = layers.first else { continue }
      for (index, layer) in layers
      where layer.headCount != first.headCount
        || layer.keyValueHeadCount != first.keyValueHeadCount
        || layer.intermediateSize != like.intermediateSize || layer.experts != like.experts
      {
        throw .layersDiffer(layer: index)
      }
    }
    guard !wantsHeadsToDivideHiddenSize || pruned.hiddenSize % first.headCount == 0 else {
      throw .headsDoNotDivide(
        architecture: architecture, heads: first.headCount, hiddenSize: pruned.hiddenSize)
    }
    guard
      !wantsAllHeads(of: pruned) || pruned.hiddenSize / first.headCount == pruned.headDimension
    else { throw .headsAreCounted(architecture: architecture, heads: first.headCount) }
  }
}

/// Why a checkpoint cannot be one of a class of transformers itself.
public enum TransformersClassError: Error, Hashable, Sendable, CustomStringConvertible {
  case unknown(modelType: String)
  case noPlaceForBiases(architecture: String)
  case layersDiffer(layer: Int)
  case headsDoNotDivide(architecture: String, heads: Int, hiddenSize: Int)
  case headsAreCounted(architecture: String, heads: Int)

  public var description: String {
    switch self {
    case .unknown(let modelType):
      "--uniform: no class of transformers is known for model_type \(modelType)"
    case .noPlaceForBiases(let architecture):
      "--uniform: \(architecture) has no place for the model's biases; leave out --uniform"
    case .layersDiffer(let layer):
      "the plan says that it is uniform, but layer \(layer) differs from layer 0: search again"
    case .headsDoNotDivide(let architecture, let heads, let hiddenSize):
      "\(architecture) takes no \(heads) heads, which do not divide the hidden size \(hiddenSize): "
        + "search again with --uniform"
    case .headsAreCounted(let architecture, let heads):
      "\(architecture) takes no \(heads) heads with longrope, only as many as the dense model has: "
        + "leave out --uniform, or search again with it"
    }
  }
}
