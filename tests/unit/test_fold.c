/* Folding, on vectors made so that it is known what belongs together. */
#include <math.h>

#include "search/fold.h"
#include "support.h"

enum { DIM = 64, FAMILIES = 12, EACH = 20, ALONE = 30, ROWS = FAMILIES * EACH + ALONE };

typedef struct fixture {
    float *data, *shapes;
    uint32_t *slots;
    int64_t *ids;
    int *family; /* of each row; -1: alone */
    lens_view view;
} fixture;

static float noise(uint64_t *lot)
{
    float sum = 0; /* nearly normal */
    for (int i = 0; i < 4; i++) {
        *lot = *lot * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(*lot >> 40) / (float)(1 << 24) - 0.5f;
    }
    return sum;
}

static void normalise(float *row)
{
    float length = 0;
    for (int i = 0; i < DIM; i++)
        length += row[i] * row[i];
    for (int i = 0; i < DIM; i++)
        row[i] /= sqrtf(length);
}

/* Families around centres of their own, then rows that are like nothing, all in mixed order. */
static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->data = calloc(ROWS * DIM, sizeof *f->data);
    f->shapes = calloc(ROWS, sizeof *f->shapes);
    f->slots = calloc(ROWS, sizeof *f->slots);
    f->ids = calloc(ROWS, sizeof *f->ids);
    f->family = calloc(ROWS, sizeof *f->family);
    float centres[FAMILIES][DIM];
    uint64_t lot = 7;
    for (int c = 0; c < FAMILIES; c++)
        for (int i = 0; i < DIM; i++)
            centres[c][i] = noise(&lot);
    for (int r = 0; r < ROWS; r++) {
        int kind = (int)((size_t)r * 101 % ROWS); /* 101 has no divisor in common with ROWS */
        f->family[r] = kind < FAMILIES * EACH ? kind / EACH : -1;
        float *row = f->data + (size_t)r * DIM;
        for (int i = 0; i < DIM; i++)
            row[i] = f->family[r] < 0 ? noise(&lot) : centres[f->family[r]][i] + 0.3f * noise(&lot);
        normalise(row);
        f->shapes[r] = f->family[r] % 2 ? 1.5f : 0.75f;
        f->slots[r] = (uint32_t)r;
        f->ids[r] = 100 + r;
    }
    f->view = (lens_view){f->data, f->slots, f->ids, ROWS, DIM, NULL};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    free(f->data), free(f->shapes), free(f->slots), free(f->ids), free(f->family), free(f);
    return 0;
}

static void groups_of(const fixture *f, int threads, size_t *groups)
{
    lens_error err = {0};
    assert_done(lens_fold_groups(&f->view, f->shapes, threads, groups, &err), &err);
}

static void test_groups_are_the_families(void **state)
{
    const fixture *f = *state;
    size_t groups[ROWS], again[ROWS];
    groups_of(f, 1, groups);
    for (int a = 0; a < ROWS; a++)
        for (int b = 0; b < a; b++)
            assert_int_equal(groups[a] == groups[b], f->family[a] >= 0 && f->family[a] == f->family[b]);
    for (int a = 0; a < ROWS; a++) { /* named by the least row */
        assert_true(groups[a] <= (size_t)a);
        assert_int_equal(groups[groups[a]], groups[a]);
    }
    groups_of(f, 3, again);
    assert_memory_equal(groups, again, sizeof groups);
}

static void test_other_shapes_stay_apart_unless_nearly_the_same(void **state)
{
    fixture *f = *state;
    size_t groups[ROWS];
    int first = -1, second = -1;
    for (int r = 0; r < ROWS && second < 0; r++)
        if (f->family[r] == 0)
            *(first < 0 ? &first : &second) = r;
    f->shapes[first] = 3;
    groups_of(f, 2, groups);
    assert_int_not_equal(groups[first], groups[second]);
    /* Resaved with a border cut off: another shape, but all but the same vector. */
    memcpy(f->data + (size_t)first * DIM, f->data + (size_t)second * DIM, DIM * sizeof *f->data);
    f->data[(size_t)first * DIM] += 0.05f;
    normalise(f->data + (size_t)first * DIM);
    groups_of(f, 2, groups);
    assert_int_equal(groups[first], groups[second]);
}

