internal import CKernels

/// Mean and Σ(x − mean)² of every column of a matrix, in f64.
public enum ColumnMoments {
  /// Moments of a block x [rows, channels] whose rows are `stride` floats apart, by the calling
  /// thread; a mean or M2 is not finite exactly where a value of its column is not.
  public static func measure(
    block x: UnsafePointer<Float>, stride: Int, rows: Int, channels: Int,
    mean: UnsafeMutablePointer<Double>, m2: UnsafeMutablePointer<Double>
  ) {
    precondition(rows > 0)
    flap_channel_moments(x, stride, rows, channels, mean, m2)
  }
}
