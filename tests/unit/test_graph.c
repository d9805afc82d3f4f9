/* src/search/graph*: what is found by way of a graph is nearly all of the truth and always true; and whatever is in a graph's arrays, a search stays within them. */
#include <math.h>

#include "base/random.h"
#include "search/graph_scan.h"
#include "support.h"

enum { DIM = 96, ROWS = 4000, CLUSTERS = 60 };

typedef struct world {
    float *data;
    uint8_t *codes;
    lens_row_bounds *bounds;
    int64_t *ids;
    uint32_t *slots;
    lens_view view;
    lens_bytes_view bytes;
    lens_slot_rows rows;
    lens_graph graph;
} world;

static float even(uint64_t *seed)
{
    return (float)((double)(lens_random_next(seed) >> 11) / 4503599627370496.0 - 1);
}

/* ROWS slots in clusters, a row each; the graph is of the first COVERED. */
static world world_new(size_t covered)
{
    uint64_t seed = 7;
    world w = {.data = malloc(ROWS * DIM * sizeof(float)), .codes = aligned_alloc(64, ROWS * lens_code_size(DIM)), .bounds = malloc(ROWS * sizeof(lens_row_bounds)),
               .ids = malloc(ROWS * sizeof(int64_t)), .slots = malloc(ROWS * sizeof(uint32_t))};
    float *centres = malloc(CLUSTERS * DIM * sizeof *centres);
    assert_true(w.data && w.codes && w.bounds && w.ids && w.slots && centres);
    for (size_t i = 0; i < CLUSTERS * DIM; i++)
        centres[i] = even(&seed);
    for (size_t row = 0; row < ROWS; row++) {
        float *at = w.data + row * DIM;
        double squares = 0;
        for (size_t i = 0; i < DIM; i++) {
            at[i] = centres[row % CLUSTERS * DIM + i] + 0.4f * even(&seed);
            squares += (double)at[i] * (double)at[i];
        }
        for (size_t i = 0; i < DIM; i++)
            at[i] = (float)((double)at[i] / sqrt(squares));
        lens_code_row(at, DIM, w.codes + row * lens_code_size(DIM), &w.bounds[row]);
        w.ids[row] = (int64_t)(10 + row);
        w.slots[row] = (uint32_t)row;
    }
    free(centres);
    lens_error err = {0};
    w.view = (lens_view){w.data, w.slots, w.ids, ROWS, DIM, NULL};
    w.bytes = (lens_bytes_view){w.codes, w.bounds, ROWS};
    assert_done(lens_slot_rows_make(&w.view, ROWS, &w.rows, &err), &err);
    assert_done(lens_graph_build(&w.bytes, covered, DIM, 2, NULL, NULL, &w.graph, &err), &err);
    assert_int_equal(w.graph.count, covered);
    return w;
}

/* Other rows of the same slots. */
static void see(world *w, size_t count)
{
    lens_error err = {0};
    lens_slot_rows_free(&w->rows);
    w->view.count = count;
    assert_done(lens_slot_rows_make(&w->view, ROWS, &w->rows, &err), &err);
}

static void world_free(world *w)
{
    lens_graph_free(&w->graph);
    lens_slot_rows_free(&w->rows);
    free(w->data);
    free(w->codes);
    free(w->bounds);
    free(w->ids);
    free(w->slots);
}

static size_t ask(const world *w, const lens_graph *graph, const float *query, size_t k, size_t effort, lens_hit *hits)
{
    lens_error err = {0};
    size_t found;
    assert_done(lens_graph_scan(graph, &w->bytes, &w->rows, &w->view, query, k, -INFINITY, effort, 2, hits, &found, &err), &err);
    assert_true(found <= k);
    for (size_t i = 0; i < found; i++) { /* nothing but the truth */
        assert_true(hits[i].row < w->view.count);
        assert_int_equal(hits[i].id, w->view.ids[hits[i].row]);
        assert_true(hits[i].score == lens_dot(lens_view_row(&w->view, hits[i].row), query, DIM));
        assert_true(i == 0 || hits[i - 1].score >= hits[i].score);
    }
    return found;
}

static double recall(const world *w, size_t effort)
{
    lens_error err = {0};
    lens_trial trial;
    assert_done(lens_trial_make(&w->graph, &w->bytes, &w->rows, &w->view, 300, 1, &trial, &err), &err);
    assert_done(lens_trial_run(&trial, effort, &err), &err);
    const double first = trial.recall;
    assert_done(lens_trial_run(&trial, effort, &err), &err); /* the truth is kept from the first */
    assert_true(trial.recall == first);
    lens_trial_free(&trial);
    return first;
}

static void nearly_all_is_found(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    const double little = recall(&w, 10), some = recall(&w, 100), much = recall(&w, ROWS);
    print_message("recall@10: %.4f, %.4f, %.4f\n", little, some, much);
    assert_true(some >= 0.97);
    assert_true(much >= some && some >= little);
    assert_true(much >= 0.999);
    world_free(&w);
}

/* Recall is measured by what an exact scan finds, so a graph that finds the wrong ones is told. */
static void a_bad_graph_is_told(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    uint32_t *links = (uint32_t *)w.graph.links;
    for (size_t i = 0; i < (size_t)ROWS * LENS_GRAPH_LINKS; i++)
        links[i] = i % LENS_GRAPH_LINKS == 0 ? (uint32_t)(i / LENS_GRAPH_LINKS + 1) % ROWS : LENS_GRAPH_NONE;
    assert_true(recall(&w, 30) < 0.5);
    world_free(&w);
}

