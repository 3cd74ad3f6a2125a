import FlapCore
import Statistics
import Testing
import Wire

@Suite struct PayloadTests {
  private let shape = Samples.shape

  private var moments: ModelMoments {
    var moments = ModelMoments(emptyFor: shape)
    moments.sampleCount = 3
    for layer in shape.layers.indices {
      for tap in Tap.allCases {
        let count = shape.channelCount(layer: layer, tap: tap)
        moments.layers[layer][tap] = ChannelMoments(
          count: 12, mean: (0..<count).map { -0.1 * Double($0 + layer) },
          m2: (0..<count).map { Double($0) / 3 })
      }
    }
    return moments
  }

  private var norms: LayerWeightNorms {
    func norms(_ count: Int) -> WeightNorms {
      WeightNorms(
        squareSum: (0..<count).map { Double($0) / 7 },
        absoluteMean: (0..<count).map { 1 / Double($0 + 1) })
    }
    return LayerWeightNorms(attentionOutput: norms(8), mlpDown: norms(11))
  }

  private var plan: PruningPlan {
    PruningPlan(layers: [
      PruningPlan.Layer(
        keptGroups: [false, true], keptNeurons: (0..<11).map { $0 % 3 != 1 }),
      PruningPlan.Layer(
        keptGroups: [true, true, true], keptNeurons: (0..<16).map { $0 == 15 }),
    ])
  }

  private var writePlan: WritePlan {
    WritePlan(
      plan: plan,
      baselines: [
        WritePlan.Baselines(attentionOutput: [1, -2, 3, .pi], mlpDown: [0.5, 0, -0.0, 1e-300]),
        WritePlan.Baselines(attentionOutput: [], mlpDown: (0..<15).map { Double($0) }),
      ])
  }

  @Test func momentsComeBack() throws {
    let bytes = Payload.encode(moments)
    #expect(bytes.count == 16 + 16 * (8 + 11 + 6 + 16))
    #expect(Array(bytes.prefix(16)) == [3, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0])
    #expect(try Payload.decodeMoments(bytes, shape: shape) == moments)
  }

  @Test func lossComesBack() throws {
    let loss = LossSum(negativeLogLikelihood: 123.456, tokenCount: 1 << 40)
    #expect(try Payload.decodeLoss(Payload.encode(loss)) == loss)
  }

  @Test func weightNormsComeBack() throws {
    let bytes = Payload.encode(norms)
    #expect(try Payload.decodeWeightNorms(bytes, layer: 0, shape: shape) == norms)
  }

  @Test func planComesBack() throws {
    let bytes = Payload.encode(writePlan, shape: shape)
    // Flags: 2 bits, 11 bits, 3 bits, 16 bits, in whole bytes.
    #expect(bytes.count == 8 + (1 + 2) + 8 * 8 + (1 + 2) + 8 * 15)
    #expect(Array(bytes[8..<11]) == [0b10, 0b0110_1101, 0b011])
    #expect(try Payload.decodePlan(bytes, shape: shape) == writePlan)
  }

  @Test func planWithoutCompensationHasNoBaselines() throws {
    let bare = WritePlan(plan: plan, baselines: [.init(), .init()])
    let bytes = Payload.encode(bare, shape: shape)
    #expect(bytes.count == 8 + 3 + 3)
    #expect(try Payload.decodePlan(bytes, shape: shape) == bare)
  }

  @Test(arguments: [1, 4, 8, 16]) func otherLengthsAreRefused(_ change: Int) {
    func refuses(_ bytes: [UInt8], _ decode: ([UInt8]) throws -> Void) {
      let longer = bytes + [UInt8](repeating: 0, count: change)
      for wrong in [[], Array(bytes.dropLast(change)), longer] {
        #expect(throws: WireError.self) { try decode(wrong) }
      }
    }
    refuses(Payload.encode(moments)) { _ = try Payload.decodeMoments($0, shape: shape) }
    refuses(Payload.encode(LossSum())) { _ = try Payload.decodeLoss($0) }
    refuses(Payload.encode(norms)) {
      _ = try Payload.decodeWeightNorms($0, layer: 0, shape: shape)
    }
    refuses(Payload.encode(writePlan, shape: shape)) {
      _ = try Payload.decodePlan($0, shape: shape)
    }
  }

