import FlapCore
import Statistics
import Testing

/// Sums of what experts give.
struct ExpertOutputsTests {
  private let shape = ModelShape(
    hiddenSize: 3, headDimension: 2, vocabularySize: 8, rmsNormEpsilon: 1e-6,
    rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false, biases: Biases(),
    layers: [
      LayerShape(
        headCount: 2, keyValueHeadCount: 1, intermediateSize: 4,
        experts: ExpertsShape(count: 2, countPerToken: 1)),
      LayerShape(headCount: 2, keyValueHeadCount: 1, intermediateSize: 4),
    ])
  private let outputs = ExpertOutputs(sums: [1, 2, -3, 0.1, 0, 1e-300])

  @Test func merge() {
    var merged = outputs
    merged.merge(ExpertOutputs(sums: [0.5, 0, 3, 0.2, -1, 0]))
    #expect(merged.sums == [1.5, 2, 0, 0.1 + 0.2, -1, 1e-300])
  }

  @Test("a mean is over the expert's tokens; zeros where there are none")
  func means() {
    let activity = ExpertActivity(
      counts: [4, 0], gateSums: [1, 0], normSums: [1, 0], gatedNormSums: [1, 0])
    let sums = ExpertOutputs(sums: [1, 2, -3, 0, 0, 0])
    #expect(sums.mean(ofExpert: 0, activity) == [0.25, 0.5, -0.75])
    #expect(sums.mean(ofExpert: 1, activity) == [0, 0, 0])
  }

  @Test func bytesComeBack() throws {
    let catalog = StatisticCatalog.standard
    let part = StatisticPart(outputs, at: TapPlace(layer: 0, .mlpDown), node: nil)
    #expect(part.bytes.count == 48)
    try catalog.check(part, in: shape)
    #expect(try StatisticCatalog.decode(part, as: ExpertOutputs.self, shape) == outputs)
    #expect(ExpertOutputs(arrays: outputs.arrays, tokenCount: 5) == outputs)
    for place in [TapPlace(layer: 0, .attentionOutput), TapPlace(layer: 1, .mlpDown)] {
      try catalog.check(StatisticPart(ExpertOutputs(sums: []), at: place, node: nil), in: shape)
      #expect(throws: StatisticsError.self) {
        try catalog.check(StatisticPart(outputs, at: place, node: nil), in: shape)
      }
    }
    #expect(throws: StatisticDefect.notFinite(channel: 1)) {
      try ExpertOutputs(sums: [0, .infinity]).validate()
    }
  }

  @Test("only who asks for them measures them")
  func kinds() {
    let catalog = StatisticCatalog.standard
    #expect(!catalog.kinds(atTapsOf: shape).contains(ExpertOutputs.kind))
    #expect(catalog.kinds(atTapsOf: shape, asked: [.expertOutputs]).contains(ExpertOutputs.kind))
  }
}
