// Vector types and the exponential, shared by the kernels.
#ifndef FLAP_VECTOR_H
#define FLAP_VECTOR_H
#include "flap_kernels.h"
#include <math.h>
#include <string.h>

typedef float v16 __attribute__((ext_vector_type(16)));
typedef int32_t i16 __attribute__((ext_vector_type(16)));
typedef double d8 __attribute__((ext_vector_type(8)));
typedef float v8 __attribute__((ext_vector_type(8)));

#if defined(__x86_64__)
// One version per x86-64 level, chosen when the program is loaded (ifunc).
#define FLAP_KERNEL __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FLAP_KERNEL
#endif
#define FLAP_INLINE static inline __attribute__((always_inline))

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

FLAP_INLINE float sum16(v16 v) {
  v8 eight = v.lo + v.hi;
  float sums[8];
  memcpy(sums, &eight, sizeof sums);
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

FLAP_INLINE v16 as_float(i16 bits) {
  v16 v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

// exp by x = n·ln 2 + r, |r| ≤ ln 2 / 2, and a polynomial of degree 6 in r (Cephes' expf).
FLAP_INLINE v16 exp16(v16 x) {
  const v16 low = splat16(-87.33654f), high = splat16(88.72283f);
  i16 underflow = x < low;
  x = x < low ? low : x;
  x = x > high ? high : x;
  const v16 magic = splat16(12582912.0f); // 1.5 · 2²³: adding it rounds to an integer
  v16 n = (x * 1.44269504088896341f + magic) - magic;
  v16 r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  v16 p = splat16(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // 2ⁿ in two factors, because n reaches 128, which no exponent field holds.
  i16 whole = __builtin_convertvector(n, i16);
  i16 first = whole >> 1;
  i16 second = whole - first;
  v16 a = as_float((first + 127) << 23), b = as_float((second + 127) << 23);
  v16 result = p * a * b;
  return underflow ? splat16(0) : result;
}
#endif