  @Test func impossibleMomentsAreRefused() throws {
    var wrong = moments
    wrong.layers[1].mlpDown = ChannelMoments(
      count: 12, mean: Array(repeating: 0, count: 16),
      m2: Array(repeating: 0, count: 15) + [-1])
    #expect(
      throws: WireError.impossibleStatistics(.negativeM2(layer: 1, tap: .mlpDown, channel: 15))
    ) { try Payload.decodeMoments(Payload.encode(wrong), shape: shape) }
    wrong = moments
    wrong.sampleCount = 13
    #expect(throws: WireError.impossibleStatistics(.sampleCount(found: 13, tokenCount: 12))) {
      try Payload.decodeMoments(Payload.encode(wrong), shape: shape)
    }
    var bytes = Payload.encode(moments)
    bytes.replaceSubrange(8..<16, with: [UInt8](repeating: 255, count: 8))
    #expect(throws: WireError.invalid(field: "count of tokens", reason: "\(UInt64.max)")) {
      try Payload.decodeMoments(bytes, shape: shape)
    }
  }

  /// Means and M2s that are possible, and those that are not, at the edges of what is.
  @Test(arguments: [
    (0.0, 0.0), (-0.0, -0.0), (-1e308, 1e308), (.leastNonzeroMagnitude, .leastNonzeroMagnitude),
    (.nan, 1), (1, .nan), (.infinity, 1), (-.infinity, 1), (1, .infinity), (1, -.infinity),
    (1, -.leastNonzeroMagnitude),
  ]) func holdingMomentsIsBeingDecodable(_ mean: Double, _ m2: Double) {
    for (layer, tap, channel) in [(0, Tap.attentionOutput, 0), (1, .mlpDown, 15)] {
      var moments = moments
      let count = moments.layers[layer][tap].channelCount
      var means = [Double](repeating: 1, count: count)
      var m2s = means
      means[channel] = mean
      m2s[channel] = m2
      moments.layers[layer][tap] = ChannelMoments(count: 12, mean: means, m2: m2s)
      expectSameVerdict(
        Payload.encode(moments), isPossible: mean.isFinite && m2.isFinite && m2 >= 0)
    }
  }

  @Test func holdingMomentsNeedsPossibleCountsAndTheRightLength() {
    let bytes = Payload.encode(moments)
    expectSameVerdict(bytes, isPossible: true)
    expectSameVerdict([], isPossible: false)
    expectSameVerdict(Array(bytes.dropLast()), isPossible: false)
    expectSameVerdict(bytes + [0], isPossible: false)
    // Samples, then tokens; more samples than tokens, and counts beyond what can be.
    for (samples, tokens, isPossible) in [
      (12, 12, true), (0, 0, true), (13, 12, false), (3, 2, false), (3, 1 << 53, true),
      (3, 1 << 53 + 1, false), (3, -1, false), (-1, 12, false),
    ] {
      let counts = [samples, tokens].flatMap { count in
        (0..<8).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
      }
      expectSameVerdict(counts + bytes.dropFirst(16), isPossible: isPossible)
    }
  }

  private func expectSameVerdict(_ bytes: [UInt8], isPossible: Bool) {
    #expect(((try? Payload.decodeMoments(bytes, shape: shape)) != nil) == isPossible)
    #expect(Payload.holdsMoments(bytes, shape: shape) == isPossible)
  }

  @Test(arguments: [Double.nan, .infinity]) func valuesThatAreNotFiniteAreRefused(
    _ value: Double
  ) {
    #expect(throws: WireError.self) {
      try Payload.decodeLoss(
        Payload.encode(LossSum(negativeLogLikelihood: value, tokenCount: 1)))
    }
    var norms = norms
    norms.mlpDown.squareSum[3] = value
    #expect(throws: WireError.self) {
      try Payload.decodeWeightNorms(Payload.encode(norms), layer: 0, shape: shape)
    }
    var writePlan = writePlan
    writePlan.baselines[0].mlpDown[1] = value
    #expect(throws: WireError.self) {
      try Payload.decodePlan(Payload.encode(writePlan, shape: shape), shape: shape)
    }
  }

  @Test func negativeNormsAreRefused() {
    var norms = norms
    norms.attentionOutput.absoluteMean[0] = -1
    #expect(throws: WireError.invalid(field: "weight norm", reason: "-1.0")) {
      try Payload.decodeWeightNorms(Payload.encode(norms), layer: 0, shape: shape)
    }
  }

  @Test func impossiblePlansAreRefused() {
    let bytes = Payload.encode(WritePlan(plan: plan, baselines: [.init(), .init()]), shape: shape)
    var marked = bytes
    marked[0] = 2
    #expect(throws: WireError.invalid(field: "mark of baselines", reason: "2")) {
      try Payload.decodePlan(marked, shape: shape)
    }
    var beyond = bytes
    beyond[8] |= 0b100
    #expect(throws: WireError.invalid(field: "plan", reason: "flags beyond the last")) {
      try Payload.decodePlan(beyond, shape: shape)
    }
    var emptied = bytes
    emptied[11] = 0
    #expect(throws: WireError.invalid(field: "plan", reason: "layer 1 keeps nothing")) {
      try Payload.decodePlan(emptied, shape: shape)
    }
  }
}
