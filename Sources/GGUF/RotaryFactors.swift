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
}
