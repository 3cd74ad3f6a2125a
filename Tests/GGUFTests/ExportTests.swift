import FlapCore
import FlapTestKit
import Foundation
import GGUF
import Storage
import SystemPackage
import Testing

/// What becomes of a checkpoint.
struct ExportTests {
  @Test("unequal layers: deci, a number per layer, names and sizes")
  func metadata() throws {
    let model = try TinyModel()
    defer { withExtendedLifetime(model) {} }
    let export = try GGUFExport(directory: model.directory)
    #expect(export.architecture == "deci" && export.elementType == .float32)
    let values = Dictionary(uniqueKeysWithValues: export.metadata.map { ($0.key, $0.value) })
    #expect(values["deci.attention.head_count"] == .int32s([2, 1]))
    #expect(values["deci.attention.head_count_kv"] == .int32s([2, 1]))
    #expect(values["deci.feed_forward_length"] == .int32s([5, 3]))
    #expect(values["deci.context_length"] == .uint32(77))
    #expect(values["deci.attention.key_length"] == .uint32(4))
    #expect(values["tokenizer.ggml.eos_token_id"] == .uint32(2))
    #expect(values["tokenizer.ggml.add_bos_token"] == .bool(false))
    #expect(values["tokenizer.ggml.add_space_prefix"] == .bool(false))
    // "▁a" is the first merge, "ab" the second.
    guard case .float32s(let scores) = values["tokenizer.ggml.scores"],
      case .strings(let tokens) = values["tokenizer.ggml.tokens"]
    else { throw Missing() }
    #expect(scores.count == 300 && tokens.count == 300)
    #expect(tokens[262...263] == ["▁a", "ab"] && scores[262...263] == [0, -1])
    #expect(tokens[299] == "[PAD299]")
    let names = export.tensors.map(\.name)
    #expect(names.contains("blk.1.attn_output.bias") && names.contains("blk.0.ffn_down.bias"))
    #expect(names.last == "output.weight")
  }

