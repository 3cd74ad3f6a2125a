import FlapCore
import FlapTestKit
import Foundation
import Kernels
import Testing

struct KernelTests {
  @Test("conversions: every bf16 and every f16")
  func conversions() {
    let all = (0...UInt16.max).map { $0 }
    for type in [ElementType.bfloat16, .float16] {
      var floats = [Float](repeating: 0, count: all.count)
      all.withUnsafeBytes {
        Conversion.toFloat32($0.baseAddress!, type, count: all.count, to: &floats)
      }
      for (bits, value) in zip(all, floats) {
        let expected =
          type == .bfloat16
          ? Float(bitPattern: UInt32(bits) << 16) : Float(Float16(bitPattern: bits))
        #expect(value.isNaN ? expected.isNaN : value == expected)
      }
    }
  }

  @Test("exp: relative error below 2⁻²² where f32 has a normal result")
  func exponential() {
    var generator = SeededGenerator(seed: 5)
    let x = (0..<20_000).map { _ in Float.random(in: -87...88.25, using: &generator) }
    var y = [Float](repeating: 0, count: x.count)
    Elementwise.exp(x, to: &y, count: x.count)
    let worst = zip(x, y).map { abs(Double($1) / exp(Double($0)) - 1) }.max()!
    #expect(worst < 0x1p-22)
    var special = [Float](repeating: 9, count: 4)
    Elementwise.exp([-.infinity, -200, 0, .nan], to: &special, count: 4)
    #expect(special[..<3] == [0, 0, 1])
    #expect(special[3].isNaN)
  }

  @Test("a team runs every task once, however many threads", arguments: [1, 2, 3, 8])
  func team(threads: Int) {
    let team = ThreadTeam(threadCount: threads)
    for taskCount in [0, 1, 2, 7, 1000] {
      var counts = [Int](repeating: 0, count: taskCount)
      counts.withUnsafeMutableBufferPointer { counts in
        let counts = counts.baseAddress
        team.run(.other, taskCount: taskCount) { task, thread in
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
