internal import Kernels

/// The variance of the outputs of a linear map.
extension Covariance {
  /// Columns of C that are in memory at once.
  private static let panelWidth = 256

  static func outputVarianceByteCount(channels: Int) -> Int {
    Matrix.byteCount(rows: channels, columns: min(channels, panelWidth))
  }

  /// diag(D·C·Dᵀ), [outputs]: half of the products, since C is symmetric.
  ///
  /// - Parameters:
  ///   - d: [outputs, channels.count].
  ///   - channels: ascending; of the columns of D.
  func outputVariance(_ d: Matrix, of channels: [Int], on algebra: AlgebraTeam) -> [Double] {
    let n = channels.count
    let sums = Matrix(rows: d.rows, columns: 1)
    let panel = Matrix(rows: n, columns: min(Covariance.panelWidth, n))
    for first in stride(from: 0, to: n, by: Covariance.panelWidth) {
      let columns = first..<min(first + Covariance.panelWidth, n)
      let c = panel.block[0..<n - first, 0..<columns.count]
      gather(channels[first...], channels[columns], to: c, on: algebra)
      // What is below the diagonal block stands for what is above it, too.
      algebra.ranges(of: n - columns.upperBound, by: 256) { range, _ in
        for row in range {
          let values = c.values + (columns.count + row) * c.rowStride
          for column in 0..<columns.count { values[column] *= 2 }
        }
      }
      algebra.ranges(of: d.rows, by: algebra.rowsPerTask(d.rows)) { rows, thread in
        withUnsafeTemporaryAllocation(of: Double.self, capacity: rows.count * columns.count) {
          let products = DoubleBlock(
            $0.baseAddress!, rows: rows.count, columns: columns.count, rowStride: columns.count)
          algebra.multiply(d.block[rows, first..<n], c, .set, to: products, thread: thread)
          for row in 0..<rows.count {
            sums.values[rows.lowerBound + row] += dot(
              products.values + row * columns.count, d.row(rows.lowerBound + row) + first,
              count: columns.count)
          }
        }
      }
    }
    return (0..<d.rows).map { sums.values[$0] }
  }
}

/// Σ a·b in eight interleaved sums, added up at the end.
func dot(
  _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, count: Int
) -> Double {
  var lanes = SIMD8<Double>()
  let whole = count - count % 8
  for first in stride(from: 0, to: whole, by: 8) {
    lanes +=
      UnsafeRawPointer(a + first).loadUnaligned(as: SIMD8<Double>.self)
      * UnsafeRawPointer(b + first).loadUnaligned(as: SIMD8<Double>.self)
  }
  var sum = lanes.sum()
  for index in whole..<count { sum += a[index] * b[index] }
  return sum
}
