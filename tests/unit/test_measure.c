/* src/compare/measure.c against cases worked out by hand. tools/check_comparison.py does the same with NumPy over a whole experiment. */
#include <math.h>

#include "compare/measure.h"
#include "support.h"

static void test_metrics_of_a_rank(void **state)
{
    (void)state;
    static const struct {
        size_t rank;
        double expected[LENS_METRICS];
    } cases[] = {{0, {0, 0, 0, 0}},       {1, {1, 1, 1, 1}},        {2, {0, 1, 1, 0.5}},   {3, {0, 1, 1, 1.0 / 3}},
                 {4, {0, 0, 1, 0.25}},    {10, {0, 0, 1, 0.1}},     {11, {0, 0, 0, 1.0 / 11}}, {1000, {0, 0, 0, 0.001}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (lens_metric metric = 0; metric < LENS_METRICS; metric++)
            assert_true(lens_metric_of(metric, cases[i].rank) == cases[i].expected[metric]);
}

static void test_the_mean_and_its_interval(void **state)
{
    (void)state;
    lens_error err = {0};
    lens_estimate estimate, again;
    double values[400] = {0};
    assert_done(lens_estimate_mean(values, 0, 1, &estimate, &err), &err);
    assert_true(estimate.mean == 0 && estimate.low == 0 && estimate.high == 0);
    for (int i = 0; i < 7; i++)
        values[i] = 0.25;
    assert_done(lens_estimate_mean(values, 7, 1, &estimate, &err), &err);
    assert_true(estimate.mean == 0.25 && estimate.low == 0.25 && estimate.high == 0.25);
    /* 400 queries, 300 of them right: the binomial's deviation is sqrt(0.75 * 0.25 / 400) = 0.02165, so 95 % are 0.0424 either way. */
    for (int i = 0; i < 400; i++)
        values[i] = i % 4 != 0;
    assert_done(lens_estimate_mean(values, 400, 42, &estimate, &err), &err);
    assert_true(estimate.mean == 0.75);
    assert_true(fabs(estimate.low - (0.75 - 0.0424)) < 0.004 && fabs(estimate.high - (0.75 + 0.0424)) < 0.004);
    assert_done(lens_estimate_mean(values, 400, 42, &again, &err), &err);
    assert_memory_equal(&estimate, &again, sizeof again);
    assert_done(lens_estimate_mean(values, 400, 43, &again, &err), &err);
    assert_true(memcmp(&estimate, &again, sizeof again) != 0); /* drawn by another lot */
}

static void test_the_sign_test(void **state)
{
    (void)state;
    double d[2000] = {0};
    assert_true(lens_sign_test(d, 14) == 1); /* no difference at all */
    for (int i = 0; i < 5; i++)
        d[i] = 0.5;
    assert_true(fabs(lens_sign_test(d, 14) - 2 * 1.0 / 32) < 1e-12);  /* 5 to 0 */
    d[5] = -1;
    assert_true(fabs(lens_sign_test(d, 14) - 2 * 7.0 / 64) < 1e-12);  /* 5 to 1: (1 + 6) / 64 */
    for (int i = 6; i < 10; i++)
        d[i] = -0.1;
    assert_true(lens_sign_test(d, 14) == 1); /* 5 to 5 */
    for (int i = 0; i < 2000; i++)
        d[i] = i % 5 ? 1 : -1; /* 1,600 to 400: nothing underflows, nothing is left */
    const double p = lens_sign_test(d, 2000);
    assert_true(p >= 0 && p < 1e-100);
}

static void test_better_is_said_only_where_it_is_carried(void **state)
{
    (void)state;
    assert_int_equal(lens_estimate_verdict(&(lens_estimate){0.3, 0.1, 0.5}, 0.01), 1);
    assert_int_equal(lens_estimate_verdict(&(lens_estimate){-0.3, -0.5, -0.1}, 0.01), -1);
    assert_int_equal(lens_estimate_verdict(&(lens_estimate){0.3, 0.1, 0.5}, 0.06), 0);  /* 5 of 14, one way: the bootstrap alone would say so */
    assert_int_equal(lens_estimate_verdict(&(lens_estimate){0.3, 0.0, 0.5}, 0.01), 0);
    assert_int_equal(lens_estimate_verdict(&(lens_estimate){0.0, -0.1, 0.1}, 1), 0);
}

static void test_skewness(void **state)
{
    (void)state;
    assert_true(lens_skewness((uint32_t[]){5, 5, 5}, 3) == 0);
    assert_true(lens_skewness(NULL, 0) == 0);
    /* 0 0 0 4: mean 1, second moment 3, third 6; 6 / 3^1.5 */
    assert_true(fabs(lens_skewness((uint32_t[]){0, 0, 0, 4}, 4) - 6 / pow(3, 1.5)) < 1e-12);
    assert_true(fabs(lens_skewness((uint32_t[]){1, 2, 3}, 3)) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_of_a_rank), cmocka_unit_test(test_the_mean_and_its_interval), cmocka_unit_test(test_the_sign_test),
        cmocka_unit_test(test_better_is_said_only_where_it_is_carried), cmocka_unit_test(test_skewness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
