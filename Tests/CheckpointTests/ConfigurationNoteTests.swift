import Checkpoint
import FlapCore
import FlapTestKit
import Storage
import SystemPackage
import Testing

/// What of a checkpoint is not used is told or refused, never passed over in silence.
struct ConfigurationNoteTests {
  static let refusals: [(family: ModelFamily, field: String, message: String)] = [
    (.llama, "\"is_causal\": false", "is_causal is there (false)"),
    (.llama, "\"sliding_window\": 4096", "sliding_window is there (4096), in a model"),
    (.llama, "\"layer_types\": [\"sliding_attention\"]", "layer_types is there (a list of 1)"),
    (.mistral, "\"pruned_heads\": {\"0\": [1]}", "pruned_heads is there"),
    (.qwen2, "\"logit_scale\": 0.5", "logit_scale is there (0.5)"),
    (.qwen3, "\"is_encoder_decoder\": true", "is_encoder_decoder is there (true)"),
    (
      .qwen3, "\"per_layer_config\": {\"1\": {\"head_dim\": 64}}",
      "per_layer_config.1.head_dim is of this layer alone"
    ),
    (
      .llama, "\"per_layer_config\": {\"7\": {}}", "per_layer_config names layer 7, where"
    ),
  ]

  @Test("fields that change what is computed are refused by name", arguments: refusals)
  func refused(family: ModelFamily, field: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try parse(family, field) }
    #expect(error.map { "\($0)".contains(message) } == true, "\(String(describing: error))")
  }

  @Test(
    "values of theirs that change nothing pass without a word",
    arguments: [
      (ModelFamily.llama, "\"is_causal\": true, \"sliding_window\": null, \"use_mrope\": false"),
      (.llama, "\"layer_types\": [\"full_attention\", \"full_attention\"], \"logit_scale\": 1.0"),
      (.mistral, "\"pruned_heads\": {}, \"num_experts\": null, \"is_encoder_decoder\": false"),
      (.qwen3, "\"per_layer_config\": {\"1\": {\"head_dim\": 128}}, \"temperature\": 0.7"),
    ])
  func neutral(family: ModelFamily, fields: String) throws {
    let read = try parse(family, fields)
    #expect(read.notes == [])
    #expect(read.shape == (try parse(family, "\"use_cache\": true").shape))
  }

  @Test("fields that nobody knows are told in one line")
  func unknown() throws {
    let notes = try parse(.mistral, "\"attention_bias\": true, \"my_field\": 3").notes
    #expect(notes.count == 1)
    #expect(notes[0].contains("a model of type mistral has no use for"))
    #expect(notes[0].hasSuffix(": attention_bias, my_field"))
    let many = (10..<50).map { "\"f\($0)\": 1" }.joined(separator: ", ")
    #expect(try parse(.llama, many).notes[0].hasSuffix("f20, f21 and 28 more"))
  }

  @Test("code of somebody else's is told; ours is not")
  func code() throws {
    let foreign = try parse(.llama, "\"auto_map\": {\"AutoModel\": \"modeling_x.XModel\"}").notes
    #expect(foreign.count == 1)
    #expect(foreign[0].contains("auto_map (modeling_x.XModel): it is not run"))
    let own = "{\"AutoConfig\": \"configuration_flap.FlapLlamaConfig\"}"
    #expect(try parse(.llama, "\"auto_map\": \(own)").notes == [])
  }

  @Test("swish is silu", arguments: ModelFamily.allCases.filter { $0 != .gemma3 })
  func swish(family: ModelFamily) throws {
    let json = PublishedConfiguration.of(family)
    let swish = json.replacing("\"silu\"", with: "\"swish\"")
    try #require(swish != json)
    #expect(
      try ModelConfiguration(json: Array(swish.utf8), path: "").shape
        == ModelConfiguration(json: Array(json.utf8), path: "").shape)
  }

  @Test("key and value heads where a file does not name them: the family's own number")
  func keyValueHeads() throws {
    let plain = PublishedConfiguration.mistral
    let absent = plain.replacing(" \"num_key_value_heads\": 8,", with: "")
    let null = plain.replacing("_value_heads\": 8", with: "_value_heads\": null")
    try #require(absent != plain && null != plain)
    func count(_ json: String) throws -> Int {
      try ModelConfiguration(json: Array(json.utf8), path: "").shape.layers[0].keyValueHeadCount
    }
    #expect(try count(absent) == 8)
    #expect(try count(null) == 32)
  }

  @Test("tensors that nothing asks for are told; the rotary frequencies of old files are not")
  func tensors() throws {
    let notes = try checkpoint(
      ties: false,
      extra: [
        ("model.layers.0.self_attn.rotary_emb.inv_freq", 0),
        ("model.layers.1.self_attn.q_proj.bias", 0),
      ]
    ).notes
    #expect(notes.count == 1)
    #expect(notes[0].contains("has a tensor that its config.json does not ask for"))
    #expect(notes[0].hasSuffix(": model.layers.1.self_attn.q_proj.bias"))
  }

  @Test("a tied output projection in the file is the embedding, or refused")
  func tied() throws {
    let equal = try checkpoint(ties: true, extra: [("lm_head.weight", 0)])
    try equal.checkTiedEmbeddings()
    #expect(equal.notes == [])
    let other = try checkpoint(ties: true, extra: [("lm_head.weight", 1)])
    let error = #expect(throws: CheckpointError.self) { try other.checkTiedEmbeddings() }
    #expect(error?.description.contains("4.57 computes with the embedding, 5 with lm_head") == true)
  }

  @Test(
    "numbers of another type are called what they are",
    arguments: [
      (ElementType.float64, "has the type F64, numbers of 64 bits"),
      (.int8, "has the type I8, which is that of quantized weights"),
      (.float8e4m3, "has the type F8_E4M3, which is that of quantized weights"),
    ])
  func types(type: ElementType, message: String) throws {
    let read = try checkpoint(ties: false, type: type, extra: [])
    let error = #expect(throws: CheckpointError.self) { try read.validate() }
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    #expect(error?.description.contains("BF16, F16 or F32") == true)
  }

  /// - Parameter extra: tensors of the embedding's shape, filled with one number.
  private func checkpoint(
    ties: Bool, type: ElementType = .float32, extra: [(name: String, value: Float)]
  ) throws -> Checkpoint {
    let folder = try TemporaryFolder()
    let json = """
      {"model_type": "llama", "hidden_size": 4, "intermediate_size": 5, "head_dim": 2,
       "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2,
       "vocab_size": 3, "tie_word_embeddings": \(ties)}
      """
    try folder.write(Array(json.utf8), to: "config.json")
    let shape = try ModelConfiguration(json: Array(json.utf8), path: "").shape
    let own = shape.tensors.map { (name: $0.name, shape: $0.shape, value: Float(0)) }
    let all = own + extra.map { ($0.name, shape.embedding.shape, $0.value) }
    var writer = try SafetensorsWriter(
      destination: FilePath(folder.path("model.safetensors")),
      tensors: all.map {
        TensorDeclaration(name: $0.name, elementType: type, shape: $0.shape)
      })
    for tensor in all {
      let count = tensor.shape.reduce(1, *)
      if type == .float32 {
        let values = [Float](repeating: tensor.value, count: count)
        try values.withUnsafeBytes { try writer.append($0) }
      } else {
        let zeros = [UInt8](repeating: 0, count: count * type.byteCount)
        try zeros.withUnsafeBytes { try writer.append($0) }
      }
    }
    _ = try writer.commit()
    return try Checkpoint(directory: FilePath(folder.path))
  }

  private func parse(_ family: ModelFamily, _ fields: String) throws -> ModelConfiguration {
    let json = PublishedConfiguration.of(family)
      .replacing("\"sliding_window\": null, ", with: "")
      .replacing("{\"model_type\"", with: "{\(fields), \"model_type\"")
    return try ModelConfiguration(json: Array(json.utf8), path: "m/config.json")
  }
}
