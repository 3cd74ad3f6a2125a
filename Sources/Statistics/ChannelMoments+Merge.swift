extension ChannelMoments: Mergeable {
  /// Chan's formula (Chan, Golub, LeVeque 1979), in f64, in this fixed order of operations:
  ///
  ///     n    = n_a + n_b
  ///     w    = n_b / n                       once per merge
  ///     v    = n_a · w                       once per merge
  ///     δ    = mean_b − mean_a
  ///     mean = mean_a + δ · w
  ///     M2   = (M2_a + M2_b) + (δ · δ) · v
  ///
  /// An empty side leaves the other as it is, bit for bit. No operation is fused (Swift does not
  /// contract floating-point expressions), so every IEEE 754 machine gives the same bits.
  ///
  /// - Precondition: both have the same channels, and the counts add up within `Int`.
  public mutating func merge(_ right: ChannelMoments) {
    precondition(channelCount == right.channelCount, "Moments of different taps do not merge.")
    ChannelMoments.merge(
      count, &mean, &m2, rightCount: right.count, right.mean, right.m2, channelCount: channelCount)
    count += right.count
  }

  /// The same on bare memory, for moments that are gathered in scratch.
  ///
  /// - Precondition: `channelCount` means and M2 on both sides.
  package static func merge(
    _ count: Int, _ mean: UnsafeMutablePointer<Double>, _ m2: UnsafeMutablePointer<Double>,
    rightCount: Int, _ rightMean: UnsafePointer<Double>, _ rightM2: UnsafePointer<Double>,
    channelCount: Int
  ) {
    guard rightCount > 0 else { return }
    guard count > 0 else {
      mean.update(from: rightMean, count: channelCount)
      m2.update(from: rightM2, count: channelCount)
      return
    }
    let rightShare = Double(rightCount) / Double(count + rightCount)
    merge(
      mean, m2, rightMean, rightM2, channelCount: channelCount, rightShare: rightShare,
      betweenWeight: Double(count) * rightShare)
  }

  /// The loop over channels, on bare pointers so that it vectorizes: a report of a large model
  /// has millions of channels.
  private static func merge(
    _ mean: UnsafeMutablePointer<Double>, _ m2: UnsafeMutablePointer<Double>,
    _ rightMean: UnsafePointer<Double>, _ rightM2: UnsafePointer<Double>, channelCount: Int,
    rightShare: Double, betweenWeight: Double
  ) {
    for channel in 0..<channelCount {
      let delta = rightMean[channel] - mean[channel]
      mean[channel] += delta * rightShare
      m2[channel] = (m2[channel] + rightM2[channel]) + (delta * delta) * betweenWeight
    }
  }
}
