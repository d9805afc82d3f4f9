/* A person who wants approximate search gets it, sees it, measures it, gets the truth when asking for it, and can be rid of it. */
#include <unistd.h>

#include "world.h"

enum { PICTURES = 40 };

static void draw(const test_world *world, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char name[16];
        snprintf(name, sizeof name, "%03d.png", i);
        test_world_picture(world, name, TEST_PNG, (unsigned)i + 1);
    }
}

/* The file of the cells in the library; NULL when there is none. The caller frees. */
static char *cells_of(const test_world *world)
{
    char *paths[] = {test_path(world->library, "colour-1.vectors.cells"), test_path(world->library, "colour-2.vectors.cells")}, *found = NULL;
    for (size_t i = 0; i < 2; i++)
        if (!found && lens_file_exists(paths[i]))
            found = paths[i];
        else
            free(paths[i]);
    return found;
}

static long approximate_of(const test_world *world)
{
    test_run run = test_world_expect(world, 0, "status", "--json", NULL);
    json_t *lines = test_json_lines(&run.out), *models = json_object_get(json_array_get(lines, 0), "models");
    const long count = test_json_integer(json_array_get(models, 0), "approximate"), bytes = test_json_integer(json_array_get(models, 0), "approximate_bytes");
    assert_true((count > 0) == (bytes > 0));
    json_decref(lines);
    test_run_free(&run);
    return count;
}

static void expect_same(const test_world *world, const char *first, const char *second, const char *query)
{
    test_run a = test_world_expect(world, 0, first, query, "-n", "2", NULL), b = test_world_expect(world, 0, second, query, "-n", "2", "--exact", NULL);
    assert_string_equal(a.out.data, b.out.data);
    test_run_free(&a);
    test_run_free(&b);
}

