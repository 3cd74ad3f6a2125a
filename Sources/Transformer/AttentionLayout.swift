internal import FlapCore
internal import Kernels

/// How queries, keys and values of a leaf lie in their buffers, and how attention is cut up.
struct AttentionLayout {
  let compute: ComputeType
  let headDimension: Int
  let layout: RowLayout
  /// Tokens that a token attends to at most, itself included.
  let window: Int?

  init(_ compute: ComputeType, _ headDimension: Int, _ layout: RowLayout, window: Int? = nil) {
    self.compute = compute
    self.headDimension = headDimension
    self.layout = layout
    self.window = window
  }

  /// Queries whose output is computed, measured and packed at a time.
  static let queriesPerStep = 64

  /// One head in one sample.
  var head: CausalAttention {
    CausalAttention(
      compute: compute, tokens: layout.tokensPerSample, headDimension: headDimension,
      window: window)
  }

  /// Where a head's tiles lie: sample by sample, head by head.
  func offset(of operand: CausalAttention.Operand, sample: Int, head index: Int, of heads: Int)
    -> Int
  {
    (sample * heads + index) * head.byteCount(of: operand)
  }

  /// Bytes of the tiles of some heads in all samples.
  func byteCount(of operand: CausalAttention.Operand, heads: Int) -> Int {
    offset(of: operand, sample: layout.sampleCount, head: 0, of: heads)
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
