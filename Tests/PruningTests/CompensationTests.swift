import Pruning
import Testing

@Suite struct CompensationTests {
  private let weight: [Float] = [
    1, 2, 3, 4,
    -1, 0.5, 8, 0,
  ]
  private let kept = [true, false, true, false]
  private let mean = [100.0, 10, 100, -2]

  @Test func prunedChannelsMeanContributionBecomesTheBias() {
    let compensation = Compensation(mean: mean, keptChannels: kept)
    #expect(compensation.prunedChannels == [1, 3])
    #expect(compensation.baselines == [10, -2])
    let biases = weight.withUnsafeBufferPointer { compensation.biases(weight: $0) }
    #expect(biases == [2 * 10 - 4 * 2, 5])
  }

  @Test func anExistingBiasIsAddedTo() {
    let compensation = Compensation(mean: mean, keptChannels: kept)
    let biases = weight.withUnsafeBufferPointer {
      compensation.biases(weight: $0, existing: [0.5, -5])
    }
    #expect(biases == [12.5, 0])
  }

  @Test func baselinesOfAPlanGiveTheSame() {
    let whole = Compensation(mean: mean, keptChannels: kept)
    #expect(Compensation(baselines: [10, -2], keptChannels: kept) == whole)
    #expect(Compensation(baselines: [10], keptChannels: kept) == nil)
    #expect(Compensation(baselines: [10, -2, 0], keptChannels: kept) == nil)
  }

  @Test func nothingPrunedLeavesTheBiasAsItIs() {
    let none = Compensation(mean: mean, keptChannels: [true, true, true, true])
    let biases = weight.withUnsafeBufferPointer { none.biases(weight: $0, existing: [0.1, -7]) }
    #expect(biases == [0.1, -7])
  }

  /// A kept channel is not even read: what it holds cannot reach the bias.
  @Test func keptChannelsDoNotMatter() {
    let compensation = Compensation(mean: mean, keptChannels: kept)
    let row: [Float] = [.nan, 2, .infinity, 4]
    #expect(row.withUnsafeBufferPointer { compensation.bias(row: $0) } == 12)
  }

  /// The documented order: four interleaved partial sums, then the rest.
  @Test(arguments: [1, 3, 4, 5, 8, 1001])
  func orderOfSummationIsFixed(channelCount: Int) {
    let row = (0..<channelCount).map { Float(($0 * 7919) % 1013) / 1013 - 0.5 }
    let mean = (0..<channelCount).map { Double(($0 * 104_729) % 997) / 997 }
    let compensation = Compensation(
      mean: mean, keptChannels: Array(repeating: false, count: channelCount))
    var lanes = [0.0, 0, 0, 0]
    let whole = channelCount - channelCount % 4
    for channel in 0..<whole { lanes[channel % 4] += Double(row[channel]) * mean[channel] }
    var expected = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    for channel in whole..<channelCount { expected += Double(row[channel]) * mean[channel] }
    let found = row.withUnsafeBufferPointer { compensation.bias(row: $0) }
    #expect(found.bitPattern == expected.bitPattern)
  }
}
