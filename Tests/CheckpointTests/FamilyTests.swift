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

  @Test("a pruned model of each family", arguments: ModelFamily.allCases)
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
