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
    let json = PublishedConfiguration.qwen3
      .replacing("\"qwen3\"", with: "\"flap_\(family.modelType)\"")
      .replacing(
        "\"vocab_size\"",
        with: """
          "flap_bias": true, "per_layer_config": {"01": {"num_attention_heads": 6,
          "num_key_value_heads": 3, "intermediate_size": 100}}, "vocab_size"
          """)
    let read = try parse(json)
    #expect(read.family == family)
    // transformers 5 writes 01 where there are ten layers or more.
    #expect(
      read.shape.layers[1]
        == LayerShape(headCount: 6, keyValueHeadCount: 3, intermediateSize: 100))
    #expect(read.shape.layers[2].headCount == 16)
    #expect(read.shape.biases.attentionOutput && read.shape.biases.mlpDown)
    #expect(read.shape.biases.queryKeyValue == (family == .qwen2))
  }

  private func parse(_ json: String) throws -> ModelConfiguration {
    try ModelConfiguration(json: Array(json.utf8), path: "m/config.json")
  }
}
