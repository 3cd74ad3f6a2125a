// Rows of a matrix → the tiles of the products.
#include "conversions.h"
#include "products.h"

FLAP_INLINE size_t element_bytes(flap_element element) {
  return element == FLAP_ELEMENT_F32 ? sizeof(float) : sizeof(uint16_t);
}

// 16 channels of a row as f32.
FLAP_INLINE f32x16 load_channels(const flap_element element, const char *p) {
  if (element == FLAP_ELEMENT_F32) {
    f32x16 v;
    memcpy(&v, p, sizeof v);
    return v;
  }
  u16x16 halves = load_halves(p);
  return element == FLAP_ELEMENT_F16 ? widen_f16(halves) : widen_bf16(halves);
}

// 16 units of a row.
FLAP_INLINE u32x16 load_units(const flap_format format, const flap_element element,
                              const char *p) {
  if (format == FLAP_F32) return as_bits(load_channels(element, p));
  if (element == FLAP_ELEMENT_BF16) {
    u32x16 v;
    memcpy(&v, p, sizeof v);
    return v;
  }
  u32x16 first = round_to_bf16(load_channels(element, p));
  u32x16 second = round_to_bf16(load_channels(element, p + 16 * element_bytes(element)));
  u32x16 even = __builtin_shufflevector(
      first, second, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  u32x16 odd = __builtin_shufflevector(
      first, second, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  return pair_of_rounded(even, odd);
}

FLAP_INLINE void transpose(u32x16 rows[TILE_SIDE]) {
  u32x16 t[TILE_SIDE];
UNROLL
  for (int i = 0; i < 16; i += 2) {
    t[i] = __builtin_shufflevector(
        rows[i], rows[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    t[i + 1] = __builtin_shufflevector(
        rows[i], rows[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
  // rows[4i + j]: column j of each block of four columns, of the rows 4i … 4i + 3.
UNROLL
  for (int i = 0; i < 16; i += 4) {
UNROLL
    for (int j = 0; j < 2; j++) {
      rows[i + 2 * j] = __builtin_shufflevector(
          t[i + j], t[i + j + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
      rows[i + 2 * j + 1] = __builtin_shufflevector(
          t[i + j], t[i + j + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
  }
  // A transpose of 4 × 4 blocks of 128 bits.
UNROLL
  for (int j = 0; j < 4; j++) {
    u32x16 a = rows[j], b = rows[4 + j], c = rows[8 + j], d = rows[12 + j];
    u32x16 ab_even = __builtin_shufflevector(
        a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    u32x16 ab_odd = __builtin_shufflevector(
        a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    u32x16 cd_even = __builtin_shufflevector(
        c, d, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    u32x16 cd_odd = __builtin_shufflevector(
        c, d, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    t[j] = __builtin_shufflevector(
        ab_even, cd_even, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    t[4 + j] = __builtin_shufflevector(
        ab_odd, cd_odd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    t[8 + j] = __builtin_shufflevector(
        ab_even, cd_even, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    t[12 + j] = __builtin_shufflevector(
        ab_odd, cd_odd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
UNROLL
  for (int i = 0; i < 16; i++) rows[i] = t[i];
}

// One tile from 16 rows at `p`, `row_bytes` apart.
FLAP_INLINE void pack_tile(const flap_format format, const flap_element element,
                           const bool as_columns, const char *p, size_t row_bytes, char *tile) {
  u32x16 rows[TILE_SIDE];
UNROLL
  for (int r = 0; r < 16; r++) rows[r] = load_units(format, element, p + r * row_bytes);
  if (as_columns) transpose(rows);
UNROLL
  for (int r = 0; r < 16; r++) memcpy(tile + r * ROW_BYTES, &rows[r], ROW_BYTES);
}

FLAP_INLINE void pack(const flap_format format, const flap_element element, const bool as_columns,
                      const char *p, size_t row_bytes, size_t rows, size_t channels, char *tiles) {
  const size_t channel_bytes = element_bytes(element), width = tile_width(format);
  size_t channel = 0;
  for (; rows == TILE_SIDE && channel + width <= channels; channel += width) {
    pack_tile(format, element, as_columns, p + channel * channel_bytes, row_bytes, tiles);
    tiles += TILE_BYTES;
  }
  // Ragged edges go through a tile's worth of zeros: two bf16 of a unit may come from two f32.
  for (; channel < channels; channel += width) {
    char edge[2 * TILE_BYTES] = {0};
    const size_t edge_bytes = width * channel_bytes;
    size_t bytes = smaller(width, channels - channel) * channel_bytes;
    for (size_t r = 0; r < rows; r++)
      memcpy(edge + r * edge_bytes, p + r * row_bytes + channel * channel_bytes, bytes);
    pack_tile(format, element, as_columns, edge, edge_bytes, tiles);
    tiles += TILE_BYTES;
  }
}

FLAP_KERNEL void flap_pack_group(flap_format format, flap_element element, const void *rows,
                                 size_t row_stride, size_t outputs, size_t inner, void *tiles) {
// Each of the six is a loop of its own.
#define PACK(FORMAT, ELEMENT) \
  pack(FORMAT, ELEMENT, true, rows, row_stride * element_bytes(ELEMENT), outputs, inner, tiles)
  if (format == FLAP_BF16) {
    if (element == FLAP_ELEMENT_BF16) PACK(FLAP_BF16, FLAP_ELEMENT_BF16);
    else if (element == FLAP_ELEMENT_F16) PACK(FLAP_BF16, FLAP_ELEMENT_F16);
    else PACK(FLAP_BF16, FLAP_ELEMENT_F32);
  } else {
    if (element == FLAP_ELEMENT_BF16) PACK(FLAP_F32, FLAP_ELEMENT_BF16);
    else if (element == FLAP_ELEMENT_F16) PACK(FLAP_F32, FLAP_ELEMENT_F16);
    else PACK(FLAP_F32, FLAP_ELEMENT_F32);
  }
#undef PACK
}

FLAP_KERNEL void flap_pack_rows(flap_format format, const float *x, size_t stride, size_t rows,
                                size_t channels, void *tiles) {
  const char *p = (const char *)x;
  const size_t row_bytes = stride * sizeof(float);
  if (format == FLAP_BF16)
    pack(FLAP_BF16, FLAP_ELEMENT_F32, false, p, row_bytes, rows, channels, tiles);
  else
    pack(FLAP_F32, FLAP_ELEMENT_F32, false, p, row_bytes, rows, channels, tiles);
}

// Rows 2i and 2i + 1 of a half of a bf16 tile as pairs, or row i of an f32 tile; zeros where the
// rows do not count.
FLAP_INLINE u32x16 load_inner_unit(const flap_format format, const char *tile, size_t row,
                                   size_t row_count) {
  if (format == FLAP_F32) {
    if (row >= row_count) return (u32x16)(0);
    u32x16 v;
    memcpy(&v, tile + row * ROW_BYTES, sizeof v);
    return v;
  }
  u16x16 none = (u16x16)(0);
  u16x16 first = row < row_count ? load_halves(tile + row * ROW_BYTES) : none;
  u16x16 second = row + 1 < row_count ? load_halves(tile + (row + 1) * ROW_BYTES) : none;
  return __builtin_convertvector(first, u32x16) | __builtin_convertvector(second, u32x16) << 16;
}

FLAP_INLINE void add_row(f32x16 row, f64x8 *low, f64x8 *high) {
  *low += __builtin_convertvector(row.lo, f64x8);
  *high += __builtin_convertvector(row.hi, f64x8);
}

FLAP_INLINE void pack_transposed(const flap_format format, const char *x, size_t panel_bytes,
                                 size_t panels, const uint8_t *row_counts, char *row_tiles,
                                 char *column_tiles, double *sums) {
  // Units that a panel's rows make, and panels that a tile of the result spans.
  const size_t units = format == FLAP_BF16 ? 8 : 16, span = 16 / units;
  f64x8 low, high;
  memcpy(&low, sums, sizeof low);
  memcpy(&high, sums + 8, sizeof high);
  for (size_t first = 0; first < panels; first += span) {
    u32x16 rows[TILE_SIDE];
    for (size_t unit = 0; unit < 16; unit++) {
      const size_t panel = first + unit / units;
      const size_t count = panel < panels ? row_counts[panel] : 0;
      const char *tile = x + (panel < panels ? panel : first) * panel_bytes;
      rows[unit] = load_inner_unit(format, tile, unit % units * span, count);
      if (format == FLAP_F32) {
        add_row(as_float(rows[unit]), &low, &high);
      } else {
        add_row(first_of_pairs(rows[unit]), &low, &high);
        add_row(second_of_pairs(rows[unit]), &low, &high);
      }
    }
    memcpy(column_tiles, rows, TILE_BYTES);
    transpose(rows);
    memcpy(row_tiles, rows, TILE_BYTES);
    column_tiles += TILE_BYTES;
    row_tiles += TILE_BYTES;
  }
  memcpy(sums, &low, sizeof low);
  memcpy(sums + 8, &high, sizeof high);
}

FLAP_KERNEL void flap_pack_transposed(flap_format format, const void *x, size_t panel_stride,
                                      size_t panels, const uint8_t *row_counts, size_t channel,
                                      void *row_tiles, void *column_tiles, double *sums) {
  const size_t width = tile_width(format);
  const char *p = (const char *)x + channel / width * TILE_BYTES
                  + channel % width * (ROW_BYTES / width);
  if (format == FLAP_BF16)
    pack_transposed(FLAP_BF16, p, panel_stride * TILE_BYTES, panels, row_counts, row_tiles,
                    column_tiles, sums);
  else
    pack_transposed(FLAP_F32, p, panel_stride * TILE_BYTES, panels, row_counts, row_tiles,
                    column_tiles, sums);
}

FLAP_KERNEL void flap_add_wide_fixed_point(const float *y, size_t count, double scale,
                                           const float *scales, int64_t *fixed) {
  for (size_t i = 0; i < count; i++)
    fixed[i] += (int64_t)__builtin_rint((double)y[i] * scale * (double)scales[i]);
}

FLAP_KERNEL void flap_add_fixed_point(const float *y, size_t count, float scale,
                                      const float *scales, int32_t *fixed) {
  for (size_t i = 0; i < count; i++)
    fixed[i] += (int32_t)__builtin_rintf(y[i] * scale * scales[i]);
}
