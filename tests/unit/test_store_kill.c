/* src/store: a writer that is killed at any moment loses nothing that it had acknowledged, and leaves nothing half done. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "support_store.h"

enum { DIM = 512, KILLS = 25, LEAST = 6 /* however slow the machine is */, BATCH = 48 };

/* Writes until it is killed: batches, now and then a forgotten one, a compaction, a model made and removed. After each
 * batch the number of its first picture goes down the pipe. */
static void write_for_ever(const char *place, uint64_t first, int acknowledge)
{
    lens_error err = {0};
    lens_store *store = lens_store_open(place, LENS_STORE_WRITE, 10, &err);
    for (uint64_t batch = 0; store; batch++, first += BATCH) {
        int64_t model, other, removed;
        lens_hash hash = lens_hash_of("m", 1);
        if (lens_store_add_model(store, "m", DIM, hash, &model, &err) != 0 ||
            lens_store_add_root(store, "/keep", &err) != 0 ||
            test_write_pictures(store, model, DIM, "/keep", first, BATCH, &err) != 0 ||
            write(acknowledge, &first, sizeof first) != sizeof first)
            break;
        if (test_write_pictures(store, model, DIM, "/drop", first + 1000000, BATCH, &err) != 0 ||
            (batch % 2 && lens_store_forget(store, "/drop", &removed, &err) != 0) ||
            (batch % 3 == 2 && lens_store_compact(store, batch % 2, &err) != 0) ||
            (batch % 5 == 0 && lens_store_add_model(store, "other", 4, hash, &other, &err) != 0) ||
            (batch % 5 == 4 && lens_store_forget_model(store, "other", &err) != 0))
            break;
    }
    fprintf(stderr, "the writer stopped by itself: %s\n", err.message);
    _exit(1);
}

static void assert_all_there(lens_store *store, int64_t model, const uint64_t *acknowledged, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (uint64_t n = acknowledged[i]; n < acknowledged[i] + BATCH; n++) {
            char path[64];
            snprintf(path, sizeof path, "/keep/%05llu.jpg", (unsigned long long)n);
            lens_error err = {0};
            lens_store_picture picture;
            if (lens_store_picture_by_path(store, path, &picture, &err) != 1)
                fail_msg("%s was acknowledged and is not there", path);
            assert_int_equal(lens_store_has_vector(store, model, picture.content, &err), 1);
            lens_store_picture_free(&picture);
        }
    }
}

static void test_kills(void **state)
{
    (void)state;
    char *place = store_place("kill");
    uint64_t acknowledged[20000], next = 0, seed = (uint64_t)time(NULL), random = seed;
    size_t count = 0;
    double start = lens_seconds();
    int kills = 0;
    for (; kills < (store_place_is_folder() ? KILLS : KILLS / 2) && (kills < LEAST || lens_seconds() - start < 20); kills++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            write_for_ever(place, next, ends[1]);
        }
        close(ends[1]);
        /* From before the library is there to well into the writing. */
        random = random * 6364136223846793005u + 1442695040888963407u;
        long wait = (long)((random >> 33) % (kills % 3 == 0 ? 20000000 : 250000000));
        if (kills % 3 == 2)
            poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, 100000); /* there is something to lose, however slow the machine is */
        struct timespec pause = {.tv_nsec = wait};
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        store_place_settle(place);
        uint64_t first;
        while (read(ends[0], &first, sizeof first) == sizeof first) {
            assert_true(count < sizeof acknowledged / sizeof *acknowledged);
            acknowledged[count++] = first;
        }
        close(ends[0]);
        /* What was not acknowledged may be there whole or not at all: the next writer takes fresh numbers. */
        next = (count ? acknowledged[count - 1] : 0) + 10 * BATCH;

        /* A reader meets it first, before any writer has tidied up. */
        for (int mode = 0; mode < 2; mode++) {
            lens_error err = {0};
            lens_store *store = lens_store_open(place, mode ? LENS_STORE_WRITE : LENS_STORE_READ, 0, &err);
            if (!store && !mode && err.code == LENS_E_MISSING && count == 0)
                continue;
            if (!store)
                fail_msg("%s", err.message);
            lens_store_models models;
            assert_done(lens_store_models_list(store, &models, &err), &err);
            int64_t model = 0;
            for (size_t i = 0; i < models.count; i++)
                model = strcmp(models.items[i].name, "m") == 0 ? models.items[i].id : model;
            lens_store_models_free(&models);
            if (model) {
                size_t pictures = test_store_sound(store, model, DIM);
                assert_int_equal(pictures % BATCH, 0);
                assert_true(pictures >= count * BATCH);
            }
            assert_all_there(store, model, acknowledged, count);
            lens_store_close(store);
        }
    }
    printf("measured: %d kills (seed %llu), %zu batches acknowledged, none lost\n", kills, (unsigned long long)seed, count);
    assert_true(kills >= LEAST && count > 0);
    store_place_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kills)};
    return store_place_run(tests);
}
