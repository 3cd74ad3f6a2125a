// What lies between the products of a layer: norms, rotation, the gate, sums, conversions.
#include "conversions.h"
#include "products.h"

#if defined(__x86_64__)
const char *flap_kernels_variant(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return "avx512";
  if (__builtin_cpu_supports("x86-64-v3")) return "avx2";
  return "baseline";
}
#else
const char *flap_kernels_variant(void) { return "baseline"; }
#endif

FLAP_KERNEL void flap_bf16_to_f32(const uint16_t *from, float *to, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] = widen_one_bf16(from[i]);
}

FLAP_KERNEL void flap_f16_to_f32(const uint16_t *from, float *to, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] = widen_one_f16(from[i]);
}

FLAP_INLINE float root_scale(const float *x, size_t count, float epsilon) {
  f32x16 sum0 = splat16(0), sum1 = splat16(0);
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    f32x16 a = load16(x + i), b = load16(x + i + 16);
    sum0 += a * a;
    sum1 += b * b;
  }
  for (; i < count; i += 16) {
    f32x16 tail = load_up_to_16(x + i, count - i);
    sum0 += tail * tail;
  }
  return 1.0f / sqrtf(sum16(sum0 + sum1) / (float)count + epsilon);
}

// Channels that are normalized before they are packed: 16 rows of them stay in the first cache.
enum { NORM_CHANNELS = 256 };

FLAP_INLINE void scale_row(const float *x, float scale, const float *weight, float *to,
                           size_t count) {
  for (size_t i = 0; i < count; i++) to[i] = x[i] * scale * weight[i];
}

FLAP_KERNEL void flap_rms_norm_panel(flap_format format, const float *x, size_t stride, size_t rows,
                                     const float *weight, float epsilon, size_t channels,
                                     void *tiles) {
  float scales[TILE_SIDE], normalized[TILE_SIDE * NORM_CHANNELS];
  for (size_t r = 0; r < rows; r++) scales[r] = root_scale(x + r * stride, channels, epsilon);
  for (size_t c = 0; c < channels; c += NORM_CHANNELS) {
    const size_t count = smaller(channels - c, NORM_CHANNELS);
    for (size_t r = 0; r < rows; r++)
      scale_row(x + r * stride + c, scales[r], weight + c, normalized + r * NORM_CHANNELS, count);
    flap_pack_rows(format, normalized, NORM_CHANNELS, rows, count,
                   (char *)tiles + c / tile_width(format) * TILE_BYTES);
  }
}

// Rotates one head, biases added before.
FLAP_INLINE void rotate_head(float *x, const float *bias, const float *cosines,
                             const float *sines, size_t half) {
  size_t i = 0;
  for (; i + 16 <= half; i += 16) {
    f32x16 real = load16(x + i), imaginary = load16(x + i + half);
    if (bias) real += load16(bias + i), imaginary += load16(bias + i + half);
    f32x16 cosine = load16(cosines + i), sine = load16(sines + i);
    store16(x + i, real * cosine - imaginary * sine);
    store16(x + i + half, imaginary * cosine + real * sine);
  }
  for (; i < half; i++) {
    float real = x[i] + (bias ? bias[i] : 0), imaginary = x[i + half] + (bias ? bias[i + half] : 0);
    x[i] = real * cosines[i] - imaginary * sines[i];
    x[i + half] = imaginary * cosines[i] + real * sines[i];
  }
}

FLAP_KERNEL void flap_rope_block(float *x, size_t stride, size_t rows, size_t heads,
                                 size_t head_dim, size_t turned, const float *bias,
                                 const float *cosines, const float *sines, size_t first_position,
                                 size_t positions) {
  const size_t half = turned / 2;
  size_t position = first_position;
  for (size_t r = 0; r < rows; r++) {
    for (size_t h = 0; h < heads; h++)
      rotate_head(x + r * stride + h * head_dim, bias ? bias + h * head_dim : NULL,
                  cosines + position * half, sines + position * half, half);
    if (++position == positions) position = 0;
  }
}

