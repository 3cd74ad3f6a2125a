// Causal attention without a [tokens, tokens] matrix (Dao et al., arXiv 2205.14135), on tiles:
// a block of queries meets blocks of keys one after another and keeps, per query, the running
// maximum, the running sum of exponentials and the weighted sum of values.
#include "products.h"

// Scores of SCORED panels and KEYS keys stay in the first-level cache until they are weights; the
// weights of QUERIES queries, their keys and values stay in the second-level cache.
enum { QUERIES = 64, KEYS = 256, SCORED = 2 };

size_t flap_attention_query_bytes(flap_format format, size_t tokens, size_t head_dim) {
  return panels_over(tokens) * tiles_over(format, head_dim) * TILE_BYTES;
}

size_t flap_attention_key_bytes(flap_format format, size_t tokens, size_t head_dim) {
  return flap_attention_query_bytes(format, tokens, head_dim);
}

size_t flap_attention_value_bytes(flap_format format, size_t tokens, size_t head_dim) {
  return panels_over(head_dim) * tiles_over(format, tokens) * TILE_BYTES;
}

// Where the scratch of one thread lies, in floats: everything starts at a multiple of 64 bytes.
struct layout {
  size_t padded_dim, weights, weighted, maxima, sums, end;
};

FLAP_INLINE struct layout scratch_layout(flap_format format, size_t head_dim) {
  struct layout layout;
  layout.padded_dim = rounded_up(head_dim, TILE_SIDE);
  layout.weights = SCORED * TILE_SIDE * KEYS; // The scores lie before.
  layout.weighted = layout.weights + QUERIES * KEYS / unit_width(format);
  layout.maxima = layout.weighted + QUERIES * layout.padded_dim;
  layout.sums = layout.maxima + QUERIES;
  layout.end = layout.sums + QUERIES;
  return layout;
}

size_t flap_attention_scratch(flap_format format, size_t head_dim) {
  return scratch_layout(format, head_dim).end * sizeof(float);
}

// One panel of queries meets a block of keys. scores [TILE_SIDE][KEYS]: their first `width`
// columns, a multiple of 32, become exponentials; row r sees keys hidden + r … seen + r − 1 of the
// block, those below 0 in blocks before. scale, the logarithm's base included, costs nothing here:
// it is one factor of a fused multiply-add. maxima are of scaled scores.
FLAP_KERNEL void flap_attention_softmax(float *scores, size_t width, ptrdiff_t hidden, size_t seen,
                                        float scale, bool first_block, float *maxima, float *sums,
                                        float *weighted, size_t padded_dim) {
  for (size_t r = 0; r < TILE_SIDE; r++, hidden++) {
    float *row = scores + r * KEYS;
    size_t visible = seen + r;
    // A row's first block is the one in which its window begins.
    const bool first = first_block || hidden >= 0;
    if (hidden >= (ptrdiff_t)width) { // The window begins behind the block.
      memset(row, 0, width * sizeof(float));
      continue;
    }
    for (ptrdiff_t i = 0; i < hidden; i++) row[i] = -INFINITY;
    if (visible < width) {
      size_t i = visible;
      for (; i % 16; i++) row[i] = -INFINITY;
      for (; i < width; i += 16) store16(row + i, splat16(-INFINITY));
    }
    f32x16 top0 = load16(row), top1 = load16(row + 16);
    for (size_t i = 32; i < width; i += 32) {
      top0 = max16(top0, load16(row + i));
      top1 = max16(top1, load16(row + i + 16));
    }
    float largest = largest16(max16(top0, top1)) * scale;
    if (!first) largest = largest > maxima[r] ? largest : maxima[r];
    f32x16 sum0 = splat16(0), sum1 = splat16(0);
    for (size_t i = 0; i < width; i += 32) {
      f32x16 e0 = exp2_16(load16(row + i) * scale - largest);
      f32x16 e1 = exp2_16(load16(row + i + 16) * scale - largest);
      store16(row + i, e0);
      store16(row + i + 16, e1);
      sum0 += e0;
      sum1 += e1;
    }
    float sum = sum16(sum0 + sum1);
    if (first) {
      sums[r] = sum;
      maxima[r] = largest;
    } else if (largest == maxima[r]) {
      sums[r] += sum; // Most rows, most of the time.
    } else {
      float shrink = exp2_16(splat16(maxima[r] - largest))[0];
      sums[r] = sums[r] * shrink + sum;
      maxima[r] = largest;
      float *values = weighted + r * padded_dim;
      for (size_t d = 0; d < padded_dim; d += 16) store16(values + d, load16(values + d) * shrink);
    }
  }
}

