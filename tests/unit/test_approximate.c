/* src/library/approximate.c: a library that wants approximate search has it, finds what is new at once, and answers exactly wherever that does not do. */
#include <math.h>
#include <sys/stat.h>

#include "library/approximate.h"
#include "library/copies.h"
#include "memelens.h"
#include "support_store.h"

enum { DIM = 24, ROWS = 1500, GROUP = 30 };

typedef struct world {
    char *folder;
    lens_store *store;
    int64_t model;
} world;

/* Content N lies near content N / GROUP. */
static void write_some(world *w, size_t first, size_t count)
{
    lens_error err = {0};
    enum { BATCH = 500 };
    for (size_t done = 0; done < count; done += BATCH) {
        const size_t size = count - done < BATCH ? count - done : BATCH;
        lens_store_entry entries[BATCH];
        struct lens_store_vector vectors[BATCH];
        float *values = calloc(size * DIM, sizeof *values);
        char (*paths)[32] = calloc(size, sizeof *paths);
        assert_true(values && paths);
        for (size_t i = 0; i < size; i++) {
            const size_t content = first + done + i;
            float centre[DIM], own[DIM], *row = values + i * DIM;
            double squares = 0;
            test_vector(1000000 + content / GROUP, centre, DIM);
            test_vector(content, own, DIM);
            for (size_t j = 0; j < DIM; j++) {
                row[j] = centre[j] + 0.6f * own[j];
                squares += (double)row[j] * (double)row[j];
            }
            for (size_t j = 0; j < DIM; j++)
                row[j] = (float)((double)row[j] / sqrt(squares));
            snprintf(paths[i], sizeof paths[i], "/p/%05zu.jpg", content);
            vectors[i] = (struct lens_store_vector){w->model, row};
            entries[i] = (lens_store_entry){.path = paths[i], .size = 1, .mtime_ns = 1, .hash = test_hash(content), .width = 40, .height = 30, .format = "JPEG",
                                            .vector_count = 1, .vectors = &vectors[i]};
        }
        assert_done(lens_store_write(w->store, entries, size, NULL, &err), &err);
        free(values);
        free(paths);
    }
}

static world world_new(size_t rows)
{
    world w = {.folder = test_folder_new()};
    lens_error err = {0};
    w.store = test_store(w.folder, LENS_STORE_WRITE);
    w.model = test_model(w.store, "m", DIM);
    assert_done(lens_store_add_root(w.store, "/p", &err), &err);
    write_some(&w, 0, rows);
    return w;
}

static void world_free(world *w)
{
    lens_store_close(w->store);
    test_folder_remove(w->folder);
}

/* Whether it had to be made. */
static bool refresh(world *w)
{
    lens_error err = {0};
    bool made;
    assert_done(lens_approximate_refresh(w->store, w->model, 2, NULL, NULL, &made, &err), &err);
    return made;
}

static size_t covered(world *w)
{
    int64_t bytes;
    double told, ratio;
    const int64_t count = lens_approximate_covered(w->store, w->model, &bytes, &told, &ratio);
    assert_true(count == 0 || (told > 0.9 && told <= 1 && ratio > 0));
    assert_true((count > 0) == (bytes > 0));
    return (size_t)count;
}

static char *path_of(world *w, bool cells)
{
    lens_error err = {0};
    lens_store_vectors vectors;
    assert_done(lens_store_vectors_open(w->store, w->model, NULL, 0, &vectors, &err), &err);
    char *path = strdup(cells ? vectors.cells : vectors.copy);
    lens_store_vectors_free(&vectors);
    return path;
}

static lens_results *search(lens_library *library, int64_t id, const lens_search_options *options)
{
    lens_error err = {0};
    const lens_term term = {.kind = LENS_TERM_ID, .id = id, .weight = 1};
    lens_results *results = lens_search(library, &term, 1, options, &err);
    assert_done(results ? 0 : -1, &err);
    return results;
}

/* Asks for many pictures, approximately if that can be: the answers must be the exact ones but for a few. */
static void expect_search(lens_library *library, const lens_search_options *asked, bool approximate)
{
    size_t right = 0, all = 0;
    for (int64_t id = 1; id < ROWS; id += 37) {
        lens_search_options options = *asked;
        lens_results *some = search(library, id, &options);
        options.exact = true;
        lens_results *truth = search(library, id, &options);
        assert_false(truth->approximate);
        assert_int_equal(some->approximate, approximate);
        assert_int_equal(some->count, truth->count);
        for (size_t i = 0; i < some->count; i++) {
            right += some->items[i].score >= truth->items[truth->count - 1].score;
            assert_true(approximate || (some->items[i].id == truth->items[i].id && some->items[i].score == truth->items[i].score));
        }
        all += some->count;
        lens_results_free(some);
        lens_results_free(truth);
    }
    assert_true(all > 0);
    if (approximate && (double)right < 0.98 * (double)all)
        fail_msg("%zu of %zu are right", right, all);
}

