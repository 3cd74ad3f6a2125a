internal import CKernels
public import FlapCore

/// Sums of products of channels, Σ x_i x_j over rows, in fixed point: whatever is added to them, in
/// whatever order and by whomever, the same terms give the same bits.
///
/// A channel i has a scale s_i, a power of two, chosen such that s_i s_j Σ x_i x_j fits into 31 bits
/// whatever rows are summed. A matrix's products are summed in f32 and rounded once each.
public final class SecondMomentSums: @unchecked Sendable {
  // Unchecked: rows of the triangle are only touched with the lock of their block held, sums with
  // that of the first.

  public private(set) var channels = 0
  /// s_i.
  private let scales: ScratchBuffer
  private let triangle: ScratchBuffer
  private let columnSums: ScratchBuffer
  private let locks: [Condition]

  /// Bits that a sum's scale has more than a product's, whose terms have two of them.
  public static let sumBits = 20

  /// Room for the sums of so many channels, at most.
  ///
  /// - Throws: ``OutOfMemory``.
  public init(largestChannelCount channels: Int) throws(OutOfMemory) {
    scales = try ScratchBuffer(byteCount: channels * 4)
    triangle = try ScratchBuffer(byteCount: SecondMomentSums.productCount(channels) * 4)
    columnSums = try ScratchBuffer(byteCount: channels * 8)
    locks = (0..<SecondMomentSums.blockCount(channels)).map { _ in Condition() }
  }

  /// Begins with zeros; while nobody adds.
  ///
  /// - Parameter exponents: of s_i to the base 2, each −60…60; of at most as many channels as there is
  ///   room for.
  public func reset(exponents: [Int8]) {
    channels = exponents.count
    precondition(SecondMomentSums.productCount(channels) * 4 <= triangle.byteCount)
    for (channel, exponent) in exponents.enumerated() {
      scales.floats()[channel] = Float(sign: .plus, exponent: Int(exponent), significand: 1)
    }
    triangle.bytes.initializeMemory(
      as: UInt8.self, repeating: 0, count: SecondMomentSums.productCount(channels) * 4)
    columnSums.bytes.initializeMemory(as: UInt8.self, repeating: 0, count: channels * 8)
  }

  /// Of rows of the triangle that are locked together.
  private static func blockCount(_ channels: Int) -> Int {
    (channels + MatrixProduct.tileRows - 1) / MatrixProduct.tileRows
  }

  /// Of the lower half of a symmetric matrix.
  public static func productCount(_ channels: Int) -> Int { channels * (channels + 1) / 2 }

  public static func byteCount(_ channels: Int) -> Int {
    ScratchBuffer.roundedByteCount(channels * 4)
      + ScratchBuffer.roundedByteCount(productCount(channels) * 4)
      + ScratchBuffer.roundedByteCount(channels * 8)
  }

  /// s_i · 2^``sumBits`` · Σ x_i, rounded.
  public var sums: UnsafeBufferPointer<Int64> {
    UnsafeBufferPointer(
      start: columnSums.bytes.assumingMemoryBound(to: Int64.self), count: channels)
  }

  /// s_i s_j Σ x_i x_j for j ≤ i, row by row.
  public var products: UnsafeBufferPointer<Int32> {
    UnsafeBufferPointer(
      start: triangle.bytes.assumingMemoryBound(to: Int32.self),
      count: SecondMomentSums.productCount(channels))
  }

  /// Adds a matrix's rows. For several matrices at once, each with scratch of its own.
  ///
  /// - Parameters:
  ///   - x: operand tiles, [16 · panels, channels].
  ///   - rowCounts: of each panel's rows, how many count, from the first.
  public func add(
    _ x: RowTiles, rowCounts: [UInt8], team: ThreadTeam, scratch: SecondMomentScratch
  ) {
    precondition(x.channels == channels, "one scale per channel")
    let operands = scratch.operands(of: x, panels: rowCounts.count)
    transpose(x, rowCounts, operands, team)
    let width = MatrixProduct.tileOutputs
    let blocks = (0..<SecondMomentSums.blockCount(channels)).flatMap { block in
      let last = min((block + 1) * MatrixProduct.tileRows, channels)
      return stride(from: 0, to: last, by: width).map { (block: block, first: $0, last: last) }
    }
    team.run(.observers, taskCount: blocks.count) { task, thread in
      let (block, first, last) = blocks[task]
      let rows = block * MatrixProduct.tileRows..<last
      let outputs = first..<min(first + width, last)
      let y = scratch.outputs[thread].floats()
      operands.multiply(rows: rows, outputs: outputs, to: y, stride: SecondMomentScratch.rowStride)
      locks[block].lock()
      for row in rows where row >= outputs.lowerBound {
        let count = min(row + 1, outputs.upperBound) - outputs.lowerBound
        flap_add_fixed_point(
          y + (row - rows.lowerBound) * SecondMomentScratch.rowStride, count,
          scales.floats()[row], scales.floats(at: outputs.lowerBound),
          triangle.bytes.assumingMemoryBound(to: Int32.self)
            + SecondMomentSums.productCount(row) + outputs.lowerBound)
      }
      locks[block].unlock()
    }
  }

