// Queries, keys and values of one head, from f32 rows into the tiles that attention multiplies.
#include "conversions.h"
#include "products.h"

// Element `part` of a unit.
FLAP_INLINE void put(flap_format format, char *unit, size_t part, float x) {
  uint16_t bits = round_one_to_bf16(x);
  if (format == FLAP_BF16)
    memcpy(unit + sizeof bits * part, &bits, sizeof bits);
  else
    memcpy(unit, &x, sizeof x);
}

// One row of a panel or column of a group, element by element, zeros where x is NULL: for tokens
// whose panel is shared with a neighbouring call.
static void put_vector(flap_format format, bool as_column, const float *x, size_t row,
                       size_t head_dim, char *tiles) {
  const size_t width = tile_width(format), per_unit = unit_width(format);
  for (size_t d = 0; d < rounded_up(head_dim, width); d++) {
    size_t unit = d % width / per_unit;
    size_t place = as_column ? unit * TILE_SIDE + row : row * TILE_SIDE + unit;
    put(format, tiles + d / width * TILE_BYTES + place * UNIT_BYTES, d % per_unit,
        x && d < head_dim ? x[d] : 0);
  }
}

// Whole panels at once; token by token where a panel is shared with a neighbouring call.
static void pack_vectors(flap_format format, bool as_columns, const float *x, size_t stride,
                         size_t first, size_t count, size_t tokens, size_t head_dim,
                         char *tiles) {
  const size_t panel_bytes = tiles_over(format, head_dim) * TILE_BYTES, end = first + count;
  for (size_t token = first; token < end;) {
    char *panel = tiles + token / TILE_SIDE * panel_bytes;
    const float *row = x + (token - first) * stride;
    const size_t rows = smaller(end - token, TILE_SIDE);
    if (token % TILE_SIDE == 0 && (rows == TILE_SIDE || end == tokens)) {
      if (as_columns)
        flap_pack_group(format, FLAP_ELEMENT_F32, row, stride, rows, head_dim, panel);
      else
        flap_pack_rows(format, row, stride, rows, head_dim, panel);
      token += rows;
    } else {
      put_vector(format, as_columns, row, token % TILE_SIDE, head_dim, panel);
      token++;
      for (size_t i = token; token == tokens && i % TILE_SIDE; i++)
        put_vector(format, as_columns, NULL, i % TILE_SIDE, head_dim, panel);
    }
  }
}

void flap_attention_pack_query(flap_format format, const float *x, size_t stride,
                               size_t first_token, size_t token_count, size_t tokens,
                               size_t head_dim, void *tiles) {
  pack_vectors(format, false, x, stride, first_token, token_count, tokens, head_dim, tiles);
}

void flap_attention_pack_key(flap_format format, const float *x, size_t stride, size_t first_token,
                             size_t token_count, size_t tokens, size_t head_dim, void *tiles) {
  pack_vectors(format, true, x, stride, first_token, token_count, tokens, head_dim, tiles);
}

// 16 channels of one token, or of a pair of tokens, as a row of units; `second` may be NULL.
FLAP_INLINE void put_unit_row(flap_format format, const float *first, const float *second,
                              size_t channels, char *to) {
  f32x16 a = load_up_to_16(first, channels);
  f32x16 b = second ? load_up_to_16(second, channels) : splat16(0);
  u32x16 units =
      format == FLAP_BF16 ? pair_of_rounded(round_to_bf16(a), round_to_bf16(b)) : as_bits(a);
  memcpy(to, &units, sizeof units);
}

FLAP_KERNEL void flap_attention_pack_value(flap_format format, const float *x, size_t stride,
                                           size_t first_token, size_t token_count, size_t tokens,
                                           size_t head_dim, void *tiles) {
  const size_t width = tile_width(format), per_unit = unit_width(format);
  const size_t group_bytes = tiles_over(format, tokens) * TILE_BYTES;
  const size_t end = first_token + token_count;
  for (size_t token = first_token; token < end;) {
    const float *row = x + (token - first_token) * stride;
    const size_t unit = token % width / per_unit, part = token % per_unit;
    char *at = (char *)tiles + token / width * TILE_BYTES + unit * ROW_BYTES;
    if (part == 0 && (token + per_unit <= end || end == tokens)) {
      const float *next = per_unit == 2 && token + 1 < end ? row + stride : NULL;
      for (size_t d = 0; d < head_dim; d += TILE_SIDE, at += group_bytes)
        put_unit_row(format, row + d, next ? next + d : NULL, head_dim - d, at);
      token += per_unit;
    } else { // Half a pair: its other half is another call's.
      for (size_t d = 0; d < rounded_up(head_dim, TILE_SIDE); d++)
        put(format, at + d / TILE_SIDE * group_bytes + d % TILE_SIDE * UNIT_BYTES, part,
            d < head_dim ? row[d] : 0);
      // … unless the sample ends with the second half; its first half ended the call before.
      token++;
    }
  }
  if (end < tokens) return;
  // Zeros from the sample's end to the tile's.
  const size_t written = rounded_up(end, per_unit) % width / per_unit * ROW_BYTES;
  char *last = (char *)tiles + end / width * TILE_BYTES;
  for (size_t d = 0; written && d < head_dim; d += TILE_SIDE, last += group_bytes)
    memset(last + written, 0, TILE_BYTES - written);
}
