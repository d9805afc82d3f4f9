#include "base/dense.h"

#include <math.h>

#include "base/clones.h"

enum { PANEL = 32 }; /* rows of a factor that are found before all rows behind them are brought up to date */

/* OUT [n] += the sum of SIGN * factors[k * factor_step] * rows[k * row_step ..] over COUNT rows: four at a time, so that OUT
 * is not fetched for each. */
LENS_CLONES static void add_rows(double *restrict out, size_t n, double sign, const double *restrict factors, size_t factor_step,
                                 const double *restrict rows, size_t row_step, size_t count)
{
    size_t k = 0;
    for (; k + 4 <= count; k += 4) {
        const double *r0 = rows + k * row_step, *r1 = r0 + row_step, *r2 = r1 + row_step, *r3 = r2 + row_step;
        const double f0 = sign * factors[k * factor_step], f1 = sign * factors[(k + 1) * factor_step];
        const double f2 = sign * factors[(k + 2) * factor_step], f3 = sign * factors[(k + 3) * factor_step];
        for (size_t i = 0; i < n; i++)
            out[i] += (f0 * r0[i] + f1 * r1[i]) + (f2 * r2[i] + f3 * r3[i]);
    }
    for (; k < count; k++) {
        const double f = sign * factors[k * factor_step];
        for (size_t i = 0; i < n; i++)
            out[i] += f * rows[k * row_step + i];
    }
}

void lens_dense_add_products(double *out, size_t rows, size_t cols, const double *a, const double *b, size_t count)
{
    for (size_t r = 0; r < rows; r++)
        add_rows(out + r * cols, cols, 1, a + r, rows, b, cols, count);
}

void lens_dense_add_squares(double *out, size_t n, const double *a, size_t count)
{
    for (size_t r = 0; r < n; r++)
        add_rows(out + r * n + r, n - r, 1, a + r, n, a + r, n, count);
}

int lens_dense_factor(double *a, size_t n, lens_error *err)
{
    for (size_t first = 0; first < n; first += PANEL) {
        const size_t end = first + PANEL < n ? first + PANEL : n;
        for (size_t r = first; r < end; r++) {
            double *row = a + r * n;
            add_rows(row + r, n - r, -1, a + first * n + r, n, a + first * n + r, n, r - first);
            if (!(row[r] > 0) || !isfinite(row[r]))
                return lens_fail(err, LENS_E_ARGUMENT, "a matrix is not positive definite (row %zu of %zu)", r + 1, n);
            const double pivot = sqrt(row[r]);
            row[r] = pivot;
            for (size_t i = r + 1; i < n; i++)
                row[i] /= pivot;
        }
        for (size_t r = end; r < n; r++)
            add_rows(a + r * n + r, n - r, -1, a + first * n + r, n, a + first * n + r, n, end - first);
    }
    return 0;
}

static void divide(double *row, size_t cols, double by)
{
    for (size_t i = 0; i < cols; i++)
        row[i] /= by;
}

void lens_dense_solve(const double *factor, size_t n, double *right, size_t cols)
{
    for (size_t r = 0; r < n; r++) { /* U' y = right */
        add_rows(right + r * cols, cols, -1, factor + r, n, right, cols, r);
        divide(right + r * cols, cols, factor[r * n + r]);
    }
    for (size_t r = n; r-- > 0;) { /* U x = y */
        add_rows(right + r * cols, cols, -1, factor + r * n + r + 1, 1, right + (r + 1) * cols, cols, n - r - 1);
        divide(right + r * cols, cols, factor[r * n + r]);
    }
}
