public import FlapCore
internal import Kernels

/// Copies of the residual streams of some leaves at a step, half of a layer: what lets a model go on
/// from there again and again.
public final class ResidualStreams: Sendable {
  /// Steps behind: 2·l before the attention of layer l, 2·l + 1 before its MLP.
  public let step: Int
  let leaves: [Leaf]
  /// Leaf after leaf, f32 [rows, hidden].
  nonisolated(unsafe) private let streams: ScratchBuffer
  /// Where each leaf's begins, and behind the last, in bytes.
  private let offsets: [Int]

  /// - Parameter folder: where they may be written to; nil: they stay in memory.
  fileprivate init(
    step: Int, leaves: [Leaf], hiddenSize: Int, inFileOf folder: String?
  ) throws(OutOfMemory) {
    self.step = step
    self.leaves = leaves
    var offsets = [0]
    for leaf in leaves {
      offsets.append(offsets[offsets.count - 1] + RowLayout(leaf).rowCount * hiddenSize * 4)
    }
    self.offsets = offsets
    let byteCount = offsets[offsets.count - 1]
    streams =
      if let folder {
        try ScratchBuffer(byteCount: byteCount, inFileOf: folder)
      } else {
        try ScratchBuffer(byteCount: byteCount)
      }
  }

  /// Of one leaf.
  func bytes(ofLeaf leaf: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      start: streams.bytes + offsets[leaf], count: offsets[leaf + 1] - offsets[leaf])
  }

  /// Bytes of so many of the largest leaves.
  public static func byteCount(
    leafCount: Int, shape: ModelShape, _ limits: MicroBatchLimits
  ) -> Int {
    leafCount
      * ScratchBuffer.roundedByteCount(RowLayout(limits).rowCount * shape.hiddenSize * 4)
  }

  /// to ← (this − other) ÷ divisor, f32 [rows, hidden] of a panel's rows of one leaf.
  ///
  /// - Parameters:
  ///   - rows: of the leaf's matrices.
  ///   - divisor: by which what a map gives is multiplied on its way to the stream.
  public func difference(
    from other: ResidualStreams, leaf: Int, rows: Range<Int>, width: Int,
    dividedBy divisor: Float = 1, to values: UnsafeMutablePointer<Float>
  ) {
    let first = rows.lowerBound * width
    let a = bytes(ofLeaf: leaf).assumingMemoryBound(to: Float.self)[first...]
    let b = other.bytes(ofLeaf: leaf).assumingMemoryBound(to: Float.self)[first...]
    for index in 0..<rows.count * width {
      values[index] = a[first + index] - b[first + index]
    }
    guard divisor != 1 else { return }
    for index in 0..<rows.count * width { values[index] /= divisor }
  }
}

/// Passes in parts, over any number of leaves.
extension Llama {
  /// The streams of leaves before a step.
  ///
  /// - Parameters:
  ///   - earlier: where to go on from; nil: from the tokens.
  ///   - folder: where they may be written to; nil: they stay in memory.
  ///   - onTap: as of ``forward(_:observers:onTap:)``; called for the tap of every step. Leaves go
  ///     through a tap in their order, each micro-batch through all steps before the next.
  public func streams(
    of leaves: [Leaf], before step: Int, from earlier: ResidualStreams? = nil,
    inFileOf folder: String? = nil, observers: [any TapObserver] = [],
    onTap: (TapPassage) throws -> Void
  ) throws -> ResidualStreams {
    let result = try ResidualStreams(
      step: step, leaves: leaves, hiddenSize: shape.hiddenSize, inFileOf: folder)
    try forMicroBatches(of: leaves) { microBatch, first in
      if let earlier {
        restore(earlier, first, count: microBatch.count)
      } else {
        try embed(microBatch)
      }
      try run(
        (earlier?.step ?? 0)..<step, microBatch, from: first, observers: observers, onTap: onTap)
      for index in microBatch.indices {
        let stream = result.bytes(ofLeaf: first + index)
        stream.copyMemory(
          from: UnsafeRawBufferPointer(
            start: scratch.residuals[index].bytes, count: stream.count))
      }
    }
    return result
  }

  /// Takes streams through the steps that come, and shows each micro-batch's result.
  ///
  /// - Parameters:
  ///   - end: the step not to go beyond; nil: to the last.
  ///   - body: gets a micro-batch whose residual stream the scratch holds, and the number of its first
  ///     leaf among all.
  public func finish(
    _ streams: ResidualStreams, before end: Int? = nil, observers: [any TapObserver] = [],
    onTap: (TapPassage) throws -> Void, body: (_ microBatch: [Leaf], _ first: Int) throws -> Void
  ) throws {
    try forMicroBatches(of: streams.leaves) { microBatch, first in
      restore(streams, first, count: microBatch.count)
      try run(
        streams.step..<(end ?? stepCount), microBatch, from: first, observers: observers,
        onTap: onTap)
      try body(microBatch, first)
    }
  }

  private func forMicroBatches(
    of leaves: [Leaf], _ body: (_ microBatch: [Leaf], _ first: Int) throws -> Void
  ) rethrows {
    for first in stride(from: 0, to: leaves.count, by: limits.leavesPerMicroBatch) {
      try body(Array(leaves[first...].prefix(limits.leavesPerMicroBatch)), first)
    }
  }

  private func restore(_ streams: ResidualStreams, _ first: Int, count: Int) {
    for index in 0..<count {
      let stream = streams.bytes(ofLeaf: first + index)
      scratch.residuals[index].bytes.copyMemory(
        from: stream.baseAddress!, byteCount: stream.count)
    }
  }
}
