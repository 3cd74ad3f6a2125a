import FlapCore
import Statistics
import Testing

/// What is measured of single maps: how it is carried, kept and checked.
struct MapStatisticTests {
  private let shape = ModelShape(
    hiddenSize: 4, headDimension: 2, vocabularySize: 8, rmsNormEpsilon: 1e-6,
    rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false, biases: Biases(),
    layers: [LayerShape(headCount: 6, keyValueHeadCount: 3, intermediateSize: 5)])
  private let catalog = StatisticCatalog.standard
  private let attention = TapPlace(layer: 0, .attentionOutput)
  private let neurons = TapPlace(layer: 0, .mlpDown)

  /// Three groups of four channels.
  private let groups = RemovalCurve(order: [2, 0, 1], errors: [0, 1.0 / 3, 7], unitWidth: 4)
  private let losses = ModuleLosses([
    .init(kept: 1, divergence: 2.5), .init(kept: 2, divergence: 1.0 / 3),
    .init(kept: 4, divergence: -1e-9),
  ])

  private func part(_ value: some Statistic, _ place: TapPlace) -> StatisticPart {
    StatisticPart(value, at: place, node: nil)
  }

  // MARK: Curves

  @Test("every channel of a unit has its unit's rank and the error before it goes")
  func channels() {
    #expect(groups.ranks == [1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0])
    #expect(groups.errors == [1, 1, 1, 1, 21, 21, 21, 21, 0, 0, 0, 0].map { $0 / 3 })
    #expect(groups.unitRanks(width: 4) == [1, 2, 0])
    #expect(groups.unitErrors(width: 4) == [0, 1.0 / 3, 7])
  }

  @Test("curves come back from bytes and from arrays, bit for bit")
  func curvesComeBack() throws {
    let single = RemovalCurve(
      order: [4, 1, 0, 3, 2], errors: [0, 1e-300, 1, 2, 1e300], unitWidth: 1)
    for (curve, place, count) in [(groups, attention, 12), (single, neurons, 5)] {
      let part = part(curve, place)
      #expect(part.bytes.count == RemovalCurve.byteCount(channelCount: count))
      try catalog.check(part, in: shape)
      #expect(try StatisticCatalog.decode(part, as: RemovalCurve.self, shape) == curve)
      #expect(RemovalCurve(arrays: curve.arrays, tokenCount: 9) == curve)
      #expect(curve.arrays.allSatisfy { $0.count == RemovalCurve.arrayLength(channelCount: count) })
    }
    // The ranks, then the errors, f64 little endian.
    #expect(Array(part(single, neurons).bytes.prefix(8)) == [0, 0, 0, 0, 0, 0, 0, 0x40])
    #expect(Array(part(single, neurons).bytes[40..<48]) == Array(littleEndian: 1.0))
  }

  @Test(
    "ranks that are no order of the units are none",
    arguments: [
      [0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 3, 3], [0, 0, 1, 2, 2, 2], [1, 1, 2, 2, 3, 3],
      [0, 0, 0.5, 0.5, 2, 2], [0, 0, 1, 1, .nan, .nan], [0, 0, 1, 1, .infinity, .infinity],
      [0, 0, 1, 1, -1, -1], [0, 1, 1, 0, 2, 2], [0, 0, 1, 1, 1e300, 1e300],
    ] as [[Double]])
  func noPermutation(ranks: [Double]) {
    let curve = RemovalCurve(ranks: ranks, errors: Array(repeating: 0, count: 6))
    #expect(curve.unitRanks(width: 2) == nil)
    #expect(curve.unitErrors(width: 2) == nil)
  }

  @Test("nor are units of a width that does not divide the channels", arguments: [-1, 0, 5, 24])
  func otherWidth(width: Int) {
    #expect(groups.unitRanks(width: width) == nil)
    #expect(groups.unitErrors(width: width) == nil)
  }

  @Test(
    "impossible numbers of a curve are refused",
    arguments: [
      (0.0, nil), (-0.0, nil), (1e308, nil), (.nan, .notFinite(channel: 3)),
      (.infinity, .notFinite(channel: 3)), (-.infinity, .negative(channel: 3)),
      (-.leastNonzeroMagnitude, .negative(channel: 3)),
    ] as [(Double, StatisticDefect?)])
  func possibleCurves(value: Double, defect: StatisticDefect?) {
    var ranks = RemovalCurve(order: [0, 1, 2, 3, 4], errors: [0, 0, 0, 0, 0], unitWidth: 1)
    var errors = ranks
    ranks.ranks[3] = value
    errors.errors[3] = value
    for curve in [ranks, errors] { expect(part(curve, neurons), defect) }
  }

