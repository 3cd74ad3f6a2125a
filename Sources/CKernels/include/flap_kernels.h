// Vector kernels of the forward pass. Plain C with compiler vector types: the compiler makes one
// version for each x86-64 level (SSE2, AVX2, AVX-512) and the loader picks the best one that the
// CPU has; on other architectures there is one version. All matrices are row-major; no pointer
// needs more alignment than its element type.
#ifndef FLAP_KERNELS_H
#define FLAP_KERNELS_H
#include "flap_double_products.h"
#include "flap_products.h"

// Name of the version in use: "avx512", "avx2" or "baseline". It decides bits.
const char *flap_kernels_variant(void);

// Conversions, exact.
void flap_bf16_to_f32(const uint16_t *from, float *to, size_t count);
void flap_f16_to_f32(const uint16_t *from, float *to, size_t count);

// x · weight / sqrt(mean(x²) + epsilon) of up to 16 rows of x [rows, channels], written as one
// panel of row tiles (flap_products.h) in a format; rows and channels beyond are zeros.
void flap_rms_norm_panel(flap_format format, const float *x, size_t stride, size_t rows,
                         const float *weight, float epsilon, size_t channels, void *tiles);

// x ← rope(x + bias) of a block [rows, heads · head_dim]; bias [heads · head_dim] or NULL. The
// first and second half of a head's first `turned` channels are the real and imaginary part (Hugging
// Face layout); those behind them stay as they are, without a bias. cosines, sines:
// [positions, turned / 2]. Row 0 is at first_position < positions; after position positions − 1
// comes 0, the next sample's first.
void flap_rope_block(float *x, size_t stride, size_t rows, size_t heads, size_t head_dim,
                     size_t turned, const float *bias, const float *cosines, const float *sines,
                     size_t first_position, size_t positions);

// gate ← gate / (1 + exp(−gate)) · up of blocks [rows, columns]; relative error of the fraction
// below 2⁻²¹.
void flap_swiglu_block(float *gate, size_t gate_stride, const float *up, size_t up_stride,
                       size_t rows, size_t columns);
// gate ← GELU(gate) · up, by the approximation gate / (1 + exp(−2u)), u = √(2/π) · (gate +
// 0.044715 gate³), which is gate · (1 + tanh(u)) / 2.
void flap_geglu_block(float *gate, size_t gate_stride, const float *up, size_t up_stride,
                      size_t rows, size_t columns);

// x ← x + (y + bias) of a block [rows, columns]; bias [columns] or NULL.
void flap_add_block(float *x, size_t x_stride, const float *y, size_t y_stride, const float *bias,
                    size_t rows, size_t columns);
// x ← x + scale · (y + bias) of the same.
void flap_add_scaled_block(float *x, size_t x_stride, const float *y, size_t y_stride,
                           const float *bias, float scale, size_t rows, size_t columns);
// x ← x + y · weight / sqrt(mean(y²) + epsilon) of rows [channels].
void flap_add_rms_norm(float *x, size_t x_stride, const float *y, size_t y_stride, size_t rows,
                       const float *weight, float epsilon, size_t channels);
// y ← y · weight / sqrt(mean(y²) + epsilon) of rows [channels].
void flap_rms_norm(float *y, size_t stride, size_t rows, const float *weight, float epsilon,
                   size_t channels);
// x ← x + bias of a block [rows, columns].
void flap_add_bias(float *x, size_t stride, const float *bias, size_t rows, size_t columns);

// Causal attention of one head over one sample of `tokens` tokens, on tiles (flap_products.h):
// queries are row tiles [tokens, head_dim], keys column tiles with the tokens as outputs, values
// column tiles with the channels as outputs and the tokens as inner dimension. Panels and groups
// lie one after another. Bytes of each:
size_t flap_attention_query_bytes(flap_format format, size_t tokens, size_t head_dim);
size_t flap_attention_key_bytes(flap_format format, size_t tokens, size_t head_dim);
size_t flap_attention_value_bytes(flap_format format, size_t tokens, size_t head_dim);
// Write tokens first_token … + token_count of a sample of `tokens` tokens from f32 rows (x is the
// row of first_token). Calls may split a sample anywhere and run at once; starts at multiples of
// 16 are fast. The call that writes the last token writes the zeros beyond it.
void flap_attention_pack_query(flap_format format, const float *x, size_t stride,
                               size_t first_token, size_t token_count, size_t tokens,
                               size_t head_dim, void *tiles);
void flap_attention_pack_key(flap_format format, const float *x, size_t stride, size_t first_token,
                             size_t token_count, size_t tokens, size_t head_dim, void *tiles);
void flap_attention_pack_value(flap_format format, const float *x, size_t stride,
                               size_t first_token, size_t token_count, size_t tokens,
                               size_t head_dim, void *tiles);
// out[t] = softmax(q[t]·k[s…t] / divisor) · v[s…t] for t in first_query … + query_count, f32,
// where s = max(0, t + 1 − window), or 0 if window is 0: a query sees that many keys, its own too.
// out is the row of first_query, a multiple of 16. Operands, the weights too, are of the format,
// sums and exponentials f32. Bits do not depend on how the queries are split.
// scratch: flap_attention_scratch(…) bytes of the calling thread, aligned to 64.
void flap_attention(flap_format format, const void *query, const void *key, const void *value,
                    size_t tokens, size_t head_dim, double divisor, size_t window,
                    size_t first_query, size_t query_count, float *out, size_t out_stride, void *scratch);
size_t flap_attention_scratch(flap_format format, size_t head_dim);

// Mean and Σ(x − mean)² of each of `channels` columns over `rows` rows, two passes in f64.
// Not finite exactly where a value of the column is not.
void flap_channel_moments(const float *x, size_t stride, size_t rows, size_t channels, double *mean,
                          double *m2);

// log Σ exp of rows that come in blocks of columns [rows, columns]: log(sums[r]) + maxima[r] after
// the last block, the sums in f64. Before the first, maxima are −∞ and sums 0.
void flap_log_sum_exp_block(const float *x, size_t stride, size_t rows, size_t columns,
                            float *maxima, double *sums);
// How far the distribution softmax(x) is from softmax(y), in blocks of columns as above: sums of
// Σ exp(y − maximum) and Σ exp(y − maximum)·(y − x). After the last block the Kullback-Leibler
// divergence of a row is gap / sum − log Σ exp(y) + log Σ exp(x).
void flap_gap_block(const float *y, size_t y_stride, const float *x, size_t stride, size_t rows,
                    size_t columns, float *maxima, double *sums, double *gaps);

// exp, for tests: relative error below 2⁻²² on [−87.3, 88.3]; 0 below, exp(88.3) above.
void flap_exp(const float *from, float *to, size_t count);
#endif
