import FlapCore
import Pruning
import Statistics
import Testing

/// What the published code does and this one does not, one test each.
@Suite struct PublishedCodeQuirkTests {
  /// Three sequences of two tokens, one channel.
  private let sequences = [[1.0, 3], [5.0, 9], [4.0, 2]]

  /// Its running estimate, as published: the old and the new mean are one tensor, changed in
  /// place; the first sequence contributes nothing; divisors count sequences.
  private func publishedFluctuation() -> Double {
    var mean = 0.0
    var fluctuation = 0.0
    for (index, tokens) in sequences.enumerated() {
      let seen = Double(index)
      mean = mean * seen / (seen + 1) + (tokens.reduce(0, +) / 2) / (seen + 1)
      guard index > 0 else { continue }
      let squares = tokens.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      fluctuation = fluctuation * (seen - 1) / seen + squares / (seen + 1)
    }
    return fluctuation
  }

  private func moments(_ sequences: some Sequence<[Double]>) -> ChannelMoments {
    var moments = ChannelMoments(channelCount: 1)
    for tokens in sequences {
      let mean = (tokens[0] + tokens[1]) / 2
      let m2 = (tokens[0] - mean) * (tokens[0] - mean) + (tokens[1] - mean) * (tokens[1] - mean)
      moments.merge(ChannelMoments(count: 2, mean: [mean], m2: [m2]))
    }
    return moments
  }

  @Test func varianceDoesNotUseTheNewMeanTwice() {
    // Σ(x − 4)² of 1, 3, 5, 9, 4, 2 is 40.
    #expect((moments(sequences).variance[0] - 40.0 / 5).magnitude < 1e-14)
    #expect((publishedFluctuation() - 8).magnitude > 0.1)
  }

  @Test func varianceCountsTheFirstSample() {
    #expect(moments(sequences.prefix(1)).variance[0] == 2)
    #expect(moments(sequences).variance != moments(sequences.dropFirst()).variance)
  }

  @Test func varianceDividesByTokens() {
    // The same tokens, each twice: the sum of squares doubles, and so does the count of tokens.
    let twice = moments(sequences.flatMap { [$0, $0] })
    #expect(twice.count == 12)
    #expect((twice.variance[0] - 80.0 / 11).magnitude < 1e-14)
  }

  /// There 512/3 for any model, truncated to 170; a group of head dimension 64 costs 256/3
  /// neurons, one with grouped queries less per head than 512/3.
  @Test func costsAreExactForAnyHeadDimensionAndGrouping() {
    func cost(_ headDimension: Int, heads: Int, groups: Int) -> Int {
      testShape(headDimension: headDimension, layers: [(heads, groups, 8)]).unitCost(
        layer: 0, tap: .attentionOutput)
    }
    #expect(cost(128, heads: 32, groups: 32) == 512)
    #expect(cost(64, heads: 32, groups: 32) == 256)
    #expect(cost(128, heads: 32, groups: 8) == 2 * 4 * 128 + 2 * 128)
  }

  /// The truncation moves the cut: half of 8192 is 512 + 3 · 1194⅔, so that the cut is at the
  /// 1195th neuron (which goes, too); with 3 · 170 for a group it would be at the 1194th.
  @Test func costOfAGroupIsNotTruncated() throws {
    let shape = testShape(headDimension: 128, layers: [(4, 4, 2048)])
    // One head scores above most neurons, the others below the cut.
    let heads = repeated([1, 2, 3, 400], count: 128)
    let layer = LayerScores(attentionOutput: heads, mlpDown: (0..<2048).map(Double.init))
    let result = try StructureSearch(structure: .adaptive, ratio: 0.5)
      .run(scores: [layer], shape: shape)
    #expect(result.keptGroups == [1])
    #expect(result.keptNeurons == [1194])
  }

  @Test func layersDoNotLoseEverything() throws {
    // Layer 0 has no unit above its mean worth keeping; only ties, standardized to 0.
    let shape = testShape(headDimension: 2, layers: [(2, 2, 6), (2, 2, 6)])
    let flat = LayerScores(
      attentionOutput: Array(repeating: 1, count: 4), mlpDown: Array(repeating: 1, count: 6))
    let steep = LayerScores(
      attentionOutput: [0, 0, 9, 9], mlpDown: [0, 0, 0, 9, 9, 9])
    let result = try StructureSearch(structure: .adaptive, ratio: 0.5)
      .run(scores: [flat, steep], shape: shape)
    #expect(result.keptGroups[0] == 1 && result.keptNeurons[0] == 1)
    #expect(result.unitsKeptByMinimum == 2)
  }

  /// There main.py zeroes the biases of exactly 32 layers; others hold what memory held.
  @Test func biasesBeyondLayer31AreDefined() throws {
    let layers: [(heads: Int, groups: Int, neurons: Int)] = Array(repeating: (2, 2, 4), count: 40)
    let shape = testShape(headDimension: 2, layers: layers)
    // Layers 32 … 39 score high, so that nothing of them goes.
    let scores = (0..<40).map { layer in
      LayerScores(
        attentionOutput: [1, 2, 4, 8].map { $0 + Double(layer) },
        mlpDown: [1, 2, 4, 8].map { $0 + Double(layer) })
    }
    let plan = try StructureSearch(structure: .uniform, ratio: 0.25)
      .run(scores: scores, shape: shape).plan
    #expect(plan.prunedShape(of: shape).biases.mlpDown)
    let weight: [Float] = [1, 1, 1, 1]
    for layer in 0..<40 {
      // Half of two groups is one, a quarter of four neurons is one.
      let mlp = Compensation(mean: [3, 5, 7, 9], keptChannels: plan.layers[layer].keptNeurons)
      #expect(weight.withUnsafeBufferPointer { mlp.biases(weight: $0) } == [3])
      let attention = Compensation(
        mean: [3, 5, 7, 9],
        keptChannels: plan.keptChannels(layer: layer, tap: .attentionOutput, shape: shape))
      #expect(weight.withUnsafeBufferPointer { attention.biases(weight: $0) } == [0])
    }
  }

  /// There `sorted[-0]` is the highest score, and every head goes.
  @Test func removingNoGroupsRemovesNone() throws {
    let shape = testShape(headDimension: 2, layers: [(2, 2, 8)])
    let layer = LayerScores(attentionOutput: [1, 2, 3, 4], mlpDown: (0..<8).map(Double.init))
    let result = try StructureSearch(
      structure: .adaptiveLayersManualModules, ratio: 0.25, groupsRemoved: 0
    ).run(scores: [layer], shape: shape)
    #expect(result.keptGroups == [2])
    #expect(result.keptNeurons == [5])
  }
}