FLAP_INLINE f32x16 swiglu16(f32x16 gate, f32x16 up) { return gate / (1.0f + exp16(-gate)) * up; }

FLAP_INLINE void swiglu_row(float *gate, const float *up, size_t count) {
  size_t i = 0;
  for (; i + 32 <= count; i += 32) { // Two at a time: the divisions of one overlap the other's.
    f32x16 a = swiglu16(load16(gate + i), load16(up + i));
    f32x16 b = swiglu16(load16(gate + i + 16), load16(up + i + 16));
    store16(gate + i, a);
    store16(gate + i + 16, b);
  }
  for (; i < count; i += 16) {
    size_t left = smaller(count - i, 16);
    store_tail(gate + i, swiglu16(load_tail(gate + i, left, 0), load_tail(up + i, left, 0)), left);
  }
}

FLAP_KERNEL void flap_swiglu_block(float *gate, size_t gate_stride, const float *up,
                                   size_t up_stride, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++)
    swiglu_row(gate + r * gate_stride, up + r * up_stride, columns);
}

FLAP_INLINE f32x16 geglu16(f32x16 gate, f32x16 up) {
  // 2 · √(2/π)
  f32x16 u = 1.5957691216057308f * gate * (1.0f + 0.044715f * gate * gate);
  return gate / (1.0f + exp16(-u)) * up;
}

FLAP_KERNEL void flap_geglu_block(float *gate, size_t gate_stride, const float *up,
                                  size_t up_stride, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, gate += gate_stride, up += up_stride) {
    size_t i = 0;
    for (; i + 16 <= columns; i += 16)
      store16(gate + i, geglu16(load16(gate + i), load16(up + i)));
    const size_t left = columns - i;
    store_tail(gate + i, geglu16(load_tail(gate + i, left, 0), load_tail(up + i, left, 0)), left);
  }
}

FLAP_KERNEL void flap_add_scaled_block(float *x, size_t x_stride, const float *y, size_t y_stride,
                                       const float *bias, float scale, size_t rows,
                                       size_t columns) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
    if (bias)
      for (size_t i = 0; i < columns; i++) x[i] += scale * (y[i] + bias[i]);
    else
      for (size_t i = 0; i < columns; i++) x[i] += scale * y[i];
  }
}

FLAP_KERNEL void flap_add_rms_norm(float *x, size_t x_stride, const float *y, size_t y_stride,
                                   size_t rows, const float *weight, float epsilon,
                                   size_t channels) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
    const float scale = root_scale(y, channels, epsilon);
    for (size_t i = 0; i < channels; i++) x[i] += y[i] * scale * weight[i];
  }
}

FLAP_KERNEL void flap_rms_norm(float *y, size_t stride, size_t rows, const float *weight,
                               float epsilon, size_t channels) {
  for (size_t r = 0; r < rows; r++, y += stride)
    scale_row(y, root_scale(y, channels, epsilon), weight, y, channels);
}

FLAP_KERNEL void flap_add_block(float *x, size_t x_stride, const float *y, size_t y_stride,
                                const float *bias, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
    if (bias)
      for (size_t i = 0; i < columns; i++) x[i] += y[i] + bias[i];
    else
      for (size_t i = 0; i < columns; i++) x[i] += y[i];
  }
}

FLAP_KERNEL void flap_add_bias(float *x, size_t stride, const float *bias, size_t rows,
                               size_t columns) {
  for (size_t r = 0; r < rows; r++, x += stride)
    for (size_t i = 0; i < columns; i++) x[i] += bias[i];
}

FLAP_KERNEL void flap_exp(const float *from, float *to, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) store16(to + i, exp16(load16(from + i)));
  store_tail(to + i, exp16(load_tail(from + i, count - i, 0)), count - i);
}
