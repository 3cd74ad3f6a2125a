// What the engines of the matrix products share.
#ifndef FLAP_PRODUCTS_INTERNAL_H
#define FLAP_PRODUCTS_INTERNAL_H
#include "flap_products.h"
#include "vector.h"

// A tile's rows, and the units of a row: a panel's rows or a group's outputs on one side, units of
// the inner dimension on the other.
enum { TILE_SIDE = 16 };
enum { UNIT_BYTES = 4, ROW_BYTES = TILE_SIDE * UNIT_BYTES, TILE_BYTES = TILE_SIDE * ROW_BYTES };

// Panels or groups that rows or outputs take.
FLAP_INLINE size_t panels_over(size_t rows) { return divided_up(rows, TILE_SIDE); }
// Elements of the inner dimension that a unit holds and that a tile spans; tiles that `inner` take.
FLAP_INLINE size_t unit_width(flap_format format) { return format == FLAP_BF16 ? 2 : 1; }
FLAP_INLINE size_t tile_width(flap_format format) { return TILE_SIDE * unit_width(format); }
FLAP_INLINE size_t tiles_over(flap_format format, size_t inner) {
  return divided_up(inner, tile_width(format));
}

#define UNROLL _Pragma("clang loop unroll(full)")

typedef void flap_multiplier(const flap_product *);

// One or two groups of a product over a block of the inner dimension: their tiles stay in the L1
// cache while all panels pass by.
typedef struct {
  const char *x, *w; // The first panel's, the first group's first tile of the block.
  size_t panel_bytes, panels, group_bytes, groups, tiles;
  float *y;
  size_t y_stride;
  int from_zero;
  const char *next_w; // Where the next slab's column tiles begin; NULL at the end.
} flap_slab;

typedef void flap_slab_multiplier(const flap_slab *);

// Cuts a product into slabs of at most `depth` tiles and `groups` groups.
void flap_for_each_slab(const flap_product *, size_t depth, size_t groups,
                        flap_slab_multiplier *);

// What one of the passes over the panels of a slab fetches into the L2 cache, so that the next
// slab's columns arrive evenly: of each of their tiles, `lines` cache lines from `from` on.
typedef struct {
  const char *from;
  size_t lines;
} flap_ahead;

FLAP_INLINE flap_ahead ahead_of(const flap_slab *s, size_t pass, size_t passes) {
  size_t share = divided_up(TILE_SIDE, passes), first = pass * share;
  if (!s->next_w || first >= TILE_SIDE) return (flap_ahead){s->w, 0};
  return (flap_ahead){s->next_w + first * ROW_BYTES, share};
}

FLAP_INLINE void fetch_ahead(flap_ahead ahead, size_t tile, size_t group_bytes, const int groups) {
  for (size_t line = 0; line < ahead.lines; line++)
    UNROLL for (int g = 0; g < groups; g++)
      __builtin_prefetch(ahead.from + tile * TILE_BYTES + line * ROW_BYTES + g * group_bytes, 0, 2);
}

// Engines; each is there only where the processor architecture has it.
flap_multiplier flap_multiply_amx, flap_multiply_amx_emulated, flap_multiply_avx512_bf16;
flap_multiplier flap_multiply_bf16_avx512, flap_multiply_bf16_avx2, flap_multiply_bf16_default;
flap_multiplier flap_multiply_f32_avx512, flap_multiply_f32_avx2, flap_multiply_f32_default;
// Whether the CPU has AMX-BF16 and the system lets this process use it.
bool flap_amx_is_usable(void);
#endif
