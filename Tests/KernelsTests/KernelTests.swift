import FlapCore
import FlapTestKit
import Foundation
import Kernels
import Testing

/// Every kernel against the formula in f64, over sizes around the vectors' widths.
struct KernelTests {
  static let sizes = [1, 7, 15, 16, 17, 33, 64, 129]

  @Test("RMS norm", arguments: sizes)
  func rmsNorm(count: Int) {
    let x = numbers(count, seed: 1)
    let weight = numbers(count, seed: 2)
    var y = [Float](repeating: 0, count: count)
    Elementwise.rmsNorm(x, weight: weight, epsilon: 1e-5, to: &y, count: count)
    let mean = x.reduce(0) { $0 + Double($1) * Double($1) } / Double(count)
    let expected = zip(x, weight).map { Double($0) * Double($1) / (mean + 1e-5).squareRoot() }
    // One reciprocal root and two products, each rounded once in f32.
    expectClose(y, expected, tolerance: 1e-6)
  }

  @Test("SwiGLU", arguments: sizes)
  func swiGLU(count: Int) {
    var gate = numbers(count, seed: 3).map { $0 * 8 }
    let up = numbers(count, seed: 4)
    let expected = zip(gate, up).map { Double($0) / (1 + exp(-Double($0))) * Double($1) }
    Elementwise.swiGLU(gate: &gate, up: up, count: count)
    expectClose(gate, expected, tolerance: 1e-6)
  }

  @Test("SiLU far out is the identity on one side and 0 on the other")
  func swiGLUExtremes() {
    var gate: [Float] = [-1000, -100, 100, 1000, 0]
    Elementwise.swiGLU(gate: &gate, up: [1, 1, 1, 1, 1], count: 5)
    #expect(gate[2...] == [100, 1000, 0])
    #expect(gate[..<2].allSatisfy { abs($0) < 1e-30 })
  }

  @Test("exp: relative error below 2⁻²² where f32 has a normal result")
  func exponential() {
    var generator = SeededGenerator(seed: 5)
    let x = (0..<20_000).map { _ in Float.random(in: -87...88.5, using: &generator) }
    var y = [Float](repeating: 0, count: x.count)
    Elementwise.exp(x, to: &y, count: x.count)
    let worst = zip(x, y).map { abs(Double($1) / exp(Double($0)) - 1) }.max()!
    #expect(worst < 0x1p-22)
    var special = [Float](repeating: 9, count: 4)
    Elementwise.exp([-.infinity, -200, 0, .nan], to: &special, count: 4)
    #expect(special[..<3] == [0, 0, 1])
    #expect(special[3].isNaN)
  }

  @Test("log Σ exp", arguments: sizes)
  func logSumExp(count: Int) {
    let x = numbers(count, seed: 6).map { $0 * 30 + 1000 }
    let top = Double(x.max()!)
    let expected = log(x.reduce(0) { $0 + exp(Double($1) - top) }) + top
    #expect(abs(Elementwise.logSumExp(x, count: count) - expected) < 1e-6)
  }

  @Test("rotation keeps lengths and turns by the angle", arguments: [2, 8, 10, 64, 128])
  func rope(headDimension: Int) {
    let half = headDimension / 2
    let angles = numbers(half, seed: 7).map { $0 * 3 }
    var x = numbers(3 * headDimension, seed: 8)
    let before = x
    Elementwise.rope(
      &x, cosines: angles.map { cos($0) }, sines: angles.map { sin($0) }, heads: 3,
      headDimension: headDimension)
    for head in 0..<3 {
      for i in 0..<half {
        let (a, b) = (head * headDimension + i, head * headDimension + i + half)
        let expected = [
          Double(before[a]) * cos(Double(angles[i])) - Double(before[b]) * sin(Double(angles[i])),
          Double(before[b]) * cos(Double(angles[i])) + Double(before[a]) * sin(Double(angles[i])),
        ]
        expectClose([x[a], x[b]], expected, tolerance: 1e-6)
      }
    }
  }

