import Checkpoint
import FlapCore
import Testing

/// What the families' `config.json` mean.
struct FamilyTests {
  @Test(
    "Mistral: a window in every layer; null is none, an absent one 4096",
    arguments: [
      ("\"sliding_window\": 4096, ", 4096), ("\"sliding_window\": 1, ", 1),
      ("\"sliding_window\": null, ", nil), ("", 4096),
    ])
  func mistral(window: String, expected: Int?) throws {
    let read = try parse(
      PublishedConfiguration.mistral.replacing("\"sliding_window\": 4096, ", with: window))
    #expect(read.family == .mistral)
    #expect(read.shape.headDimension == 128)
    #expect(read.shape.biases == Biases())
    let layer = LayerShape(
      headCount: 32, keyValueHeadCount: 8, intermediateSize: 14336, attentionWindow: expected)
    #expect(read.shape.layers == [layer, layer])
  }

  @Test("Qwen2: biases on q, k, v; the window is not in use")
  func qwen2() throws {
    let shape = try parse(PublishedConfiguration.qwen2).shape
    #expect(shape.biases == Biases(queryKeyValue: true))
    #expect(shape.headDimension == 64)
    #expect(shape.tiesEmbeddings)
    #expect(!shape.normalizesQueriesAndKeys)
    #expect(shape.layers.allSatisfy { $0.attentionWindow == nil })
  }

  @Test("Qwen3: norms of heads, head_dim of its own, 128 where absent")
  func qwen3() throws {
    let shape = try parse(PublishedConfiguration.qwen3).shape
    #expect(shape.normalizesQueriesAndKeys)
    #expect(shape.headDimension == 128)
    #expect(shape.biases == Biases())
    let names = Dictionary(uniqueKeysWithValues: shape.tensors.map { ($0.name, $0.shape) })
    #expect(names["model.layers.2.self_attn.k_norm.weight"] == [128])
    #expect(names["model.layers.2.self_attn.q_proj.weight"] == [2048, 1024])
    let implied = PublishedConfiguration.qwen3.replacing("\"head_dim\": 128, ", with: "")
    #expect(try parse(implied).shape == shape)
    let biased = PublishedConfiguration.qwen3.replacing(
      "\"attention_bias\": false", with: "\"attention_bias\": true")
    #expect(try parse(biased).shape.biases == Biases(queryKeyValue: true, attentionOutput: true))
  }

  @Test(
    "windows of Qwen layers",
    arguments: [
      ("\"max_window_layers\": 1", [nil, 32768, 32768]),
      ("\"max_window_layers\": 0", [32768, 32768, 32768]),
      ("\"max_window_layers\": null", [nil, nil, nil]),
      (
        "\"layer_types\": [\"sliding_attention\", \"full_attention\", \"sliding_attention\"]",
        [32768, nil, 32768]
      ),
    ] as [(String, [Int?])])
  func windows(field: String, expected: [Int?]) throws {
    let json = PublishedConfiguration.qwen2
      .replacing("\"use_sliding_window\": false", with: "\"use_sliding_window\": true")
      .replacing("\"max_window_layers\": 1", with: field)
    #expect(try parse(json).shape.layers.map(\.attentionWindow) == expected)
  }

  @Test("Qwen3-MoE: experts in the layers that have them, as its class decides")
  func qwen3Moe() throws {
    let experts = ExpertsShape(count: 128, countPerToken: 8)
    let shape = try parse(PublishedConfiguration.qwen3Moe).shape
    #expect(shape.layers.map(\.experts) == [experts, experts, experts])
    #expect(shape.layers.map(\.intermediateSize) == [768, 768, 768])
    #expect(shape.normalizesQueriesAndKeys && shape.layers[0].attentionWindow == nil)
    let names = Set(shape.tensors.map(\.name))
    #expect(names.contains("model.layers.2.mlp.experts.127.down_proj.weight"))
    let mixed = try parse(
      PublishedConfiguration.qwen3Moe
        .replacing("\"decoder_sparse_step\": 1", with: "\"decoder_sparse_step\": 2")
        .replacing("\"norm_topk_prob\": true,", with: "")
    ).shape
    #expect(mixed.layers.map { $0.experts?.normalizesGates } == [nil, false, nil])
    #expect(mixed.layers.map(\.intermediateSize) == [6144, 768, 6144])
    let spared = try parse(
      PublishedConfiguration.qwen3Moe
        .replacing("\"mlp_only_layers\": []", with: "\"mlp_only_layers\": [0, 2]"))
    #expect(spared.shape.layers.map { $0.experts != nil } == [false, true, false])
  }

