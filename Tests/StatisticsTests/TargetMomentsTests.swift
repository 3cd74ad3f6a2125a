import FlapCore
import Statistics
import Testing

/// Sums of what a map should give, as they are carried and added up.
struct TargetMomentsTests {
  /// Hidden size 4; 3 and 2 neurons, 4 and 2 channels of heads.
  private let shape = ModelShape(
    hiddenSize: 4, headDimension: 2, vocabularySize: 8, rmsNormEpsilon: 1e-6,
    rotaryEmbedding: RotaryEmbedding(theta: 10_000), tiesEmbeddings: false, biases: Biases(),
    layers: [
      LayerShape(headCount: 2, keyValueHeadCount: 1, intermediateSize: 3),
      LayerShape(headCount: 1, keyValueHeadCount: 1, intermediateSize: 2),
    ])
  private let catalog = StatisticCatalog.standard
  private let place = TapPlace(layer: 0, .mlpDown)

  private func moments(
    _ generator: inout SeededGenerator, channels: Int = 3, outputs: Int = 4, count: Int? = nil
  ) -> TargetMoments {
    let limit = Int64(1) << 50
    func wide(_ count: Int) -> [Int64] {
      (0..<count).map { _ in Int64.random(in: -limit...limit, using: &generator) }
    }
    let products = (0..<SecondMoments.productCount(channels)).map { _ in
      Int32.random(in: 0...1 << 20, using: &generator)
    }
    let (inputs, sums, cross) = (wide(channels), wide(outputs), wide(outputs * channels))
    let tokens = count ?? Int.random(in: 0...1 << 40, using: &generator)
    return inputs.withUnsafeBufferPointer { inputs in
      products.withUnsafeBufferPointer { products in
        sums.withUnsafeBufferPointer { sums in
          cross.withUnsafeBufferPointer { cross in
            TargetMoments(
              count: tokens, inputSums: inputs, inputProducts: products, sums: sums,
              products: cross)
          }
        }
      }
    }
  }

