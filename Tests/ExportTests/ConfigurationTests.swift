import Checkpoint
import Export
import FlapCore
import FlapTestKit
import Foundation
import SystemPackage
import Testing

/// The `config.json` that is written.
struct ConfigurationTests {
  @Test("sizes per layer, names of the remote code, and all that was there")
  func fields() throws {
    let tiny = try TinyCheckpoint()
    let json = try PrunedConfiguration.json(
      dense: tiny.checkpoint.configuration, plan: tiny.plan, compensating: true)
    let fields = try #require(
      try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
    #expect(fields["model_type"] as? String == "flap_llama")
    #expect(fields["architectures"] as? [String] == ["FlapLlamaForCausalLM"])
    #expect(
      (fields["auto_map"] as? [String: String])?["AutoModelForCausalLM"]
        == "modeling_flap.FlapLlamaForCausalLM")
    #expect(fields["num_attention_heads"] as? Int == 4, "the dense model's")
    #expect(fields["flap_bias"] as? Bool == true)
    #expect((fields["custom"] as? [String: [Any]])?["kept"]?.count == 2)
    let layers = fields["per_layer_config"] as? [String: [String: Int]]
    #expect(
      layers == [
        "0": ["num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 3]
      ], "layer 1 keeps the global sizes")
  }

  static let rotary: [(dense: String, written: [String: String])] = [
    // What both versions read stays as it is.
    ("\"rope_theta\": 500.0", ["rope_theta": "500"]),
    (
      "\"rope_theta\": 500, \"rope_scaling\": {\"factor\": 2, \"type\": \"linear\"}",
      ["rope_theta": "500", "rope_scaling": "{\"factor\":2,\"type\":\"linear\"}"]
    ),
    // transformers 5, of which 4.57 would read neither.
    (
      "\"rope_parameters\": {\"rope_theta\": 500, \"rope_type\": \"default\"}",
      [
        "rope_theta": "500", "rope_scaling": "null",
        "rope_parameters": "{\"rope_theta\":500,\"rope_type\":\"default\"}",
      ]
    ),
    (
      "\"rope_parameters\": {\"rope_theta\": 500, \"type\": \"linear\", \"factor\": 2.5}",
      [
        "rope_theta": "500", "rope_scaling": "{\"factor\":2.5,\"rope_type\":\"linear\"}",
        "rope_parameters": "{\"factor\":2.5,\"rope_theta\":500,\"rope_type\":\"linear\"}",
      ]
    ),
    // What does not count says the same afterwards.
    (
      "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, "
        + "\"rope_parameters\": {\"factor\": 4}",
      [
        "rope_theta": "10000", "rope_scaling": "{\"factor\":2,\"rope_type\":\"linear\"}",
        "rope_parameters": "{\"factor\":2,\"rope_theta\":10000,\"rope_type\":\"linear\"}",
      ]
    ),
    // What 5 takes from the object alone stands beside it for 4.57; defaults are named.
    (
      "\"max_position_embeddings\": 64, "
        + "\"rope_parameters\": {\"rope_type\": \"longrope\", \"short_factor\": [1], "
        + "\"long_factor\": [2.5], \"factor\": 1, \"original_max_position_embeddings\": 16}",
      [
        "rope_theta": "10000", "original_max_position_embeddings": "16",
        "rope_scaling": "{\"attention_factor\":1,\"long_factor\":[2.5],"
          + "\"original_max_position_embeddings\":16,\"rope_type\":\"longrope\",\"short_factor\":[1]}",
        "rope_parameters": "{\"attention_factor\":1,\"long_factor\":[2.5],"
          + "\"original_max_position_embeddings\":16,\"rope_theta\":10000,"
          + "\"rope_type\":\"longrope\",\"short_factor\":[1]}",
      ]
    ),
    (
      "\"max_position_embeddings\": 64, "
        + "\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 0.5}",
      [
        "rope_theta": "10000",
        "rope_scaling": "{\"attention_factor\":1,\"beta_fast\":32,\"beta_slow\":1,\"factor\":0.5,"
          + "\"original_max_position_embeddings\":64,\"rope_type\":\"yarn\",\"truncate\":true}",
        "rope_parameters": "{\"attention_factor\":1,\"beta_fast\":32,\"beta_slow\":1,"
          + "\"factor\":0.5,\"original_max_position_embeddings\":64,\"rope_theta\":10000,"
          + "\"rope_type\":\"yarn\",\"truncate\":true}",
      ]
    ),
    (
      "\"rope_scaling\": {}",
      [
        "rope_theta": "10000", "rope_scaling": "null",
        "rope_parameters": "{\"rope_theta\":10000,\"rope_type\":\"default\"}",
      ]
    ),
  ]

  @Test(
    "every version of transformers finds the rotary embedding where it looks", arguments: rotary)
  func rotaryFields(dense: String, written: [String: String]) throws {
    let tiny = try TinyCheckpoint(
      configuration: TinyCheckpoint.configuration
        .replacing("{\"model_type\"", with: "{\(dense), \"model_type\""))
    try #require(tiny.checkpoint.configuration.json.count > TinyCheckpoint.configuration.utf8.count)
    for isUniform in [false, true] {
      let plan = isUniform ? PruningPlan(keepingAllOf: tiny.shape) : tiny.plan
      let make = isUniform ? PrunedConfiguration.transformersJSON : PrunedConfiguration.json
      let json = try make(tiny.checkpoint.configuration, plan, false)
      let fields = try #require(
        try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
      let rotary = try fields.filter {
        $0.key.hasPrefix("rope_") || $0.key.hasPrefix("original_")
      }.mapValues { value in
        let options: JSONSerialization.WritingOptions = [.fragmentsAllowed, .sortedKeys]
        let data = try JSONSerialization.data(withJSONObject: value, options: options)
        return String(decoding: data, as: UTF8.self)
      }
      #expect(rotary == written)
      let again = try ModelConfiguration(json: json, path: "")
      #expect(again.shape.rotaryEmbedding == tiny.shape.rotaryEmbedding)
      // Its field of nobody's stays.
      #expect(again.notes.count == 1 && again.notes[0].hasSuffix(": custom"))
    }
  }

  @Test("it is read as the pruned shape, and pruning again starts from there")
  func again() throws {
    let tiny = try TinyCheckpoint()
    let once = try ModelConfiguration(
      json: PrunedConfiguration.json(
        dense: tiny.checkpoint.configuration, plan: tiny.plan, compensating: true), path: "")
    #expect(once.shape == tiny.plan.prunedShape(of: tiny.shape))
    var plan = PruningPlan(keepingAllOf: once.shape)
    plan.layers[1].keptNeurons = [true, true, false, false, false]
    let twice = try ModelConfiguration(
      json: PrunedConfiguration.json(dense: once, plan: plan, compensating: false), path: "")
    // The biases of the first pruning stay though the second adds none.
    #expect(twice.shape == plan.prunedShape(of: once.shape, compensating: false))
    #expect(twice.shape.biases.mlpDown)
    #expect(twice.shape.layers.map(\.intermediateSize) == [3, 2])
  }

  @Test("side files are copied where they are there; the remote code is in the program")
  func sideFiles() throws {
    let source = try TemporaryFolder()
    let destination = try TemporaryFolder()
    for folder in ["additional_chat_templates", "chat_templates", "LICENSES"] {
      try FileManager.default.createDirectory(
        atPath: source.path(folder), withIntermediateDirectories: true)
      try source.write([4], to: "\(folder)/rag.jinja")
      try source.write([5], to: "\(folder)/notes.txt")
    }
    let wanted = [
      "LICENSE-model.txt", "License", "NOTICE.md", "USE_POLICY.md",
      "additional_chat_templates/rag.jinja", "chat_template.jinja", "chat_templates/rag.jinja",
      "tekken.json", "tokenizer.4.0.0.json", "tokenizer.model", "tokenizer.model.v3",
    ]
    for name in wanted { try source.write([1, 2], to: name) }
    for name in ["pytorch_model.bin", "README.md", "configuration.py", "tokenizer.py"] {
      try source.write([3], to: name)
    }
    let outcome = try SideFiles.copy(
      from: FilePath(source.path), to: FilePath(destination.path))
    #expect(outcome.copied == wanted && outcome.warnings == [])
    let files = try FileManager.default.subpathsOfDirectory(atPath: destination.path)
    let folders = ["additional_chat_templates", "chat_templates"]
    #expect(files.sorted() == (wanted + folders).sorted())
  }

  @Test("a side file that is a link is copied from within the model, never from elsewhere")
  func linkedSideFiles() throws {
    let folder = try TemporaryFolder()
    let files = FileManager.default
    for name in ["model/sub", "models--A--B/snapshots/1", "models--A--B/blobs", "out", "hub"] {
      try files.createDirectory(
        atPath: folder.path(name), withIntermediateDirectories: true)
    }
    try folder.write([7], to: "private")
    try folder.write([1], to: "model/sub/file")
    try folder.write([2], to: "models--A--B/blobs/digest")
    func link(_ name: String, to target: String) throws {
      try files.createSymbolicLink(
        atPath: folder.path(name), withDestinationPath: target)
    }
    try link("model/tokenizer.json", to: "sub/file")
    try link("model/LICENSE", to: "../private")
    try link("model/NOTICE", to: folder.path("nowhere"))
    let outcome = try SideFiles.copy(
      from: FilePath(folder.path("model")), to: FilePath(folder.path("out")))
    #expect(outcome.copied == ["tokenizer.json"])
    #expect(outcome.warnings.count == 1 && outcome.warnings[0].contains("model/LICENSE is a link"))
    #expect(try files.contentsOfDirectory(atPath: folder.path("out")) == ["tokenizer.json"])

    // The cache of the Hugging Face hub, reached by a link of its own.
    try link("models--A--B/snapshots/1/tokenizer.json", to: "../../blobs/digest")
    try link("models--A--B/snapshots/1/LICENSE", to: "../../../private")
    try link("cached", to: "models--A--B/snapshots/1")
    let cached = try SideFiles.copy(
      from: FilePath(folder.path("cached")), to: FilePath(folder.path("hub")))
    #expect(cached.copied == ["tokenizer.json"] && cached.warnings.count == 1)
  }

  @Test(
    "the remote code and what config.json names of it",
    arguments: ModelFamily.allCases.filter { ![.mixtral, .qwen3Moe].contains($0) })
  func remoteCode(family: ModelFamily) throws {
    let tiny = try TinyCheckpoint(
      configuration: TinyCheckpoint.configuration
        .replacing("\"llama\"", with: "\"\(family.modelType)\", \"rope_theta\": 500000"))
    let files = RemoteCode.files(for: family)
    #expect(files.map(\.name) == ["configuration_flap.py", "modeling_flap.py"])
    let json = try PrunedConfiguration.json(
      dense: tiny.checkpoint.configuration, plan: tiny.plan, compensating: true)
    let fields = try #require(
      try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
    let names = try #require(fields["auto_map"] as? [String: String])
    #expect(names.count == 3)
    for name in names.values {
      let parts = name.split(separator: ".")
      let file = try #require(files.first { $0.name == "\(parts[0]).py" })
      let text = String(decoding: file.bytes, as: UTF8.self)
      #expect(text.contains("\nclass \(parts[1])("))
      #expect(text.contains("Llama") == (family == .llama))
      #expect(text.contains("llama") == (family == .llama))
    }
    #expect(fields["model_type"] as? String == "flap_\(family.modelType)")
    let read = try ModelConfiguration(json: json, path: "")
    #expect(read.family == family)
    #expect(read.shape == tiny.plan.prunedShape(of: tiny.shape))
  }
}
