import FlapCore
import Testing

struct BFloat16Tests {
  @Test("Every bf16 is an f32, and rounding brings it back; NaN becomes quiet")
  func everyNumber() {
    for bits in 0...UInt16.max {
      let value = Float(bfloat16Bits: bits)
      #expect(value.bitPattern == UInt32(bits) << 16)
      #expect(value.bfloat16Bits == (value.isNaN ? bits | 0x40 : bits))
    }
  }

  @Test("To the nearest, ties to even; beyond the largest is infinity, and NaN stays NaN")
  func rounding() {
    // Bits of f32 and of its bf16.
    let cases: [(UInt32, UInt16)] = [
      (0x3F80_7FFF, 0x3F80), (0x3F80_8000, 0x3F80), (0x3F80_8001, 0x3F81), (0x3F81_8000, 0x3F82),
      (0xBF81_8000, 0xBF82), (0x7F7F_7FFF, 0x7F7F), (0x7F7F_8000, 0x7F80), (0x7F80_0000, 0x7F80),
      (0x0000_8000, 0x0000), (0x0000_8001, 0x0001), (0x8001_8000, 0x8002),
      (0x7F80_0001, 0x7FC0), (0xFFFF_FFFF, 0xFFFF),
    ]
    for (bits, expected) in cases {
      #expect(Float(bitPattern: bits).bfloat16Bits == expected)
    }
  }
}
