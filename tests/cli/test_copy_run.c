/* memelens copy and check --same-as as a person runs them; and kill -9 at random moments of a copy, twenty times: gone on with, both are the same. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "memelens.h"
#include "support_copy.h"
#include "world.h"

enum { PICTURES = 12000, KILLS = 20, PATIENCE = 60 /* seconds */ };

/* Starts `memelens copy` and kills it after SECONDS. Whether it was still running; *TOOK is how long it ran. */
static bool copy_and_kill(const char *from, const char *to, double seconds, double *took)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1), dup2(null, 2);
        execl(test_program(), test_program(), "copy", from, to, (char *)NULL);
        _exit(127);
    }
    const double begun = lens_seconds();
    siginfo_t ended = {0};
    while (lens_seconds() - begun < seconds && !ended.si_pid) {
        lens_sleep(0.005);
        assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
    }
    kill(child, SIGKILL);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    *took = lens_seconds() - begun;
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

/* Runs the program with the words that follow, failing the test unless it exits with STATUS and says WORDS on its output or as its error. */
static void expect(int status, const char *words, const char *const *arguments)
{
    const char *argv[16] = {test_program()};
    for (size_t i = 0; arguments[i] && i < 14; i++)
        argv[1 + i] = arguments[i];
    test_run run = test_run_program(argv, NULL, NULL);
    if (run.status != status || (!strstr(run.out.data ? run.out.data : "", words) && !strstr(run.err.data ? run.err.data : "", words)))
        fail_msg("exit %d, not %d with '%s':\n%s%s", run.status, status, words, run.out.data, run.err.data);
    test_run_free(&run);
}
#define expect_run(status, words, ...) expect(status, words, (const char *[]){__VA_ARGS__, NULL})

/* Copies to the end, and gives how many records were there when it began. */
static long go_on(const char *from, const char *to)
{
    const char *argv[] = {test_program(), "copy", "--json", from, to, NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    if (run.status != 0)
        fail_msg("exit %d: %s", run.status, run.err.data);
    json_t *lines = test_json_lines(&run.out);
    const long there = test_json_integer(json_array_get(lines, 0), "there");
    json_decref(lines);
    test_run_free(&run);
    return there;
}

static void test_twenty_kills(void **state)
{
    (void)state;
    char *from = test_folder_new(), *first = store_place("whole"), *back = test_folder_new();
    test_copy_library(from, PICTURES);
    /* How long a whole copy takes here tells where the moments have to lie. */
    const double begin = lens_seconds();
    expect_run(0, "both hold the same", "copy", from, first);
    double whole = lens_seconds() - begin, took;
    store_place_remove(first);

    uint64_t lot = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 20;
    printf("the moments are drawn from %llu\n", (unsigned long long)lot);
    int killed = 0, runs = 0, finished = 0, gone_on = 0;
    char *to = store_place("killed");
    bool fresh = true; /* nothing was copied there yet */
    for (; (killed < KILLS || gone_on == 0) && runs < 10 * KILLS; runs++) {
        lot = lot * 6364136223846793005u + 1442695040888963407u;
        const bool died = copy_and_kill(from, to, whole / 2 * (double)(lot >> 40) / (double)(1 << 24), &took);
        if (!died && fresh && took < whole) /* the first one was held up */
            whole = took;
        killed += died;
        fresh = false;
        if (!died || killed % 7 == 0) { /* every few kills it is gone on with to the end, and another is begun */
            gone_on += go_on(from, to) > 0 && died;
            expect_run(0, "both hold the same", "check", "--library", to, "--same-as", from);
            expect_run(0, "no fault", "check", "--library", to);
            finished++;
            store_place_remove(to);
            to = store_place("killed");
            fresh = true;
        }
    }
    expect_run(0, "both hold the same", "copy", from, to);
    expect_run(0, "both hold the same", "copy", to, back);
    test_copy_expect_same(from, back);
    printf("measured: %d kills at work in %d runs, %d copies finished, of %d a part was there\n", killed, runs, finished + 1, gone_on);
    assert_true(killed >= KILLS && gone_on > 0);
    store_place_remove(to);
    test_folder_remove(from);
    test_folder_remove(back);
}

/* The server of a database goes away in the middle. */
static void test_a_server_that_crashes(void **state)
{
    (void)state;
    char *from = test_folder_new(), *to = store_place("crash"), *back = test_folder_new();
    test_copy_library(from, PICTURES);
    bool cut = false;
    for (int i = 0; i < 20 && !cut; i++) { /* it may be done just then */
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            execl(test_program(), test_program(), "copy", "-q", from, to, (char *)NULL);
            _exit(127);
        }
        bool some = false;
        for (const double end = lens_seconds() + PATIENCE; !some && lens_seconds() < end; lens_sleep(0.01)) {
            char *answer = store_place_ask(to, "SELECT coalesce(pg_relation_size(to_regclass('memelens.picture')) > 300000, false)");
            some = strcmp(answer, "t\n") == 0;
            free(answer);
        }
        kill(child, SIGSTOP);
        store_place_server("crash");
        kill(child, SIGCONT);
        int status;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        store_place_server("start");
        assert_true(some && WIFEXITED(status) && (WEXITSTATUS(status) == 2 || WEXITSTATUS(status) == 0));
        cut = WEXITSTATUS(status) == 2;
        if (!cut) {
            store_place_remove(to);
            to = store_place("crash");
        }
    }
    assert_true(cut);
    assert_true(go_on(from, to) > 0);
    expect_run(0, "both hold the same", "copy", to, back);
    test_copy_expect_same(from, back);
    store_place_remove(to);
    test_folder_remove(from);
    test_folder_remove(back);
}

