/// The bias that makes up for the channels taken from one linear map y = W·x: the mean of what
/// they contributed, b_i = Σ_{j pruned} W_ij · mean_j, so that the mean output stays (FLAP,
/// section "bias compensation").
public struct Compensation: Hashable, Sendable {
  /// Input channels of W before pruning.
  public let channelCount: Int
  /// Channels that go, ascending.
  public let prunedChannels: [Int]
  /// Mean of each channel in ``prunedChannels``, in the same order: all that a writer needs to
  /// know of the statistics.
  public let baselines: [Double]

  /// - Parameters:
  ///   - mean: mean of every input channel.
  ///   - keptChannels: one flag per input channel.
  /// - Precondition: as many means as flags.
  public init(mean: [Double], keptChannels: [Bool]) {
    precondition(mean.count == keptChannels.count, "One mean and one flag per input channel.")
    channelCount = keptChannels.count
    prunedChannels = keptChannels.indices.filter { !keptChannels[$0] }
    baselines = prunedChannels.map { mean[$0] }
  }

  /// From the means of the pruned channels alone, as a plan carries them.
  ///
  /// - Returns: nil unless there are as many baselines as flags that are false.
  public init?(baselines: [Double], keptChannels: [Bool]) {
    channelCount = keptChannels.count
    prunedChannels = keptChannels.indices.filter { !keptChannels[$0] }
    guard baselines.count == prunedChannels.count else { return nil }
    self.baselines = baselines
  }

  /// That of a map that reads some of the channels.
  public func part(_ channels: Range<Int>) -> Compensation {
    let places = prunedChannels.indices.filter { channels.contains(prunedChannels[$0]) }
    return Compensation(
      channelCount: channels.count,
      prunedChannels: places.map { prunedChannels[$0] - channels.lowerBound },
      baselines: places.map { baselines[$0] })
  }

  private init(channelCount: Int, prunedChannels: [Int], baselines: [Double]) {
    self.channelCount = channelCount
    self.prunedChannels = prunedChannels
    self.baselines = baselines
  }

  /// The bias of one output channel, in f64: the products of the pruned channels, ascending, in
  /// four interleaved partial sums added up at the end; then `existing`.
  ///
  /// - Parameters:
  ///   - row: one row of W before pruning, [``channelCount``].
  ///   - existing: the bias that the map has already.
  public func bias(row: UnsafeBufferPointer<Float>, existing: Double = 0) -> Double {
    precondition(row.count == channelCount, "One weight per input channel.")
    let correction = prunedChannels.withUnsafeBufferPointer { channels in
      baselines.withUnsafeBufferPointer { baselines in
        Compensation.product(row, channels, baselines)
      }
    }
    return existing + correction
  }

  /// The biases of all output channels, [out].
  ///
  /// - Parameters:
  ///   - weight: W before pruning, [out, ``channelCount``], row-major.
  ///   - existing: the bias that the map has already, [out].
  public func biases(weight: UnsafeBufferPointer<Float>, existing: [Double]? = nil) -> [Double] {
    precondition(
      channelCount > 0 && weight.count % channelCount == 0, "The weight has whole rows.")
    let rowCount = weight.count / channelCount
    precondition(existing.map { $0.count == rowCount } ?? true, "One bias per row.")
    return (0..<rowCount).map { row in
      let range = row * channelCount..<(row + 1) * channelCount
      return bias(
        row: UnsafeBufferPointer(rebasing: weight[range]), existing: existing?[row] ?? 0)
    }
  }

  /// Partial sums of one dot product: part of the formula, since it decides the bits. Several, so
  /// that additions need not wait for one another.
  private static let laneCount = 4

  private static func product(
    _ row: UnsafeBufferPointer<Float>, _ channels: UnsafeBufferPointer<Int>,
    _ baselines: UnsafeBufferPointer<Double>
  ) -> Double {
    var lanes = SIMD4<Double>()
    let whole = channels.count - channels.count % laneCount
    for start in stride(from: 0, to: whole, by: laneCount) {
      let weights = SIMD4<Double>(
        Double(row[channels[start]]), Double(row[channels[start + 1]]),
        Double(row[channels[start + 2]]), Double(row[channels[start + 3]]))
      let means = SIMD4<Double>(
        baselines[start], baselines[start + 1], baselines[start + 2], baselines[start + 3])
      lanes += weights * means
    }
    var sum = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    for rest in whole..<channels.count {
      sum += Double(row[channels[rest]]) * baselines[rest]
    }
    return sum
  }
}
