internal import Checkpoint
internal import FlapCore
internal import Kernels

/// A token whose probability is asked for.
public struct TokenQuery: Hashable, Sendable {
  /// The number of the token before it, among the leaf's tokens.
  public let previous: Int
  public let token: Int32

  public init(_ token: Int32, after previous: Int) {
    self.previous = previous
    self.token = token
  }
}

/// What the model says of a token that was asked for.
public struct TokenScore: Hashable, Sendable {
  /// log p(token | those before it), natural logarithm.
  public let logProbability: Double
  /// Whether no other token is more probable.
  public let isLargest: Bool
}

/// What follows the decoder layers where only some tokens count.
extension Llama {
  /// The scores of what was asked of every leaf, from the residual stream that
  /// ``forward(_:observers:onTap:)`` has left, which is used up.
  ///
  /// Only rows that are asked for are projected onto the vocabulary.
  ///
  /// - Parameters:
  ///   - microBatch: the one that went through the layers last.
  ///   - queries: of every leaf, in any order.
  ///   - onStep: called ``lossStepCount`` times for every leaf; what it throws ends the pass.
  /// - Returns: in the order of the queries.
  public func scores(
    of microBatch: [Leaf], _ queries: [[TokenQuery]], onStep: () throws -> Void
  ) throws -> [[TokenScore]] {
    precondition(microBatch.count == queries.count, "queries for every leaf")
    for query in queries.joined() {
      guard (0..<shape.vocabularySize).contains(Int(query.token)) else {
        throw TransformerError.tokenOutsideVocabulary(
          token: query.token, vocabularySize: shape.vocabularySize)
      }
    }
    var scores = zip(microBatch, queries).map { RowScores($0, $1) }
    for (index, leaf) in scores.enumerated() { gather(leaf.rows, ofLeaf: index) }
    try forSections(ofAtMost: sectionSize) { section in
      for index in microBatch.indices {
        let layout = RowLayout(sampleCount: 1, tokensPerSample: scores[index].rows.count)
        scores[index].add(strips: section.strips.count) { finish in
          project(scratch.residuals[index].floats(), layout, section) {
            finish($0, section.firstToken)
          }
        }
        try onStep()
      }
    }
    return scores.map(\.scores)
  }

  /// Brings some rows of the residual stream to its beginning.
  ///
  /// - Parameter rows: ascending.
  private func gather(_ rows: [Int], ofLeaf leaf: Int) {
    let width = shape.hiddenSize
    let x = scratch.residuals[leaf].floats()
    for (index, row) in rows.enumerated() where row > index {
      (x + index * width).update(from: x + row * width, count: width)
    }
    let padding = Tile.count(ofRows: rows.count) * Tile.side - rows.count
    (x + rows.count * width).update(repeating: 0, count: padding * width)
  }
}

/// The scores of a leaf, gathered by sections.
private struct RowScores {
  /// That are asked for, of the leaf's matrices, ascending.
  let rows: [Int]
  private let queries: [TokenQuery]
  /// Of each of the rows, numbers of queries.
  private let queriesOfRow: [[Int]]
  /// Of each query, the number of its row among those that are asked for.
  private let rowOfQuery: [Int]
  private var sums: RowLogSums
  private var logits: [Float]

  init(_ leaf: Leaf, _ queries: [TokenQuery]) {
    precondition(!queries.isEmpty, "something is asked")
    let places = queries.map { leaf.layout.row(ofToken: $0.previous) }
    rows = Set(places).sorted()
    self.queries = queries
    let indices = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, $0) })
    rowOfQuery = places.map { indices[$0]! }
    var queriesOfRow = Array(repeating: [Int](), count: rows.count)
    for (query, row) in rowOfQuery.enumerated() { queriesOfRow[row].append(query) }
    self.queriesOfRow = queriesOfRow
    sums = RowLogSums(rowCount: Tile.count(ofRows: rows.count) * Tile.side)
    logits = Array(repeating: 0, count: queries.count)
  }

  /// Takes a section.
  mutating func add(strips: Int, _ run: Llama.LogitRun) {
    logits.withUnsafeMutableBufferPointer { logits in
      let logits = logits.baseAddress!
      sums.add(strips: strips, run) { [queries, queriesOfRow] tile, firstToken in
        for row in tile.rows.clamped(to: queriesOfRow.indices) {
          for query in queriesOfRow[row] {
            let token = queries[query].token
            if let logit = tile.logit(of: token, firstToken: firstToken, row: row) {
              logits[query] = logit
            }
          }
        }
      }
    }
  }

  var scores: [TokenScore] {
    zip(rowOfQuery, logits).map { row, logit in
      TokenScore(
        logProbability: Double(logit) - sums.logSum(row), isLargest: logit >= sums.maxima[row])
    }
  }
}
