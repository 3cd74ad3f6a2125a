import Checkpoint
import FlapCore
import FlapTestKit
import Foundation
import Kernels
import Measurement
import Statistics
import Testing
import Transformer

/// What a map should give on what the pruned model brings to it.
struct TargetMeasurementTests {
  let small: SmallModel
  let folder: TemporaryFolder
  let leaves: [Leaf]
  let plan: PruningPlan
  /// Of all taps; random, as nothing depends on how they were fitted.
  let maps: [PerTap<PrunedMap?>]

  init() throws {
    small = try SmallModel(hasBiases: true)
    folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: 11)
    // No multiple of 16 tokens: rows between samples are none.
    leaves = (0..<7).map { _ in
      Leaf(
        tokens: (0..<3 * 21).map { _ in Int32.random(in: 0..<50, using: &generator) },
        sampleCount: 3, tokensPerSample: 21)
    }
    plan = PruningPlan(
      layers: (0..<2).map { layer in
        PruningPlan.Layer(
          keptGroups: [layer == 1, true], keptNeurons: (0..<40).map { ($0 + layer) % 3 != 0 })
      })
    let (shape, plan) = (small.shape, plan)
    maps = try shape.layers.indices.map { layer in
      try PerTap { tap in
        let kept = plan.keptChannels(layer: layer, tap: tap, shape: shape).count { $0 }
        return PrunedMap(
          bias: (0..<shape.hiddenSize).map { _ in Float.random(in: -0.1...0.1, using: &generator) },
          weight: try FittedWeight(rows: shape.hiddenSize, columns: kept) { _, row in
            for column in 0..<kept { row[column] = Float.random(in: -0.5...0.5, using: &generator) }
          })
      }
    }
  }

  private var places: [TapPlace] { Array(TapPlace.all(in: small.shape.layers.indices)) }
  private var tree: CanonicalTree { CanonicalTree(leafCount: leaves.count) }

  /// The maps before a place are fitted.
  private func pruning(before place: TapPlace) -> ModelPruning {
    var maps = maps
    for later in places.dropFirst(place.step) { maps[later.layer][later.tap] = nil }
    return ModelPruning(plan: plan, maps: maps)
  }

  private func model(
    _ compute: ComputeType, threads: Int = 1, lanes: Int = 1
  ) throws -> Llama {
    try Llama(
      checkpoint: small.checkpoint, compute: compute, threadCount: threads, laneCount: lanes,
      limits: MicroBatchLimits(
        tokensPerSample: 21, samplesPerLeaf: 3, leavesPerMicroBatch: leaves.count))
  }

  /// x and y of every token, by the model's own passes.
  private struct Tokens {
    var x: [[Double]] = []
    var y: [[Double]] = []
  }

  private func tokens(
    _ model: Llama, _ place: TapPlace, _ pruning: ModelPruning?
  ) throws -> Tokens {
    model.pruning = nil
    let dense = try model.streams(of: leaves, before: place.step + 1) { _ in }
    model.pruning = pruning
    let pruned = try model.streams(of: leaves, before: place.step) { _ in }
    let recorder = Recorder()
    try model.finish(
      pruned, before: place.step + 1, observers: [recorder], onTap: { _ in }, body: { _, _ in })
    model.pruning = nil
    let width = small.shape.hiddenSize
    var tokens = Tokens()
    for leaf in leaves.indices {
      tokens.x += recorder.rows(place, leaf: leaf)
      // A sample's 21 tokens take 32 rows.
      var values = [Float](repeating: .nan, count: 3 * 32 * width)
      dense.difference(from: pruned, leaf: leaf, rows: 0..<3 * 32, width: width, to: &values)
      for token in 0..<3 * 21 {
        let row = token / 21 * 32 + token % 21
        tokens.y.append(
          values[row * width..<(row + 1) * width].map { value in
            Double(
              model.compute == .bfloat16 ? Float(bfloat16Bits: value.bfloat16Bits) : value)
          })
      }
    }
    return tokens
  }

  /// With which 2^(2e) Σ x² lies below 2²⁹.
  private func exponents(_ tokens: Tokens) -> [Int8] {
    tokens.x[0].indices.map { channel in
      let squares = tokens.x.reduce(0) { $0 + $1[channel] * $1[channel] }
      return squares > 0 ? Int8((28 - Int(squares.exponent)) >> 1) : 0
    }
  }

  private func power(_ exponent: Int) -> Double {
    Double(sign: .plus, exponent: exponent, significand: 1)
  }

  private func measure(
    _ measurement: TargetMeasurement, _ place: TapPlace, _ exponents: [Int8],
    of node: TreeNode? = nil, onStep: () throws -> Void = {}
  ) throws -> TargetMoments {
    let node = node ?? tree.root
    return moments(
      try measurement.run(
        place, Array(leaves[tree.leaves(of: node)]), of: node, pruning: pruning(before: place),
        exponents: exponents, onStep: onStep), exponents)
  }

  private func moments(_ sum: MeasuredSum, _ exponents: [Int8]) -> TargetMoments {
    TargetMoments(
      bytes: sum.bytes, channelCount: exponents.count, outputCount: small.shape.hiddenSize)
  }

  @Test("sums are those of the streams, in f64", arguments: ComputeType.allCases)
  func reference(compute: ComputeType) throws {
    let model = try model(compute)
    let measurement = TargetMeasurement(model, folder: folder.path)
    for place in places {
      let tokens = try tokens(model, place, pruning(before: place))
      let exponents = exponents(tokens)
      let moments = try measure(measurement, place, exponents)
      #expect(moments.inputs.count == tokens.x.count && tokens.x.count == 7 * 63)
      expect(moments.inputs, exponents, of: tokens.x)
      let (sums, products) = moments.targets
      let squares = exponents.indices.map { j in tokens.x.reduce(0) { $0 + $1[j] * $1[j] } }
      for output in 0..<small.shape.hiddenSize {
        let y = tokens.y.map { $0[output] }
        let square = y.reduce(0) { $0 + $1 * $1 }
        // Seven leaves are rounded once each; of f64 sums nothing is to be seen.
        #expect(abs(Double(sums[output]) * power(-24) - y.reduce(0, +)) <= 4 * power(-24))
        for channel in exponents.indices {
          let sum = y.indices.reduce(0) { $0 + y[$1] * tokens.x[$1][channel] }
          let unit = power(-24 - Int(exponents[channel]))
          let found = Double(products[output * exponents.count + channel]) * unit
          // f32 sums of 63 products round by 2⁻²⁴ each, at worst 63 times.
          let tolerance = 1e-5 * (square * squares[channel]).squareRoot() + 4 * unit
          #expect(abs(found - sum) <= tolerance, "\(place), output \(output), channel \(channel)")
        }
      }
    }
  }

  /// As of ``SecondMomentsTests``.
  private func expect(_ moments: SecondMoments, _ exponents: [Int8], of rows: [[Double]]) {
    let squares = exponents.indices.map { i in rows.reduce(0) { $0 + $1[i] * $1[i] } }
    moments.withProducts { products in
      var index = 0
      for i in exponents.indices {
        for j in 0...i {
          let sum = rows.reduce(0) { $0 + $1[i] * $1[j] }
          let found = Double(products[index]) * power(-Int(exponents[i]) - Int(exponents[j]))
          #expect(abs(found - sum) <= 1e-5 * (squares[i] * squares[j]).squareRoot())
          index += 1
        }
      }
    }
  }

  @Test(
    "streams kept from map to map or brought up anew, by any threads, in parts: the same bits",
    arguments: ComputeType.allCases)
  func sameBits(compute: ComputeType) throws {
    let keeping = TargetMeasurement(try model(compute), folder: folder.path)
    let threaded = TargetMeasurement(
      try model(compute, threads: 3, lanes: 2), folder: folder.path)
    let inParts = TargetMeasurement(try model(compute, threads: 2), folder: folder.path)
    var generator = SeededGenerator(seed: 2)
    var exponents: [[Int8]] = []
    var expected: [TargetMoments] = []
    for place in places {
      exponents.append(try self.exponents(tokens(model(compute), place, pruning(before: place))))
      let fresh = TargetMeasurement(try model(compute), folder: folder.path)
      let moments = try measure(fresh, place, exponents[place.step])
      expected.append(moments)
      #expect(try measure(keeping, place, exponents[place.step]) == moments)
      #expect(try measure(threaded, place, exponents[place.step]) == moments)
      // Some nodes come for the first time, and one comes twice.
      let nodes = tree.nodes(atLevel: 1).shuffled(using: &generator)
      let parts = try nodes.map { try measure(inParts, place, exponents[place.step], of: $0) }
      let layout = TargetMoments.layout(
        channelCount: moments.channelCount, outputCount: moments.outputCount)
      #expect(layout.sum(parts.map(\.bytes)) == moments.bytes)
      #expect(try measure(inParts, place, exponents[place.step], of: nodes[0]) == parts[0])
      threaded.releaseScratch()
    }
    // Back to an earlier map, then on with one left out.
    #expect(try measure(keeping, places[1], exponents[1]) == expected[1])
    #expect(try measure(keeping, places[3], exponents[3]) == expected[3])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test("a measurement that was given up at any step is done again to the same bits")
  func abandoned() throws {
    struct Abandoned: Error {}
    let model = try model(.bfloat16)
    let measurement = TargetMeasurement(model, folder: folder.path)
    for place in places {
      let exponents = try exponents(tokens(self.model(.bfloat16), place, pruning(before: place)))
      let fresh = TargetMeasurement(try self.model(.bfloat16), folder: folder.path)
      var stepCount = 0
      let expected = try measure(fresh, place, exponents) { stepCount += 1 }
      #expect(stepCount <= fresh.stepCount(at: place, leafCount: leaves.count))
      for last in stride(from: 0, to: stepCount, by: 4) {
        var steps = 0
        // What it has kept spares it steps: perhaps it comes to its end.
        let result = try? measure(measurement, place, exponents) {
          if steps == last { throw Abandoned() }
          steps += 1
        }
        #expect(result == nil || result == expected)
        #expect(model.pruning == nil, "the next pass is over the whole model")
      }
      #expect(try measure(measurement, place, exponents) == expected)
    }
  }

  @Test("with nothing pruned what a map should give is what it gives")
  func nothingPruned() throws {
    let model = try model(.float32)
    let measurement = TargetMeasurement(model, folder: folder.path)
    let shape = small.shape
    let whole = ModelPruning(
      plan: PruningPlan(keepingAllOf: shape),
      maps: shape.layers.map { _ in PerTap(attentionOutput: nil, mlpDown: nil) })
    for place in places {
      let tokens = try tokens(model, place, whole)
      let exponents = exponents(tokens)
      let moments = moments(
        try measurement.run(
          place, leaves, of: tree.root, pruning: whole, exponents: exponents, onStep: {}),
        exponents)
      let (sums, products) = moments.targets
      let (channels, name) = (exponents.count, place.tap.moduleName(layer: place.layer))
      let weight = try small.checkpoint.tensor(
        "\(name).weight", shape: [shape.hiddenSize, channels]
      ).float32Values().map(Double.init)
      let bias = try small.checkpoint.tensor("\(name).bias", shape: [shape.hiddenSize])
        .float32Values().map(Double.init)
      let inputs = exponents.indices.map { j in tokens.x.reduce(0) { $0 + $1[j] } }
      for output in 0..<shape.hiddenSize {
        let w = weight[output * channels..<(output + 1) * channels]
        let y = tokens.x.map { x in bias[output] + zip(w, x).reduce(0) { $0 + $1.0 * $1.1 } }
        let largest = y.reduce(0) { max($0, abs($1)) }
        // The residual stream, of a few units, is added and taken away again in f32.
        let error = 1e-5 * max(largest, 1)
        let sum = zip(w, inputs).reduce(bias[output] * 441) { $0 + $1.0 * $1.1 }
        #expect(abs(Double(sums[output]) * power(-24) - sum) <= 441 * error)
        for channel in 0..<channels {
          let expected = y.indices.reduce(0) { $0 + y[$1] * tokens.x[$1][channel] }
          let found =
            Double(products[output * channels + channel])
            * power(-24 - Int(exponents[channel]))
          let magnitude = tokens.x.reduce(0) { $0 + abs($1[channel]) }
          #expect(abs(found - expected) <= error * magnitude)
        }
      }
    }
  }

  @Test("a sum of squares that does not fit ends the measurement and names the channel")
  func overflow() throws {
    let place = places[3]
    let model = try model(.float32)
    let tokens = try tokens(model, place, pruning(before: place))
    var exponents = exponents(tokens)
    // 2^(2e) Σ x² from 2³¹ on, below 2³².
    let channel = try #require(
      exponents.indices.first { channel in
        let squares = tokens.x.reduce(0) { $0 + $1[channel] * $1[channel] }
        guard squares > 0, squares.exponent % 2 != 0 else { return false }
        exponents[channel] = Int8((31 - Int(squares.exponent)) / 2)
        return true
      })
    let measurement = TargetMeasurement(model, folder: folder.path)
    #expect(throws: MeasurementError.overflow(place, channel: channel)) {
      try measure(measurement, place, exponents)
    }
  }
}