static void test_the_same_slot_is_the_same(void **state)
{
    fixture *f = *state;
    int lone[2], count = 0;
    for (int r = 0; r < ROWS && count < 2; r++)
        if (f->family[r] < 0)
            lone[count++] = r;
    f->slots[lone[1]] = f->slots[lone[0]];
    size_t groups[ROWS];
    groups_of(f, 2, groups);
    assert_int_equal(groups[lone[0]], groups[lone[1]]);
    lens_fold_hit hit;
    size_t found = 0;
    lens_error err = {0};
    assert_done(lens_fold_scan(&f->view, f->shapes, f->data + (size_t)lone[0] * DIM, 1, -1, 2, &hit, &found, &err), &err);
    assert_int_equal(found, 1);
    assert_int_equal(hit.stands_for, 2);
    assert_int_equal(hit.id, f->ids[lone[0]]); /* the lower id of two alike */
}

/* What a search shows is the plain ranking with every row left out whose group was met before. */
static void test_a_search_folds_into_the_same_groups(void **state)
{
    const fixture *f = *state;
    size_t groups[ROWS];
    groups_of(f, 2, groups);
    for (int q = 0; q < ROWS; q += 13) {
        for (size_t k = 1; k <= ROWS; k += 19) {
            lens_hit plain[ROWS];
            lens_fold_hit folded[ROWS];
            size_t all = 0, found = 0, expected = 0;
            bool met[ROWS] = {false};
            lens_error err = {0};
            const float *query = f->data + (size_t)q * DIM;
            assert_done(lens_scan(&f->view, query, ROWS, -0.2f, 1, plain, &all, &err), &err);
            assert_done(lens_fold_scan(&f->view, f->shapes, query, k, -0.2f, 2, folded, &found, &err), &err);
            for (size_t i = 0; i < all && expected < k; i++) {
                size_t group = groups[plain[i].row];
                if (met[group])
                    continue;
                met[group] = true;
                assert_true(expected < found);
                assert_int_equal(folded[expected].row, plain[i].row);
                assert_true(folded[expected].score == plain[i].score);
                int64_t rows = 0;
                for (int r = 0; r < ROWS; r++)
                    rows += groups[r] == group;
                assert_int_equal(folded[expected].stands_for, rows);
                expected++;
            }
            assert_int_equal(found, expected);
        }
    }
}

static void test_a_family_larger_than_a_neighbour_list(void **state)
{
    (void)state;
    enum { MANY = 200 };
    float *data = calloc(MANY * DIM, sizeof *data), shapes[MANY];
    int64_t ids[MANY];
    uint64_t lot = 3;
    float centre[DIM];
    for (int i = 0; i < DIM; i++)
        centre[i] = noise(&lot);
    for (int r = 0; r < MANY; r++) {
        for (int i = 0; i < DIM; i++)
            data[r * DIM + i] = centre[i] + 0.25f * noise(&lot);
        normalise(data + (size_t)r * DIM);
        shapes[r] = 1;
        ids[r] = r + 1;
    }
    lens_view view = {data, NULL, ids, MANY, DIM, NULL};
    size_t groups[MANY], largest = 0;
    lens_error err = {0};
    assert_done(lens_fold_groups(&view, shapes, 2, groups, &err), &err);
    for (int r = 0; r < MANY; r++) {
        size_t size = 0;
        for (int s = 0; s < MANY; s++)
            size += groups[s] == groups[r];
        largest = size > largest ? size : largest;
    }
    printf("measured: %zu of %d rows around one centre in one group\n", largest, MANY);
    assert_true(largest > MANY / 2);
    free(data);
}

