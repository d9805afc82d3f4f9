/* src/store: who reads beside a writer, and who was there before there was a library. */
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
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

/* Readers that open views all the time beside a writer that adds, removes and compacts all the time. */
static void test_readers_beside_a_writer(void **state)
{
    (void)state;
    char *place = store_place("beside");
    test_library_fill(place, DIM, COUNT);
    pid_t child = fork();
    if (child == 0) {
        lens_error err = {0};
        lens_store *store = lens_store_open(place, LENS_STORE_WRITE, 5, &err);
        int bad = !store;
        double end = lens_seconds() + 1.5;
        for (uint64_t i = 1000; !bad && lens_seconds() < end; i += 4) {
            int64_t removed;
            char path[32];
            bad |= test_write_pictures(store, 1, DIM, "/p", i, 4, &err) != 0;
            snprintf(path, sizeof path, "/p/%05d.jpg", (int)i + 1);
            bad |= lens_store_forget(store, path, &removed, &err) != 0;
            bad |= lens_store_compact(store, true, &err) != 0;
        }
        if (bad)
            fprintf(stderr, "%s\n", err.message);
        lens_store_close(store);
        _exit(bad);
    }
    lens_store *reader = test_store(place, LENS_STORE_READ);
    size_t views = 0, most = 0;
    int status;
    float values[DIM];
    while (waitpid(child, &status, WNOHANG) == 0) {
        lens_error err = {0};
        lens_store_vectors view;
        assert_done(lens_store_vectors_open(reader, 1, NULL, 0, &view, &err), &err);
        /* The first forty pictures keep their ids, and the later ones tell by their path, when they are still there. */
        for (size_t i = 0; i < view.count; i++) {
            lens_store_picture picture;
            int found = lens_store_picture_by_id(reader, view.ids[i], &picture, &err);
            if (found < 0)
                fail_msg("%s", err.message);
            if (found) {
                test_vector(strtoull(picture.path + 3, NULL, 10), values, DIM);
                assert_memory_equal(view.data + (size_t)view.slots[i] * DIM, values, sizeof values);
                lens_store_picture_free(&picture);
            }
        }
        most = view.count > most ? view.count : most;
        views++;
        lens_store_vectors_free(&view);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    printf("measured: %zu views of up to %zu pictures opened beside a writer that compacts\n", views, most);
    assert_true(views > 10);
    lens_store_close(reader);
    store_place_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_library_yet), cmocka_unit_test(test_the_version), cmocka_unit_test(test_a_moment),
                                       cmocka_unit_test(test_readers_beside_a_writer)};
    return store_place_run(tests);
}
