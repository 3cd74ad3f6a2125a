internal import Checkpoint
internal import FlapCore

/// The rotary embedding in a `config.json`, so that every version of transformers reads the same.
///
/// 4.57 reads `rope_theta` and `rope_scaling` and knows no `rope_parameters`; 5 writes only the
/// latter, and reads `rope_theta` and `rope_scaling` where they are there.
enum RotaryFields {
  /// Says all three alike, unless the file has the two older ones only, each in its place.
  static func unify(
    _ shape: ModelShape, of family: ModelFamily, in fields: inout [String: JSONValue]
  ) {
    let rotary = shape.rotaryEmbedding
    let older = object(fields["rope_scaling"])
    let isOlderOnly = object(fields["rope_parameters"]) == nil
    guard !isOlderOnly || older?.isEmpty == true || older?["rope_theta"] != nil else { return }
    var scaling = self.scaling(rotary.scaling)
    fields["rope_theta"] = number(rotary.theta)
    fields["rope_scaling"] = rotary.scaling == .none ? .null : .object(scaling)
    if family == .phi3, case .longRope(let long) = rotary.scaling {
      fields["rope_scaling"] = .object(phi3(long))
    }
    scaling["rope_theta"] = number(rotary.theta)
    if rotary.rotatedDimension != nil {
      // A fraction, of which only the file says what it was.
      let fraction = fields[RotaryFields.fraction] ?? object(fields["rope_parameters"])?[fraction]
      fields[RotaryFields.fraction] = fraction
      scaling[RotaryFields.fraction] = fraction
    }
    fields["rope_parameters"] = .object(scaling)
    if let local = shape.localRotaryEmbedding {
      if family == .gemma3 { fields["rope_local_base_freq"] = number(local.theta) }
      var sliding = self.scaling(local.scaling)
      sliding["rope_theta"] = number(local.theta)
      fields["rope_parameters"] = .object([
        "full_attention": .object(scaling), "sliding_attention": .object(sliding),
      ])
    }
    if case .longRope(let long) = rotary.scaling {
      // 4.57 looks for it nowhere else.
      fields[RotaryFields.original] = .whole(long.originalContextLength)
    }
  }

  private static func object(_ value: JSONValue?) -> [String: JSONValue]? {
    if case .object(let fields)? = value { fields } else { nil }
  }

  private static func scaling(_ scaling: RotaryEmbedding.Scaling) -> [String: JSONValue] {
    switch scaling {
    case .none: ["rope_type": .text("default")]
    case .linear(let factor): ["rope_type": .text("linear"), "factor": number(factor)]
    case .llama3(let factor, let low, let high, let context):
      [
        "rope_type": .text("llama3"), "factor": number(factor), "low_freq_factor": number(low),
        "high_freq_factor": number(high), original: .whole(context),
      ]
    case .yarn(let yarn):
      [
        "rope_type": .text("yarn"), "factor": number(yarn.factor),
        original: .whole(yarn.originalContextLength), "beta_fast": number(yarn.fastTurns),
        "beta_slow": number(yarn.slowTurns), "truncate": .flag(yarn.truncatesRamp),
        "attention_factor": number(yarn.attentionFactor),
      ]
    case .longRope(let long):
      [
        "rope_type": .text("longrope"), original: .whole(long.originalContextLength),
        "short_factor": .list(long.shortDivisors.map(number)),
        "long_factor": .list(long.longDivisors.map(number)),
        "attention_factor": number(long.attentionFactor),
      ]
    }
  }

  /// The three fields that Phi-3's class takes in 4.57.
  private static func phi3(_ long: LongRopeScaling) -> [String: JSONValue] {
    [
      "type": .text("longrope"), "short_factor": .list(long.shortDivisors.map(number)),
      "long_factor": .list(long.longDivisors.map(number)),
    ]
  }

  private static let fraction = "partial_rotary_factor"
  private static let original = "original_max_position_embeddings"

  private static func number(_ value: Double) -> JSONValue {
    Int(exactly: value).map { .whole($0) } ?? .number(value)
  }
}
