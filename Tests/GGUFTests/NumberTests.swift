import FlapCore
import Foundation
import GGUF
import Testing

/// Types of numbers, and the frequencies of the rotation.
struct NumberTests {
  @Test(
    "every number of 16 bits becomes the same f32", arguments: [ElementType.bfloat16, .float16])
  func widening(type: ElementType) {
    let all = (0...UInt16.max).map { $0 }
    let wide: [UInt32] = converted(all, type, to: .float32)
    for (bits, result) in zip(all, wide) {
      let expected =
        type == .bfloat16
        ? Float(bitPattern: UInt32(bits) << 16) : Float(Float16(bitPattern: bits))
      #expect(result == expected.bitPattern || expected.isNaN && Float(bitPattern: result).isNaN)
    }
    let narrow: [UInt16] = converted(wide, .float32, to: type)
    for (bits, result) in zip(all, narrow) where !isNaN(bits, type) {
      #expect(bits == result)
    }
  }

  @Test("f32 is rounded to the nearest bf16, halves to even")
  func rounding() {
    let cases: [(Float, UInt16)] = [
      (1, 0x3F80), (1 + 0x1p-8, 0x3F80), (1 + 0x1p-8 + 0x1p-20, 0x3F81), (1 + 0x1.8p-7, 0x3F82),
      (-1 - 0x1p-8, 0xBF80), (.greatestFiniteMagnitude, 0x7F80), (.infinity, 0x7F80),
      (-0.0, 0x8000),
    ]
    let results: [UInt16] = converted(cases.map(\.0.bitPattern), .float32, to: .bfloat16)
    #expect(results == cases.map(\.1))
    let nan: [UInt16] = converted([Float.nan.bitPattern], .float32, to: .bfloat16)
    #expect(isNaN(nan[0], .bfloat16))
  }

  @Test("f16 says what it cannot hold")
  func overflow() {
    func unholdable(_ values: [Float]) -> Float? {
      var output = [UInt16](repeating: 0, count: values.count)
      return values.withUnsafeBytes { bytes in
        output.withUnsafeMutableBytes {
          Conversion.convert(bytes, .float32, to: .float16, into: $0)
        }
      }
    }
    #expect(unholdable([65504, -65504, .infinity, 1e-9]) == nil)
    #expect(unholdable([1, -65520, 2]) == -65520)
  }

  @Test("Llama 3's frequencies are those of transformers")
  func divisors() throws {
    struct Case: Decodable {
      let headDimension: Int
      let theta, factor, low, high: Double
      let context: Int
      let divisors: [Double]
    }
    let cases = try JSONDecoder().decode([Case].self, from: Golden.file("divisors.json"))
    #expect(cases.count == 3)
    for item in cases {
      let embedding = RotaryEmbedding(
        theta: item.theta,
        scaling: .llama3(
          factor: item.factor, lowFrequencyFactor: item.low, highFrequencyFactor: item.high,
          originalContextLength: item.context))
      let divisors = try #require(embedding.frequencyDivisors(headDimension: item.headDimension))
      #expect(divisors.count == item.headDimension / 2)
      for (ours, theirs) in zip(divisors, item.divisors) {
        // transformers computes in f32.
        #expect(abs(Double(ours) / theirs - 1) < 2e-5)
      }
    }
    #expect(RotaryEmbedding(theta: 1e4).frequencyDivisors(headDimension: 4) == nil)
  }

  private func converted<From: FixedWidthInteger, To: FixedWidthInteger>(
    _ values: [From], _ source: ElementType, to type: ElementType
  ) -> [To] {
    var output = [To](repeating: 0, count: values.count)
    values.withUnsafeBytes { bytes in
      output.withUnsafeMutableBytes {
        _ = Conversion.convert(bytes, source, to: type, into: $0)
      }
    }
    return output
  }

  private func isNaN(_ bits: UInt16, _ type: ElementType) -> Bool {
    type == .bfloat16
      ? Float(bitPattern: UInt32(bits) << 16).isNaN : Float16(bitPattern: bits).isNaN
  }
}
