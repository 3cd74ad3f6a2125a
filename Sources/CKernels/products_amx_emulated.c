// The AMX engine's code over tile instructions written in C, so that it is tested on every CPU.
#include "conversions.h"
#include "products.h"

#define TILE_TARGET
#define MULTIPLY_TILES flap_multiply_amx_emulated
#define tile_open() memset(tiles, 0xff, sizeof tiles)
#define tile_close() memset(tiles, 0xff, sizeof tiles)
#define tile_zero(n) memset(tiles[n], 0, sizeof tiles[n])
#define tile_load load_tile
#define tile_store store_tile
#define tile_multiply multiply_tiles

static _Thread_local unsigned char tiles[8][TILE_SIDE][ROW_BYTES];

static void load_tile(int n, const void *from, size_t row_bytes) {
  for (int r = 0; r < TILE_SIDE; r++)
    memcpy(tiles[n][r], (const char *)from + r * row_bytes, ROW_BYTES);
}

static void store_tile(int n, void *to, size_t row_bytes) {
  for (int r = 0; r < TILE_SIDE; r++) memcpy((char *)to + r * row_bytes, tiles[n][r], ROW_BYTES);
}

// Denormals count as zero, in operands and results.
static float flush(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; }

static float bf16_at(const unsigned char *p) {
  uint16_t half;
  memcpy(&half, p, sizeof half);
  return flush(widen_one_bf16(half));
}

// TDPBF16PS: the pairs' first and second products are summed apart from zero, each by fused
// multiplications, then to one another, then to the tile, always rounded to nearest even.
static void multiply_tiles(int n, int a, int b) {
  for (int row = 0; row < TILE_SIDE; row++) {
    for (int column = 0; column < TILE_SIDE; column++) {
      float sums[2] = {0, 0}, y;
      for (int k = 0; k < TILE_SIDE; k++)
        for (int i = 0; i < 2; i++)
          sums[i] = flush(fmaf(bf16_at(tiles[a][row] + UNIT_BYTES * k + 2 * i),
                               bf16_at(tiles[b][k] + UNIT_BYTES * column + 2 * i), sums[i]));
      memcpy(&y, tiles[n][row] + UNIT_BYTES * column, sizeof y);
      y = flush(flush(y) + flush(sums[0] + sums[1]));
      memcpy(tiles[n][row] + UNIT_BYTES * column, &y, sizeof y);
    }
  }
}

#include "products_amx.h"
