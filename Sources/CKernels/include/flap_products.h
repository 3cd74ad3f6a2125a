// Matrix products over tiles.
//
// Operands consist of tiles of 1024 bytes, 64-byte aligned. A unit is 4 bytes of the inner
// dimension: a pair of bf16 (k, k + 1) or one f32. A tile spans 16 units: 32 channels in bf16, 16
// in f32.
// Row tiles (left operand x, [rows, inner]) hold [16 rows][16 units]; a panel is 16 rows over all
// of the inner dimension, its tiles one after another. Column tiles (right operand W in checkpoint
// order, [outputs, inner]) hold [16 units][16 outputs]; a group is 16 outputs over all of the inner
// dimension. What lies beyond the matrix is zero: the writer's duty.
#ifndef FLAP_PRODUCTS_H
#define FLAP_PRODUCTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What operands are made of.
typedef enum { FLAP_BF16, FLAP_F32 } flap_format;

// What a checkpoint's weights are made of.
typedef enum { FLAP_ELEMENT_BF16, FLAP_ELEMENT_F16, FLAP_ELEMENT_F32 } flap_element;

// y = x · wᵀ, or += to accumulate, in f32.
typedef struct {
  flap_format format;  // Of x and w.
  const void *x;       // Row tiles [panels][inner_tiles].
  size_t panel_stride; // From panel to panel, in tiles.
  size_t panels;
  const void *w;       // Column tiles [groups][inner_tiles].
  size_t group_stride; // From group to group, in tiles.
  size_t groups;
  size_t inner_tiles;  // Tiles of the inner dimension; 0: an empty sum.
  float *y;            // [16 · panels][16 · groups].
  size_t y_stride;     // From row to row, in floats.
  bool accumulate;
} flap_product;

// Each element of y sums its units in ascending order from 0 (from y): its bits depend on the
// engine, never on how a product is cut into calls by rows, by outputs, or by tiles of the inner
// dimension. Safe from any thread. The caller cuts a large product into output tiles, about
// 128 × 256 of y over all of the inner dimension: one and 512 channels of both operands then stay
// in the L2 cache. Strides that are no multiple of 64 tiles spread the operands over that cache's
// sets.
void flap_multiply(flap_product product);

// Name of the engine that flap_multiply runs. bf16: "amx-bf16", "avx512-bf16", or bf16 widened to
// f32 by one of the f32 engines "avx512", "avx2", "neon", "baseline".
const char *flap_product_engine(flap_format format);

// The engines of a format that this CPU has, best first; NULL from the end on. The last one of
// bf16, "amx-emulated", is the AMX engine's code over tile instructions written in C: slow, for
// tests.
const char *flap_product_engine_at(flap_format format, size_t index);

// flap_multiply on a named engine; false and nothing done if this CPU or the format lacks it.
bool flap_multiply_on(const char *engine, flap_product product);

// Checkpoint rows → the column tiles of one group, ⌈inner / channels of a tile⌉ of them, zeros
// beyond. rows needs no alignment; row_stride: elements; outputs ≤ 16. To bf16 rounds to nearest
// even; NaN stays NaN.
void flap_pack_group(flap_format format, flap_element element, const void *rows, size_t row_stride,
                     size_t outputs, size_t inner, void *tiles);

// f32 rows → row tiles of one panel, ⌈channels / channels of a tile⌉ of them from `tiles` on, zeros
// beyond. stride: floats; rows ≤ 16. To bf16 rounds to nearest even; NaN stays NaN.
void flap_pack_rows(flap_format format, const float *x, size_t stride, size_t rows, size_t channels,
                    void *tiles);

// Second moments: xᵀ · x is a product whose operands are both xᵀ, [channels, rows].
// Row tiles of x, [16 · panels rows, channels] → one panel and one group of xᵀ: 16 channels from
// `channel` on, a multiple of 16, with rows as inner dimension, ⌈16 · panels / channels of a tile⌉
// tiles each. panel_stride: tiles from panel to panel of x. Of panel p the first row_counts[p] rows
// count, the others are taken for zeros. Adds each channel's values to sums[16], in their order.
void flap_pack_transposed(flap_format format, const void *x, size_t panel_stride, size_t panels,
                          const uint8_t *row_counts, size_t channel, void *row_tiles,
                          void *column_tiles, double *sums);

// fixed[i] += y[i] · scale · scales[i], rounded to the nearest integer (to even).
void flap_add_fixed_point(const float *y, size_t count, float scale, const float *scales,
                          int32_t *fixed);
// The same into 64 bits, for terms whose size is not known beforehand.
void flap_add_wide_fixed_point(const float *y, size_t count, double scale, const float *scales,
                               int64_t *fixed);
#endif