  @Test("YaRN and LongRoPE: llama.cpp's keys and tensors")
  func scaledRotation() throws {
    func export(_ fields: String) throws -> (keys: [String: MetadataValue], names: [String]) {
      let model = try TinyModel(
        configuration: TinyModel.configuration.replacing("{\"m", with: "{\(fields), \"m"))
      defer { withExtendedLifetime(model) {} }
      let export = try GGUFExport(directory: model.directory)
      let values = Dictionary(uniqueKeysWithValues: export.metadata.map { ($0.key, $0.value) })
      return (values.filter { $0.key.contains("rope.scaling") }, export.tensors.map(\.name))
    }
    let yarn = "\"rope_type\": \"yarn\", \"factor\": 4, \"original_max_position_embeddings\": 16"
    #expect(
      try export("\"rope_scaling\": {\(yarn)}").keys == [
        "deci.rope.scaling.type": .string("yarn"), "deci.rope.scaling.factor": .float32(4),
        "deci.rope.scaling.original_context_length": .uint32(16),
      ])
    let named = "\"beta_fast\": 8, \"beta_slow\": 2, \"attention_factor\": 2.277258872223978"
    #expect(
      try export("\"rope_scaling\": {\(yarn), \(named)}").keys == [
        "deci.rope.scaling.type": .string("yarn"), "deci.rope.scaling.factor": .float32(4),
        "deci.rope.scaling.original_context_length": .uint32(16),
        "deci.rope.scaling.yarn_beta_fast": .float32(8),
        "deci.rope.scaling.yarn_beta_slow": .float32(2),
        // Twice the 0.1 · ln(4) + 1 that llama.cpp takes anyway.
        "deci.rope.scaling.attn_factor": .float32(2),
      ])
    let long = try export(
      "\"original_max_position_embeddings\": 16, \"rope_scaling\": {\"type\": \"longrope\", "
        + "\"short_factor\": [1, 2], \"long_factor\": [3, 4], \"attention_factor\": 1.5}")
    #expect(
      long.keys == [
        "deci.rope.scaling.type": .string("longrope"),
        "deci.rope.scaling.original_context_length": .uint32(16),
        "deci.rope.scaling.attn_factor": .float32(1.5),
      ])
    #expect(
      long.names.filter { $0.hasPrefix("rope") } == [
        "rope_factors_long.weight", "rope_factors_short.weight",
      ])
  }

  struct Missing: Error {}

  @Test("rows of q and k change places within each head")
  func rows() throws {
    let model = try TinyModel()
    defer { withExtendedLifetime(model) {} }
    let export = try GGUFExport(directory: model.directory)
    let path = FilePath(model.folder.path("model.gguf"))
    var steps = 0
    _ = try export.write(to: path) { _ in steps += 1 }
    #expect(steps == export.tensors.count)
    let bytes = try SmallFile.read(path, limit: 1 << 20)
    var offset = bytes.count - export.tensors.reduce(0) { $0 + ($1.byteCount + 31) / 32 * 32 }
    var rows: [String: [Int]] = [:]
    for tensor in export.tensors {
      let values = bytes[offset..<offset + tensor.byteCount].withUnsafeBytes { raw in
        (0..<tensor.byteCount / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      }
      offset += (tensor.byteCount + 31) / 32 * 32
      guard tensor.shape.count == 2 else { continue }
      // The position of each row's first number says which row it was.
      let width = tensor.shape[1]
      rows[tensor.name] = stride(from: 0, to: values.count, by: width).map {
        (Int(values[$0]) % 2000) / width
      }
    }
    #expect(rows["blk.0.attn_q.weight"] == [0, 2, 1, 3, 4, 6, 5, 7])
    #expect(rows["blk.1.attn_k.weight"] == [0, 2, 1, 3])
    #expect(rows["blk.0.attn_v.weight"] == Array(0..<8))
    #expect(rows["blk.1.ffn_up.weight"] == [0, 1, 2])
  }

  @Test(
    "what cannot be is refused in one line",
    arguments: [
      ("\"flap_llama\"", "\"qwen3\"", "layers of one size in its architecture qwen3"),
      ("\"flap_llama\"", "\"flap_qwen3\"", "layers of one size in its architecture qwen3"),
      ("{\"m", "{\"quantization_config\": {\"quant_method\": \"awq\"}, \"m", "quantized (awq)"),
      ("77", "0", "max_position_embeddings is no length"),
      (
        "{\"m",
        "{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"truncate\": false}, \"m",
        "rounds the ends of YaRN's ramp"
      ),
      ("\"bos_token_id\": 1", "\"bos_token_id\": 300", "the bos token 300 is outside"),
    ])
  func refusals(text: String, replacement: String, message: String) throws {
    let model = try TinyModel()
    defer { withExtendedLifetime(model) {} }
    try model.folder.write(
      Array(TinyModel.configuration.replacing(text, with: replacement).utf8), to: "config.json")
    let error = #expect(throws: GGUFError.self) { try GGUFExport(directory: model.directory) }
    let description = error.map { "\($0)" } ?? ""
    #expect(description.contains(message) && !description.contains("\n"), "\(description)")
  }

  @Test(
    "merges that scores cannot say are refused",
    arguments: [
      // "ba" is a token that no merge makes.
      (["a", "b", "▁", "ba"], ["a b"], "never make the token \"ba\""),
      // "abb" comes of "a" and "bb"; its own text is merged to "ab", "b".
      (["a", "b", "▁", "ab", "bb", "abb"], ["a b", "b b", "a bb"], "make the token \"abb\""),
    ])
  func merges(tokens: [String], merges: [String], message: String) throws {
    // Joined texts must be tokens.
    let all = tokens.contains("ab") ? tokens : tokens + ["ab"]
    let model = try TinyModel(tokens: all, merges: merges)
    defer { withExtendedLifetime(model) {} }
    let error = #expect(throws: GGUFError.self) { try GGUFExport(directory: model.directory) }
    #expect(error.map { "\($0)".contains(message) } == true, "\(String(describing: error))")
  }

  @Test("a number that f16 cannot hold ends the writing, and nothing stays")
  func beyondFloat16() throws {
    // The output projection's numbers reach 2000 · 22 + 30000.
    let model = try TinyModel(
      configuration: TinyModel.configuration
        .replacing("\"hidden_size\": 4", with: "\"hidden_size\": 100"))
    let export = try GGUFExport(directory: model.directory, elementType: .float16)
    let path = FilePath(model.folder.path("model.gguf"))
    #expect(throws: GGUFError.self) { try export.write(to: path) }
    let names = try FileManager.default.contentsOfDirectory(atPath: model.folder.path)
    #expect(names.allSatisfy { !$0.contains("gguf") })
  }
}
