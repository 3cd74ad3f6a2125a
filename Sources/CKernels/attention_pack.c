// Queries, keys and values of one head, from f32 rows into the tiles that attention multiplies.
#include "attention_tiles.h"
#include "conversions.h"

// Element `part` of a unit; the unit is 4 bytes.
FLAP_INLINE void put(int format, char *unit, size_t part, float x) {
  uint16_t bits = round_one_to_bf16(x);
  if (format == FLAP_BF16)
    memcpy(unit + 2 * part, &bits, sizeof bits);
  else
    memcpy(unit, &x, sizeof x);
}

// One row of a panel or column of a group, element by element, zeros where x is NULL: for tokens
// whose panel is shared with a neighbouring call.
static void put_vector(int format, int as_column, const float *x, size_t row, size_t head_dim,
                       char *tiles) {
  const size_t width = tile_width(format), per_unit = width / 16;
  for (size_t d = 0; d < rounded_up(head_dim, width); d++) {
    size_t unit = d % width / per_unit;
    char *at = tiles + d / width * TILE + 4 * (as_column ? unit * 16 + row : row * 16 + unit);
    put(format, at, d % per_unit, x && d < head_dim ? x[d] : 0);
  }
}

// Whole panels at once; token by token where a panel is shared with a neighbouring call.
static void pack_vectors(int format, int as_columns, const float *x, size_t stride, size_t first,
                         size_t count, size_t tokens, size_t head_dim, char *tiles) {
  const size_t panel_bytes = tiles_over(format, head_dim) * TILE, end = first + count;
  for (size_t token = first; token < end;) {
    char *panel = tiles + token / PANEL * panel_bytes;
    const float *row = x + (token - first) * stride;
    const size_t rows = smaller(end - token, PANEL);
    if (token % PANEL == 0 && (rows == PANEL || end == tokens)) {
      if (as_columns)
        flap_pack_group(format, 2, row, stride, rows, head_dim, panel);
      else
        flap_pack_rows(format, row, stride, rows, head_dim, panel);
      token += rows;
    } else {
      put_vector(format, as_columns, row, token % PANEL, head_dim, panel);
      token++;
      for (size_t i = token; token == tokens && i % PANEL; i++)
        put_vector(format, as_columns, NULL, i % PANEL, head_dim, panel);
    }
  }
}

void flap_attention_pack_query(int format, const float *x, size_t stride, size_t first_token,
                               size_t token_count, size_t tokens, size_t head_dim, void *tiles) {
  pack_vectors(format, 0, x, stride, first_token, token_count, tokens, head_dim, tiles);
}

void flap_attention_pack_key(int format, const float *x, size_t stride, size_t first_token,
                             size_t token_count, size_t tokens, size_t head_dim, void *tiles) {
  pack_vectors(format, 1, x, stride, first_token, token_count, tokens, head_dim, tiles);
}

// 16 channels of one token, or of a pair of tokens, as a row of units; `second` may be NULL.
FLAP_INLINE void put_unit_row(int format, const float *first, const float *second, size_t channels,
                              char *to) {
  f32x16 a = load_up_to_16(first, channels);
  f32x16 b = second ? load_up_to_16(second, channels) : splat16(0);
  u32x16 units =
      format == FLAP_BF16 ? pair_of_rounded(round_to_bf16(a), round_to_bf16(b)) : as_bits(a);
  memcpy(to, &units, sizeof units);
}

FLAP_KERNEL void flap_attention_pack_value(int format, const float *x, size_t stride,
                                           size_t first_token, size_t token_count, size_t tokens,
                                           size_t head_dim, void *tiles) {
  const size_t width = tile_width(format), per_unit = width / 16;
  const size_t group_bytes = tiles_over(format, tokens) * TILE, end = first_token + token_count;
  for (size_t token = first_token; token < end;) {
    const float *row = x + (token - first_token) * stride;
    char *at = (char *)tiles + token / width * TILE + token % width / per_unit * TILE_ROW;
    const size_t part = token % per_unit;
    if (part == 0 && (token + per_unit <= end || end == tokens)) {
      const float *next = per_unit == 2 && token + 1 < end ? row + stride : NULL;
      for (size_t d = 0; d < head_dim; d += 16, at += group_bytes)
        put_unit_row(format, row + d, next ? next + d : NULL, head_dim - d, at);
      token += per_unit;
    } else { // Half a pair: its other half is another call's.
      for (size_t d = 0; d < rounded_up(head_dim, 16); d++)
        put(format, at + d / 16 * group_bytes + d % 16 * 4, part, d < head_dim ? row[d] : 0);
      // … unless the sample ends with the second half; its first half ended the call before.
      token++;
    }
  }
  if (end < tokens) return;
  // Zeros from the sample's end to the tile's.
  const size_t written = rounded_up(end, per_unit) % width / per_unit * TILE_ROW;
  for (size_t d = 0; written && d < head_dim; d += 16)
    memset((char *)tiles + (d / 16 * (group_bytes / TILE) + end / width) * TILE + written, 0,
           TILE - written);
}
