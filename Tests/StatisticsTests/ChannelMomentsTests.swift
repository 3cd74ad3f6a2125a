import Statistics
import Testing

@Suite struct ChannelMomentsTests {
  @Test func varianceAndSquareSumFollowTheirFormulas() {
    // Channel 0 holds 1, 2, 3, 4; channel 1 holds −2 four times.
    let moments = ChannelMoments(count: 4, mean: [2.5, -2], m2: [5, 0])
    #expect(moments.variance == [5.0 / 3, 0])
    #expect(moments.squareSum == [30, 16])
  }

  @Test(arguments: [0, 1])
  func varianceOfFewerThanTwoTokensIsUndefined(count: Int) {
    let moments = ChannelMoments(count: count, mean: [0], m2: [0])
    #expect(moments.variance[0].isNaN)
  }

  @Test func mergingWithNothingChangesNoBit() {
    let some = ChannelMoments(
      count: 3, mean: [-0.0, 0.1, 1e300], m2: [-0.0, .leastNonzeroMagnitude, 7])
    let nothing = ChannelMoments(channelCount: 3)
    #expect(ChannelMoments.merge(some, nothing).bits == some.bits)
    #expect(ChannelMoments.merge(nothing, some).bits == some.bits)
    #expect(ChannelMoments.merge(nothing, nothing).bits == nothing.bits)
  }

  /// The documented order of operations, one channel at a time: any other order, or a fused
  /// multiplication, changes last bits in a thousand random channels.
  @Test func mergeHasTheDocumentedBits() {
    var generator = SeededGenerator(seed: 11)
    func random() -> [Double] {
      (0..<1000).map { _ in Double.random(in: -3...3, using: &generator) }
    }
    let left = ChannelMoments(count: 127, mean: random(), m2: random().map(\.magnitude))
    let right = ChannelMoments(count: 2048, mean: random(), m2: random().map(\.magnitude))
    let merged = ChannelMoments.merge(left, right)

    let w = 2048.0 / 2175.0
    let v = 127.0 * w
    for channel in 0..<1000 {
      let delta = right.mean[channel] - left.mean[channel]
      let shift = delta * w
      let square = delta * delta
      let between = square * v
      let within = left.m2[channel] + right.m2[channel]
      #expect(merged.mean[channel].bitPattern == (left.mean[channel] + shift).bitPattern)
      #expect(merged.m2[channel].bitPattern == (within + between).bitPattern)
    }
    #expect(merged.count == 2175)
  }

  /// The tolerance is some rounding errors of sums of 200 numbers, relative to the largest.
  @Test(arguments: 0..<20)
  func splittingAndMergingEqualsOnePass(seed: Int) {
    var generator = SeededGenerator(seed: seed)
    let rows = randomRows(200, channelCount: 6, using: &generator)
    let split = Int.random(in: 0...200, using: &generator)
    let merged = ChannelMoments.merge(
      twoPassMoments(Array(rows[..<split]), channelCount: 6),
      twoPassMoments(Array(rows[split...]), channelCount: 6))
    let whole = twoPassMoments(rows, channelCount: 6)
    #expect(merged.count == 200)
    for channel in 0..<6 {
      let scale = Double(1 << (3 * channel)) + Double(channel)
      #expect((merged.mean[channel] - whole.mean[channel]).magnitude < 1e-13 * scale)
      #expect((merged.m2[channel] / whole.m2[channel] - 1).magnitude < 1e-12)
    }
  }

  /// A large mean with a small variance ruins Σx² − N·mean² (the mean's square has 18 digits of
  /// the 16 that f64 holds), but not Chan's formula. Samples are integers, so the exact M2 is a
  /// fraction of 128-bit integers: (N·Σx² − (Σx)²) / N.
  @Test(arguments: [0, 1, 1_000, 1_000_000, 1_000_000_000])
  func largeMeanAndSmallVarianceStayAccurate(offset: Int) {
    var generator = SeededGenerator(seed: offset)
    let samples = (0..<4096).map { _ in offset + Int.random(in: -2...2, using: &generator) }
    var reducer = TreeReducer<ChannelMoments>(tree: CanonicalTree(leafCount: 512))
    for leaf in 0..<512 {
      let rows = samples[8 * leaf..<8 * (leaf + 1)].map { [Double($0)] }
      #expect(reducer.accept(twoPassMoments(rows, channelCount: 1), of: .leaf(leaf)) == .accepted)
    }
    let sum = samples.reduce(Int128(0)) { $0 + Int128($1) }
    let squares = samples.reduce(Int128(0)) { $0 + Int128($1) * Int128($1) }
    let exactMean = Double(sum) / 4096
    let exactM2 = Double(4096 * squares - sum * sum) / 4096

    let moments = reducer.result
    #expect(moments?.count == 4096)
    // One part in 2^52 per level of merging and per sum; the offset costs M2 no digits beyond
    // those by which the means, near the offset, are rounded.
    let rounding = 0x1p-52
    let meanError = ((moments?.mean[0] ?? .nan) - exactMean).magnitude
    #expect(meanError <= 16 * rounding * max(1, Double(offset)))
    let m2Error = ((moments?.m2[0] ?? .nan) / exactM2 - 1).magnitude
    #expect(m2Error <= 64 * rounding * max(1, Double(offset) / 64))
  }

  @Test func lossesAddUp() {
    let left = LossSum(negativeLogLikelihood: 3, tokenCount: 2)
    let merged = LossSum.merge(left, LossSum(negativeLogLikelihood: 5, tokenCount: 2))
    #expect(merged == LossSum(negativeLogLikelihood: 8, tokenCount: 4))
    #expect(merged.meanNegativeLogLikelihood == 2)
    #expect(LossSum().meanNegativeLogLikelihood.isNaN)
  }

  @Test func weightNormsSumOverRows() {
    var accumulator = WeightNormsAccumulator(channelCount: 3)
    for row: [Float] in [[1, -2, 0.5], [-3, 0, 0.25]] {
      row.withUnsafeBufferPointer { accumulator.add(row: $0) }
    }
    let norms = accumulator.norms
    #expect(norms == WeightNorms(squareSum: [10, 4, 0.3125], absoluteMean: [2, 1, 0.375]))
  }
}
