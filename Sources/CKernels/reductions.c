// Moments of columns, and log Σ exp of rows.
#include "vector.h"

FLAP_INLINE f64x8 load_as_double(const float *p) {
  f32x8 v;
  memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, f64x8);
}

FLAP_INLINE f64x8 load_tail_as_double(const float *p, size_t count) {
  f32x8 v = (f32x8)(0.0f);
  memcpy(&v, p, count * sizeof(float));
  return __builtin_convertvector(v, f64x8);
}

// Moments of 8 · VECTORS channels: their sums stay in registers while the rows pass by.
#define MOMENTS(VECTORS, LOAD)                                                                     \
  do {                                                                                             \
    f64x8 sum[VECTORS], square[VECTORS];                                                           \
    memset(sum, 0, sizeof sum);                                                                    \
    memset(square, 0, sizeof square);                                                              \
    for (size_t r = 0; r < rows; r++)                                                              \
      for (int j = 0; j < VECTORS; j++) sum[j] += LOAD(x + r * stride + c + 8 * j);                \
    for (int j = 0; j < VECTORS; j++) sum[j] /= (double)rows;                                      \
    for (size_t r = 0; r < rows; r++)                                                              \
      for (int j = 0; j < VECTORS; j++) {                                                          \
        f64x8 delta = LOAD(x + r * stride + c + 8 * j) - sum[j];                                   \
        square[j] += delta * delta;                                                                \
      }                                                                                            \
    size_t count = channels - c < 8 * VECTORS ? channels - c : 8 * VECTORS;                        \
    memcpy(mean + c, sum, count * sizeof(double));                                                 \
    memcpy(m2 + c, square, count * sizeof(double));                                                \
  } while (0)

FLAP_KERNEL void flap_channel_moments(const float *x, size_t stride, size_t rows, size_t channels,
                                      double *mean, double *m2) {
  size_t c = 0;
  for (; c + 64 <= channels; c += 64) MOMENTS(8, load_as_double);
  for (; c + 8 <= channels; c += 8) MOMENTS(1, load_as_double);
#define LOAD_REST(p) load_tail_as_double(p, channels - c)
  if (c < channels) MOMENTS(1, LOAD_REST);
}

FLAP_INLINE f64x8 doubles_of_sum(f32x16 e) {
  return __builtin_convertvector(e.lo, f64x8) + __builtin_convertvector(e.hi, f64x8);
}

FLAP_INLINE double sum_of_doubles(f64x8 total) {
  return ((total[0] + total[4]) + (total[2] + total[6]))
         + ((total[1] + total[5]) + (total[3] + total[7]));
}

// Adds the row's part of the sum of exponentials to a maximum and a sum.
FLAP_INLINE void add_exponentials(const float *x, size_t count, float *maximum, double *sum) {
  f32x16 largest = splat16(*maximum);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) largest = max16(largest, load16(x + i));
  if (i < count) largest = max16(largest, load_tail(x + i, count - i, -INFINITY));
  const float top = largest16(largest);
  f64x8 total = (f64x8)(0.0);
  for (i = 0; i + 16 <= count; i += 16) total += doubles_of_sum(exp16(load16(x + i) - top));
  if (i < count) total += doubles_of_sum(exp16(load_tail(x + i, count - i, -INFINITY) - top));
  double part = sum_of_doubles(total);
  // Of an empty sum's maximum, −∞, nothing is kept; exp(x − x) = 1.
  *sum = (*sum == 0 ? 0 : *sum * exp((double)*maximum - (double)top)) + part;
  *maximum = top;
}

// Adds the row's parts of Σ exp(y − maximum) and Σ exp(y − maximum)·(y − x) to two sums.
FLAP_INLINE void add_gaps(const float *y, const float *x, size_t count, float *maximum, double *sum,
                          double *gap) {
  f32x16 largest = splat16(*maximum);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) largest = max16(largest, load16(y + i));
  if (i < count) largest = max16(largest, load_tail(y + i, count - i, -INFINITY));
  const float top = largest16(largest);
  f64x8 total = (f64x8)(0.0), gaps = (f64x8)(0.0);
  for (i = 0; i + 16 <= count; i += 16) {
    f32x16 from = load16(y + i), e = exp16(from - top);
    total += doubles_of_sum(e);
    gaps += doubles_of_sum(e * (from - load16(x + i)));
  }
  if (i < count) {
    f32x16 from = load_tail(y + i, count - i, 0);
    f32x16 e = exp16(load_tail(y + i, count - i, -INFINITY) - top);
    total += doubles_of_sum(e);
    gaps += doubles_of_sum(e * (from - load_tail(x + i, count - i, 0)));
  }
  const double scale = *sum == 0 ? 0 : exp((double)*maximum - (double)top);
  *sum = (*sum == 0 ? 0 : *sum * scale) + sum_of_doubles(total);
  *gap = (*gap == 0 ? 0 : *gap * scale) + sum_of_doubles(gaps);
  *maximum = top;
}

FLAP_KERNEL void flap_gap_block(const float *y, size_t y_stride, const float *x, size_t stride,
                                size_t rows, size_t columns, float *maxima, double *sums,
                                double *gaps) {
  for (size_t r = 0; r < rows; r++)
    add_gaps(y + r * y_stride, x + r * stride, columns, maxima + r, sums + r, gaps + r);
}

FLAP_KERNEL void flap_log_sum_exp_block(const float *x, size_t stride, size_t rows, size_t columns,
                                        float *maxima, double *sums) {
  for (size_t r = 0; r < rows; r++) add_exponentials(x + r * stride, columns, maxima + r, sums + r);
}

