/* src/search/scan_bytes.c gives what src/search/scan.c gives, to the last bit and tie, whatever the rows are. */
#include <math.h>

#include "search/dot_bytes.h"
#include "search/scan_bytes.h"
#include "support.h"
#include "weights.h"

struct world {
    lens_view view;
    lens_bytes_view bytes;
    float *data;
    uint32_t *slots;
    int64_t *ids;
    uint8_t *codes;
    lens_row_bounds *bounds;
};

/* ROWS rows of DIM numbers, with copies of the first COPIED slots. Slots fall, ids rise. */
static struct world world_new(size_t rows, int dim, size_t copied, uint64_t seed)
{
    struct world w = {.data = calloc(rows * (size_t)dim + 1, sizeof(float)), .slots = calloc(rows + 1, sizeof(uint32_t)),
                      .ids = calloc(rows + 1, sizeof(int64_t)), .codes = aligned_alloc(64, (rows + 1) * lens_code_size(dim)),
                      .bounds = calloc(rows + 1, sizeof(lens_row_bounds))};
    assert_true(w.data && w.slots && w.ids && w.codes && w.bounds);
    test_random_fill(&seed, -1, 1, rows * (size_t)dim, w.data);
    for (size_t i = 0; i < rows; i++) {
        w.slots[i] = (uint32_t)(rows - 1 - i);
        w.ids[i] = (int64_t)(1000 + i);
    }
    w.view = (lens_view){w.data, w.slots, w.ids, rows, dim, NULL};
    w.bytes = (lens_bytes_view){w.codes, w.bounds, copied};
    return w;
}

static void code(struct world *w)
{
    for (size_t i = 0; i < w->bytes.count; i++)
        lens_code_row(w->data + i * (size_t)w->view.dim, w->view.dim, w->codes + i * lens_code_size(w->view.dim), &w->bounds[i]);
}

static void world_free(struct world *w)
{
    free(w->data);
    free(w->slots);
    free(w->ids);
    free(w->codes);
    free(w->bounds);
}

/* How many rows were compared in floats. */
static size_t expect_same(const struct world *w, const float *query, size_t k, float min_score, int threads)
{
    lens_error err = {0};
    lens_hit *a = calloc(k + 1, sizeof *a), *b = calloc(k + 1, sizeof *b);
    size_t a_count, b_count, compared;
    assert_done(lens_scan(&w->view, query, k, min_score, 1, a, &a_count, &err), &err);
    assert_done(lens_scan_bytes(&w->view, &w->bytes, query, k, min_score, threads, b, &b_count, &compared, &err), &err);
    assert_int_equal(a_count, b_count);
    for (size_t i = 0; i < a_count; i++) {
        assert_int_equal(a[i].id, b[i].id);
        assert_int_equal(a[i].row, b[i].row);
        assert_memory_equal(&a[i].score, &b[i].score, sizeof a[i].score);
    }
    free(a);
    free(b);
    return compared;
}

static void test_random_rows(void **state)
{
    (void)state;
    static const int dims[] = {1, 2, 7, 63, 64, 65, 127, 200, 384, 512, 1030, 1280};
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
        for (size_t rows = 1; rows < 2000; rows = rows * 5 + 3) {
            struct world w = world_new(rows, dims[d], rows, d + rows);
            code(&w);
            for (size_t k = 1; k < 40; k *= 6)
                for (int threads = 1; threads < 4; threads++)
                    expect_same(&w, w.data + rows / 2 * (size_t)dims[d], k, k == 6 ? 0.1f : -INFINITY, threads);
            world_free(&w);
        }
}

/* Many rows and threads of their own; most are never compared. */
static void test_few_rows_are_compared(void **state)
{
    (void)state;
    enum { ROWS = 40000, DIM = 128 };
    struct world w = world_new(ROWS, DIM, ROWS, 11);
    code(&w);
    size_t most = 0;
    for (int q = 0; q < 5; q++) {
        size_t compared = expect_same(&w, w.data + q * DIM * 777, 10, -INFINITY, 3);
        most = compared > most ? compared : most;
    }
    printf("measured: of %d random rows at most %zu were compared in floats\n", (int)ROWS, most);
    assert_true(most < ROWS / 20);
    world_free(&w);
}

