/* Several `memelens index` share one library in a database: every picture is there once, and one that is killed is replaced by the others. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "world.h"

enum { PICTURES = 120, WORKERS = 3, KILLS = 6 };

/* Starts `memelens index`, whose last line goes into a file of its own. */
static pid_t start(const test_world *world, int number)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    char name[64];
    snprintf(name, sizeof name, "worker-%d.json", number);
    char *path = lens_path_join(world->folder, name);
    const int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), null = open("/dev/null", O_WRONLY);
    dup2(out, 1), dup2(null, 2);
    for (const char *const *entry = test_world_environment(world); *entry; entry++)
        putenv((char *)*entry);
    execl(test_program(), test_program(), "index", "-q", "-t1", "--lease", "1", "--json", world->pictures, (char *)NULL);
    _exit(127);
}

/* How many pictures worker NUMBER says that it has indexed. */
static long indexed_by(const test_world *world, int number)
{
    char name[64];
    lens_error err = {0};
    lens_buffer text = {0};
    snprintf(name, sizeof name, "worker-%d.json", number);
    char *path = lens_path_join(world->folder, name);
    assert_done(lens_file_read(path, 1 << 20, &text, &err), &err);
    json_t *report = json_loads(text.data ? text.data : "", 0, NULL);
    assert_non_null(report);
    const long count = test_json_integer(report, "indexed");
    json_decref(report);
    lens_buffer_free(&text);
    free(path);
    return count;
}

/* Runs the workers to their end, killing VICTIM after SECONDS (-1: none), and gives how many pictures those that lived say they have indexed. */
static long run_workers(const test_world *world, int victim, double seconds)
{
    pid_t workers[WORKERS];
    long indexed = 0;
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start(world, i);
    if (victim >= 0) {
        lens_sleep(seconds);
        kill(workers[victim], SIGKILL);
    }
    for (int i = 0; i < WORKERS; i++) {
        int status;
        assert_int_equal(waitpid(workers[i], &status, 0), workers[i]);
        const bool killed = WIFSIGNALED(status);
        if (!killed && WEXITSTATUS(status) != 0)
            fail_msg("worker %d ended with %d", i, WEXITSTATUS(status));
        assert_true(!killed || i == victim);
        if (!killed)
            indexed += indexed_by(world, i);
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
        run_workers(world, i % WORKERS, 0.05 + 0.1 * i);
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
