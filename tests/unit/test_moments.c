/* What another process commits while we open a library or read it. SQLite tells us of each statement as it begins, gives a row and ends; at one of those moments
 * the other one acts, each moment in turn. */
#include <sqlite3.h>

#include "base/buffer.h"
#include "memelens.h"
#include "store/copying.h"
#include "support_store.h"

enum { DIM = 16, COUNT = 3, MANY = 24 };

static struct {
    void (*act)(void);
    const char *folder;
    int left; /* moments until then; below 0 it has been */
    bool acting, failed;
} other;

static int at_a_moment(unsigned kind, void *context, void *statement, void *more)
{
    (void)kind, (void)context, (void)statement, (void)more;
    if (!other.acting && other.left >= 0 && other.left-- == 0) {
        other.acting = true;
        other.act();
        other.acting = false;
    }
    return 0;
}

static int watch(sqlite3 *db, char **message, const struct sqlite3_api_routines *api)
{
    (void)message, (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT | SQLITE_TRACE_ROW | SQLITE_TRACE_PROFILE, at_a_moment, NULL);
}

/* From here to its end the other one does ACT to the library in FOLDER at moment NUMBER. */
static void begin(const char *folder, void (*act)(void), int number)
{
    other.act = act;
    other.folder = folder;
    other.left = number;
    other.failed = false;
}

/* False when there were fewer moments. */
static bool end(void)
{
    const bool acted = other.left < 0;
    other.left = -1;
    assert_false(other.failed);
    return acted;
}

static bool open_while(const char *folder, void (*act)(void), int number, lens_store **store, lens_error *err)
{
    *err = (lens_error){0};
    begin(folder, act, number);
    *store = lens_store_open(folder, LENS_STORE_READ, 0, err);
    return end();
}

static void make_library(void)
{
    lens_error err;
    lens_store *store = lens_store_open(other.folder, LENS_STORE_WRITE, 0, &err);
    other.failed = !store;
    lens_store_close(store);
}

static void end_copy(void)
{
    lens_error err;
    lens_store *store = lens_store_open(other.folder, LENS_STORE_COPY, 0, &err);
    other.failed = !store || lens_store_mark(store, NULL, &err) != 0;
    lens_store_close(store);
}

static void forget_all(void)
{
    lens_error err;
    int64_t removed = 0;
    lens_store *store = lens_store_open(other.folder, LENS_STORE_WRITE, 0, &err);
    other.failed = !store || lens_store_forget(store, "/p", &removed, &err) != 0 || removed != COUNT;
    lens_store_close(store);
}

static void add_some(void)
{
    lens_error err;
    lens_store *store = lens_store_open(other.folder, LENS_STORE_WRITE, 0, &err);
    other.failed = !store || test_write_pictures(store, 1, DIM, "/p", MANY, MANY / 4, &err) != 0;
    lens_store_close(store);
}

static void forget_one(void)
{
    lens_error err;
    int64_t removed = 0;
    lens_store *store = lens_store_open(other.folder, LENS_STORE_WRITE, 0, &err);
    other.failed = !store || lens_store_forget(store, "/p/00001.jpg", &removed, &err) != 0 || removed != 1;
    lens_store_close(store);
}

static void forget_model(void)
{
    lens_error err;
    lens_store *store = lens_store_open(other.folder, LENS_STORE_WRITE, 0, &err);
    other.failed = !store || lens_store_forget_model(store, "m", &err) != 0;
    lens_store_close(store);
}

static void tell(void *context, const char *line)
{
    printf("%s\n", line);
    ++*(int *)context;
}

