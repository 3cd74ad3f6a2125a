import FlapCore
import Statistics
import Testing

/// Sums of what flows into experts' down projections.
struct ExpertMomentsTests {
  private let shape = ModelShape(
    hiddenSize: 3, headDimension: 2, vocabularySize: 8, rmsNormEpsilon: 1e-6,
    rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false, biases: Biases(),
    layers: [
      LayerShape(
        headCount: 2, keyValueHeadCount: 1, intermediateSize: 2,
        experts: ExpertsShape(count: 3, countPerToken: 1)),
      LayerShape(headCount: 2, keyValueHeadCount: 1, intermediateSize: 4),
    ])
  /// The second expert saw 1 and 3, and −2 twice; the last nothing.
  private let moments = ExpertMoments(
    sums: [0.5, -1, 4, -4, 0, 0], squareSums: [0.25, 1, 10, 8, 0, 0])
  private let activity = ExpertActivity(
    counts: [1, 2, 0], gateSums: [1, 1, 0], normSums: [1, 1, 0], gatedNormSums: [1, 1, 0])

  @Test func momentsOfEach() {
    #expect(
      (0..<3).map { moments.moments(ofExpert: $0, activity) } == [
        ChannelMoments(count: 1, mean: [0.5, -1], m2: [0, 0]),
        ChannelMoments(count: 2, mean: [2, -2], m2: [2, 0]),
        ChannelMoments(count: 0, mean: [0, 0], m2: [0, 0]),
      ])
    #expect(moments.means(activity) == [0.5, -1, 2, -2, 0, 0])
  }

  @Test("rounding makes no variance negative")
  func constant() {
    let value = 0.1
    let sums = (sum: value + value + value, squares: value * value * 3 - 1e-17)
    let constant = ExpertMoments(sums: [sums.sum], squareSums: [sums.squares])
    let activity = ExpertActivity(
      counts: [3], gateSums: [1], normSums: [1], gatedNormSums: [1])
    #expect(constant.moments(ofExpert: 0, activity).m2 == [0])
  }

  @Test func merge() {
    var merged = moments
    merged.merge(moments)
    #expect(merged.sums == moments.sums.map { 2 * $0 })
    #expect(merged.squareSums == moments.squareSums.map { 2 * $0 })
  }

  @Test func bytesComeBack() throws {
    let part = StatisticPart(moments, at: TapPlace(layer: 0, .mlpDown), node: nil)
    #expect(part.bytes.count == 96)
    #expect(try StatisticCatalog.decode(part, as: ExpertMoments.self, shape) == moments)
    #expect(ExpertMoments(arrays: moments.arrays, tokenCount: 5) == moments)
    for place in [TapPlace(layer: 0, .attentionOutput), TapPlace(layer: 1, .mlpDown)] {
      let none = ExpertMoments(sums: [], squareSums: [])
      try StatisticCatalog.standard.check(StatisticPart(none, at: place, node: nil), in: shape)
    }
    #expect(throws: StatisticDefect.negative(channel: 1)) {
      try ExpertMoments(sums: [0, 0], squareSums: [0, -1]).validate()
    }
    #expect(throws: StatisticDefect.notFinite(channel: 0)) {
      try ExpertMoments(sums: [.nan], squareSums: [1]).validate()
    }
  }

  @Test("only who asks for them measures them")
  func kinds() {
    let catalog = StatisticCatalog.standard
    #expect(!catalog.kinds(atTapsOf: shape).contains(ExpertMoments.kind))
    #expect(catalog.kinds(atTapsOf: shape, asked: [.expertNeurons]).contains(ExpertMoments.kind))
    var dense = shape
    dense.layers[0].experts = nil
    #expect(catalog.kinds(atTapsOf: dense, asked: [.expertNeurons]) == [ChannelMoments.kind])
  }

  @Test("curves of experts lie beside one another, and their errors add up")
  func curves() {
    let curve = RemovalCurve(maps: [
      RemovalCurve(order: [1, 0], errors: [0, 2], unitWidth: 1),
      RemovalCurve(order: [0, 1], errors: [0, 0.5], unitWidth: 1),
    ])
    #expect(curve.unitRanks(width: 1, mapCount: 2) == [1, 0, 0, 1])
    #expect(curve.unitErrors(width: 1, mapCount: 2) == [0, 2.5])
    // No order of four units.
    #expect(curve.unitRanks(width: 1) == nil)
  }
}