static void test_what_a_person_sees(void **state)
{
    (void)state;
    char *from = test_folder_new(), *to = store_place("seen"), *other = test_folder_new();
    test_copy_library(from, 50);
    test_copy_library(other, 49);
    expect_run(2, "copy: wants two libraries", "copy", from);
    expect_run(2, "there is no library here", "copy", "/nonexistent", to);
    expect_run(0, "\"removed\":0", "copy", "--json", from, to);
    expect_run(0, "0 records copied, ", "copy", from, to);
    expect_run(2, "holds another library", "copy", other, to);
    expect_run(2, "pictures: ", "check", "--library", to, "--same-as", other);
    expect_run(2, "parts that are not the same: ", "check", "--library", to, "--same-as", other);
    expect_run(2, "there is no library here", "check", "--library", to, "--same-as", "/nonexistent");
    expect_run(0, "went; both hold the same", "copy", "--update", other, to);
    store_place_remove(to);
    test_folder_remove(from);
    test_folder_remove(other);
}

/* A fitted map goes along; whether it is a good one is not looked at here. */
static void test_fitted_maps_go_along(void **state)
{
    (void)state;
    char *home = test_folder_new(), *from = test_folder_new(), *to = store_place("maps"), *back = test_folder_new();
    assert_int_equal(setenv("XDG_DATA_HOME", home, 1), 0);
    test_copy_library(from, 3);
    char *map = test_path(from, "words-01020304.map"), *copy = test_path(back, "words-01020304.map");
    test_write(map, "a map", 5);
    expect_run(0, "both hold the same", "copy", from, to);
    expect_run(0, "both hold the same", "copy", to, back);
    lens_buffer bytes = test_read(copy);
    assert_true(bytes.size == 5 && memcmp(bytes.data, "a map", 5) == 0);
    lens_buffer_free(&bytes);
    /* And what was gone back from goes with the rest. */
    assert_int_equal(unlink(map), 0);
    expect_run(0, "both hold the same", "copy", "--update", from, back);
    assert_false(lens_file_exists(copy));
    free(map), free(copy);
    store_place_remove(to);
    test_folder_remove(from);
    test_folder_remove(back);
    test_folder_remove(home);
}

int main(void)
{
#define ANYWHERE cmocka_unit_test(test_twenty_kills), cmocka_unit_test(test_what_a_person_sees), cmocka_unit_test(test_fitted_maps_go_along)
    const struct CMUnitTest folders[] = {ANYWHERE};
    const struct CMUnitTest databases[] = {ANYWHERE, cmocka_unit_test(test_a_server_that_crashes)};
    return store_place_is_folder() ? store_place_run(folders) : store_place_run(databases);
}
