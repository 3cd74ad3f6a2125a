import Checkpoint
import FlapCore
import FlapTestKit
import Kernels
import Measurement
import Statistics
import Testing
import Transformer

/// Σ x_i x_j of what flows through the taps, whoever sums which leaves.
struct SecondMomentsTests {
  let small: SmallModel
  let leaves: [Leaf]
  let kinds = [SecondMoments.kind, HeldOutSecondMoments.kind]

  init() throws {
    small = try SmallModel()
    var generator = SeededGenerator(seed: 5)
    // No multiple of 16 tokens: rows between samples are none.
    leaves = (0..<11).map { _ in
      Leaf(
        tokens: (0..<3 * 21).map { _ in Int32.random(in: 0..<50, using: &generator) },
        sampleCount: 3, tokensPerSample: 21)
    }
  }

  private var tree: CanonicalTree { CanonicalTree(leafCount: leaves.count) }

  @Test("sums are those of the operands, in f64", arguments: [ComputeType.float32, .bfloat16])
  func reference(compute: ComputeType) throws {
    let model = try model(compute)
    let recorder = Recorder()
    try model.forward(leaves, observers: [recorder])
    let scales = try scales(compute)
    let report = try report(SampleMeasurement(model), tree.root, scales)
    for place in TapPlace.all(in: small.shape.layers.indices) {
      let heldOut = try report.value(HeldOutSecondMoments.self, place, small.shape).moments
      let parts: [(SecondMoments, (Int) -> Bool)] = [
        (try report.value(SecondMoments.self, place, small.shape), { $0 != 7 }),
        (heldOut, { $0 == 7 }),
      ]
      for (moments, isPart) in parts {
        let rows = leaves.indices.filter(isPart).flatMap { recorder.rows(place, leaf: $0) }
        #expect(moments.count == rows.count)
        expect(moments, scales.exponents[place.layer][place.tap], of: rows)
      }
    }
  }

  /// f32 sums of 63 products round by 2⁻²⁴ each, at worst 63 times; fixed point by 2⁻²⁹ a leaf.
  private func expect(_ moments: SecondMoments, _ exponents: [Int8], of rows: [[Double]]) {
    let channels = exponents.count
    func power(_ exponent: Int) -> Double {
      Double(sign: .plus, exponent: exponent, significand: 1)
    }
    let squares = (0..<channels).map { i in rows.reduce(0) { $0 + $1[i] * $1[i] } }
    moments.withProducts { products in
      var index = 0
      for i in 0..<channels {
        for j in 0...i {
          let sum = rows.reduce(0) { $0 + $1[i] * $1[j] }
          let found = Double(products[index]) * power(-Int(exponents[i]) - Int(exponents[j]))
          let tolerance = 1e-5 * (squares[i] * squares[j]).squareRoot()
          #expect(abs(found - sum) <= tolerance, "channels \(i) and \(j)")
          index += 1
        }
      }
    }
    moments.withSums { sums in
      for i in 0..<channels {
        let sum = rows.reduce(0) { $0 + $1[i] }
        let found = Double(sums[i]) * power(-Int(exponents[i]) - SecondMoments.sumBits)
        #expect(abs(found - sum) <= 1e-6 * (squares[i] * Double(rows.count)).squareRoot())
      }
    }
  }

  @Test("any split, order and number of threads gives the same bits", arguments: 0..<6)
  func sameBits(seed: UInt64) throws {
    let compute = seed % 2 == 0 ? ComputeType.float32 : .bfloat16
    let scales = try scales(compute)
    let whole = try report(SampleMeasurement(try model(compute)), tree.root, scales)
    var generator = SeededGenerator(seed: seed)
    let level = Int.random(in: 0..<3, using: &generator)
    var sums: [TapPlace: (SecondMoments, HeldOutSecondMoments)] = [:]
    let measurement = SampleMeasurement(
      try model(compute, threads: 1 + Int(seed) % 3, lanes: seed > 2 ? 2 : 1))
    for node in tree.nodes(atLevel: level).shuffled(using: &generator) {
      let part = try report(measurement, node, scales)
      for place in TapPlace.all(in: small.shape.layers.indices) {
        let kept = try part.value(SecondMoments.self, place, small.shape)
        let heldOut = try part.value(HeldOutSecondMoments.self, place, small.shape)
        guard let sum = sums[place] else {
          sums[place] = (kept, heldOut)
          continue
        }
        sums[place] = (SecondMoments.merge(sum.0, kept), HeldOutSecondMoments.merge(sum.1, heldOut))
      }
    }
    for place in TapPlace.all(in: small.shape.layers.indices) {
      #expect(sums[place]?.0 == (try whole.value(SecondMoments.self, place, small.shape)))
      #expect(sums[place]?.1 == (try whole.value(HeldOutSecondMoments.self, place, small.shape)))
    }
  }

