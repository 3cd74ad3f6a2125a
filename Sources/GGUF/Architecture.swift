internal import Checkpoint
internal import FlapCore
internal import SystemPackage

/// The architecture of llama.cpp that computes a model, and how it names and orders things.
struct Architecture {
  /// `general.architecture`.
  let name: String
  /// Whether layers may have sizes of their own.
  var takesUnequalLayers = false
  /// Whether there is a place for biases of all maps.
  var takesBiases = true
  /// Whether it has as many channels of query heads as of the stream, so that no head may go.
  var keepsHeads = false
  /// Whether channels 2j and 2j + 1 of a head are turned together (`LLAMA_ROPE_TYPE_NORM`).
  var turnsNeighbours = true
  /// Whether layers attend over windows.
  var hasWindows = false
  /// Keys of the family's own, without the architecture before them.
  var entries: [(key: String, value: MetadataValue)] = []

  private init(_ name: String) { self.name = name }
}

extension Architecture {
  init(_ configuration: ModelConfiguration, _ directory: FilePath) throws(GGUFError) {
    do {
      try self.init(configuration.shape, configuration.family)
    } catch {
      throw .noTarget(directory: directory.string, reason: error.reason)
    }
  }

  /// - Throws: why there is none, in words.
  init(_ shape: ModelShape, _ family: ModelFamily) throws(NoArchitecture) {
    guard !shape.hasReplacedExperts else {
      throw NoArchitecture("llama.cpp has no place for the means that stand for experts here")
    }
    switch family {
    case .llama, .mistral, .qwen2: self.init(shape)
    case .mixtral:
      self.init("llama")
      // Its experts have none.
      takesBiases = false
    case .qwen3, .qwen3Moe: try self.init(qwen3: shape)
    case .phi3:
      guard shape.rotaryEmbedding.rotatedDimension == nil else {
        throw NoArchitecture(
          "llama.cpp turns whole heads in its architectures with sizes per layer, and "
            + "partial_rotary_factor asks for a part")
      }
      self.init(shape)
    case .granite: self.init(granite: shape.arithmetic)
    case .smollm3: try self.init(smolLM3: shape)
    case .gemma3: try self.init(gemma3: shape)
    case .olmo2, .olmo3: try self.init(olmo: shape)
    }
    try checkSizes(shape)
  }

  private init(_ shape: ModelShape) {
    self.init(shape.isUniform ? "llama" : "deci")
    takesUnequalLayers = true
  }

  private init(qwen3 shape: ModelShape) throws(NoArchitecture) {
    self.init(shape.hasExperts ? "qwen3moe" : "qwen3")
    takesBiases = false
    turnsNeighbours = false
    guard shape.layers.allSatisfy({ $0.experts?.normalizesGates ?? true }) else {
      throw NoArchitecture(
        "llama.cpp divides the gates of a Qwen3-MoE by their sum, and norm_topk_prob is false")
    }
  }

  private init(granite arithmetic: Arithmetic) {
    self.init("granite")
    entries = [
      ("attention.scale", arithmetic.attentionScale ?? 1),
      ("embedding_scale", arithmetic.embeddingScale),
      ("residual_scale", arithmetic.residualScale), ("logit_scale", arithmetic.logitDivisor),
    ].map { ($0.0, .float32(Float($0.1))) }
  }

  private init(smolLM3 shape: ModelShape) throws(NoArchitecture) {
    self.init("smollm3")
    takesBiases = false
    let turned = (1...shape.layers.count).map { $0 % 4 != 0 }
    guard shape.layers.map({ $0.rotation == .global }) == turned else {
      throw NoArchitecture(
        "llama.cpp leaves every fourth layer of a SmolLM3 unturned, and no other")
    }
  }

