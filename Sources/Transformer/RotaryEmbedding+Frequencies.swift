internal import FlapCore
internal import Glibc

extension RotaryEmbedding {
  /// θ^(−2i/d) for i in 0..<d/2, scaled as `rope_scaling` says, in f32 as transformers computes it
  /// (`modeling_rope_utils.py`); d are the channels of a head that are turned.
  ///
  /// - Parameter length: of the sample, in tokens; LongRoPE goes by it.
  func inverseFrequencies(headDimension: Int, length: Int) -> [Float] {
    let headDimension = rotatedDimension ?? headDimension
    // θ^(2i/d), of which transformers takes the reciprocal before or after it scales.
    let periods = stride(from: 0, to: headDimension, by: 2).map { index in
      Float(pow(Double(Float(theta)), Double(Float(index) / Float(headDimension))))
    }
    switch scaling {
    case .none: return periods.map { 1 / $0 }
    case .linear(let factor): return periods.map { 1 / $0 / Float(factor) }
    case .llama3(let factor, let low, let high, let context):
      return periods.map {
        RotaryEmbedding.llama3(1 / $0, factor, low, high, Double(context))
      }
    case .yarn(let scaling):
      let ramp = scaling.ramp(headDimension: headDimension, theta: theta)
      return zip(periods, ramp).map { period, share in
        let kept = 1 - share
        return 1 / (Float(scaling.factor) * period) * (1 - kept) + 1 / period * kept
      }
    case .longRope(let scaling):
      let isLong = length > scaling.originalContextLength
      let divisors = isLong ? scaling.longDivisors : scaling.shortDivisors
      return zip(periods, divisors).map { period, divisor in 1 / (Float(divisor) * period) }
    }
  }

  /// What cosines and sines are multiplied by.
  var attentionFactor: Double {
    switch scaling {
    case .none, .linear, .llama3: 1
    case .yarn(let scaling): scaling.attentionFactor
    case .longRope(let scaling): scaling.attentionFactor
    }
  }

  private static func llama3(
    _ frequency: Float, _ factor: Double, _ low: Double, _ high: Double, _ context: Double
  ) -> Float {
    let wavelength = 2 * Double.pi / Double(frequency)
    if wavelength < context / high { return frequency }
    if wavelength > context / low { return Float(Double(frequency) / factor) }
    let smooth = (context / wavelength - low) / (high - low)
    return Float((1 - smooth) * Double(frequency) / factor + smooth * Double(frequency))
  }
}

extension YarnScaling {
  /// How much of each frequency is the divided one, 0…1, [head dimension / 2].
  func ramp(headDimension: Int, theta: Double) -> [Float] {
    let dimension = Double(headDimension)
    /// The frequency, a fraction of their number, that makes so many turns in the original context.
    func index(ofTurns turns: Double) -> Double {
      dimension * log(Double(originalContextLength) / (turns * 2 * Double.pi)) / (2 * log(theta))
    }
    var low = index(ofTurns: fastTurns)
    var high = index(ofTurns: slowTurns)
    if truncatesRamp { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    (low, high) = (max(low, 0), min(high, dimension - 1))
    // No division by zero.
    if low == high { high += 0.001 }
    return (0..<headDimension / 2).map { index in
      min(max((Float(index) - Float(low)) / Float(high - low), 0), 1)
    }
  }
}
