import FlapCore
import Foundation
import Kernels
import Measurement
import Testing
import Transformer

/// Σ KL(p ‖ q) of a model's predictions from the dense one's.
struct DivergenceTests {
  /// So many neurons that a section of the vocabulary is one strip, or as many as are compared at
  /// once.
  static let neuronCounts = [40, 1024]

  private func divergences(
    _ model: Llama, _ leaves: [Leaf], _ pruning: ModelPruning?, onStep: () -> Void = {}
  ) throws -> [LeafDivergence] {
    let scratch = try model.makeDivergenceScratch()
    model.pruning = nil
    let dense = try model.streams(of: leaves, before: model.stepCount) { _ in }
    model.pruning = pruning
    defer { model.pruning = nil }
    var found: [LeafDivergence] = []
    try model.finish(model.streams(of: leaves, before: 0) { _ in }) { _ in
    } body: { microBatch, first in
      found += try model.divergences(
        of: microBatch, from: dense, first: first, scratch, onStep: onStep)
    }
    return found
  }

  @Test(
    "of the dense model from itself there is none", arguments: ComputeType.allCases, neuronCounts)
  func same(compute: ComputeType, neurons: Int) throws {
    let wide = try WideModel(neurons: neurons)
    let model = try wide.model(compute)
    var steps = 0
    let found = try divergences(model, wide.leaves, nil) { steps += 1 }
    #expect(found.map(\.tokenCount) == wide.leaves.map(\.tokenCount))
    #expect(found.allSatisfy { abs($0.sum) <= 1e-6 })
    // Strips of 256 tokens, or sections of 2048.
    #expect(model.divergenceStepCount == (neurons == 40 ? 10 : 2))
    #expect(steps == model.divergenceStepCount * wide.leaves.count)
  }

  @Test(
    "of a pruned model it is that of its logits, in f64", arguments: ComputeType.allCases,
    neuronCounts)
  func formula(compute: ComputeType, neurons: Int) throws {
    let wide = try WideModel(neurons: neurons)
    let leaves = wide.leaves
    let model = try wide.model(compute)
    let pruning = try wide.pruning()
    let found = try divergences(model, leaves, pruning)
    for (leaf, divergence) in zip(leaves, found) {
      model.pruning = nil
      let dense = try model.logits(of: leaf)
      model.pruning = pruning
      let pruned = try model.logits(of: leaf)
      let expected = reference(dense, pruned)
      // The logits have the same bits. Of every token three sums of exponentials, each of which is
      // within 2⁻²², one weighted with gaps, whose differences and products are rounded to 2⁻²⁴.
      let tolerance = 0x1p-20 * (expected.gaps + Double(leaf.tokenCount))
      #expect(abs(divergence.sum - expected.sum) <= tolerance)
      #expect(expected.sum > 0.01 * Double(leaf.tokenCount), "there is something to measure")
      #expect(divergence.tokenCount == leaf.tokenCount)
    }
  }

  /// Σ p (log p − log q) over all tokens, and Σ p |y − x|, by which errors are bounded.
  private func reference(_ dense: [Float], _ pruned: [Float]) -> (sum: Double, gaps: Double) {
    func logProbabilities(_ logits: ArraySlice<Float>) -> [Double] {
      let values = logits.map(Double.init)
      let top = values.max()!
      let logSum = log(values.reduce(0) { $0 + exp($1 - top) }) + top
      return values.map { $0 - logSum }
    }
    var result = (sum: 0.0, gaps: 0.0)
    for first in stride(from: 0, to: dense.count, by: WideModel.vocabularySize) {
      let token = first..<first + WideModel.vocabularySize
      let (p, q) = (logProbabilities(dense[token]), logProbabilities(pruned[token]))
      for (p, q) in zip(p, q) { result.sum += exp(p) * (p - q) }
      for (p, (y, x)) in zip(p, zip(dense[token], pruned[token])) {
        result.gaps += exp(p) * abs(Double(y) - Double(x))
      }
    }
    return result
  }

  @Test(
    "threads, lanes and micro-batches change no bit",
    arguments: [(3, nil, 2), (2, 2, 2), (3, 3, 5), (1, nil, 1)] as [(Int, Int?, Int)])
  func determinism(threads: Int, lanes: Int?, leaves: Int) throws {
    for neurons in DivergenceTests.neuronCounts {
      let wide = try WideModel(neurons: neurons)
      let pruning = try wide.pruning()
      let expected = try divergences(wide.model(.float32), wide.leaves, pruning)
      let model = try wide.model(.float32, threads: threads, lanes: lanes, leaves: leaves)
      #expect(try divergences(model, wide.leaves, pruning) == expected)
      #expect(
        try divergences(model, wide.leaves, pruning) == expected, "once more with the same scratch")
    }
  }

  @Test("measured again and again, in any order of the layers, it is the same")
  func again() throws {
    let wide = try WideModel(neurons: 40)
    let model = try wide.model(.bfloat16)
    let pruning = try wide.pruning()
    let sums = try divergences(model, wide.leaves, pruning)
    let expected = sums.reduce(0) { $0 + $1.sum } / Double(sums.reduce(0) { $0 + $1.tokenCount })
    let measurement = try DivergenceMeasurement(model, wide.leaves)
    #expect(measurement.isOf(wide.leaves))
    #expect(!measurement.isOf(Array(wide.leaves.dropLast())))
    var steps = 0
    // What is left out begins at layer 1.
    for layer in [1, 0, 1, 1] {
      let found = try measurement.divergence(of: pruning, from: layer) { steps += 1 }
      // The same sums, added up in the same order.
      #expect(found == expected, "from layer \(layer)")
      #expect(model.pruning == nil)
    }
    let mostPasses = [1, 0, 1, 1].map(measurement.stepCount).reduce(0, +)
    // The dense model's: once to the end, and anew to where the next one begins.
    #expect(steps >= mostPasses && steps <= mostPasses + 2 * measurement.denseStepCount)
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try measurement.divergence(of: pruning, from: 2) { throw Stop() }
    }
    #expect(model.pruning == nil, "an abandoned one leaves the model dense")
    #expect(try measurement.divergence(of: pruning, from: 1) {} == expected)
  }
}
