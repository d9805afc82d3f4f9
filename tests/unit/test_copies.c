/* src/library/copies.c and nearness.c: what is kept beside a vector file is of its vectors, for as long as they are that file's. */
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "library/approximate.h"
#include "library/copies.h"
#include "library/nearness.h"
#include "support_store.h"

static char gone[512]; /* what was removed, and "." for each sync of a folder, in order */

static void note(const char *words)
{
    const size_t size = strlen(gone);
    snprintf(gone + size, sizeof gone - size, "%s", words);
}

/* In the place of the C library's. */
int unlink(const char *path)
{
    const char *end = strrchr(path, '.');
    const int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (result == 0 && end)
        note(end);
    return result;
}

int fsync(int fd)
{
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))
        note(".");
    return (int)syscall(SYS_fsync, fd);
}

enum { DIM = 6, ROWS = 50 };

static int64_t fill(lens_store *store, int first, int count)
{
    int64_t model = test_model(store, "m", DIM);
    for (int i = first; i < first + count; i++) {
        char path[32];
        snprintf(path, sizeof path, "/p/%d", i);
        test_write_picture(store, model, DIM, path, i + 1, 0);
    }
    return model;
}

/* Searches with and without copies, which must be of COPIED slots (0: none at all). */
static void expect_copies(lens_store *store, int64_t model, size_t copied)
{
    lens_error err = {0};
    lens_store_vectors vectors;
    assert_done(lens_store_vectors_open(store, model, NULL, 0, &vectors, &err), &err);
    lens_bytes_view bytes = {0};
    lens_packed *packed = lens_copies_open(&vectors, &bytes);
    assert_int_equal(packed ? bytes.count : 0, copied);
    const lens_view view = {vectors.data, vectors.slots, vectors.ids, vectors.count, vectors.dim, NULL};
    lens_hit a[9], b[9];
    size_t a_count, b_count;
    const float *query = lens_view_row(&view, view.count / 2);
    assert_done(lens_scan(&view, query, 9, -INFINITY, 1, a, &a_count, &err), &err);
    if (packed) {
        assert_done(lens_scan_bytes(&view, &bytes, query, 9, -INFINITY, 1, b, &b_count, NULL, &err), &err);
        assert_int_equal(a_count, b_count);
        for (size_t i = 0; i < a_count; i++)
            assert_true(a[i].id == b[i].id && a[i].score == b[i].score);
    }
    lens_packed_close(packed);
    lens_store_vectors_free(&vectors);
}

static char *copy_path(lens_store *store, int64_t model)
{
    lens_error err = {0};
    lens_store_vectors vectors;
    assert_done(lens_store_vectors_open(store, model, NULL, 0, &vectors, &err), &err);
    char *path = strdup(vectors.copy);
    lens_store_vectors_free(&vectors);
    return path;
}

static void test_copies_follow_their_file(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    lens_store *store = test_store(folder, LENS_STORE_WRITE);
    int64_t model = fill(store, 0, ROWS);
    expect_copies(store, model, 0);
    lens_copies_refresh(store, model, ROWS * DIM + DIM);
    expect_copies(store, model, 0); /* not worth it */
    lens_copies_refresh(store, model, ROWS * DIM);
    expect_copies(store, model, ROWS);
    fill(store, ROWS, 3); /* few enough to be compared as they are */
    lens_copies_refresh(store, model, 1);
    expect_copies(store, model, ROWS);
    fill(store, ROWS + 3, 20);
    lens_copies_refresh(store, model, 1);
    expect_copies(store, model, ROWS + 23);
    lens_store_close(store);
    test_folder_remove(folder);
}

