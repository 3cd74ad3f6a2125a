// Vectors, their loads and reductions, and the exponentials, shared by the kernels.
#ifndef FLAP_VECTOR_H
#define FLAP_VECTOR_H
#include "flap_kernels.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

// Vectors by their element and their number of lanes.
typedef float f32x16 __attribute__((ext_vector_type(16)));
typedef uint32_t u32x16 __attribute__((ext_vector_type(16)));
typedef uint16_t u16x16 __attribute__((ext_vector_type(16)));
typedef float f32x8 __attribute__((ext_vector_type(8)));
typedef double f64x8 __attribute__((ext_vector_type(8)));

#if defined(__x86_64__)
// One version per x86-64 level, chosen when the program is loaded (ifunc).
#define FLAP_KERNEL __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FLAP_KERNEL
#endif
#define FLAP_INLINE static inline __attribute__((always_inline))

FLAP_INLINE size_t divided_up(size_t count, size_t by) { return (count + by - 1) / by; }
FLAP_INLINE size_t rounded_up(size_t count, size_t to) { return divided_up(count, to) * to; }
FLAP_INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

FLAP_INLINE f32x16 load16(const float *p) { f32x16 v; memcpy(&v, p, sizeof v); return v; }
FLAP_INLINE void store16(float *p, f32x16 v) { memcpy(p, &v, sizeof v); }
FLAP_INLINE f32x16 splat16(float x) { return (f32x16)(x); }
FLAP_INLINE f32x16 max16(f32x16 a, f32x16 b) { return a > b ? a : b; }

// The first `count` < 16 floats, the rest `fill`.
FLAP_INLINE f32x16 load_tail(const float *p, size_t count, float fill) {
  f32x16 v = splat16(fill);
  memcpy(&v, p, count * sizeof(float));
  return v;
}
// Up to 16 floats, the rest 0.
FLAP_INLINE f32x16 load_up_to_16(const float *p, size_t count) {
  return count >= 16 ? load16(p) : load_tail(p, count, 0);
}
FLAP_INLINE void store_tail(float *p, f32x16 v, size_t count) {
  memcpy(p, &v, count * sizeof(float));
}

FLAP_INLINE float sum16(f32x16 v) {
  f32x8 eight = v.lo + v.hi;
  __typeof__(eight.lo) four = eight.lo + eight.hi;
  return (four[0] + four[2]) + (four[1] + four[3]);
}

FLAP_INLINE float largest16(f32x16 v) {
  f32x8 eight = v.lo > v.hi ? v.lo : v.hi;
  __typeof__(eight.lo) four = eight.lo > eight.hi ? eight.lo : eight.hi;
  __typeof__(four.lo) two = four.lo > four.hi ? four.lo : four.hi;
  return two[0] > two[1] ? two[0] : two[1];
}

FLAP_INLINE f32x16 as_float(u32x16 bits) { f32x16 v; memcpy(&v, &bits, sizeof v); return v; }
FLAP_INLINE u32x16 as_bits(f32x16 v) { u32x16 bits; memcpy(&bits, &v, sizeof bits); return bits; }

// Adding it rounds to an integer n; the sum's low bits then are n + 127, the exponent field of 2ⁿ.
#define FLAP_ROUNDING (0x1.8p23f + 127.0f)
FLAP_INLINE f32x16 power_of_two(f32x16 rounded) { return as_float(as_bits(rounded) << 23); }

// exp by x = n·ln 2 + r, |r| ≤ ln 2 / 2, and a polynomial of degree 5 with relative error 2⁻²³·²
// (minimax with 1 + r fixed). Below −87.68 the result is 0, above 88.3 it is exp(88.3), of NaN NaN.
FLAP_INLINE f32x16 exp16(f32x16 x) {
  const f32x16 low = splat16(-88.02969f), high = splat16(88.3f); // low = −127 · ln 2
  x = low > x ? low : x;
  x = high < x ? high : x;
  f32x16 rounded = x * 1.44269504088896341f + FLAP_ROUNDING;
  f32x16 n = rounded - FLAP_ROUNDING;
  f32x16 r = x - n * 0.693359375f; // Exact: ln 2 in two parts (Cephes)
  r = r - n * -2.12194440e-4f;
  f32x16 p = r * 0x1.10625p-7f + 0x1.572a64p-5f;
  p = p * r + 0x1.5557bp-3f;
  p = p * r + 0x1.fffdfcp-2f;
  p = p * (r * r) + r + 1.0f;
  return p * power_of_two(rounded);
}

// 2ˣ for x ≤ 1, relative error below 2⁻²² of the given x; 0 below −126.5; of NaN NaN.
FLAP_INLINE f32x16 exp2_16(f32x16 x) {
  const f32x16 low = splat16(-127.0f);
  x = low > x ? low : x;
  f32x16 rounded = x + FLAP_ROUNDING;
  f32x16 r = x - (rounded - FLAP_ROUNDING);
  f32x16 p = r * 0.0013264646f + 0.009671576f;
  p = p * r + 0.055507347f;
  p = p * r + 0.24022241f;
  p = p * r + 0.693147f;
  p = p * r + 1.0f;
  return p * power_of_two(rounded);
}
#endif
