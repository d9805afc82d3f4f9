/* src/base/dense.c against plain loops. */
#include <math.h>

#include "base/dense.h"
#include "support.h"
#include "weights.h"

enum { N = 75, COLS = 19, COUNT = 90 }; /* more than two panels, and no multiple of four */

static double a[COUNT * N], b[COUNT * COLS], square[N * N], product[N * COLS];

static void fill(double *out, size_t count, uint64_t seed)
{
    float *numbers = malloc(count * sizeof *numbers);
    assert_non_null(numbers);
    test_random_fill(&seed, -1, 1, count, numbers);
    for (size_t i = 0; i < count; i++)
        out[i] = (double)numbers[i];
    free(numbers);
}

static int setup(void **state)
{
    (void)state;
    fill(a, COUNT * N, 3);
    fill(b, COUNT * COLS, 4);
    memset(square, 0, sizeof square);
    memset(product, 0, sizeof product);
    lens_dense_add_squares(square, N, a, COUNT);
    lens_dense_add_products(product, N, COLS, a, b, COUNT);
    return 0;
}

static void test_products(void **state)
{
    (void)state;
    for (size_t r = 0; r < N; r++) {
        for (size_t c = 0; c < N; c++) {
            double sum = 0;
            for (size_t k = 0; k < COUNT; k++)
                sum += a[k * N + r] * a[k * N + c];
            assert_true(c < r ? square[r * N + c] == 0 : fabs(square[r * N + c] - sum) < 1e-12);
        }
        for (size_t c = 0; c < COLS; c++) {
            double sum = 0;
            for (size_t k = 0; k < COUNT; k++)
                sum += a[k * N + r] * b[k * COLS + c];
            assert_true(fabs(product[r * COLS + c] - sum) < 1e-12);
        }
    }
}

static void test_a_solution_solves(void **state)
{
    (void)state;
    lens_error err = {0};
    double *factor = malloc(sizeof square), *solution = malloc(sizeof product);
    assert_true(factor && solution);
    memcpy(factor, square, sizeof square);
    memcpy(solution, product, sizeof product);
    for (size_t r = 1; r < N; r++)
        for (size_t c = 0; c < r; c++)
            factor[r * N + c] = NAN; /* is not looked at */
    assert_done(lens_dense_factor(factor, N, &err), &err);
    lens_dense_solve(factor, N, solution, COLS);
    for (size_t r = 0; r < N; r++)
        for (size_t c = 0; c < COLS; c++) {
            double sum = 0;
            for (size_t k = 0; k < N; k++)
                sum += (k < r ? square[k * N + r] : square[r * N + k]) * solution[k * COLS + c];
            assert_true(fabs(sum - product[r * COLS + c]) < 1e-9);
        }
    free(factor);
    free(solution);
}

static void test_what_is_not_positive_definite(void **state)
{
    (void)state;
    lens_error err = {0};
    double *factor = calloc(N * N, sizeof *factor);
    assert_non_null(factor);
    lens_dense_add_squares(factor, N, a, N - 5); /* of too few rows: five directions are flat */
    factor[N * N - 1] -= 1e-6;
    assert_int_equal(lens_dense_factor(factor, N, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    assert_says(&err, "not positive definite");
    double bad[4] = {1, NAN, 0, 1};
    assert_int_equal(lens_dense_factor(bad, 2, &err), -1);
    assert_says(&err, "row 2 of 2");
    double negative[4] = {1, 0, 0, -1};
    assert_int_equal(lens_dense_factor(negative, 2, &err), -1);
    assert_says(&err, "row 2 of 2");
    free(factor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_a_solution_solves),
                                       cmocka_unit_test(test_what_is_not_positive_definite)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
