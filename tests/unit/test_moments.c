/* What another process commits while we open a library or read it. SQLite tells us of each statement as it begins, gives a row and ends; at one of those moments
 * the other one acts, each moment in turn. */
#include <sqlite3.h>

#include "memelens.h"
#include "store/copying.h"
#include "support_store.h"

enum { DIM = 16, COUNT = 3 };

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

int main(void)
{
    if (sqlite3_auto_extension((void (*)(void))watch) != SQLITE_OK)
        return 1;
    other.left = -1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_library_being_made), cmocka_unit_test(test_a_copy_being_ended),
                                       cmocka_unit_test(test_a_status_of_one_moment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
