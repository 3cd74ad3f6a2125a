internal import FlapCore
internal import Kernels

/// The sizes of what a leaf needs on its way through experts.
struct ExpertScratchPlan: Hashable, Sendable {
  // Bytes of each buffer; ``ExpertScratch`` has its shape.
  let logits: Int
  let inputs: Int
  let neurons: Int

  let limits: ExpertLimits

  /// Of the largest layer; nil where none has experts.
  init?(_ shape: ModelShape, _ compute: ComputeType, _ layout: RowLayout) {
    let layers = shape.layers.compactMap { layer in layer.experts.map { (layer, $0) } }
    guard !layers.isEmpty else { return nil }
    let expertCount = layers.reduce(0) { max($0, $1.1.count) }
    let width = layers.reduce(0) { max($0, $1.0.intermediateSize) }
    let rows = layers.reduce(0) {
      max(
        $0,
        Routing.rowLimit(
          tokens: layout.rowCount, expertCount: $1.1.count, countPerToken: $1.1.countPerToken))
    }
    logits = ScratchBuffer.roundedByteCount(layout.rowCount * expertCount * 4)
    inputs = ScratchBuffer.roundedByteCount(
      RowTiles.byteCount(compute, rows: rows, channels: shape.hiddenSize))
    neurons = ScratchBuffer.roundedByteCount(
      RowTiles.byteCount(compute, rows: rows, channels: width))
    let strips = shape.hiddenSize + ExpertPiece.outputsPerStrip - 1
    limits = ExpertLimits(
      rows: rows + 15, stripCount: strips / ExpertPiece.outputsPerStrip,
      outputs: expertCount * shape.hiddenSize,
      neurons: layers.reduce(0) { max($0, $1.0.intermediateSize * $1.1.count) })
  }

  var byteCount: Int { logits + inputs + neurons }
}

/// What the leaf in a lane needs on its way through experts.
struct ExpertScratch {
  /// The router's, f32 [rows, experts].
  let logits: ScratchBuffer
  /// Every expert's tokens as row tiles, [gathered rows, hidden].
  let inputs: ScratchBuffer
  /// Every expert's neurons as row tiles, [gathered rows, intermediate].
  let neurons: ScratchBuffer

  init(_ plan: ExpertScratchPlan) throws(OutOfMemory) {
    logits = try ScratchBuffer(byteCount: plan.logits)
    inputs = try ScratchBuffer(byteCount: plan.inputs)
    neurons = try ScratchBuffer(byteCount: plan.neurons)
  }
}
