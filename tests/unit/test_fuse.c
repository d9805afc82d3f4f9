/* src/search/fuse.c: several rankings as one, added up by hand. */
#include <math.h>

#include "search/fuse.h"
#include "support.h"

/* RANKINGS come to the COUNT ids and scores EXPECTED. */
static void expect(const lens_ranking *rankings, size_t ranking_count, double k, const lens_fused *expected, size_t count)
{
    lens_fused *fused;
    size_t found;
    lens_error err = {0};
    assert_done(lens_fuse(rankings, ranking_count, k, &fused, &found, &err), &err);
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fused[i].id, expected[i].id);
        if (!(fabs(fused[i].score - expected[i].score) <= 1e-12)) /* nor NaN */
            fail_msg("id %lld: %.12f instead of %.12f", (long long)fused[i].id, fused[i].score, expected[i].score);
    }
    free(fused);
}

static const int64_t a[] = {7, 3, 5}, b[] = {3, 9};

static void test_one(void **state)
{
    (void)state;
    const lens_ranking one = {a, NULL, 3, 1};
    expect(&one, 1, 1, (const lens_fused[]){{7, 1}, {3, 2.0 / 3}, {5, 2.0 / 4}}, 3);
    /* A weight that all have changes nothing. */
    const lens_ranking heavy = {a, NULL, 3, 17};
    expect(&heavy, 1, 1, (const lens_fused[]){{7, 1}, {3, 2.0 / 3}, {5, 2.0 / 4}}, 3);
}

static void test_two(void **state)
{
    (void)state;
    const lens_ranking two[] = {{a, NULL, 3, 1}, {b, NULL, 2, 1}};
    const double best = 2.0 / 11; /* first in both */
    expect(two, 2, 10, (const lens_fused[]){{3, (1.0 / 12 + 1.0 / 11) / best}, {7, 1.0 / 11 / best}, {9, 1.0 / 12 / best}, {5, 1.0 / 13 / best}}, 4);
    const lens_ranking weighed[] = {{a, NULL, 3, 3}, {b, NULL, 2, 1}};
    expect(weighed, 2, 10, (const lens_fused[]){{3, (3.0 / 12 + 1.0 / 11) / (4.0 / 11)}, {7, 3.0 / 4}, {5, 3.0 / 13 / (4.0 / 11)}, {9, 1.0 / 12 / (4.0 / 11)}}, 4);
    const lens_ranking same[] = {{a, NULL, 3, 3}, {a, NULL, 1, 0.5}};
    expect(same, 2, 10, (const lens_fused[]){{7, 1}, {3, 3.0 / 12 / (3.5 / 11)}, {5, 3.0 / 13 / (3.5 / 11)}}, 3);
}

static void test_sure(void **state)
{
    (void)state;
    static const double sure[] = {0.5, 1, 0};
    const lens_ranking one = {a, sure, 3, 2};
    /* The second is surer than the first. */
    expect(&one, 1, 1, (const lens_fused[]){{3, 1.0 / 3 / 0.5}, {7, 0.25 / 0.5}, {5, 0}}, 3);
}

static void test_negative(void **state)
{
    (void)state;
    const lens_ranking two[] = {{a, NULL, 3, 1}, {b, NULL, 2, -1}};
    const double best = 1.0 / 11;
    expect(two, 2, 10, (const lens_fused[]){{7, 1}, {5, 1.0 / 13 / best}, {3, (1.0 / 12 - 1.0 / 11) / best}, {9, -1.0 / 12 / best}}, 4);
    /* Without anything positive there is nothing to measure by: the order is all. */
    expect(&two[1], 1, 10, (const lens_fused[]){{9, -1.0 / 12}, {3, -1.0 / 11}}, 2);
}

static void test_ties_and_nothing(void **state)
{
    (void)state;
    static const int64_t c[] = {42}, d[] = {-8}, e[] = {17};
    const lens_ranking three[] = {{c, NULL, 1, 1}, {d, NULL, 1, 1}, {e, NULL, 1, 1}};
    expect(three, 3, 5, (const lens_fused[]){{-8, 1.0 / 3}, {17, 1.0 / 3}, {42, 1.0 / 3}}, 3);
    expect(NULL, 0, 5, NULL, 0);
    const lens_ranking empty[] = {{NULL, NULL, 0, 1}, {c, NULL, 1, 1}};
    expect(empty, 2, 5, (const lens_fused[]){{42, 0.5}}, 1); /* it is not in the other */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one), cmocka_unit_test(test_two), cmocka_unit_test(test_sure), cmocka_unit_test(test_negative),
                                       cmocka_unit_test(test_ties_and_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
