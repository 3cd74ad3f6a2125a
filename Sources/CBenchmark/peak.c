// The peak of the unit that multiplies: products of registers, as many at once as hide its latency.
#include "flap_benchmark.h"
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ACCUMULATORS 16
#define INNER_ROUNDS 1024
// Sums that are not read are left out by the compiler.
#define KEEP(value) __asm__ volatile("" : : "v"(value))
#define OPAQUE(value) __asm__ volatile("" : "+v"(value))

// 16 rows of A, 16 columns of B, 32 bf16 of the inner dimension; each product and sum count.
#define TILE_OPERATIONS (16.0 * 16 * 32 * 2)

struct tile_configuration {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} __attribute__((packed));

__attribute__((target("amx-tile,amx-bf16"))) static double peak_amx(size_t rounds) {
  struct tile_configuration configuration = {.palette = 1};
  for (int tile = 0; tile < 8; tile++) {
    configuration.row_bytes[tile] = 64;
    configuration.rows[tile] = 16;
  }
  static const uint16_t operand[16][32] __attribute__((aligned(64)));
  _tile_loadconfig(&configuration);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, operand, 64);
  _tile_loadd(5, operand, 64);
  _tile_loadd(6, operand, 64);
  _tile_loadd(7, operand, 64);
  for (size_t i = 0; i < rounds * INNER_ROUNDS; i++) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return (double)rounds * INNER_ROUNDS * 4 * TILE_OPERATIONS;
}

__attribute__((target("avx512f,avx512bf16"))) static double peak_avx512_bf16(size_t rounds) {
  __m512 sums[ACCUMULATORS];
  for (int i = 0; i < ACCUMULATORS; i++) sums[i] = _mm512_setzero_ps();
  __m512bh a = (__m512bh)_mm512_set1_epi32(0x3c003c00), b = a;
  for (size_t i = 0; i < rounds * INNER_ROUNDS; i++) {
    for (int j = 0; j < ACCUMULATORS; j++) sums[j] = _mm512_dpbf16_ps(sums[j], a, b);
    OPAQUE(a);
    OPAQUE(b);
  }
  for (int i = 0; i < ACCUMULATORS; i++) KEEP(sums[i]);
  return (double)rounds * INNER_ROUNDS * ACCUMULATORS * 64;
}

__attribute__((target("avx512f"))) static double peak_avx512(size_t rounds) {
  __m512 sums[ACCUMULATORS];
  for (int i = 0; i < ACCUMULATORS; i++) sums[i] = _mm512_setzero_ps();
  __m512 a = _mm512_set1_ps(1e-3f), b = a;
  for (size_t i = 0; i < rounds * INNER_ROUNDS; i++) {
    for (int j = 0; j < ACCUMULATORS; j++) sums[j] = _mm512_fmadd_ps(a, b, sums[j]);
    OPAQUE(a);
    OPAQUE(b);
  }
  for (int i = 0; i < ACCUMULATORS; i++) KEEP(sums[i]);
  return (double)rounds * INNER_ROUNDS * ACCUMULATORS * 32;
}

// Twelve sums: with the operands they fit the sixteen registers.
__attribute__((target("avx2,fma"))) static double peak_avx2(size_t rounds) {
  __m256 sums[12];
  for (int i = 0; i < 12; i++) sums[i] = _mm256_setzero_ps();
  __m256 a = _mm256_set1_ps(1e-3f), b = a;
  for (size_t i = 0; i < rounds * INNER_ROUNDS; i++) {
    for (int j = 0; j < 12; j++) sums[j] = _mm256_fmadd_ps(a, b, sums[j]);
    OPAQUE(a);
    OPAQUE(b);
  }
  for (int i = 0; i < 12; i++) KEEP(sums[i]);
  return (double)rounds * INNER_ROUNDS * 12 * 16;
}

// The kernel grants the tiles' state on request only (arch_prctl(2): ARCH_REQ_XCOMP_PERM).
static bool may_use_tiles(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & 1u << 22) || !(d & 1u << 24)) return false;
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}

static bool has_avx512_bf16(void) {
  unsigned a, b, c, d;
  return __builtin_cpu_supports("avx512f") && __get_cpuid_count(7, 1, &a, &b, &c, &d)
         && (a & 1u << 5);
}
#else
static bool may_use_tiles(void) { return false; }
static bool has_avx512_bf16(void) { return false; }
#endif

// Whatever vectors the compiler has for the architecture.
static double peak_vectors(size_t rounds) {
  typedef float vector __attribute__((vector_size(16)));
  vector sums[16], a = {1e-3f, 1e-3f, 1e-3f, 1e-3f};
  memset(sums, 0, sizeof sums);
  for (size_t i = 0; i < rounds * 1024; i++) {
    for (int j = 0; j < 16; j++) sums[j] += a * a;
    __asm__ volatile("" : "+m"(a));
  }
  for (int i = 0; i < 16; i++) __asm__ volatile("" : : "m"(sums[i]));
  return (double)rounds * 1024 * 16 * 8;
}

const char *flap_bench_unit(flap_bench_format format) {
  const bool is_bf16 = format == FLAP_BENCH_BF16;
  if (is_bf16 && may_use_tiles()) return "amx-bf16";
  if (is_bf16 && has_avx512_bf16()) return "avx512-bf16";
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return "avx512";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "avx2";
#endif
  return "vectors";
}

double flap_bench_peak(flap_bench_format format, size_t rounds) {
#if defined(__x86_64__)
  const char *unit = flap_bench_unit(format);
  if (!strcmp(unit, "amx-bf16")) return peak_amx(rounds);
  if (!strcmp(unit, "avx512-bf16")) return peak_avx512_bf16(rounds);
  if (!strcmp(unit, "avx512")) return peak_avx512(rounds);
  if (!strcmp(unit, "avx2")) return peak_avx2(rounds);
#endif
  return peak_vectors(rounds);
}
