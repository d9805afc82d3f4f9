/* Several `memelens index` share one library in a database: every picture is there once, and one that is killed is replaced by the others. */
#include <signal.h>

#include "base/clock.h"
#include "started.h"

enum { PICTURES = 120, WORKERS = 3, KILLS = 6, PATIENCE = 60 /* seconds */ };

/* Whether so many PICTURES were seen there with work left; else all of it was done before anybody looked. */
static bool wait_for_pictures(const test_world *world, int pictures)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "SELECT CASE WHEN EXISTS (SELECT FROM memelens.work) THEN CASE WHEN there >= %d THEN 'seen' END WHEN there = %d THEN 'done' END"
             " FROM (SELECT count(*) AS there FROM memelens.picture WHERE content IS NOT NULL) AS pictures",
             pictures, PICTURES);
    for (const double end = lens_seconds() + PATIENCE;; lens_sleep(0.01)) {
        char *answer = store_place_ask(world->library, sql);
        const bool seen = strcmp(answer, "seen\n") == 0, done = strcmp(answer, "done\n") == 0;
        free(answer);
        if (seen || done)
            return seen;
        if (lens_seconds() > end)
            fail_msg("there are no %d pictures", pictures);
    }
}

/* Runs the workers to their end, killing *VICTIM (-1: none) once AFTER pictures are there, and gives how many pictures those that lived say they have indexed.
 * *VICTIM is -1 then where there was no work left to kill it at. With one, a lease is short, and another worker that is held up for as long loses its work too, to
 * be done twice. */
static long run_workers(const test_world *world, int *victim, int after)
{
    test_started workers[WORKERS];
    long indexed = 0;
    for (int i = 0; i < WORKERS; i++)
        workers[i] = test_start(world, "index", "-q", "-t1", "--lease", *victim >= 0 ? "1" : "60", "--json", world->pictures);
    if (*victim >= 0 && !wait_for_pictures(world, after))
        *victim = -1;
    if (*victim >= 0)
        kill(workers[*victim].pid, SIGKILL);
    for (int i = 0; i < WORKERS; i++) {
        test_run run = test_started_wait(&workers[i]);
        if (i == *victim && run.status == 0) /* it was through just then */
            *victim = -1;
        if (run.status != (i == *victim ? 128 + SIGKILL : 0))
            fail_msg("worker %d: exit %d: %s", i, run.status, run.err.data);
        json_t *report = test_json_lines(&run.out);
        if (i != *victim)
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
    int nobody = -1;
    assert_int_equal(run_workers(world, &nobody, 0), PICTURES); /* none of them twice */
    assert_whole(world);
    assert_int_equal(run_workers(world, &nobody, 0), 0);
    assert_whole(world);
}

static void test_one_is_killed(void **state)
{
    const test_world *world = *state;
    int kills = 0;
    for (int runs = 0; kills < KILLS && runs < 10 * KILLS; runs++) {
        int victim = kills % WORKERS;
        test_run run = test_world_expect(world, 0, "forget", "--all", NULL);
        test_run_free(&run);
        assert_true(run_workers(world, &victim, kills * PICTURES / 2 / KILLS) > 0);
        assert_whole(world);
        kills += victim >= 0;
    }
    assert_int_equal(kills, KILLS);
}

/* A worker goes by the name of its machine, which may be anybody's. */
static void test_a_workers_name_cannot_steer_the_terminal(void **state)
{
    const test_world *world = *state;
    test_need_terminal();
    free(store_place_ask(world->library, "INSERT INTO memelens.worker (name, lease, models) VALUES"
                                           " (E'\\x1b[2Jworker', 1 + extract(epoch FROM now() + interval '1 hour')::bigint * 1000000, '{}')"));
    const char *argv[] = {"/bin/sh", "-c", "exec script -qec \"\\\"\\${MEMELENS_PROGRAM:-build/memelens}\\\" status\" /dev/null", NULL};
    test_run run = test_run_program(argv, test_world_environment(world), NULL);
    assert_non_null(strstr(run.out.data, "\\x1b[2Jworker: 0 written"));
    assert_null(strchr(run.out.data, '\x1b'));
    test_run_free(&run);
    free(store_place_ask(world->library, "DELETE FROM memelens.worker"));
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_at_once), cmocka_unit_test(test_one_is_killed),
                                       cmocka_unit_test(test_a_workers_name_cannot_steer_the_terminal)};
    return store_place_run_server_group(tests, setup, test_world_teardown);
}
