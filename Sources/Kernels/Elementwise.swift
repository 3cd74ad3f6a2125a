internal import CKernels
public import FlapCore

/// Kernels over blocks of f32; the C functions say the formulas.
/// A block is [rows, columns], row-major, with a stride in floats from row to row.
public enum Elementwise {
  /// One panel of row tiles ← the norm of up to 16 rows of x [rows, channels], zeros beyond.
  ///
  /// - Parameter tiles: ``Tile/count(ofChannels:_:)`` · ``Tile/byteCount`` bytes.
  public static func rmsNormPanel(
    _ x: UnsafePointer<Float>, stride: Int, rows: Int, weight: UnsafePointer<Float>,
    epsilon: Float, channels: Int, _ compute: ComputeType, to tiles: UnsafeMutableRawPointer
  ) {
    precondition((0...Tile.side).contains(rows))
    flap_rms_norm_panel(
      compute.format, x, stride, rows, weight, epsilon, channels, tiles)
  }

  /// x ← rotation of (x + bias), block [rows, heads · headDimension].
  ///
  /// - Parameters:
  ///   - turnedDimension: channels at the beginning of each head that are turned, the others left as
  ///     they are; nil: all.
  ///   - bias: [heads · headDimension], or nil, as where not all are turned.
  ///   - cosines: [positions, turned channels / 2].
  ///   - sines: like the cosines.
  ///   - firstPosition: of row 0; position 0 follows position `positions` − 1 (the next sample).
  public static func rope(
    block x: UnsafeMutablePointer<Float>, stride: Int, rows: Int, heads: Int, headDimension: Int,
    turnedDimension: Int? = nil, bias: UnsafePointer<Float>?, cosines: UnsafePointer<Float>,
    sines: UnsafePointer<Float>,
    firstPosition: Int, positions: Int
  ) {
    precondition((0..<positions).contains(firstPosition))
    let turned = turnedDimension ?? headDimension
    precondition(turned <= headDimension && (turned == headDimension || bias == nil))
    flap_rope_block(
      x, stride, rows, heads, headDimension, turned, bias, cosines, sines, firstPosition,
      positions)
  }

  /// gate ← SiLU(gate) · up, blocks [rows, columns].
  public static func swiGLU(
    gateBlock gate: UnsafeMutablePointer<Float>, gateStride: Int, up: UnsafePointer<Float>,
    upStride: Int, rows: Int, columns: Int
  ) {
    flap_swiglu_block(gate, gateStride, up, upStride, rows, columns)
  }

  /// gate ← GELU(gate) · up, by its approximation with tanh, blocks [rows, columns].
  public static func geGLU(
    gateBlock gate: UnsafeMutablePointer<Float>, gateStride: Int, up: UnsafePointer<Float>,
    upStride: Int, rows: Int, columns: Int
  ) {
    flap_geglu_block(gate, gateStride, up, upStride, rows, columns)
  }

  /// to ← to + scale · (from + bias), blocks [rows, columns]; bias [columns] or nil.
  public static func add(
    block from: UnsafePointer<Float>, stride: Int, bias: UnsafePointer<Float>?,
    scaledBy scale: Float,
    to: UnsafeMutablePointer<Float>, toStride: Int, rows: Int, columns: Int
  ) {
    flap_add_scaled_block(to, toStride, from, stride, bias, scale, rows, columns)
  }

  /// to ← to + norm(from), [rows, channels].
  public static func addNorm(
    of from: UnsafePointer<Float>, stride: Int, rows: Int, weight: UnsafePointer<Float>,
    epsilon: Float, channels: Int, to: UnsafeMutablePointer<Float>, toStride: Int
  ) {
    flap_add_rms_norm(to, toStride, from, stride, rows, weight, epsilon, channels)
  }

  /// x ← norm(x), [rows, channels].
  public static func rmsNorm(
    _ x: UnsafeMutablePointer<Float>, stride: Int, rows: Int, weight: UnsafePointer<Float>,
    epsilon: Float, channels: Int
  ) {
    flap_rms_norm(x, stride, rows, weight, epsilon, channels)
  }

  /// to ← to + (from + bias), blocks [rows, columns]; bias [columns] or nil.
  public static func add(
    block from: UnsafePointer<Float>, stride: Int, bias: UnsafePointer<Float>?,
    to: UnsafeMutablePointer<Float>, toStride: Int, rows: Int, columns: Int
  ) {
    flap_add_block(to, toStride, from, stride, bias, rows, columns)
  }

  /// to ← to + factor · from.
  public static func add(
    _ from: UnsafePointer<Float>, times factor: Float, to: UnsafeMutablePointer<Float>, count: Int
  ) {
    for index in 0..<count { to[index] += factor * from[index] }
  }

  /// x ← x + bias, block [rows, columns].
  public static func addBias(
    _ bias: UnsafePointer<Float>, toBlock x: UnsafeMutablePointer<Float>, stride: Int, rows: Int,
    columns: Int
  ) {
    flap_add_bias(x, stride, bias, rows, columns)
  }

  /// Takes a block of columns into every row's maximum and Σ exp(x − maximum), which begin as −∞
  /// and 0: log Σ exp of the row is log(sum) + maximum after the last block.
  public static func addExponentials(
    block x: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int,
    maxima: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Double>
  ) {
    flap_log_sum_exp_block(x, stride, rows, columns, maxima, sums)
  }

  /// Takes a block of columns of two rows' logits into every row's maximum of y, Σ exp(y − maximum)
  /// and Σ exp(y − maximum)·(y − x), which begin as −∞, 0 and 0.
  public static func addGaps(
    from y: UnsafePointer<Float>, fromStride: Int, to x: UnsafePointer<Float>, stride: Int,
    rows: Int, columns: Int, maxima: UnsafeMutablePointer<Float>,
    sums: UnsafeMutablePointer<Double>, gaps: UnsafeMutablePointer<Double>
  ) {
    flap_gap_block(y, fromStride, x, stride, rows, columns, maxima, sums, gaps)
  }

  package static func exp(_ from: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>, count: Int)
  {
    flap_exp(from, to, count)
  }
}