  @Test("conversions: every bf16 and f16 there and back, rounding to nearest even")
  func conversions() {
    let all = (0...UInt16.max).map { $0 }
    var floats = [Float](repeating: 0, count: all.count)
    var back = [UInt16](repeating: 0, count: all.count)
    all.withUnsafeBytes {
      Conversion.toFloat32($0.baseAddress!, .bfloat16, count: all.count, to: &floats)
    }
    back.withUnsafeMutableBytes {
      Conversion.toOperand(floats, count: all.count, .bfloat16, to: $0.baseAddress!)
    }
    for (bits, (value, again)) in zip(all, zip(floats, back)) {
      #expect(value.isNaN ? again & 0x7FC0 == 0x7FC0 : again == bits)
    }
    all.withUnsafeBytes {
      Conversion.toFloat32($0.baseAddress!, .float16, count: all.count, to: &floats)
    }
    for (bits, value) in zip(all, floats) {
      let expected = Float(Float16(bitPattern: bits))
      #expect(value.isNaN ? expected.isNaN : value == expected)
    }
    // Halfway cases go to the even neighbour.
    let ties = [Float(bitPattern: 0x3F80_8000), Float(bitPattern: 0x3F81_8000)]
    back.withUnsafeMutableBytes {
      Conversion.toOperand(ties, count: 2, .bfloat16, to: $0.baseAddress!)
    }
    #expect(back[..<2] == [0x3F80, 0x3F82])
  }

  @Test("moments of columns", arguments: sizes, [1, 2, 50, 333])
  func moments(channels: Int, rows: Int) {
    let team = ThreadTeam(threadCount: 2)
    // A mean far from zero: one pass over squares would lose the variance.
    let x = numbers(rows * channels, seed: 9).map { $0 + 1000 }
    let moments = ColumnMoments(of: x, rows: rows, channels: channels, team: team)
    for channel in 0..<channels {
      let column = (0..<rows).map { Double(x[$0 * channels + channel]) }
      let mean = column.reduce(0, +) / Double(rows)
      let m2 = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      // f64 in another order.
      #expect(abs(moments.mean[channel] - mean) < 1e-10)
      #expect(abs(moments.m2[channel] - m2) <= 1e-9 * max(m2, 1))
    }
    #expect(moments.firstNonFiniteChannel == nil)
  }

  @Test("a value that is not finite is found", arguments: [Float.nan, .infinity, -.infinity])
  func nonFinite(value: Float) {
    var x = numbers(40 * 130, seed: 10)
    x[17 * 130 + 129] = value
    let moments = ColumnMoments(
      of: x, rows: 40, channels: 130, team: ThreadTeam(threadCount: 1))
    #expect(moments.firstNonFiniteChannel == 129)
  }

  @Test("a team runs every task once, however many threads", arguments: [1, 2, 3, 8])
  func team(threads: Int) {
    let team = ThreadTeam(threadCount: threads)
    for taskCount in [0, 1, 2, 7, 1000] {
      var counts = [Int](repeating: 0, count: taskCount)
      counts.withUnsafeMutableBufferPointer { counts in
        let counts = counts.baseAddress
        team.run(taskCount: taskCount) { task, thread in
          precondition((0..<threads).contains(thread))
          counts![task] += 1
        }
      }
      #expect(counts.allSatisfy { $0 == 1 })
    }
  }
}

/// Numbers around zero, the same for the same seed.
func numbers(_ count: Int, seed: UInt64) -> [Float] {
  var generator = SeededGenerator(seed: seed)
  return (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
}

/// Compares relative to the largest expected value.
func expectClose(
  _ values: [Float], _ expected: [Double], tolerance: Double,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let scale = expected.map(abs).max()!
  let worst = zip(values, expected).map { abs(Double($0) - $1) }.max()!
  #expect(worst <= tolerance * scale, sourceLocation: sourceLocation)
}