  @Test("Mixtral: experts of intermediate_size in every layer, no window")
  func mixtral() throws {
    let shape = try parse(PublishedConfiguration.mixtral).shape
    let layer = LayerShape(
      headCount: 32, keyValueHeadCount: 8, intermediateSize: 14336,
      experts: ExpertsShape(count: 8, countPerToken: 2, names: .mixtral))
    #expect(shape.layers == [layer, layer])
    // What its class has where the file says nothing.
    let bare = try parse(
      PublishedConfiguration.mixtral.replacing("\"rope_theta\": 1000000.0,", with: "")
        .replacing("\"rms_norm_eps\": 1e-05, ", with: ""))
    #expect(bare.shape == shape)
  }

  @Test(
    "experts that cannot be",
    arguments: [
      ("\"num_experts_per_tok\": 8", "\"num_experts_per_tok\": 129", "more than num_experts 128"),
      ("\"num_experts\": 128", "\"num_experts\": 30000", "more than 65536 in all"),
      ("\"mlp_only_layers\": []", "\"mlp_only_layers\": 3", "mlp_only_layers is not a list"),
      ("\"norm_topk_prob\": true", "\"norm_topk_prob\": 1", "norm_topk_prob is neither"),
      ("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "hidden_act is gelu"),
    ])
  func impossibleExperts(field: String, wrong: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) {
      try parse(PublishedConfiguration.qwen3Moe.replacing(field, with: wrong))
    }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }

  private static let denseFamilies = ModelFamily.allCases.filter {
    ![.mixtral, .qwen3Moe].contains($0)
  }

  @Test("a pruned model of each family", arguments: denseFamilies)
  func pruned(family: ModelFamily) throws {
    let plain = PublishedConfiguration.of(family)
    let dense = try parse(plain).shape
    let read = try parse(
      plain.replacing("\"\(family.modelType)\"", with: "\"flap_\(family.modelType)\"")
        .replacing(
          "\"vocab_size\"",
          with: """
            "flap_bias": true, "per_layer_config": {"01": {"num_attention_heads": 6,
            "num_key_value_heads": 3, "intermediate_size": 100}}, "vocab_size"
            """))
    #expect(read.family == family)
    // transformers 5 writes 01 where there are ten layers or more.
    var layer = dense.layers[1]
    (layer.headCount, layer.keyValueHeadCount, layer.intermediateSize) = (6, 3, 100)
    #expect(read.shape.layers == [dense.layers[0], layer] + dense.layers.dropFirst(2))
    #expect(read.shape.biases.attentionOutput && read.shape.biases.mlpDown)
    #expect(read.shape.biases.queryKeyValue == (family == .qwen2))
    #expect(read.shape.arithmetic == dense.arithmetic)
  }

  @Test("Phi-4-mini: joined maps, three quarters of a head turned, by LongRoPE")
  func phi3() throws {
    let shape = try parse(PublishedConfiguration.phi3).shape
    #expect(shape.rotaryEmbedding.rotatedDimension == 12)
    guard case .longRope(let long) = shape.rotaryEmbedding.scaling else {
      throw ConfigurationMismatch()
    }
    #expect(long.longDivisors == [1, 1.25, 1.5, 2, 3, 6] && long.originalContextLength == 4096)
    // √(1 + ln(32) ÷ ln(4096))
    #expect(abs(long.attentionFactor - 1.190238) < 1e-6)
    let names = shape.tensors.map { "\($0.name) \($0.shape)" }
    #expect(names.contains("model.layers.1.self_attn.qkv_proj.weight [256, 128]"))
    #expect(names.contains("model.layers.1.mlp.gate_up_proj.weight [16384, 128]"))
    #expect(try parse(PublishedConfiguration.phi3).notes == [])
    let su = PublishedConfiguration.phi3.replacing("\"longrope\"", with: "\"su\"")
    #expect(try parse(su).shape == shape)
  }

