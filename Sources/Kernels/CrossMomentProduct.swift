internal import CKernels
internal import FlapCore

/// Sums of products of the channels of two matrices, Σ y_i x_j over rows, and Σ y_i, in fixed point of
/// 64 bits: as ``SecondMomentSums``, for a y of which nothing is known beforehand.
///
/// 64 bits have room for y of any size that a model has: with √(Σ x²)·s ≤ 2^15 a sum stays below 2^63
/// as long as √(Σ y²) is below 2^24, and it resolves 2^−39 of √(Σ x²).
public final class CrossMomentSums: @unchecked Sendable {
  // Unchecked: rows of the matrix are only touched with the lock of their block held, sums with that
  // of the first.

  public let outputs: Int
  public private(set) var channels = 0
  /// s_j of x.
  private let scales: ScratchBuffer
  private let matrix: ScratchBuffer
  private let rowSums: ScratchBuffer
  private let locks: [Condition]

  /// Bits that y is scaled by.
  public static let targetBits = 24

  /// - Parameters:
  ///   - outputs: channels of y.
  ///   - channels: of x, at most.
  /// - Throws: ``OutOfMemory``.
  public init(outputs: Int, largestChannelCount channels: Int) throws(OutOfMemory) {
    self.outputs = outputs
    scales = try ScratchBuffer(byteCount: channels * 4)
    matrix = try ScratchBuffer(byteCount: outputs * channels * 8)
    rowSums = try ScratchBuffer(byteCount: outputs * 8)
    locks = (0..<(outputs + MatrixProduct.tileRows - 1) / MatrixProduct.tileRows).map { _ in
      Condition()
    }
  }

  public static func byteCount(outputs: Int, channels: Int) -> Int {
    ScratchBuffer.roundedByteCount(outputs * channels * 8)
      + ScratchBuffer.roundedByteCount(channels * 4) + ScratchBuffer.roundedByteCount(outputs * 8)
  }

  /// Begins with zeros; while nobody adds.
  ///
  /// - Parameter exponents: of s_j to the base 2.
  public func reset(exponents: [Int8]) {
    channels = exponents.count
    precondition(outputs * channels * 8 <= matrix.byteCount)
    for (channel, exponent) in exponents.enumerated() {
      scales.floats()[channel] = Float(sign: .plus, exponent: Int(exponent), significand: 1)
    }
    matrix.bytes.initializeMemory(as: UInt8.self, repeating: 0, count: outputs * channels * 8)
    rowSums.bytes.initializeMemory(as: UInt8.self, repeating: 0, count: outputs * 8)
  }

  /// 2^``targetBits`` · Σ y_i, rounded matrix by matrix.
  public var sums: UnsafeBufferPointer<Int64> {
    UnsafeBufferPointer(start: rowSums.bytes.assumingMemoryBound(to: Int64.self), count: outputs)
  }

  /// 2^``targetBits`` · s_j · Σ y_i x_j, [outputs, channels].
  public var products: UnsafeBufferPointer<Int64> {
    UnsafeBufferPointer(
      start: matrix.bytes.assumingMemoryBound(to: Int64.self), count: outputs * channels)
  }

  /// Adds the rows of two matrices.
  ///
  /// - Parameters:
  ///   - y: operand tiles, [16 · panels, outputs].
  ///   - x: whose rows were the last that its scratch was used for.
  ///   - rowCounts: of each panel's rows, how many count, from the first.
  public func add(
    _ y: RowTiles, scratch: SecondMomentScratch, by x: RowTiles,
    scratch xScratch: SecondMomentScratch,
    rowCounts: [UInt8], team: ThreadTeam
  ) {
    precondition(x.channels == channels && y.channels == outputs)
    let factor = Double(1 << CrossMomentSums.targetBits)
    let left = scratch.transpose(y, rowCounts, team) { output, sum in
      locks[0].lock()
      defer { locks[0].unlock() }
      rowSums.bytes.assumingMemoryBound(to: Int64.self)[output] &+= Int64(fixedPoint: sum * factor)
    }.rows
    let right = xScratch.operands(channels: channels, x.compute, panels: rowCounts.count).columns
    let width = MatrixProduct.tileOutputs
    let blocks = locks.indices.flatMap { block in
      stride(from: 0, to: channels, by: width).map { (block: block, first: $0) }
    }
    team.run(.observers, taskCount: blocks.count) { task, thread in
      let (block, first) = blocks[task]
      let rows =
        block * MatrixProduct.tileRows..<min((block + 1) * MatrixProduct.tileRows, outputs)
      let columns = first..<min(first + width, channels)
      let products = xScratch.outputs[thread].floats()
      left.multiply(
        right, rows: rows, outputs: columns, to: products, stride: SecondMomentScratch.rowStride)
      locks[block].lock()
      for row in rows {
        flap_add_wide_fixed_point(
          products + (row - rows.lowerBound) * SecondMomentScratch.rowStride, columns.count, factor,
          scales.floats(at: first),
          matrix.bytes.assumingMemoryBound(to: Int64.self) + row * channels + first)
      }
      locks[block].unlock()
    }
  }
}