/* Looks at all of it: nothing is half done, at any moment of a writer. */
static void look(void)
{
    lens_error err;
    int faults = 0;
    lens_store *store = lens_store_open(other.folder, LENS_STORE_READ, 0, &err);
    lens_store_vectors view = {0};
    lens_store_counts counts = {0};
    const bool well = store && lens_store_check(store, tell, &faults, &err) == 0 && lens_store_vectors_open(store, 1, NULL, 0, &view, &err) == 0 &&
                      lens_store_count(store, &counts, &err) == 0;
    if (!well || faults)
        printf("%s\n", err.message);
    other.failed |= !well || faults || view.count != (size_t)counts.pictures || (view.count != MANY && view.count != 2 * MANY && view.count != 2 * MANY - 1);
    lens_store_vectors_free(&view);
    lens_store_close(store);
}

/* A database without tables, as it is between a writer's first steps. */
static char *empty_database(void)
{
    char *folder = test_folder_new(), *path = test_path(folder, "library.db");
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    free(path);
    return folder;
}

static void test_a_library_being_made(void **state)
{
    (void)state;
    int moments = 0, there = 0;
    for (bool acted = true; acted; moments++) {
        char *folder = empty_database();
        lens_store *store;
        lens_error err;
        acted = open_while(folder, make_library, moments, &store, &err);
        if (!store && err.code != LENS_E_MISSING)
            fail_msg("made at moment %d: %s", moments, err.message);
        there += store != NULL;
        lens_store_close(store);
        test_folder_remove(folder);
    }
    assert_in_range(moments, 10, 1000);
    assert_in_range(there, 1, moments - 1); /* it came too late at least where it did not come at all */
}

static void test_a_copy_being_ended(void **state)
{
    (void)state;
    int moments = 0, there = 0;
    for (bool acted = true; acted; moments++) {
        char *folder = test_library_new(DIM, COUNT);
        lens_error err;
        lens_store *store = test_store(folder, LENS_STORE_COPY);
        assert_done(lens_store_mark(store, "/elsewhere", &err), &err);
        lens_store_close(store);
        acted = open_while(folder, end_copy, moments, &store, &err);
        if (!store && (err.code != LENS_E_UNSUPPORTED || !strstr(err.message, "an unfinished copy of /elsewhere;")))
            fail_msg("ended at moment %d: %s", moments, err.message);
        there += store != NULL;
        lens_store_close(store);
        test_folder_remove(folder);
    }
    assert_in_range(moments, 10, 1000);
    assert_in_range(there, 1, moments - 1);
}

static void test_a_status_of_one_moment(void **state)
{
    (void)state;
    int moments = 0, before = 0;
    for (bool acted = true; acted; moments++) {
        char *folder = test_library_new(DIM, COUNT);
        lens_error err;
        lens_library *library = lens_library_open(folder, &err);
        assert_done(library ? 0 : -1, &err);
        begin(folder, forget_all, moments);
        lens_status *status = lens_status_get(library, &err);
        acted = end();
        assert_done(status ? 0 : -1, &err);
        const bool gone = status->forgotten_count == 1;
        if (status->pictures != (gone ? 0 : COUNT) || status->model_count != 1 || status->models[0].vectors != (gone ? 0 : COUNT))
            fail_msg("forgotten at moment %d: %lld pictures, %lld vectors, %zu forgotten", moments, (long long)status->pictures, (long long)status->models[0].vectors,
                     status->forgotten_count);
        before += !gone;
        lens_status_free(status);
        lens_library_close(library);
        test_folder_remove(folder);
    }
    assert_in_range(moments, 10, 1000);
    assert_in_range(before, 2, moments - 1);
}

static void test_a_check_while_a_model_goes(void **state)
{
    (void)state;
    int moments = 0, faults = 0;
    for (bool acted = true; acted; moments++) {
        char *folder = test_library_new(DIM, COUNT);
        lens_error err;
        lens_store *store = test_store(folder, LENS_STORE_READ);
        begin(folder, forget_model, moments);
        const int found = lens_store_check(store, tell, &faults, &err);
        acted = end();
        if (found < 0)
            fail_msg("forgotten at moment %d: %s", moments, err.message);
        assert_int_equal(faults, 0);
        lens_store_close(store);
        test_folder_remove(folder);
    }
    assert_in_range(moments, 10, 1000);
}

