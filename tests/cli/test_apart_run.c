/* The processes that decode for the real program: killed in the middle of its work, left alone by what a terminal sends, and gone with it. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "pixels/helper_loop.h"
#include "processes.h"
#include "started.h"

enum { PICTURES = 160, KILLS = 12 };
static const char *const last[] = {"998.svg", "999.svg"}; /* one for each thread */

static void draw(const test_world *world)
{
    for (unsigned i = 0; i < PICTURES - 2; i++) {
        char name[32];
        snprintf(name, sizeof name, "%03u.%s", i, i % 4 ? "jpg" : "png");
        test_world_picture(world, name, i % 4 ? TEST_JPEG_420 : TEST_PNG, i);
    }
    for (unsigned i = 0; i < 2; i++)
        test_world_picture(world, last[i], TEST_SVG, i);
}

/* The same, the last two of which are not decoded in less than a minute: so long a run is not over, and has two helpers in the end. */
static void draw_dearly(const test_world *world)
{
    draw(world);
    for (unsigned i = 0; i < 2; i++)
        test_world_dear_drawing(world, last[i]);
}

/* Indexes the pictures as `draw` makes them, and fails the test unless there are all of them, and some that were not there yet. */
static void index_the_rest(const test_world *world)
{
    for (unsigned i = 0; i < 2; i++)
        test_world_picture(world, last[i], TEST_SVG, i);
    json_t *report = test_world_index(world);
    assert_true(test_json_integer(report, "indexed") > 0);
    json_decref(report);
    assert_int_equal(test_world_status(world, "pictures"), PICTURES);
    assert_int_equal(test_world_status(world, "failed"), 0);
}

/* `memelens index`, leading a group of processes as a shell has it. */
static test_started start(const test_world *world)
{
    return test_start(world, "index", "-t2", world->pictures);
}

/* Where it works: PROGRAM only waits for a child. */
static pid_t worker_of(pid_t program)
{
    pid_t worker;
    test_processes_wait(program, TEST_ALIVE, 1, &worker);
    return worker;
}

/* Kills helpers of WORKER to the end of PROGRAM, which is to be a good one: KILLS of them in short order, and then now and then, which is the end of what would
 * take long. How many. */
static int kill_helpers(test_started *program, pid_t worker)
{
    int kills = 0;
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)program->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && !info.si_pid) {
        pid_t helpers[8];
        const int count = test_processes_below(worker, TEST_ALIVE, helpers, 8);
        if (count > 0 && kill(helpers[kills % (count < 8 ? count : 8)], SIGKILL) == 0)
            kills++;
        lens_sleep(kills < KILLS ? 0.02 : 0.3);
    }
    test_run run = test_started_expect(program, 0);
    test_run_free(&run);
    return kills;
}

static void test_killed_helpers_cost_nothing(void **state)
{
    const test_world *world = *state;
    draw_dearly(world);
    test_started program = start(world);
    const int kills = kill_helpers(&program, worker_of(program.pid));
    printf("measured: %d kills of helpers, %ld pictures failed by them\n", kills, test_world_status(world, "failed"));
    assert_true(kills >= 4); /* two of each dear drawing at least */
    index_the_rest(world); /* one that was killed twice over is tried again */
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
}

static void test_no_helper_outlives_a_killed_program(void **state)
{
    const test_world *world = *state;
    draw_dearly(world);
    test_started program = start(world);
    const pid_t worker = worker_of(program.pid);
    pid_t helpers[2];
    test_processes_wait(worker, TEST_ALIVE, 2, helpers);
    kill(program.pid, SIGKILL);
    test_run run = test_started_expect(&program, 128 + SIGKILL);
    test_run_free(&run);
    test_process_wait_end(worker);
    for (int i = 0; i < 2; i++)
        test_process_wait_end(helpers[i]);
    index_the_rest(world); /* they ended with the program, and not because all was done */
}

/* The number of a process that has ended is its own until the program has looked, whoever started the program: another's might be killed for it. */
static void test_who_ignored_its_children_does_not_matter(void **state)
{
    const test_world *world = *state;
    draw_dearly(world);
    signal(SIGCHLD, SIG_IGN);
    test_started program = start(world);
    signal(SIGCHLD, SIG_DFL);
    const pid_t worker = worker_of(program.pid);
    pid_t helper, seen;
    test_processes_wait(worker, TEST_ALIVE, 1, &helper);
    test_process_stop(worker);
    kill(helper, SIGKILL);
    test_processes_wait(worker, TEST_ZOMBIES, 1, &seen);
    assert_int_equal(seen, helper);
    kill(worker, SIGCONT);
    kill_helpers(&program, worker);
}

