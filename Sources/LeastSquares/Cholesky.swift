internal import Kernels

/// A = L·Lᵀ of a symmetric, positive definite matrix, in f64 and in place.
///
/// Blocks of `side` columns, right-looking: a block's diagonal is factored by one thread, the
/// rows below it and what remains are products on all threads. Every element sums in ascending
/// order, so the bits are the same for any number of threads. n³/3 multiplications and additions
/// for the factor, n³ for the inverse; memory besides the matrix: 8 · n · `side` bytes.
public struct Cholesky {
  /// Columns of a block.
  static let side = 128

  /// L in the lower triangle [n, n]; what is above is not used.
  let factor: Matrix
  /// L⁻¹ of every diagonal block, [n, side]: below each other, zeros above the diagonals.
  private let inverses: Matrix
  private let algebra: AlgebraTeam

  public static func byteCount(_ n: Int) -> Int {
    Matrix.byteCount(rows: n, columns: n) + Matrix.byteCount(rows: n, columns: min(side, n))
  }

  /// Factors a matrix in place; it is lost. Only its lower triangle is read.
  ///
  /// - Throws: ``LeastSquaresError/notPositiveDefinite(pivot:)`` where a pivot is not above
  ///   n · 2⁻⁵² of its diagonal element: what remains then is rounding.
  public init(factoring matrix: Matrix, on algebra: AlgebraTeam) throws(LeastSquaresError) {
    precondition(matrix.rows == matrix.columns, "The matrix is square.")
    let n = matrix.rows
    factor = matrix
    inverses = Matrix(rows: n, columns: min(Cholesky.side, n))
    self.algebra = algebra
    let least = (0..<n).map { Double(n) * 0x1p-52 * matrix[$0, $0] }
    let a = matrix.block
    for block in blocks {
      let row = least.withUnsafeBufferPointer {
        DoubleProduct.factor(a[block, block], least: $0.baseAddress! + block.lowerBound)
      }
      if let row { throw .notPositiveDefinite(pivot: block.lowerBound + row) }
      DoubleProduct.invert(lower: a[block, block], to: inverse(block))
      let below = block.upperBound..<n
      algebra.ranges(of: below.count, by: algebra.rowsPerTask(below.count)) { range, thread in
        let part = a[
          below.lowerBound + range.lowerBound..<below.lowerBound + range.upperBound, block]
        algebra.multiply(part, inverse(block).transposed, .set, to: part, thread: thread)
      }
      let panel = a[below, block]
      algebra.multiply(panel, panel.transposed, .subtract, to: a[below, below], isLower: true)
    }
  }

  private var blocks: [Range<Int>] {
    stride(from: 0, to: factor.rows, by: Cholesky.side).map {
      $0..<min($0 + Cholesky.side, factor.rows)
    }
  }

  private func inverse(_ block: Range<Int>) -> DoubleBlock {
    inverses.block[block, 0..<block.count]
  }

  /// Every row x of [m, n] becomes L⁻¹·x.
  func solveLower(rows x: Matrix) { solve(x, forward: true, backward: false) }

  /// Every row x of [m, n] becomes A⁻¹·x.
  public func solve(rows x: Matrix) { solve(x, forward: true, backward: true) }

  private func solve(_ x: Matrix, forward: Bool, backward: Bool) {
    precondition(x.columns == factor.rows, "One column per row of the matrix.")
    let l = factor.block
    let n = factor.rows
    algebra.ranges(of: x.rows, by: algebra.rowsPerTask(x.rows)) { range, thread in
      let x = x.block[range, 0..<n]
      let all = 0..<range.count
      for block in forward ? blocks : [] {
        let part = x[all, block]
        algebra.multiply(part, inverse(block).transposed, .set, to: part, thread: thread)
        let after = block.upperBound..<n
        algebra.multiply(
          part, l[after, block].transposed, .subtract, to: x[all, after], thread: thread)
      }
      for block in backward ? blocks.reversed() : [] {
        let part = x[all, block]
        algebra.multiply(part, inverse(block), .set, to: part, thread: thread)
        let before = 0..<block.lowerBound
        algebra.multiply(part, l[block, before], .subtract, to: x[all, before], thread: thread)
      }
    }
  }

  /// A⁻¹ in place of L, in the lower triangle; what is above is not defined. The factor is lost.
  ///
  /// First L⁻¹, from the last block column to the first; then L⁻ᵀ·L⁻¹, from the first block row
  /// to the last. The diagonal blocks of L⁻¹ are there already.
  public consuming func invertLower() -> Matrix {
    let m = factor.block
    let n = factor.rows
    // Blocks do not keep their matrix.
    let column = Matrix(rows: n, columns: min(Cholesky.side, n))
    let panel = column.block
    for block in blocks.reversed() {
      let below = block.upperBound..<n
      let scaled = panel[below, 0..<block.count]
      algebra.multiply(m[below, block], inverse(block), .set, to: scaled)
      let rest = blocks.filter { $0.lowerBound >= block.upperBound }
      algebra.run(rest.count) { task, thread in
        // The last have the longest sums: they go first.
        let rows = rest[rest.count - 1 - task]
        let before = below.lowerBound..<rows.lowerBound
        let target = m[rows, block]
        algebra.multiply(
          m[rows, before], panel[before, 0..<block.count], .setNegative, to: target,
          thread: thread)
        algebra.multiply(
          inverse(rows), panel[rows, 0..<block.count], .subtract, to: target, thread: thread)
      }
    }
    let copy = Matrix(rows: min(Cholesky.side, n), columns: n)
    let row = copy.block
    for block in blocks {
      let upTo = 0..<block.upperBound
      // The block row of L⁻¹ is overwritten: a copy of it.
      for r in 0..<block.count {
        let to = row.values + r * n
        to.update(from: m.values + (block.lowerBound + r) * n, count: block.lowerBound)
        (to + block.lowerBound).update(
          from: inverse(block).values + r * inverses.columns, count: block.count)
      }
      let below = block.upperBound..<n
      algebra.ranges(of: upTo.count, by: algebra.columnsPerTask(upTo.count)) { columns, thread in
        let target = m[block, columns]
        algebra.multiply(
          inverse(block).transposed, row[0..<block.count, columns], .set, to: target,
          thread: thread)
        algebra.multiply(
          m[below, block].transposed, m[below, columns], .add, to: target, thread: thread)
      }
    }
    return withExtendedLifetime((column, copy)) { factor }
  }
}
