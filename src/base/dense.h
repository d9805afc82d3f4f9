/* Dense matrices of doubles, row by row: as much of them as fitting a linear map needs. The result is the same to the last bit on every processor:
 * loops go along rows, and no sum is split. */
#ifndef LENS_BASE_DENSE_H
#define LENS_BASE_DENSE_H

#include <stddef.h>

#include "base/error.h"

/* OUT [rows, cols] += A' B for A [count, rows] and B [count, cols]. */
void lens_dense_add_products(double *out, size_t rows, size_t cols, const double *a, const double *b, size_t count);

/* OUT [n, n] += A' A for A [count, n]: the upper triangle alone, diagonal included. */
void lens_dense_add_squares(double *out, size_t n, const double *a, size_t count);

/* The upper triangle of A [n, n], symmetric, becomes U with U'U = A (Cholesky). What is below the diagonal is neither read nor written. 0, or -1:
 * LENS_E_ARGUMENT when A is not positive definite. */
int lens_dense_factor(double *a, size_t n, lens_error *err);

/* RIGHT [n, cols] becomes A^-1 RIGHT, with FACTOR as lens_dense_factor left it. */
void lens_dense_solve(const double *factor, size_t n, double *right, size_t cols);

#endif