/* The ids that a search for the first picture finds, in their order. */
static char *search(const char *folder, const lens_search_options *options)
{
    lens_error err;
    const lens_term term = {.kind = LENS_TERM_ID, .id = 1, .weight = 1};
    lens_library *library = lens_library_open(folder, &err);
    lens_results *results = library ? lens_search(library, &term, 1, options, &err) : NULL;
    lens_buffer text = {0};
    for (size_t i = 0; results && i < results->count; i++)
        assert_int_equal(lens_buffer_print(&text, " %lld (%zu)", (long long)results->items[i].id, results->items[i].stands_for), 0);
    if (!results)
        assert_int_equal(lens_buffer_print(&text, "%s", err.message), 0);
    lens_results_free(results);
    lens_library_close(library);
    return text.data;
}

/* TEXT but for PART of it. */
static char *without(const char *text, const char *part)
{
    const char *at = strstr(text, part);
    lens_buffer left = {0};
    assert_non_null(at);
    assert_int_equal(lens_buffer_print(&left, "%.*s%s", (int)(at - text), text, at + strlen(part)), 0);
    return left.data;
}

static void search_while(void (*act)(void), bool unhub)
{
    lens_search_options options = lens_search_options_default();
    options.n = 2 * MANY;
    options.unhub = unhub;
    char *found[3] = {NULL}; /* before; after; as before but for what is gone, which still counted among the neighbours of others */
    int moments = 0, times[2] = {0, 0};
    for (bool acted = true; acted; moments++) {
        char *folder = test_library_new(DIM, MANY);
        if (!found[0]) {
            found[0] = search(folder, &options);
            found[2] = act == forget_one ? without(found[0], " 2 (1)") : strdup(found[0]);
        }
        begin(folder, act, moments);
        char *now = search(folder, &options);
        acted = end();
        if (!found[1]) { /* the first moment is before all that is read */
            found[1] = search(folder, &options);
            assert_string_not_equal(found[0], found[1]);
        }
        const bool before = strcmp(now, found[0]) == 0 || strcmp(now, found[2]) == 0, after = strcmp(now, found[1]) == 0;
        if (!before && !after)
            fail_msg("at moment %d:%s", moments, now);
        times[0] += before;
        times[1] += after;
        free(now);
        test_folder_remove(folder);
    }
    assert_in_range(times[0], 2, moments);
    assert_in_range(times[1], 2, moments);
    free(found[0]), free(found[1]), free(found[2]);
}

static void test_a_search_of_one_moment(void **state)
{
    (void)state;
    search_while(add_some, false);
    search_while(add_some, true);
    search_while(forget_one, false);
    search_while(forget_one, true);
}

static void test_a_writer_is_looked_at(void **state)
{
    (void)state;
    int moments = 0;
    for (bool acted = true; acted; moments++) {
        char *folder = test_library_new(DIM, MANY);
        lens_error err;
        int64_t removed = 0;
        begin(folder, look, moments);
        lens_store *store = test_store(folder, LENS_STORE_WRITE);
        assert_done(test_write_pictures(store, 1, DIM, "/p", MANY, MANY, &err), &err);
        assert_done(lens_store_forget(store, "/p/00001.jpg", &removed, &err), &err);
        assert_done(lens_store_compact(store, true, &err), &err);
        lens_store_close(store);
        acted = end();
        test_folder_remove(folder);
    }
    assert_in_range(moments, 50, 5000);
    printf("measured: a writer looked at in %d moments\n", moments - 1);
}

int main(void)
{
    if (sqlite3_auto_extension((void (*)(void))watch) != SQLITE_OK)
        return 1;
    other.left = -1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_library_being_made), cmocka_unit_test(test_a_copy_being_ended),
                                       cmocka_unit_test(test_a_status_of_one_moment), cmocka_unit_test(test_a_search_of_one_moment),
                                       cmocka_unit_test(test_a_check_while_a_model_goes), cmocka_unit_test(test_a_writer_is_looked_at)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