static lens_library *library_of(const world *w)
{
    lens_error err = {0};
    lens_library *library = lens_library_open(w->folder, &err);
    assert_done(library ? 0 : -1, &err);
    return library;
}

static void searches_go_by_it(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    lens_library *library = library_of(&w);
    lens_search_options options = lens_search_options_default();
    expect_search(library, &options, false);
    assert_true(refresh(&w));
    assert_int_equal(covered(&w), ROWS);
    assert_false(refresh(&w));
    expect_search(library, &options, true);
    options.leave_out_terms = true;
    expect_search(library, &options, true);
    options.min_score = 0.8;
    expect_search(library, &options, true);
    options = lens_search_options_default();
    options.offset = 5;
    expect_search(library, &options, true);
    options.path = "*/000*"; /* a hundred: exactly, over those that are left */
    expect_search(library, &options, false);
    options = lens_search_options_default();
    options.size_least = 1; /* all */
    expect_search(library, &options, true);
    options.fold = true;
    expect_search(library, &options, false);
    options = lens_search_options_default();
    options.unhub = true;
    expect_search(library, &options, false);
    options = lens_search_options_default();
    options.n = ROWS;
    expect_search(library, &options, false);
    lens_library_close(library);
    world_free(&w);
}

/* A picture of the library is the one that is nearest to itself. */
static void expect_found(lens_library *library, world *w, size_t content)
{
    char path[32];
    snprintf(path, sizeof path, "/p/%05zu.jpg", content);
    const int64_t id = test_id(w->store, path);
    const lens_search_options options = lens_search_options_default();
    lens_results *results = search(library, id, &options);
    assert_true(results->approximate);
    assert_int_equal(results->items[0].id, id);
    lens_results_free(results);
}

static void what_is_new_is_found_and_what_is_gone_is_not(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    lens_error err = {0};
    lens_library *library = library_of(&w);
    const lens_search_options options = lens_search_options_default();
    assert_true(refresh(&w));
    write_some(&w, ROWS, 100);
    for (size_t i = ROWS; i < ROWS + 100; i += 11)
        expect_found(library, &w, i);
    assert_false(refresh(&w)); /* it lags by little */
    int64_t removed;
    for (size_t i = 0; i < 60; i++) {
        char path[32];
        snprintf(path, sizeof path, "/p/%05zu.jpg", i);
        assert_done(lens_store_forget(w.store, path, &removed, &err), &err);
    }
    lens_results *results = search(library, 61, &options);
    assert_true(results->approximate);
    assert_int_equal(results->count, options.n);
    for (size_t i = 0; i < results->count; i++)
        assert_true(results->items[i].id > 60);
    lens_results_free(results);
    write_some(&w, ROWS + 100, 600);
    expect_found(library, &w, ROWS + 650);
    assert_true(refresh(&w));
    assert_int_equal(covered(&w), ROWS + 700);
    char *old = path_of(&w, true);
    assert_done(lens_store_compact(w.store, true, &err), &err);
    assert_int_equal(covered(&w), 0); /* of another file of vectors, now */
    assert_true(refresh(&w));
    assert_int_equal(covered(&w), ROWS + 640);
    lens_store_close(w.store);
    w.store = test_store(w.folder, LENS_STORE_WRITE);
    assert_false(lens_file_exists(old));
    free(old);
    lens_library_close(library);
    world_free(&w);
}

static void a_damaged_one_is_none_or_harmless(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    lens_library *library = library_of(&w);
    const lens_search_options options = lens_search_options_default();
    assert_true(refresh(&w));
    char *path = path_of(&w, true), *copy = path_of(&w, false);
    lens_buffer good = test_read(path), bytes = test_read(copy);
    size_t refused = 0, taken = 0;
    for (size_t at = 0; at < good.size; at += at < 1024 ? 3 : 997) {
        good.data[at] ^= 0x55;
        test_write(path, good.data, good.size);
        good.data[at] ^= 0x55;
        *(covered(&w) ? &taken : &refused) += 1;
        lens_results *results = search(library, 1 + (int64_t)at % ROWS, &options);
        for (size_t i = 0; i + 1 < results->count; i++)
            assert_true(results->items[i].score >= results->items[i + 1].score);
        lens_results_free(results);
    }
    assert_true(refused > 100 && taken > 50); /* its head, and its numbers */
    for (size_t size = 0; size < good.size; size += good.size / 13) {
        test_write(path, good.data, size);
        assert_int_equal(covered(&w), 0);
        expect_search(library, &options, false);
    }
    assert_true(refresh(&w)); /* made again */
    assert_int_equal(covered(&w), ROWS);
    test_write(copy, bytes.data, bytes.size / 2); /* without the numbers the links are nothing */
    assert_int_equal(covered(&w), 0);
    expect_search(library, &options, false);
    assert_true(refresh(&w));
    expect_search(library, &options, true);
    world other = world_new(ROWS);
    char *there = path_of(&other, true);
    test_write(there, good.data, good.size);
    assert_int_equal(covered(&other), 0); /* another library's */
    free(there);
    world_free(&other);
    lens_buffer_free(&good);
    lens_buffer_free(&bytes);
    free(path);
    free(copy);
    lens_library_close(library);
    world_free(&w);
}