static void what_is_not_in_it_yet_is_compared(void **state)
{
    (void)state;
    world w = world_new(ROWS - 1000);
    lens_hit hits[5];
    for (size_t row = ROWS - 1000; row < ROWS; row += 9) {
        assert_int_equal(ask(&w, &w.graph, lens_view_row(&w.view, row), 5, 40, hits), 5);
        assert_int_equal(hits[0].row, row);
    }
    assert_true(recall(&w, 100) >= 0.97);
    world_free(&w);
}

static void the_dead_are_no_results(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    size_t count = 0;
    for (size_t row = 0; row < ROWS; row++)
        if (row % 3) {
            w.slots[count] = (uint32_t)row;
            w.ids[count++] = (int64_t)(10 + row);
        }
    see(&w, count);
    assert_true(recall(&w, 100) >= 0.97);
    lens_hit hits[20];
    assert_int_equal(ask(&w, &w.graph, w.data + 3 * DIM, 20, 64, hits), 20);
    for (size_t i = 0; i < 20; i++)
        assert_int_not_equal(hits[i].id % 3, 10 % 3);
    see(&w, 0);
    assert_int_equal(ask(&w, &w.graph, w.data, 20, 64, hits), 0);
    world_free(&w);
}

/* The same picture in several places. */
static void every_row_of_a_slot_is_found(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    for (size_t row = 100; row < 120; row++)
        w.slots[row] = 100;
    see(&w, ROWS);
    lens_hit hits[20];
    assert_int_equal(ask(&w, &w.graph, w.data + 100 * DIM, 20, 64, hits), 20);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(hits[i].row, 100 + i);
    world_free(&w);
}

static void any_numbers_are_harmless(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    uint64_t seed = 3;
    uint32_t *const arrays[] = {(uint32_t *)w.graph.links, (uint32_t *)w.graph.above, (uint32_t *)w.graph.upper};
    const size_t sizes[] = {(size_t)ROWS * LENS_GRAPH_LINKS, ROWS, w.graph.upper_count * LENS_GRAPH_ABOVE};
    const uint32_t odd[] = {0, 1, ROWS - 1, ROWS, ROWS + 1, UINT32_MAX, UINT32_MAX - 1, INT32_MAX, (uint32_t)INT32_MAX + 1};
    lens_hit hits[10];
    assert_true(w.graph.upper_count > 0);
    for (int round = 0; round < 60; round++) {
        for (size_t a = 0; a < 3; a++)
            for (size_t i = 0; i < sizes[a] / 4; i++)
                arrays[a][lens_random_below(&seed, sizes[a])] = lens_random_below(&seed, 2) ? odd[lens_random_below(&seed, sizeof odd / sizeof *odd)] : (uint32_t)lens_random_next(&seed);
        lens_graph graph = w.graph;
        graph.entry = (uint32_t)lens_random_below(&seed, ROWS);
        graph.level = (uint32_t)lens_random_below(&seed, LENS_GRAPH_LEVELS + 1);
        ask(&w, &graph, w.data + lens_random_below(&seed, ROWS) * DIM, 10, 1 + lens_random_below(&seed, 200), hits);
    }
    world_free(&w);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    lens_error err = {0};
    uint32_t slots[4];
    size_t found;
    lens_graph graph = w.graph;
    graph.count = ROWS + 1; /* more than there are copies of */
    assert_int_equal(lens_graph_search(&graph, &w.bytes, &w.rows, w.data, DIM, 4, slots, &found, &err), -1);
    graph = w.graph;
    graph.level = LENS_GRAPH_LEVELS + 1;
    assert_int_equal(lens_graph_search(&graph, &w.bytes, &w.rows, w.data, DIM, 4, slots, &found, &err), -1);
    graph = w.graph;
    graph.entry = ROWS;
    assert_int_equal(lens_graph_search(&graph, &w.bytes, &w.rows, w.data, DIM, 4, slots, &found, &err), 0);
    assert_int_equal(found, 0);
    assert_int_equal(lens_graph_build(&w.bytes, 0, DIM, 1, NULL, NULL, &graph, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    assert_int_equal(lens_graph_build(&w.bytes, ROWS + 1, DIM, 1, NULL, NULL, &graph, &err), -1);
    lens_slot_rows rows;
    assert_int_equal(lens_slot_rows_make(&w.view, ROWS - 1, &rows, &err), -1);
    assert_int_equal(err.code, LENS_E_FORMAT);
    world_free(&w);
}

static void small_ones_are_whole(void **state)
{
    (void)state;
    for (size_t count = 1; count < 20; count += 3) {
        world w = world_new(count);
        see(&w, count);
        lens_hit hits[32];
        for (size_t row = 0; row < count; row++) {
            assert_int_equal(ask(&w, &w.graph, w.data + row * DIM, 32, 32, hits), count);
            assert_int_equal(hits[0].row, row);
        }
        world_free(&w);
    }
}

static bool never(void *context, size_t done, size_t total)
{
    (void)done;
    (void)total;
    *(int *)context += 1;
    return false;
}

static void building_stops(void **state)
{
    (void)state;
    world w = world_new(10);
    lens_error err = {0};
    lens_graph graph;
    int asked = 0;
    assert_int_equal(lens_graph_build(&w.bytes, ROWS, DIM, 2, never, &asked, &graph, &err), -1);
    assert_int_equal(err.code, LENS_E_CANCELLED);
    assert_int_equal(asked, 1);
    assert_null(graph.links);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearly_all_is_found),
        cmocka_unit_test(a_bad_graph_is_told),
        cmocka_unit_test(what_is_not_in_it_yet_is_compared),
        cmocka_unit_test(the_dead_are_no_results),
        cmocka_unit_test(every_row_of_a_slot_is_found),
        cmocka_unit_test(any_numbers_are_harmless),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(small_ones_are_whole),
        cmocka_unit_test(building_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
