internal import CKernels

/// Mean and Σ(x − mean)² of every column of a matrix, in f64.
public struct ColumnMoments: Sendable {
  /// Rows.
  public let count: Int
  /// [channels].
  public let mean: [Double]
  /// [channels].
  public let m2: [Double]

  /// Moments of a block x [rows, channels] whose rows are `stride` floats apart, by the calling
  /// thread; a mean or M2 is not finite exactly where a value of its column is not.
  public static func measure(
    block x: UnsafePointer<Float>, stride: Int, rows: Int, channels: Int,
    mean: UnsafeMutablePointer<Double>, m2: UnsafeMutablePointer<Double>
  ) {
    precondition(rows > 0)
    flap_channel_moments(x, stride, rows, channels, mean, m2)
  }

  /// Takes the moments of `rightCount` rows into those of `count` rows (Chan, Golub and LeVeque
  /// 1983); the same bits on every CPU, and the same as merging `ChannelMoments`.
  public static func merge(
    count: Int, mean: UnsafeMutablePointer<Double>, m2: UnsafeMutablePointer<Double>,
    rightCount: Int, rightMean: UnsafePointer<Double>, rightM2: UnsafePointer<Double>,
    channels: Int
  ) {
    flap_merge_moments(
      count, mean, m2, rightCount, rightMean, rightM2, channels)
  }

  /// The first column that holds a value which is not finite.
  public var firstNonFiniteChannel: Int? { m2.firstIndex { !$0.isFinite } }
}
