// Vector types and the exponentials, shared by the kernels.
#ifndef FLAP_VECTOR_H
#define FLAP_VECTOR_H
#include "flap_kernels.h"
#include <math.h>
#include <string.h>

typedef float v16 __attribute__((ext_vector_type(16)));
typedef int32_t i16 __attribute__((ext_vector_type(16)));
typedef uint32_t u16 __attribute__((ext_vector_type(16)));
typedef double d8 __attribute__((ext_vector_type(8)));
typedef float v8 __attribute__((ext_vector_type(8)));

#if defined(__x86_64__)
// One version per x86-64 level, chosen when the program is loaded (ifunc).
#define FLAP_KERNEL __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FLAP_KERNEL
#endif
#define FLAP_INLINE static inline __attribute__((always_inline))

FLAP_INLINE size_t rounded_up(size_t count, size_t to) { return (count + to - 1) / to * to; }

FLAP_INLINE v16 load16(const float *p) { v16 v; memcpy(&v, p, sizeof v); return v; }
FLAP_INLINE void store16(float *p, v16 v) { memcpy(p, &v, sizeof v); }
FLAP_INLINE v16 splat16(float x) { return (v16)(x); }
FLAP_INLINE v16 max16(v16 a, v16 b) { return a > b ? a : b; }

// The first `count` < 16 floats, the rest `fill`.
FLAP_INLINE v16 load_tail(const float *p, size_t count, float fill) {
  v16 v = splat16(fill);
  memcpy(&v, p, count * sizeof(float));
  return v;
}
FLAP_INLINE void store_tail(float *p, v16 v, size_t count) { memcpy(p, &v, count * sizeof(float)); }

FLAP_INLINE float sum16(v16 v) {
  v8 eight = v.lo + v.hi;
  __typeof__(eight.lo) four = eight.lo + eight.hi;
  return (four[0] + four[2]) + (four[1] + four[3]);
}

FLAP_INLINE float largest16(v16 v) {
  v8 eight = v.lo > v.hi ? v.lo : v.hi;
  __typeof__(eight.lo) four = eight.lo > eight.hi ? eight.lo : eight.hi;
  __typeof__(four.lo) two = four.lo > four.hi ? four.lo : four.hi;
  return two[0] > two[1] ? two[0] : two[1];
}

FLAP_INLINE v16 as_float(i16 bits) { v16 v; memcpy(&v, &bits, sizeof v); return v; }
FLAP_INLINE u16 as_bits(v16 v) { u16 bits; memcpy(&bits, &v, sizeof bits); return bits; }

// Adding it rounds to an integer n; the sum's low bits then are n + 127, the exponent field of 2ⁿ.
#define FLAP_ROUNDING (0x1.8p23f + 127.0f)
FLAP_INLINE v16 power_of_two(v16 rounded) { return as_float((i16)(as_bits(rounded) << 23)); }

// exp by x = n·ln 2 + r, |r| ≤ ln 2 / 2, and a polynomial of degree 5 with relative error 2⁻²³·²
// (minimax with 1 + r fixed). Below −87.68 the result is 0, above 88.3 it is exp(88.3), of NaN NaN.
FLAP_INLINE v16 exp16(v16 x) {
  const v16 low = splat16(-88.02969f), high = splat16(88.3f); // low = −127 · ln 2
  x = low > x ? low : x;
  x = high < x ? high : x;
  v16 rounded = x * 1.44269504088896341f + FLAP_ROUNDING;
  v16 n = rounded - FLAP_ROUNDING;
  v16 r = x - n * 0.693359375f; // Exact: ln 2 in two parts (Cephes)
  r = r - n * -2.12194440e-4f;
  v16 p = r * 0x1.10625p-7f + 0x1.572a64p-5f;
  p = p * r + 0x1.5557bp-3f;
  p = p * r + 0x1.fffdfcp-2f;
  p = p * (r * r) + r + 1.0f;
  return p * power_of_two(rounded);
}

// 2ˣ for x ≤ 1, relative error below 2⁻²² of the given x; 0 below −126.5; of NaN NaN.
FLAP_INLINE v16 exp2_16(v16 x) {
  const v16 low = splat16(-127.0f);
  x = low > x ? low : x;
  v16 rounded = x + FLAP_ROUNDING;
  v16 r = x - (rounded - FLAP_ROUNDING);
  v16 p = r * 0.0013264646f + 0.009671576f;
  p = p * r + 0.055507347f;
  p = p * r + 0.24022241f;
  p = p * r + 0.693147f;
  p = p * r + 1.0f;
  return p * power_of_two(rounded);
}
#endif