/* Near-identical rows, equal rows, zeros, numbers that are none, numbers too large or small for bytes, and slots without copies. */
static void test_odd_rows(void **state)
{
    (void)state;
    enum { ROWS = 3000, DIM = 70 };
    struct world w = world_new(ROWS, DIM, ROWS - 500, 5);
    uint64_t seed = 9;
    for (size_t i = 0; i < ROWS; i++) {
        float *row = w.data + i * DIM, noise[DIM];
        test_random_fill(&seed, -1e-4f, 1e-4f, DIM, noise);
        for (int j = 0; j < DIM; j++) {
            if (i % 3 == 0)
                row[j] = w.data[j] + (i % 6 ? noise[j] : 0);
            if (i % 101 == 5)
                row[j] = 0;
            if (i % 211 == 6)
                row[j] *= i % 2 ? 1e-42f : 1e30f;
            if (i % 307 == 8 && j == 3)
                row[j] = NAN;
            if (i % 401 == 9 && j == 4)
                row[j] = INFINITY;
        }
    }
    code(&w);
    float zeros[DIM] = {0}, large[DIM], broken[DIM];
    for (int j = 0; j < DIM; j++) {
        large[j] = 1e25f * w.data[j];
        broken[j] = j == 1 ? NAN : w.data[j];
    }
    const float *const queries[] = {w.data, w.data + 3 * DIM, w.data + DIM, zeros, large, broken};
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++)
        for (size_t k = 1; k < 2 * ROWS; k = k * 7 + 1)
            expect_same(&w, queries[q], k, q % 2 ? 0.3f : -INFINITY, 2);
    world_free(&w);
}

static void test_penalties(void **state)
{
    (void)state;
    enum { ROWS = 500, DIM = 70 };
    struct world w = world_new(ROWS, DIM, ROWS, 3);
    float penalty[ROWS];
    uint64_t seed = 4;
    test_random_fill(&seed, 0, 1, ROWS, penalty);
    code(&w);
    w.view.penalty = penalty;
    expect_same(&w, w.data, 10, -INFINITY, 2);
    world_free(&w);
}

static void test_kernels_agree(void **state)
{
    (void)state;
    static uint8_t row[4096];
    static int8_t query[4096];
    uint64_t seed = 4;
    for (size_t i = 0; i < sizeof row; i++) {
        float numbers[2];
        test_random_fill(&seed, 0, 255, 2, numbers);
        row[i] = i % 5 ? (uint8_t)numbers[0] : 255;
        query[i] = i % 7 ? (int8_t)(numbers[1] - 127) : -127;
    }
    for (size_t size = 64; size <= sizeof row; size += 64) {
        int64_t sum = 0;
        for (size_t i = 0; i < size; i++)
            sum += row[i] * query[i];
        for (size_t n = 0; lens_dot_bytes_nth(n); n++)
            assert_int_equal(lens_dot_bytes_nth(n)(row, query, size), sum);
    }
    size_t kernels = 0;
    while (lens_dot_bytes_nth(kernels))
        kernels++;
    printf("measured: %zu kernels for bytes here\n", kernels);
    assert_true(kernels > 0);
}

/* The largest and smallest sums that there can be: none of them wraps round on its way. */
static void test_kernels_at_their_ends(void **state)
{
    (void)state;
    enum { SIZE = LENS_DOT_BYTES_MOST };
    uint8_t *row = malloc(SIZE);
    int8_t *query = malloc(SIZE);
    assert_true(row && query);
    const int rows[] = {0, 127, 128, 255}, queries[] = {-128, -127, 0, 127};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
            memset(row, rows[r], SIZE);
            memset(query, queries[q], SIZE);
            for (size_t n = 0; lens_dot_bytes_nth(n); n++)
                assert_int_equal(lens_dot_bytes_nth(n)(row, query, SIZE), (int64_t)rows[r] * queries[q] * SIZE);
        }
    free(row);
    free(query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_rows),
        cmocka_unit_test(test_few_rows_are_compared),
        cmocka_unit_test(test_odd_rows),
        cmocka_unit_test(test_penalties),
        cmocka_unit_test(test_kernels_agree),
        cmocka_unit_test(test_kernels_at_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