static void test_ctrl_c_is_no_crash(void **state)
{
    const test_world *world = *state;
    draw_dearly(world);
    const test_started program = start(world);
    test_processes_wait(worker_of(program.pid), TEST_ALIVE, 2, NULL);
    kill(-program.pid, SIGINT);
    int status;
    while (waitpid(program.pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(program.out), close(program.err);
    assert_true(WIFEXITED(status)); /* and was not killed by SIGINT, which a shell tells as 130 too */
    assert_int_equal(WEXITSTATUS(status), 130);
    assert_int_equal(test_world_status(world, "failed"), 0);
    index_the_rest(world);
}

/* Helpers that give no answer, as one that is busy for a minute: a stop does not wait for them, and what they had is no failure. */
static void test_ctrl_c_waits_for_no_helper(void **state)
{
    const test_world *world = *state;
    draw_dearly(world);
    test_started program = start(world);
    const pid_t worker = worker_of(program.pid);
    for (int i = 0, stopped = 0; i < 200 || stopped < 2; i++, lens_sleep(0.01)) { /* until both workers wait for one */
        pid_t helpers[8];
        const int count = test_processes_below(worker, TEST_ALIVE, helpers, 8);
        stopped = 0;
        for (int h = 0; h < count && h < 8; h++)
            if (test_process_has_argument(helpers[h], LENS_HELPER_ARGUMENT)) /* before that its parent's thread stands still with it, as vfork has it */
                stopped += kill(helpers[h], SIGSTOP) == 0;
        if (i > 6000)
            fail_msg("it has %d helpers", count);
    }
    const double begun = lens_seconds();
    kill(-program.pid, SIGINT);
    test_run run = test_started_expect(&program, 130);
    test_run_free(&run);
    assert_true(lens_seconds() - begun < 30);
    assert_int_equal(test_world_status(world, "failed"), 0);
    index_the_rest(world);
}

/* Such files are read with nothing else in hand. */
static void test_large_files_between_others(void **state)
{
    const test_world *world = *state;
    draw(world);
    for (int i = 0; i < PICTURES; i += 40) {
        char name[32];
        snprintf(name, sizeof name, "%03d.%s", i + i / 40 % 2, i / 40 % 2 ? "jpg" : "png");
        char *path = test_world_path(world, name);
        assert_int_equal(truncate(path, (off_t)65 << 20), 0); /* nothing, behind the picture */
        free(path);
    }
    json_decref(test_world_index(world));
    assert_int_equal(test_world_status(world, "pictures"), PICTURES);
    assert_int_equal(test_world_status(world, "failed"), 0);
}

/* A limit on the size of files is one on the memory that is shared with helpers too. */
static void test_a_limit_on_files_is_no_end(void **state)
{
    const test_world *world = *state;
    for (unsigned i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "%u.jpg", i);
        test_world_picture(world, name, TEST_JPEG_420, i);
    }
    struct rlimit before, narrow;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    narrow = before;
    narrow.rlim_cur = (rlim_t)32 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &narrow), 0);
    test_run run = test_world_run(world, "index", world->pictures, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(run.status, 0);
    test_run_free(&run);
    assert_int_equal(test_world_status(world, "pictures"), 3);
    assert_int_equal(test_world_status(world, "failed"), 0);
}

/* In a test program libvips is there already; in the real one only a helper that loads it before files are out of its reach can have it. */
static void test_what_only_libvips_can_read_finds_it(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "icon.ico", TEST_ICO, 1);
    lens_buffer odd = test_picture(TEST_JPEG_420, 64, 64, 1);
    for (size_t i = 0; i + 11 < odd.size; i++)
        if (memcmp(odd.data + i, "\xff\xc0", 2) == 0) {
            odd.data[i + 11] = 0x14; /* a ratio that TurboJPEG has no name for */
            break;
        }
    char *path = test_world_path(world, "odd.jpg");
    test_write(path, odd.data, odd.size);
    json_t *report = test_world_index(world);
    assert_int_equal(test_json_integer(report, "indexed"), 2);
    assert_int_equal(test_json_integer(report, "failed"), 0);
    json_decref(report);
    free(path);
    lens_buffer_free(&odd);
}

static void test_a_helper_is_not_started_by_hand(void **state)
{
    (void)state;
    const char *argv[] = {test_program(), "--decoder", "0", "1000", NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    assert_int_equal(run.status, 2);
    assert_non_null(strstr(run.err.data, "nothing else\n"));
    test_run_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed_helpers_cost_nothing, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_no_helper_outlives_a_killed_program, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_who_ignored_its_children_does_not_matter, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_ctrl_c_is_no_crash, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_ctrl_c_waits_for_no_helper, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_large_files_between_others, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_a_limit_on_files_is_no_end, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_what_only_libvips_can_read_finds_it, test_world_setup, test_world_teardown),
        cmocka_unit_test(test_a_helper_is_not_started_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
