/* Signals of a person to an index run, in all the ways that they come: the first one stops it in order, the second one at once. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "processes.h"
#include "world.h"

enum { PICTURES = 240, TIMES = 5 };
static const char last[] = "999.svg";
static const double one_signal = 0.19; /* seconds, some less than those within which the program takes two for one */

typedef struct index_run {
    pid_t program; /* leads a group of processes, as a shell has it */
    int said;
} index_run;

/* IGNORES: Ctrl-C, as what a script runs in the background. */
static index_run start(const test_world *world, bool ignores)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t program = fork();
    assert_true(program >= 0);
    if (program == 0) {
        setpgid(0, 0);
        dup2(ends[1], 2);
        close(ends[0]), close(ends[1]);
        for (const char *const *entry = test_world_environment(world); *entry; entry++)
            putenv((char *)*entry);
        signal(SIGINT, ignores ? SIG_IGN : SIG_DFL);
        execl(test_program(), test_program(), "index", "-t1", world->pictures, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    return (index_run){program, ends[0]};
}

/* Its status, as wait has it, and what it SAID. */
static int end(const index_run *run, lens_buffer *said)
{
    char bytes[4096];
    ssize_t got;
    int status;
    while ((got = read(run->said, bytes, sizeof bytes)) > 0)
        assert_int_equal(lens_buffer_append(said, bytes, (size_t)got), 0);
    close(run->said);
    assert_int_equal(lens_buffer_append(said, "", 1), 0);
    while (waitpid(run->program, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* Puts what cannot be read before the pictures: a run that has named it is at work. */
static void put_first(const test_world *world, int time)
{
    char name[32];
    snprintf(name, sizeof name, "000-%d.jpg", time);
    char *path = test_world_path(world, name);
    test_write(path, "\xff\xd8\xff and no more", 14);
    free(path);
}

static int setup(void **state)
{
    if (test_world_setup(state) != 0)
        return -1;
    test_world_pictures(*state, 0, PICTURES);
    test_world_dear_drawing(*state, last); /* so that no run is through before its signal comes */
    return 0;
}

static void expect_stop(const test_world *world, int number, bool process, bool group)
{
    if (lens_file_exists(world->library)) {
        test_run run = test_world_expect(world, 0, "forget", "--all", NULL);
        test_run_free(&run);
    }
    for (int i = 0, held_up = 0; i < TIMES; i++) {
        char byte;
        put_first(world, i);
        const index_run run = start(world, false);
        lens_buffer said = {0};
        assert_int_equal(read(run.said, &byte, 1), 1);
        const double sent = lens_seconds();
        if (process)
            kill(run.program, number);
        if (group)
            kill(-run.program, number);
        const int status = end(&run, &said);
        /* Held up, it may have seen the second when the first was long past, which ends it rightly: once more. */
        if (process && group && WIFSIGNALED(status) && WTERMSIG(status) == number && lens_seconds() - sent > one_signal && held_up++ < 20) {
            lens_buffer_free(&said);
            i--;
            continue;
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 130 || !strstr(said.data, "the same command goes on from there"))
            fail_msg("signal %d, time %d: status %#x: %s", number, i, (unsigned)status, said.data);
        lens_buffer_free(&said);
    }
}

static void test_a_signal_to_the_program(void **state)
{
    expect_stop(*state, SIGINT, true, false);
    expect_stop(*state, SIGTERM, true, false);
}

static void test_a_signal_to_the_group(void **state)
{
    expect_stop(*state, SIGINT, false, true);
    expect_stop(*state, SIGTERM, false, true);
}

/* It goes on to its end, and only SIGTERM stops it. */
static void test_a_signal_that_is_ignored(void **state)
{
    const test_world *world = *state;
    for (int i = 0; i < 2; i++) {
        char byte;
        put_first(world, i);
        if (i == 0)
            test_world_picture(world, last, TEST_SVG, 1);
        else
            test_world_dear_drawing(world, last);
        const index_run run = start(world, true);
        lens_buffer said = {0};
        assert_int_equal(read(run.said, &byte, 1), 1);
        kill(-run.program, SIGINT);
        kill(run.program, SIGINT);
        if (i == 1)
            kill(run.program, SIGTERM);
        const int status = end(&run, &said);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != (i == 1 ? 130 : 0))
            fail_msg("time %d: status %#x: %s", i, (unsigned)status, said.data);
        lens_buffer_free(&said);
        test_run forgotten = test_world_expect(world, 0, "forget", "--all", NULL);
        test_run_free(&forgotten);
    }
}

/* As timeout does it. */
static void test_a_signal_to_both(void **state)
{
    expect_stop(*state, SIGTERM, true, true);
}

/* One that a slow disk holds, which a worker that is stopped stands for, ends at the second signal, and its worker with it. */
static void test_a_second_signal(void **state)
{
    const test_world *world = *state;
    const int numbers[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        char byte;
        pid_t worker;
        put_first(world, i);
        const index_run run = start(world, false);
        lens_buffer said = {0};
        assert_int_equal(read(run.said, &byte, 1), 1);
        test_processes_wait(run.program, TEST_ALIVE, 1, &worker);
        kill(worker, SIGSTOP);
        int sent = 0; /* the program takes those that come within a moment for one */
        for (siginfo_t ended = {0}; !ended.si_pid && sent < 200; sent++) {
            kill(run.program, numbers[i]);
            lens_sleep(0.25);
            assert_int_equal(waitid(P_PID, (id_t)run.program, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
        }
        assert_in_range(sent, 2, 199);
        const int status = end(&run, &said);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != numbers[i])
            fail_msg("signal %d: status %#x: %s", numbers[i], (unsigned)status, said.data);
        test_process_wait_end(worker);
        lens_buffer_free(&said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_signal_to_the_program, setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_signal_to_the_group, setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_signal_that_is_ignored, setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_signal_to_both, setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_second_signal, setup, test_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