  // MARK: Losses

  @Test("losses come back from bytes and from arrays, none and as many as there may be")
  func lossesComeBack() throws {
    let most = (1...ModuleLosses.levelLimit).map {
      ModuleLosses.Level(kept: $0 * $0, divergence: 1 / Double($0))
    }
    for value in [losses, ModuleLosses([]), ModuleLosses(most)] {
      for place in [attention, neurons] {
        let part = part(value, place)
        // As many bytes whatever the channels.
        #expect(part.bytes.count == 16 * ModuleLosses.levelLimit)
        try catalog.check(part, in: shape)
        #expect(try StatisticCatalog.decode(part, as: ModuleLosses.self, shape) == value)
      }
      #expect(ModuleLosses(arrays: value.arrays, tokenCount: 9) == value)
      #expect(value.arrays.allSatisfy { $0.count == ModuleLosses.arrayLength(channelCount: 5) })
    }
    #expect(losses.arrays[0].prefix(5) == [1, 2, 4, 0, 0])
    #expect(losses.arrays[1].prefix(4) == [2.5, 1.0 / 3, -1e-9, 0])
  }

  @Test(
    "counts that do not ascend or cannot be, and losses that are no numbers, are refused",
    arguments: [
      ([1, 2, 3], [1, 1, 1], nil), ([3, 2], [1, 1], .negative(channel: 1)),
      ([2, 2], [1, 1], .negative(channel: 1)), ([-1], [1], .negative(channel: 0)),
      ([1, 2.5], [1, 1], .negative(channel: 1)), ([1, .nan], [1, 1], .negative(channel: 1)),
      ([1, .infinity], [1, 1], .negative(channel: 1)),
      ([1, 1e300], [1, 1], .negative(channel: 1)),
      ([1, 2], [1, .nan], .notFinite(channel: 1)), ([1], [.infinity], .notFinite(channel: 0)),
      ([1], [-.infinity], .notFinite(channel: 0)),
    ] as [([Double], [Double], StatisticDefect?)])
  func possibleLosses(kept: [Double], divergences: [Double], defect: StatisticDefect?) {
    func padded(_ values: [Double]) -> [Double] {
      values + Array(repeating: 0, count: ModuleLosses.levelLimit - values.count)
    }
    let value = ModuleLosses(arrays: [padded(kept), padded(divergences)], tokenCount: 0)
    if let defect {
      #expect(throws: defect) { try value.validate() }
    } else {
      #expect(throws: Never.self) { try value.validate() }
    }
    // The same as a worker may send it.
    var part = part(ModuleLosses([]), neurons)
    part.bytes = (padded(kept) + padded(divergences)).flatMap { Array(littleEndian: $0) }
    expect(part, defect)
  }

  // MARK: Reports

  @Test("other lengths are refused", arguments: [-16, -1, 1, 16])
  func lengths(change: Int) {
    for original in [part(groups, attention), part(losses, attention)] {
      var part = original
      part.bytes =
        change < 0
        ? Array(part.bytes.dropLast(-change)) : part.bytes + [UInt8](repeating: 0, count: change)
      expect(
        part, .byteCount(expected: original.bytes.count, found: original.bytes.count + change))
    }
  }

  @Test("a report on a map has the kinds asked for, and no others are of maps")
  func keys() throws {
    let keys = try catalog.keys(of: [RemovalCurve.kind, ModuleLosses.kind], at: attention)
    #expect(
      keys.map(\.description) == [
        "removal-curve/0/self_attn.o_proj", "module-losses/0/self_attn.o_proj",
      ])
    for key in keys { #expect(StatisticKey(text: key.description) == key) }
    for kind in [ChannelMoments.kind, WeightNorms.kind, LossSum.kind] {
      #expect(throws: StatisticsError.unknownKind(kind)) {
        try catalog.keys(of: [RemovalCurve.kind, kind], at: attention)
      }
    }
    for kind in [RemovalCurve.kind, ModuleLosses.kind] {
      #expect(throws: StatisticsError.unknownKind(kind)) {
        try catalog.keys(of: [kind], node: .leaf(0), in: shape)
      }
      #expect(throws: StatisticsError.unknownKind(kind)) { try catalog.keys(of: [kind], layer: 0) }
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
}

extension [UInt8] {
  fileprivate init(littleEndian value: Double) {
    self = Swift.withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
  }
}
