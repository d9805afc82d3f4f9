/* src/store: the files of vectors, their names, and what becomes of the room in them. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support_texts.h"

enum { DIM = 16, COUNT = 40 };

/* A model's file has a name of its own, whatever the model's is, and goes with it. */
static void test_names_of_files(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    char *first = test_path(folder, "alpha-crop-1.vectors"), *other = test_path(folder, "beta-..-..-etc-2.vectors"), *again = test_path(folder, "alpha-crop-3.vectors");
    lens_error err;
    lens_store *store = test_store(folder, LENS_STORE_WRITE);
    const int64_t alpha = test_model(store, "alpha@crop", DIM);
    test_model(store, "beta/../../etc", 7);
    test_write_picture(store, alpha, DIM, "/p/1.jpg", 1, 0);
    lens_store_models models;
    assert_done(lens_store_models_list(store, &models, &err), &err);
    assert_int_equal(models.items[0].file_bytes, 64 + DIM * 4);
    assert_int_equal(models.items[1].file_bytes, 64);
    lens_store_models_free(&models);
    assert_true(lens_file_exists(first) && lens_file_exists(other));
    assert_done(lens_store_forget_model(store, "beta/../../etc", &err), &err);
    assert_false(lens_file_exists(other));
    assert_done(lens_store_forget_model(store, "alpha@crop", &err), &err);
    assert_false(lens_file_exists(first));
    test_model(store, "alpha@crop", DIM);
    assert_true(lens_file_exists(again));
    lens_store_close(store);
    free(first), free(other), free(again);
    test_folder_remove(folder);
}

static void test_compaction(void **state)
{
    (void)state;
    char *folder = test_library_new(DIM, COUNT);
    char *first = test_path(folder, "m-1.vectors"), *second = test_path(folder, "m-2.vectors");
    char *stray = test_path(folder, "m-77.vectors"), *theirs = test_path(folder, "notes.vectors");
    lens_error err;
    lens_store *store = test_store(folder, LENS_STORE_WRITE), *reader = test_store(folder, LENS_STORE_READ);
    lens_store_vectors before, after;
    assert_done(lens_store_vectors_open(reader, 1, NULL, 0, &before, &err), &err);
    int64_t removed;
    /* Ten of forty go: a quarter is not yet worth a copy. */
    assert_done(lens_store_met_clear(store, &err), &err);
    for (int i = 0; i < COUNT; i++) {
        char path[32];
        snprintf(path, sizeof path, "/p/%05d.jpg", i);
        if (i % 4 != 1)
            assert_done(lens_store_met_mark(store, test_id(store, path), &err), &err);
    }
    assert_done(lens_store_sweep(store, "/p", &removed, &err), &err);
    assert_int_equal(removed, 10);
    assert_done(lens_store_compact(store, false, &err), &err);
    assert_true(lens_file_exists(first));
    assert_done(lens_store_forget(store, "/p/00000.jpg", &removed, &err), &err);
    assert_done(lens_store_compact(store, false, &err), &err);
    assert_false(lens_file_exists(first));
    lens_buffer bytes = test_read(second);
    assert_int_equal(bytes.size, 64 + 29 * DIM * 4);
    lens_buffer_free(&bytes);
    assert_int_equal(test_store_sound(store, 1, DIM), 29);
    assert_int_equal(test_store_sound(reader, 1, DIM), 29);
    /* The view from before holds what it held. */
    float values[DIM];
    for (size_t i = 0; i < COUNT; i++) {
        test_vector(i, values, DIM);
        assert_memory_equal(before.data + (size_t)before.slots[i] * DIM, values, sizeof values);
    }
    lens_store_vectors_free(&before);
    /* The file that is open for writing is the new one. */
    assert_done(test_write_pictures(store, 1, DIM, "/p", 900, 5, &err), &err);
    assert_done(lens_store_forget(store, "/p/00002.jpg", &removed, &err), &err);
    /* A slot that was given out once is not written again while its file lives. */
    assert_done(lens_store_vectors_open(reader, 1, NULL, 0, &before, &err), &err);
    assert_done(lens_store_forget(store, "/p/00904.jpg", &removed, &err), &err);
    assert_done(test_write_pictures(store, 1, DIM, "/p", 950, 1, &err), &err);
    assert_done(lens_store_vectors_open(reader, 1, NULL, 0, &after, &err), &err);
    assert_int_equal(before.count, after.count);
    assert_true(before.slots[before.count - 1] + 1 == after.slots[after.count - 1]);
    lens_store_vectors_free(&before), lens_store_vectors_free(&after);
    assert_done(lens_store_compact(store, true, &err), &err);
    assert_false(lens_file_exists(second));
    assert_int_equal(test_store_sound(store, 1, DIM), 33);
    assert_done(lens_store_compact(store, true, &err), &err); /* nothing to do */
    lens_store_close(reader);
    lens_store_close(store);
    /* What an interrupted one left, and what is not ours. */
    test_write(stray, "half", 4);
    test_write(theirs, "mine", 4);
    store = test_store(folder, LENS_STORE_WRITE);
    assert_false(lens_file_exists(stray));
    assert_true(lens_file_exists(theirs));
    assert_int_equal(test_store_sound(store, 1, DIM), 33);
    /* Everything goes; the room comes back. */
    assert_done(lens_store_forget(store, "/", &removed, &err), &err);
    assert_int_equal(removed, 33);
    assert_done(lens_store_compact(store, false, &err), &err);
    assert_int_equal(test_store_sound(store, 1, DIM), 0);
    lens_store_close(store);
    free(first), free(second), free(stray), free(theirs);
    test_folder_remove(folder);
}

