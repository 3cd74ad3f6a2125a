import Checkpoint
import FlapCore
import FlapTestKit
import Foundation
import Storage
import SystemPackage
import Testing

/// Files of statistics and plans are bound to a model by its digest, so it is the same in every
/// version of this program.
struct IdentityTests {
  @Test(
    "digests as the first version made them",
    arguments: [
      ("", "d6ae03acc33c124e30fa0c13dd5291dd2918e98d9def569fcddd517566cf84a8"),
      (
        """
        , "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}, "rope_theta": 5e5
        """, "a1ec8490c866c1132b27cf8c23f7f038acf3b8a7bb8319b80017a376772003e3"
      ),
      (
        ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}",
        "ceff9f4d34aac0378668f0015c06716b252c44c9ef373f05edaf534eb9d3149d"
      ),
    ])
  func digests(fields: String, digest: String) throws {
    let folder = try TemporaryFolder()
    let configuration = """
      {"model_type": "llama", "hidden_size": 4, "intermediate_size": 5, "head_dim": 2,
       "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2,
       "vocab_size": 3, "hidden_act": "silu", "rms_norm_eps": 1e-05\(fields)}
      """
    try folder.write(Array(configuration.utf8), to: "config.json")
    let shape = try ModelConfiguration(json: Array(configuration.utf8), path: "").shape
    var writer = try SafetensorsWriter(
      destination: FilePath(folder.path("model.safetensors")),
      tensors: shape.tensors.map {
        TensorDeclaration(name: $0.name, elementType: .float32, shape: $0.shape)
      })
    for (index, tensor) in shape.tensors.enumerated() {
      let values = (0..<tensor.shape.reduce(1, *)).map { Float(1000 * index + $0) }
      try values.withUnsafeBytes { try writer.append($0) }
    }
    _ = try writer.commit()
    #expect(try Checkpoint(directory: FilePath(folder.path)).digest.hexadecimal == digest)
  }
}
