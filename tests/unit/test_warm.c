/* lens_warm: what it keeps follows what other processes write. */
#include <dlfcn.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "memelens.h"
#include "world.h"

static atomic_bool unreadable; /* rows of models are */
static atomic_int hidden;      /* how often something was */

/* In the place of SQLite's. */
int sqlite3_column_bytes(sqlite3_stmt *statement, int column)
{
    static _Atomic(void *) real;
    if (atomic_load(&unreadable)) {
        atomic_fetch_add(&hidden, 1);
        return 0;
    }
    if (!atomic_load(&real))
        atomic_store(&real, dlsym(RTLD_NEXT, "sqlite3_column_bytes"));
    int (*function)(sqlite3_stmt *, int);
    void *address = atomic_load(&real);
    memcpy(&function, &address, sizeof function);
    return function(statement, column);
}

static size_t found(lens_library *library)
{
    lens_error error = {0};
    lens_term term = {.kind = LENS_TERM_ID, .id = 1, .weight = 1};
    lens_search_options options = lens_search_options_default();
    options.n = 100;
    lens_results *results = lens_search(library, &term, 1, &options, &error);
    assert_done(results ? 0 : -1, &error);
    const size_t count = results->count;
    lens_results_free(results);
    return count;
}

static void index_pictures(const test_world *world)
{
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
    test_run_free(&run);
}

static void what_could_not_be_read_is_looked_at_again(void **state)
{
    const test_world *world = *state;
    lens_error error = {0};
    test_world_picture(world, "a.png", TEST_PNG, 1);
    index_pictures(world);
    lens_warm *warm = lens_warm_new(world->library, &error);
    lens_library *library = warm ? lens_library_open_warm(warm, &error) : NULL;
    assert_done(library ? 0 : -1, &error);
    assert_int_equal(found(library), 1);
    test_world_picture(world, "b.png", TEST_PNG, 2);
    index_pictures(world);
    lens_warm_refresh(warm);
    assert_int_equal(found(library), 2);
    atomic_store(&unreadable, true);
    test_world_picture(world, "c.png", TEST_PNG, 3);
    index_pictures(world);
    lens_warm_refresh(warm);
    atomic_store(&unreadable, false);
    assert_true(atomic_load(&hidden) > 0);
    assert_int_equal(found(library), 2); /* until it is looked at again */
    free(lens_library_model_name(library, NULL, false, NULL)); /* which must not pass for the look that failed */
    lens_warm_refresh(warm);
    assert_int_equal(found(library), 3);
    lens_library_close(library);
    lens_warm_free(warm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_could_not_be_read_is_looked_at_again, test_world_setup, test_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