/* Vectors that went are dead slots, which a compaction takes out of the sentences' file too. */
static void test_sentences_are_compacted(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t sentences;
    lens_store_models models;
    const int64_t source = texts_source(f, "/c/all.tsv"), a = texts_picture(f, "/p/1.jpg", 1);
    texts_picture(f, "/p/2.jpg", 2);
    assert_done(lens_store_add_sentence_model(f->store, "s", TEXTS_DIM, test_hash(1), &sentences, &err), &err);
    texts_read(f, "v1", 2, "cat", 0, NULL);
    texts_encode(f, sentences, 2, 0);
    for (int i = 0; i < 20; i++) {
        texts_say(f, source, true, a, i % 2 ? "dog" : "hog", 0, NULL);
        texts_encode(f, sentences, 1, 0);
    }
    assert_done(lens_store_sentence_models(f->store, &models, &err), &err);
    const int64_t before = models.items[0].file_bytes;
    lens_store_models_free(&models);
    assert_done(lens_store_compact(f->store, true, &err), &err);
    assert_done(lens_store_sentence_models(f->store, &models, &err), &err);
    assert_true(models.items[0].file_bytes < before && models.items[0].vectors == 2);
    lens_store_models_free(&models);
    assert_int_equal(test_store_sound(f->store, f->model, TEXTS_DIM), 2);
    assert_int_equal(test_store_sound(f->store, sentences, TEXTS_DIM), 2);
    assert_int_equal(lens_store_has_vector(f->store, sentences, texts_content(f, 1), &err), 1);
    texts_sound(f);
}

static bool no_place; /* for temporary files */

/* In the place of the C library's. */
int access(const char *path, int mode)
{
    if (!no_place || !(mode & X_OK))
        return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
    errno = EROFS;
    return -1;
}

/* What a large database is written anew by is on a disk, not in memory, where there is a place for it. */
static void expect_large_compacted(void)
{
    enum { LARGE = 96 << 20 };
    char *folder = test_library_new(DIM, COUNT), *database = test_path(folder, "library.db");
    lens_error err;
    int64_t removed;
    struct stat before, after;
    texts_damage(folder, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 144)"
                         " INSERT INTO picture (path, size, mtime_ns, reason)"
                         " SELECT CAST(iif(i % 3, '/p/', '/q/') || i AS BLOB), 1, 1, randomblob(1000000) FROM n");
    lens_store *store = test_store(folder, LENS_STORE_WRITE);
    assert_done(lens_store_forget(store, "/q", &removed, &err), &err);
    assert_int_equal(removed, 48);
    assert_int_equal(stat(database, &before), 0);
    sqlite3_memory_highwater(1);
    assert_done(lens_store_compact(store, false, &err), &err);
    assert_int_equal(sqlite3_memory_highwater(1) < LARGE / 2, !no_place);
    assert_done(lens_store_forget(store, "/p/00000.jpg", &removed, &err), &err);
    assert_int_equal(removed, 1);
    lens_store_close(store);
    assert_int_equal(stat(database, &after), 0);
    assert_true(after.st_size < before.st_size - LARGE / 4 && after.st_size > 96000000);
    store = test_store(folder, LENS_STORE_READ);
    assert_int_equal(test_store_sound(store, 1, DIM), COUNT - 1);
    lens_store_close(store);
    free(database);
    test_folder_remove(folder);
}

static void test_a_large_database(void **state)
{
    (void)state;
    expect_large_compacted();
    no_place = true;
    expect_large_compacted();
    no_place = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_of_files), cmocka_unit_test(test_compaction), cmocka_unit_test(test_a_large_database),
                                       cmocka_unit_test_setup_teardown(test_sentences_are_compacted, texts_setup, texts_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
