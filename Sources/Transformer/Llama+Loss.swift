internal import Checkpoint
internal import FlapCore
internal import Foundation
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
  /// - Parameter onStep: called ``lossStepCount`` times for every leaf; what it throws ends the pass.
  public func negativeLogLikelihood(block: [Leaf], onStep: () throws -> Void) throws -> [LeafLoss] {
    try forward(block: block) { tap in
      if tap.tap == .mlpDown { try onStep() }
    }
    var losses = block.map { RowLosses($0) }
    try forLogits(of: block) { index, strips, run in
      losses[index].add(strips: strips, run)
      try onStep()
    }
    return losses.map(\.loss)
  }

  /// Steps of a leaf's loss, of about the same work each: layers and sections of the vocabulary.
  public var lossStepCount: Int {
    shape.layers.count + (shape.vocabularySize + sectionSize - 1) / sectionSize
  }

  /// f32 [tokens, vocabulary] of one leaf; for tests.
  package func logits(of leaf: Leaf) throws -> [Float] {
    try forward(block: [leaf]) { _ in }
    let layout = RowLayout(leaf)
    let width = shape.vocabularySize
    var all = [Float](repeating: 0, count: leaf.tokenCount * width)
    try forLogits(of: [leaf]) { _, _, run in
      all.withUnsafeMutableBufferPointer { all in
        let all = all.baseAddress!
        run { block, firstToken in
          layout.forPieces(in: block.rows) { piece in
            for position in piece.tokens {
              let row = piece.row + position - piece.tokens.lowerBound - block.rows.lowerBound
              let token = piece.sample * layout.tokensPerSample + position
              (all + token * width + firstToken + block.outputs.lowerBound).update(
                from: block.values() + row * block.stride, count: block.outputs.count)
            }
          }
        }
      }
    }
    return all
  }

  /// Tokens of the vocabulary whose weights are packed together.
  private var sectionSize: Int { scratch.weights.rowsThatFit(channels: shape.hiddenSize) }

  /// A section of the vocabulary for one leaf, computed block by block by the function that it is
  /// given: the logits of a block's rows, and the token of the section's first output.
  typealias LogitRun = (_ finish: (MatrixProduct.OutputTile, _ firstToken: Int) -> Void) -> Void

  /// Projects the residual stream of all leaves onto the vocabulary, in sections whose weights are
  /// packed together.
  private func forLogits(
    of block: [Leaf], _ body: (_ leaf: Int, _ strips: Int, LogitRun) throws -> Void
  ) throws {
    let norm = try checkpoint.tensor("model.norm.weight", shape: [shape.hiddenSize])
      .float32Values()
    let name = shape.tiesEmbeddings ? "model.embed_tokens" : "lm_head"
    let head = try Linear(
      checkpoint, name, out: shape.vocabularySize, in: shape.hiddenSize, hasBias: false)
    let lane = lanes.whole
    for first in stride(from: 0, to: shape.vocabularySize, by: sectionSize) {
      let section = first..<min(first + sectionSize, shape.vocabularySize)
      let tiles = scratch.weights.pack(head.weight, rows: section, team: lane.team)
      let strips = MatrixProduct.Strip.covering(tiles)
      for (index, leaf) in block.enumerated() {
        let layout = RowLayout(leaf)
        let normed = normalize(index, layout, norm, lane)
        try body(index, strips.count) { finish in
          MatrixProduct.run(
            normed, rows: layout.rowCount, strips, team: lane.team,
            scratch: lane.perThread.blocks
          ) { block in
            lane.team.enter(.other, thread: block.thread)
            finish(block, first)
          }
        }
      }
    }
  }
}

/// log Σ exp of every row's logits and the logit of the token that came, gathered by sections.
private struct RowLosses {
  private let leaf: Leaf
  private let layout: RowLayout
  private var maxima: [Float]
  private var sums: [Double]
  private var targets: [Float]

  init(_ leaf: Leaf) {
    self.leaf = leaf
    layout = RowLayout(leaf)
    maxima = Array(repeating: -.infinity, count: layout.rowCount)
    sums = Array(repeating: 0, count: layout.rowCount)
    targets = Array(repeating: 0, count: layout.rowCount)
  }

  /// Takes a section; strips are merged in their order.
  mutating func add(strips: Int, _ run: Llama.LogitRun) {
    let rows = layout.rowCount
    var stripMaxima = [Float](repeating: -.infinity, count: strips * rows)
    var stripSums = [Double](repeating: 0, count: strips * rows)
    stripMaxima.withUnsafeMutableBufferPointer { stripMaxima in
      stripSums.withUnsafeMutableBufferPointer { stripSums in
        targets.withUnsafeMutableBufferPointer { targets in
          let (maxima, sums) = (stripMaxima.baseAddress!, stripSums.baseAddress!)
          let targets = targets.baseAddress!
          run { [leaf, layout] block, firstToken in
            let first = block.strip * rows + block.rows.lowerBound
            Elementwise.addExponentials(
              block: block.values(), stride: block.stride, rows: block.rows.count,
              columns: block.outputs.count, maxima: maxima + first, sums: sums + first)
            layout.forNextTokens(of: leaf, in: block.rows) { row, token in
              let output = Int(token) - firstToken
              guard block.outputs.contains(output) else { return }
              targets[row] =
                block.values()[
                  (row - block.rows.lowerBound) * block.stride + output - block.outputs.lowerBound]
            }
          }
        }
      }
    }
    for strip in 0..<strips {
      for row in 0..<rows {
        let (maximum, sum) = (stripMaxima[strip * rows + row], stripSums[strip * rows + row])
        let top = max(maxima[row], maximum)
        sums[row] =
          sums[row] * exp(Double(maxima[row] - top)) + sum * exp(Double(maximum - top))
        maxima[row] = top
      }
    }
  }

  var loss: LeafLoss {
    var sum = 0.0
    layout.forNextTokens(of: leaf, in: 0..<layout.rowCount) { row, _ in
      sum += log(sums[row]) + Double(maxima[row]) - Double(targets[row])
    }
    return LeafLoss(sum: sum, tokenCount: leaf.sampleCount * (leaf.tokensPerSample - 1))
  }
}

extension RowLayout {
  /// The rows of tokens that are not their sample's last, with the token that follows.
  fileprivate func forNextTokens(
    of leaf: Leaf, in rows: Range<Int>, _ body: (_ row: Int, _ token: Int32) -> Void
  ) {
    forPieces(in: rows) { piece in
      for position in piece.tokens where position + 1 < tokensPerSample {
        body(
          piece.row + position - piece.tokens.lowerBound,
          leaf.tokens[piece.sample * tokensPerSample + position + 1])
      }
    }
  }
}
