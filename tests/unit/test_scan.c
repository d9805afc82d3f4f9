/* src/search: the exact scan against a plain one in double precision. */
#include <math.h>

#include "base/clock.h"
#include "search/dot.h"
#include "search/scan.h"
#include "support.h"

static uint64_t state_of_chance = 1;

static float chance(void)
{
    state_of_chance = state_of_chance * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(state_of_chance >> 40) / (1 << 24) - 0.5);
}

/* COUNT unit vectors; the caller frees. */
static float *vectors(size_t count, int dim)
{
    float *values = malloc((count ? count : 1) * (size_t)dim * sizeof *values);
    assert_non_null(values);
    for (size_t row = 0; row < count; row++) {
        float *at = values + row * (size_t)dim;
        double sum = 0;
        for (int i = 0; i < dim; i++) {
            at[i] = chance();
            sum += (double)at[i] * at[i];
        }
        for (int i = 0; i < dim; i++)
            at[i] = (float)(at[i] / sqrt(sum));
    }
    return values;
}

static double exact(const float *a, const float *b, int dim)
{
    double sum = 0;
    for (int i = 0; i < dim; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* Every kernel, every length up to some vectors' width, at odd addresses, with nothing readable behind the end under the
 * sanitizer: right, and the same alone and in tiles. */
static void test_kernels(void **state)
{
    (void)state;
    size_t kernels = 0;
    for (const lens_dot_kernels *k; (k = lens_dot_nth(kernels)); kernels++) {
        for (int dim = 1; dim <= 131; dim++) {
            float *rows[8];
            const float *a[4], *b[4];
            for (int i = 0; i < 8; i++) {
                rows[i] = malloc(((size_t)dim + 1) * sizeof(float));
                assert_non_null(rows[i]);
                for (int j = 0; j <= dim; j++)
                    rows[i][j] = chance();
                (i < 4 ? a : b)[i % 4] = rows[i] + 1;
            }
            float tile[4][4];
            k->tile(a, b, dim, tile);
            for (int j = 0; j < 4; j++) {
                for (int i = 0; i < 4; i++) {
                    float one = k->one(a[i], b[j], dim);
                    assert_true(fabs(one - exact(a[i], b[j], dim)) < 1e-6 * (1 + dim));
                    assert_true(one == tile[i][j] && one == k->one(b[j], a[i], dim));
                }
            }
            for (int i = 0; i < 8; i++)
                free(rows[i]);
        }
    }
    printf("measured: %zu sets of kernels here, the best is %s\n", kernels, lens_dot_best()->name);
    assert_true(kernels > 0);
    float x[3] = {1, 2, 3}, y[3] = {4, 5, 6};
    assert_true(lens_dot(x, y, 3) == 32);
}

/* The plain twin: scores by lens_dot, then a sort of everything. */
static int by_rank(const void *a, const void *b)
{
    const lens_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static size_t twin(const lens_view *view, const float *query, size_t k, float min_score, lens_hit *hits)
{
    size_t count = 0;
    lens_hit *all = calloc(view->count + 1, sizeof *all);
    assert_non_null(all);
    for (size_t row = 0; row < view->count; row++) {
        float score = lens_dot(view->data + (size_t)(view->slots ? view->slots[row] : row) * (size_t)view->dim, query, view->dim);
        if (score >= min_score)
            all[count++] = (lens_hit){view->ids[row], row, score};
    }
    qsort(all, count, sizeof *all, by_rank);
    count = count < k ? count : k;
    memcpy(hits, all, count * sizeof *hits);
    free(all);
    return count;
}

static void assert_twin(const lens_view *view, const float *query, size_t k, float min_score, int threads)
{
    lens_hit *hits = calloc(k + 1, sizeof *hits), *expected = calloc(view->count + 1, sizeof *expected);
    assert_true(hits && expected);
    size_t found = 99999, wanted = twin(view, query, k, min_score, expected);
    lens_error err;
    assert_done(lens_scan(view, query, k, min_score, threads, hits, &found, &err), &err);
    assert_int_equal(found, wanted);
    for (size_t i = 0; i < found; i++)
        assert_true(hits[i].id == expected[i].id && hits[i].row == expected[i].row && hits[i].score == expected[i].score);
    assert_int_equal(hits[k].id, 0); /* not a hit more than asked for */
    free(hits), free(expected);
}

static void test_against_the_twin(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        int dim;
    } sizes[] = {{0, 8}, {1, 1}, {3, 5}, {4, 16}, {1001, 33}, {30011, 96}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t count = sizes[s].count;
        int dim = sizes[s].dim;
        float *data = vectors(count, dim), *query = vectors(1, dim);
        int64_t *ids = calloc(count + 1, sizeof *ids);
        uint32_t *slots = calloc(count + 1, sizeof *slots);
        for (size_t i = 0; i < count; i++) {
            ids[i] = (int64_t)((i * 7919) % count) - 5;
            slots[i] = (uint32_t)((i * 31) % count);
            /* Many equal scores. */
            if (i % 3 == 0 && i > 0)
                memcpy(data + i * (size_t)dim, data, (size_t)dim * sizeof *data);
        }
        for (int with_slots = 0; with_slots < 2; with_slots++) {
            lens_view view = {data, with_slots ? slots : NULL, ids, count, dim, NULL};
            for (int threads = 0; threads < 9; threads += 4) {
                static const size_t ks[] = {0, 1, 2, 10, 1000, 40000};
                for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) {
                    assert_twin(&view, query, ks[k], -INFINITY, threads);
                    assert_twin(&view, query, ks[k], 0.05f, threads);
                    assert_twin(&view, query, ks[k], 2, threads);
                    if (count > 0)
                        assert_twin(&view, data, ks[k], 0.5f, threads); /* the equal ones win */
                }
            }
        }
        free(data), free(query), free(ids), free(slots);
    }
}

static void test_what_is_no_number_is_no_hit(void **state)
{
    (void)state;
    float data[] = {1, 0, NAN, 0, 0.6f, 0.8f, 0, NAN, -1, 0, INFINITY, 0}, query[] = {1, 0};
    int64_t ids[] = {1, 2, 3, 4, 5, 6};
    lens_view view = {data, NULL, ids, 5, 2, NULL};
    lens_hit hits[6];
    size_t found;
    lens_error err;
    assert_done(lens_scan(&view, query, 6, -INFINITY, 2, hits, &found, &err), &err);
    assert_int_equal(found, 3);
    assert_true(hits[0].id == 1 && hits[1].id == 3 && hits[2].id == 5 && hits[0].score == 1);
    assert_done(lens_scan(&view, query, 6, NAN, 2, hits, &found, &err), &err);
    assert_int_equal(found, 0);
    view.dim = 0;
    assert_int_equal(lens_scan(&view, query, 6, 0, 2, hits, &found, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
}

static void test_speed(void **state)
{
    (void)state;
    enum { COUNT = 10000, DIM = 1280, ROUNDS = 20 };
    float *data = vectors(COUNT, DIM), *query = vectors(1, DIM);
    int64_t *ids = calloc(COUNT, sizeof *ids);
    assert_non_null(ids);
    for (int i = 0; i < COUNT; i++)
        ids[i] = i + 1;
    lens_view view = {data, NULL, ids, COUNT, DIM, NULL};
    for (int threads = 1; threads <= 2; threads++) {
        double best = INFINITY;
        for (int round = 0; round < ROUNDS; round++) {
            lens_hit hits[10];
            size_t found;
            lens_error err;
            double start = lens_seconds();
            assert_done(lens_scan(&view, query, 10, -INFINITY, threads, hits, &found, &err), &err);
            double spent = lens_seconds() - start;
            best = spent < best ? spent : best;
        }
        printf("measured: %d x %d scanned in %.2f ms on %d thread%s, %.0f GB/s\n", COUNT, DIM, best * 1e3, threads, threads > 1 ? "s" : "",
               (double)COUNT * DIM * 4 / best / 1e9);
    }
    free(data), free(query), free(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_against_the_twin),
        cmocka_unit_test(test_what_is_no_number_is_no_hit),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
