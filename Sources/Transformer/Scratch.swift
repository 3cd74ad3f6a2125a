public import FlapCore
internal import Kernels

/// The sizes of everything that a forward pass allocates, and so its peak memory.
public struct ScratchPlan: Hashable, Sendable {
  private let leavesPerBlock: Int
  private let threadCount: Int

  /// Residual stream of a leaf, f32 [rows, hidden].
  let residual: Int
  /// Tiles of one layer's weights.
  let weights: Int
  /// Tiles of the normed stream.
  let hidden: Int
  /// Tiles of the heads' outputs, or of the neurons.
  let inner: Int
  /// Tiles of attention.
  let queries: Int
  let keys: Int
  let values: Int
  /// Moments of parts of a leaf: channels of all parts.
  let momentChannels: Int
  /// Of each thread: blocks of products, outputs of heads, scores.
  let block: Int
  let headOutput: Int
  let scores: Int

  public init(shape: ModelShape, compute: ComputeType, threadCount: Int, limits: BlockLimits) {
    self.threadCount = threadCount
    leavesPerBlock = limits.leavesPerBlock
    let layout = RowLayout(
      sampleCount: limits.samplesPerLeaf, tokensPerSample: limits.tokensPerSample)
    let heads = shape.layers.map(\.headCount).max() ?? 0
    let keyValueHeads = shape.layers.map(\.keyValueHeadCount).max() ?? 0
    let neurons = shape.layers.map(\.intermediateSize).max() ?? 0
    let headChannels = heads * shape.headDimension
    let attention = AttentionTiles(compute, shape.headDimension, layout)
    func pages(_ bytes: Int) -> Int { ScratchBuffer.roundedByteCount(bytes) }
    func tiles(_ channels: Int) -> Int {
      pages(RowTiles.byteCount(compute, rows: layout.rowCount, channels: channels))
    }
    residual = pages(layout.rowCount * shape.hiddenSize * 4)
    weights = pages(PackedWeights.byteCount(shape, compute))
    hidden = tiles(shape.hiddenSize)
    inner = tiles(max(headChannels, neurons))
    queries = pages(attention.byteCount(of: .query, heads: heads))
    keys = pages(attention.byteCount(of: .key, heads: keyValueHeads))
    values = pages(attention.byteCount(of: .value, heads: keyValueHeads))
    momentChannels = max(layout.sampleCount * headChannels, layout.partCount * neurons)
    block = MatrixProduct.scratchByteCount(
      maps: 2, width: max(MatrixProduct.blockOutputs, attention.stripWidth))
    headOutput = pages(AttentionTiles.queriesPerStep * attention.bundleStride * 4)
    scores = attention.head.scratchByteCount
  }

  public var residualBytes: Int { leavesPerBlock * residual }
  public var threadBytes: Int { threadCount * (block + headOutput + scores) }

  public var totalBytes: Int {
    residualBytes + weights + hidden + inner + queries + keys + values
      + PartialMoments.byteCount(channels: momentChannels) + threadBytes
  }
}

/// The buffers of a forward pass, allocated once; ``ScratchPlan`` says what they hold.
struct Scratch {
  /// One per leaf of the block.
  let residuals: [ScratchBuffer]
  let weights: PackedWeights
  let hidden: ScratchBuffer
  let inner: ScratchBuffer
  let queries: ScratchBuffer
  let keys: ScratchBuffer
  let values: ScratchBuffer
  let moments: PartialMoments
  /// Per thread.
  let blocks: [ScratchBuffer]
  let headOutputs: [ScratchBuffer]
  let scores: [ScratchBuffer]

  init(plan: ScratchPlan, compute: ComputeType, threadCount: Int, leavesPerBlock: Int) {
    func buffers(_ count: Int, _ byteCount: Int) -> [ScratchBuffer] {
      (0..<count).map { _ in ScratchBuffer(byteCount: byteCount) }
    }
    residuals = buffers(leavesPerBlock, plan.residual)
    weights = PackedWeights(compute: compute, buffer: ScratchBuffer(byteCount: plan.weights))
    hidden = ScratchBuffer(byteCount: plan.hidden)
    inner = ScratchBuffer(byteCount: plan.inner)
    queries = ScratchBuffer(byteCount: plan.queries)
    keys = ScratchBuffer(byteCount: plan.keys)
    values = ScratchBuffer(byteCount: plan.values)
    moments = PartialMoments(channels: plan.momentChannels)
    blocks = buffers(threadCount, plan.block)
    headOutputs = buffers(threadCount, plan.headOutput)
    scores = buffers(threadCount, plan.scores)
  }
}
