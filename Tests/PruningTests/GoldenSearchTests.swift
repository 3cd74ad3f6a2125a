import FlapCore
import Pruning
import Statistics
import Testing

/// Scores, masks and biases against numpy's (see `make_golden.py`).
@Suite struct GoldenSearchTests {
  @Test(arguments: GoldenFixture.names)
  func scoresAreNumpys(name: String) throws {
    let golden = try GoldenFixture.load(name)
    for values in golden.metrics {
      let metric = try #require(Metric(rawValue: values.metric))
      let scores = try LayerScores.scores(
        metric: metric, moments: metric.needsMoments ? golden.moments : nil, norms: golden.norms)
      #expect(scores.count == values.scores.count)
      for (found, expected) in zip(scores, values.scores) {
        for tap in Tap.allCases {
          #expect(found[tap].count == expected[tap].count)
          for (found, expected) in zip(found[tap], expected[tap]) {
            // A handful of roundings, doubled by squaring.
            #expect((found / expected - 1).magnitude < 4e-15)
          }
        }
      }
    }
  }

  @Test(arguments: GoldenFixture.names)
  func masksAndRatiosAreNumpys(name: String) throws {
    let golden = try GoldenFixture.load(name)
    let shape = golden.modelShape
    var searchCount = 0
    for values in golden.metrics {
      let metric = try #require(Metric(rawValue: values.metric))
      let scores = try LayerScores.scores(
        metric: metric, moments: golden.moments, norms: golden.norms)
      for expected in values.searches {
        let result = try StructureSearch(
          structure: #require(Structure(rawValue: expected.structure)), ratio: expected.ratio,
          groupsRemoved: expected.groupsRemoved
        ).run(scores: scores, shape: shape)
        let comment = Comment(rawValue: "\(metric) \(expected.structure) \(expected.ratio)")
        #expect(result.plan.layers.map(\.keptGroups) == expected.keptGroups.map(flags), comment)
        #expect(result.plan.layers.map(\.keptNeurons) == expected.keptNeurons.map(flags), comment)
        #expect(result.unitsKeptByMinimum == expected.restored, comment)
        #expect((result.reached.decoderLayers - expected.reached).magnitude < 1e-15, comment)
        try result.plan.validate(for: shape)
        searchCount += 1
      }
    }
    #expect(searchCount >= 36)
  }

  @Test(arguments: GoldenFixture.names)
  func biasesAreNumpys(name: String) throws {
    let golden = try GoldenFixture.load(name)
    var compared = 0
    for search in golden.metrics.flatMap(\.searches) {
      guard let biases = search.biases else { continue }
      let plan = PruningPlan(
        layers: zip(search.keptGroups, search.keptNeurons).map {
          PruningPlan.Layer(keptGroups: flags($0), keptNeurons: flags($1))
        })
      for (layer, taps) in golden.taps.enumerated() {
        for tap in Tap.allCases {
          let compensation = Compensation(
            mean: taps[tap].mean,
            keptChannels: plan.keptChannels(layer: layer, tap: tap, shape: golden.modelShape))
          let found = taps[tap].weight.withUnsafeBufferPointer {
            compensation.biases(weight: $0)
          }
          #expect(found.count == golden.shape.hiddenSize)
          for (found, expected) in zip(found, biases[layer][tap]) {
            // Sums of at most 40 products of size up to 5, in another order.
            #expect((found - expected).magnitude < 1e-13)
            compared += 1
          }
        }
      }
    }
    #expect(compared > 0)
  }

  /// The weights' own norms, streamed row by row, against numpy's sums over rows.
  @Test(arguments: GoldenFixture.names)
  func weightNormsAreNumpys(name: String) throws {
    let golden = try GoldenFixture.load(name)
    for layer in golden.taps {
      for tap in Tap.allCases {
        let channelCount = layer[tap].mean.count
        var accumulator = WeightNormsAccumulator(channelCount: channelCount)
        let weight = layer[tap].weight
        weight.withUnsafeBufferPointer { weight in
          for row in 0..<golden.shape.hiddenSize {
            let range = row * channelCount..<(row + 1) * channelCount
            accumulator.add(row: UnsafeBufferPointer(rebasing: weight[range]))
          }
        }
        // Exact: sums of small multiples of 2⁻¹⁴.
        #expect(accumulator.norms.squareSum == layer[tap].squareSum)
        for (found, expected) in zip(accumulator.norms.absoluteMean, layer[tap].absoluteMean) {
          #expect((found / expected - 1).magnitude <= 0x1p-52)
        }
      }
    }
  }

  /// Not within a tolerance: the same bits, so that cuts fall where numpy's do.
  @Test func sumsHaveNumpysBits() throws {
    struct Sum: Decodable {
      var count: Int
      var sum: Double
      var lastStandardized: Double
    }
    let sums = try goldenValue([Sum].self, "sums")
    #expect(sums.count == 14)
    for expected in sums {
      let values = (0..<expected.count).map { index in
        let product = Double(index + 1) * 0.6180339887498949
        return product - product.rounded(.down)
      }
      #expect(PairwiseSum.sum(values) == expected.sum)
      #expect(standardized(values).last == expected.lastStandardized)
    }
  }
}
