import FlapCore
import Foundation
import Kernels
import Testing

/// What a Kullback-Leibler divergence is made of, against its formula in f64.
struct GapTests {
  static let columnCounts = [1, 15, 16, 17, 33, 300]

  /// Rows of two models' logits, wider than what is taken of them; what lies beside is no number.
  private struct Rows {
    let count = 4
    let columns: Int
    let (yStride, xStride): (Int, Int)
    let y: [Float]
    let x: [Float]

    init(columns: Int) {
      self.columns = columns
      (yStride, xStride) = (columns + 3, columns + 11)
      // Maxima anywhere, far from zero; gaps of some nats, none in the last row.
      let base = numbers(count * columns, seed: 31).map { $0 * 60 - 500 }
      let change = numbers(count * columns, seed: 32).map { $0 * 4 }
      var y = [Float](repeating: .nan, count: count * yStride)
      var x = [Float](repeating: .nan, count: count * xStride)
      for row in 0..<count {
        for column in 0..<columns {
          let value = base[row * columns + column]
          y[row * yStride + column] = value
          let isLast = row == count - 1
          x[row * xStride + column] = isLast ? value : value + change[row * columns + column]
        }
      }
      (self.y, self.x) = (y, x)
    }

    func logits(_ row: Int) -> [(y: Double, x: Double)] {
      (0..<columns).map { (Double(y[row * yStride + $0]), Double(x[row * xStride + $0])) }
    }
  }

  /// What the kernel gathers of every row.
  private struct Sums: Equatable {
    var maxima: [Float]
    var sums: [Double]
    var gaps: [Double]

    init(_ count: Int) {
      maxima = Array(repeating: -.infinity, count: count)
      sums = Array(repeating: 0, count: count)
      gaps = sums
    }

    func divergence(_ row: Int, from other: Sums) -> Double {
      gaps[row] / sums[row] - log(sums[row]) - Double(maxima[row]) + log(other.sums[row])
        + Double(other.maxima[row])
    }
  }

  private func gather(_ rows: Rows, blockColumns: Int) -> (dense: Sums, own: Sums) {
    var (dense, own) = (Sums(rows.count), Sums(rows.count))
    for first in stride(from: 0, to: rows.columns, by: blockColumns) {
      let columns = min(blockColumns, rows.columns - first)
      rows.y.withUnsafeBufferPointer { y in
        rows.x.withUnsafeBufferPointer { x in
          Elementwise.addGaps(
            from: y.baseAddress! + first, fromStride: rows.yStride, to: x.baseAddress! + first,
            stride: rows.xStride, rows: rows.count, columns: columns, maxima: &dense.maxima,
            sums: &dense.sums, gaps: &dense.gaps)
          Elementwise.addExponentials(
            block: x.baseAddress! + first, stride: rows.xStride, rows: rows.count,
            columns: columns, maxima: &own.maxima, sums: &own.sums)
        }
      }
    }
    return (dense, own)
  }

  @Test(
    "the divergence of rows that come in blocks of columns", arguments: columnCounts,
    [1, 16, 17, 50, 256])
  func divergence(columns: Int, blockColumns: Int) {
    let rows = Rows(columns: columns)
    let (dense, own) = gather(rows, blockColumns: blockColumns)
    for row in 0..<rows.count {
      let logits = rows.logits(row)
      let top = logits.map(\.y).max()!
      let weights = logits.map { exp($0.y - top) }
      let sum = weights.reduce(0, +)
      func mean(_ value: ((y: Double, x: Double)) -> Double) -> Double {
        zip(weights, logits).reduce(0) { $0 + $1.0 * value($1.1) } / sum
      }
      #expect(dense.maxima[row] == Float(top))
      // Every exponential is within 2⁻²², above and below the line; a difference and a product
      // are rounded to 2⁻²⁴ each.
      let tolerance = 0x1p-20 * mean { abs($0.y - $0.x) }
      let gap = mean { $0.y - $0.x }
      #expect(abs(dense.gaps[row] / dense.sums[row] - gap) <= tolerance)
      let ownTop = logits.map(\.x).max()!
      let ownSum = logits.reduce(0) { $0 + exp($1.x - ownTop) }
      let expected = gap - log(sum) - top + log(ownSum) + ownTop
      // Both logarithms as those of every sum of exponentials.
      #expect(abs(dense.divergence(row, from: own) - expected) <= tolerance + 4e-6)
    }
  }

  @Test("a model is no distance from itself, and its sums are those of its loss, bit for bit")
  func same() {
    let rows = Rows(columns: 300)
    for blockColumns in [1, 50, 256] {
      let (dense, own) = gather(rows, blockColumns: blockColumns)
      let last = rows.count - 1
      #expect(dense.gaps[last] == 0)
      #expect(dense.sums[last] == own.sums[last] && dense.maxima[last] == own.maxima[last])
      #expect(dense.divergence(last, from: own) == 0)
    }
  }

  @Test("what is far below the maximum counts for nothing, also before the maximum has come")
  func faint() {
    // The first block's sums are worth e⁻³⁰⁰ of what they were when the second comes.
    let y: [Float] = Array(repeating: -300, count: 20) + [0, -1]
    let x: [Float] = Array(repeating: 1e30, count: 20) + [0.5, -1]
    var sums = Sums(1)
    for columns in [0..<20, 20..<22] {
      Elementwise.addGaps(
        from: Array(y[columns]), fromStride: 22, to: Array(x[columns]), stride: 22, rows: 1,
        columns: columns.count, maxima: &sums.maxima, sums: &sums.sums, gaps: &sums.gaps)
    }
    #expect(sums.maxima == [0])
    let expected = 1 + exp(-1.0)
    #expect(abs(sums.sums[0] - expected) <= 0x1p-22 * expected)
    #expect(abs(sums.gaps[0] + 0.5) <= 0x1p-21)
  }

  @Test("a logit that is no number shows in its row and in no other", arguments: [true, false])
  func notFinite(isDense: Bool) {
    let (columns, bad) = (40, 21)
    var y = numbers(3 * columns, seed: 33)
    var x = numbers(3 * columns, seed: 34)
    if isDense { y[columns + bad] = .nan } else { x[columns + bad] = .nan }
    var sums = Sums(3)
    Elementwise.addGaps(
      from: y, fromStride: columns, to: x, stride: columns, rows: 3, columns: columns,
      maxima: &sums.maxima, sums: &sums.sums, gaps: &sums.gaps)
    #expect(sums.gaps.map(\.isNaN) == [false, true, false])
  }
}
