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
    let sums = try sums(measurement(model), tree.root, scales)
    for place in TapPlace.all(in: small.shape.layers.indices) {
      let parts: [(SecondMoments, (Int) -> Bool)] = [
        (try sums.value(place, .kept, small.shape), { $0 != 7 }),
        (try sums.value(place, .heldOut, small.shape), { $0 == 7 }),
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

  @Test("any split, order and number of threads gives the same bits", arguments: 0..<8)
  func sameBits(seed: UInt64) throws {
    let compute = seed % 2 == 0 ? ComputeType.float32 : .bfloat16
    let scales = try scales(compute)
    let whole = try sums(measurement(try model(compute)), tree.root, scales)
    var generator = SeededGenerator(seed: seed)
    let level = Int.random(in: 0..<5, using: &generator)
    // Units may be larger than what goes through the model together.
    let measurement = try measurement(
      try model(
        compute, threads: 1 + Int(seed) % 3, lanes: seed > 2 ? 2 : 1,
        leavesPerMicroBatch: Int.random(in: 1...4, using: &generator)))
    var parts: [TapPlace: [SumKind: [[UInt8]]]] = [:]
    // Some go through all layers at once, some through one after the other.
    let stride = Int.random(in: 1...small.shape.layers.count, using: &generator)
    for first in Swift.stride(from: 0, to: small.shape.layers.count, by: stride) {
      let layers = first..<min(first + stride, small.shape.layers.count)
      for node in tree.nodes(atLevel: min(level, tree.rootLevel)).shuffled(using: &generator) {
        for sum in try sums(measurement, node, scales, layers: layers).all {
          parts[sum.place, default: [:]][sum.kind, default: []].append(sum.bytes)
        }
      }
    }
    for place in TapPlace.all(in: small.shape.layers.indices) {
      for kind in [SumKind.kept, .heldOut] {
        let expected = try whole.value(place, kind, small.shape)
        let layout = SecondMoments.layout(expected.channels)
        #expect(layout.sum(try #require(parts[place]?[kind])) == expected.bytes)
      }
    }
  }

  @Test("sums without tokens are none")
  func empty() throws {
    let sums = try sums(
      measurement(try model(.float32)), .leaf(7), try scales(.float32), layers: 0..<1)
    #expect(sums.all.map(\.kind) == [.heldOut, .heldOut])
    let kept = try self.sums(
      measurement(try model(.float32)), .leaf(6), try scales(.float32), layers: 1..<2)
    #expect(kept.all.map(\.kind) == [.kept, .kept])
    #expect(kept.all.map(\.place) == TapPlace.all(in: 1..<2))
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

  // MARK: Helpers

  private func model(
    _ compute: ComputeType, threads: Int = 1, lanes: Int = 1, leavesPerMicroBatch: Int? = nil
  ) throws -> Llama {
    try Llama(
      checkpoint: small.checkpoint, compute: compute, threadCount: threads, laneCount: lanes,
      limits: MicroBatchLimits(
        tokensPerSample: 21, samplesPerLeaf: 3,
        leavesPerMicroBatch: leavesPerMicroBatch ?? leaves.count))
  }

  private func measurement(_ model: Llama) throws -> ProductMeasurement {
    ProductMeasurement(model, folder: "/tmp")
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
            let part = parts.values.first { $0.key.place == TapPlace(layer: layer, tap) }
            return try StatisticCatalog.decode(
              try #require(part), as: ChannelMoments.self, small.shape)
          }
        }))
  }

  private func sums(
    _ measurement: ProductMeasurement, _ node: TreeNode, _ scales: ChannelScales,
    layers: Range<Int>? = nil
  ) throws -> Sums {
    let layers = layers ?? small.shape.layers.indices
    var sums = Sums()
    try measurement.run(
      layers, Array(leaves[tree.leaves(of: node)]), of: node, samplesPerLeaf: 3,
      scales: ChannelScales(exponents: Array(scales.exponents[layers]))
    ) {
    } emit: { sum in
      sums.all.append((sum.place, sum.kind, sum.bytes))
    }
    return sums
  }
}

private struct Sums {
  var all: [(place: TapPlace, kind: SumKind, bytes: [UInt8])] = []

  func value(_ place: TapPlace, _ kind: SumKind, _ shape: ModelShape) throws -> SecondMoments {
    let found = try #require(all.first { $0.place == place && $0.kind == kind })
    return SecondMoments(
      bytes: found.bytes, shape.mapChannels(layer: place.layer, tap: place.tap))
  }
}
