// Causal attention without a [tokens, tokens] matrix (Dao et al., arXiv 2205.14135): a tile of
// queries meets tiles of keys one after another and keeps, per query, the running maximum, the
// running sum of exponentials and the weighted sum of values.
#include "vector.h"

enum { QUERIES = 32, KEYS = 128, ROWS = 4 };

FLAP_INLINE size_t rounded(size_t count, size_t to) { return (count + to - 1) / to * to; }

size_t flap_attention_scratch(size_t tokens, size_t head_dim) {
  size_t padded_tokens = rounded(tokens, KEYS), padded_dim = rounded(head_dim, 16);
  return 2 * padded_tokens * padded_dim // keys transposed, values padded
         + QUERIES * KEYS               // scores of a tile
         + QUERIES * padded_dim         // weighted values
         + 2 * QUERIES                  // maxima and sums
         + ROWS * padded_dim;           // a few queries, one after another
}

// scores[r][key] = q[r] · keys[:, key] · scale for ROWS queries and 32 keys at a time.
FLAP_INLINE void score(const float *q, size_t q_stride, const float *keys, size_t key_stride,
                       size_t head_dim, float scale, float *scores) {
  for (size_t key = 0; key < KEYS; key += 32) {
    v16 sums[ROWS][2];
    memset(sums, 0, sizeof sums);
    for (size_t d = 0; d < head_dim; d++) {
      v16 low = load16(keys + d * key_stride + key), high = load16(keys + d * key_stride + key + 16);
      for (int r = 0; r < ROWS; r++) {
        float x = q[r * q_stride + d];
        sums[r][0] += low * x;
        sums[r][1] += high * x;
      }
    }
    for (int r = 0; r < ROWS; r++) {
      store16(scores + r * KEYS + key, sums[r][0] * scale);
      store16(scores + r * KEYS + key + 16, sums[r][1] * scale);
    }
  }
}

// weighted[r] += Σ_key p[r][key] · values[key] for ROWS queries and 32 channels at a time.
FLAP_INLINE void weigh(const float *p, const float *values, size_t padded_dim, size_t keys,
                       float *weighted) {
  for (size_t d = 0; d < padded_dim; d += 16) {
    v16 sums[ROWS];
    for (int r = 0; r < ROWS; r++) sums[r] = load16(weighted + r * padded_dim + d);
    for (size_t key = 0; key < keys; key++) {
      v16 value = load16(values + key * padded_dim + d);
      for (int r = 0; r < ROWS; r++) sums[r] += value * p[r * KEYS + key];
    }
    for (int r = 0; r < ROWS; r++) store16(weighted + r * padded_dim + d, sums[r]);
  }
}

FLAP_KERNEL void flap_attention(const float *q, size_t q_stride, const float *k, size_t k_stride,
                                const float *v, size_t v_stride, float *out, size_t out_stride,
                                size_t tokens, size_t head_dim, float scale, float *scratch) {
  size_t padded_tokens = rounded(tokens, KEYS), padded_dim = rounded(head_dim, 16);
  float *keys = scratch, *values = keys + padded_tokens * padded_dim;
  float *scores = values + padded_tokens * padded_dim, *weighted = scores + QUERIES * KEYS;
  float *maxima = weighted + QUERIES * padded_dim, *sums = maxima + QUERIES, *q_rows = sums + QUERIES;

  memset(scratch, 0, 2 * padded_tokens * padded_dim * sizeof(float));
  for (size_t t = 0; t < tokens; t++)
    for (size_t d = 0; d < head_dim; d++) keys[d * padded_tokens + t] = k[t * k_stride + d];
  for (size_t t = 0; t < tokens; t++)
    memcpy(values + t * padded_dim, v + t * v_stride, head_dim * sizeof(float));

  for (size_t first = 0; first < tokens; first += QUERIES) {
    size_t queries = tokens - first < QUERIES ? tokens - first : QUERIES;
    memset(weighted, 0, QUERIES * padded_dim * sizeof(float));
    for (size_t r = 0; r < QUERIES; r++) maxima[r] = -INFINITY, sums[r] = 0;
    for (size_t key = 0; key < first + queries; key += KEYS) {
      size_t seen = first + queries - key < KEYS ? first + queries - key : KEYS;
      for (size_t row = 0; row < queries; row += ROWS) {
        // The last rows of a ragged tile are computed over again from its last whole query.
        for (size_t r = 0; r < ROWS; r++) {
          size_t query = first + (row + r < queries ? row + r : queries - 1);
          memcpy(q_rows + r * head_dim, q + query * q_stride, head_dim * sizeof(float));
        }
        float *tile = scores + row * KEYS;
        score(q_rows, head_dim, keys + key, padded_tokens, head_dim, scale, tile);
        for (size_t r = row; r < row + ROWS; r++) {
          size_t query = first + (r < queries ? r : queries - 1);
          size_t visible = query + 1 > key ? query + 1 - key : 0;
          if (visible > KEYS) visible = KEYS;
          float *p = scores + r * KEYS;
          for (size_t i = visible; i < KEYS; i++) p[i] = -INFINITY;
          v16 top = splat16(maxima[r]);
          for (size_t i = 0; i < KEYS; i += 16) top = max16(top, load16(p + i));
          float largest = top[0];
          for (int j = 1; j < 16; j++) largest = top[j] > largest ? top[j] : largest;
          if (largest == -INFINITY) { // Nothing visible yet: no weights.
            memset(p, 0, KEYS * sizeof(float));
            continue;
          }
          v16 total = splat16(0);
          for (size_t i = 0; i < KEYS; i += 16) {
            v16 e = exp16(load16(p + i) - largest);
            store16(p + i, e);
            total += e;
          }
          float shrink = maxima[r] == -INFINITY ? 0 : exp16(splat16(maxima[r] - largest))[0];
          sums[r] = sums[r] * shrink + sum16(total);
          maxima[r] = largest;
          for (size_t d = 0; d < padded_dim; d += 16)
            store16(weighted + r * padded_dim + d, load16(weighted + r * padded_dim + d) * shrink);
        }
        weigh(tile, values + key * padded_dim, padded_dim, seen, weighted + row * padded_dim);
      }
    }
    for (size_t r = 0; r < queries; r++)
      for (size_t d = 0; d < head_dim; d++)
        out[(first + r) * out_stride + d] = weighted[r * padded_dim + d] / sums[r];
  }
}
