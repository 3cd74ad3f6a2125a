public import Transformer

/// A leaf and the tokens in it whose probability is asked for.
public struct QueriedLeaf: Sendable {
  public let leaf: Leaf
  public let queries: [TokenQuery]

  public init(_ leaf: Leaf, _ queries: [TokenQuery]) {
    self.leaf = leaf
    self.queries = queries
  }
}

/// Scores tokens: takes leaves through a model and gives what it says of the tokens that were asked for.
public struct ScoreMeasurement {
  private let model: Llama
  private let finiteness = FinitenessObserver()

  public init(_ model: Llama) { self.model = model }

  /// Calls of `onStep` in ``run(_:onStep:)``.
  public func stepCount(leafCount: Int) -> Int {
    leafCount * (model.stepCount + model.lossStepCount)
  }

  /// - Parameters:
  ///   - leaves: as many as go through the model together at the most.
  ///   - onStep: what it throws ends the pass.
  /// - Returns: of every leaf, in the order of its queries.
  /// - Throws: `TransformerError`, `CheckpointError`.
  public func run(
    _ leaves: [QueriedLeaf], onStep: () throws -> Void
  ) throws -> [[TokenScore]] {
    let microBatch = leaves.map(\.leaf)
    func sample(_ leaf: Int, _ sample: Int) -> Int {
      microBatch.prefix(leaf).reduce(sample) { $0 + $1.sampleCount }
    }
    try model.forward(microBatch, observers: [finiteness]) { passage in
      if let finding = finiteness.take(passage) {
        throw TransformerError.nonFinite(
          layer: passage.layer, tap: passage.tap, channel: finding.channel,
          sample: sample(passage.leaf, finding.sample))
      }
      try onStep()
    }
    let scores = try model.scores(of: microBatch, leaves.map(\.queries), onStep: onStep)
    for (leaf, values) in scores.enumerated()
    where !values.allSatisfy({ $0.logProbability.isFinite }) {
      throw TransformerError.nonFiniteOutput(
        tensor: try model.nonFiniteTensorBehindTaps, sample: sample(leaf, 0))
    }
    return scores
  }
}
