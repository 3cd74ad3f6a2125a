/// The moments as a kind: what a report, a ledger and a statistics file have of them.
extension ChannelMoments: SampleStatistic {
  public static let kind = StatisticKind("moments")
  public static let source = StatisticSource.taps

  /// The count of tokens, then the means and the M2.
  public static func byteCount(channelCount: Int) -> Int { 8 + 16 * channelCount }

  public var bytes: [UInt8] {
    var writer = ByteWriter(byteCount: ChannelMoments.byteCount(channelCount: channelCount))
    writer.append(count: count)
    writer.append(mean)
    writer.append(m2)
    return writer.bytes
  }

  public init(bytes: [UInt8], channelCount: Int) {
    var reader = ByteReader(bytes)
    // A count that cannot be becomes one that ``validate()`` refuses.
    let count = reader.count() ?? -1
    guard let mean = reader.values(channelCount), let m2 = reader.values(channelCount) else {
      preconditionFailure("moments of \(channelCount) channels in \(bytes.count) bytes")
    }
    self.init(count: count, mean: mean, m2: m2)
  }

  /// Most tokens that moments can hold: counts stay exact in f64, and adding two cannot overflow.
  public static let largestTokenCount = ByteReader.largestCount

  public func validate() throws(StatisticDefect) {
    guard (0...ChannelMoments.largestTokenCount).contains(count) else {
      throw .tokenCount(found: count)
    }
    guard !ChannelMoments.arePossible(mean, m2) else { return }
    for channel in 0..<channelCount {
      guard mean[channel].isFinite, m2[channel].isFinite else {
        throw .notFinite(channel: channel)
      }
      guard m2[channel] >= 0 else { throw .negative(channel: channel) }
    }
  }

  /// Whether all are finite and no M2 is negative. Without a way out, so that it vectorizes: a
  /// report of a large model has millions of channels.
  private static func arePossible(_ mean: [Double], _ m2: [Double]) -> Bool {
    mean.withUnsafeBufferPointer { mean in
      m2.withUnsafeBufferPointer { m2 in
        var impossible: UInt64 = 0
        for channel in 0..<mean.count {
          impossible |= mean[channel].magnitude < .infinity ? 0 : 1
          impossible |= m2[channel] >= 0 ? 0 : 1
          impossible |= m2[channel] < .infinity ? 0 : 1
        }
        return impossible == 0
      }
    }
  }

  public static let arrayNames = ["input_mean", "input_m2"]
  public var arrays: [[Double]] { [mean, m2] }
  public init(arrays: [[Double]], tokenCount: Int) {
    self.init(count: tokenCount, mean: arrays[0], m2: arrays[1])
  }
}