  private func numbers(_ moments: TargetMoments) -> [Int64] {
    moments.withTargets { sums, products in
      (Array(sums) + Array(products)).withUnsafeBytes { bytes in
        stride(from: 0, to: bytes.count, by: 8).map {
          Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Int64.self))
        }
      }
    }
  }

  /// Two channels make a triangle of 12 bytes: what follows lies at no multiple of 8.
  @Test(arguments: [(TapPlace(layer: 0, .mlpDown), 3), (TapPlace(layer: 1, .mlpDown), 2)])
  func theyComeBackAndHaveTheDocumentedBytes(place: TapPlace, channels: Int) throws {
    var generator = SeededGenerator(seed: channels)
    let value = moments(&generator, channels: channels, count: 12)
    let part = StatisticPart(value, at: place, node: .leaf(0))
    #expect(try part.bytes.count == catalog.byteCount(part.key, in: shape))
    let triangle = 4 * channels * (channels + 1) / 2
    #expect(part.bytes.count == 8 + 8 * channels + triangle + 8 * 4 * (1 + channels))
    #expect(Array(part.bytes.prefix(8)) == [12, 0, 0, 0, 0, 0, 0, 0])
    #expect(value.inputs.bytes == Array(part.bytes[..<(8 + 8 * channels + triangle)]))
    let read = try StatisticCatalog.decode(part, as: TargetMoments.self, shape)
    #expect(read == value)
    #expect(read.inputs.count == 12 && read.outputCount == 4)
    #expect(numbers(read).count == 4 * (1 + channels))
  }

  @Test func aReportIsOfOneTapAndAPrunedShapeHasFewerBytes() throws {
    let key = try catalog.key(of: TargetMoments.kind, at: place, node: .leaf(3))
    #expect(key == StatisticKey(TargetMoments.kind, place, node: .leaf(3)))
    #expect(throws: StatisticsError.unknownKind(ChannelMoments.kind)) {
      try catalog.key(of: ChannelMoments.kind, at: place, node: .leaf(3))
    }
    #expect(throws: StatisticsError.unknownKind(TargetMoments.kind)) {
      try catalog.keys(of: [TargetMoments.kind], node: .leaf(3), in: shape)
    }
    var plan = PruningPlan(keepingAllOf: shape)
    plan.layers[0].keptNeurons = [true, false, true]
    let pruned = plan.prunedShape(of: shape)
    #expect(
      try catalog.byteCount(key, in: pruned)
        == TargetMoments.byteCount(channelCount: 2, hiddenSize: 4))
    var generator = SeededGenerator(seed: 1)
    let part = StatisticPart(moments(&generator), at: place, node: .leaf(3))
    #expect(throws: Never.self) { try catalog.check(part, in: shape) }
    #expect(throws: StatisticsError.self) { try catalog.check(part, in: pruned) }
  }

  @Test(arguments: [2, 3, 5]) func anyOrderOfMergesGivesTheSameBits(channels: Int) {
    var generator = SeededGenerator(seed: channels)
    let parts = (0..<7).map { _ in moments(&generator, channels: channels) }
    let expected = parts.dropFirst().reduce(parts[0]) { TargetMoments.merge($0, $1) }
    for _ in 0..<5 {
      var rest = parts.shuffled(using: &generator)
      while rest.count > 1 {
        let index = Int.random(in: 0..<rest.count - 1, using: &generator)
        rest[index] = TargetMoments.merge(rest[index], rest.remove(at: index + 1))
      }
      #expect(rest[0] == expected)
    }
    #expect(expected.inputs.count == parts.reduce(0) { $0 + $1.inputs.count })
    let sums = numbers(expected)
    for index in sums.indices {
      #expect(sums[index] == parts.reduce(0) { $0 + numbers($1)[index] })
    }
    let inputs = parts.dropFirst().reduce(parts[0].inputs) { SecondMoments.merge($0, $1.inputs) }
    #expect(expected.inputs == inputs)
  }

  @Test(arguments: 0..<3) func aDiagonalThatOverflowsIsRefused(channel: Int) throws {
    var generator = SeededGenerator(seed: 9)
    var part = StatisticPart(moments(&generator), at: place, node: .leaf(0))
    // Of the triangle's rows, behind the tokens and three sums.
    let diagonal = 8 + 8 * 3 + 4 * (SecondMoments.productCount(channel + 1) - 1)
    let large = withUnsafeBytes(of: (Int32.max - 5).littleEndian) { Array($0) }
    part.bytes.replaceSubrange(diagonal..<diagonal + 4, with: large)
    #expect(throws: Never.self) { try catalog.check(part, in: shape) }
    var value = try StatisticCatalog.decode(part, as: TargetMoments.self, shape)
    value.merge(value)
    part.bytes = value.bytes
    #expect(throws: StatisticsError.defect(part.key, .negative(channel: channel))) {
      try catalog.check(part, in: shape)
    }
  }

  @Test(arguments: [-1, .min, 1 << 53 + 1]) func countsThatAreNoneAreRefused(count: Int) {
    var generator = SeededGenerator(seed: 9)
    let part = StatisticPart(moments(&generator, count: 0), at: place, node: .leaf(0))
    var bytes = part.bytes
    bytes.replaceSubrange(0..<8, with: withUnsafeBytes(of: count.littleEndian) { Array($0) })
    #expect(throws: StatisticsError.defect(part.key, .tokenCount(found: count))) {
      try catalog.check(StatisticPart(key: part.key, bytes: bytes), in: shape)
    }
  }

  @Test func scalesOfAPrunedTapLeaveRoom() {
    let scales = ChannelScales(exponents: [
      PerTap(attentionOutput: [4], mlpDown: [10, -58, -60, 7])
    ])
    let kept = scales.ofPruned(
      TapPlace(layer: 0, .mlpDown), kept: [true, true, true, false])
    #expect(kept == [7, -60, -60])
    #expect(ChannelScales(kept, at: .mlpDown).taps == [[], [7, -60, -60]])
  }
}