  @Test("SmolLM3: every fourth layer is not turned; embeddings are tied where nothing is said")
  func smolLM3() throws {
    let shape = try parse(PublishedConfiguration.smollm3).shape
    #expect(shape.layers.map(\.rotation) == [.global, .global, .global, .none])
    #expect(shape.tiesEmbeddings && shape.layers.allSatisfy { $0.attentionWindow == nil })
    let absent = PublishedConfiguration.smollm3
      .replacing("\"no_rope_layers\": [1, 1, 1, 0], ", with: "")
    #expect(try parse(absent).shape == shape)
  }

  @Test("Gemma 3: four norms, windows with an embedding of their own, factors")
  func gemma3() throws {
    let read = try parse(PublishedConfiguration.gemma3)
    #expect(read.notes == [])
    let shape = read.shape
    #expect(shape.layers.map(\.attentionWindow) == [512, 512, nil])
    #expect(shape.layers.map(\.rotation) == [.local, .local, .global])
    #expect(shape.rotaryEmbedding.theta == 1_000_000)
    #expect(shape.localRotaryEmbedding == RotaryEmbedding(theta: 10000))
    #expect(shape.arithmetic.attentionScale == 1.0 / 16)
    #expect(shape.tiesEmbeddings)
    let norms = shape.tensors.filter { $0.name.contains("layers.2.") && $0.shape.count == 1 }
    #expect(
      norms.map { $0.name.dropFirst("model.layers.2.".count) } == [
        "input_layernorm.weight", "self_attn.q_norm.weight", "self_attn.k_norm.weight",
        "post_attention_layernorm.weight", "pre_feedforward_layernorm.weight",
        "post_feedforward_layernorm.weight",
      ])
    // As transformers 5 saves it.
    let newer = PublishedConfiguration.gemma3
      .replacing("\"rope_local_base_freq\": 10000,\n", with: "")
      .replacing("\"rope_scaling\": null, \"rope_theta\": 1000000, ", with: "")
      .replacing(
        "{\"model_type\"",
        with: """
          {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1000000},
           "sliding_attention": {"rope_type": "default", "rope_theta": 10000}}, "model_type"
          """)
    #expect(try parse(newer).shape == shape)
  }

  @Test("OLMo: norms behind, queries and keys of all heads normalized together")
  func olmo() throws {
    let shape = try parse(PublishedConfiguration.olmo2).shape
    let norms = shape.tensors.filter { $0.name.contains("layers.1.") && $0.shape.count == 1 }
    #expect(
      norms.map { "\($0.name.dropFirst("model.layers.1.".count)) \($0.shape)" } == [
        "self_attn.q_norm.weight [2048]", "self_attn.k_norm.weight [2048]",
        "post_attention_layernorm.weight [2048]", "post_feedforward_layernorm.weight [2048]",
      ])
    let third = try parse(PublishedConfiguration.olmo3).shape
    #expect(third.layers.map(\.attentionWindow) == [4096, 4096, 4096, nil])
    #expect(third.layers.map(\.rotation) == [.local, .local, .local, .global])
    #expect(third.localRotaryEmbedding == RotaryEmbedding(theta: 500_000))
    #expect(third.arithmetic == shape.arithmetic)
    var plan = PruningPlan(keepingAllOf: shape)
    plan.layers[1].keptGroups[3] = false
    let pruned = plan.prunedShape(of: shape).tensors
    #expect(pruned.contains { $0.name.contains("1.self_attn.k_norm") && $0.shape == [1920] })
  }

  private struct ConfigurationMismatch: Error {}

  private func parse(_ json: String) throws -> ModelConfiguration {
    try ModelConfiguration(json: Array(json.utf8), path: "m/config.json")
  }
}
