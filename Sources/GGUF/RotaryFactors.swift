package import FlapCore
internal import Foundation

extension RotaryEmbedding {
  /// `rope_freqs.weight` [head dimension / 2]: what each frequency is divided by; nil where all
  /// stay as they are or are divided by the same number (`rope.scaling.factor`).
  ///
  /// Llama 3.1's rule (`_compute_llama3_parameters` of transformers): wavelengths up to
  /// context / high stay, those from context / low on are divided by `factor`, between them the
  /// frequency is interpolated linearly.
  package func frequencyDivisors(headDimension: Int) -> [Float]? {
    guard case .llama3(let factor, let low, let high, let context) = scaling else { return nil }
    return (0..<headDimension / 2).map { index in
      let frequency = pow(theta, -2 * Double(index) / Double(headDimension))
      let wavelength = 2 * Double.pi / frequency
      if wavelength < Double(context) / high { return 1 }
      if wavelength > Double(context) / low { return Float(factor) }
      let share = (Double(context) / wavelength - low) / (high - low)
      return Float(1 / ((1 - share) / factor + share))
    }
  }

  /// The keys that say the scaling, without the architecture before them.
  var scalingEntries: [(key: String, value: MetadataValue)] {
    switch scaling {
    case .none, .llama3: []
    case .linear(let factor):
      [("rope.scaling.type", .string("linear")), ("rope.scaling.factor", number(factor))]
    case .yarn(let yarn):
      [
        ("rope.scaling.type", .string("yarn")), ("rope.scaling.factor", number(yarn.factor)),
        ("rope.scaling.original_context_length", .uint32(UInt32(yarn.originalContextLength))),
      ]
        + (yarn.attentionShare == 1
          ? [] : [("rope.scaling.attn_factor", number(yarn.attentionShare))])
        + (yarn.fastTurns == 32
          ? [] : [("rope.scaling.yarn_beta_fast", number(yarn.fastTurns))])
        + (yarn.slowTurns == 1 ? [] : [("rope.scaling.yarn_beta_slow", number(yarn.slowTurns))])
    case .longRope(let long):
      [
        ("rope.scaling.type", .string("longrope")),
        ("rope.scaling.original_context_length", .uint32(UInt32(long.originalContextLength))),
        ("rope.scaling.attn_factor", number(long.attentionFactor)),
      ]
    }
  }

  private func number(_ value: Double) -> MetadataValue { .float32(Float(value)) }

  /// Divisors of frequencies by the names of their tensors, [head dimension / 2] each.
  func divisorTensors(headDimension: Int) -> [(name: String, divisors: [Float])] {
    if case .longRope(let long) = scaling {
      return [
        ("rope_factors_long.weight", long.longDivisors.map { Float($0) }),
        ("rope_factors_short.weight", long.shortDivisors.map { Float($0) }),
      ]
    }
    return frequencyDivisors(headDimension: headDimension).map { [("rope_freqs.weight", $0)] } ?? []
  }
}

extension YarnScaling {
  /// `rope.scaling.attn_factor`: llama.cpp multiplies it by the paper's 0.1 · ln(factor) + 1.
  fileprivate var attentionShare: Double {
    factor <= 1 ? attentionFactor : attentionFactor / (0.1 * log(factor) + 1)
  }
}
