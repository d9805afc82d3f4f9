/* src/search/neighbours.c against plain loops, and what a penalty does to a scan. */
#include <math.h>

#include "search/neighbours.h"
#include "support.h"
#include "weights.h"

enum { ROWS = 203, DIM = 19, K = 5 };

static float data[ROWS * DIM], penalty[ROWS];
static int64_t ids[ROWS];

static lens_view view_of_all(void)
{
    uint64_t seed = 5;
    test_random_fill(&seed, -1, 1, ROWS * DIM, data);
    test_random_fill(&seed, 0, 1, ROWS, penalty);
    for (size_t i = 0; i < ROWS; i++)
        ids[i] = (int64_t)i + 1;
    memcpy(data + 7 * DIM, data + 9 * DIM, DIM * sizeof *data); /* the same picture twice */
    return (lens_view){.data = data, .ids = ids, .count = ROWS, .dim = DIM};
}

static double score_of(const lens_view *view, size_t a, size_t b)
{
    return (double)lens_dot(lens_view_row(view, a), lens_view_row(view, b), DIM) - (view->penalty ? (double)view->penalty[b] : 0);
}

/* Every neighbour is better than every row that is none, and they are in order. */
static void check(const lens_view *view, lens_chosen askers, lens_chosen answerers, const lens_neighbour *nearest)
{
    for (size_t i = 0; i < askers.count; i++) {
        const size_t row = askers.rows ? askers.rows[i] : i;
        const lens_neighbour *mine = nearest + i * K;
        bool taken[ROWS] = {false};
        for (size_t n = 0; n < K; n++) {
            assert_true(mine[n].row < ROWS && mine[n].row != row && !taken[mine[n].row]);
            assert_true(fabs((double)mine[n].score - score_of(view, row, mine[n].row)) < 1e-6);
            assert_true(n == 0 || mine[n - 1].score >= mine[n].score);
            taken[mine[n].row] = true;
        }
        for (size_t j = 0; j < answerers.count; j++) {
            const size_t other = answerers.rows ? answerers.rows[j] : j;
            assert_true(other == row || taken[other] || score_of(view, row, other) <= (double)mine[K - 1].score + 1e-6);
        }
    }
}

static void test_against_plain_loops(void **state)
{
    (void)state;
    static lens_neighbour nearest[ROWS * K], again[ROWS * K];
    lens_error err = {0};
    lens_view view = view_of_all();
    size_t some[50];
    assert_int_equal(lens_chosen_spread(&view, 50, some), 50);
    const lens_chosen all = {NULL, ROWS}, few = {some, 50};
    for (int penal = 0; penal < 2; penal++) {
        view.penalty = penal ? penalty : NULL;
        assert_done(lens_neighbours(&view, all, all, K, 1, nearest, &err), &err);
        check(&view, all, all, nearest);
        assert_done(lens_neighbours(&view, all, all, K, 3, again, &err), &err);
        for (size_t i = 0; i < ROWS * K; i++) /* threads change nothing */
            assert_true(nearest[i].row == again[i].row && nearest[i].score == again[i].score);
        assert_done(lens_neighbours(&view, few, all, K, 2, nearest, &err), &err);
        check(&view, few, all, nearest);
        assert_done(lens_neighbours(&view, all, few, K, 2, nearest, &err), &err);
        check(&view, all, few, nearest);
    }
    assert_int_equal(lens_neighbours(&view, all, (lens_chosen){NULL, K}, K, 1, nearest, &err), -1);
}

/* Of a vector file that is damaged: whoever reads the answer counts with the rows that it names. */
static void test_rows_that_are_no_numbers(void **state)
{
    (void)state;
    static lens_neighbour nearest[ROWS * K];
    lens_error err = {0};
    lens_view view = view_of_all();
    for (size_t row = 0; row < ROWS; row++)
        if (row != 3 && row != 50)
            data[row * DIM] = NAN;
    const lens_chosen all = {NULL, ROWS};
    assert_done(lens_neighbours(&view, all, all, K, 2, nearest, &err), &err);
    for (size_t i = 0; i < ROWS * K; i++)
        assert_true(nearest[i].row < ROWS && nearest[i].row != i / K && !isnan(nearest[i].score));
    assert_int_equal(nearest[3 * K].row, 50);
}

static void test_an_even_choice(void **state)
{
    (void)state;
    lens_view view = view_of_all();
    size_t rows[ROWS];
    assert_int_equal(lens_chosen_spread(&view, ROWS * 2, rows), ROWS);
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(rows[i], i);
    assert_int_equal(lens_chosen_spread(&view, 10, rows), 10);
    for (size_t i = 1; i < 10; i++)
        assert_true(rows[i] - rows[i - 1] >= 20 && rows[i] - rows[i - 1] <= 21);
}

static void test_a_penalty_ranks_and_the_cosine_decides(void **state)
{
    (void)state;
    lens_error err = {0};
    lens_view view = view_of_all();
    view.penalty = penalty;
    lens_hit hits[ROWS];
    size_t found;
    assert_done(lens_scan(&view, data, ROWS, 0.5f, 2, hits, &found, &err), &err);
    assert_true(found > 3);
    for (size_t i = 0; i < found; i++) {
        const float cosine = lens_dot(data, lens_view_row(&view, hits[i].row), DIM);
        assert_true(cosine >= 0.5f); /* the least score is about cosines */
        assert_true(hits[i].score == cosine - penalty[hits[i].row]);
        assert_true(i == 0 || hits[i - 1].score >= hits[i].score);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_plain_loops), cmocka_unit_test(test_rows_that_are_no_numbers),
        cmocka_unit_test(test_an_even_choice),
                                       cmocka_unit_test(test_a_penalty_ranks_and_the_cosine_decides)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
