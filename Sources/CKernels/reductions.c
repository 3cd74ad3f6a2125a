#include "vector.h"

// Channels that are summed together: eight vectors of doubles stay in registers while the rows
// pass by, 256 bytes of each.
enum { BLOCK = 64 };

FLAP_INLINE d8 load_as_double(const float *p) {
  v8 v;
  memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, d8);
}

FLAP_KERNEL void flap_channel_moments(const float *x, size_t stride, size_t rows, size_t channels,
                                      double *mean, double *m2) {
  size_t c = 0;
  for (; c + BLOCK <= channels; c += BLOCK) {
    d8 sum[BLOCK / 8], square[BLOCK / 8];
    memset(sum, 0, sizeof sum);
    memset(square, 0, sizeof square);
    for (size_t r = 0; r < rows; r++)
      for (int j = 0; j < BLOCK / 8; j++) sum[j] += load_as_double(x + r * stride + c + 8 * j);
    for (int j = 0; j < BLOCK / 8; j++) sum[j] /= (double)rows;
    for (size_t r = 0; r < rows; r++)
      for (int j = 0; j < BLOCK / 8; j++) {
        d8 delta = load_as_double(x + r * stride + c + 8 * j) - sum[j];
        square[j] += delta * delta;
      }
    memcpy(mean + c, sum, sizeof sum);
    memcpy(m2 + c, square, sizeof square);
  }
  for (; c < channels; c++) {
    double sum = 0, square = 0;
    for (size_t r = 0; r < rows; r++) sum += x[r * stride + c];
    sum /= (double)rows;
    for (size_t r = 0; r < rows; r++) {
      double delta = x[r * stride + c] - sum;
      square += delta * delta;
    }
    mean[c] = sum;
    m2[c] = square;
  }
}

FLAP_KERNEL double flap_log_sum_exp(const float *x, size_t count) {
  v16 largest = splat16(-INFINITY);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) largest = max16(largest, load16(x + i));
  largest = max16(largest, load_tail(x + i, count - i, -INFINITY));
  float top = largest[0];
  for (int j = 1; j < 16; j++) top = largest[j] > top ? largest[j] : top;
  double sum = 0;
  for (i = 0; i + 16 <= count; i += 16) sum += sum16(exp16(load16(x + i) - top));
  sum += sum16(exp16(load_tail(x + i, count - i, -INFINITY) - top));
  return log(sum) + top;
}
