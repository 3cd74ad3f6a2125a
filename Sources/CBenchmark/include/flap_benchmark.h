// What the worker's forward pass is compared with: a library's products alone, and the peak of
// the unit that multiplies.
#ifndef FLAP_BENCHMARK_H
#define FLAP_BENCHMARK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What operands are made of.
typedef enum { FLAP_BENCH_BF16, FLAP_BENCH_F32 } flap_bench_format;

// A product of oneDNN: y[rows, outputs] = x[rows, inner] · w[outputs, inner]ᵀ, all bf16 or all
// f32, with weights of its own (noise). It uses the threads that OpenMP has (OMP_NUM_THREADS).
struct flap_bench_product;
// `is_packed`: the weights lie as the library likes them best, else as in a checkpoint.
// Returns a dnnl_status_t, 0 when it went well.
int flap_bench_product_create(struct flap_bench_product **product, flap_bench_format format,
                              bool is_packed, int64_t rows, int64_t inner, int64_t outputs);
int flap_bench_product_run(struct flap_bench_product *product, void *x, void *y);
void flap_bench_product_destroy(struct flap_bench_product *product);
// Such as "2.6.3".
const char *flap_bench_library_version(void);

// Small values with random signs and digits: numbers that are all the same let some
// CPUs run faster.
void flap_bench_fill(void *values, size_t count, flap_bench_format format, uint64_t seed);

// The fastest multiplier that the CPU has for a format: "amx-bf16", "avx512-bf16", "avx512",
// "avx2" or "vectors".
const char *flap_bench_unit(flap_bench_format format);
// Multiplies and adds from registers alone, in the calling thread.
// Returns the number of floating-point operations.
double flap_bench_peak(flap_bench_format format, size_t rounds);
#endif
