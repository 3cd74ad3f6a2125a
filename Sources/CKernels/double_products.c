// Matrix products in f64: operands are packed block by block, tiles of c stay in registers.
#include "flap_double_products.h"
#include "vector.h"

// Of b, DEPTH × WIDTH lie packed in the last cache (1 MiB); of a, HEIGHT × DEPTH in the second one.
enum { DEPTH = FLAP_DOUBLE_DEPTH, WIDTH = 512, HEIGHT = 96, LANES = 8 };
// Rows and columns of the largest register tile.
enum { MOST_ROWS = 12, MOST_COLUMNS = 16 };

#define UNROLL _Pragma("clang loop unroll(full)")

FLAP_INLINE f64x8 load8(const double *p) { f64x8 v; memcpy(&v, p, sizeof v); return v; }
FLAP_INLINE void store8(double *p, f64x8 v) { memcpy(p, &v, sizeof v); }

// c [rows, 8 · vectors] += a · b of packed operands [inner][rows] and [inner][8 · vectors].
FLAP_INLINE void multiply_tile(const double *a, const double *b, size_t inner, double *c,
                               size_t stride, bool from_zero, const int rows, const int vectors) {
  f64x8 sums[MOST_ROWS][MOST_COLUMNS / LANES];
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++)
    sums[r][v] = from_zero ? (f64x8)(0.0) : load8(c + r * stride + LANES * v);
  for (size_t k = 0; k < inner; k++, a += rows, b += LANES * vectors) {
    f64x8 columns[MOST_COLUMNS / LANES];
    UNROLL for (int v = 0; v < vectors; v++) columns[v] = load8(b + LANES * v);
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++)
      sums[r][v] = (f64x8)(a[r]) * columns[v] + sums[r][v];
  }
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++)
    store8(c + r * stride + LANES * v, sums[r][v]);
}

typedef void tile_multiplier(const double *a, const double *b, size_t inner, double *c,
                             size_t stride, bool from_zero);

typedef struct {
  const char *name;
  size_t rows, columns; // Of a register tile.
  tile_multiplier *multiply;
  bool (*is_usable)(void);
} engine;

#if defined(__x86_64__)
// Registers for sums: 24 of 32, 12 of 16. The level's usual 256 bits would halve the vectors.
__attribute__((target("arch=x86-64-v4"), min_vector_width(512))) static void tile_avx512(
    const double *a, const double *b, size_t inner, double *c, size_t stride, bool from_zero) {
  multiply_tile(a, b, inner, c, stride, from_zero, 12, 2);
}
__attribute__((target("arch=x86-64-v3"))) static void tile_avx2(
    const double *a, const double *b, size_t inner, double *c, size_t stride, bool from_zero) {
  multiply_tile(a, b, inner, c, stride, from_zero, 6, 1);
}
static bool has_avx512(void) { return __builtin_cpu_supports("x86-64-v4"); }
static bool has_avx2(void) { return __builtin_cpu_supports("x86-64-v3"); }
enum { DEFAULT_ROWS = 2 };
#else
enum { DEFAULT_ROWS = 6 };
#endif
static void tile_default(const double *a, const double *b, size_t inner, double *c, size_t stride,
                         bool from_zero) {
  multiply_tile(a, b, inner, c, stride, from_zero, DEFAULT_ROWS, 1);
}
static bool always(void) { return true; }

// Best first.
static const engine engines[] = {
#if defined(__x86_64__)
    {"avx512", 12, 16, tile_avx512, has_avx512},
    {"avx2", 6, 8, tile_avx2, has_avx2},
#endif
    {"baseline", DEFAULT_ROWS, 8, tile_default, always},
};

static const engine *engine_at(size_t index) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
    if (engines[i].is_usable() && index-- == 0) return engines + i;
  return NULL;
}

const char *flap_double_engine_at(size_t index) {
  const engine *e = engine_at(index);
  return e ? e->name : NULL;
}

// Panels of `width` lines, each [inner][width]; lines beyond are zeros.
FLAP_INLINE void pack(const double *from, size_t line_stride, size_t inner_stride, size_t lines,
                      size_t inner, size_t width, double sign, double *to) {
  for (size_t line = 0; line < lines; line += width, from += width * line_stride) {
    const size_t count = smaller(width, lines - line);
    for (size_t k = 0; k < inner; k++, to += width) {
      const double *p = from + k * inner_stride;
      for (size_t i = 0; i < count; i++) to[i] = sign * p[i * line_stride];
      for (size_t i = count; i < width; i++) to[i] = 0;
    }
  }
}

