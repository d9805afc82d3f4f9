/* src/search/cells* and graph*: what is found in cells is nearly all of the truth and always true; and whatever is in their arrays, a search stays within them. */
#include <math.h>

#include "base/random.h"
#include "search/cells_scan.h"
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
    lens_cells cells;
} world;

static float even(uint64_t *seed)
{
    return (float)((double)(lens_random_next(seed) >> 11) / 4503599627370496.0 - 1);
}

/* ROWS slots in clusters, a row each; the first COVERED are in cells. */
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
    assert_done(lens_cells_build(&w.bytes, covered, DIM, 2, NULL, NULL, &w.cells, &err), &err);
    assert_int_equal(w.cells.count, covered);
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
    lens_cells_free(&w->cells);
    lens_slot_rows_free(&w->rows);
    free(w->data);
    free(w->codes);
    free(w->bounds);
    free(w->ids);
    free(w->slots);
}

static size_t ask(const world *w, const lens_cells *cells, const float *query, size_t k, size_t probes, lens_hit *hits)
{
    lens_error err = {0};
    size_t found;
    assert_done(lens_cells_scan(cells, &w->bytes, &w->rows, &w->view, query, k, -INFINITY, probes, 2, hits, &found, &err), &err);
    assert_true(found <= k);
    for (size_t i = 0; i < found; i++) { /* nothing but the truth */
        assert_true(hits[i].row < w->view.count);
        assert_int_equal(hits[i].id, w->view.ids[hits[i].row]);
        assert_true(hits[i].score == lens_dot(lens_view_row(&w->view, hits[i].row), query, DIM));
        assert_true(i == 0 || hits[i - 1].score >= hits[i].score);
    }
    return found;
}

static double recall(const world *w, size_t probes)
{
    lens_error err = {0};
    lens_trial trial;
    assert_done(lens_trial_make(&w->cells, &w->bytes, &w->rows, &w->view, 300, 1, &trial, &err), &err);
    assert_done(lens_trial_run(&trial, probes, &err), &err);
    const double first = trial.recall;
    assert_done(lens_trial_run(&trial, probes, &err), &err); /* the truth is kept from the first */
    assert_true(trial.recall == first);
    lens_trial_free(&trial);
    return first;
}

static void nearly_all_is_found(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    assert_int_equal(w.cells.leaders.count, ROWS / 64);
    const double little = recall(&w, 2), some = recall(&w, 12), all = recall(&w, ROWS);
    print_message("recall@10: %.4f, %.4f, %.4f\n", little, some, all);
    assert_true(little >= 0.5 && little < some && some >= 0.97);
    assert_true(all == 1); /* whoever looks through all cells has seen everything */
    world_free(&w);
}

/* Recall is measured by what an exact scan finds, so cells that hold the wrong ones are told. */
static void bad_cells_are_told(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    uint32_t *slots = (uint32_t *)w.cells.slots;
    for (size_t i = 0; i < w.cells.slot_count; i++)
        slots[i] = (uint32_t)((i * 7919) % ROWS);
    assert_true(recall(&w, 12) < 0.7);
    world_free(&w);
}

/* The graph alone, of all slots. */
static void a_graph_finds_what_is_near(void **state)
{
    (void)state;
    world w = world_new(1);
    lens_error err = {0};
    lens_graph graph;
    assert_done(lens_graph_build(&w.bytes, ROWS, DIM, 2, NULL, NULL, &graph, &err), &err);
    assert_true(graph.level > 0 && graph.upper_count > 0);
    size_t itself = 0;
    for (size_t row = 0; row < ROWS; row += 11) {
        uint32_t slots[100];
        size_t found;
        assert_done(lens_graph_search(&graph, &w.bytes, w.data + row * DIM, DIM, 100, slots, &found, &err), &err);
        assert_int_equal(found, 100);
        itself += slots[0] == row; /* best first */
        float last = 2;
        for (size_t i = 0; i < found; i++) {
            const float score = lens_dot(w.data + (size_t)slots[i] * DIM, w.data + row * DIM, DIM);
            assert_true(score < last + 0.02f);
            last = score;
        }
    }
    assert_true(itself >= ROWS / 11 * 97 / 100);
    lens_graph_free(&graph);
    world_free(&w);
}

static void what_is_not_in_it_yet_is_compared(void **state)
{
    (void)state;
    world w = world_new(ROWS - 1000);
    lens_hit hits[5];
    for (size_t row = ROWS - 1000; row < ROWS; row += 9) {
        assert_int_equal(ask(&w, &w.cells, lens_view_row(&w.view, row), 5, 8, hits), 5);
        assert_int_equal(hits[0].row, row);
    }
    assert_true(recall(&w, 12) >= 0.97);
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
    assert_true(recall(&w, 12) >= 0.97);
    lens_hit hits[20];
    assert_int_equal(ask(&w, &w.cells, w.data + 3 * DIM, 20, 64, hits), 20);
    for (size_t i = 0; i < 20; i++)
        assert_int_not_equal(hits[i].id % 3, 10 % 3);
    lens_error err = {0};
    uint32_t slots[5];
    size_t found;
    for (size_t row = 0; row < 300; row += 3) { /* nor do they take the place of results */
        assert_done(lens_cells_search(&w.cells, &w.bytes, &w.rows, w.data + row * DIM, DIM, 8, 5, slots, &found, &err), &err);
        assert_int_equal(found, 5);
        for (size_t i = 0; i < found; i++)
            assert_int_not_equal(slots[i] % 3, 0);
    }
    see(&w, 0);
    assert_int_equal(ask(&w, &w.cells, w.data, 20, 64, hits), 0);
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
    assert_int_equal(ask(&w, &w.cells, w.data + 100 * DIM, 20, 64, hits), 20);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(hits[i].row, 100 + i);
    world_free(&w);
}

