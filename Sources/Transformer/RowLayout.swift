internal import Kernels

/// Where the tokens of a leaf lie among the rows of its matrices: every segment begins at a multiple
/// of 16, so that no tile holds rows of two. The rows between are no tokens.
struct RowLayout: Sendable {
  /// Consecutive tokens that the same samples hold, in consecutive rows: as a rule a whole sample.
  struct Segment: Sendable {
    /// The number of the first token among the leaf's.
    let firstToken: Int
    /// Positions in the samples.
    let positions: Range<Int>
    /// Of the first token; a multiple of 16.
    let row: Int
    /// Which hold it: several share what they begin with.
    let samples: Range<Int>
    /// Tokens of the longest sample of its group: what is shared has one rotation, also where that
    /// goes by a sample's length (LongRoPE).
    let longestSample: Int
  }

  let segments: [Segment]
  /// Tokens of each sample, those that it shares included.
  let sampleLengths: [Int]
  let rowCount: Int
  let tokenCount: Int

  /// Samples of one length.
  init(sampleCount: Int, tokensPerSample: Int) {
    let rows = Tile.count(ofRows: tokensPerSample) * Tile.side
    segments = (0..<sampleCount).map { sample in
      Segment(
        firstToken: sample * tokensPerSample, positions: 0..<tokensPerSample, row: sample * rows,
        samples: sample..<sample + 1, longestSample: tokensPerSample)
    }
    sampleLengths = Array(repeating: tokensPerSample, count: sampleCount)
    rowCount = sampleCount * rows
    tokenCount = sampleCount * tokensPerSample
  }

  /// Groups of samples: a beginning, then what each of its samples has beyond it.
  init(_ groups: [SampleGroup]) {
    var (segments, lengths): ([Segment], [Int]) = ([], [])
    var (rows, tokens) = (0, 0)
    func add(_ positions: Range<Int>, _ samples: Range<Int>, of group: SampleGroup) {
      guard !positions.isEmpty else { return }
      segments.append(
        Segment(
          firstToken: tokens, positions: positions, row: rows, samples: samples,
          longestSample: group.sampleLengths.max() ?? 0))
      tokens += positions.count
      rows += Tile.count(ofRows: positions.count) * Tile.side
    }
    for group in groups {
      let first = lengths.count
      let beginning = group.beginning.count
      lengths += group.sampleLengths
      add(0..<beginning, first..<lengths.count, of: group)
      for (index, branch) in group.branches.enumerated() {
        let sample = first + index
        add(beginning..<beginning + branch.count, sample..<sample + 1, of: group)
      }
    }
    self.segments = segments
    sampleLengths = lengths
    rowCount = rows
    tokenCount = tokens
  }

  init(_ leaf: Leaf) { self = leaf.layout }

  /// The largest.
  init(_ limits: MicroBatchLimits) {
    self.init(sampleCount: limits.samplesPerLeaf, tokensPerSample: limits.tokensPerSample)
  }

  /// The row of a token of the leaf.
  func row(ofToken token: Int) -> Int {
    let segment = segments[segments.lastIndex { $0.firstToken <= token }]
    return segment.row + token - segment.firstToken
  }

  /// The first sample that holds a token of the leaf.
  func sample(ofToken token: Int) -> Int {
    segments[segments.lastIndex { $0.firstToken <= token }].samples.lowerBound
  }

  /// The first sample that holds the token of a row.
  func sample(ofRow row: Int) -> Int {
    segments[segments.lastIndex { $0.row <= row }].samples.lowerBound
  }

  /// Consecutive tokens of one segment.
  struct Piece {
    /// That hold them.
    let samples: Range<Int>
    /// Positions in these.
    let tokens: Range<Int>
    /// Of the first token.
    let row: Int
    /// The number of the first token among the leaf's.
    let firstToken: Int
    let longestSample: Int
  }

  /// The tokens in some rows, segment by segment.
  ///
  /// - Parameter rows: a multiple of 16 to begin with.
  func forPieces(in rows: Range<Int>, _ body: (Piece) -> Void) {
    guard !rows.isEmpty else { return }
    for segment in segments[(segments.lastIndex { $0.row <= rows.lowerBound })...] {
      guard segment.row < rows.upperBound else { return }
      let first = max(rows.lowerBound - segment.row, 0)
      let end = min(segment.positions.count, rows.upperBound - segment.row)
      guard first < end else { continue }
      let position = segment.positions.lowerBound
      body(
        Piece(
          samples: segment.samples, tokens: position + first..<position + end,
          row: segment.row + first, firstToken: segment.firstToken + first,
          longestSample: segment.longestSample))
    }
  }

  /// How many tokens are in some rows.
  func tokenCount(in rows: Range<Int>) -> Int {
    var count = 0
    forPieces(in: rows) { count += $0.tokens.count }
    return count
  }
}

extension [RowLayout.Segment] {
  /// By bisection: the segments lie in their order.
  ///
  /// - Precondition: it is true of the first, and of none behind one of which it is not.
  fileprivate func lastIndex(where isBefore: (RowLayout.Segment) -> Bool) -> Int {
    var (low, high) = (0, count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if isBefore(self[middle]) { low = middle } else { high = middle }
    }
    return low
  }
}
