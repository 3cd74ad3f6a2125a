internal import CKernels

/// Mean and Σ(x − mean)² of every column of a matrix, in f64.
public struct ColumnMoments: Sendable {
  /// [channels].
  public let mean: [Double]
  /// [channels].
  public let m2: [Double]

  /// Two passes over x [rows, channels], row-major f32; columns are shared out, so the bits do
  /// not depend on the number of threads.
  public init(of x: UnsafePointer<Float>, rows: Int, channels: Int, team: ThreadTeam) {
    let block = 256
    var m2: [Double] = []
    mean = Array(unsafeUninitializedCapacity: channels) { mean, count in
      m2 = Array(unsafeUninitializedCapacity: channels) { m2, count in
        let means = mean.baseAddress!
        let squares = m2.baseAddress!
        team.run(taskCount: (channels + block - 1) / block) { task, _ in
          let first = task * block
          flap_channel_moments(
            x + first, channels, rows, min(block, channels - first), means + first, squares + first)
        }
        count = channels
      }
      count = channels
    }
    self.m2 = m2
  }

  /// The first column that holds a value which is not finite.
  public var firstNonFiniteChannel: Int? { m2.firstIndex { !$0.isFinite } }
}
