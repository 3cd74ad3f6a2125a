// Products with compiler vector types: f32, and bf16 widened to f32 slab by slab.
#include "conversions.h"
#include "products.h"

// 256 channels, in f32 tiles, of at most two groups are 32 KiB.
enum { GROUPS = 2, DEPTH = 16, BF16_DEPTH = DEPTH / 2 };

// `rows` rows × `groups` groups of y over f32 tiles; the sums stay in registers.
FLAP_INLINE void multiply_block(const flap_slab *s, const char *x, float *y, flap_ahead ahead,
                                const int rows, const int groups) {
  f32x16 sums[8][GROUPS];
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int g = 0; g < groups; g++)
    sums[r][g] = s->from_zero ? splat16(0) : load16(y + r * s->y_stride + 16 * g);
  for (size_t t = 0; t < s->tiles; t++) {
    fetch_ahead(ahead, t, s->group_bytes, groups);
    UNROLL for (int u = 0; u < TILE_SIDE; u++) {
      f32x16 columns[GROUPS];
      UNROLL for (int g = 0; g < groups; g++)
        columns[g] = load16(
            (const float *)(s->w + g * s->group_bytes + t * TILE_BYTES + u * ROW_BYTES));
      UNROLL for (int r = 0; r < rows; r++) {
        const char *unit = x + t * TILE_BYTES + r * ROW_BYTES + u * UNIT_BYTES;
        f32x16 value = splat16(*(const float *)unit);
        UNROLL for (int g = 0; g < groups; g++) sums[r][g] = value * columns[g] + sums[r][g];
      }
    }
  }
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int g = 0; g < groups; g++)
    store16(y + r * s->y_stride + 16 * g, sums[r][g]);
}

// One panel. 32 registers of 16 floats hold the sums of 8 rows × 2 groups, 16 registers of
// 8 floats those of 6 rows × 1 group, each with its operands.
FLAP_INLINE void multiply_panel(const flap_slab *s, const char *x, float *y, flap_ahead ahead,
                                const int rows, const int groups) {
  const flap_ahead nothing = {x, 0};
  multiply_block(s, x, y, ahead, rows, groups);
  x += rows * ROW_BYTES, y += rows * s->y_stride;
  if (rows == 8) {
    multiply_block(s, x, y, nothing, 8, groups);
  } else {
    multiply_block(s, x, y, nothing, 5, groups);
    multiply_block(s, x + 5 * ROW_BYTES, y + 5 * s->y_stride, nothing, 5, groups);
  }
}

FLAP_INLINE void multiply_f32(const flap_slab *s, const int rows, const int groups) {
  for (size_t panel = 0; panel < s->panels; panel++)
    multiply_panel(s, s->x + panel * s->panel_bytes, s->y + panel * TILE_SIDE * s->y_stride,
                   ahead_of(s, panel, s->panels), rows, groups);
}

FLAP_INLINE u32x16 load_pairs(const char *p) { u32x16 v; memcpy(&v, p, sizeof v); return v; }

// A bf16 row tile → two f32 row tiles.
FLAP_INLINE void widen_rows(const char *from, char *to) {
  for (int r = 0; r < TILE_SIDE; r++, from += ROW_BYTES, to += ROW_BYTES) {
    f32x16 a = first_of_pairs(load_pairs(from)), b = second_of_pairs(load_pairs(from));
    store16((float *)to, __builtin_shufflevector(
        a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    store16((float *)(to + TILE_BYTES), __builtin_shufflevector(
        a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
  }
}

// A bf16 column tile → two f32 column tiles.
FLAP_INLINE void widen_columns(const char *from, char *to) {
  for (int u = 0; u < TILE_SIDE; u++, from += ROW_BYTES, to += 2 * ROW_BYTES) {
    store16((float *)to, first_of_pairs(load_pairs(from)));
    store16((float *)(to + ROW_BYTES), second_of_pairs(load_pairs(from)));
  }
}

FLAP_INLINE void multiply_bf16(const flap_slab *s, const int rows, const int groups) {
  _Alignas(64) char columns[GROUPS * DEPTH * TILE_BYTES], panel_rows[DEPTH * TILE_BYTES];
  for (int g = 0; g < groups; g++)
    for (size_t t = 0; t < s->tiles; t++)
      widen_columns(s->w + g * s->group_bytes + t * TILE_BYTES,
                    columns + (g * DEPTH + 2 * t) * TILE_BYTES);
  flap_slab wide = *s;
  wide.w = columns;
  wide.group_bytes = DEPTH * TILE_BYTES;
  wide.tiles = 2 * s->tiles;
  for (size_t panel = 0; panel < s->panels; panel++) {
    for (size_t t = 0; t < s->tiles; t++)
      widen_rows(s->x + panel * s->panel_bytes + t * TILE_BYTES, panel_rows + 2 * t * TILE_BYTES);
    multiply_panel(&wide, panel_rows, s->y + panel * TILE_SIDE * s->y_stride,
                   (flap_ahead){columns, 0}, rows, groups);
  }
}

#if defined(__x86_64__)
// The level's usual 256 bits would halve the width of the vectors.
#define AVX512 __attribute__((target("arch=x86-64-v4"), min_vector_width(512)))
#define AVX2 __attribute__((target("arch=x86-64-v3")))

AVX512 static void f32_avx512(const flap_slab *s) {
  if (s->groups == 2) multiply_f32(s, 8, 2);
  else multiply_f32(s, 8, 1);
}
AVX512 static void bf16_avx512(const flap_slab *s) {
  if (s->groups == 2) multiply_bf16(s, 8, 2);
  else multiply_bf16(s, 8, 1);
}
AVX2 static void f32_avx2(const flap_slab *s) { multiply_f32(s, 6, 1); }
AVX2 static void bf16_avx2(const flap_slab *s) { multiply_bf16(s, 6, 1); }

void flap_multiply_f32_avx512(const flap_product *p) {
  flap_for_each_slab(p, DEPTH, 2, f32_avx512);
}
void flap_multiply_bf16_avx512(const flap_product *p) {
  flap_for_each_slab(p, BF16_DEPTH, 2, bf16_avx512);
}
void flap_multiply_f32_avx2(const flap_product *p) {
  flap_for_each_slab(p, DEPTH, 1, f32_avx2);
}
void flap_multiply_bf16_avx2(const flap_product *p) {
  flap_for_each_slab(p, BF16_DEPTH, 1, bf16_avx2);
}
#endif

static void f32_default(const flap_slab *s) { multiply_f32(s, 6, 1); }
static void bf16_default(const flap_slab *s) { multiply_bf16(s, 6, 1); }

void flap_multiply_f32_default(const flap_product *p) {
  flap_for_each_slab(p, DEPTH, 1, f32_default);
}
void flap_multiply_bf16_default(const flap_product *p) {
  flap_for_each_slab(p, BF16_DEPTH, 1, bf16_default);
}