  private func transpose(
    _ x: RowTiles, _ rowCounts: [UInt8], _ operands: TransposedOperands, _ team: ThreadTeam
  ) {
    team.run(.observers, taskCount: Tile.count(ofRows: channels)) { group, _ in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: Tile.side) { sums in
        sums.initialize(repeating: 0)
        rowCounts.withUnsafeBufferPointer { rowCounts in
          flap_pack_transposed(
            x.compute.format, x.bytes, x.tilesPerPanel, rowCounts.count, rowCounts.baseAddress,
            group * Tile.side, operands.rows.tile(row: group * Tile.side),
            operands.columns.group(group), sums.baseAddress)
        }
        let first = group * Tile.side
        locks[0].lock()
        let totals = columnSums.bytes.assumingMemoryBound(to: Int64.self)
        for channel in first..<min(first + Tile.side, channels) {
          let scaled =
            sums[channel - first] * Double(scales.floats()[channel])
            * Double(1 << SecondMomentSums.sumBits)
          // No integer: an activation was not finite, for which whoever looks for such ends the pass.
          totals[channel] &+= Int64(exactly: scaled.rounded(.toNearestOrEven)) ?? 0
        }
        locks[0].unlock()
      }
    }
  }
}

/// What adding one matrix takes: xᵀ as both operands, and an output tile for each thread.
public struct SecondMomentScratch {
  private let rowTiles: ScratchBuffer
  private let columnTiles: ScratchBuffer
  fileprivate let outputs: [ScratchBuffer]

  fileprivate static let rowStride = MatrixProduct.tileOutputs + 16
  private static let outputByteCount = MatrixProduct.tileRows * rowStride * 4

  /// - Parameters:
  ///   - rows: of x, at most.
  ///   - channels: of x, at most.
  public init(
    _ compute: ComputeType, rows: Int, channels: Int, threadCount: Int
  ) throws(OutOfMemory) {
    let byteCount = RowTiles.byteCount(compute, rows: channels, channels: rows)
    rowTiles = try ScratchBuffer(byteCount: byteCount)
    columnTiles = try ScratchBuffer(byteCount: byteCount)
    outputs = try (0..<threadCount).map { _ throws(OutOfMemory) in
      try ScratchBuffer(byteCount: SecondMomentScratch.outputByteCount)
    }
  }

  public static func byteCount(
    _ compute: ComputeType, rows: Int, channels: Int, threadCount: Int
  ) -> Int {
    let operand = RowTiles.byteCount(compute, rows: channels, channels: rows)
    return 2 * ScratchBuffer.roundedByteCount(operand)
      + threadCount * ScratchBuffer.roundedByteCount(outputByteCount)
  }

  fileprivate func operands(of x: RowTiles, panels: Int) -> TransposedOperands {
    let rows = panels * Tile.side
    precondition(
      RowTiles.byteCount(x.compute, rows: x.channels, channels: rows) <= rowTiles.byteCount,
      "scratch was allocated for smaller matrices")
    return TransposedOperands(
      rows: RowTiles(x.compute, channels: rows, at: rowTiles.bytes),
      columns: ColumnTiles(
        x.compute, outputs: x.channels, channels: rows, at: columnTiles.bytes))
  }
}

/// xᵀ, [channels of x, rows of x], as left and as right operand.
private struct TransposedOperands {
  let rows: RowTiles
  let columns: ColumnTiles

  func multiply(
    rows range: Range<Int>, outputs: Range<Int>, to y: UnsafeMutablePointer<Float>, stride: Int
  ) {
    flap_multiply(
      flap_product(
        format: rows.compute.format, x: rows.tile(row: range.lowerBound),
        panel_stride: rows.tilesPerPanel, panels: Tile.count(ofRows: range.count),
        w: columns.group(outputs.lowerBound / Tile.side), group_stride: columns.tilesPerGroup,
        groups: Tile.count(ofRows: outputs.count), inner_tiles: rows.tilesPerPanel, y: y,
        y_stride: stride, accumulate: false))
  }
}