// out[r] = weighted[r] / sums[r].
FLAP_KERNEL void flap_attention_finish(const float *weighted, size_t padded_dim, const float *sums,
                                       size_t rows, size_t head_dim, float *out,
                                       size_t out_stride) {
  for (size_t r = 0; r < rows; r++) {
    const float *from = weighted + r * padded_dim;
    float *to = out + r * out_stride, inverse = 1 / sums[r];
    size_t d = 0;
    for (; d + 16 <= head_dim; d += 16) store16(to + d, load16(from + d) * inverse);
    for (; d < head_dim; d++) to[d] = from[d] * inverse;
  }
}

void flap_attention(flap_format format, const void *q, const void *k, const void *v, size_t tokens,
                    size_t head_dim, double divisor, size_t window, size_t first_query,
                    size_t query_count, float *out, size_t out_stride, void *scratch) {
  const struct layout layout = scratch_layout(format, head_dim);
  float *scores = scratch, *weighted = scores + layout.weighted;
  float *maxima = scores + layout.maxima, *sums = scores + layout.sums;
  char *weights = (char *)(scores + layout.weights);
  const size_t dim_tiles = tiles_over(format, head_dim), width_of_tile = tile_width(format);
  const size_t value_stride = tiles_over(format, tokens), weight_stride = KEYS / width_of_tile;
  const float scale = (float)(1.4426950408889634 / divisor);

  for (size_t done = 0; done < query_count; done += QUERIES) {
    const size_t first = first_query + done, queries = smaller(query_count - done, QUERIES);
    const size_t panels = panels_over(queries), end = first + panels * TILE_SIDE;
    const size_t first_key = window && first >= window ? (first + 1 - window) / KEYS * KEYS : 0;
    for (size_t key = first_key; key < end; key += KEYS) {
      const size_t key_tiles = tiles_over(format, smaller(end - key, KEYS));
      const char *key_groups = (const char *)k + key / TILE_SIDE * dim_tiles * TILE_BYTES;
      for (size_t p = 0; p < panels; p += SCORED) {
        const size_t count = smaller(panels - p, SCORED), query = first + p * TILE_SIDE;
        const size_t scored_end = query + count * TILE_SIDE;
        if (scored_end > key)
          flap_multiply((flap_product){
              .format = format,
              .x = (const char *)q + query / TILE_SIDE * dim_tiles * TILE_BYTES,
              .panel_stride = dim_tiles,
              .panels = count,
              .w = key_groups,
              .group_stride = dim_tiles,
              .groups = smaller(scored_end - key, KEYS) / TILE_SIDE,
              .inner_tiles = dim_tiles,
              .y = scores,
              .y_stride = KEYS,
          });
        for (size_t i = 0; i < count; i++) {
          // How many keys of the block the panel's first query sees, and its last, rounded up.
          const size_t row = (p + i) * TILE_SIDE, limit = first + row + 1;
          const ptrdiff_t hidden =
              window ? (ptrdiff_t)limit - (ptrdiff_t)(window + key) : -TILE_SIDE;
          const size_t seen = limit > key && hidden < KEYS ? limit - key : 0;
          const size_t width = seen ? smaller(rounded_up(seen + TILE_SIDE - 1, 32), KEYS) : 0;
          char *tiles = weights + (p + i) * weight_stride * TILE_BYTES;
          if (seen) {
            float *panel = scores + i * TILE_SIDE * KEYS;
            flap_attention_softmax(panel, width, hidden, seen, scale, key == 0, maxima + row,
                                   sums + row, weighted + row * layout.padded_dim,
                                   layout.padded_dim);
            flap_pack_rows(format, panel, KEYS, TILE_SIDE, width, tiles);
          }
          const size_t written = tiles_over(format, width);
          if (written < key_tiles)
            memset(tiles + written * TILE_BYTES, 0, (key_tiles - written) * TILE_BYTES);
        }
      }
      flap_multiply((flap_product){
          .format = format,
          .x = weights,
          .panel_stride = weight_stride,
          .panels = panels,
          .w = (const char *)v + key / width_of_tile * TILE_BYTES,
          .group_stride = value_stride,
          .groups = panels_over(head_dim),
          .inner_tiles = key_tiles,
          .y = weighted,
          .y_stride = layout.padded_dim,
          .accumulate = key > first_key,
      });
    }
    flap_attention_finish(weighted, layout.padded_dim, sums, queries, head_dim,
                          out + done * out_stride, out_stride);
  }
}
