/* src/store: a full disk, and a file that may not grow: the library stays as it was and takes more when there is room
 * again. */
#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_store.h"

enum { DIM = 256, BATCH = 64 };

/* Writes batches until one fails; then all that was acknowledged must be there, and nothing else. Returns the batches. */
static uint64_t fill(lens_store *store, int64_t model, uint64_t first, lens_error *err)
{
    uint64_t batches = 0;
    while (batches < 10000 && test_write_pictures(store, model, DIM, "/p", first + batches * BATCH, BATCH, err) == 0)
        batches++;
    return batches;
}

/* A folder that is a disk of 3 MB. */
static char *small_disk(void)
{
    char *folder = test_folder_new();
    if (mount("none", folder, "tmpfs", 0, "size=3m") != 0) {
        printf("skipped: a small disk of our own needs root\n");
        test_folder_remove(folder);
        skip();
    }
    return folder;
}

static void test_a_full_disk(void **state)
{
    (void)state;
    char *folder = small_disk();
    char *library = test_path(folder, "library"), *ballast = test_path(folder, "ballast");
    int without_room = 0, copied = 0;
    /* Ballast of several sizes, so that the disk is full now for the vectors, now for the rows. */
    for (size_t size = 0; size < 2000000; size += 40009) {
        char *bytes = calloc(size + 1, 1);
        assert_non_null(bytes);
        test_write(ballast, bytes, size);
        free(bytes);
        lens_error err = {0};
        lens_store *store = test_store(library, LENS_STORE_WRITE);
        int64_t model = test_model(store, "m", DIM);
        uint64_t batches = fill(store, model, 0, &err);
        assert_int_equal(err.code, LENS_E_FULL);
        assert_says(&err, library);
        assert_int_equal(test_store_sound(store, model, DIM), batches * BATCH);
        /* Still itself, and mostly still full: folding the log in may have made room for one batch more. */
        batches += test_write_pictures(store, model, DIM, "/p", 900000, BATCH, &err) == 0;
        assert_int_equal(test_store_sound(store, model, DIM), batches * BATCH);
        if (size % 2) {
            /* No room for a second copy either. */
            int64_t removed;
            if (batches > 4 && lens_store_forget(store, "/p/00003.jpg", &removed, &err) == 0) {
                int result = lens_store_compact(store, true, &err);
                assert_int_equal(test_store_sound(store, model, DIM), batches * BATCH - 1);
                assert_true(result == 0 || err.code == LENS_E_FULL);
                *(result == 0 ? &copied : &without_room) += 1;
            }
        }
        lens_store_close(store);
        unlink(ballast);
        store = test_store(library, LENS_STORE_WRITE);
        if (size > 1000000) {
            size_t before = test_store_sound(store, model, DIM);
            assert_done(test_write_pictures(store, model, DIM, "/p", 910000, BATCH, &err), &err);
            assert_int_equal(test_store_sound(store, model, DIM), before + BATCH);
        }
        lens_store_close(store);
        test_folder_remove(strdup(library));
    }
    printf("measured: of %d compactions on a full disk %d had no room\n", copied + without_room, without_room);
    free(library), free(ballast);
    umount(folder);
    test_folder_remove(folder);
    assert_true(without_room > 0);
}

/* Where a run was killed, a reader too has to make the file that readers and writers share. */
static void test_a_reader_on_a_full_disk(void **state)
{
    (void)state;
    char *folder = small_disk(), *library = test_path(folder, "library"), *ballast = test_path(folder, "ballast");
    char *shared = test_path(folder, "library/library.db-shm");
    lens_error err = {0};
    const pid_t killed = fork();
    if (killed == 0) {
        lens_store *store = test_store(library, LENS_STORE_WRITE);
        assert_done(test_write_pictures(store, test_model(store, "m", DIM), DIM, "/p", 0, BATCH, &err), &err);
        _exit(0);
    }
    assert_int_equal(waitpid(killed, NULL, 0), killed);
    assert_int_equal(unlink(shared), 0); /* as after a power cut */
    FILE *file = fopen(ballast, "wb");
    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    while (fwrite(&err, 1, 1, file) == 1)
        ;
    assert_int_equal(errno, ENOSPC);
    fclose(file);
    assert_null(lens_store_open(library, LENS_STORE_READ, 0, &err));
    assert_int_equal(err.code, LENS_E_FULL);
    assert_says(&err, "library.db: no room left on the disk");
    unlink(ballast);
    lens_store *store = test_store(library, LENS_STORE_WRITE);
    assert_int_equal(test_store_sound(store, test_model(store, "m", DIM), DIM), BATCH);
    lens_store_close(store);
    free(library), free(ballast), free(shared);
    umount(folder);
    test_folder_remove(folder);
}

static void test_a_file_that_may_not_grow(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (rlim_t limit = 100000; limit < 900000; limit += 100001) {
        char *library = test_path(folder, "%lu", (unsigned long)limit);
        lens_error err = {0};
        lens_store *store = test_store(library, LENS_STORE_WRITE);
        int64_t model = test_model(store, "m", DIM);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, old.rlim_max}), 0);
        uint64_t batches = fill(store, model, 0, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_says(&err, library);
        assert_true(batches < 10000);
        assert_int_equal(test_store_sound(store, model, DIM), batches * BATCH);
        assert_done(test_write_pictures(store, model, DIM, "/p", batches * BATCH, BATCH, &err), &err);
        assert_int_equal(test_store_sound(store, model, DIM), (batches + 1) * BATCH);
        lens_store_close(store);
        free(library);
    }
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_a_reader_on_a_full_disk),
        cmocka_unit_test(test_a_file_that_may_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
