/* src/store: who reads beside a writer, and who was there before there was a library. */
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_store.h"

enum { DIM = 16, COUNT = 40 };

static void test_no_library_yet(void **state)
{
    (void)state;
    char *place = store_place("none");
    lens_error err = {0};
    for (int i = 0; i < 2; i++) { /* looking makes nothing */
        assert_null(lens_store_open(place, LENS_STORE_READ, 0, &err));
        assert_int_equal(err.code, LENS_E_MISSING);
    }
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    const int64_t model = test_model(store, "m", DIM);
    lens_store_close(store);
    store = test_store(place, LENS_STORE_READ);
    assert_int_equal(test_store_sound(store, model, DIM), 0);
    lens_store_close(store);
    lens_store_close(NULL);
    store_place_remove(place);
}

static int64_t version(lens_store *store)
{
    lens_error err = {0};
    int64_t number = 0;
    assert_done(lens_store_version(store, &number, &err), &err);
    return number;
}

/* The version is another one after every write by somebody else, and stays as it is while nobody writes. */
static void test_the_version(void **state)
{
    (void)state;
    char *place = store_place("version");
    test_library_fill(place, DIM, COUNT);
    lens_error err = {0};
    lens_store *reader = test_store(place, LENS_STORE_READ), *store = test_store(place, LENS_STORE_WRITE);
    int64_t before = version(reader), removed;
    for (int i = 0; i < 5; i++) {
        assert_true(version(reader) == before);
        if (i == 0)
            test_write_picture(store, 1, DIM, "/p/new.jpg", 500, 0);
        else if (i == 1)
            assert_done(lens_store_forget(store, "/p/new.jpg", &removed, &err), &err);
        else if (i == 2)
            test_model(store, "other", DIM);
        else if (i == 3)
            assert_done(lens_store_forget_model(store, "other", &err), &err);
        else
            assert_done(lens_store_add_root(store, "/q", &err), &err);
        if (version(reader) == before)
            fail_msg("the version does not tell of change %d", i);
        before = version(reader);
    }
    lens_store_close(store);
    lens_store_close(reader);
    store_place_remove(place);
}

/* In a moment all that is read is of one time, whatever is written meanwhile. */
static void test_a_moment(void **state)
{
    (void)state;
    char *place = store_place("moment");
    test_library_fill(place, DIM, COUNT);
    lens_error err = {0};
    lens_store *reader = test_store(place, LENS_STORE_READ), *store = test_store(place, LENS_STORE_WRITE);
    lens_store_counts counts;
    int64_t removed;
    for (int round = 0; round < 2; round++) {
        assert_done(lens_store_moment_begin(reader, &err), &err);
        const bool there = test_id(reader, "/p/00001.jpg") != 0;
        assert_int_equal(there, round == 0);
        if (round == 0)
            assert_done(lens_store_forget(store, "/p/00001.jpg", &removed, &err), &err);
        else
            assert_true(test_write_picture(store, 1, DIM, "/p/00001.jpg", 1, 0) > 0);
        assert_int_equal(test_id(reader, "/p/00001.jpg") != 0, there);
        assert_done(lens_store_count(reader, &counts, &err), &err);
        assert_int_equal(counts.pictures, COUNT - round);
        lens_store_moment_end(reader);
        assert_int_equal(test_id(reader, "/p/00001.jpg") != 0, !there);
    }
    assert_int_equal(test_store_sound(reader, 1, DIM), COUNT);
    lens_store_close(store);
    lens_store_close(reader);
    store_place_remove(place);
}

/* Adds, removes and compacts, a byte to TOLD for each round, until STOP is closed. */
static void write_until(const char *place, int told, int stop)
{
    lens_error err = {0};
    lens_store *store = lens_store_open(place, LENS_STORE_WRITE, 5, &err);
    bool bad = !store;
    for (uint64_t i = 1000; !bad && poll(&(struct pollfd){stop, POLLIN, 0}, 1, 0) == 0; i += 4) {
        int64_t removed;
        char path[32];
        snprintf(path, sizeof path, "/p/%05d.jpg", (int)i + 1);
        bad = test_write_pictures(store, 1, DIM, "/p", i, 4, &err) != 0 || lens_store_forget(store, path, &removed, &err) != 0 ||
              lens_store_compact(store, true, &err) != 0 || write(told, "r", 1) != 1;
    }
    if (bad)
        fprintf(stderr, "%s\n", err.message);
    lens_store_close(store);
    _exit(bad);
}

/* How many rounds were told since; -1: the writer ended by itself. */
static int rounds_since(int told)
{
    int count = 0;
    char bytes[256];
    ssize_t got;
    while ((got = read(told, bytes, sizeof bytes)) > 0)
        count += (int)got;
    return got == 0 ? -1 : count;
}

/* A reader that opens views all the time beside a writer that adds, removes and compacts all the time. */
static void test_a_reader_beside_a_writer(void **state)
{
    (void)state;
    enum { VIEWS = 50, ROUNDS = 20 };
    char *place = store_place("beside");
    test_library_fill(place, DIM, COUNT);
    int told[2], stop[2], status, came = 0;
    assert_int_equal(pipe(told) | pipe(stop), 0);
    const pid_t child = fork();
    if (child == 0) {
        close(told[0]), close(stop[1]);
        write_until(place, told[1], stop[0]);
    }
    close(told[1]), close(stop[0]);
    assert_int_equal(fcntl(told[0], F_SETFL, O_NONBLOCK), 0);
    lens_store *reader = test_store(place, LENS_STORE_READ);
    size_t views = 0, most = 0, rounds = 0, written_under = 0, later = 0;
    float values[DIM];
    while (came >= 0 && (views < VIEWS || rounds < ROUNDS || !written_under || !later)) {
        lens_error err = {0};
        lens_store_vectors view;
        assert_done(lens_store_vectors_open(reader, 1, NULL, 0, &view, &err), &err);
        if ((came = rounds_since(told[0])) > 0)
            rounds += (size_t)came;
        /* The first forty pictures keep their ids, and the later ones tell by their path, when they are still there. */
        for (size_t i = 0; i < view.count; i++) {
            lens_store_picture picture;
            int found = lens_store_picture_by_id(reader, view.ids[i], &picture, &err);
            if (found < 0)
                fail_msg("%s", err.message);
            if (found) {
                const uint64_t content = strtoull(picture.path + 3, NULL, 10);
                test_vector(content, values, DIM);
                assert_memory_equal(view.data + (size_t)view.slots[i] * DIM, values, sizeof values);
                later += content >= 1000;
                lens_store_picture_free(&picture);
            }
        }
        if (came >= 0 && (came = rounds_since(told[0])) > 0) {
            rounds += (size_t)came;
            written_under++;
        }
        most = view.count > most ? view.count : most;
        views++;
        lens_store_vectors_free(&view);
    }
    close(stop[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    printf("measured: %zu views of up to %zu pictures opened beside a writer that compacts, %zu of them while it did\n", views, most, written_under);
    assert_true(came >= 0);
    close(told[0]);
    lens_store_close(reader);
    store_place_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_library_yet), cmocka_unit_test(test_the_version), cmocka_unit_test(test_a_moment),
                                       cmocka_unit_test(test_a_reader_beside_a_writer)};
    return store_place_run(tests);
}
