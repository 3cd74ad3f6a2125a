public import FlapCore
internal import Kernels

/// The sizes of everything that a forward pass allocates, and so its peak memory.
public struct ScratchPlan: Hashable, Sendable {
  private let leavesPerMicroBatch: Int
  private let split: LaneSplit

  // Bytes of each buffer; ``Scratch`` has its shape.
  let residual: Int
  let weights: Int
  let hidden: Int
  let inner: Int
  /// 0: none is needed.
  let unnormed: Int
  let queries: Int
  let keys: Int
  let values: Int
  let outputs: Int
  let headOutputs: Int
  let scores: Int
  /// nil in a model without experts.
  let experts: ExpertScratchPlan?

  public let observerLimits: ObserverLimits

  public init(shape: ModelShape, compute: ComputeType, split: LaneSplit, limits: MicroBatchLimits) {
    self.split = split
    leavesPerMicroBatch = limits.leavesPerMicroBatch
    let layout = RowLayout(limits)
    let heads = shape.layers.map(\.headCount).max() ?? 0
    let keyValueHeads = shape.layers.map(\.keyValueHeadCount).max() ?? 0
    // Those of experts lie elsewhere.
    let neurons =
      shape.layers.filter { $0.experts == nil }.map(\.intermediateSize).max() ?? 0
    let headChannels = heads * shape.headDimension
    let keyValueChannels = keyValueHeads * shape.headDimension
    let attention = AttentionLayout(compute, shape.headDimension, layout)
    func pages(_ bytes: Int) -> Int { ScratchBuffer.roundedByteCount(bytes) }
    func tiles(_ channels: Int) -> Int {
      pages(RowTiles.byteCount(compute, rows: layout.rowCount, channels: channels))
    }
    residual = pages(layout.rowCount * shape.hiddenSize * 4)
    weights = pages(PackedWeights.byteCount(shape, compute))
    hidden = tiles(shape.hiddenSize)
    inner = tiles(max(headChannels, neurons))
    let arithmetic = shape.arithmetic
    unnormed = pages(
      4 * layout.rowCount
        * max(
          arithmetic.normPlacement == .before ? 0 : shape.hiddenSize,
          arithmetic.normalizesHeadsTogether ? headChannels + keyValueChannels : 0))
    queries = pages(attention.byteCount(of: .query, heads: heads))
    keys = pages(attention.byteCount(of: .key, heads: keyValueHeads))
    values = pages(attention.byteCount(of: .value, heads: keyValueHeads))
    experts = ExpertScratchPlan(shape, compute, layout)
    observerLimits = ObserverLimits(
      laneCount: split.laneCount,
      segmentChannels: max(layout.segments.count * headChannels, layout.segmentCount * neurons),
      experts: experts?.limits)
    outputs = MatrixProduct.scratchByteCount(
      maps: 2, width: max(MatrixProduct.tileOutputs, attention.stripWidth))
    headOutputs = pages(AttentionLayout.computedQueriesPerStep * attention.bundleStride * 4)
    scores = attention.heads[0].scratchByteCount
  }

  public var residualBytes: Int { leavesPerMicroBatch * residual }
  public var laneBytes: Int {
    split.laneCount
      * (hidden + inner + unnormed + queries + keys + values + (experts?.byteCount ?? 0))
  }
  public var threadBytes: Int { split.threadCount * (outputs + headOutputs + scores) }

  public var totalBytes: Int { residualBytes + weights + laneBytes + threadBytes }
}

/// The buffers of a forward pass, allocated once.
struct Scratch {
  /// The residual stream of each leaf of the micro-batch, f32 [rows, hidden].
  let residuals: [ScratchBuffer]
  /// One layer's maps as column tiles, each [outputs, channels].
  let weights: PackedWeights
  let lanes: [LaneScratch]
  let threads: ThreadScratch

  init(plan: ScratchPlan, compute: ComputeType, split: LaneSplit, leavesPerMicroBatch: Int)
    throws(OutOfMemory)
  {
    residuals = try ScratchBuffer.several(leavesPerMicroBatch, byteCount: plan.residual)
    weights = PackedWeights(
      compute: compute, buffer: try ScratchBuffer(byteCount: plan.weights))
    lanes = try (0..<split.laneCount).map { _ throws(OutOfMemory) in try LaneScratch(plan) }
    threads = try ThreadScratch(plan, threadCount: split.threadCount)
  }
}

/// What the leaf in a lane needs while it goes through a layer.
struct LaneScratch {
  /// The normed stream as row tiles, [rows, hidden].
  let hidden: ScratchBuffer
  /// The heads' outputs, [rows, heads · d], or the neurons, [rows, intermediate], as row tiles.
  let inner: ScratchBuffer
  /// What is normalized before it is used, f32: queries and keys of all heads, [rows, channels of both],
  /// or what is added to the stream, [rows, hidden]; nil where the model has no such norms.
  let unnormed: ScratchBuffer?
  /// For each sample and head, as row tiles, [tokens, d].
  let queries: ScratchBuffer
  /// For each sample and key/value head, as column tiles, [tokens, d].
  let keys: ScratchBuffer
  /// For each sample and key/value head, as column tiles, [d, tokens].
  let values: ScratchBuffer
  /// nil in a model without experts.
  let experts: ExpertScratch?

  fileprivate init(_ plan: ScratchPlan) throws(OutOfMemory) {
    hidden = try ScratchBuffer(byteCount: plan.hidden)
    inner = try ScratchBuffer(byteCount: plan.inner)
    unnormed = plan.unnormed == 0 ? nil : try ScratchBuffer(byteCount: plan.unnormed)
    queries = try ScratchBuffer(byteCount: plan.queries)
    keys = try ScratchBuffer(byteCount: plan.keys)
    values = try ScratchBuffer(byteCount: plan.values)
    experts = try plan.experts.map { plan throws(OutOfMemory) in try ExpertScratch(plan) }
  }
}

/// What each of some threads needs.
struct ThreadScratch {
  /// An output tile of one map or two, f32 [tile rows, tile outputs] each.
  let outputs: [ScratchBuffer]
  /// Outputs of a bundle of heads, f32 [computed queries of a step, heads of the bundle · d].
  let headOutputs: [ScratchBuffer]
  /// Scores and weights of attention (`flap_attention_scratch`).
  let scores: [ScratchBuffer]

  fileprivate init(_ plan: ScratchPlan, threadCount: Int) throws(OutOfMemory) {
    outputs = try ScratchBuffer.several(threadCount, byteCount: plan.outputs)
    headOutputs = try ScratchBuffer.several(threadCount, byteCount: plan.headOutputs)
    scores = try ScratchBuffer.several(threadCount, byteCount: plan.scores)
  }

  private init(
    outputs: [ScratchBuffer], headOutputs: [ScratchBuffer], scores: [ScratchBuffer]
  ) {
    self.outputs = outputs
    self.headOutputs = headOutputs
    self.scores = scores
  }

  /// That of some of the threads.
  subscript(threads: Range<Int>) -> ThreadScratch {
    ThreadScratch(
      outputs: Array(outputs[threads]), headOutputs: Array(headOutputs[threads]),
      scores: Array(scores[threads]))
  }
}

extension ScratchBuffer {
  fileprivate static func several(
    _ count: Int, byteCount: Int
  ) throws(OutOfMemory) -> [ScratchBuffer] {
    try (0..<count).map { _ throws(OutOfMemory) in try ScratchBuffer(byteCount: byteCount) }
  }
}
