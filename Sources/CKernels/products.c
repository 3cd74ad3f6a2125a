// Which engine a product runs on, and how it is cut into slabs.
#include "products.h"
#include <stdatomic.h>

typedef struct {
  const char *name;
  flap_format format;
  flap_multiplier *multiply;
  bool (*is_usable)(void);
} engine;

static bool always(void) { return true; }

#if defined(__x86_64__)
#include <cpuid.h>
static bool has_avx512(void) { return __builtin_cpu_supports("x86-64-v4"); }
static bool has_avx2(void) { return __builtin_cpu_supports("x86-64-v3"); }
static bool has_avx512_bf16(void) {
  unsigned a, b, c, d;
  return has_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 5));
}
#endif
#if defined(__aarch64__)
#define DEFAULT_NAME "neon"
#else
#define DEFAULT_NAME "baseline"
#endif

// Best first.
static const engine engines[] = {
#if defined(__x86_64__) && defined(__linux__)
    {"amx-bf16", FLAP_BF16, flap_multiply_amx, flap_amx_is_usable},
#endif
#if defined(__x86_64__)
    {"avx512-bf16", FLAP_BF16, flap_multiply_avx512_bf16, has_avx512_bf16},
    {"avx512", FLAP_BF16, flap_multiply_bf16_avx512, has_avx512},
    {"avx2", FLAP_BF16, flap_multiply_bf16_avx2, has_avx2},
    {"avx512", FLAP_F32, flap_multiply_f32_avx512, has_avx512},
    {"avx2", FLAP_F32, flap_multiply_f32_avx2, has_avx2},
#endif
    {DEFAULT_NAME, FLAP_BF16, flap_multiply_bf16_default, always},
    {DEFAULT_NAME, FLAP_F32, flap_multiply_f32_default, always},
    {"amx-emulated", FLAP_BF16, flap_multiply_amx_emulated, always},
};
enum { ENGINE_COUNT = sizeof engines / sizeof engines[0] };

// A bit for each engine that the CPU has. Whoever asks first finds them out; the answer is the
// same for everyone, so a race only writes it twice.
static unsigned usable_engines(void) {
  static atomic_uint found;
  unsigned usable = atomic_load_explicit(&found, memory_order_relaxed);
  if (usable) return usable;
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  for (unsigned i = 0; i < ENGINE_COUNT; i++)
    if (engines[i].is_usable()) usable |= 1u << i;
  atomic_store_explicit(&found, usable, memory_order_relaxed);
  return usable;
}

// The `index`-th usable engine of a format, NULL beyond the last.
static const engine *engine_at(flap_format format, size_t index) {
  unsigned usable = usable_engines();
  for (unsigned i = 0; i < ENGINE_COUNT; i++)
    if (engines[i].format == format && (usable & 1u << i) && index-- == 0) return &engines[i];
  return NULL;
}

const char *flap_product_engine(flap_format format) { return engine_at(format, 0)->name; }

const char *flap_product_engine_at(flap_format format, size_t index) {
  const engine *e = engine_at(format, index);
  return e ? e->name : NULL;
}

static void multiply(const engine *e, const flap_product *p) {
  if (p->inner_tiles > 0) {
    e->multiply(p);
  } else if (!p->accumulate) {
    for (size_t row = 0; row < TILE_SIDE * p->panels; row++)
      memset(p->y + row * p->y_stride, 0, TILE_SIDE * p->groups * sizeof(float));
  }
}

void flap_multiply(flap_product product) { multiply(engine_at(product.format, 0), &product); }

bool flap_multiply_on(const char *name, flap_product product) {
  const engine *e;
  for (size_t i = 0; (e = engine_at(product.format, i)); i++) {
    if (strcmp(e->name, name) != 0) continue;
    multiply(e, &product);
    return true;
  }
  return false;
}

// Slabs of one block of the inner dimension after another, so that the sums of an element keep
// their order; they pass through y from block to block, in f32 as in the registers.
void flap_for_each_slab(const flap_product *p, size_t depth, size_t groups,
                        flap_slab_multiplier *multiply_slab) {
  const char *x = p->x, *w = p->w;
  for (size_t tile = 0; tile < p->inner_tiles; tile += depth) {
    for (size_t group = 0; group < p->groups; group += groups) {
      flap_slab s = {
          .x = x + tile * TILE_BYTES,
          .w = w + (group * p->group_stride + tile) * TILE_BYTES,
          .panel_bytes = p->panel_stride * TILE_BYTES,
          .panels = p->panels,
          .group_bytes = p->group_stride * TILE_BYTES,
          .groups = smaller(groups, p->groups - group),
          .tiles = smaller(depth, p->inner_tiles - tile),
          .y = p->y + TILE_SIDE * group,
          .y_stride = p->y_stride,
          .from_zero = tile == 0 && !p->accumulate,
      };
      if (group + groups < p->groups) s.next_w = s.w + groups * s.group_bytes;
      else if (tile + depth < p->inner_tiles) s.next_w = w + (tile + depth) * TILE_BYTES;
      multiply_slab(&s);
    }
  }
}
