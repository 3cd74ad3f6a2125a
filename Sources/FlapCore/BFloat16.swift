/// bf16, the upper half of an f32: sign, 8 bits of exponent, 7 of fraction.
extension Float {
  /// The number that a bf16 holds, exactly.
  @inlinable
  public init(bfloat16Bits bits: UInt16) { self.init(bitPattern: UInt32(bits) << 16) }

  /// The nearest bf16, of two as near the even one; NaN stays NaN and becomes quiet.
  @inlinable
  public var bfloat16Bits: UInt16 {
    // Rounding would carry some NaN into infinity.
    if isNaN { return UInt16(truncatingIfNeeded: bitPattern >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bitPattern + 0x7FFF + (bitPattern >> 16 & 1)) >> 16)
  }
}
