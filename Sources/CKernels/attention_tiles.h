// How a head's queries, keys, values and weights lie in tiles (layout: flap_products.h).
#ifndef FLAP_ATTENTION_TILES_H
#define FLAP_ATTENTION_TILES_H
#include "products.h"

enum { PANEL = TILE_ROWS };

// How many elements of the inner dimension a tile spans.
FLAP_INLINE size_t tile_width(int format) { return format == FLAP_BF16 ? 32 : 16; }
FLAP_INLINE size_t tiles_over(int format, size_t inner) {
  return rounded_up(inner, tile_width(format)) / tile_width(format);
}
#endif
