internal import CKernels

/// Kernels over rows of f32, each one pass; the C functions say the formulas.
public enum Elementwise {
  /// to = from · weight / √(mean(from²) + epsilon).
  public static func rmsNorm(
    _ from: UnsafePointer<Float>, weight: UnsafePointer<Float>, epsilon: Float,
    to: UnsafeMutablePointer<Float>, count: Int
  ) {
    flap_rms_norm(from, weight, epsilon, to, count)
  }

  /// Rotates `heads` consecutive heads in place; cosines and sines are [headDimension / 2].
  public static func rope(
    _ x: UnsafeMutablePointer<Float>, cosines: UnsafePointer<Float>, sines: UnsafePointer<Float>,
    heads: Int, headDimension: Int
  ) {
    flap_rope(x, cosines, sines, heads, headDimension)
  }

  /// gate ← SiLU(gate) · up.
  public static func swiGLU(
    gate: UnsafeMutablePointer<Float>, up: UnsafePointer<Float>, count: Int
  ) {
    flap_swiglu(gate, up, count)
  }

  /// to ← to + from.
  public static func add(
    _ from: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>, count: Int
  ) {
    flap_add(to, from, count)
  }

  /// log Σ exp(x).
  public static func logSumExp(_ x: UnsafePointer<Float>, count: Int) -> Double {
    flap_log_sum_exp(x, count)
  }

  package static func exp(_ from: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>, count: Int)
  {
    flap_exp(from, to, count)
  }
}
