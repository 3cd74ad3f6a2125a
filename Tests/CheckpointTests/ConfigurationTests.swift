import Checkpoint
import FlapCore
import FlapTestKit
import Foundation
import Testing

/// `config.json` of real families, and what is refused.
struct ConfigurationTests {
  static let llama2 = """
    {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "hidden_act": "silu",
     "num_attention_heads": 32, "num_hidden_layers": 2, "num_key_value_heads": 32,
     "rms_norm_eps": 1e-05, "rope_scaling": null, "tie_word_embeddings": false,
     "vocab_size": 32000}
    """
  static let llama3 = """
    {"model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "head_dim": 64,
     "num_attention_heads": 32, "num_hidden_layers": 3, "num_key_value_heads": 8,
     "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "tie_word_embeddings": true,
     "vocab_size": 128256, "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0,
     "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"}}
    """

  @Test("Llama 2: heads without groups, head dimension from the hidden size")
  func plain() throws {
    let shape = try parse(ConfigurationTests.llama2).shape
    #expect(shape.headDimension == 128)
    #expect(
      shape.layers[1]
        == LayerShape(headCount: 32, keyValueHeadCount: 32, intermediateSize: 11008))
    #expect(shape.rotaryEmbedding == RotaryEmbedding(theta: 10000))
    #expect(shape.biases == Biases())
    #expect(!shape.tiesEmbeddings)
  }

  @Test("Llama 3.2: groups, scaling, tied embeddings; transformers 5 spells it otherwise")
  func grouped() throws {
    let shape = try parse(ConfigurationTests.llama3).shape
    #expect(shape.layers[0].headsPerGroup == 4)
    #expect(shape.tiesEmbeddings)
    let scaling = RotaryEmbedding.Scaling.llama3(
      factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 8192)
    #expect(shape.rotaryEmbedding == RotaryEmbedding(theta: 500000, scaling: scaling))
    let newer = ConfigurationTests.llama3
      .replacing("\"rope_theta\": 500000.0, ", with: "")
      .replacing("\"rope_scaling\": {", with: "\"rope_parameters\": {\"rope_theta\": 500000.0, ")
    #expect(try parse(newer).shape == shape)
  }

  @Test("a pruned model: sizes per layer, biases")
  func pruned() throws {
    let json = ConfigurationTests.llama3
      .replacing("\"llama\"", with: "\"flap_llama\"")
      .replacing(
        "\"vocab_size\"",
        with: """
          "flap_bias": true, "per_layer_config": {"1": {"num_attention_heads": 12,
          "num_key_value_heads": 3, "intermediate_size": 100}}, "vocab_size"
          """)
    let shape = try parse(json).shape
    #expect(
      shape.layers[1] == LayerShape(headCount: 12, keyValueHeadCount: 3, intermediateSize: 100))
    #expect(shape.layers[2].headCount == 32)
    #expect(shape.biases == Biases(attentionOutput: true, mlpDown: true))
  }

  @Test(
    "what is refused, and the field that the message names",
    arguments: [
      ("\"model_type\": \"llama\"", "\"model_type\": \"mamba\"", "model_type is mamba"),
      ("\"model_type\": \"llama\"", "\"model\": 1", "model_type is missing"),
      ("\"hidden_size\": 4096", "\"hidden_size\": \"4096\"", "hidden_size is not a number"),
      ("\"hidden_size\": 4096", "\"hidden_size\": 0", "hidden_size is not a whole number"),
      ("\"hidden_size\": 4096", "\"hidden_size\": 1e30", "hidden_size is not a whole number"),
      ("\"hidden_size\": 4096", "\"hidden_size\": 100", "no even multiple of num_attention_heads"),
      ("\"silu\"", "\"gelu\"", "hidden_act is gelu"),
      ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 100000", "num_hidden_layers is 100000"),
      ("_value_heads\": 32", "_value_heads\": 5", "no divisor of num_attention_heads 32"),
      ("\"hidden_act\"", "\"head_dim\": 7, \"hidden_act\"", "head_dim is 7"),
      ("\"hidden_size\": 4096", "\"hidden_size\": 96", "no even multiple of num_attention_heads"),
      (
        "\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"dynamic\"}",
        "rope_type is dynamic"
      ),
      ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"linear\"}", "rope_scaling.factor"),
      ("\"rope_scaling\": null", "\"rope_scaling\": 3", "rope_scaling is not an object"),
      ("\"vocab_size\": 32000", "\"vocab_size\": null", "vocab_size is missing"),
      ("{\"model_type\"", "[{\"model_type\"", "is not a JSON object"),
    ])
  func refused(field: String, replacement: String, message: String) throws {
    let json = ConfigurationTests.llama2.replacing(field, with: replacement)
    try #require(json != ConfigurationTests.llama2)
    let error = #expect(throws: ConfigurationError.self) { try parse(json) }
    #expect(error.map { "\($0)".contains(message) } == true, "\(String(describing: error))")
    #expect(error?.description.hasPrefix("m/config.json") == true)
  }

  private func parse(_ json: String) throws -> ModelConfiguration {
    try ModelConfiguration(json: Array(json.utf8), path: "m/config.json")
  }

  @Test("a configuration changed at random is read or refused")
  func fuzz() {
    let valid = Array(
      #"""
      {"model_type":"llama","hidden_act":"silu","hidden_size":64,"num_attention_heads":4,
      "num_key_value_heads":2,"head_dim":16,"num_hidden_layers":2,"intermediate_size":96,
      "vocab_size":128,"rms_norm_eps":1e-5,"rope_theta":10000.0,"tie_word_embeddings":false,
      "attention_bias":false,"rope_scaling":{"rope_type":"llama3","factor":8.0,
      "low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}}
      """#.utf8)
    let pieces = [
      "9223372036854775807", "-1", "1e400", "null", "[", "{}", "\"", "0", "1e-320", "]]",
    ]
    var generator = SeededGenerator(seed: 3)
    var readCount = 0
    for _ in 0..<FuzzCount.perTest {
      var json = valid
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<json.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: json[index] = UInt8.random(in: 0...255, using: &generator)
        case 1:
          json[index] = Array("{}[]\":,0123456789\\-.e".utf8).randomElement(using: &generator)!
        case 2:
          json.insert(contentsOf: Array(pieces.randomElement(using: &generator)!.utf8), at: index)
        default: json.removeSubrange(index..<min(json.count, index + 3))
        }
      }
      guard let read = try? ModelConfiguration(json: json, path: "fuzz") else { continue }
      readCount += 1
      #expect(read.shape.layers.allSatisfy { $0.headCount > 0 && $0.intermediateSize > 0 })
    }
    #expect(readCount > 0, "some changes do no harm")
  }
}
