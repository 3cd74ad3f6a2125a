import FlapTestKit
import Kernels
import LeastSquares

extension Matrix {
  convenience init(rows: Int, columns: Int, _ numbers: [Double]) {
    precondition(numbers.count == rows * columns)
    self.init(rows: rows, columns: columns)
    for (index, number) in numbers.enumerated() { values[index] = number }
  }

  var numbers: [Double] { Array(UnsafeBufferPointer(start: values, count: rows * columns)) }
  var bits: [UInt64] { numbers.map(\.bitPattern) }

  func copy() -> Matrix { Matrix(rows: rows, columns: columns, numbers) }

  /// The lower triangle, mirrored.
  func mirrored() -> Matrix {
    let matrix = copy()
    for row in 0..<rows {
      for column in 0..<row { matrix[column, row] = matrix[row, column] }
    }
    return matrix
  }

  /// a · bᵀ
  static func product(_ a: Matrix, transposed b: Matrix) -> Matrix {
    let c = Matrix(rows: a.rows, columns: b.rows)
    for i in 0..<a.rows {
      for j in 0..<b.rows {
        var sum = 0.0
        for k in 0..<a.columns { sum += a.values[i * a.columns + k] * b.values[j * b.columns + k] }
        c[i, j] = sum
      }
    }
    return c
  }

  static func random(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
    var generator = SeededGenerator(seed: seed)
    return Matrix(
      rows: rows, columns: columns,
      (0..<rows * columns).map { _ in Double.random(in: -1...1, using: &generator) })
  }

  /// Σ vᵀv of a few random vectors and a diagonal: positive definite, condition about 100.
  static func definite(_ n: Int, seed: UInt64 = 1) -> Matrix {
    let v = random(n, n / 2 + 1, seed: seed)
    let matrix = product(v, transposed: v)
    for i in 0..<n { matrix[i, i] += Double(n) / 100 + 0.1 }
    return matrix
  }
}

/// The largest difference of two lists.
func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
  precondition(a.count == b.count)
  return zip(a, b).map { abs($0 - $1) }.max() ?? 0
}

func largest(_ a: [Double]) -> Double { a.map { abs($0) }.max() ?? 0 }

func algebra(_ threads: Int = 2) -> AlgebraTeam {
  do { return try AlgebraTeam(ThreadTeam(threadCount: threads)) } catch { fatalError("\(error)") }
}

/// A weight whose numbers are kept alive by it.
func weightRows(_ outputs: Int, _ channels: Int, seed: UInt64) -> WeightRows {
  let numbers = Matrix.random(outputs, channels, seed: seed).numbers.map { Float($0) }
  return WeightRows(outputCount: outputs, channelCount: channels) { row, to in
    for channel in 0..<channels { to[channel] = numbers[row * channels + channel] }
  }
}
