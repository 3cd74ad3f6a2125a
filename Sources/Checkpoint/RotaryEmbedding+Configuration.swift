internal import FlapCore

extension RotaryEmbedding {
  /// `rope_theta` and `rope_scaling`, or `rope_parameters` as transformers 5 writes them.
  init(_ fields: ConfigurationFields) throws(ConfigurationError) {
    try RotaryEmbedding.checkFraction(fields)
    let parameters = try fields.nested("rope_parameters")
    let ownTheta = try parameters?.number("rope_theta")
    let globalTheta = try fields.number("rope_theta")
    let theta = ownTheta ?? globalTheta ?? 10000
    guard theta > 0 else { throw fields.error("rope_theta", "is not positive") }
    let olderParameters = try fields.nested("rope_scaling")
    guard let scaling = parameters ?? olderParameters else {
      self.init(theta: theta)
      return
    }
    try RotaryEmbedding.checkFraction(scaling)
    let newerName = try scaling.text("rope_type")
    let olderName = try scaling.text("type")
    let type = newerName ?? olderName ?? "default"
    switch type {
    case "default": self.init(theta: theta)
    case "linear":
      self.init(
        theta: theta, scaling: .linear(factor: try scaling.positive("factor")))
    case "llama3":
      self.init(
        theta: theta,
        scaling: .llama3(
          factor: try scaling.positive("factor"),
          lowFrequencyFactor: try scaling.positive("low_freq_factor"),
          highFrequencyFactor: try scaling.positive("high_freq_factor"),
          originalContextLength: try scaling.size("original_max_position_embeddings")))
    default:
      throw scaling.error("rope_type", "is \(type); supported are default, linear, llama3")
    }
  }

  private static func checkFraction(_ fields: ConfigurationFields) throws(ConfigurationError) {
    let fraction = try fields.number("partial_rotary_factor") ?? 1
    guard fraction == 1 else {
      throw fields.error("partial_rotary_factor", "is \(fraction); only 1 is supported")
    }
  }
}
