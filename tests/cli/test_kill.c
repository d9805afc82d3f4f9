/* kill -9 at random moments of an index run, twenty times: nothing is lost or doubled, and check finds no fault. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "world.h"

extern char **environ;

enum { PICTURES = 600 /* several transactions */, KILLS = 20 };

/* Starts `memelens index` and kills it after SECONDS. Whether it was still running; *TOOK is how long it ran. */
static bool index_and_kill(const test_world *world, double seconds, double *took)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1), dup2(null, 2);
        for (const char *const *entry = test_world_environment(world); *entry; entry++)
            putenv((char *)*entry);
        execl(test_program(), test_program(), "index", "-q", "-t2", world->pictures, (char *)NULL);
        _exit(127);
    }
    const double begun = lens_seconds();
    siginfo_t ended = {0};
    while (lens_seconds() - begun < seconds && !ended.si_pid) {
        lens_sleep(0.01);
        assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
    }
    kill(child, SIGKILL);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    *took = lens_seconds() - begun;
    return WIFSIGNALED(status);
}

static long pictures_known(const test_world *world)
{
    test_run run = test_world_run(world, "status", "--json", NULL);
    long count = 0;
    if (run.status == 0) {
        json_t *lines = test_json_lines(&run.out);
        count = test_json_integer(json_array_get(lines, 0), "pictures");
        json_decref(lines);
    }
    test_run_free(&run);
    return count;
}

static void test_twenty_kills(void **state)
{
    const test_world *world = *state;
    test_world_pictures(world, 0, PICTURES);
    /* How long a whole run takes here tells where the moments have to lie. */
    double begin = lens_seconds();
    json_decref(test_world_index(world));
    double whole = lens_seconds() - begin;
    test_run run = test_world_expect(world, 0, "forget", "--all", NULL);
    test_run_free(&run);

    uint64_t lot = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 20;
    printf("the moments are drawn from %llu\n", (unsigned long long)lot);
    int killed = 0, runs = 0;
    long known = 0, most = 0;
    double took;
    for (; killed < KILLS && runs < 10 * KILLS; runs++) {
        lot = lot * 6364136223846793005u + 1442695040888963407u;
        const bool died = index_and_kill(world, whole * (double)(lot >> 40) / (double)(1 << 24), &took);
        if (!died && known == 0 && took < whole) /* the first one was held up, or had more to do */
            whole = took;
        killed += died;
        long now = pictures_known(world);
        if (now < known)
            fail_msg("%ld pictures after a kill, %ld before it", now, known);
        known = now;
        most = known > most && known < PICTURES ? known : most;
        if (lens_file_exists(world->library)) {
            run = test_world_run(world, "check", NULL);
            /* A kill before the database was made leaves no library. */
            if (run.status != 0 && !(known == 0 && strstr(run.err.data, "no library")))
                fail_msg("after run %d:\n%s%s", runs, run.out.data, run.err.data);
            test_run_free(&run);
        }
        if (known == PICTURES) { /* begin anew, so that every kill finds work */
            run = test_world_expect(world, 0, "forget", "--all", NULL);
            test_run_free(&run);
            known = 0;
        }
    }
    json_t *report = test_world_index(world);
    assert_int_equal(test_json_integer(report, "indexed") + test_json_integer(report, "unchanged"), PICTURES);
    assert_int_equal(test_json_integer(report, "failed"), 0);
    json_decref(report);
    assert_int_equal(pictures_known(world), PICTURES);
    run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    printf("measured: %d kills at work in %d runs; up to %ld of %d pictures stood after one\n", killed, runs, most, PICTURES);
    assert_int_equal(killed, KILLS);
}

static void test_interrupt_keeps_what_is_done(void **state)
{
    const test_world *world = *state;
    test_world_pictures(world, 0, PICTURES);
    int err[2];
    assert_int_equal(pipe(err), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(err[1], 2);
        close(err[0]), close(err[1]);
        for (const char *const *entry = test_world_environment(world); *entry; entry++)
            putenv((char *)*entry);
        execl(test_program(), test_program(), "index", world->pictures, (char *)NULL);
        _exit(127);
    }
    close(err[1]);
    /* Ctrl-C as soon as something is in the library. */
    double begin = lens_seconds();
    while (pictures_known(world) == 0 && lens_seconds() - begin < 60)
        lens_sleep(0.02);
    kill(child, SIGINT);
    char said[4096] = "";
    size_t size = 0;
    ssize_t got;
    while ((got = read(err[0], said + size, sizeof said - 1 - size)) > 0)
        size += (size_t)got;
    close(err[0]);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0) { /* it may have been done just before */
        assert_int_equal(WEXITSTATUS(status), 130);
        assert_non_null(strstr(said, "the same command goes on from there"));
    }
    long known = pictures_known(world);
    assert_true(known > 0);
    json_t *report = test_world_index(world);
    assert_int_equal(test_json_integer(report, "unchanged"), known);
    assert_int_equal(test_json_integer(report, "indexed"), PICTURES - known);
    json_decref(report);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, test_world_setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_twenty_kills),
        WORLD_TEST(test_interrupt_keeps_what_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
