internal import Checkpoint
internal import FlapCore
internal import Kernels

/// The summed negative log-likelihood of the tokens that have a predecessor in their sample.
public struct LeafLoss: Hashable, Sendable {
  /// −Σ log p(token | those before it), natural logarithm.
  public var sum: Double
  public var tokenCount: Int
}

/// What follows the decoder layers: final norm, output projection, loss.
extension Llama {
  /// The loss of every leaf over tokens 1… of its samples.
  ///
  /// - Parameter onStep: called for every leaf at every layer; what it throws ends the pass.
  public func negativeLogLikelihood(block: [Leaf], onStep: () throws -> Void) throws -> [LeafLoss] {
    try forward(block: block) { tap in
      if tap.tap == .mlpDown { try onStep() }
    }
    return try block.enumerated().map { index, leaf in
      var losses = [Double](repeating: 0, count: leaf.tokenCount)
      try forLogits(of: leaf, index) { first, rows, logits in
        losses.withUnsafeMutableBufferPointer { losses in
          let losses = losses.baseAddress!
          team.run(taskCount: rows) { row, _ in
            let position = first + row
            // The last token of a sample predicts nothing that is known.
            guard (position + 1) % leaf.tokensPerSample != 0 else { return }
            let row = logits + row * shape.vocabularySize
            losses[position] =
              Elementwise.logSumExp(row, count: shape.vocabularySize)
              - Double(row[Int(leaf.tokens[position + 1])])
          }
        }
      }
      // In the order of the tokens, whoever computed them.
      return LeafLoss(
        sum: losses.reduce(0, +), tokenCount: leaf.sampleCount * (leaf.tokensPerSample - 1))
    }
  }

  /// f32 [tokens, vocabulary] of one leaf; for tests.
  package func logits(of leaf: Leaf) throws -> [Float] {
    try forward(block: [leaf]) { _ in }
    var all: [Float] = []
    try forLogits(of: leaf, 0) { _, rows, logits in
      all += UnsafeBufferPointer(start: logits, count: rows * shape.vocabularySize)
    }
    return all
  }

  /// Projects the residual stream of a leaf onto the vocabulary, a few rows at a time.
  private func forLogits(
    of leaf: Leaf, _ index: Int,
    _ body: (_ firstRow: Int, _ rows: Int, _ logits: UnsafePointer<Float>) -> Void
  ) throws {
    let weight = try checkpoint.tensor("model.norm.weight", shape: [shape.hiddenSize])
    let norm = weight.float32Values()
    let name = shape.tiesEmbeddings ? "model.embed_tokens" : "lm_head"
    let head = try Linear(
      checkpoint, name, out: shape.vocabularySize, in: shape.hiddenSize, hasBias: false)
    let x = scratch.residuals[index].floats()  // [tokens, hidden]
    let logits = scratch.logits.floats()  // [rows, vocabulary]
    for first in stride(from: 0, to: leaf.tokenCount, by: ScratchPlan.logitRows) {
      let rows = min(ScratchPlan.logitRows, leaf.tokenCount - first)
      normalize(x + first * shape.hiddenSize, norm, rows: rows)
      try head(multiply, scratch.operand.bytes, rows: rows, to: logits)
      body(first, rows, logits)
    }
  }
}
