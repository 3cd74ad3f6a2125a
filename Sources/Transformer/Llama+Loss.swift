internal import Checkpoint
internal import FlapCore
internal import Glibc
internal import Kernels

/// The summed negative log-likelihood of the tokens that have a predecessor in their sample.
public struct LeafLoss: Hashable, Sendable {
  /// −Σ log p(token | those before it), natural logarithm.
  public var sum: Double
  public var tokenCount: Int
}

/// What follows the decoder layers: final norm, output projection, loss.
extension Llama {
  /// The loss of every leaf over tokens 1… of its samples, from the residual stream that
  /// ``forward(_:observers:onTap:)`` has left.
  ///
  /// - Parameters:
  ///   - microBatch: the one that went through the layers last, all samples of a leaf of one length.
  ///   - onStep: called ``lossStepCount`` times for every leaf; what it throws ends the pass.
  public func losses(of microBatch: [Leaf], onStep: () throws -> Void) throws -> [LeafLoss] {
    var losses = microBatch.map { RowLosses($0) }
    try forLogits(of: microBatch) { index, strips, run in
      losses[index].add(strips: strips, run)
      try onStep()
    }
    return losses.map(\.loss)
  }

  /// Steps of a leaf's loss: sections of the vocabulary.
  public var lossStepCount: Int { (shape.vocabularySize + sectionSize - 1) / sectionSize }

  /// f32 [tokens, vocabulary] of one leaf; for tests.
  package func logits(of leaf: Leaf) throws -> [Float] {
    try forward([leaf])
    let layout = RowLayout(leaf)
    let width = shape.vocabularySize
    var all = [Float](repeating: 0, count: leaf.tokenCount * width)
    try forLogits(of: [leaf]) { _, _, run in
      all.withUnsafeMutableBufferPointer { all in
        let all = all.baseAddress!
        run { tile, firstToken in
          layout.forPieces(in: tile.rows) { piece in
            for index in 0..<piece.tokens.count {
              let row = piece.row + index - tile.rows.lowerBound
              let token = piece.firstToken + index
              (all + token * width + firstToken + tile.outputs.lowerBound).update(
                from: tile.values() + row * tile.stride, count: tile.outputs.count)
            }
          }
        }
      }
    }
    return all
  }

  /// Tokens of the vocabulary whose weights are packed together.
  var sectionSize: Int { scratch.weights.rowsThatFit(channels: shape.hiddenSize) }

  /// A section of the vocabulary for one leaf, computed tile by tile by the function that it is
  /// given: the logits of a tile's rows, and the token of the section's first output.
  typealias LogitRun = (_ finish: (MatrixProduct.OutputTile, _ firstToken: Int) -> Void) -> Void

  /// Projects the residual stream of all leaves onto the vocabulary, in sections whose weights are
  /// packed together.
  private func forLogits(
    of microBatch: [Leaf], _ body: (_ leaf: Int, _ strips: Int, LogitRun) throws -> Void
  ) throws {
    try forSections(ofAtMost: sectionSize) { section in
      for (index, leaf) in microBatch.enumerated() {
        try body(index, section.strips.count) { finish in
          project(scratch.residuals[index].floats(), RowLayout(leaf), section) {
            finish($0, section.firstToken)
          }
        }
      }
    }
  }

  /// Some tokens of the vocabulary, with their weights packed.
  struct VocabularySection {
    let firstToken: Int
    let strips: [MatrixProduct.Strip]
    fileprivate let norm: [Float]
  }

  /// Computes logits of a leaf's rows, tile by tile.
  ///
  /// - Parameter x: the residual stream behind the last layer, [rows, hidden].
  func project(
    _ x: UnsafePointer<Float>, _ layout: RowLayout, _ section: VocabularySection,
    finish: (MatrixProduct.OutputTile) -> Void
  ) {
    let lane = lanes.whole
    let normed = normalize(x, layout, section.norm, lane)
    MatrixProduct.run(
      normed, rows: layout.rowCount, section.strips, team: lane.team,
      scratch: lane.perThread.outputs
    ) { tile in
      lane.team.enter(.other, thread: tile.thread)
      shape.arithmetic.finish(tile)
      finish(tile)
    }
  }

  /// The whole vocabulary, section by section.
  ///
  /// - Parameter limit: tokens of a section; a multiple of `MatrixProduct.tileOutputs`.
  func forSections(
    ofAtMost limit: Int, _ body: (VocabularySection) throws -> Void
  ) throws {
    let norm = shape.normWeight(
      try checkpoint.tensor("model.norm.weight", shape: [shape.hiddenSize]))
    let projection = shape.outputProjection
    takeChecksums(of: ["model.norm.weight", projection.name])
    let head = Linear(
      try checkpoint.tensor(projection.name, shape: projection.shape), bias: nil)
    for first in stride(from: 0, to: shape.vocabularySize, by: limit) {
      let section = first..<min(first + limit, shape.vocabularySize)
      let tiles = scratch.weights.pack(head.weight, rows: section, team: lanes.whole.team)
      try body(
        VocabularySection(
          firstToken: first, strips: MatrixProduct.Strip.covering(tiles), norm: norm))
    }
  }
}

extension Arithmetic {
  /// Divides and caps logits.
  fileprivate func finish(_ tile: MatrixProduct.OutputTile) {
    guard logitDivisor != 1 || logitCap != nil else { return }
    let divisor = Float(logitDivisor)
    let cap = logitCap.map { Float($0) }
    for row in 0..<tile.rows.count {
      let logits = tile.values() + row * tile.stride
      for output in 0..<tile.outputs.count {
        let logit = logits[output] / divisor
        logits[output] = cap.map { $0 * tanhf(logit / $0) } ?? logit
      }
    }
  }
}

/// log Σ exp of every row's logits and the logit of the token that came, gathered by sections.
private struct RowLosses {
  private let leaf: Leaf
  private let layout: RowLayout
  private var sums: RowLogSums
  private var targets: [Float]

  init(_ leaf: Leaf) {
    self.leaf = leaf
    layout = RowLayout(leaf)
    sums = RowLogSums(rowCount: layout.rowCount)
    targets = Array(repeating: 0, count: layout.rowCount)
  }

  /// Takes a section.
  mutating func add(strips: Int, _ run: Llama.LogitRun) {
    targets.withUnsafeMutableBufferPointer { targets in
      let targets = targets.baseAddress!
      sums.add(strips: strips, run) { [leaf, layout] tile, firstToken in
        layout.forNextTokens(of: leaf, in: tile.rows) { row, token in
          if let logit = tile.logit(of: token, firstToken: firstToken, row: row) {
            targets[row] = logit
          }
        }
      }
    }
  }

  var loss: LeafLoss {
    var sum = 0.0
    layout.forNextTokens(of: leaf, in: 0..<layout.rowCount) { row, _ in
      sum += sums.logSum(row) - Double(targets[row])
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
      for (index, position) in piece.tokens.enumerated() where position + 1 < leaf.tokensPerSample {
        body(piece.row + index, leaf.tokens[piece.firstToken + index + 1])
      }
    }
  }
}
