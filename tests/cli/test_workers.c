/* Several `memelens index` share one library in a database: every picture is there once, and one that is killed is replaced by the others. */
#include <signal.h>

#include "base/clock.h"
#include "started.h"

enum { PICTURES = 120, WORKERS = 3, KILLS = 6, PATIENCE = 60 /* seconds */ };

/* Waits until so many PICTURES are in the database, and there is work left. */
static void wait_for_pictures(const test_world *world, int pictures)
{
    char sql[256];
    bool there = false;
    snprintf(sql, sizeof sql, "SELECT (SELECT count(*) FROM memelens.picture WHERE content IS NOT NULL) >= %d AND EXISTS (SELECT FROM memelens.work)", pictures);
    for (const double end = lens_seconds() + PATIENCE; !there; lens_sleep(0.01)) {
        char *answer = store_place_ask(world->library, sql);
        there = strcmp(answer, "t\n") == 0;
        free(answer);
        if (!there && lens_seconds() > end)
            fail_msg("there are no %d pictures with work left", pictures);
    }
}

/* Runs the workers to their end, killing VICTIM (-1: none) once AFTER pictures are there, and gives how many pictures those that lived say they have indexed. */
static long run_workers(const test_world *world, int victim, int after)
{
    test_started workers[WORKERS];
    long indexed = 0;
    for (int i = 0; i < WORKERS; i++)
        workers[i] = test_start(world, "index", "-q", "-t1", "--lease", "1", "--json", world->pictures);
    if (victim >= 0) {
        wait_for_pictures(world, after);
        kill(workers[victim].pid, SIGKILL);
    }
    for (int i = 0; i < WORKERS; i++) {
        test_run run = test_started_expect(&workers[i], i == victim ? 128 + SIGKILL : 0);
        json_t *report = test_json_lines(&run.out);
        if (i != victim)
            indexed += test_json_integer(json_array_get(report, 0), "indexed");
        json_decref(report);
        test_run_free(&run);
    }
    return indexed;
}

/* Each picture and each vector once, no work left, and no fault. */
static void assert_whole(const test_world *world)
{
    char *counts = store_place_ask(world->library, "SELECT (SELECT count(*) FROM memelens.picture WHERE content IS NOT NULL), (SELECT count(DISTINCT path) FROM memelens.picture),"
                                                   " (SELECT sum(vectors) FROM memelens.model), (SELECT count(*) FROM memelens.work)");
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%d|%d|%d|0\n", PICTURES, PICTURES, PICTURES);
    assert_string_equal(counts, wanted);
    free(counts);
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
}

static void test_three_at_once(void **state)
{
    const test_world *world = *state;
    assert_int_equal(run_workers(world, -1, 0), PICTURES); /* none of them twice */
    assert_whole(world);
    assert_int_equal(run_workers(world, -1, 0), 0);
    assert_whole(world);
}

static void test_one_is_killed(void **state)
{
    const test_world *world = *state;
    for (int i = 0; i < KILLS; i++) {
        test_run run = test_world_expect(world, 0, "forget", "--all", NULL);
        test_run_free(&run);
        assert_in_range(run_workers(world, i % WORKERS, i * PICTURES / 2 / KILLS), 1, PICTURES);
        assert_whole(world);
    }
}

static int setup(void **state)
{
    if (test_world_setup(state) != 0)
        return -1;
    test_world_pictures(*state, 0, PICTURES);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_at_once), cmocka_unit_test(test_one_is_killed)};
    return store_place_run_server_group(tests, setup, test_world_teardown);
}
