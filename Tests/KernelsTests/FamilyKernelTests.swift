import FlapCore
import Foundation
import Kernels
import Testing

/// What single families ask of the kernels, against plain formulas.
struct FamilyKernelTests {
  @Test("GELU by tanh, gated, of a block", arguments: BlockKernelTests.widths)
  func geGLU(columns: Int) {
    let (rows, stride, upStride) = (3, columns + 2, columns + 7)
    let before = numbers(rows * stride, seed: 21).map { $0 * 12 }
    let up = numbers(rows * upStride, seed: 22)
    var gate = before
    Elementwise.geGLU(
      gateBlock: &gate, gateStride: stride, up: up, upStride: upStride, rows: rows,
      columns: columns)
    for row in 0..<rows {
      for column in 0..<stride {
        let (x, y) = (Double(before[row * stride + column]), Double(gate[row * stride + column]))
        if column >= columns {
          #expect(x == y, "what lies beside the block is left alone")
        } else {
          let u = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
          let expected = 0.5 * x * (1 + tanh(u)) * Double(up[row * upStride + column])
          // Far below zero tanh has lost all digits, and exp has u's errors, 2⁻²³ · u.
          let tolerance = 0x1p-21 * abs(expected) + 0x1p-22 * abs(u) * abs(expected)
          #expect(abs(y - expected) <= tolerance + 1e-12)
        }
      }
    }
    var infinite: [Float] = [-1e6, -60, 60, 1e6]
    Elementwise.geGLU(
      gateBlock: &infinite, gateStride: 4, up: [1, 1, 1, 1], upStride: 4, rows: 1, columns: 4)
    // exp ends at exp(88.3), and nothing becomes infinite or no number.
    #expect(infinite.prefix(2).allSatisfy { abs($0) < 1e-30 } && infinite.suffix(2) == [60, 1e6])
  }

  @Test("a part of each head is turned as a head of that size, the rest stays")
  func partlyTurned() {
    let (rows, heads, d, turned, positions) = (5, 3, 20, 12, 7)
    let before = numbers(rows * heads * d, seed: 23)
    let angles = numbers(positions * turned / 2, seed: 24).map { $0 * 3 }
    let (cosines, sines) = (angles.map { cos($0) }, angles.map { sin($0) })
    var x = before
    Elementwise.rope(
      block: &x, stride: heads * d, rows: rows, heads: heads, headDimension: d,
      turnedDimension: turned, bias: nil, cosines: cosines, sines: sines, firstPosition: 1,
      positions: positions)
    for row in 0..<rows {
      for head in 0..<heads {
        let at = row * heads * d + head * d
        var alone = Array(before[at..<at + turned])
        Elementwise.rope(
          block: &alone, stride: turned, rows: 1, heads: 1, headDimension: turned, bias: nil,
          cosines: cosines, sines: sines, firstPosition: 1 + row, positions: positions)
        #expect(Array(x[at..<at + turned]) == alone)
        #expect(x[at + turned..<at + d] == before[at + turned..<at + d])
      }
    }
  }

  @Test("norms in place, and added, of rows", arguments: BlockKernelTests.widths)
  func norms(channels: Int) {
    let (rows, stride) = (3, channels + 2)
    let y = numbers(rows * stride, seed: 25)
    let before = numbers(rows * channels, seed: 26)
    let weight = numbers(channels, seed: 27)
    var (inPlace, sum) = (y, before)
    Elementwise.rmsNorm(
      &inPlace, stride: stride, rows: rows, weight: weight, epsilon: 1e-5, channels: channels)
    Elementwise.addNorm(
      of: y, stride: stride, rows: rows, weight: weight, epsilon: 1e-5, channels: channels,
      to: &sum, toStride: channels)
    for row in 0..<rows {
      let values = y[row * stride..<row * stride + channels].map(Double.init)
      let mean = values.reduce(0) { $0 + $1 * $1 } / Double(channels)
      for channel in 0..<channels {
        let norm = values[channel] * Double(weight[channel]) / (mean + 1e-5).squareRoot()
        #expect(abs(Double(inPlace[row * stride + channel]) - norm) <= 1e-6 * abs(norm))
        let expected = Double(before[row * channels + channel]) + norm
        #expect(abs(Double(sum[row * channels + channel]) - expected) <= 1e-6 * (1 + abs(norm)))
      }
      #expect(
        inPlace[(row * stride + channels)..<(row + 1) * stride]
          == y[(row * stride + channels)..<(row + 1) * stride])
    }
  }

  @Test("scaled sums", arguments: [true, false])
  func scaledSum(biased: Bool) {
    let from = numbers(3 * 21, seed: 28)
    let bias = numbers(21, seed: 29)
    let before = numbers(3 * 21, seed: 30)
    var x = before
    bias.withUnsafeBufferPointer {
      Elementwise.add(
        block: from, stride: 21, bias: biased ? $0.baseAddress : nil, scaledBy: 0.25, to: &x,
        toStride: 21, rows: 3, columns: 21)
    }
    for index in x.indices {
      let y = Double(from[index]) + (biased ? Double(bias[index % 21]) : 0)
      #expect(abs(Double(x[index]) - Double(before[index]) - 0.25 * y) < 5e-7)
    }
  }

  @Test("a scale of attention divides by its reciprocal, the usual one by √d")
  func attentionScale() {
    func divisor(_ scale: Double?) -> Double {
      CausalAttention(compute: .float32, tokens: 4, headDimension: 16, scale: scale).divisor
    }
    #expect(divisor(nil) == 4 && divisor(0.125) == 8 && divisor(1 / 4) == divisor(nil))
  }
}
