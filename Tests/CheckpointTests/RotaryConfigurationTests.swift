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
    // Qwen's, with the original length; 4096 of max_position_embeddings stand for it otherwise.
    (
      "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, "
        + "\"original_max_position_embeddings\": 1024}", yarn(1024, 4)
    ),
    ("\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4}", yarn(4096, 4)),
    // Python's zeros and nulls.
    (
      "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 0.5, \"beta_fast\": 0, "
        + "\"truncate\": null, \"mscale\": 2}", yarn(4096, 0.5, truncates: false)
    ),
    (
      "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, \"beta_fast\": 16, \"beta_slow\": 2, "
        + "\"truncate\": false, \"attention_factor\": 1.5, \"mscale\": 2, \"mscale_all_dim\": 1}",
      yarn(4096, 4, turns: (16, 2), truncates: false, attention: 1.5)
    ),
    // The length beside it, from which both versions work out the factor.
    (
      "\"original_max_position_embeddings\": 1024, \"rope_scaling\": \(longRope())",
      long(1024, 1.0954451)
    ),
    ("\"rope_scaling\": \(longRope("\"factor\": 1"))", long(4096, 1)),
    // 4.57 reads nothing of it, what is written says it in both spellings.
    (
      "\"rope_parameters\": \(longRope("\"original_max_position_embeddings\": 1024"))",
      long(1024, 1.0954451)
    ),
    (
      "\"original_max_position_embeddings\": 1024, "
        + "\"rope_scaling\": \(longRope("\"factor\": 2, \"attention_factor\": 3"))", long(1024, 3)
    ),
  ]

  private static func yarn(
    _ context: Int, _ factor: Double, turns: (fast: Double, slow: Double) = (32, 1),
    truncates: Bool = true, attention: Double? = nil
  ) -> RotaryEmbedding {
    RotaryEmbedding(
      theta: 10000,
      scaling: .yarn(
        YarnScaling(
          factor: factor, originalContextLength: context, fastTurns: turns.fast,
          slowTurns: turns.slow, truncatesRamp: truncates,
          // 0.1 · ln(4) + 1, or 1 below a factor of 1.
          attentionFactor: attention ?? (factor < 1 ? 1 : 1.138629436111989))))
  }

  private static let divisors = (1...64).map { 1 + Double($0) / 8 }

  private static func longRope(_ more: String? = nil) -> String {
    "{\"rope_type\": \"longrope\", \"short_factor\": \(divisors), \"long_factor\": \(divisors)"
      + (more.map { ", \($0)}" } ?? "}")
  }

  private static func long(_ context: Int, _ attention: Double) -> RotaryEmbedding {
    RotaryEmbedding(
      theta: 10000,
      scaling: .longRope(
        LongRopeScaling(
          shortDivisors: divisors, longDivisors: divisors, originalContextLength: context,
          attentionFactor: attention)))
  }

  @Test("what counts", arguments: readings)
  func read(fields: String, read: RotaryEmbedding) throws {
    let rotary = try parse(fields).shape.rotaryEmbedding
    guard case .longRope(var scaling) = rotary.scaling, case .longRope(let other) = read.scaling
    else {
      #expect(rotary == read)
      return
    }
    // A square root of logarithms, worked out by hand to seven places.
    #expect(abs(scaling.attentionFactor - other.attentionFactor) < 1e-6)
    scaling.attentionFactor = other.attentionFactor
    #expect(scaling == other && rotary.theta == read.theta)
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
    ("\"rope_scaling\": {\"type\": \"yarn\"}", "rope_scaling.factor is missing or not positive"),
    (
      "\"rope_theta\": 1, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}",
      "rope_scaling.rope_type is yarn, which needs a rope_theta above 1"
    ),
    (
      "\"original_max_position_embeddings\": 32, "
        + "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}",
      "original_max_position_embeddings is 32, and rope_scaling has none, where "
        + "max_position_embeddings 4096 stands for it"
    ),
    (
      "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"beta_slow\": -1}",
      "rope_scaling.beta_slow is not positive"
    ),
    (
      "\"rope_scaling\": \(longRope("\"original_max_position_embeddings\": 1024"))",
      "rope_scaling.original_max_position_embeddings is 1024, and there is none beside rope_scaling"
    ),
    (
      "\"original_max_position_embeddings\": 1024, \"rope_scaling\": \(longRope("\"factor\": 2"))",
      "rope_scaling.factor is 2.0, and max_position_embeddings ÷ "
        + "original_max_position_embeddings 4.0"
    ),
    ("\"rope_scaling\": \(longRope())", "rope_scaling.factor is missing: transformers 4.57"),
    (
      "\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, 2]}",
      "rope_scaling.short_factor is no list of 64 positive numbers"
    ),
    (
      "\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, \"2\"]}",
      "rope_scaling.short_factor is not a list of numbers"
    ),
    (
      "\"rope_scaling\": {\"type\": \"su\"}",
      "rope_scaling.rope_type is su; supported are default, linear, llama3, yarn, longrope"
    ),
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
    ("\"original_max_position_embeddings\": 8", "original_max_position_embeddings"),
    ("\"original_max_position_embeddings\": 1024, \"rope_scaling\": \(longRope())", nil),
    (
      "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"low_freq_factor\": 2}",
      "rope_scaling.low_freq_factor"
    ),
  ]

  @Test("what is there and has no effect is told", arguments: idle)
  func told(fields: String, name: String?) throws {
    let notes = try parse(fields).notes
    #expect(notes.count == (name == nil ? 0 : 1), "\(notes)")
    if let name { #expect(notes[0].hasSuffix("here: \(name)"), "\(notes)") }
  }

  private func parse(_ fields: String) throws -> ModelConfiguration {
    let json = ConfigurationTests.llama2.replacing(
      "\"rope_scaling\": null", with: "\"max_position_embeddings\": 4096, \(fields)")
    return try ModelConfiguration(json: Array(json.utf8), path: "m/config.json")
  }
}
