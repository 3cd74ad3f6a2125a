#include "vector.h"

extern void omp_set_num_threads(int) __attribute__((weak));

void flap_use_one_library_thread(void) {
  if (omp_set_num_threads) omp_set_num_threads(1);
}

#if defined(__x86_64__)
const char *flap_kernels_variant(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return "avx512";
  if (__builtin_cpu_supports("x86-64-v3")) return "avx2";
  return "baseline";
}
#include <cpuid.h>
int flap_cpu_has_bf16(void) {
  unsigned a, b, c, d;
  if (!__builtin_cpu_supports("avx512f") || !__get_cpuid_count(7, 1, &a, &b, &c, &d)) return 0;
  if (a & (1u << 5)) return 1; // AVX512_BF16
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & (1u << 22)); // AMX_BF16
}
#else
const char *flap_kernels_variant(void) { return "baseline"; }
int flap_cpu_has_bf16(void) { return 0; }
#endif

FLAP_KERNEL void flap_bf16_to_f32(const uint16_t *from, float *to, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = (uint32_t)from[i] << 16;
    memcpy(to + i, &bits, 4);
  }
}

FLAP_KERNEL void flap_f32_to_bf16(const float *from, uint16_t *to, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, from + i, 4);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    // Rounding must not carry a NaN into infinity: keep it, quiet.
    uint32_t nan = (bits >> 16) | 0x40;
    to[i] = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
  }
}

FLAP_KERNEL void flap_f16_to_f32(const uint16_t *from, float *to, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t half = from[i], sign = (half & 0x8000) << 16, rest = half & 0x7fff;
    // Scaling by 2¹¹² moves the exponent and makes subnormals normal in one multiplication.
    uint32_t bits = rest << 13;
    float value;
    memcpy(&value, &bits, 4);
    value *= 0x1p112f;
    memcpy(&bits, &value, 4);
    bits = rest >= 0x7c00 ? (rest << 13) | 0x7f800000 : bits;
    bits |= sign;
    memcpy(to + i, &bits, 4);
  }
}

FLAP_KERNEL void flap_rms_norm(const float *from, const float *weight, float epsilon, float *to,
                               size_t count) {
  v16 sums = splat16(0);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    v16 x = load16(from + i);
    sums += x * x;
  }
  v16 tail = load_tail(from + i, count - i, 0);
  sums += tail * tail;
  float scale = 1.0f / sqrtf(sum16(sums) / (float)count + epsilon);
  for (i = 0; i < count; i++) to[i] = from[i] * scale * weight[i];
}

FLAP_KERNEL void flap_rope(float *x, const float *cosines, const float *sines, size_t heads,
                           size_t head_dim) {
  size_t half = head_dim / 2;
  for (size_t h = 0; h < heads; h++, x += head_dim)
    for (size_t i = 0; i < half; i++) {
      float real = x[i], imaginary = x[i + half];
      x[i] = real * cosines[i] - imaginary * sines[i];
      x[i + half] = imaginary * cosines[i] + real * sines[i];
    }
}

FLAP_INLINE v16 swiglu16(v16 gate, v16 up) { return gate / (1.0f + exp16(-gate)) * up; }

FLAP_KERNEL void flap_swiglu(float *gate, const float *up, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) store16(gate + i, swiglu16(load16(gate + i), load16(up + i)));
  if (i < count) {
    v16 y = swiglu16(load_tail(gate + i, count - i, 0), load_tail(up + i, count - i, 0));
    memcpy(gate + i, &y, (count - i) * sizeof(float));
  }
}

FLAP_KERNEL void flap_add(float *x, const float *y, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] += y[i];
}

FLAP_KERNEL void flap_exp(const float *from, float *to, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) store16(to + i, exp16(load16(from + i)));
  v16 y = exp16(load_tail(from + i, count - i, 0));
  memcpy(to + i, &y, (count - i) * sizeof(float));
}
