/* A writer that is stopped in the middle of its work, as a machine that sleeps: whoever reads finds a whole library, whoever would write says in one line that
 * it waits, can be interrupted, and gives up in one line; and the writer goes on when it wakes. */
#include <libpq-fe.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "started.h"

enum { THERE = 6, NEW = 240, STOPS = 5, PATIENCE = 60 /* seconds */ };
static const char waits[] = "another run is writing to the library; waiting for it", writing[] = "is writing to this library";

static void assert_pictures(const test_world *world, long pictures)
{
    test_run run = test_world_expect(world, 0, "check", "-q", NULL);
    test_run_free(&run);
    assert_int_equal(test_world_status(world, "pictures"), pictures);
}

/* All that only reads, while nobody moves. */
static void assert_readable(const test_world *world)
{
    test_run run = test_world_expect(world, 0, "check", "-q", NULL);
    test_run_free(&run);
    run = test_world_expect(world, 0, "status", "-q", NULL);
    test_run_free(&run);
    char *there = test_world_path(world, "000.jpg");
    json_t *paths = test_world_search(world, there);
    assert_string_equal(json_string_value(json_array_get(paths, 0)), there);
    json_decref(paths);
    free(there);
}

/* Waits until STARTED has said WORDS. */
static void hear(const test_started *started, const char *words)
{
    bool heard = false;
    for (const double end = lens_seconds() + PATIENCE; !heard; lens_sleep(0.02)) {
        lens_buffer said = test_started_said(started);
        heard = strstr(said.data, words) != NULL;
        if (!heard && lens_seconds() > end)
            fail_msg("memelens %s does not say '%s' but: %s", started->command, words, said.data);
        lens_buffer_free(&said);
    }
}

static size_t lines_of(const lens_buffer *text)
{
    size_t count = 0;
    for (size_t i = 0; i < text->size; i++)
        count += text->data[i] == '\n';
    return count;
}

/* False where it had ended before that, to be waited for still. */
static bool stop(const test_started *started)
{
    siginfo_t info = {0};
    kill(-started->pid, SIGSTOP); /* with the child that it works in */
    assert_int_equal(waitid(P_PID, (id_t)started->pid, &info, WSTOPPED | WEXITED | WNOWAIT), 0);
    return info.si_code == CLD_STOPPED;
}

/* Of COUNT pictures beside those THERE are. */
static test_started index_slowly(const test_world *world, unsigned there, unsigned count)
{
    test_world_pictures(world, there, count);
    return test_start(world, "index", "-t1", "--json", "--lease", "1", world->pictures);
}

/* Whoever would write says so, and says in the end that it could not: OTHERS [count] are waited for to their end. */
static void assert_refused(test_started *others, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        test_run run = test_started_expect(&others[i], 2);
        if (lines_of(&run.err) != 1 || !strstr(run.err.data, writing))
            fail_msg("memelens %s says: %s", others[i].command, run.err.data);
        test_run_free(&run);
    }
}

static void in_a_folder(void **state)
{
    const test_world *world = *state;
    char *copy = test_path(world->folder, "copy"), *some = test_world_path(world, "000.jpg");
    test_world_pictures(world, 0, THERE);
    json_decref(test_world_index(world));
    test_run run = test_world_expect(world, 0, "copy", "-q", world->library, copy, NULL);
    test_run_free(&run);
    unsigned there = THERE, count = NEW;
    test_started writer = index_slowly(world, there, count);
    for (int i = 1;; i++) { /* wherever it is just now; at last among its transactions, when some of what is new is there */
        lens_sleep(0.05);
        const bool stopped = stop(&writer);
        assert_readable(world);
        const unsigned now = (unsigned)test_world_status(world, "pictures");
        if (stopped && i >= STOPS && now > there && now < there + count)
            break;
        kill(-writer.pid, SIGCONT);
        if (stopped && now < there + count)
            continue;
        run = test_started_expect(&writer, 0); /* all of it was there before anybody looked: again with more */
        test_run_free(&run);
        there += count;
        count *= 2;
        assert_true(count <= 16 * NEW);
        writer = index_slowly(world, there, count);
    }
    test_started refused[] = {test_start(world, "index", "-q", world->pictures), test_start(world, "forget", "-q", some),
                              test_start(world, "copy", "-q", copy, world->library)},
                 waiting = test_start(world, "index", world->pictures);
    hear(&waiting, waits);
    kill(waiting.pid, SIGINT); /* before its ten seconds are over */
    run = test_started_expect(&waiting, 130);
    assert_non_null(strstr(run.err.data, "interrupted"));
    assert_int_equal(lines_of(&run.err), 3); /* that it waits, what it has done, that it was interrupted */
    test_run_free(&run);
    assert_refused(refused, sizeof refused / sizeof *refused);
    kill(-writer.pid, SIGCONT);
    run = test_started_expect(&writer, 0);
    json_t *report = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(report, 0), "indexed"), count);
    json_decref(report);
    test_run_free(&run);
    assert_pictures(world, there + count);
    free(copy), free(some);
}