static void test_a_damaged_copy_is_no_copy(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    lens_store *store = test_store(folder, LENS_STORE_WRITE);
    int64_t model = fill(store, 0, ROWS);
    lens_copies_refresh(store, model, 1);
    char *path = copy_path(store, model);
    lens_buffer whole = test_read(path);
    for (size_t at = 0; at < 64 + 3 * 96; at += 5) { /* header and list */
        if (at >= 56 && at < 64)
            continue; /* nothing is there */
        whole.data[at] ^= 0x20;
        test_write(path, whole.data, whole.size);
        whole.data[at] ^= 0x20;
        expect_copies(store, model, 0);
    }
    for (size_t size = 0; size < whole.size; size += 7) {
        test_write(path, whole.data, size);
        expect_copies(store, model, 0);
    }
    lens_copies_refresh(store, model, 1);
    expect_copies(store, model, ROWS);
    lens_buffer_free(&whole);
    free(path);
    lens_store_close(store);
    test_folder_remove(folder);
}

/* A compaction makes another vector file; the copy of the old one is a stray. */
static void test_copies_go_with_their_file(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    lens_error err = {0};
    lens_store *store = test_store(folder, LENS_STORE_WRITE);
    int64_t model = fill(store, 0, ROWS);
    lens_copies_refresh(store, model, 1);
    char *old = copy_path(store, model);
    assert_true(lens_file_exists(old));
    int64_t removed = 0;
    assert_done(lens_store_forget(store, "/p/7", &removed, &err), &err);
    assert_done(lens_store_compact(store, true, &err), &err);
    expect_copies(store, model, 0);
    lens_copies_refresh(store, model, 1);
    expect_copies(store, model, ROWS - 1);
    lens_store_close(store);
    store = test_store(folder, LENS_STORE_WRITE);
    assert_false(lens_file_exists(old));
    expect_copies(store, model, ROWS - 1);
    lens_store_close(store);
    free(old);
    test_folder_remove(folder);
}

/* Who saw fewer slots uses what was made of more, and puts nothing smaller in its place. */
static void test_copies_of_a_file_that_has_grown(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    lens_error err = {0};
    lens_store_vectors before;
    lens_store *store = test_store(folder, LENS_STORE_WRITE);
    int64_t model = fill(store, 0, ROWS);
    assert_done(lens_store_vectors_open(store, model, NULL, 0, &before, &err), &err);
    fill(store, ROWS, 20);
    lens_copies_refresh(store, model, 1);
    expect_copies(store, model, ROWS + 20);
    lens_bytes_view bytes = {0};
    lens_packed *packed = lens_copies_open(&before, &bytes);
    assert_non_null(packed);
    assert_int_equal(bytes.count, ROWS);
    lens_packed_close(packed);
    assert_done(lens_copies_make(&before, &err), &err);
    expect_copies(store, model, ROWS + 20);
    lens_store_vectors_free(&before);
    lens_store_close(store);
    test_folder_remove(folder);
}

/* The database of FOLDER as it is now, which nobody has open. */
static lens_buffer back_up(const char *folder)
{
    char *path = test_path(folder, "library.db");
    lens_buffer database = test_read(path);
    free(path);
    return database;
}

/* The penalties of STORE's MODEL, whatever is kept of them, or worked out ANEW. The caller frees. */
static float *penalties_of(lens_store *store, int64_t model, bool anew, size_t *count)
{
    lens_error err = {0};
    lens_store_vectors vectors;
    assert_done(lens_store_vectors_open(store, model, NULL, 0, &vectors, &err), &err);
    if (anew)
        assert_int_equal(unlink(vectors.near), 0);
    float *penalties = lens_nearness_penalties(&vectors, 1, &err);
    assert_non_null(penalties);
    *count = vectors.count;
    lens_store_vectors_free(&vectors);
    return penalties;
}

