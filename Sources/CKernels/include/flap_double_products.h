// Matrix products in f64, and what a blocked Cholesky factorization needs on its diagonal.
#ifndef FLAP_DOUBLE_PRODUCTS_H
#define FLAP_DOUBLE_PRODUCTS_H
#include <stdbool.h>
#include <stddef.h>

// c [rows, columns] = a [rows, inner] · b [inner, columns]. Strides in doubles; either stride of an
// operand may be 1, so that a transposed one costs nothing.
typedef struct {
  size_t rows, columns, inner;
  const double *a;
  size_t a_row, a_inner;    // From row to row, along the inner dimension.
  const double *b;
  size_t b_column, b_inner; // From column to column, along the inner dimension.
  double *c;
  size_t c_row;             // From row to row; columns lie side by side.
  bool accumulate;          // c += instead of c =.
  bool negate;              // Of the product.
  bool lower;               // Only columns ≤ row of c are wanted; others may be written or left.
} flap_double_product;

// Each element of c sums its terms in ascending order of the inner dimension, from 0 or from c: its
// bits depend on whether the CPU fuses products and sums, never on how a product is cut into calls.
// Safe from any thread. About 512 × 512 of c at once pays for the packing of the operands.
// c may be a itself, with its strides, where columns = inner ≤ FLAP_DOUBLE_DEPTH.
// scratch: flap_double_scratch() bytes of the calling thread, aligned to 64.
void flap_double_multiply(const flap_double_product *product, void *scratch);
size_t flap_double_scratch(void);
enum { FLAP_DOUBLE_DEPTH = 256 };

// The versions that this CPU has, best first, "avx512", "avx2", "baseline"; NULL from the end on.
const char *flap_double_engine_at(size_t index);
// flap_double_multiply on one of them.
void flap_double_multiply_at(size_t index, const flap_double_product *product, void *scratch);

// A = L·Lᵀ in place, in the lower triangle of a [count, count]; what is above is left as it is.
// Returns count, or the first row whose pivot is not above least[row] (a NaN is above nothing).
size_t flap_double_factor(double *a, size_t stride, size_t count, const double *least);
// to [count, count] = L⁻¹, zeros above the diagonal.
void flap_double_invert_lower(const double *l, size_t stride, size_t count, double *to,
                              size_t to_stride);
#endif
