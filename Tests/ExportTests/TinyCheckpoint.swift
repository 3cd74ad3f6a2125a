import Checkpoint
import FlapCore
import FlapTestKit
import Foundation
import Storage
import SystemPackage
import Testing

/// A checkpoint of two layers whose every weight says where it stands.
struct TinyCheckpoint {
  static let configuration = """
    {"model_type": "llama", "hidden_size": 4, "intermediate_size": 5, "head_dim": 2,
     "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "vocab_size": 3,
     "hidden_act": "silu", "architectures": ["LlamaForCausalLM"], "custom": {"kept": [1, "x"]},
     "attention_bias": false, "mlp_bias": false, "rms_norm_eps": 1e-05}
    """

  let folder: TemporaryFolder
  let checkpoint: Checkpoint

  init(configuration: String = TinyCheckpoint.configuration) throws {
    folder = try TemporaryFolder()
    try folder.write(Array(configuration.utf8), to: "config.json")
    let shape = try ModelConfiguration(json: Array(configuration.utf8), path: "").shape
    let tensors = shape.tensors.map {
      TensorDeclaration(name: $0.name, elementType: .float32, shape: $0.shape)
    }
    var writer = try SafetensorsWriter(
      destination: FilePath(folder.path("model.safetensors")), tensors: tensors)
    for (index, tensor) in tensors.enumerated() {
      // 1000 · tensor + position: exact in f32.
      let values = (0..<tensor.shape.reduce(1, *)).map { Float(1000 * index + $0) }
      try values.withUnsafeBytes { try writer.append($0) }
    }
    _ = try writer.commit()
    checkpoint = try Checkpoint(directory: FilePath(folder.path))
  }

  var shape: ModelShape { checkpoint.configuration.shape }

  func values(_ name: String) throws -> [Float] {
    let tensor = try #require(shape.tensors.first { $0.name == name })
    return try checkpoint.tensor(name, shape: tensor.shape).float32Values()
  }

  /// Keeps group 1 and neurons 0, 2, 3 of layer 0, all of layer 1.
  var plan: PruningPlan {
    var plan = PruningPlan(keepingAllOf: shape)
    plan.layers[0] = .init(
      keptGroups: [false, true], keptNeurons: [true, false, true, true, false])
    return plan
  }
}
