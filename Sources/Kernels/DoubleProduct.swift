internal import CKernels

/// A block of an f64 matrix as products see it: any distances between rows and between columns.
public struct DoubleBlock {
  public let values: UnsafeMutablePointer<Double>
  public let rows: Int
  public let columns: Int
  /// f64 from row to row, from column to column; one of them is 1.
  public let rowStride: Int
  public let columnStride: Int

  /// - Parameter columnStride: 1 in a row-major matrix.
  public init(
    _ values: UnsafeMutablePointer<Double>, rows: Int, columns: Int, rowStride: Int,
    columnStride: Int = 1
  ) {
    self.values = values
    self.rows = rows
    self.columns = columns
    self.rowStride = rowStride
    self.columnStride = columnStride
  }

  /// The same numbers, rows and columns exchanged.
  public var transposed: DoubleBlock {
    DoubleBlock(
      values, rows: columns, columns: rows, rowStride: columnStride, columnStride: rowStride)
  }

  /// A part of the block.
  public subscript(rows: Range<Int>, columns: Range<Int>) -> DoubleBlock {
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= self.rows && columns.lowerBound >= 0
        && columns.upperBound <= self.columns, "A part lies in its block.")
    return DoubleBlock(
      values + rows.lowerBound * rowStride + columns.lowerBound * columnStride, rows: rows.count,
      columns: columns.count, rowStride: rowStride, columnStride: columnStride)
  }
}

/// Products of f64 matrices by the calling thread, and the small factorizations that a blocked one
/// is made of.
///
/// Each sum runs over the inner dimension in ascending order, so bits do not depend on how a product
/// is cut into calls. They depend on whether the CPU fuses products and sums
/// (``KernelFingerprint``).
public enum DoubleProduct {
  /// What becomes of the target c, given the product.
  public enum Update: Sendable {
    /// c = a · b
    case set
    /// c = −a · b
    case setNegative
    /// c += a · b
    case add
    /// c −= a · b
    case subtract
  }

  /// Rows and columns of c that one call does best with.
  public static let tileSide = 512
  /// Columns of c, and of a, up to which c may be a itself.
  public static let inPlaceColumns = Int(FLAP_DOUBLE_DEPTH)
  /// Bytes of scratch that every thread needs.
  public static let scratchByteCount = ScratchBuffer.roundedByteCount(flap_double_scratch())

  /// c = ±a · b or c ±= a · b.
  ///
  /// - Parameters:
  ///   - a: [rows, inner].
  ///   - b: [inner, columns].
  ///   - c: [rows, columns], row-major.
  ///   - isLower: whether only columns ≤ row of c are wanted; others may be written or left.
  ///   - scratch: ``scratchByteCount`` bytes of the calling thread.
  public static func run(
    _ a: DoubleBlock, _ b: DoubleBlock, _ update: Update, to c: DoubleBlock,
    isLower: Bool = false, scratch: ScratchBuffer
  ) {
    withProduct(a, b, update, c, isLower) { flap_double_multiply($0, scratch.bytes) }
  }

  /// The versions that this CPU has, best first.
  package static var engines: [String] {
    (0...).lazy.map { flap_double_engine_at($0) }.prefix { $0 != nil }.map { String(cString: $0!) }
  }

  /// ``run(_:_:_:to:isLower:scratch:)`` on one of ``engines``.
  package static func run(
    engine: Int, _ a: DoubleBlock, _ b: DoubleBlock, _ update: Update, to c: DoubleBlock,
    isLower: Bool = false, scratch: ScratchBuffer
  ) {
    withProduct(a, b, update, c, isLower) { flap_double_multiply_at(engine, $0, scratch.bytes) }
  }

  private static func withProduct(
    _ a: DoubleBlock, _ b: DoubleBlock, _ update: Update, _ c: DoubleBlock, _ isLower: Bool,
    _ body: (UnsafePointer<flap_double_product>) -> Void
  ) {
    precondition(
      a.rows == c.rows && b.columns == c.columns && a.columns == b.rows && c.columnStride == 1,
      "The operands fit, and c is row-major.")
    let product = flap_double_product(
      rows: c.rows, columns: c.columns, inner: a.columns, a: a.values, a_row: a.rowStride,
      a_inner: a.columnStride, b: b.values, b_column: b.columnStride, b_inner: b.rowStride,
      c: c.values, c_row: c.rowStride, accumulate: update == .add || update == .subtract,
      negate: update == .setNegative || update == .subtract, lower: isLower)
    withUnsafePointer(to: product, body)
  }

  /// A = L·Lᵀ of a small block, in its lower triangle; what is above stays as it is.
  ///
  /// - Parameter least: what each pivot has to exceed.
  /// - Returns: the first row whose pivot does not; nil where all do.
  public static func factor(_ a: DoubleBlock, least: UnsafePointer<Double>) -> Int? {
    precondition(a.rows == a.columns && a.rows <= inPlaceColumns && a.columnStride == 1)
    let row = flap_double_factor(a.values, a.rowStride, a.rows, least)
    return row < a.rows ? row : nil
  }

  /// to = L⁻¹ of a small lower triangle, zeros above the diagonal.
  public static func invert(lower l: DoubleBlock, to: DoubleBlock) {
    precondition(l.rows == l.columns && to.rows == l.rows && to.columns == l.columns)
    precondition(l.columnStride == 1 && to.columnStride == 1)
    flap_double_invert_lower(l.values, l.rowStride, l.rows, to.values, to.rowStride)
  }
}