  private init(gemma3 shape: ModelShape) throws(NoArchitecture) {
    self.init("gemma3")
    takesBiases = false
    turnsNeighbours = false
    hasWindows = true
    guard shape.arithmetic.logitCap == nil else {
      throw NoArchitecture("llama.cpp does not cap a Gemma 3's logits (final_logit_softcapping)")
    }
    guard shape.layers.count != 62,
      shape.arithmetic.attentionScale == 1 / Double(shape.headDimension).squareRoot()
    else {
      throw NoArchitecture(
        "llama.cpp scales a Gemma 3's attention by its head size, and query_pre_attn_scalar is another "
          + "number, or by its number of heads with 62 layers")
    }
    switch shape.rotaryEmbedding.scaling {
    case .none, .linear: break
    default: throw NoArchitecture("llama.cpp scales a Gemma 3's rotation linearly only")
    }
    guard shape.layers.contains(where: { $0.attentionWindow != nil }) else {
      throw NoArchitecture("llama.cpp caps the logits of a Gemma 3 without windows")
    }
    entries =
      try Architecture.windows(shape)
      + [("rope.freq_base_swa", .float32(Float(shape.localRotaryEmbedding?.theta ?? 10000)))]
  }

  /// OLMo 2, and OLMo 3, which has windows.
  private init(olmo shape: ModelShape) throws(NoArchitecture) {
    self.init("olmo2")
    takesBiases = false
    turnsNeighbours = false
    keepsHeads = true
    guard !shape.tiesEmbeddings else {
      throw NoArchitecture("llama.cpp's OLMo 2 has an output projection of its own")
    }
    guard
      shape.layers.allSatisfy({ $0.headCount * shape.headDimension == shape.hiddenSize })
    else { throw NoArchitecture(headsReason) }
    guard shape.layers.contains(where: { $0.attentionWindow != nil }) else { return }
    hasWindows = true
    entries = try Architecture.windows(shape)
  }

  /// Windows of one size in all layers but every so many-th.
  private static func windows(_ shape: ModelShape) throws(NoArchitecture)
    -> [(key: String, value: MetadataValue)]
  {
    let windows = shape.layers.map(\.attentionWindow)
    let period = (windows.firstIndex(of: nil) ?? windows.count) + 1
    let size = windows.compactMap { $0 }.first
    guard let size, windows == windows.indices.map({ $0 % period < period - 1 ? size : nil })
    else {
      throw NoArchitecture(
        "llama.cpp wants windows in all layers but every so many-th, and layer_types say otherwise")
    }
    return [
      ("attention.sliding_window", .uint32(UInt32(size))),
      ("attention.sliding_window_pattern", .uint32(UInt32(period))),
    ]
  }

  private func checkSizes(_ shape: ModelShape) throws(NoArchitecture) {
    guard !shape.hasExperts || shape.layers.allSatisfy({ $0.experts != nil }) else {
      throw NoArchitecture("llama.cpp wants experts in all layers or in none")
    }
    guard takesUnequalLayers || shape.hasEqualSizes else { throw NoArchitecture(sizesReason) }
    guard takesBiases || shape.biases == Biases() else { throw NoArchitecture(biasesReason) }
  }

  var sizesReason: String {
    "llama.cpp has layers of one size in its architecture \(name), and no other computes such a "
      + "model: prune with --uniform"
  }

  var headsReason: String {
    "llama.cpp's OLMo 2 has as many channels of heads as of the stream: prune with --uniform and "
      + "--attention-ratio 0"
  }

  var biasesReason: String {
    "llama.cpp has no place for biases in its architecture \(name): prune with --compensation none"
  }
}

/// Why llama.cpp computes no such model.
struct NoArchitecture: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}

extension ModelShape {
  /// Whether all layers have the same numbers of heads and neurons.
  fileprivate var hasEqualSizes: Bool {
    layers.allSatisfy {
      $0.headCount == layers[0].headCount && $0.keyValueHeadCount == layers[0].keyValueHeadCount
        && $0.intermediateSize == layers[0].intermediateSize
    }
  }
}
