/// The sizes of a decoder-only transformer of the LLaMA kind: all that the forward pass,
/// the structure search and the writer need to know of a model besides its weights.
///
/// Sizes are per layer, because a pruned model keeps different heads and neurons in each.
public struct ModelShape: Hashable, Sendable {
  /// `hidden_size`: width of the residual stream, in channels.
  public var hiddenSize: Int
  /// `head_dim`: channels of one attention head.
  public var headDimension: Int
  /// `vocab_size`: rows of the embedding.
  public var vocabularySize: Int
  /// `rms_norm_eps`.
  public var rmsNormEpsilon: Double
  public var rotaryEmbedding: RotaryEmbedding
  /// Of the layers that turn by another one (``LayerShape/Rotation/local``); nil: none does.
  public var localRotaryEmbedding: RotaryEmbedding?
  /// `tie_word_embeddings`: the output projection is the embedding.
  public var tiesEmbeddings: Bool
  public var biases: Biases
  /// Whether the queries and keys of every head are normalized before they are rotated, by weights
  /// [head dimension] that all heads of a layer share (`q_norm`, `k_norm`; Qwen3).
  public var normalizesQueriesAndKeys: Bool
  public var fusedMaps: FusedMaps
  public var arithmetic: Arithmetic
  /// One entry per decoder layer, from the embedding up.
  public var layers: [LayerShape]

  public init(
    hiddenSize: Int, headDimension: Int, vocabularySize: Int, rmsNormEpsilon: Double,
    rotaryEmbedding: RotaryEmbedding, localRotaryEmbedding: RotaryEmbedding? = nil,
    tiesEmbeddings: Bool, biases: Biases, normalizesQueriesAndKeys: Bool = false,
    fusedMaps: FusedMaps = FusedMaps(), arithmetic: Arithmetic = Arithmetic(),
    layers: [LayerShape]
  ) {
    self.hiddenSize = hiddenSize
    self.headDimension = headDimension
    self.vocabularySize = vocabularySize
    self.rmsNormEpsilon = rmsNormEpsilon
    self.rotaryEmbedding = rotaryEmbedding
    self.localRotaryEmbedding = localRotaryEmbedding
    self.tiesEmbeddings = tiesEmbeddings
    self.biases = biases
    self.normalizesQueriesAndKeys = normalizesQueriesAndKeys
    self.fusedMaps = fusedMaps
    self.arithmetic = arithmetic
    self.layers = layers
  }

  /// Channels at one tap of one layer: query heads × head dimension, or the MLP's neurons; those of
  /// experts lie beside one another, expert by expert.
  public func channelCount(layer: Int, tap: Tap) -> Int {
    switch tap {
    case .attentionOutput: tap.axis.count(layers[layer], of: self)
    case .mlpDown: layers[layer].neuronCount
    }
  }

  /// The channels of a tap that one map reads: those of an expert, or all.
  public func channels(layer: Int, tap: Tap, expert: Int?) -> Range<Int> {
    let width = layers[layer].intermediateSize
    guard tap == .mlpDown, let expert else { return 0..<channelCount(layer: layer, tap: tap) }
    return expert * width..<(expert + 1) * width
  }

  /// Whether some layers have experts.
  public var hasExperts: Bool { layers.contains { $0.experts != nil } }

  /// Whether of some experts only a mean output is left.
  public var hasReplacedExperts: Bool {
    layers.contains { !($0.experts?.replaced.isEmpty ?? true) }
  }
}

/// The sizes of one decoder layer.
public struct LayerShape: Hashable, Sendable {
  /// `num_attention_heads`: query heads.
  public var headCount: Int
  /// `num_key_value_heads`: key and value heads; a divisor of `headCount`. One of them with its
  /// query heads is a *group*, the unit in which attention is pruned.
  public var keyValueHeadCount: Int
  /// `intermediate_size`: neurons of the MLP, or `moe_intermediate_size`: of each expert.
  public var intermediateSize: Int
  /// `sliding_window`: tokens that a token attends to at most, itself included; nil: to itself and
  /// all before it.
  public var attentionWindow: Int?
  public var rotation: Rotation
  /// nil: the layer has one MLP, which all tokens go through.
  public var experts: ExpertsShape?

  /// By which rotary embedding a layer turns queries and keys.
  public enum Rotation: String, Hashable, Sendable, CaseIterable {
    /// ``ModelShape/rotaryEmbedding``.
    case global
    /// ``ModelShape/localRotaryEmbedding`` (Gemma 3's layers with a window).
    case local
    /// By none: positions tell by the mask alone (SmolLM3's `no_rope_layers`).
    case none
  }

  public init(
    headCount: Int, keyValueHeadCount: Int, intermediateSize: Int, attentionWindow: Int? = nil,
    rotation: Rotation = .global, experts: ExpertsShape? = nil
  ) {
    self.experts = experts
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount
    self.intermediateSize = intermediateSize
    self.attentionWindow = attentionWindow
    self.rotation = rotation
  }

  /// Query heads that share one key and value head; 1 in plain multi-head attention.
  public var headsPerGroup: Int { headCount / keyValueHeadCount }

  /// Neurons of the MLP, or of all experts together.
  public var neuronCount: Int { intermediateSize * (experts?.computingCount ?? 1) }
}

/// Which of a layer's linear maps add a bias.
public struct Biases: Hashable, Sendable {
  public var queryKeyValue: Bool
  public var attentionOutput: Bool
  public var gateUp: Bool
  public var mlpDown: Bool

  public init(
    queryKeyValue: Bool = false, attentionOutput: Bool = false, gateUp: Bool = false,
    mlpDown: Bool = false
  ) {
    self.queryKeyValue = queryKeyValue
    self.attentionOutput = attentionOutput
    self.gateUp = gateUp
    self.mlpDown = mlpDown
  }
}

/// Which of a layer's linear maps lie in one tensor, one after another along its rows.
public struct FusedMaps: Hashable, Sendable {
  /// `self_attn.qkv_proj` (Phi-3).
  public var queryKeyValue: Bool
  /// `mlp.gate_up_proj` (Phi-3).
  public var gateUp: Bool

  public init(queryKeyValue: Bool = false, gateUp: Bool = false) {
    self.queryKeyValue = queryKeyValue
    self.gateUp = gateUp
  }
}
