/* src/store: a full disk, and a file that may not grow: the library stays as it was and takes more when there is room
 * again. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "memelens.h"
#include "pictures.h"
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

static char *disk; /* that is mounted; NULL: none */

/* A test that failed leaves none behind. */
static int unmount_disk(void **state)
{
    (void)state;
    if (disk && umount2(disk, MNT_DETACH) == 0)
        rmdir(disk);
    free(disk);
    disk = NULL;
    return 0;
}

/* A folder that is a disk of 3 MB and 40 files. */
static char *small_disk(void)
{
    char *folder = test_folder_new();
    if (mount("none", folder, "tmpfs", 0, "size=3m,nr_inodes=40") != 0) {
        printf("skipped: a small disk of our own needs root\n");
        test_folder_remove(folder);
        skip();
    }
    unmount_disk(NULL);
    disk = strdup(folder);
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

/* Fills the disk of FOLDER, with bytes or with names. */
static void fill_disk(const char *folder, bool names)
{
    static const char block[4096];
    int file, made = 0;
    do {
        char *ballast = test_path(folder, "ballast-%d", made++);
        file = open(ballast, O_WRONLY | O_CREAT, 0600);
        while (file >= 0 && !names && write(file, block, sizeof block) == (ssize_t)sizeof block)
            ;
        free(ballast);
    } while (file >= 0 && close(file) == 0 && names);
    assert_int_equal(errno, ENOSPC);
}

static void remove_ballast(const char *folder)
{
    for (int i = 0; i < 40; i++) {
        char *ballast = test_path(folder, "ballast-%d", i);
        unlink(ballast);
        free(ballast);
    }
}

/* After a power cut a reader, too, has to make the file that readers and writers share. */
static void test_a_full_disk_is_named(void **state)
{
    (void)state;
    static const lens_store_mode modes[] = {LENS_STORE_READ, LENS_STORE_WRITE};
    for (int names = 0; names < 2; names++) {
        char *folder = small_disk(), *library = test_path(folder, "library"), *shared = test_path(library, "library.db-shm");
        const pid_t cut = fork();
        if (cut == 0) {
            lens_store *store = test_store(library, LENS_STORE_WRITE);
            _exit(test_write_pictures(store, test_model(store, "m", DIM), DIM, "/p", 0, BATCH, NULL) != 0);
        }
        int status;
        assert_int_equal(waitpid(cut, &status, 0), cut);
        assert_int_equal(status, 0);
        assert_int_equal(unlink(shared), 0);
        fill_disk(folder, names);
        for (size_t i = 0; i < 2; i++) {
            lens_error err = {0};
            assert_null(lens_store_open(library, modes[i], 0, &err));
            assert_int_equal(err.code, LENS_E_FULL);
            assert_says(&err, "library.db: no room left on the disk");
        }
        remove_ballast(folder);
        lens_store *store = test_store(library, LENS_STORE_WRITE);
        assert_int_equal(test_store_sound(store, test_model(store, "m", DIM), DIM), BATCH);
        lens_store_close(store);
        free(library), free(shared);
        umount(folder);
        test_folder_remove(folder);
    }
}

/* What is forgotten stays so where no file can be made anew, and the line says both. */
static void test_forgotten_on_a_full_disk(void **state)
{
    (void)state;
    char *folder = small_disk(), *place = test_path(folder, "library");
    lens_error err = {0};
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    const int64_t model = test_model(store, "m", DIM);
    assert_done(lens_store_add_root(store, "/p", &err), &err);
    assert_done(test_write_pictures(store, model, DIM, "/p", 0, 4 * BATCH, &err), &err);
    lens_store_close(store);
    store = test_store(place, LENS_STORE_READ); /* the log and what is shared stay where they are */
    fill_disk(folder, true);
    lens_library *library = lens_library_open(place, &err);
    assert_non_null(library);
    int64_t removed = 0;
    assert_int_equal(lens_forget_path(library, "/p", &removed, &err), -1);
    assert_int_equal(err.code, LENS_E_FULL);
    assert_int_equal(strncmp(err.message, "forgotten, but", strlen("forgotten, but")), 0);
    assert_int_equal(removed, 4 * BATCH);
    assert_int_equal(test_store_sound(store, model, DIM), 0);
    lens_library_close(library);
    lens_store_close(store);
    free(place);
    umount(folder);
    test_folder_remove(folder);
}

/* Counts the notes that no room was given back. */
static bool hear_room(void *context, const lens_index_event *event)
{
    if (event->kind == LENS_INDEX_NOTE && strstr(event->reason, "could not be given back"))
        ++*(int *)context;
    return true;
}

/* Nor has a later run room for it: it says so, and does what it came for. Once there is room, it is given back. */
static void test_a_run_on_a_full_disk_gives_no_room_back(void **state)
{
    (void)state;
    enum { KEPT = 6, FORGOTTEN = 4 };
    char *folder = small_disk(), *place = test_path(folder, "library"), *pictures = test_folder_new(), *gone = test_path(pictures, "gone"), *vectors = test_path(place, "colour-1.vectors");
    lens_error err = {0};
    assert_done(lens_folder_make(gone, &err), &err);
    for (int i = 0; i < KEPT + FORGOTTEN; i++) {
        char *picture = test_path(i < KEPT ? pictures : gone, "%d.jpg", i);
        test_picture_write(picture, TEST_JPEG_420, 64, 48, (unsigned)i);
        free(picture);
    }
    int notes = 0;
    int64_t removed = 0;
    lens_index_report report;
    lens_index_options options = lens_index_options_default();
    options.models = (const char *const[]){"colour"};
    options.model_count = 1;
    options.paths = (const char *const[]){pictures};
    options.path_count = 1;
    options.event = hear_room;
    options.context = &notes;
    lens_library *library = lens_library_open(place, &err);
    assert_non_null(library);
    assert_done(lens_index(library, &options, &report, &err), &err);
    assert_int_equal(report.indexed, KEPT + FORGOTTEN);
    lens_store *reader = test_store(place, LENS_STORE_READ); /* the log and what is shared stay where they are */
    fill_disk(folder, true);
    assert_int_equal(lens_forget_path(library, gone, &removed, &err), -1);
    assert_int_equal(removed, FORGOTTEN);
    for (int i = 0; i < 2; i++) {
        assert_done(lens_index(library, &options, &report, &err), &err);
        assert_int_equal(report.unchanged, KEPT);
        assert_false(report.stopped);
        assert_int_equal(notes, i + 1);
    }
    assert_int_equal(access(vectors, F_OK), 0);
    remove_ballast(folder);
    assert_done(lens_index(library, &options, &report, &err), &err);
    assert_int_equal(notes, 2);
    assert_int_equal(access(vectors, F_OK), -1);
    lens_store_close(reader);
    lens_library_close(library);
    test_folder_remove(pictures);
    free(place), free(gone), free(vectors);
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
        cmocka_unit_test_teardown(test_a_full_disk, unmount_disk),
        cmocka_unit_test_teardown(test_a_full_disk_is_named, unmount_disk),
        cmocka_unit_test_teardown(test_forgotten_on_a_full_disk, unmount_disk),
        cmocka_unit_test_teardown(test_a_run_on_a_full_disk_gives_no_room_back, unmount_disk),
        cmocka_unit_test(test_a_file_that_may_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