/* In a database another run takes up what the one that sleeps has in hand, and that one says so when it wakes, or has nothing more to do. */
static void in_a_database(void **state)
{
    const test_world *world = *state;
    test_world_pictures(world, 0, THERE);
    json_decref(test_world_index(world));
    unsigned there = THERE, count = NEW;
    test_started writer = index_slowly(world, there, count);
    for (bool in_hand = false; !in_hand;) {
        lens_sleep(0.05);
        if (!stop(&writer)) { /* all of it was there before anybody looked: again with more */
            test_run run = test_started_expect(&writer, 0);
            test_run_free(&run);
            there += count;
            count *= 2;
            assert_true(count <= 16 * NEW);
            writer = index_slowly(world, there, count);
            continue;
        }
        char *work = store_place_ask(world->library, "SELECT EXISTS (SELECT FROM memelens.work WHERE worker IS NOT NULL)");
        in_hand = strcmp(work, "t\n") == 0;
        free(work);
        if (!in_hand)
            kill(-writer.pid, SIGCONT);
    }
    assert_readable(world);
    test_started other = test_start(world, "index", "-q", "--lease", "1", world->pictures);
    test_run run = test_started_expect(&other, 0);
    test_run_free(&run);
    assert_pictures(world, there + count);
    kill(-writer.pid, SIGCONT);
    run = test_started_wait(&writer);
    if (run.status != 0 && (run.status != 2 || !strstr(run.err.data, "run it again")))
        fail_msg("the one that woke: exit %d: %s", run.status, run.err.data);
    test_run_free(&run);
    assert_pictures(world, there + count);
}

/* Waits until somebody waits for the turn that STUCK keeps. */
static void await_waiting(PGconn *stuck)
{
    bool waiting = false;
    for (const double end = lens_seconds() + PATIENCE; !waiting; lens_sleep(0.02)) {
        if (lens_seconds() > end)
            fail_msg("nobody waits");
        PGresult *rows = PQexec(stuck, "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
        assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
        waiting = PQntuples(rows) > 0;
        PQclear(rows);
    }
}

/* Behind one that keeps its turn for ever a run can still be interrupted. */
static void interrupted_behind_a_stuck_writer(void **state)
{
    const test_world *world = *state;
    test_world_pictures(world, 0, THERE);
    json_decref(test_world_index(world));
    test_run first = test_world_run(world, "ocr", "-q", NULL);
    const bool reads = first.status == 0;
    if (!reads)
        printf("skipped: interrupting memelens ocr: %s", first.err.data);
    test_run_free(&first);
    test_world_pictures(world, THERE, 2);
    json_decref(test_world_index(world)); /* to be read */
    test_world_pictures(world, THERE + 2, 2);
    PGconn *stuck = PQconnectdb(world->library);
    PQclear(PQexec(stuck, "SELECT pg_advisory_lock(7308604897285829)"));
    test_started index = test_start(world, "index", world->pictures);
    await_waiting(stuck);
    kill(index.pid, SIGINT);
    test_run run = test_started_expect(&index, 130);
    assert_non_null(strstr(run.err.data, "interrupted"));
    test_run_free(&run);
    if (reads) {
        test_started read = test_start(world, "ocr");
        await_waiting(stuck);
        kill(read.pid, SIGINT);
        run = test_started_expect(&read, 2); /* what was read is lost, and that is said */
        assert_non_null(strstr(run.err.data, "interrupted while another one was writing"));
        test_run_free(&run);
    }
    PQfinish(stuck);
    json_decref(test_world_index(world));
    assert_pictures(world, THERE + 4);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, test_world_setup, test_world_teardown)
    const struct CMUnitTest folders[] = {WORLD_TEST(in_a_folder)};
    const struct CMUnitTest databases[] = {WORLD_TEST(in_a_database), WORLD_TEST(interrupted_behind_a_stuck_writer)};
    return store_place_is_folder() ? store_place_run(folders) : store_place_run(databases);
}
