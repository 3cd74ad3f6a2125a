import FlapCore
import Foundation
import Kernels
import Testing

/// Kernels over blocks, strides wider than the blocks, against plain formulas.
struct BlockKernelTests {
  static let widths = [1, 15, 16, 17, 64, 75, 130, 300]

  @Test(
    "a panel of norms holds the norms of its rows, rounded, and zeros beyond", arguments: widths,
    [1, 5, 16])
  func normPanel(channels: Int, rows: Int) {
    let stride = channels + 3
    let x = numbers(rows * stride, seed: 11)
    let weight = numbers(channels, seed: 12)
    for compute in [ComputeType.float32, .bfloat16] {
      let width = compute == .bfloat16 ? 32 : 16
      let tiles = (channels + width - 1) / width
      var panel = [UInt8](repeating: 0xFF, count: tiles * 1024 + 64)
      panel.withUnsafeMutableBytes {
        Elementwise.rmsNormPanel(
          x, stride: stride, rows: rows, weight: weight, epsilon: 1e-5, channels: channels,
          compute, to: $0.baseAddress!)
      }
      #expect(panel.suffix(64).allSatisfy { $0 == 0xFF }, "nothing is written beyond the panel")
      for row in 0..<16 {
        let values = x[row < rows ? row * stride..<row * stride + channels : 0..<0].map(Double.init)
        let mean = values.reduce(0) { $0 + $1 * $1 } / Double(channels)
        var norm = zip(values, weight).map { $0 * Double($1) / (mean + 1e-5).squareRoot() }
        norm += Array(repeating: 0, count: tiles * width - norm.count)
        for channel in norm.indices {
          let at = channel / width * 1024 + row * 64 + channel % width * (64 / width)
          let value = panel.withUnsafeBytes { bytes in
            compute == .float32
              ? bytes.loadUnaligned(fromByteOffset: at, as: Float.self)
              : Float(
                bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self)) << 16)
          }
          // A reciprocal root and two products, each rounded once in f32; then 8 bits in bf16.
          let tolerance = compute == .float32 ? 1e-6 : 0x1p-8
          #expect(abs(Double(value) - norm[channel]) <= tolerance * abs(norm[channel]))
        }
      }
    }
  }

  @Test(
    "rotation of a block: bias first, positions begin anew with every sample",
    arguments: [2, 10, 64, 80, 128], [true, false])
  func rope(headDimension: Int, biased: Bool) {
    let (rows, heads, positions, first, half) = (9, 3, 4, 2, headDimension / 2)
    let width = heads * headDimension
    let stride = width + 5
    let angles = numbers(positions * half, seed: 13).map { $0 * 3 }
    let bias = numbers(width, seed: 14)
    let before = numbers(rows * stride, seed: 15)
    var x = before
    let (cosines, sines) = (angles.map { cos($0) }, angles.map { sin($0) })
    bias.withUnsafeBufferPointer { bias in
      Elementwise.rope(
        block: &x, stride: stride, rows: rows, heads: heads, headDimension: headDimension,
        bias: biased ? bias.baseAddress : nil, cosines: cosines, sines: sines,
        firstPosition: first, positions: positions)
    }
    var expected = before.map { Double($0) }
    for row in 0..<rows {
      for head in 0..<heads {
        for i in 0..<half {
          let column = head * headDimension + i
          let at = row * stride + column
          let angle = (first + row) % positions * half + i
          let real = expected[at] + (biased ? Double(bias[column]) : 0)
          let imaginary = expected[at + half] + (biased ? Double(bias[column + half]) : 0)
          expected[at] = real * Double(cosines[angle]) - imaginary * Double(sines[angle])
          expected[at + half] = imaginary * Double(cosines[angle]) + real * Double(sines[angle])
        }
      }
      #expect(
        x[row * stride + width..<(row + 1) * stride]
          == before[row * stride + width..<(row + 1) * stride])
    }
    // A sum and two products of numbers up to 2, each rounded once in f32.
    expectClose(x, expected, tolerance: 5e-7)
  }

  @Test("SwiGLU of a block", arguments: widths)
  func swiGLU(columns: Int) {
    let (rows, stride, upStride) = (3, columns + 2, columns + 7)
    let before = numbers(rows * stride, seed: 16).map { $0 * 30 }
    let up = numbers(rows * upStride, seed: 17)
    var gate = before
    Elementwise.swiGLU(
      gateBlock: &gate, gateStride: stride, up: up, upStride: upStride, rows: rows,
      columns: columns)
    for row in 0..<rows {
      for column in 0..<stride {
        let (x, y) = (Double(before[row * stride + column]), Double(gate[row * stride + column]))
        if column >= columns {
          #expect(x == y, "what lies beside the block is left alone")
        } else {
          let expected = x / (1 + exp(-x)) * Double(up[row * upStride + column])
          // exp within 2⁻²², then three operations.
          #expect(abs(y - expected) <= 0x1p-21 * abs(expected))
        }
      }
    }
  }

  @Test("sums of blocks, exact", arguments: widths)
  func add(columns: Int) {
    let (rows, stride, fromStride) = (3, columns + 2, columns + 1)
    let before = numbers(rows * stride, seed: 18)
    let from = numbers(rows * fromStride, seed: 19)
    let bias = numbers(columns, seed: 20)
    var (plain, biased, onlyBias) = (before, before, before)
    Elementwise.add(
      block: from, stride: fromStride, bias: nil, to: &plain, toStride: stride, rows: rows,
      columns: columns)
    Elementwise.add(
      block: from, stride: fromStride, bias: bias, to: &biased, toStride: stride, rows: rows,
      columns: columns)
    Elementwise.addBias(bias, toBlock: &onlyBias, stride: stride, rows: rows, columns: columns)
    for row in 0..<rows {
      for column in 0..<stride {
        let at = row * stride + column
        let inside = column < columns
        let y = inside ? from[row * fromStride + column] : 0
        #expect(plain[at] == before[at] + y)
        #expect(biased[at] == before[at] + (inside ? y + bias[column] : 0))
        #expect(onlyBias[at] == before[at] + (inside ? bias[column] : 0))
      }
    }
  }

  @Test("log Σ exp of rows that come in blocks of columns", arguments: [1, 16, 50, 256])
  func logSumExp(blockColumns: Int) {
    let (rows, columns) = (5, 300)
    // Maxima in any block, differences that matter, and one value that is not finite.
    var x = numbers(rows * columns, seed: 21).map { $0 * 60 - 500 }
    x[4 * columns + 170] = .nan
    var maxima = [Float](repeating: -.infinity, count: rows)
    var sums = [Double](repeating: 0, count: rows)
    for first in stride(from: 0, to: columns, by: blockColumns) {
      x.withUnsafeBufferPointer {
        Elementwise.addExponentials(
          block: $0.baseAddress! + first, stride: columns, rows: rows,
          columns: min(blockColumns, columns - first), maxima: &maxima, sums: &sums)
      }
    }
    for row in 0..<4 {
      let values = x[row * columns..<(row + 1) * columns].map { Double($0) }
      let top = values.max()!
      let expected = log(values.reduce(0) { $0 + exp($1 - top) }) + top
      // Every exponential is within 2⁻²²; differences to the maximum are exact enough in f32.
      #expect(abs(log(sums[row]) + Double(maxima[row]) - expected) < 2e-6)
    }
    #expect((log(sums[4]) + Double(maxima[4])).isNaN)
  }
}
