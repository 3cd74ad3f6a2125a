import FlapCore
import Statistics
import Testing

/// What every kind of statistic owes to those who carry and keep it.
struct StatisticKindTests {
  private let shape = ModelShape(
    hiddenSize: 4, headDimension: 2, vocabularySize: 8, rmsNormEpsilon: 1e-6,
    rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false, biases: Biases(),
    layers: [
      LayerShape(headCount: 2, keyValueHeadCount: 1, intermediateSize: 3),
      LayerShape(headCount: 1, keyValueHeadCount: 1, intermediateSize: 2),
    ])
  private let catalog = StatisticCatalog.standard
  private let place = TapPlace(layer: 0, .mlpDown)

  private var moments: ChannelMoments {
    ChannelMoments(count: 12, mean: [-0.1, 0, 7], m2: [0, 1.0 / 3, 1e300])
  }

  private func part(_ value: some Statistic, at place: TapPlace? = nil) -> StatisticPart {
    StatisticPart(value, at: place ?? self.place, node: .leaf(0))
  }

  @Test func momentsComeBackAndHaveTheDocumentedBytes() throws {
    let part = part(moments)
    #expect(part.bytes.count == ChannelMoments.byteCount(channelCount: 3))
    #expect(Array(part.bytes.prefix(8)) == [12, 0, 0, 0, 0, 0, 0, 0])
    #expect(try StatisticCatalog.decode(part, as: ChannelMoments.self, shape) == moments)
  }

  @Test func normsAndLossesComeBack() throws {
    let norms = WeightNorms(squareSum: [1, 0, 3], absoluteMean: [0.5, 0, 2])
    let ofWeights = StatisticPart(norms, at: place, node: nil)
    #expect(try StatisticCatalog.decode(ofWeights, as: WeightNorms.self, shape) == norms)
    let loss = LossSum(negativeLogLikelihood: 123.456, tokenCount: 1 << 40)
    let ofModel = StatisticPart(loss, at: nil, node: .leaf(0))
    #expect(ofModel.bytes.count == 16)
    #expect(try StatisticCatalog.decode(ofModel, as: LossSum.self, shape) == loss)
  }