  @Test("channels of any size, and such as are always the same, fit into the integers")
  func extremes() {
    for exponent in stride(from: -60, through: 60, by: 20) {
      let value = Double(sign: .plus, exponent: exponent, significand: 1.37)
      let moments = ModelMoments(
        sampleCount: 1,
        layers: [
          PerTap { _ in ChannelMoments(count: 1 << 20, mean: [value, 0], m2: [0, 0]) }
        ])
      let scales = ChannelScales(moments).exponents[0].mlpDown
      // n · x² · 2^(2e), where x fits f32's squares, lies within two powers of 2³⁰.
      let scaled =
        value * value * Double(1 << 20)
        * Double(sign: .plus, exponent: 2 * Int(scales[0]), significand: 1)
      #expect(scaled < 0x1p30)
      if exponent.magnitude <= 40 { #expect(scaled >= 0x1p28) }
      #expect(scales[1] == 0)
    }
  }

  @Test("without scales nothing is summed")
  func noScales() throws {
    let measurement = SampleMeasurement(try model(.float32))
    #expect(throws: MeasurementError.noScales) {
      try measurement.run(kinds, leaves, of: tree.root, samplesPerLeaf: 3) {
      } emit: { _ in
      }
    }
  }

  // MARK: Helpers

  private func model(
    _ compute: ComputeType, threads: Int = 1, lanes: Int = 1
  ) throws -> Llama {
    try Llama(
      checkpoint: small.checkpoint, compute: compute, threadCount: threads, laneCount: lanes,
      limits: MicroBatchLimits(
        tokensPerSample: 21, samplesPerLeaf: 3, leavesPerMicroBatch: leaves.count))
  }

  private func scales(_ compute: ComputeType) throws -> ChannelScales {
    var parts: [StatisticKey: StatisticPart] = [:]
    try SampleMeasurement(model(compute)).run(
      [ChannelMoments.kind], leaves, of: tree.root, samplesPerLeaf: 3
    ) {
    } emit: {
      parts[$0.key] = $0
    }
    return ChannelScales(
      ModelMoments(
        sampleCount: 33,
        layers: try small.shape.layers.indices.map { layer in
          try PerTap { tap in
            try Report(parts: parts).value(
              ChannelMoments.self, TapPlace(layer: layer, tap), small.shape)
          }
        }))
  }

  private func report(
    _ measurement: SampleMeasurement, _ node: TreeNode, _ scales: ChannelScales
  ) throws -> Report {
    var report = Report()
    var keys: [StatisticKey] = []
    try measurement.run(
      kinds, Array(leaves[tree.leaves(of: node)]), of: node, samplesPerLeaf: 3, scales: scales
    ) {
    } emit: {
      keys.append($0.key)
      report.parts[$0.key] = $0
    }
    #expect(keys == (try StatisticCatalog.standard.keys(of: kinds, node: node, in: small.shape)))
    return report
  }
}

private struct Report {
  var parts: [StatisticKey: StatisticPart] = [:]

  func value<Value: Statistic>(
    _ type: Value.Type, _ place: TapPlace, _ shape: ModelShape
  ) throws -> Value {
    let part = parts.values.first { $0.key.kind == Value.kind && $0.key.place == place }
    return try StatisticCatalog.decode(try #require(part), as: type, shape)
  }
}
