import Checkpoint
import FlapCore
import FlapTestKit
import Foundation
import SystemPackage

/// A checkpoint of two layers of unequal sizes whose every weight says where it stands, with a
/// tokenizer of byte tokens and a few merges.
struct TinyModel {
  static let configuration = """
    {"model_type": "flap_llama", "hidden_size": 4, "intermediate_size": 5, "head_dim": 4,
     "num_attention_heads": 2, "num_hidden_layers": 2, "num_key_value_heads": 2, "vocab_size": 300,
     "per_layer_config": {"1": {"num_attention_heads": 1, "num_key_value_heads": 1,
     "intermediate_size": 3}}, "flap_bias": true, "max_position_embeddings": 77,
     "rms_norm_eps": 1e-05, "bos_token_id": 1, "eos_token_id": [2, 0]}
    """

  let folder: TemporaryFolder
  var directory: FilePath { FilePath(folder.path) }

  /// - Parameters:
  ///   - tokens: after `<unk>`, `<s>`, `</s>` and the 256 bytes.
  ///   - merges: pairs, "left right".
  init(
    configuration: String = TinyModel.configuration,
    tokens: [String] = ["a", "b", "▁", "▁a", "ab"],
    merges: [String] = ["▁ a", "a b"]
  ) throws {
    folder = try TemporaryFolder()
    try folder.write(Array(configuration.utf8), to: "config.json")
    let shape = try ModelConfiguration(json: Array(configuration.utf8), path: "").shape
    let tensors = shape.tensors.map {
      TensorDeclaration(name: $0.name, elementType: .float32, shape: $0.shape)
    }
    var writer = try SafetensorsWriter(
      destination: directory.appending("model.safetensors"), tensors: tensors)
    for (index, tensor) in tensors.enumerated() {
      let values = (0..<tensor.shape.reduce(1, *)).map { Float(2000 * index + $0) }
      try values.withUnsafeBytes { try writer.append($0) }
    }
    _ = try writer.commit()
    try folder.write(TinyModel.tokenizer(tokens, merges), to: "tokenizer.json")
  }

  private static func tokenizer(_ tokens: [String], _ merges: [String]) throws -> [UInt8] {
    let bytes = (0..<256).map { String(format: "<0x%02X>", $0) }
    let all = ["<unk>", "<s>", "</s>"] + bytes + tokens
    let vocabulary = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1, $0) })
    let added = ["<unk>", "<s>", "</s>"].enumerated().map { id, text in
      ["id": id, "content": text, "special": true, "normalized": false] as [String: Any]
    }
    let file: [String: Any] = [
      "added_tokens": added,
      "normalizer": [
        "type": "Replace", "pattern": ["String": " "], "content": "▁",
      ],
      "model": [
        "type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true,
        "vocab": vocabulary, "merges": merges,
      ],
    ]
    return Array(try JSONSerialization.data(withJSONObject: file))
  }
}
