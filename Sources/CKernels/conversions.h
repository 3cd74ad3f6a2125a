// bf16 and f16 to f32, exactly, and f32 to bf16, rounded to nearest even: 16 lanes at a time, and
// one number where a kernel has only one.
#ifndef FLAP_CONVERSIONS_H
#define FLAP_CONVERSIONS_H
#include "vector.h"

FLAP_INLINE u16x16 load_halves(const void *p) { u16x16 v; memcpy(&v, p, sizeof v); return v; }

FLAP_INLINE f32x16 widen_bf16(u16x16 halves) {
  return as_float(__builtin_convertvector(halves, u32x16) << 16);
}

FLAP_INLINE f32x16 widen_f16(u16x16 halves) {
  u32x16 half = __builtin_convertvector(halves, u32x16), rest = half & 0x7fff;
  // Scaling by 2¹¹² moves the exponent and makes subnormals normal in one multiplication; of
  // infinity and NaN the exponent then lacks bits.
  u32x16 scaled = as_bits(as_float(rest << 13) * 0x1p112f);
  u32x16 lacking = (u32x16)(rest >= 0x7c00) & 0x7f800000;
  return as_float(scaled | lacking | (half & 0x8000) << 16);
}

// The same of one number, which the compiler makes vectors of in a loop.
FLAP_INLINE float widen_one_bf16(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

FLAP_INLINE float widen_one_f16(uint16_t half) {
  uint32_t rest = half & 0x7fff, bits = rest << 13;
  float x;
  memcpy(&x, &bits, sizeof x);
  x *= 0x1p112f;
  memcpy(&bits, &x, sizeof bits);
  bits |= (rest >= 0x7c00 ? 0x7f800000 : 0) | (uint32_t)(half & 0x8000) << 16;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// The bf16 is each lane's upper half; the lower one is undefined. NaN stays NaN, quiet: rounding
// would carry some into infinity.
FLAP_INLINE u32x16 round_to_bf16(f32x16 x) {
  u32x16 bits = as_bits(x), rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return x != x ? bits | 0x400000 : rounded;
}

FLAP_INLINE uint16_t round_one_to_bf16(float x) {
  return (uint16_t)(round_to_bf16(splat16(x))[0] >> 16);
}

// Pairs as units hold them: the first of the two in the lower half.
FLAP_INLINE u32x16 pair_of_rounded(u32x16 first, u32x16 second) {
  return first >> 16 | (second & 0xffff0000);
}
FLAP_INLINE f32x16 first_of_pairs(u32x16 pairs) { return as_float(pairs << 16); }
FLAP_INLINE f32x16 second_of_pairs(u32x16 pairs) { return as_float(pairs & 0xffff0000); }
#endif
