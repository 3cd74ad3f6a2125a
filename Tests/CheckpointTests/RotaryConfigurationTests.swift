import Checkpoint
import FlapCore
import Testing

/// The rotary embedding in all the spellings of transformers 4.57 and 5.
struct RotaryConfigurationTests {
  private static let llama3 =
    "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
    + "\"original_max_position_embeddings\": 64"

  private static let scaled = RotaryEmbedding(
    theta: 500,
    scaling: .llama3(
      factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 64))
  private static let linear = RotaryEmbedding(theta: 10000, scaling: .linear(factor: 2))

  static let readings: [(fields: String, read: RotaryEmbedding)] = [
    ("\"rope_theta\": 500", RotaryEmbedding(theta: 500)),
    ("\"rope_parameters\": {\"rope_theta\": 500}", RotaryEmbedding(theta: 500)),
    (
      "\"rope_parameters\": {\"rope_theta\": 500, \"rope_type\": \"llama3\", \(llama3)}", scaled
    ),
    ("\"rope_theta\": 500, \"rope_scaling\": {\"rope_type\": \"llama3\", \(llama3)}", scaled),
    // An older file that also holds what the newer version made of it.
    (
      "\"rope_theta\": 500, \"rope_scaling\": {\"rope_type\": \"llama3\", \(llama3)}, "
        + "\"rope_parameters\": {\"rope_theta\": 500, \"rope_type\": \"llama3\", \(llama3)}", scaled
    ),
    // Both versions take rope_scaling, and with it the default theta.
    (
      "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, "
        + "\"rope_parameters\": {\"rope_theta\": 500, \"rope_type\": \"llama3\", \(llama3)}", linear
    ),
    (
      "\"rope_scaling\": {}, \"rope_parameters\": {\"rope_theta\": 500}",
      RotaryEmbedding(theta: 500)
    ),
    ("\"rope_scaling\": {\"rope_type\": \"linear\", \"type\": \"linear\", \"factor\": 2}", linear),
  ]

  @Test("what counts", arguments: readings)
  func read(fields: String, read: RotaryEmbedding) throws {
    #expect(try parse(fields).shape.rotaryEmbedding == read)
  }

  static let refusals: [(fields: String, message: String)] = [
    ("\"rope_scaling\": {\"factor\": 2}", "rope_scaling.rope_type is missing"),
    (
      "\"rope_theta\": 500, \"rope_parameters\": {\"rope_theta\": 600}",
      "rope_theta is 500.0, and 600.0 in rope_parameters"
    ),
    (
      "\"rope_theta\": 500, \"rope_scaling\": {\"type\": \"default\", \"rope_theta\": 600}",
      "rope_theta is 500.0, and 600.0 in rope_scaling"
    ),
    (
      "\"rope_scaling\": {\"type\": \"linear\", \"rope_type\": \"default\", \"factor\": 2}",
      "rope_scaling.type is linear, and rope_type default"
    ),
    (
      "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}",
      "rope_parameters.full_attention is an object"
    ),
    (
      "\"original_max_position_embeddings\": 32, "
        + "\"rope_scaling\": {\"type\": \"llama3\", \(llama3)}",
      "original_max_position_embeddings is 32, and 64 in rope_scaling"
    ),
    ("\"rope_theta\": 0", "rope_theta is not positive"),
  ]

  @Test("what the versions read differently is refused by name", arguments: refusals)
  func refused(fields: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try parse(fields) }
    #expect(error.map { "\($0)".contains(message) } == true, "\(String(describing: error))")
  }

  static let idle: [(fields: String, name: String?)] = [
    ("\"rope_scaling\": {\"type\": \"default\", \"factor\": 2}", "rope_scaling.factor"),
    (
      "\"rope_parameters\": {\"type\": \"linear\", \"factor\": 2, \"attention_factor\": 2}",
      "rope_parameters.attention_factor"
    ),
    (
      "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, "
        + "\"rope_parameters\": {\"type\": \"linear\", \"factor\": 4}", "rope_parameters"
    ),
    (
      "\"rope_theta\": 500, \"rope_scaling\": {\"rope_type\": \"llama3\", \(llama3)}, "
        + "\"rope_parameters\": {\"rope_theta\": 500, \"rope_type\": \"llama3\", \(llama3)}", nil
    ),
    ("\"rope_parameters\": {\"rope_theta\": 500, \"partial_rotary_factor\": 1.0}", nil),
  ]

  @Test("what is there and has no effect is told", arguments: idle)
  func told(fields: String, name: String?) throws {
    let notes = try parse(fields).notes
    #expect(notes.count == (name == nil ? 0 : 1), "\(notes)")
    if let name { #expect(notes[0].hasSuffix("here: \(name)"), "\(notes)") }
  }

  private func parse(_ fields: String) throws -> ModelConfiguration {
    let json = ConfigurationTests.llama2.replacing("\"rope_scaling\": null", with: fields)
    return try ModelConfiguration(json: Array(json.utf8), path: "m/config.json")
  }
}
