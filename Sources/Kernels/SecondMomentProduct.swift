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
    let operands = scratch.transpose(x, rowCounts, team) { channel, sum in
      locks[0].lock()
      defer { locks[0].unlock() }
      let scaled = sum * Double(scales.floats()[channel]) * Double(1 << SecondMomentSums.sumBits)
      columnSums.bytes.assumingMemoryBound(to: Int64.self)[channel] &+= Int64(fixedPoint: scaled)
    }
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
      operands.rows.multiply(
        operands.columns, rows: rows, outputs: outputs, to: y,
        stride: SecondMomentScratch.rowStride)
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

  /// Of all channels Σ x², as far as it did not fit into its integer: such a sum is below 0.
  public var firstOverflow: Int? {
    (0..<channels).first { products[SecondMomentSums.productCount($0 + 1) - 1] < 0 }
  }
}

extension Int64 {
  /// Rounded to nearest even; 0 for what is no number of 64 bits: an activation was not finite, for
  /// which whoever looks for such ends the pass.
  init(fixedPoint value: Double) {
    self = Int64(exactly: value.rounded(.toNearestOrEven)) ?? 0
  }
}

/// What adding one matrix takes: xᵀ as both operands, and an output tile for each thread.
public struct SecondMomentScratch {
  private let rowTiles: ScratchBuffer
  private let columnTiles: ScratchBuffer
  let outputs: [ScratchBuffer]

  static let rowStride = MatrixProduct.tileOutputs + 16
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

  /// xᵀ as both operands, in this scratch.
  ///
  /// - Parameters:
  ///   - rowCounts: of each panel's rows, how many count, from the first.
  ///   - take: gets each channel's sum over the rows; from several threads at once.
  func transpose(
    _ x: RowTiles, _ rowCounts: [UInt8], _ team: ThreadTeam,
    _ take: (_ channel: Int, _ sum: Double) -> Void
  ) -> (rows: RowTiles, columns: ColumnTiles) {
    let operands = operands(channels: x.channels, x.compute, panels: rowCounts.count)
    team.run(.observers, taskCount: Tile.count(ofRows: x.channels)) { group, _ in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: Tile.side) { sums in
        sums.initialize(repeating: 0)
        rowCounts.withUnsafeBufferPointer { rowCounts in
          flap_pack_transposed(
            x.compute.format, x.bytes, x.tilesPerPanel, rowCounts.count, rowCounts.baseAddress,
            group * Tile.side, operands.rows.tile(row: group * Tile.side),
            operands.columns.group(group), sums.baseAddress)
        }
        let first = group * Tile.side
        for channel in first..<min(first + Tile.side, x.channels) {
          take(channel, sums[channel - first])
        }
      }
    }
    return operands
  }

  /// Where the operands of a matrix with so many rows lie.
  func operands(
    channels: Int, _ compute: ComputeType, panels: Int
  ) -> (rows: RowTiles, columns: ColumnTiles) {
    let rows = panels * Tile.side
    precondition(
      RowTiles.byteCount(compute, rows: channels, channels: rows) <= rowTiles.byteCount,
      "scratch was allocated for smaller matrices")
    return (
      RowTiles(compute, channels: rows, at: rowTiles.bytes),
      ColumnTiles(compute, outputs: channels, channels: rows, at: columnTiles.bytes)
    )
  }
}

extension RowTiles {
  /// Some rows times some outputs of a right operand, by as many channels: y [range, outputs].
  func multiply(
    _ columns: ColumnTiles, rows range: Range<Int>, outputs: Range<Int>,
    to y: UnsafeMutablePointer<Float>, stride: Int
  ) {
    flap_multiply(
      flap_product(
        format: compute.format, x: tile(row: range.lowerBound),
        panel_stride: tilesPerPanel, panels: Tile.count(ofRows: range.count),
        w: columns.group(outputs.lowerBound / Tile.side), group_stride: columns.tilesPerGroup,
        groups: Tile.count(ofRows: outputs.count), inner_tiles: tilesPerPanel, y: y,
        y_stride: stride, accumulate: false))
  }
}
