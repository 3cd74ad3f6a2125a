/// Count, mean and sum of squared deviations of every channel at one tap, over some tokens.
///
/// For channel j over the tokens t: `mean[j]` = Σ x_tj / N and `m2[j]` = Σ (x_tj − mean[j])².
public struct ChannelMoments: Hashable, Sendable {
  /// N: tokens seen; the same for every channel.
  public internal(set) var count: Int
  /// Mean per channel; zeros while `count` is 0.
  public internal(set) var mean: [Double]
  /// Sum of squared deviations from the mean per channel; zeros while `count` is 0.
  public internal(set) var m2: [Double]

  /// Numbers from a file or a peer are checked by ``validate()``.
  ///
  /// - Precondition: `mean` and `m2` have one entry per channel each.
  public init(count: Int, mean: [Double], m2: [Double]) {
    precondition(mean.count == m2.count, "One mean and one M2 per channel.")
    self.count = count
    self.mean = mean
    self.m2 = m2
  }

  /// No tokens yet.
  public init(channelCount: Int) {
    self.init(
      count: 0, mean: Array(repeating: 0, count: channelCount),
      m2: Array(repeating: 0, count: channelCount))
  }

  public var channelCount: Int { mean.count }

  /// Sample variance per channel: M2 / (N − 1); NaN for fewer than two tokens.
  public var variance: [Double] {
    guard count > 1 else { return Array(repeating: .nan, count: channelCount) }
    let divisor = Double(count - 1)
    return m2.map { $0 / divisor }
  }

  /// Σ x² per channel: M2 + N · mean².
  public var squareSum: [Double] {
    let tokens = Double(count)
    return (0..<channelCount).map { m2[$0] + tokens * (mean[$0] * mean[$0]) }
  }
}
