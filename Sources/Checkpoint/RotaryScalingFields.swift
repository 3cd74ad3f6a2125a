internal import FlapCore
internal import Glibc

/// What each `rope_type` asks of its fields (transformers' `modeling_rope_utils.py`).
///
/// Defaults that depend on other fields are worked out here, so that a shape says what is computed.
struct RotaryScalingFields {
  /// The whole `config.json`.
  let fields: ConfigurationFields
  /// `rope_scaling` or `rope_parameters`, whichever counts.
  let source: ConfigurationFields
  /// Whether that is `rope_scaling`, which both versions of transformers read.
  let isOlder: Bool
  /// Of the family, where the file has none.
  var originalLength: Int?
  /// Whether transformers 5 looks for the original length in the object alone.
  var isLayered = false

  static let original = "original_max_position_embeddings"

  /// Fields that a type reads, beside those that all have.
  static func names(ofType type: String) -> Set<String> {
    switch type {
    case "linear": ["factor"]
    case "llama3": ["factor", "low_freq_factor", "high_freq_factor", original]
    case "yarn":
      [
        "factor", "beta_fast", "beta_slow", "truncate", "mscale", "mscale_all_dim",
        "attention_factor", original,
      ]
    case "longrope": ["factor", "short_factor", "long_factor", "attention_factor", original]
    default: []
    }
  }

  func linear() throws(ConfigurationError) -> RotaryEmbedding.Scaling {
    .linear(factor: try source.positive("factor"))
  }

  func llama3() throws(ConfigurationError) -> RotaryEmbedding.Scaling {
    let context = try source.size(Self.original)
    try checkOuter(context, "\(context) in \(source.name)")
    return .llama3(
      factor: try source.positive("factor"),
      lowFrequencyFactor: try source.positive("low_freq_factor"),
      highFrequencyFactor: try source.positive("high_freq_factor"),
      originalContextLength: context)
  }

  /// `_compute_yarn_parameters`: without an original length, `max_position_embeddings` is it.
  func yarn() throws(ConfigurationError) -> YarnScaling {
    let named = try source.sizeIfPresent(Self.original)
    let context: Int
    if let named { context = named } else { context = try contextLength() }
    try checkOuter(
      context,
      named == nil
        ? "\(source.name) has none, where max_position_embeddings \(context) stands for it"
        : "\(context) in \(source.name)")
    let factor = try source.positive("factor")
    var scaling = YarnScaling(
      factor: factor, originalContextLength: context,
      fastTurns: try turns("beta_fast", 32), slowTurns: try turns("beta_slow", 1),
      // A null is what Python takes for false.
      truncatesRamp: try source.flag("truncate") ?? !source.isNull("truncate"),
      attentionFactor: 1)
    if let named = try attentionFactor() {
      scaling.attentionFactor = named
    } else {
      scaling.attentionFactor = try yarnAttentionFactor(factor)
    }
    return scaling
  }

  /// The paper's 0.1 · ln(factor) + 1, or a quotient of two of these (DeepSeek's `mscale`).
  private func yarnAttentionFactor(_ factor: Double) throws(ConfigurationError) -> Double {
    func scale(_ weight: Double) -> Double { factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1 }
    guard let over = try unlessZero("mscale"), let under = try unlessZero("mscale_all_dim") else {
      return scale(1)
    }
    return scale(over) / scale(under)
  }

  /// `_compute_longrope_parameters`: transformers 4.57 looks for the original length beside
  /// `rope_scaling` only, 5 in it, too.
  ///
  /// - Parameter frequencyCount: half the channels of a head that are turned.
  func longRope(frequencyCount: Int) throws(ConfigurationError) -> LongRopeScaling {
    let outer = try fields.sizeIfPresent(Self.original) ?? originalLength
    let inner = try source.sizeIfPresent(Self.original)
    let positions = try contextLength()
    if isOlder, outer == nil, let inner, inner != positions {
      throw source.error(
        Self.original,
        "is \(inner), and there is none beside \(source.name): transformers 4.57 takes "
          + "max_position_embeddings \(positions), 5 the former; name it beside \(source.name)")
    }
    if isLayered, outer ?? positions != inner ?? positions {
      throw source.error(
        Self.original,
        "is \(inner ?? positions), and \(outer ?? positions) beside \(source.name): transformers 4.57 "
          + "takes the latter, 5 the former; name it in both places")
    }
    let context = outer ?? inner ?? positions
    guard context > 1 else { throw source.error(Self.original, "is \(context), no length") }
    var scaling = LongRopeScaling(
      shortDivisors: try divisors("short_factor", frequencyCount),
      longDivisors: try divisors("long_factor", frequencyCount),
      originalContextLength: context, attentionFactor: 1)
    if let named = try attentionFactor() {
      scaling.attentionFactor = named
    } else {
      scaling.attentionFactor = try longRopeAttentionFactor(
        positions: positions, context: context, isNamedOutside: outer != nil)
    }
    return scaling
  }

  /// √(1 + ln(factor) ÷ ln(original length)).
  private func longRopeAttentionFactor(positions: Int, context: Int, isNamedOutside: Bool)
    throws(ConfigurationError) -> Double
  {
    let ratio = Double(positions) / Double(context)
    let named = source.has("factor") ? try source.positive("factor") : nil
    if let named, isOlder, isNamedOutside, named != ratio {
      throw source.error(
        "factor",
        "is \(named), and max_position_embeddings ÷ original_max_position_embeddings \(ratio): "
          + "transformers 4.57 takes the latter, 5 the former; leave factor out, or name "
          + "attention_factor")
    }
    if named == nil, isOlder, !isNamedOutside {
      throw source.error(
        "factor",
        "is missing: transformers 4.57 does not load such a model, 5 takes \(ratio); name it")
    }
    let factor = named ?? ratio
    return factor <= 1 ? 1 : (1 + log(factor) / log(Double(context))).squareRoot()
  }

  private func divisors(_ name: String, _ count: Int) throws(ConfigurationError) -> [Double] {
    guard let divisors = try source.numbers(name) else { throw source.error(name, "is missing") }
    guard divisors.count == count, divisors.allSatisfy({ $0 > 0 }) else {
      throw source.error(
        name,
        "is no list of \(count) positive numbers, half as many as a head has channels that are turned"
      )
    }
    return divisors
  }

  private func attentionFactor() throws(ConfigurationError) -> Double? {
    source.has("attention_factor") ? try source.positive("attention_factor") : nil
  }

  private func turns(_ name: String, _ usual: Double) throws(ConfigurationError) -> Double {
    let turns = try unlessZero(name) ?? usual
    guard turns > 0 else { throw source.error(name, "is not positive") }
    return turns
  }

  /// Python takes a zero for nothing.
  private func unlessZero(_ name: String) throws(ConfigurationError) -> Double? {
    try source.number(name).flatMap { $0 == 0 ? nil : $0 }
  }

  private func contextLength() throws(ConfigurationError) -> Int {
    guard let positions = try fields.sizeIfPresent("max_position_embeddings") else {
      throw fields.error("max_position_embeddings", "is missing, and \(source.name) needs it")
    }
    return positions
  }

  private func checkOuter(_ context: Int, _ inner: String) throws(ConfigurationError) {
    guard let outer = try fields.sizeIfPresent(Self.original), outer != context else { return }
    throw fields.error(
      Self.original,
      "is \(outer), and \(inner): transformers 4.57 takes the latter, 5 the former; name it in "
        + "\(source.name) alone")
  }
}