static void test_many_that_tie_are_one_group(void **state)
{
    fixture *f = *state;
    /* More of the same than a neighbour list is long, spread over the whole view. */
    int first = -1, rows = 0;
    for (int r = 0; r < ROWS; r++) {
        if (f->family[r] != 3 && f->family[r] != 5 && f->family[r] != 7 && f->family[r] != 9)
            continue;
        first = first < 0 ? r : first;
        memcpy(f->data + (size_t)r * DIM, f->data + (size_t)first * DIM, DIM * sizeof *f->data);
        f->family[r] = 3;
        rows++;
    }
    assert_int_equal(rows, 80);
    size_t groups[ROWS];
    groups_of(f, 2, groups);
    for (int r = 0; r < ROWS; r++)
        assert_int_equal(groups[r] == groups[first], f->family[r] == 3);
    test_a_search_folds_into_the_same_groups(state);
}

static void test_nothing_and_broken_rows(void **state)
{
    fixture *f = *state;
    lens_view empty = {f->data, f->slots, f->ids, 0, DIM, NULL};
    size_t groups[ROWS], found = 9;
    lens_fold_hit hits[4];
    lens_error err = {0};
    assert_done(lens_fold_groups(&empty, f->shapes, 2, groups, &err), &err);
    assert_done(lens_fold_scan(&empty, f->shapes, f->data, 4, -1, 2, hits, &found, &err), &err);
    assert_int_equal(found, 0);
    for (int i = 0; i < DIM; i++)
        f->data[5 * DIM + i] = NAN;
    memset(f->data + 6 * DIM, 0, DIM * sizeof *f->data);
    f->shapes[7] = NAN;
    groups_of(f, 2, groups);
    assert_int_equal(groups[5], 5);
    assert_int_equal(groups[6], 6);
}

/* A ranking that is there already is folded as one by a query is, and in its own order. */
static void test_a_ranking_is_folded(void **state)
{
    const fixture *f = *state;
    lens_hit plain[ROWS];
    lens_fold_hit by_query[ROWS], ranked[ROWS];
    size_t count, expected, found;
    lens_error err = {0};
    const float *query = f->data + 17 * DIM;
    assert_done(lens_scan(&f->view, query, ROWS, -INFINITY, 2, plain, &count, &err), &err);
    assert_int_equal(count, ROWS);
    for (size_t k = 1; k <= ROWS; k += 37) {
        assert_done(lens_fold_scan(&f->view, f->shapes, query, k, -INFINITY, 2, by_query, &expected, &err), &err);
        assert_done(lens_fold_ranked(&f->view, f->shapes, plain, count, k, 2, ranked, &found, &err), &err);
        assert_int_equal(found, expected);
        for (size_t i = 0; i < found; i++) {
            assert_int_equal(ranked[i].id, by_query[i].id);
            assert_int_equal(ranked[i].row, by_query[i].row);
            assert_int_equal(ranked[i].stands_for, by_query[i].stands_for);
            assert_true(ranked[i].score == by_query[i].score);
        }
    }
    /* Groups count also the rows that the ranking does not have. */
    size_t first = 0, other = 0;
    while (f->family[first] < 0)
        first++;
    while (f->family[other] == f->family[first] || f->family[other] < 0)
        other++;
    const lens_hit few[] = {{f->ids[other], other, 0.25f}, {f->ids[first], first, 0.75f}};
    assert_done(lens_fold_ranked(&f->view, f->shapes, few, 2, ROWS, 2, ranked, &found, &err), &err);
    assert_int_equal(found, 2);
    assert_int_equal(ranked[0].id, f->ids[other]);
    assert_int_equal(ranked[0].stands_for, EACH);
    assert_int_equal(ranked[1].stands_for, EACH);
    assert_done(lens_fold_ranked(&f->view, f->shapes, few, 0, ROWS, 2, ranked, &found, &err), &err);
    assert_int_equal(found, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_groups_are_the_families, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_shapes_stay_apart_unless_nearly_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_same_slot_is_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_search_folds_into_the_same_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_ranking_is_folded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_that_tie_are_one_group, setup, teardown),
        cmocka_unit_test(test_a_family_larger_than_a_neighbour_list),
        cmocka_unit_test_setup_teardown(test_nothing_and_broken_rows, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
