public import FlapCore
public import Kernels
public import Transformer

/// How far a model that lacks something is from the dense one, on the same samples again and again.
///
/// The dense model's streams are kept: those before the step that was asked for last, so that a
/// pruned one begins there, and those behind the last layer, for what it is compared with.
public final class DivergenceMeasurement {
  private let model: Llama
  private let leaves: [Leaf]
  private let logits: ScratchBuffer
  private var before: ResidualStreams?
  private var last: ResidualStreams?

  /// - Throws: `OutOfMemory`.
  public init(_ model: Llama, _ leaves: [Leaf]) throws(OutOfMemory) {
    self.model = model
    self.leaves = leaves
    logits = try model.makeDivergenceScratch()
  }

  /// Whether these are the samples.
  public func isOf(_ leaves: [Leaf]) -> Bool { self.leaves.map(\.tokens) == leaves.map(\.tokens) }

  /// Calls of `onStep` for one model, at the most, besides those of the dense one.
  public func stepCount(from step: Int) -> Int {
    leaves.count * (model.stepCount - step + model.divergenceStepCount)
  }

  /// Calls of `onStep` for the dense model, at the most.
  public var denseStepCount: Int {
    leaves.count * model.stepCount
  }

  /// Mean over the tokens of the divergence from the dense model, in nats.
  ///
  /// - Parameters:
  ///   - pruning: what a model lacks from a step, half of a layer, on; before it is dense.
  ///   - onStep: what it throws ends the measurement.
  public func divergence(
    of pruning: ModelPruning, from step: Int, onStep: () throws -> Void
  ) throws -> Double {
    model.pruning = nil
    let start = try streams(before: step, onStep)
    let end = try streamsBehindLast(onStep)
    model.pruning = pruning
    defer { model.pruning = nil }
    var (sum, tokens) = (0.0, 0)
    try model.finish(start) { _ in
      try onStep()
    } body: { microBatch, first in
      let divergences = try model.divergences(
        of: microBatch, from: end, first: first, logits, onStep: onStep)
      for leaf in divergences {
        sum += leaf.sum
        tokens += leaf.tokenCount
      }
    }
    return sum / Double(tokens)
  }

  private func streams(
    before step: Int, _ onStep: () throws -> Void
  ) throws -> ResidualStreams {
    if let before, before.step == step { return before }
    let earlier = before.flatMap { $0.step < step ? $0 : nil }
    let made = try model.streams(of: leaves, before: step, from: earlier) { _ in try onStep() }
    before = made
    return made
  }

  private func streamsBehindLast(_ onStep: () throws -> Void) throws -> ResidualStreams {
    if let last { return last }
    let made = try model.streams(of: leaves, before: model.stepCount, from: before) { _ in
      try onStep()
    }
    last = made
    return made
  }

  /// Bytes that it holds besides the model's scratch.
  public static func byteCount(
    leafCount: Int, shape: ModelShape, _ limits: MicroBatchLimits
  ) -> Int {
    // While a stream is taken further, there are three.
    Llama.divergenceByteCount(limits)
      + 3 * ResidualStreams.byteCount(leafCount: leafCount, shape: shape, limits)
  }
}
