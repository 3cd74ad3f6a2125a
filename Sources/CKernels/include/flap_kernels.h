// Vector kernels of the forward pass. Plain C with compiler vector types: the compiler makes one
// version for each x86-64 level (SSE2, AVX2, AVX-512) and the loader picks the best one that the
// CPU has; on other architectures there is one version. All matrices are row-major; no pointer
// needs more alignment than its element type.
#ifndef FLAP_KERNELS_H
#define FLAP_KERNELS_H
#include <stddef.h>
#include <stdint.h>

// Name of the version in use: "avx512", "avx2" or "baseline". It decides bits.
const char *flap_kernels_variant(void);
// Whether the CPU multiplies bf16 in hardware (AVX512-BF16 or AMX-BF16).
int flap_cpu_has_bf16(void);

// Conversions, round to nearest even; NaN stays NaN.
void flap_bf16_to_f32(const uint16_t *from, float *to, size_t count);
void flap_f16_to_f32(const uint16_t *from, float *to, size_t count);
void flap_f32_to_bf16(const float *from, uint16_t *to, size_t count);

// to[i] = from[i] · weight[i] / sqrt(mean(from²) + epsilon); one row.
void flap_rms_norm(const float *from, const float *weight, float epsilon, float *to, size_t count);

// Rotary embedding in place on `heads` vectors of `head_dim` at `x`: the first and second half
// of a head are the real and imaginary part (Hugging Face layout). cos, sin: [head_dim / 2].
void flap_rope(float *x, const float *cosines, const float *sines, size_t heads, size_t head_dim);

// gate[i] ← gate[i] / (1 + exp(−gate[i])) · up[i].
void flap_swiglu(float *gate, const float *up, size_t count);

// x[i] ← x[i] + y[i].
void flap_add(float *x, const float *y, size_t count);

// Causal attention of one head over one sample: out[t] = softmax(q[t]·k[0…t] · scale) · v[0…t].
// Strides are in floats from token to token. scratch: flap_attention_scratch(…) floats.
void flap_attention(const float *q, size_t q_stride, const float *k, size_t k_stride,
                    const float *v, size_t v_stride, float *out, size_t out_stride, size_t tokens,
                    size_t head_dim, float scale, float *scratch);
size_t flap_attention_scratch(size_t tokens, size_t head_dim);

// Mean and Σ(x − mean)² of each of `channels` columns over `rows` rows, two passes in f64.
// Not finite exactly where a value of the column is not.
void flap_channel_moments(const float *x, size_t stride, size_t rows, size_t channels, double *mean,
                          double *m2);

// log Σ exp(x[i]), the largest value taken out first; the sum in f64.
double flap_log_sum_exp(const float *x, size_t count);

// exp, for tests: relative error below 2⁻²² on [−87.3, 88.7]; 0 below.
void flap_exp(const float *from, float *to, size_t count);

// The number of threads that OpenMP (inside oneDNN) uses for the calling thread.
void flap_use_one_library_thread(void);
#endif
