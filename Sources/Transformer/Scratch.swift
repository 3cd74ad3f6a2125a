public import FlapCore
internal import Kernels

/// The sizes of everything that a forward pass allocates, and so its peak memory.
public struct ScratchPlan: Hashable, Sendable {
  /// Residual stream of the block, f32 [leaves, tokens, hidden].
  public let residualBytes: Int
  /// Input of a product in its format, [tokens, widest input].
  public let operandBytes: Int
  /// Queries, keys, values and head outputs; then gate and up; f32, the larger of the two.
  public let activationBytes: Int
  /// Output of `o_proj` and `down_proj` and rows in f32 on their way to an operand.
  public let projectionBytes: Int
  /// Logits of a few rows, f32 [rows, vocabulary].
  public let logitBytes: Int
  /// Attention and weight tiles of every thread.
  public let threadBytes: Int

  /// Rows whose logits are computed together.
  static let logitRows = 64

  public init(shape: ModelShape, compute: ComputeType, threadCount: Int, limits: BlockLimits) {
    let tokens = limits.tokensPerLeaf
    let attention = shape.layers.map { $0.headCount * shape.headDimension }.max() ?? 0
    let keyValue = shape.layers.map { $0.keyValueHeadCount * shape.headDimension }.max() ?? 0
    let intermediate = shape.layers.map(\.intermediateSize).max() ?? 0
    let widest = max(shape.hiddenSize, attention, intermediate)
    func pages(_ bytes: Int) -> Int { ScratchBuffer.roundedByteCount(bytes) }
    residualBytes = limits.leavesPerBlock * pages(tokens * shape.hiddenSize * 4)
    operandBytes = pages(tokens * widest * compute.operandByteCount)
    activationBytes = max(
      2 * pages(tokens * attention * 4) + 2 * pages(tokens * keyValue * 4),
      2 * pages(tokens * intermediate * 4))
    projectionBytes = pages(tokens * shape.hiddenSize * 4)
    logitBytes = pages(ScratchPlan.logitRows * shape.vocabularySize * 4)
    threadBytes =
      threadCount
      * (CausalAttention.scratchByteCount(
        tokens: limits.tokensPerSample, headDimension: shape.headDimension)
        + MatrixProduct.weightTileByteCount(compute: compute, largestInner: widest))
  }

  public var totalBytes: Int {
    residualBytes + operandBytes + activationBytes + projectionBytes + logitBytes + threadBytes
  }
}

/// The buffers of a forward pass, allocated once.
struct Scratch {
  /// One per leaf of the block, f32 [tokens, hidden].
  let residuals: [ScratchBuffer]
  let operand: ScratchBuffer
  let activations: ScratchBuffer
  let projection: ScratchBuffer
  let logits: ScratchBuffer
  let attention: [ScratchBuffer]

  init(plan: ScratchPlan, shape: ModelShape, threadCount: Int, limits: BlockLimits) {
    residuals = (0..<limits.leavesPerBlock).map { _ in
      ScratchBuffer(byteCount: plan.residualBytes / limits.leavesPerBlock)
    }
    operand = ScratchBuffer(byteCount: plan.operandBytes)
    activations = ScratchBuffer(byteCount: plan.activationBytes)
    projection = ScratchBuffer(byteCount: plan.projectionBytes)
    logits = ScratchBuffer(byteCount: plan.logitBytes)
    attention = (0..<threadCount).map { _ in
      ScratchBuffer(
        byteCount: CausalAttention.scratchByteCount(
          tokens: limits.tokensPerSample, headDimension: shape.headDimension))
    }
  }
}
