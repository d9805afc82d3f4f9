/* src/search: all pairs that lie near each other, against the plain twin. */
#include <math.h>

#include "base/clock.h"
#include "search/near.h"
#include "support.h"

static float *vectors(size_t count, int dim, size_t groups)
{
    float *values = malloc(count * (size_t)dim * sizeof *values);
    assert_non_null(values);
    uint64_t random = 7;
    for (size_t row = 0; row < count; row++) {
        float *at = values + row * (size_t)dim;
        const float *first = row >= groups ? values + row % groups * (size_t)dim : NULL;
        double sum = 0;
        for (int i = 0; i < dim; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            float noise = (float)((double)(random >> 40) / (1 << 24) - 0.5);
            at[i] = first ? first[i] + noise / sqrtf((float)dim) : noise;
            sum += (double)at[i] * at[i];
        }
        for (int i = 0; i < dim; i++)
            at[i] = (float)(at[i] / sqrt(sum));
    }
    return values;
}

typedef struct table {
    size_t count, calls;
    float *scores; /* [count * count], NAN where there was no call */
    size_t stop_after;
    bool inside;
} table;

static int fill(void *context, size_t a, size_t b, float score)
{
    table *t = context;
    assert_false(t->inside);
    t->inside = true;
    assert_true(a < b && b < t->count);
    assert_true(isnan(t->scores[a * t->count + b])); /* once */
    t->scores[a * t->count + b] = score;
    t->inside = false;
    return ++t->calls == t->stop_after ? 42 : 0;
}

static void clear(table *t, size_t count)
{
    *t = (table){.count = count, .scores = realloc(t->scores, (count * count + 1) * sizeof *t->scores)};
    assert_non_null(t->scores);
    for (size_t i = 0; i < count * count; i++)
        t->scores[i] = NAN;
}

static void test_against_the_twin(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        int dim;
    } sizes[] = {{1, 4}, {2, 1}, {5, 3}, {63, 20}, {64, 1500}, {131, 2500}, {777, 33}};
    table t = {0};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t count = sizes[s].count;
        int dim = sizes[s].dim;
        float *data = vectors(count, dim, 5 < count ? 5 : 1);
        int64_t *ids = calloc(count, sizeof *ids);
        uint32_t *slots = calloc(count, sizeof *slots);
        for (size_t i = 0; i < count; i++)
            slots[i] = (uint32_t)((i * 5 + 1) % count);
        for (int with_slots = 0; with_slots < 2; with_slots++) {
            lens_view view = {data, with_slots ? slots : NULL, ids, count, dim, NULL};
            for (int threads = 1; threads < 6; threads += 2) {
                static const float thresholds[] = {-2, 0.3f, 0.8f};
                for (size_t h = 0; h < 3; h++) {
                    clear(&t, count);
                    lens_error err;
                    assert_done(lens_pairs_above(&view, thresholds[h], threads, fill, &t, &err), &err);
                    size_t expected = 0;
                    for (size_t a = 0; a < count; a++) {
                        for (size_t b = a + 1; b < count; b++) {
                            float score = lens_dot(lens_view_row(&view, a), lens_view_row(&view, b), dim);
                            if (score >= thresholds[h]) {
                                expected++;
                                assert_true(t.scores[a * count + b] == score);
                            }
                        }
                    }
                    assert_int_equal(t.calls, expected);
                }
            }
        }
        free(data), free(ids), free(slots);
    }
    free(t.scores);
}

static void test_ends_when_told(void **state)
{
    (void)state;
    enum { COUNT = 500, DIM = 16 };
    float *data = vectors(COUNT, DIM, 5);
    data[0] = NAN; /* a row that is near nothing */
    int64_t ids[COUNT] = {0};
    lens_view view = {data, NULL, ids, COUNT, DIM, NULL};
    table t = {0};
    lens_error err;
    clear(&t, COUNT);
    t.stop_after = 17;
    assert_int_equal(lens_pairs_above(&view, -2, 2, fill, &t, &err), 42);
    assert_int_equal(t.calls, 17);
    clear(&t, COUNT);
    assert_done(lens_pairs_above(&view, -2, 2, fill, &t, &err), &err);
    assert_int_equal(t.calls, (COUNT - 1) * (COUNT - 2) / 2);
    view.count = 0;
    clear(&t, 1);
    assert_done(lens_pairs_above(&view, -2, 2, fill, &t, &err), &err);
    assert_int_equal(t.calls, 0);
    view.dim = 0;
    assert_int_equal(lens_pairs_above(&view, -2, 2, fill, &t, &err), -1);
    free(data), free(t.scores);
}

static int count_pair(void *context, size_t a, size_t b, float score)
{
    (void)a, (void)b, (void)score;
    ++*(size_t *)context;
    return 0;
}

static void test_speed(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    enum { COUNT = 1000, DIM = 1280 };
#else
    enum { COUNT = 10000, DIM = 1280 };
#endif
    float *data = vectors(COUNT, DIM, 2000 < COUNT ? 2000 : 200);
    lens_view view = {data, NULL, NULL, COUNT, DIM, NULL};
    size_t counts[3] = {0};
    for (int threads = 1; threads <= 2; threads++) {
        size_t count = 0;
        lens_error err;
        double start = lens_seconds();
        assert_done(lens_pairs_above(&view, 0.3f, threads, count_pair, &count, &err), &err);
        double spent = lens_seconds() - start;
        printf("measured: all pairs of %d x %d in %.2f s on %d thread%s, %.0f GFLOP/s, %zu near\n", COUNT, DIM, spent, threads,
               threads > 1 ? "s" : "", (double)COUNT * COUNT * DIM / spent / 1e9, count);
        counts[threads] = count;
    }
    assert_true(counts[1] > COUNT && counts[1] == counts[2]);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_twin),
        cmocka_unit_test(test_ends_when_told),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
