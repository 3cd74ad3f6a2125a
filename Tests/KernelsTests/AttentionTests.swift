import Foundation
import Kernels
import Testing

/// Tiled attention against the formula in f64.
struct AttentionTests {
  @Test(
    "one head, sizes around the tiles of 32 queries and 128 keys",
    arguments: [1, 5, 31, 32, 33, 127, 128, 129, 300], [2, 10, 16, 64, 128])
  func attention(tokens: Int, headDimension: Int) {
    // Rows of three heads' width: the head in the middle.
    let stride = 3 * headDimension
    let query = numbers(tokens * stride, seed: 1).map { $0 * 4 }
    let key = numbers(tokens * stride, seed: 2).map { $0 * 4 }
    let value = numbers(tokens * stride, seed: 3)
    var out = [Float](repeating: .nan, count: tokens * stride)
    let scratch = ScratchBuffer(
      byteCount: CausalAttention.scratchByteCount(tokens: tokens, headDimension: headDimension))
    // What an earlier sample left behind must not matter.
    for index in 0..<scratch.byteCount / 4 { scratch.floats()[index] = .nan }
    query.withUnsafeBufferPointer { query in
      key.withUnsafeBufferPointer { key in
        value.withUnsafeBufferPointer { value in
          out.withUnsafeMutableBufferPointer { out in
            CausalAttention.attend(
              query: .init(start: query.baseAddress! + headDimension, stride: stride),
              key: .init(start: key.baseAddress! + headDimension, stride: stride),
              value: .init(start: value.baseAddress! + headDimension, stride: stride),
              to: out.baseAddress! + headDimension, stride: stride, tokens: tokens,
              headDimension: headDimension, scratch: scratch.floats())
          }
        }
      }
    }
    for token in 0..<tokens {
      let row = Array(
        out[token * stride + headDimension..<token * stride + 2 * headDimension])
      let expected = reference(query, key, value, token, headDimension, stride)
      // f32 sums over at most 300 keys, exponentials within 2⁻²²; values are at most 1.
      for (value, expected) in zip(row, expected) { #expect(abs(Double(value) - expected) < 5e-6) }
      #expect(out[token * stride].isNaN, "other heads are left alone")
    }
  }

  private func reference(
    _ query: [Float], _ key: [Float], _ value: [Float], _ token: Int, _ headDimension: Int,
    _ stride: Int
  ) -> [Double] {
    func element(_ x: [Float], _ row: Int, _ d: Int) -> Double {
      Double(x[row * stride + headDimension + d])
    }
    let scores = (0...token).map { other in
      (0..<headDimension).reduce(0) { $0 + element(query, token, $1) * element(key, other, $1) }
        / Double(headDimension).squareRoot()
    }
    let top = scores.max()!
    let weights = scores.map { exp($0 - top) }
    let sum = weights.reduce(0, +)
    return (0..<headDimension).map { d in
      weights.indices.reduce(0) { $0 + weights[$1] * element(value, $1, d) } / sum
    }
  }
}
