/* src/store: folders that cannot be written to. */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_store.h"

enum { DIM = 16, COUNT = 40 };

/* Runs BODY on FOLDER as a user who owns nothing there. */
static void as_a_stranger(int (*body)(const char *folder), const char *folder)
{
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(99);
        _exit(body(folder));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int search_works(const char *folder)
{
    lens_error err = {0};
    lens_store *store = lens_store_open(folder, LENS_STORE_READ, 0, &err);
    lens_store_vectors view = {0};
    if (!store || lens_store_vectors_open(store, 1, NULL, 0, &view, &err) != 0 || view.count < COUNT) {
        fprintf(stderr, "%s (%zu)\n", err.message, view.count);
        return 1;
    }
    lens_store_vectors_free(&view);
    lens_store_close(store);
    if (lens_store_open(folder, LENS_STORE_WRITE, 0, &err)) {
        fprintf(stderr, "could write\n");
        return 2;
    }
    if (!strstr(err.message, "cannot write to this library")) {
        fprintf(stderr, "%s\n", err.message);
        return 3;
    }
    return 0;
}

static int says_why_not(const char *folder)
{
    lens_error err = {0};
    if (lens_store_open(folder, LENS_STORE_READ, 0, &err)) {
        fprintf(stderr, "opened\n");
        return 1;
    }
    fprintf(stderr, "%s\n", err.message);
    return strstr(err.message, "cannot be written to") && strstr(err.message, folder) ? 0 : 2;
}

static void test_a_folder_of_someone_else(void **state)
{
    (void)state;
    char *folder = test_library_new(DIM, COUNT);
    char *shared = test_path(folder, "library.db-shm");
    static const char *const names[] = {"library.db", "library.db-wal", "library.db-shm", "writer.lock", "m-1.vectors"};
    bool root = geteuid() == 0;
    assert_int_equal(chmod(folder, root ? 0755 : 0555), 0);
    for (size_t i = 0; !root && i < sizeof names / sizeof *names; i++) {
        char *path = test_path(folder, "%s", names[i]);
        assert_int_equal(chmod(path, 0444), 0);
        free(path);
    }
    as_a_stranger(search_works, folder);
    if (root) {
        /* While a writer writes. */
        lens_store *store = test_store(folder, LENS_STORE_WRITE);
        lens_error err;
        assert_done(test_write_pictures(store, 1, DIM, "/p", 200, 3, &err), &err);
        as_a_stranger(search_works, folder);
        lens_store_close(store);
        as_a_stranger(search_works, folder);
        unlink(shared);
        as_a_stranger(says_why_not, folder);
    }
    assert_int_equal(chmod(folder, 0755), 0);
    free(shared);
    test_folder_remove(folder);
}

static void test_a_read_only_disk(void **state)
{
    (void)state;
    char *folder = test_library_new(DIM, COUNT);
    char *shared = test_path(folder, "library.db-shm"), *log = test_path(folder, "library.db-wal");
    if (mount(folder, folder, NULL, MS_BIND, NULL) != 0) {
        free(shared), free(log);
        test_folder_remove(folder);
        skip();
    }
    int made = mount(NULL, folder, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
    int works = made ? 99 : search_works(folder);
    int again = mount(NULL, folder, NULL, MS_BIND | MS_REMOUNT, NULL);
    /* As on a disc that somebody burnt: only the files that count. */
    unlink(shared), unlink(log);
    made |= mount(NULL, folder, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
    int still_works = made ? 99 : search_works(folder);
    again |= mount(NULL, folder, NULL, MS_BIND | MS_REMOUNT, NULL);
    /* And with something left in the log. */
    test_write(log, "something of an interrupted run, somewhat longer", 48);
    made |= mount(NULL, folder, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
    int refuses = made ? 99 : says_why_not(folder);
    again |= umount(folder);
    assert_int_equal(again, 0);
    if (made) {
        free(shared), free(log);
        test_folder_remove(folder);
        skip();
    }
    assert_int_equal(works, 0);
    assert_int_equal(still_works, 0);
    assert_int_equal(refuses, 0);
    unlink(log);
    free(shared), free(log);
    test_folder_remove(folder);
}

static int count_picture(void *context, const lens_store_picture *picture)
{
    (void)picture;
    ++*(int *)context;
    return 0;
}

/* What is mounted read-only may be written to elsewhere. Who has read it as a disc that nobody writes to finds it torn then, and it is not. */
static void test_a_read_only_view_of_what_others_write(void **state)
{
    (void)state;
    char *folder = test_library_new(DIM, COUNT), *view = test_folder_new();
    char *shared = test_path(folder, "library.db-shm"), *log = test_path(folder, "library.db-wal");
    lens_error err = {0};
    lens_store *store = test_store(folder, LENS_STORE_WRITE), *reader = NULL;
    assert_done(test_write_pictures(store, 1, DIM, "/p", COUNT, 4000, &err), &err);
    lens_store_close(store);
    unlink(shared), unlink(log);
    const bool made = mount(folder, view, NULL, MS_BIND, NULL) == 0, able = made && mount(NULL, view, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0;
    int count = 0, result = 0;
    int64_t removed;
    if (able) {
        reader = test_store(view, LENS_STORE_READ);
        test_id(reader, "/p/00100.jpg");
        store = test_store(folder, LENS_STORE_WRITE);
        result = lens_store_forget(store, "/p", &removed, &err) == 0 ? lens_store_compact(store, true, &err) : -1;
        lens_store_close(store);
    }
    const int torn = able && result == 0 ? lens_store_pictures_each(reader, count_picture, &count, &err) : 0;
    lens_store_close(reader);
    if (made)
        umount2(view, MNT_DETACH);
    test_folder_remove(view);
    test_folder_remove(folder);
    free(shared), free(log);
    if (!able)
        skip();
    assert_int_equal(result, 0);
    assert_int_equal(torn, -1);
    assert_says(&err, "mounted read-only");
    assert_null(strstr(err.message, "move it away"));
}

/* Who looks whether anything has changed there, as a server does five times a second, is told so when it has, and not each time. */
static void test_a_read_only_view_stands_still(void **state)
{
    (void)state;
    char *folder = test_library_new(DIM, COUNT), *view = test_folder_new();
    char *files[] = {test_path(folder, "library.db"), test_path(folder, "library.db-wal")};
    const struct timespec before[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}}, after[2] = {{.tv_sec = 1700000001}, {.tv_sec = 1700000001}};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(utimensat(AT_FDCWD, files[i], before, 0), 0);
    const bool made = mount(folder, view, NULL, MS_BIND, NULL) == 0, able = made && mount(NULL, view, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0;
    int64_t versions[3] = {0}, later = 0, at_rest = 0;
    lens_error err = {0};
    int result = 0, ready[2], status = 0;
    assert_int_equal(pipe(ready), 0);
    const pid_t child = able ? fork() : -1; /* of a process that reads there SQLite takes the shared index for read-only as a whole */
    if (child == 0) {
        char byte;
        if (read(ready[0], &byte, 1) != 1)
            _exit(99);
        lens_store *store = lens_store_open(folder, LENS_STORE_WRITE, 0, &err);
        _exit(store && test_write_pictures(store, 1, DIM, "/p", COUNT, 4, &err) == 0 ? 0 : 1);
    }
    if (able) {
        lens_store *reader = test_store(view, LENS_STORE_READ);
        for (size_t i = 0; i < 3 && result == 0; i++) {
            result = lens_store_version(reader, &versions[i], &err);
            test_id(reader, "/p/00001.jpg");
        }
        const bool told = write(ready[1], "", 1) == 1 && waitpid(child, &status, 0) == child;
        result |= told ? lens_store_version(reader, &later, &err) : -1;
        /* That was just now, which is a change at each look. What was written longer ago is told from what was there before, too. */
        for (size_t i = 0; i < 2; i++)
            result |= utimensat(AT_FDCWD, files[i], after, 0);
        result |= lens_store_version(reader, &at_rest, &err);
        lens_store_close(reader);
    }
    close(ready[0]), close(ready[1]);
    free(files[0]), free(files[1]);
    if (made)
        umount2(view, MNT_DETACH);
    test_folder_remove(view);
    test_folder_remove(folder);
    if (!able)
        skip();
    assert_done(result, &err);
    assert_int_equal(status, 0);
    assert_true(versions[0] == versions[1] && versions[1] == versions[2] && later != versions[2] && at_rest != versions[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_folder_of_someone_else), cmocka_unit_test(test_a_read_only_disk),
                                       cmocka_unit_test(test_a_read_only_view_of_what_others_write), cmocka_unit_test(test_a_read_only_view_stands_still)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
