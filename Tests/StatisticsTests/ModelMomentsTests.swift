import FlapCore
import Statistics
import Testing

@Suite struct ModelMomentsTests {
  private let shape = ModelShape(
    hiddenSize: 4, headDimension: 2, vocabularySize: 8, rmsNormEpsilon: 1e-6,
    rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false, biases: Biases(),
    layers: [
      LayerShape(headCount: 2, keyValueHeadCount: 1, intermediateSize: 3),
      LayerShape(headCount: 1, keyValueHeadCount: 1, intermediateSize: 2),
    ])

  private func moments(tokens: Int, samples: Int, mean: Double) -> ModelMoments {
    var moments = ModelMoments(emptyFor: shape)
    moments.sampleCount = samples
    for layer in moments.layers.indices {
      for tap in Tap.allCases {
        let channels = shape.channelCount(layer: layer, tap: tap)
        moments.layers[layer][tap] = ChannelMoments(
          count: tokens, mean: Array(repeating: mean, count: channels),
          m2: Array(repeating: 1, count: channels))
      }
    }
    return moments
  }

  @Test func emptyMomentsHaveTheShapesChannels() throws {
    let empty = ModelMoments(emptyFor: shape)
    #expect(empty.layers[0].attentionOutput.channelCount == 4)
    #expect(empty.layers[1].mlpDown.channelCount == 2)
    #expect(empty.tokenCount == 0)
    try empty.validate(for: shape)
  }

  @Test func mergingMergesEveryTapAndCountsSamples() throws {
    let merged = ModelMoments.merge(
      moments(tokens: 2, samples: 1, mean: 0), moments(tokens: 6, samples: 3, mean: 4))
    #expect(merged.sampleCount == 4)
    #expect(merged.tokenCount == 8)
    for layer in merged.layers {
      for tap in Tap.allCases {
        // δ = 4: mean 4·6/8, M2 = 1 + 1 + 16·2·6/8.
        #expect(layer[tap].mean.allSatisfy { $0 == 3 })
        #expect(layer[tap].m2.allSatisfy { $0 == 26 })
      }
    }
    try merged.validate(for: shape)
    #expect(ModelMoments.merge(ModelMoments(emptyFor: shape), merged) == merged)
  }

  @Test func wrongMomentsAreNamed() {
    let good = moments(tokens: 4, samples: 2, mean: 1)

    var wrong = good
    wrong.layers.removeLast()
    #expect(throws: StatisticsError.layerCount(expected: 2, found: 1)) {
      try wrong.validate(for: shape)
    }

    wrong = good
    wrong.layers[1].mlpDown = ChannelMoments(count: 4, mean: [0], m2: [0])
    #expect(
      throws: StatisticsError.channelCount(layer: 1, tap: .mlpDown, expected: 2, found: 1)
    ) { try wrong.validate(for: shape) }

    wrong = good
    wrong.layers[1].mlpDown = ChannelMoments(count: 5, mean: [0, 0], m2: [0, 0])
    #expect(throws: StatisticsError.tokenCount(layer: 1, tap: .mlpDown, found: 5)) {
      try wrong.validate(for: shape)
    }

    for tokens in [-1, .min, 1 << 53 + 1, .max] {
      wrong = moments(tokens: tokens, samples: 2, mean: 1)
      #expect(
        throws: StatisticsError.tokenCount(layer: 0, tap: .attentionOutput, found: tokens)
      ) { try wrong.validate(for: shape) }
    }

    wrong = good
    for samples in [-1, 5] {
      wrong.sampleCount = samples
      #expect(throws: StatisticsError.sampleCount(found: samples, tokenCount: 4)) {
        try wrong.validate(for: shape)
      }
    }

    for value in [Double.nan, .infinity] {
      wrong = good
      wrong.layers[0].mlpDown = ChannelMoments(count: 4, mean: [0, value, 0], m2: [0, 0, 0])
      #expect(throws: StatisticsError.notFinite(layer: 0, tap: .mlpDown, channel: 1)) {
        try wrong.validate(for: shape)
      }
    }

    wrong = good
    wrong.layers[0].mlpDown = ChannelMoments(count: 4, mean: [0, 0, 0], m2: [0, 0, -1e-300])
    #expect(throws: StatisticsError.negativeM2(layer: 0, tap: .mlpDown, channel: 2)) {
      try wrong.validate(for: shape)
    }
  }

  @Test func errorsAreOneLineThatNamesThePlace() {
    let error = StatisticsError.notFinite(layer: 3, tap: .attentionOutput, channel: 9)
    #expect(error.description.contains("model.layers.3.self_attn.o_proj"))
    #expect(error.description.contains("channel 9"))
    #expect(!error.description.contains("\n"))
  }
}
