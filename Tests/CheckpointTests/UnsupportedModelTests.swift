import Checkpoint
import FlapCore
import Testing

/// What is refused by name.
struct UnsupportedModelTests {
  static let fields: [(family: ModelFamily, field: String, reason: String)] = [
    (.qwen3, "\"quantization_config\": {\"quant_method\": \"gptq\"}", "quantized weights"),
    (.mistral, "\"attn_logit_softcapping\": 50.0", "capped logits are not supported"),
    (.qwen2, "\"final_logit_softcapping\": 30", "capped logits are not supported"),
    (.qwen3, "\"num_experts\": 128", "a mixture of experts is not supported"),
    (.mistral, "\"num_local_experts\": 8", "a mixture of experts is not supported"),
    (.qwen2, "\"partial_rotary_factor\": 0.5", "partial_rotary_factor is 0.5"),
    (
      .qwen2, "\"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5}",
      "rope_parameters.partial_rotary_factor is 0.5"
    ),
    (.mistral, "\"rope_scaling\": {\"type\": \"dynamic\"}", "rope_type is dynamic"),
    (
      .qwen2, "\"rope_scaling\": {\"type\": \"mrope\", \"mrope_section\": [1, 2]}",
      "rope_type is mrope"
    ),
    (
      .mistral, "\"layer_types\": [\"full_attention\"]", "not supported in a model of type mistral"
    ),
    (.qwen2, "\"layer_types\": [\"full_attention\"]", "names 1 layers, where num_hidden_layers"),
    (.qwen2, "\"layer_types\": 3", "layer_types is not a list of strings"),
    (
      .qwen3, "\"layer_types\": [\"chunked_attention\", \"full_attention\", \"full_attention\"]",
      "names chunked_attention; supported are"
    ),
    (
      .qwen3, "\"layer_types\": [\"sliding_attention\", \"full_attention\", \"full_attention\"]",
      "but no window is in use"
    ),
    (.gemma3, "\"attn_logit_softcapping\": 50.0", "capped logits are not supported"),
    (.gemma3, "\"hidden_activation\": \"gelu\"", "only gelu_pytorch_tanh is supported"),
    (.gemma3, "\"layer_types\": [\"full_attention\"]", "names 1 layers, where num_hidden_layers"),
    (.gemma3, "\"rope_parameters\": {\"rope_theta\": 5}", "is none of the kinds of layers"),
    (
      .gemma3,
      "\"rope_parameters\": {\"sliding_attention\": {\"rope_type\": \"linear\", \"factor\": 2}}",
      "scales sliding_attention"
    ),
    (.granite, "\"residual_multiplier\": 0", "is not positive"),
    (
      .mixtral, "\"per_layer_config\": {\"1\": {\"intermediate_size\": 8}}",
      "where experts of 14336 are in place of the MLP"
    ),
    (.qwen3Moe, "\"num_local_experts\": 8", "is 8, where num_experts is 128"),
    (.granite, "\"logits_scaling\": \"x\"", "is not a number"),
    (.smollm3, "\"no_rope_layers\": [1, 0]", "names 2 layers, where num_hidden_layers is 4"),
    (.smollm3, "\"no_rope_layers\": [1, 0, 1, 0.5]", "is not a list of whole numbers"),
    (
      .olmo2, "\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 2}",
      "rope_type is linear"
    ),
    (.olmo3, "\"rope_theta\": 10000", "in transformers 5 500000.0 in layers with a window"),
    (.phi3, "\"partial_rotary_factor\": 0.2", "an even number is to be turned"),
    (
      .phi3, "\"rope_scaling\": {\"type\": \"longrope\", \"factor\": 2}",
      "has other fields than long_factor, short_factor, type"
    ),
    (.mistral, "\"per_layer_config\": {\"x\": {}}", "per_layer_config.x is no number of a layer"),
    (.mistral, "\"per_layer_config\": {\"1\": {}, \"01\": {}}", "or a second one"),
  ]

  @Test(
    "models that are refused by name",
    arguments: [
      ("deepseek_v3", "a mixture of experts"), ("gemma2", "capped logits of attention"),
      ("gemma3", "a model of text and images"), ("phi", "layers without a gate"),
      ("olmo", "norms without weights"), ("qwen2_vl", "text and images"),
      ("granitemoehybrid", "a mixture of experts"),
      ("gpt2", "supported are llama, mistral, mixtral, qwen2, qwen3, phi3"),
      ("flap_gpt2", "supported are llama, mistral, mixtral, qwen2, qwen3, phi3"),
    ])
  func unsupportedModel(type: String, reason: String) {
    expectRefusal(
      of: PublishedConfiguration.qwen3.replacing("\"qwen3\"", with: "\"\(type)\""),
      "model_type is \(type)", reason)
  }

  @Test(
    "fields that are refused by name",
    arguments: fields)
  func unsupportedField(family: ModelFamily, field: String, reason: String) throws {
    let name = try #require(field.split(separator: "\"").first)
    var plain = PublishedConfiguration.of(family).replacing("\"rope_scaling\": null, ", with: "")
    // In place of what the file says of it: a string, a number, a list or an object.
    let value = /"\s*:\s*(\[[^\]]*\]|\{[^}]*\}|[^,}]*),\s*/
    for range in plain.ranges(of: "\"\(name)").reversed() {
      if let match = plain[range.upperBound...].prefixMatch(of: value) {
        plain.removeSubrange(range.lowerBound..<match.range.upperBound)
      }
    }
    expectRefusal(
      of: plain.replacing("{\"model_type\"", with: "{\(field), \"model_type\""),
      "\(name)", reason)
  }

  @Test("a window of no tokens is refused")
  func noWindow() {
    let json = PublishedConfiguration.mistral.replacing(
      "\"sliding_window\": 4096", with: "\"sliding_window\": 0")
    expectRefusal(of: json, "sliding_window is not a whole number from 1")
  }

  private func expectRefusal(of json: String, _ parts: String...) {
    let error = #expect(throws: ConfigurationError.self) { try parse(json) }
    for part in parts {
      #expect(error.map { "\($0)".contains(part) } == true, "\(String(describing: error))")
    }
    #expect(error?.description.contains("\n") == false)
  }

  private func parse(_ json: String) throws -> ModelConfiguration {
    try ModelConfiguration(json: Array(json.utf8), path: "m/config.json")
  }
}