static void a_warm_sees_it_come_and_go(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    lens_error err = {0};
    lens_warm *warm = lens_warm_new(w.folder, &err);
    lens_library *library = warm ? lens_library_open_warm(warm, &err) : NULL;
    assert_done(library ? 0 : -1, &err);
    lens_search_options options = lens_search_options_default();
    expect_search(library, &options, false);
    assert_true(refresh(&w));
    lens_warm_refresh(warm);
    expect_search(library, &options, true);
    options.leave_out_terms = true;
    expect_search(library, &options, true);
    options.size_least = 1;
    expect_search(library, &options, true);
    assert_done(lens_approximate_want(w.store, w.folder, true, &err), &err);
    lens_status *status = lens_status_get(library, &err);
    assert_done(status ? 0 : -1, &err);
    assert_int_equal(status->models[0].approximate, ROWS);
    assert_true(status->models[0].approximate_bytes > ROWS);
    lens_status_free(status);
    options.unhub = true;
    expect_search(library, &options, false);
    options = lens_search_options_default();
    options.path = "*/00*"; /* most of all, but none of those that lie near the last */
    for (int64_t id = ROWS - 90; id < ROWS; id += 20) {
        lens_results *some = search(library, id, &options);
        assert_false(some->approximate);
        assert_int_equal(some->count, options.n);
        lens_results_free(some);
    }
    write_some(&w, ROWS, 100);
    lens_warm_refresh(warm);
    expect_found(library, &w, ROWS + 99);
    assert_done(lens_approximate_remove(w.store, w.model, &err), &err);
    lens_warm_refresh(warm);
    expect_search(library, &options, false);
    lens_library_close(library);
    lens_warm_free(warm);
    world_free(&w);
}

static void recall_is_measured(void **state)
{
    (void)state;
    world w = world_new(ROWS);
    lens_error err = {0};
    lens_library *library = library_of(&w);
    lens_recall recall;
    assert_done(lens_check_recall(library, NULL, 100, &recall, &err), &err);
    assert_string_equal(recall.model, "m");
    assert_int_equal(recall.vectors, ROWS);
    assert_int_equal(recall.covered, 0);
    lens_recall_free(&recall);
    assert_true(refresh(&w));
    assert_done(lens_check_recall(library, "m", 100, &recall, &err), &err);
    assert_int_equal(recall.covered, ROWS);
    assert_int_equal(recall.queries, 100);
    assert_true(recall.recall >= 0.98 && recall.recall <= 1);
    assert_true(recall.exact_seconds > 0 && recall.approximate_seconds > 0);
    lens_recall_free(&recall);
    assert_int_equal(lens_check_recall(library, "none", 100, &recall, &err), -1);
    lens_recall_free(&recall);
    lens_library_close(library);
    world_free(&w);
}

static void the_wish_is_kept(void **state)
{
    (void)state;
    world w = world_new(1);
    lens_error err = {0};
    assert_false(lens_approximate_wanted(w.store, w.folder));
    assert_done(lens_approximate_want(w.store, w.folder, false, &err), &err);
    assert_done(lens_approximate_want(w.store, w.folder, true, &err), &err);
    assert_done(lens_approximate_want(w.store, w.folder, true, &err), &err);
    assert_true(lens_approximate_wanted(w.store, w.folder));
    assert_true(refresh(&w));
    assert_int_equal(covered(&w), 1);
    assert_done(lens_approximate_want(w.store, w.folder, false, &err), &err);
    assert_false(lens_approximate_wanted(w.store, w.folder));
    world none = {.folder = w.folder, .store = w.store, .model = test_model(w.store, "empty", DIM)};
    assert_false(refresh(&none)); /* nothing to be made of nothing */
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_go_by_it),
        cmocka_unit_test(what_is_new_is_found_and_what_is_gone_is_not),
        cmocka_unit_test(a_damaged_one_is_none_or_harmless),
        cmocka_unit_test(a_warm_sees_it_come_and_go),
        cmocka_unit_test(recall_is_measured),
        cmocka_unit_test(the_wish_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
