// bf16 products with AMX-BF16, over tile operations that the including file defines: the
// instructions themselves, or their emulation in C. With constant tile numbers below 8:
//   tile_open(), tile_close()         before and after; all tiles are TILE_SIDE rows of ROW_BYTES
//   tile_zero(n), tile_load(n, from, row_bytes), tile_store(n, to, row_bytes)
//   tile_multiply(n, a, b)            n += a · b: f32 += pairs of bf16
//   TILE_TARGET, MULTIPLY_TILES       attributes of functions; name of the multiplier
#include "products.h"

// 512 channels of 2 groups are 32 KiB.
enum { GROUPS = 2, PANELS = 2, DEPTH = 16 };

// Panels × groups of y in tiles 0 … 3; the columns pass through 4 and 5, the rows through 6 and 7.
TILE_TARGET FLAP_INLINE void multiply_block(const flap_slab *s, size_t panel,
                                            flap_ahead ahead, const int panels, const int groups) {
  const char *x = s->x + panel * s->panel_bytes, *w = s->w;
  const size_t y_bytes = s->y_stride * sizeof(float);
  float *y00 = s->y + panel * TILE_SIDE * s->y_stride, *y01 = y00 + 16;
  float *y10 = y00 + TILE_SIDE * s->y_stride, *y11 = y10 + 16;
  if (s->from_zero) {
    tile_zero(0);
    if (groups == 2) tile_zero(1);
    if (panels == 2) tile_zero(2);
    if (panels == 2 && groups == 2) tile_zero(3);
  } else {
    tile_load(0, y00, y_bytes);
    if (groups == 2) tile_load(1, y01, y_bytes);
    if (panels == 2) tile_load(2, y10, y_bytes);
    if (panels == 2 && groups == 2) tile_load(3, y11, y_bytes);
  }
  for (size_t t = 0; t < s->tiles; t++, x += TILE_BYTES, w += TILE_BYTES) {
    fetch_ahead(ahead, t, s->group_bytes, groups);
    // Rows stream from the L2 cache: two tiles ahead.
    UNROLL for (int p = 0; p < panels; p++) UNROLL for (int r = 0; r < TILE_SIDE; r++)
      __builtin_prefetch(x + p * s->panel_bytes + 2 * TILE_BYTES + r * ROW_BYTES, 0, 3);
    tile_load(4, w, ROW_BYTES);
    tile_load(6, x, ROW_BYTES);
    tile_multiply(0, 6, 4);
    if (groups == 2) {
      tile_load(5, w + s->group_bytes, ROW_BYTES);
      tile_multiply(1, 6, 5);
    }
    if (panels == 2) {
      tile_load(7, x + s->panel_bytes, ROW_BYTES);
      tile_multiply(2, 7, 4);
      if (groups == 2) tile_multiply(3, 7, 5);
    }
  }
  tile_store(0, y00, y_bytes);
  if (groups == 2) tile_store(1, y01, y_bytes);
  if (panels == 2) tile_store(2, y10, y_bytes);
  if (panels == 2 && groups == 2) tile_store(3, y11, y_bytes);
}

TILE_TARGET FLAP_INLINE void multiply_panels(const flap_slab *s, const int groups) {
  const size_t passes = (s->panels + 1) / PANELS;
  for (size_t pass = 0; pass < passes; pass++) {
    size_t panel = PANELS * pass;
    flap_ahead ahead = ahead_of(s, pass, passes);
    if (panel + 1 < s->panels) multiply_block(s, panel, ahead, 2, groups);
    else multiply_block(s, panel, ahead, 1, groups);
  }
}

TILE_TARGET static void multiply_slab(const flap_slab *s) {
  if (s->groups == 2) multiply_panels(s, 2);
  else multiply_panels(s, 1);
}

TILE_TARGET void MULTIPLY_TILES(const flap_product *p) {
  tile_open();
  flap_for_each_slab(p, DEPTH, GROUPS, multiply_slab);
  tile_close();
}
