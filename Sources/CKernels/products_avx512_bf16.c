// bf16 products with AVX512-BF16: a unit row of a column tile is one operand of vdpbf16ps.
#include "products.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("arch=x86-64-v4,avx512bf16")))
// 8 × 2 sums are enough for the latency of vdpbf16ps; 512 channels of 2 groups are 32 KiB.
enum { ROWS = 8, GROUPS = 2, DEPTH = 16 };

// ROWS rows × `groups` groups of y; the sums stay in registers.
TARGET FLAP_INLINE void multiply_block(const flap_slab *s, const char *x, float *y,
                                       flap_ahead ahead, const int groups) {
  __m512 sums[ROWS][GROUPS];
  UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int g = 0; g < groups; g++)
    sums[r][g] = s->from_zero ? _mm512_setzero_ps() : _mm512_loadu_ps(y + r * s->y_stride + 16 * g);
  for (size_t t = 0; t < s->tiles; t++) {
    fetch_ahead(ahead, t, s->group_bytes, groups);
    UNROLL for (int u = 0; u < TILE_SIDE; u++) {
      __m512bh columns[GROUPS];
      UNROLL for (int g = 0; g < groups; g++)
        columns[g] = (__m512bh)_mm512_load_si512(
            s->w + g * s->group_bytes + t * TILE_BYTES + u * ROW_BYTES);
      UNROLL for (int r = 0; r < ROWS; r++) {
        int32_t unit;
        memcpy(&unit, x + t * TILE_BYTES + r * ROW_BYTES + u * UNIT_BYTES, sizeof unit);
        __m512bh pair = (__m512bh)_mm512_set1_epi32(unit);
        UNROLL for (int g = 0; g < groups; g++)
          sums[r][g] = _mm512_dpbf16_ps(sums[r][g], pair, columns[g]);
      }
    }
  }
  UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int g = 0; g < groups; g++)
    _mm512_storeu_ps(y + r * s->y_stride + 16 * g, sums[r][g]);
}

TARGET FLAP_INLINE void multiply_panels(const flap_slab *s, const int groups) {
  for (size_t panel = 0; panel < s->panels; panel++) {
    const char *x = s->x + panel * s->panel_bytes;
    float *y = s->y + panel * TILE_SIDE * s->y_stride;
    multiply_block(s, x, y, ahead_of(s, panel, s->panels), groups);
    multiply_block(s, x + ROWS * ROW_BYTES, y + ROWS * s->y_stride, (flap_ahead){x, 0}, groups);
  }
}

TARGET static void multiply_slab(const flap_slab *s) {
  if (s->groups == 2) multiply_panels(s, 2);
  else multiply_panels(s, 1);
}

void flap_multiply_avx512_bf16(const flap_product *p) {
  flap_for_each_slab(p, DEPTH, GROUPS, multiply_slab);
}
#endif
