internal import Kernels

/// f64 [rows, columns], row-major without gaps. A class, since matrices are large: what refers to
/// one shares its numbers. Memory that is not there ends the program, as that of arrays does.
public final class Matrix {
  public let rows: Int
  public let columns: Int
  public let values: UnsafeMutablePointer<Double>

  /// Zeros.
  public init(rows: Int, columns: Int) {
    precondition(rows >= 0 && columns >= 0)
    self.rows = rows
    self.columns = columns
    values = UnsafeMutableRawPointer.allocate(
      byteCount: max(rows * columns, 1) * MemoryLayout<Double>.size, alignment: 64
    ).assumingMemoryBound(to: Double.self)
    values.initialize(repeating: 0, count: rows * columns)
  }

  deinit { UnsafeMutableRawPointer(values).deallocate() }

  /// What a matrix takes.
  public static func byteCount(rows: Int, columns: Int) -> Int { rows * columns * 8 }

  public subscript(row: Int, column: Int) -> Double {
    get {
      precondition((0..<rows).contains(row) && (0..<columns).contains(column))
      return values[row * columns + column]
    }
    set {
      precondition((0..<rows).contains(row) && (0..<columns).contains(column))
      values[row * columns + column] = newValue
    }
  }

  /// The first of a row's numbers.
  func row(_ row: Int) -> UnsafeMutablePointer<Double> { values + row * columns }

  /// All of it, as products see it.
  var block: DoubleBlock {
    DoubleBlock(values, rows: rows, columns: columns, rowStride: columns)
  }

  /// Numbers of one matrix, rows of it.
  func copy(rows range: Range<Int>) -> Matrix {
    let copy = Matrix(rows: range.count, columns: columns)
    copy.values.update(from: row(range.lowerBound), count: range.count * columns)
    return copy
  }
}
