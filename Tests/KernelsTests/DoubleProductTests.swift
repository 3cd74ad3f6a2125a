import FlapTestKit
import Kernels
import Testing

/// Products of f64 blocks against sums in the same order, on every engine that this CPU has.
struct DoubleProductTests {
  /// Rows, columns, inner: less than any register tile, ragged ones, more than a block of each.
  static let sizes = [
    (1, 1, 1), (5, 7, 3), (12, 16, 8), (13, 17, 300), (100, 30, 64), (97, 520, 10), (64, 40, 0),
  ]

  private static func scratch() -> ScratchBuffer {
    do { return try ScratchBuffer(byteCount: DoubleProduct.scratchByteCount) } catch {
      fatalError("\(error)")
    }
  }

  private static func numbers(_ count: Int, seed: UInt64) -> [Double] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Double.random(in: -1...1, using: &generator) }
  }

  @Test("every update, of operands as they are and transposed", arguments: sizes)
  func updates(rows: Int, columns: Int, inner: Int) {
    var (a, b) = (
      DoubleProductTests.numbers(rows * inner + 1, seed: 1),
      DoubleProductTests.numbers(inner * columns + 1, seed: 2)
    )
    let stride = columns + 3
    let before = DoubleProductTests.numbers(rows * stride, seed: 3)
    for (engine, name) in DoubleProduct.engines.enumerated() {
      for update in [DoubleProduct.Update.set, .setNegative, .add, .subtract] {
        for (aIsTransposed, bIsTransposed) in [(false, false), (true, false), (false, true)] {
          var c = before
          a.withUnsafeMutableBufferPointer { a in
            b.withUnsafeMutableBufferPointer { b in
              c.withUnsafeMutableBufferPointer { c in
                let left = DoubleProductTests.block(a.baseAddress!, rows, inner, aIsTransposed)
                let right = DoubleProductTests.block(b.baseAddress!, inner, columns, bIsTransposed)
                let target = DoubleBlock(
                  c.baseAddress!, rows: rows, columns: columns, rowStride: stride)
                DoubleProduct.run(
                  engine: engine, left, right, update, to: target,
                  scratch: DoubleProductTests.scratch())
              }
            }
          }
          var worst = 0.0
          for row in 0..<rows {
            for column in 0..<stride {
              var expected = before[row * stride + column]
              if column < columns {
                if update == .set || update == .setNegative { expected = 0 }
                let sign = update == .set || update == .add ? 1.0 : -1
                for k in 0..<inner {
                  expected +=
                    sign * a[aIsTransposed ? k * rows + row : row * inner + k]
                    * b[bIsTransposed ? column * inner + k : k * columns + column]
                }
              }
              worst = max(worst, abs(c[row * stride + column] - expected))
            }
          }
          // The same order; a fused sum rounds once where this one does twice.
          #expect(worst <= Double(inner) * 0x1p-50, "\(name) \(update)")
        }
      }
    }
  }

  private static func block(
    _ values: UnsafeMutablePointer<Double>, _ rows: Int, _ columns: Int, _ isTransposed: Bool
  ) -> DoubleBlock {
    isTransposed
      ? DoubleBlock(values, rows: columns, columns: rows, rowStride: rows).transposed
      : DoubleBlock(values, rows: rows, columns: columns, rowStride: columns)
  }

  @Test("bits do not depend on how a product is cut")
  func cuts() {
    let (rows, columns, inner) = (130, 600, 700)
    var (a, b) = (
      DoubleProductTests.numbers(rows * inner, seed: 4),
      DoubleProductTests.numbers(inner * columns, seed: 5)
    )
    var results: [[UInt64]] = []
    for cut in [(130, 600, 700), (7, 11, 700), (130, 600, 39), (64, 512, 256)] {
      for isLower in [false, true] {
        var c = [Double](repeating: 0.5, count: rows * columns)
        a.withUnsafeMutableBufferPointer { a in
          b.withUnsafeMutableBufferPointer { b in
            c.withUnsafeMutableBufferPointer { c in
              let left = DoubleProductTests.block(a.baseAddress!, rows, inner, false)
              let right = DoubleProductTests.block(b.baseAddress!, inner, columns, false)
              let target = DoubleProductTests.block(c.baseAddress!, rows, columns, false)
              for row in stride(from: 0, to: rows, by: cut.0) {
                for column in stride(from: 0, to: columns, by: cut.1) {
                  for k in stride(from: 0, to: inner, by: cut.2) {
                    let m = row..<min(row + cut.0, rows)
                    let n = column..<min(column + cut.1, columns)
                    let depth = k..<min(k + cut.2, inner)
                    DoubleProduct.run(
                      left[m, depth], right[depth, n], .subtract, to: target[m, n],
                      isLower: isLower && row == column, scratch: DoubleProductTests.scratch())
                  }
                }
              }
            }
          }
        }
        // The lower triangle is what every cut has.
        results.append(
          (0..<rows).flatMap { row in c[row * columns...row * columns + row].map(\.bitPattern) })
      }
    }
    for result in results { #expect(result == results[0]) }
  }

  @Test("in place of the left operand", arguments: [1, 16, 100, 128])
  func inPlace(columns: Int) {
    let rows = 210
    var b = DoubleProductTests.numbers(columns * columns, seed: 6)
    let stride = columns + 5
    var (a, c) = (
      DoubleProductTests.numbers(rows * stride, seed: 7),
      [Double](repeating: 9, count: rows * stride)
    )
    a.withUnsafeMutableBufferPointer { a in
      b.withUnsafeMutableBufferPointer { b in
        c.withUnsafeMutableBufferPointer { c in
          let left = DoubleBlock(a.baseAddress!, rows: rows, columns: columns, rowStride: stride)
          let right = DoubleProductTests.block(b.baseAddress!, columns, columns, false)
          let target = DoubleBlock(c.baseAddress!, rows: rows, columns: columns, rowStride: stride)
          DoubleProduct.run(left, right, .set, to: target, scratch: DoubleProductTests.scratch())
          DoubleProduct.run(left, right, .set, to: left, scratch: DoubleProductTests.scratch())
        }
      }
    }
    for row in 0..<rows {
      let range = row * stride..<row * stride + columns
      #expect(a[range] == c[range])
    }
  }
}
