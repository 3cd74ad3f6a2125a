import Statistics

/// Moments of `rows` [tokens][channels] in two passes, the mean first: the plain definition.
func twoPassMoments(_ rows: [[Double]], channelCount: Int) -> ChannelMoments {
  guard !rows.isEmpty else { return ChannelMoments(channelCount: channelCount) }
  let count = Double(rows.count)
  let mean = (0..<channelCount).map { channel in rows.reduce(0) { $0 + $1[channel] } / count }
  let m2 = (0..<channelCount).map { channel in
    rows.reduce(0) { $0 + ($1[channel] - mean[channel]) * ($1[channel] - mean[channel]) }
  }
  return ChannelMoments(count: rows.count, mean: mean, m2: m2)
}

/// Rows whose channels differ in scale and offset by orders of magnitude.
func randomRows(_ rowCount: Int, channelCount: Int, using generator: inout SeededGenerator)
  -> [[Double]]
{
  (0..<rowCount).map { _ in
    (0..<channelCount).map { channel in
      Double.random(in: -1...1, using: &generator) * Double(1 << (3 * channel)) + Double(channel)
    }
  }
}

/// Moments of `rows` in blocks of 1 to 5 rows.
func randomLeaves(_ leafCount: Int, channelCount: Int, using generator: inout SeededGenerator)
  -> [ChannelMoments]
{
  (0..<leafCount).map { _ in
    let rowCount = Int.random(in: 1...5, using: &generator)
    let rows = randomRows(rowCount, channelCount: channelCount, using: &generator)
    return twoPassMoments(rows, channelCount: channelCount)
  }
}

extension ChannelMoments {
  /// Count and the bits of every number: equality that tells −0 from 0.
  var bits: [UInt64] {
    [UInt64(count)] + mean.map(\.bitPattern) + m2.map(\.bitPattern)
  }
}
