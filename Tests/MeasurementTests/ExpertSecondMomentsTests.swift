import Checkpoint
import FlapCore
import FlapTestKit
import Kernels
import Measurement
import Statistics
import Synchronization
import Testing
import Transformer

/// Σ x_i x_j of what flows into each expert's `down_proj`, over the tokens that go through it.
struct ExpertSecondMomentsTests {
  private let small: SmallModel
  private let leaves: [Leaf]
  private let place = TapPlace(layer: 0, .mlpDown)

  init() throws {
    small = try SmallModel(SmallModel.mixture)
    var generator = SeededGenerator(seed: 6)
    leaves = (0..<9).map { _ in
      Leaf(
        tokens: (0..<3 * 21).map { _ in Int32.random(in: 0..<50, using: &generator) },
        sampleCount: 3, tokensPerSample: 21)
    }
  }

  private func model(
    _ compute: ComputeType = .float32, threads: Int = 1, leaves: Int = 1
  ) throws -> Llama {
    try Llama(
      checkpoint: small.checkpoint, compute: compute, threadCount: threads, laneCount: 1,
      limits: MicroBatchLimits(
        tokensPerSample: 21, samplesPerLeaf: 3, leavesPerMicroBatch: leaves))
  }

  private var tree: CanonicalTree { CanonicalTree(leafCount: leaves.count) }

  /// Of scales that suit activations of this size.
  private var scales: ChannelScales {
    ChannelScales(
      squareSums: small.shape.layers.indices.map { layer in
        PerTap { tap in
          Array(repeating: 1e5, count: small.shape.channelCount(layer: layer, tap: tap))
        }
      })
  }

  private func sums(
    _ measurement: ProductMeasurement, _ node: TreeNode
  ) throws -> [SumKind: [UInt8]] {
    var found: [SumKind: [UInt8]] = [:]
    try measurement.run(
      0..<1, Array(leaves[tree.leaves(of: node)]), of: node, samplesPerLeaf: 3,
      scales: ChannelScales(exponents: [scales.exponents[0]])
    ) {
    } emit: { sum in
      if sum.place == place { found[sum.kind] = sum.bytes }
    }
    return found
  }

  @Test("sums are those of what experts are shown, in f64")
  func reference() throws {
    let recorder = ExpertRecorder()
    try model(leaves: leaves.count).forward(leaves, observers: [recorder])
    let rows = recorder.rows
    let inputs = small.shape.mapChannels(layer: 0, tap: .mlpDown)
    #expect(inputs == MapChannels(channelCount: 60, mapCount: 5))
    let found = try sums(ProductMeasurement(try model(), folder: "/tmp"), tree.root)
    #expect(
      Set(rows.values.map(\.count)).count > 1 && rows.values.reduce(0) { $0 + $1.count } == 9 * 126)
    // Leaf 7 is held out; what it adds is measured elsewhere.
    var all = [[Double]](repeating: [], count: 5)
    for kind in [SumKind.kept, .heldOut] {
      let moments = SecondMoments(bytes: try #require(found[kind]), inputs)
      #expect(moments.count == (kind == .kept ? 8 : 1) * 63)
      let products = moments.withProducts { Array($0) }
      let sums = moments.withSums { Array($0) }
      for expert in 0..<5 {
        all[expert] =
          zip(
            all[expert].isEmpty ? Array(repeating: 0, count: 12 + 78) : all[expert],
            sums[expert * 12..<(expert + 1) * 12].map { Double($0) / 0x1p20 }
              + products[expert * 78..<(expert + 1) * 78].map { Double($0) }
          ).map(+)
      }
    }
    let exponent = Int(scales.exponents[0].mlpDown[0])
    let scale = Double(sign: .plus, exponent: exponent, significand: 1)
    for expert in 0..<5 {
      let rows = rows[expert, default: []]
      for i in 0..<12 {
        let sum = rows.reduce(0) { $0 + $1[i] }
        #expect(abs(all[expert][i] / scale - sum) < 1e-4)
        for j in 0...i {
          let product = rows.reduce(0) { $0 + $1[i] * $1[j] }
          let found = all[expert][12 + i * (i + 1) / 2 + j] / (scale * scale)
          // Each of nine leaves rounds to half a unit of 2⁻²ᵉ.
          #expect(abs(found - product) < 9 * 0.51 / (scale * scale))
        }
      }
    }
  }

  @Test("any split and number of threads gives the same bits", arguments: [1, 2, 3])
  func sameBits(threads: Int) throws {
    for compute in [ComputeType.float32, .bfloat16] {
      let whole = try sums(ProductMeasurement(try model(compute), folder: "/tmp"), tree.root)
      let measurement = ProductMeasurement(
        try model(compute, threads: threads, leaves: threads), folder: "/tmp")
      var parts: [SumKind: [[UInt8]]] = [:]
      for node in tree.nodes(atLevel: threads) {
        for (kind, bytes) in try sums(measurement, node) { parts[kind, default: []].append(bytes) }
      }
      let layout = SecondMoments.layout(small.shape.mapChannels(layer: 0, tap: .mlpDown))
      for kind in [SumKind.kept, .heldOut] {
        #expect(layout.sum(try #require(parts[kind])) == whole[kind])
      }
    }
  }
}

/// Keeps what flows into experts' `down_proj` of the first layer, [expert][token][neuron].
private final class ExpertRecorder: TapObserver {
  private let values: Mutex<[Int: [[Double]]]> = Mutex([:])
  /// Rows of a leaf, while strips of their neurons come.
  private let open: Mutex<[Int: [[Double]]]> = Mutex([:])

  var rows: [Int: [[Double]]] { values.withLock { $0 } }

  func observe(_: TapPiece) {}

  func observe(neurons piece: ExpertPiece) {
    open.withLock { open in
      var rows = open[piece.expert, default: []]
      while rows.count < piece.visits.upperBound {
        rows.append(Array(repeating: 0, count: piece.width))
      }
      for (index, visit) in piece.visits.enumerated() {
        for (column, channel) in piece.channels.enumerated() {
          rows[visit][channel] = Double(piece.values[index * piece.stride + column])
        }
      }
      open[piece.expert] = rows
    }
  }

  func finish(_ passage: TapPassage) {
    let leaf = open.withLock { open in
      defer { open = [:] }
      return open
    }
    values.withLock { values in
      for (expert, rows) in leaf { values[expert, default: []] += rows }
    }
  }
}
