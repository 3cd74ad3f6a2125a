internal import FlapCore
internal import Kernels

/// How queries, keys and values of a leaf lie in their buffers, and how attention is cut up.
struct AttentionLayout {
  let compute: ComputeType
  let headDimension: Int
  let layout: RowLayout
  /// Tokens that a token attends to at most, itself included.
  let window: Int?

  /// - Parameter scale: what queries · keys are multiplied by; nil: 1 / √(head dimension).
  init(
    _ compute: ComputeType, _ headDimension: Int, _ layout: RowLayout, window: Int? = nil,
    scale: Double? = nil
  ) {
    self.compute = compute
    self.headDimension = headDimension
    self.layout = layout
    self.window = window
    heads = layout.sampleLengths.map {
      CausalAttention(
        compute: compute, tokens: $0, headDimension: headDimension, window: window,
        scale: scale)
    }
    queryOffsets = AttentionLayout.offsets(.query, heads)
    keyOffsets = AttentionLayout.offsets(.key, heads)
    valueOffsets = AttentionLayout.offsets(.value, heads)
  }

  /// Queries whose output is measured and packed at a time.
  static let queriesPerStep = 64

  /// What of these is computed: from where a range of queries may begin.
  static func computed(_ queries: Range<Int>) -> Range<Int> {
    let granule = CausalAttention.queryGranule
    return queries.lowerBound / granule * granule..<queries.upperBound
  }

  /// The most queries that are computed at a time.
  static var computedQueriesPerStep: Int { queriesPerStep + CausalAttention.queryGranule - 1 }

  /// One head in each sample.
  let heads: [CausalAttention]
  /// Bytes of one head's tiles in all samples before one, and behind the last in all.
  private let queryOffsets: [Int]
  private let keyOffsets: [Int]
  private let valueOffsets: [Int]

  private static func offsets(
    _ operand: CausalAttention.Operand, _ heads: [CausalAttention]
  ) -> [Int] {
    heads.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.byteCount(of: operand)) }
  }

  private func offsets(of operand: CausalAttention.Operand) -> [Int] {
    switch operand {
    case .query: queryOffsets
    case .key: keyOffsets
    case .value: valueOffsets
    }
  }

  /// Where a head's tiles lie: sample by sample, head by head.
  func offset(of operand: CausalAttention.Operand, sample: Int, head index: Int, of count: Int)
    -> Int
  {
    let offsets = offsets(of: operand)
    return offsets[sample] * count + index * (offsets[sample + 1] - offsets[sample])
  }

  /// Bytes of the tiles of some heads in all samples.
  func byteCount(of operand: CausalAttention.Operand, heads count: Int) -> Int {
    offsets(of: operand)[heads.count] * count
  }

  // MARK: Work

  /// Outputs of the query, key and value maps in one strip: whole heads, whole groups of tiles.
  var stripWidth: Int {
    let least = leastCommonMultiple(headDimension, Tile.side)
    return max(least, MatrixProduct.tileOutputs / least * least)
  }

  /// Heads whose outputs fill whole tiles of the product that follows: what one task computes.
  var headsPerBundle: Int {
    leastCommonMultiple(headDimension, compute.tileChannels) / headDimension
  }

  /// f32 from row to row of a bundle's output.
  var bundleStride: Int { headsPerBundle * headDimension }
}

private func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
  var (x, y) = (a, b)
  while y != 0 { (x, y) = (y, x % y) }
  return a / x * b
}