/* Beside the database of a backup slots are written anew. The last one of them may hold what it held, and then nothing that was worked out tells them apart. */
static void test_nearness_beside_a_backup(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    size_t count;
    lens_store *store = test_store(folder, LENS_STORE_WRITE);
    int64_t model = fill(store, 0, ROWS);
    lens_store_close(store);
    lens_buffer backup = back_up(folder);
    store = test_store(folder, LENS_STORE_WRITE);
    fill(store, ROWS, 2);
    free(penalties_of(store, model, false, &count));
    assert_int_equal(count, ROWS + 2);
    lens_store_close(store);
    test_database_restore(folder, &backup);
    lens_buffer_free(&backup);
    store = test_store(folder, LENS_STORE_WRITE);
    test_write_picture(store, model, DIM, "/p/other", 1000, 0);
    fill(store, ROWS + 1, 1);
    float *kept = penalties_of(store, model, false, &count), *anew = penalties_of(store, model, true, &count);
    assert_int_equal(count, ROWS + 2);
    assert_memory_equal(kept, anew, count * sizeof *kept);
    free(kept);
    free(anew);
    lens_store_close(store);
    test_folder_remove(folder);
}

/* What says untrue things is gone for good before the vectors that make it so can be: after a power cut nobody would see it any more. */
static void test_untrue_copies_go_for_good(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    lens_error err = {0};
    bool made;
    lens_store *store = test_store(folder, LENS_STORE_WRITE);
    int64_t model = fill(store, 0, ROWS);
    lens_store_close(store);
    lens_buffer backup = back_up(folder);
    store = test_store(folder, LENS_STORE_WRITE);
    fill(store, ROWS, 2);
    assert_done(lens_approximate_refresh(store, model, 1, NULL, NULL, &made, &err), &err);
    char *path = copy_path(store, model);
    lens_store_close(store);
    test_database_restore(folder, &backup);
    lens_buffer_free(&backup);
    store = test_store(folder, LENS_STORE_WRITE);
    *gone = '\0';
    assert_done(lens_copies_drop_untrue(store, model, &err), &err);
    assert_string_equal(gone, ".cells..bytes.");
    assert_int_equal(access(path, F_OK), -1);
    assert_done(lens_copies_drop_untrue(store, model, &err), &err);
    assert_string_equal(gone, ".cells..bytes.");
    free(path);
    lens_store_close(store);
    test_folder_remove(folder);
}

/* Where the copies are the backup's as well, it is the cells that know of more slots than there are. */
static void test_cells_beside_a_backup(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    lens_error err = {0};
    bool made;
    lens_store *store = test_store(folder, LENS_STORE_WRITE);
    int64_t model = fill(store, 0, ROWS);
    lens_copies_refresh(store, model, 1);
    char *path = copy_path(store, model);
    lens_store_close(store);
    lens_buffer backup = back_up(folder), copies = test_read(path);
    store = test_store(folder, LENS_STORE_WRITE);
    fill(store, ROWS, ROWS);
    assert_done(lens_approximate_refresh(store, model, 1, NULL, NULL, &made, &err), &err);
    assert_true(made);
    lens_store_close(store);
    test_database_restore(folder, &backup);
    lens_buffer_free(&backup);
    test_write(path, copies.data, copies.size);
    store = test_store(folder, LENS_STORE_WRITE);
    assert_done(lens_copies_drop_untrue(store, model, &err), &err);
    fill(store, 2 * ROWS, ROWS);
    lens_copies_refresh(store, model, 1);
    expect_copies(store, model, 2 * ROWS);
    assert_done(lens_approximate_refresh(store, model, 1, NULL, NULL, &made, &err), &err);
    assert_true(made);
    lens_buffer_free(&copies);
    free(path);
    lens_store_close(store);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies_follow_their_file),
        cmocka_unit_test(test_a_damaged_copy_is_no_copy),
        cmocka_unit_test(test_copies_go_with_their_file),
        cmocka_unit_test(test_copies_of_a_file_that_has_grown),
        cmocka_unit_test(test_nearness_beside_a_backup),
        cmocka_unit_test(test_untrue_copies_go_for_good),
        cmocka_unit_test(test_cells_beside_a_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
