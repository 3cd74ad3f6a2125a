public import FlapCore
internal import Kernels

/// The sizes of everything that a forward pass allocates, and so its peak memory.
public struct ScratchPlan: Hashable, Sendable {
  private let leavesPerBlock: Int
  private let split: LaneSplit

  /// Residual stream of a leaf, f32 [rows, hidden].
  let residual: Int
  /// Tiles of one layer's weights.
  let weights: Int
  // Of each lane.
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
  // Of each thread.
  /// Blocks of products.
  let block: Int
  /// Outputs of heads.
  let headOutput: Int
  let scores: Int

  public init(shape: ModelShape, compute: ComputeType, split: LaneSplit, limits: BlockLimits) {
    self.split = split
    leavesPerBlock = limits.leavesPerBlock
    let layout = RowLayout(limits)
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
      maps: 2, width: max(MatrixProduct.tileOutputs, attention.stripWidth))
    headOutput = pages(AttentionTiles.queriesPerStep * attention.bundleStride * 4)
    scores = attention.head.scratchByteCount
  }

  public var residualBytes: Int { leavesPerBlock * residual }
  public var laneBytes: Int {
    split.laneCount
      * (hidden + inner + queries + keys + values
        + PartialMoments.byteCount(channels: momentChannels))
  }
  public var threadBytes: Int { split.threadCount * (block + headOutput + scores) }

  public var totalBytes: Int { residualBytes + weights + laneBytes + threadBytes }
}

/// The buffers of a forward pass, allocated once; ``ScratchPlan`` says what they hold.
struct Scratch {
  /// One per leaf of the block.
  let residuals: [ScratchBuffer]
  let weights: PackedWeights
  /// One per lane.
  let leaves: [LeafScratch]
  let threads: ThreadScratch

  init(plan: ScratchPlan, compute: ComputeType, split: LaneSplit, leavesPerBlock: Int) {
    residuals = ScratchBuffer.several(leavesPerBlock, byteCount: plan.residual)
    weights = PackedWeights(compute: compute, buffer: ScratchBuffer(byteCount: plan.weights))
    leaves = (0..<split.laneCount).map { _ in LeafScratch(plan) }
    threads = ThreadScratch(plan, threadCount: split.threadCount)
  }
}

/// What a leaf needs while it goes through a layer.
struct LeafScratch {
  let hidden: ScratchBuffer
  let inner: ScratchBuffer
  let queries: ScratchBuffer
  let keys: ScratchBuffer
  let values: ScratchBuffer
  let moments: PartialMoments

  fileprivate init(_ plan: ScratchPlan) {
    hidden = ScratchBuffer(byteCount: plan.hidden)
    inner = ScratchBuffer(byteCount: plan.inner)
    queries = ScratchBuffer(byteCount: plan.queries)
    keys = ScratchBuffer(byteCount: plan.keys)
    values = ScratchBuffer(byteCount: plan.values)
    moments = PartialMoments(channels: plan.momentChannels)
  }
}

/// What each of some threads needs.
struct ThreadScratch {
  let blocks: [ScratchBuffer]
  let headOutputs: [ScratchBuffer]
  let scores: [ScratchBuffer]

  fileprivate init(_ plan: ScratchPlan, threadCount: Int) {
    blocks = ScratchBuffer.several(threadCount, byteCount: plan.block)
    headOutputs = ScratchBuffer.several(threadCount, byteCount: plan.headOutput)
    scores = ScratchBuffer.several(threadCount, byteCount: plan.scores)
  }

  private init(blocks: [ScratchBuffer], headOutputs: [ScratchBuffer], scores: [ScratchBuffer]) {
    self.blocks = blocks
    self.headOutputs = headOutputs
    self.scores = scores
  }

  /// That of some of the threads.
  subscript(threads: Range<Int>) -> ThreadScratch {
    ThreadScratch(
      blocks: Array(blocks[threads]), headOutputs: Array(headOutputs[threads]),
      scores: Array(scores[threads]))
  }
}

extension ScratchBuffer {
  fileprivate static func several(_ count: Int, byteCount: Int) -> [ScratchBuffer] {
    (0..<count).map { _ in ScratchBuffer(byteCount: byteCount) }
  }
}