static void test_a_life_with_it(void **state)
{
    const test_world *world = *state;
    draw(world, 0, PICTURES);
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
    assert_null(strstr(run.err.data, "approximate")); /* nobody with so few pictures wants one */
    test_run_free(&run);
    assert_int_equal(approximate_of(world), 0);
    assert_null(cells_of(world));
    run = test_world_expect(world, 1, "check", "--recall", NULL);
    assert_non_null(strstr(run.err.data, "no approximate index"));
    assert_int_equal(run.out.size, 0);
    test_run_free(&run);

    run = test_world_expect(world, 0, "index", "--approximate", NULL);
    assert_non_null(strstr(run.err.data, "approximate index of 40 vectors"));
    test_run_free(&run);
    assert_int_equal(approximate_of(world), PICTURES);
    run = test_world_expect(world, 0, "status", NULL);
    assert_non_null(strstr(run.out.data, "approximate index of 40 vectors"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "check", "--recall", "15", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    const json_t *told = json_array_get(lines, 0);
    assert_int_equal(json_array_size(lines), 1);
    assert_string_equal(json_string_value(json_object_get(told, "model")), "colour");
    assert_int_equal(test_json_integer(told, "queries"), 15);
    assert_int_equal(test_json_integer(told, "approximate"), PICTURES);
    assert_true(json_number_value(json_object_get(told, "recall_at_10")) > 0.95);
    assert_true(json_number_value(json_object_get(told, "exact_ms")) > 0 && json_number_value(json_object_get(told, "approximate_ms")) > 0);
    json_decref(lines);
    test_run_free(&run);
    run = test_world_expect(world, 0, "check", "--recall", "--model", "colour", NULL);
    assert_non_null(strstr(run.out.data, "recall@10 "));
    test_run_free(&run);
    expect_same(world, "search", "search", "id:7");
    expect_same(world, "similar", "similar", "id:7");

    /* What comes is found at once, and the index follows by itself. */
    draw(world, PICTURES, 4);
    json_decref(test_world_index(world));
    assert_int_equal(approximate_of(world), PICTURES);
    expect_same(world, "search", "search", "id:43");
    draw(world, PICTURES + 4, 16);
    json_decref(test_world_index(world));
    assert_int_equal(approximate_of(world), PICTURES + 20);
    run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);

    /* It is a cache. */
    char *cells = cells_of(world);
    assert_non_null(cells);
    test_write(cells, "nonsense", 8);
    assert_int_equal(approximate_of(world), 0);
    expect_same(world, "search", "search", "id:43");
    json_decref(test_world_index(world));
    assert_int_equal(approximate_of(world), PICTURES + 20);
    assert_int_equal(unlink(cells), 0);
    expect_same(world, "search", "search", "id:43");

    json_decref(test_world_index(world));
    assert_int_equal(approximate_of(world), PICTURES + 20);
    run = test_world_expect(world, 0, "index", "--no-approximate", NULL);
    test_run_free(&run);
    assert_int_equal(approximate_of(world), 0);
    assert_null(cells_of(world));
    json_decref(test_world_index(world));
    assert_null(cells_of(world));
    free(cells);
}

static void test_it_goes_with_its_model(void **state)
{
    const test_world *world = *state;
    draw(world, 0, 3);
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", "--approximate", world->pictures, NULL);
    test_run_free(&run);
    char *cells = cells_of(world);
    assert_non_null(cells);
    run = test_world_expect(world, 0, "forget", "--model", "colour", NULL);
    test_run_free(&run);
    run = test_world_expect(world, 0, "index", "--model", "colour@squash", NULL);
    test_run_free(&run);
    assert_false(lens_file_exists(cells));
    free(cells);
}

/* Slots that the older database does not know are written anew, and what was worked out from them says nothing about that. */
static void test_a_database_of_a_backup(void **state)
{
    const test_world *world = *state;
    char *database = test_path(world->library, "library.db");
    draw(world, 0, PICTURES);
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", "--approximate", world->pictures, NULL);
    test_run_free(&run);
    lens_buffer backup = test_read(database);
    draw(world, PICTURES, PICTURES);
    json_decref(test_world_index(world));
    assert_int_equal(approximate_of(world), 2 * PICTURES);
    run = test_world_expect(world, 0, "search", "id:7", "--unhub", NULL);
    test_run_free(&run);
    test_database_restore(world->library, &backup);
    for (int i = PICTURES; i < 2 * PICTURES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%03d.png", i);
        test_world_picture(world, name, TEST_PNG, (unsigned)i + 1000);
    }
    json_decref(test_world_index(world));
    run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    for (int i = PICTURES; i < 2 * PICTURES; i++)
        for (int exact = 0; exact < 2; exact++) {
            char name[16];
            snprintf(name, sizeof name, "%03d.png", i);
            char *path = test_world_path(world, name);
            run = test_world_expect(world, 0, "search", path, "-n", "1", exact ? "--exact" : NULL, NULL);
            if (!strstr(run.out.data, path))
                fail_msg("%s%s: %s", path, exact ? ", exactly" : "", run.out.data);
            test_run_free(&run);
            free(path);
        }
    char *near = test_path(world->library, "colour-1.vectors.near");
    run = test_world_expect(world, 0, "search", "id:7", "--unhub", NULL);
    assert_int_equal(unlink(near), 0);
    test_run anew = test_world_expect(world, 0, "search", "id:7", "--unhub", NULL);
    assert_string_equal(run.out.data, anew.out.data);
    test_run_free(&anew);
    test_run_free(&run);
    free(near);
    lens_buffer_free(&backup);
    free(database);
}

static void test_mistakes(void **state)
{
    const test_world *world = *state;
    const char *wrong[][4] = {
        {"index", "--approximate", "--no-approximate", "one of them"}, {"check", "--json", NULL, "goes with --recall"}, {"check", "10", NULL, "takes no 10"},
        {"check", "--recall", "none", "number of queries"},            {"check", "--recall", "0", "number of queries"},  {"check", "--recall", NULL, "no library"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        test_run run = test_world_expect(world, 2, wrong[i][0], wrong[i][1], wrong[i][2], NULL);
        if (!strstr(run.err.data, wrong[i][3]))
            fail_msg("%s %s: %s", wrong[i][0], wrong[i][1], run.err.data);
        test_run_free(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_life_with_it, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_it_goes_with_its_model, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_database_of_a_backup, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_mistakes, test_world_setup, test_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
