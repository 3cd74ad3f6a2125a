internal import Kernels

/// Where the tokens of a leaf lie among the rows of its matrices: every sample begins at a multiple
/// of 16, so that no tile holds rows of two samples. The rows between are no tokens.
struct RowLayout {
  let sampleCount: Int
  let tokensPerSample: Int
  /// From sample to sample.
  let rowsPerSample: Int

  init(sampleCount: Int, tokensPerSample: Int) {
    self.sampleCount = sampleCount
    self.tokensPerSample = tokensPerSample
    rowsPerSample = Tile.count(ofRows: tokensPerSample) * Tile.side
  }

  init(_ leaf: Leaf) {
    self.init(sampleCount: leaf.sampleCount, tokensPerSample: leaf.tokensPerSample)
  }

  /// The largest.
  init(_ limits: MicroBatchLimits) {
    self.init(sampleCount: limits.samplesPerLeaf, tokensPerSample: limits.tokensPerSample)
  }

  var rowCount: Int { sampleCount * rowsPerSample }

  var tokenCount: Int { sampleCount * tokensPerSample }

  /// The row of a token of the leaf.
  func row(ofToken token: Int) -> Int {
    token / tokensPerSample * rowsPerSample + token % tokensPerSample
  }

  /// Consecutive tokens of one sample.
  struct Piece {
    let sample: Int
    /// Positions in the sample.
    let tokens: Range<Int>
    /// Of the first token.
    let row: Int
  }

  /// The tokens in some rows, sample by sample.
  ///
  /// - Parameter rows: a multiple of 16 to begin with.
  func forPieces(in rows: Range<Int>, _ body: (Piece) -> Void) {
    var row = rows.lowerBound
    while row < rows.upperBound {
      let sample = row / rowsPerSample
      let first = row - sample * rowsPerSample
      let end = min(tokensPerSample, first + rows.upperBound - row)
      if first < end { body(Piece(sample: sample, tokens: first..<end, row: row)) }
      row = (sample + 1) * rowsPerSample
    }
  }

  /// How many tokens are in some rows.
  func tokenCount(in rows: Range<Int>) -> Int {
    var count = 0
    forPieces(in: rows) { count += $0.tokens.count }
    return count
  }
}