static void any_numbers_are_harmless(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    uint64_t seed = 3;
    const size_t leaders = w.cells.leaders.count;
    uint32_t upper[8 * LENS_GRAPH_ABOVE];
    memset(upper, 0, sizeof upper);
    free((void *)w.cells.graph.upper); /* so few leaders may all be on one level */
    w.cells.graph.upper = memcpy(malloc(sizeof upper), upper, sizeof upper);
    w.cells.graph.upper_count = 8;
    uint32_t *const arrays[] = {(uint32_t *)w.cells.graph.links, (uint32_t *)w.cells.graph.above, (uint32_t *)w.cells.graph.upper, (uint32_t *)w.cells.begins,
                                (uint32_t *)w.cells.slots};
    const size_t sizes[] = {leaders * LENS_GRAPH_LINKS, leaders, sizeof upper / sizeof *upper, leaders + 1, w.cells.slot_count};
    const uint32_t odd[] = {0, 1, (uint32_t)leaders - 1, (uint32_t)leaders, ROWS - 1, ROWS, ROWS + 1, UINT32_MAX, UINT32_MAX - 1, INT32_MAX, (uint32_t)INT32_MAX + 1};
    lens_hit hits[10];
    for (int round = 0; round < 200; round++) {
        for (size_t a = 0; a < sizeof arrays / sizeof *arrays; a++)
            for (size_t i = 0; i < sizes[a] / 16 + 1; i++) {
                const size_t at = (size_t)lens_random_below(&seed, sizes[a]);
                arrays[a][at] = lens_random_below(&seed, 2)   ? odd[lens_random_below(&seed, sizeof odd / sizeof *odd)]
                                : lens_random_below(&seed, 2) ? (uint32_t)lens_random_below(&seed, leaders)
                                                              : (uint32_t)lens_random_next(&seed);
            }
        lens_cells cells = w.cells;
        cells.graph.entry = (uint32_t)lens_random_below(&seed, leaders);
        cells.graph.level = (uint32_t)lens_random_below(&seed, LENS_GRAPH_LEVELS + 1);
        ask(&w, &cells, w.data + lens_random_below(&seed, ROWS) * DIM, 10, 1 + (size_t)lens_random_below(&seed, 2 * leaders), hits);
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
    lens_cells cells = w.cells;
    cells.count = ROWS + 1; /* more than there are copies of */
    assert_int_equal(lens_cells_search(&cells, &w.bytes, &w.rows, w.data, DIM, 4, 4, slots, &found, &err), -1);
    cells = w.cells;
    cells.graph.count++;
    assert_int_equal(lens_cells_search(&cells, &w.bytes, &w.rows, w.data, DIM, 4, 4, slots, &found, &err), -1);
    lens_graph graph = w.cells.graph;
    graph.count = w.cells.leaders.count + 1;
    assert_int_equal(lens_graph_search(&graph, &w.cells.leaders, w.data, DIM, 4, slots, &found, &err), -1);
    graph = w.cells.graph;
    graph.level = LENS_GRAPH_LEVELS + 1;
    assert_int_equal(lens_graph_search(&graph, &w.cells.leaders, w.data, DIM, 4, slots, &found, &err), -1);
    graph = w.cells.graph;
    graph.entry = (uint32_t)graph.count;
    assert_int_equal(lens_graph_search(&graph, &w.cells.leaders, w.data, DIM, 4, slots, &found, &err), 0);
    assert_int_equal(found, 0);
    assert_int_equal(lens_graph_build(&w.bytes, 0, DIM, 1, NULL, NULL, &graph, &err), -1);
    assert_int_equal(lens_cells_build(&w.bytes, 0, DIM, 1, NULL, NULL, &cells, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    assert_int_equal(lens_cells_build(&w.bytes, ROWS + 1, DIM, 1, NULL, NULL, &cells, &err), -1);
    lens_slot_rows rows;
    assert_int_equal(lens_slot_rows_make(&w.view, ROWS - 1, &rows, &err), -1);
    assert_int_equal(err.code, LENS_E_FORMAT);
    world_free(&w);
}

static void small_ones_are_whole(void **state)
{
    (void)state;
    for (size_t count = 1; count < 200; count = count * 2 + 1) {
        world w = world_new(count);
        see(&w, count);
        lens_hit hits[200];
        for (size_t row = 0; row < count; row++) {
            assert_int_equal(ask(&w, &w.cells, w.data + row * DIM, 200, 32, hits), count);
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
    lens_cells cells;
    int asked = 0;
    assert_int_equal(lens_cells_build(&w.bytes, ROWS, DIM, 2, never, &asked, &cells, &err), -1);
    assert_int_equal(err.code, LENS_E_CANCELLED);
    assert_int_equal(asked, 1);
    assert_null(cells.slots);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearly_all_is_found),
        cmocka_unit_test(bad_cells_are_told),
        cmocka_unit_test(a_graph_finds_what_is_near),
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