// A tile at the edge of c goes through a full one.
static void multiply_edge(const engine *e, const double *a, const double *b, size_t inner,
                          double *c, size_t stride, size_t rows, size_t columns, bool from_zero) {
  double full[MOST_ROWS * MOST_COLUMNS] = {0};
  if (!from_zero)
    for (size_t r = 0; r < rows; r++)
      memcpy(full + r * e->columns, c + r * stride, columns * sizeof *c);
  e->multiply(a, b, inner, full, e->columns, from_zero);
  for (size_t r = 0; r < rows; r++)
    memcpy(c + r * stride, full + r * e->columns, columns * sizeof *c);
}

// Rows first_row … of c, of which a is packed, times columns first_column …, of which b is.
static void multiply_packed(const engine *e, const flap_double_product *p, const double *a,
                            size_t first_row, size_t rows, const double *b, size_t first_column,
                            size_t columns, size_t inner, bool from_zero) {
  for (size_t j = 0; j < columns; j += e->columns) {
    const size_t width = smaller(e->columns, columns - j);
    for (size_t i = 0; i < rows; i += e->rows) {
      const size_t height = smaller(e->rows, rows - i);
      if (p->lower && first_column + j > first_row + i + height - 1) continue;
      double *c = p->c + (first_row + i) * p->c_row + first_column + j;
      if (height == e->rows && width == e->columns)
        e->multiply(a + i * inner, b + j * inner, inner, c, p->c_row, from_zero);
      else
        multiply_edge(e, a + i * inner, b + j * inner, inner, c, p->c_row, height, width,
                      from_zero);
    }
  }
}

enum { A_BYTES = (HEIGHT + MOST_ROWS) * DEPTH * 8, B_BYTES = (WIDTH + MOST_COLUMNS) * DEPTH * 8 };
size_t flap_double_scratch(void) { return A_BYTES + B_BYTES; }

static void multiply(const engine *e, const flap_double_product *p, void *scratch) {
  double *a = scratch, *b = (double *)((char *)scratch + A_BYTES);
  if (p->inner == 0 && !p->accumulate)
    for (size_t r = 0; r < p->rows; r++) memset(p->c + r * p->c_row, 0, p->columns * sizeof *p->c);
  for (size_t k = 0; k < p->inner; k += DEPTH) {
    const size_t inner = smaller(DEPTH, p->inner - k);
    for (size_t j = 0; j < p->columns; j += WIDTH) {
      const size_t columns = smaller(WIDTH, p->columns - j);
      pack(p->b + j * p->b_column + k * p->b_inner, p->b_column, p->b_inner, columns, inner,
           e->columns, 1, b);
      for (size_t i = 0; i < p->rows; i += HEIGHT) {
        const size_t rows = smaller(HEIGHT, p->rows - i);
        if (p->lower && j > i + rows - 1) continue;
        pack(p->a + i * p->a_row + k * p->a_inner, p->a_row, p->a_inner, rows, inner, e->rows,
             p->negate ? -1 : 1, a);
        multiply_packed(e, p, a, i, rows, b, j, columns, inner, k == 0 && !p->accumulate);
      }
    }
  }
}

void flap_double_multiply(const flap_double_product *product, void *scratch) {
  multiply(engine_at(0), product, scratch);
}

void flap_double_multiply_at(size_t index, const flap_double_product *product, void *scratch) {
  multiply(engine_at(index), product, scratch);
}

FLAP_KERNEL size_t flap_double_factor(double *a, size_t stride, size_t count, const double *least) {
  double column[FLAP_DOUBLE_DEPTH];
  for (size_t j = 0; j < count; j++) {
    const double pivot = a[j * stride + j];
    if (!(pivot > least[j])) return j;
    const double root = sqrt(pivot);
    a[j * stride + j] = root;
    for (size_t i = j + 1; i < count; i++) column[i] = a[i * stride + j] /= root;
    for (size_t i = j + 1; i < count; i++) {
      double *row = a + i * stride;
      const double factor = row[j];
      for (size_t k = j + 1; k <= i; k++) row[k] -= factor * column[k];
    }
  }
  return count;
}

FLAP_KERNEL void flap_double_invert_lower(const double *l, size_t stride, size_t count, double *to,
                                          size_t to_stride) {
  for (size_t i = 0; i < count; i++) {
    double *row = to + i * to_stride;
    for (size_t k = 0; k < count; k++) row[k] = 0;
    for (size_t k = 0; k < i; k++) {
      const double factor = l[i * stride + k];
      const double *other = to + k * to_stride;
      for (size_t j = 0; j <= k; j++) row[j] -= factor * other[j];
    }
    const double scale = 1 / l[i * stride + i];
    for (size_t k = 0; k < i; k++) row[k] *= scale;
    row[i] = scale;
  }
}