  @Test(arguments: [-16, -1, 1, 8]) func otherLengthsAreRefused(change: Int) {
    for original in [
      part(moments), StatisticPart(LossSum(), at: nil, node: .leaf(0)),
      StatisticPart(
        WeightNorms(squareSum: [1, 1, 1], absoluteMean: [1, 1, 1]), at: place, node: nil),
    ] {
      var part = original
      part.bytes =
        change < 0
        ? Array(part.bytes.dropLast(-change)) : part.bytes + [UInt8](repeating: 0, count: change)
      #expect(
        throws: StatisticsError.defect(
          part.key,
          .byteCount(expected: original.bytes.count, found: original.bytes.count + change))
      ) { try catalog.check(part, in: shape) }
    }
  }

  /// Means and M2s that are possible, and those that are not, at the edges of what is.
  @Test(arguments: [
    (0.0, 0.0, nil), (-0.0, -0.0, nil), (-1e308, 1e308, nil),
    (.leastNonzeroMagnitude, .leastNonzeroMagnitude, nil),
    (.nan, 1, StatisticDefect.notFinite(channel: 2)), (1, .nan, .notFinite(channel: 2)),
    (.infinity, 1, .notFinite(channel: 2)), (1, .infinity, .notFinite(channel: 2)),
    (1, -.infinity, .notFinite(channel: 2)), (1, -.leastNonzeroMagnitude, .negative(channel: 2)),
  ]) func possibleMoments(mean: Double, m2: Double, defect: StatisticDefect?) {
    let part = part(ChannelMoments(count: 12, mean: [1, 1, mean], m2: [1, 1, m2]))
    expect(part, defect)
  }

  @Test(arguments: [0, 1, 1 << 53, 1 << 53 + 1, -1, .min, .max]) func possibleCounts(count: Int) {
    var part = part(moments)
    part.bytes.replaceSubrange(0..<8, with: withUnsafeBytes(of: count.littleEndian) { Array($0) })
    // A count that does not fit is told as −1.
    expect(part, (0...1 << 53).contains(count) ? nil : .tokenCount(found: -1))
  }

  @Test func impossibleNormsAndLossesAreRefused() {
    for (value, defect) in [
      (Double.nan, StatisticDefect.notFinite(channel: 1)), (.infinity, .notFinite(channel: 1)),
      (-1, .negative(channel: 1)),
    ] {
      let norms = WeightNorms(squareSum: [0, 0, 0], absoluteMean: [0, value, 0])
      expect(StatisticPart(norms, at: place, node: nil), defect)
      guard value != -1 else { continue }
      let loss = LossSum(negativeLogLikelihood: value, tokenCount: 1)
      expect(StatisticPart(loss, at: nil, node: .leaf(0)), .notFinite(channel: 0))
    }
  }

  private func expect(_ part: StatisticPart, _ defect: StatisticDefect?) {
    if let defect {
      #expect(throws: StatisticsError.defect(part.key, defect)) {
        try catalog.check(part, in: shape)
      }
    } else {
      #expect(throws: Never.self) { try catalog.check(part, in: shape) }
    }
  }

  @Test func mergingPartsIsMergingValues() throws {
    let left = ChannelMoments(count: 2, mean: [0, 0, 0], m2: [1, 1, 1])
    let right = ChannelMoments(count: 6, mean: [4, 4, 4], m2: [1, 1, 1])
    let parent = TreeNode(level: 1, index: 0)
    let merged = try catalog.merge(
      part(left), StatisticPart(right, at: place, node: .leaf(1)), into: parent, in: shape)
    #expect(merged.key == StatisticKey(ChannelMoments.kind, place, node: parent))
    // δ = 4: mean 4·6/8, M2 = 1 + 1 + 16·2·6/8.
    let value = try StatisticCatalog.decode(merged, as: ChannelMoments.self, shape)
    #expect(value == ChannelMoments(count: 8, mean: [3, 3, 3], m2: [26, 26, 26]))
  }

  @Test func aReportHasEveryTapsPartsInTheirOrder() throws {
    let node = TreeNode(level: 2, index: 5)
    let keys = try catalog.keys(of: [LossSum.kind, ChannelMoments.kind], node: node, in: shape)
    #expect(
      keys.map(\.description) == [
        "moments/0/self_attn.o_proj/2/5", "moments/0/mlp.down_proj/2/5",
        "moments/1/self_attn.o_proj/2/5", "moments/1/mlp.down_proj/2/5", "loss/2/5",
      ])
    let ofWeights = try catalog.keys(of: [WeightNorms.kind], layer: 1)
    #expect(
      ofWeights.map(\.description) == [
        "weight-norms/1/self_attn.o_proj", "weight-norms/1/mlp.down_proj",
      ])
    #expect(throws: StatisticsError.unknownKind(WeightNorms.kind)) {
      try catalog.keys(of: [WeightNorms.kind], node: node, in: shape)
    }
    #expect(throws: StatisticsError.unknownKind(LossSum.kind)) {
      try catalog.keys(of: [LossSum.kind], layer: 0)
    }
    for key in keys + ofWeights { #expect(StatisticKey(text: key.description) == key) }
  }

  @Test(arguments: [
    "", "/", "moments/", "Moments", "moments/0", "moments/0/mlp.up_proj",
    "moments/-1/mlp.down_proj",
    "moments/0/mlp.down_proj/1", "moments/0/mlp.down_proj/1/2/3", "moments/0/mlp.down_proj/64/0",
    "loss/1/-2", "loss/x/y", "a/very-long-name-of-a-kind-that-nobody-has/0/0",
  ]) func textsThatAreNoKeys(text: String) {
    #expect(StatisticKey(text: text) == nil)
  }

  @Test func errorsAreOneLineThatNamesThePlace() {
    let key = StatisticKey(
      ChannelMoments.kind, TapPlace(layer: 3, .attentionOutput), node: .leaf(0))
    let error = StatisticsError.defect(key, .notFinite(channel: 9))
    #expect(error.description.contains("model.layers.3.self_attn.o_proj"))
    #expect(error.description.contains("channel 9"))
    #expect(!error.description.contains("\n"))
  }

  // MARK: Reports

  private func reader(_ bytes: [UInt8]) -> ReportReader {
    ReportReader(byteCount: bytes.count, digest: Digest(bytes: [UInt8](repeating: 0, count: 32))!) {
      Array(bytes[$0])
    }
  }

  @Test func reportsComeBackPartByPart() throws {
    let parts = [part(moments), StatisticPart(LossSum(), at: nil, node: .leaf(0))]
    let bytes = parts.flatMap(StatisticReport.encode)
    #expect(
      try bytes.count
        == StatisticReport.byteCount(of: parts.map(\.key), catalog, in: shape))
    var reader = reader(bytes)
    #expect(try reader.next() == .part(parts[0]))
    #expect(try reader.next() == .part(parts[1]))
    #expect(try reader.next() == .end)
  }

  @Test func whateverTheBytesReadingEndsWithoutTrapping() throws {
    let original = StatisticReport.encode(part(moments))
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<5000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        default: bytes.removeLast(bytes.count - index)
        }
        if bytes.isEmpty { break }
      }
      var reader = reader(bytes)
      loop: for _ in 0..<100 {
        switch try reader.next() {
        case .end, .malformed: break loop
        case .part(let part):
          guard part.key.place.map({ $0.layer < 2 }) ?? true else { continue }
          try? catalog.check(part, in: shape)
        }
      }
    }
  }
}
