import Checkpoint
import FlapCore
import FlapTestKit
import Foundation
import SystemPackage

/// A checkpoint of two layers with random weights.
struct SmallModel {
  static let configuration = """
    {"model_type": "llama", "hidden_size": 32, "intermediate_size": 40, "head_dim": 8,
     "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "vocab_size": 50,
     "hidden_act": "silu", "rms_norm_eps": 1e-05}
    """

  /// The first of two layers has experts.
  static let mixture = """
    {"model_type": "qwen3_moe", "hidden_size": 32, "intermediate_size": 40, "head_dim": 8,
     "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "vocab_size": 50,
     "hidden_act": "silu", "rms_norm_eps": 1e-05, "mlp_only_layers": [1], "num_experts": 5,
     "num_experts_per_tok": 2, "moe_intermediate_size": 12, "norm_topk_prob": true}
    """

  let folder: TemporaryFolder
  let checkpoint: Checkpoint

  /// - Parameters:
  ///   - hasBiases: whether all of its maps have one.
  ///   - change: of the values, by the tensor's name.
  init(
    _ configuration: String = SmallModel.configuration, hasBiases: Bool = false,
    _ change: (_ tensor: String, _ values: inout [Float]) -> Void = { _, _ in }
  ) throws {
    folder = try TemporaryFolder()
    let biases = "{\"attention_bias\": \(hasBiases), \"mlp_bias\": \(hasBiases),"
    let configuration = Array((biases + configuration.dropFirst()).utf8)
    try folder.write(configuration, to: "config.json")
    let shape = try ModelConfiguration(json: configuration, path: "").shape
    var generator = SeededGenerator(seed: 7)
    let tensors = shape.tensors
    var writer = try SafetensorsWriter(
      destination: FilePath(folder.path("model.safetensors")),
      tensors: tensors.map {
        TensorDeclaration(name: $0.name, elementType: .float32, shape: $0.shape)
      })
    for tensor in tensors {
      var values = (0..<tensor.shape.reduce(1, *)).map { _ in
        Float.random(in: -0.5...0.5, using: &generator)
      }
      change(tensor.name, &values)
      try values.withUnsafeBytes { try writer.append($0) }
    }
    _ = try writer.commit()
    checkpoint = try Checkpoint(directory: FilePath(folder.path))
  }

  var shape: ModelShape { checkpoint.configuration.shape }
}
