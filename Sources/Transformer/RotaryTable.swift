internal import FlapCore
internal import Glibc

/// Cosines and sines of the rotary embedding, [positions, headDimension / 2] each.
///
/// Angles are computed as transformers does: inverse frequencies and their products with the
/// position in f32, so that long contexts turn by the same angles.
struct RotaryTable {
  let halfDimension: Int
  private let cosines: [Float]
  private let sines: [Float]

  init(_ embedding: RotaryEmbedding, headDimension: Int, positions: Int) {
    halfDimension = headDimension / 2
    let frequencies = RotaryTable.inverseFrequencies(embedding, headDimension: headDimension)
    var cosines: [Float] = []
    var sines: [Float] = []
    for position in 0..<positions {
      for frequency in frequencies {
        let angle = Double(Float(position) * frequency)
        cosines.append(Float(cos(angle)))
        sines.append(Float(sin(angle)))
      }
    }
    self.cosines = cosines
    self.sines = sines
  }

  /// Cosines and sines, [positions, headDimension / 2] each.
  func withTable<Result>(
    _ body: (_ cosines: UnsafePointer<Float>, _ sines: UnsafePointer<Float>) -> Result
  ) -> Result {
    cosines.withUnsafeBufferPointer { cosines in
      sines.withUnsafeBufferPointer { sines in body(cosines.baseAddress!, sines.baseAddress!) }
    }
  }

  /// θ^(−2i/d) for i in 0..<d/2, scaled as `rope_scaling` says
  /// (transformers' `modeling_rope_utils.py`).
  static func inverseFrequencies(_ embedding: RotaryEmbedding, headDimension: Int) -> [Float] {
    stride(from: 0, to: headDimension, by: 2).map { index in
      let exponent = Float(index) / Float(headDimension)
      let frequency = 1 / Float(pow(Double(Float(embedding.theta)), Double(exponent)))
      switch embedding.scaling {
      case .none: return frequency
      case .linear(let factor): return frequency / Float(factor)
      case .llama3(let factor, let low, let high, let context):
        return llama3(frequency, factor, low, high, Double(context))
      }
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
