public import FlapCore
internal import Kernels

/// The sizes of everything that a forward pass allocates, and so its peak memory.
public struct ScratchPlan: Hashable, Sendable {
  /// Residual stream of the block, f32 [leaves, rows, hidden].
  public let residualBytes: Int
  /// Tiles of one layer's weights.
  public let weightBytes: Int
  /// Tiles of the products' inputs: the normed stream, and the heads' outputs or the neurons.
  public let operandBytes: Int
  /// Tiles of queries, keys and values.
  public let attentionBytes: Int
  /// Moments of parts of a leaf, f64.
  public let momentBytes: Int
  /// Blocks of products, scores of attention; for every thread.
  public let threadBytes: Int

  let blockBytes: Int
  let headOutputBytes: Int
  let attentionScratchBytes: Int

  public init(shape: ModelShape, compute: ComputeType, threadCount: Int, limits: BlockLimits) {
    let layout = RowLayout(
      sampleCount: limits.samplesPerLeaf, tokensPerSample: limits.tokensPerSample)
    let rows = layout.rowCount
    let heads = shape.layers.map(\.headCount).max() ?? 0
    let keyValueHeads = shape.layers.map(\.keyValueHeadCount).max() ?? 0
    let neurons = shape.layers.map(\.intermediateSize).max() ?? 0
    let attention = AttentionTiles(compute, shape.headDimension, layout)
    func pages(_ bytes: Int) -> Int { ScratchBuffer.roundedByteCount(bytes) }
    func tiles(_ channels: Int) -> Int {
      pages(RowTiles.byteCount(compute, rows: rows, channels: channels))
    }
    residualBytes = limits.leavesPerBlock * pages(rows * shape.hiddenSize * 4)
    weightBytes = pages(PackedWeights.byteCount(shape, compute))
    operandBytes =
      tiles(shape.hiddenSize) + tiles(max(heads * shape.headDimension, neurons))
    attentionBytes =
      pages(attention.byteCount(of: .query, heads: heads))
      + pages(attention.byteCount(of: .key, heads: keyValueHeads))
      + pages(attention.byteCount(of: .value, heads: keyValueHeads))
    momentBytes = PartialMoments.byteCount(
      parts: 1,
      channels: max(
        layout.sampleCount * heads * shape.headDimension, layout.partCount * neurons))
    blockBytes = MatrixProduct.scratchByteCount(
      maps: 2, width: max(MatrixProduct.blockOutputs, attention.stripWidth))
    headOutputBytes = pages(AttentionTiles.queriesPerStep * attention.bundleStride * 4)
    attentionScratchBytes = attention.head.scratchByteCount
    threadBytes = threadCount * (blockBytes + headOutputBytes + attentionScratchBytes)
  }

  public var totalBytes: Int {
    residualBytes + weightBytes + operandBytes + attentionBytes + momentBytes + threadBytes
  }
}

/// The buffers of a forward pass, allocated once.
struct Scratch {
  /// One per leaf of the block, f32 [rows, hidden].
  let residuals: [ScratchBuffer]
  let weights: PackedWeights
  /// The normed stream.
  let hidden: ScratchBuffer
  /// The heads' outputs, or the neurons.
  let inner: ScratchBuffer
  let queries: ScratchBuffer
  let keys: ScratchBuffer
  let values: ScratchBuffer
  let moments: PartialMoments
  /// Per thread.
  let blocks: [ScratchBuffer]
  let headOutputs: [ScratchBuffer]
  let attention: [ScratchBuffer]

  init(
    plan: ScratchPlan, shape: ModelShape, compute: ComputeType, threadCount: Int,
    limits: BlockLimits
  ) {
    let layout = RowLayout(
      sampleCount: limits.samplesPerLeaf, tokensPerSample: limits.tokensPerSample)
    let heads = shape.layers.map(\.headCount).max() ?? 0
    let keyValueHeads = shape.layers.map(\.keyValueHeadCount).max() ?? 0
    let neurons = shape.layers.map(\.intermediateSize).max() ?? 0
    let tiles = AttentionTiles(compute, shape.headDimension, layout)
    func operand(_ channels: Int) -> ScratchBuffer {
      ScratchBuffer(
        byteCount: RowTiles.byteCount(compute, rows: layout.rowCount, channels: channels))
    }
    residuals = (0..<limits.leavesPerBlock).map { _ in
      ScratchBuffer(byteCount: plan.residualBytes / limits.leavesPerBlock)
    }
    weights = PackedWeights(
      compute: compute, buffer: ScratchBuffer(byteCount: plan.weightBytes))
    hidden = operand(shape.hiddenSize)
    inner = operand(max(heads * shape.headDimension, neurons))
    queries = ScratchBuffer(byteCount: tiles.byteCount(of: .query, heads: heads))
    keys = ScratchBuffer(byteCount: tiles.byteCount(of: .key, heads: keyValueHeads))
    values = ScratchBuffer(byteCount: tiles.byteCount(of: .value, heads: keyValueHeads))
    moments = PartialMoments(
      parts: 1,
      channels: max(
        layout.sampleCount * heads * shape.headDimension, layout.partCount * neurons))
    func perThread(_ byteCount: Int) -> [ScratchBuffer] {
      (0..<threadCount).map { _ in ScratchBuffer(byteCount: byteCount) }
    }
    blocks = perThread(plan.blockBytes)
    headOutputs = perThread(plan.headOutputBytes)
    attention = perThread(plan.attentionScratchBytes)
  }
}
