/* src/store: libraries from before there were words, and an index that is off. */
#include "support_texts.h"

/* A library of schema version 1 with three pictures; nobody has it open. */
static char *old_library(void)
{
    lens_error err = {0};
    char *folder = test_folder_new();
    lens_store *store = test_store(folder, LENS_STORE_WRITE);
    assert_done(test_write_pictures(store, test_model(store, "m", TEXTS_DIM), TEXTS_DIM, "/p", 1, 3, &err), &err);
    assert_done(lens_store_add_root(store, "/p", &err), &err);
    lens_store_close(store);
    texts_make_old(folder);
    return folder;
}

static int never(void *context, const lens_store_text *text)
{
    (void)context, (void)text;
    fail_msg("a library without words has a text");
    return -1;
}

static int never_word(void *context, const char *word, size_t size, int64_t texts)
{
    (void)context, (void)word, (void)size, (void)texts;
    fail_msg("a library without words has a word");
    return -1;
}

/* STORE, of version 1, is as good as ever, and has no words. */
static void expect_wordless(lens_store *store)
{
    lens_error err = {0};
    int64_t ids[8], read, with_text;
    lens_store_sources sources;
    lens_store_models models;
    lens_store_picture picture;
    for (lens_source_kind kind = LENS_SOURCE_FILE; kind <= LENS_SOURCE_EMBEDDED; kind++) {
        assert_done(lens_store_sources_list(store, kind, &sources, &err), &err);
        assert_int_equal(sources.count, 0);
    }
    assert_int_equal(lens_store_text_count(store, &err), 0);
    assert_done(lens_store_texts_match(store, "\"dog\"", true, never, NULL, &err), &err);
    assert_done(lens_store_texts_of(store, 1, never, NULL, &err), &err);
    assert_done(lens_store_texts_of_content(store, 1, never, NULL, &err), &err);
    assert_done(lens_store_words(store, never_word, NULL, &err), &err);
    assert_done(lens_store_readings_count(store, NULL, &read, &with_text, &err), &err);
    assert_true(read == 0 && with_text == 0);
    assert_int_equal(lens_store_readings_missing(store, "v1", 0, ids, 8, &err), 3);
    assert_int_equal(lens_store_sentences_missing(store, 1, 0, ids, 8, &err), 0);
    assert_done(lens_store_sentence_models(store, &models, &err), &err);
    assert_int_equal(models.count, 0);
    assert_done(lens_store_models_list(store, &models, &err), &err);
    assert_true(models.count == 1 && models.items[0].vectors == 3);
    assert_int_equal(test_store_sound(store, models.items[0].id, TEXTS_DIM), 3);
    lens_store_models_free(&models);
    assert_int_equal(lens_store_picture_by_path(store, "/p/00002.jpg", &picture, &err), 1);
    lens_store_picture_free(&picture);
}

static void test_an_old_library(void **state)
{
    (void)state;
    char *folder = old_library();
    lens_error err = {0};
    lens_store *store = test_store(folder, LENS_STORE_READ);
    expect_wordless(store);
    lens_store_close(store);
    /* To be read once more: reading raised nothing. */
    store = test_store(folder, LENS_STORE_READ);
    expect_wordless(store);
    lens_store_close(store);
    /* A writer raises it, and it has all that a new one has. */
    texts_fixture f = {folder, test_store(folder, LENS_STORE_WRITE), 0};
    f.model = test_model(f.store, "m", TEXTS_DIM);
    assert_int_equal(test_store_sound(f.store, f.model, TEXTS_DIM), 3);
    const int64_t a = test_id(f.store, "/p/00001.jpg"), source = texts_source(&f, "/c.tsv");
    assert_int_equal(texts_say(&f, source, true, a, "a dog", 0, NULL), 1);
    texts_read(&f, "v1", 2, "written dog", 0, NULL);
    texts_expect(&f, "dog", "a dog;written dog;");
    int64_t removed, sentences;
    assert_done(lens_store_add_sentence_model(f.store, "s", TEXTS_DIM, test_hash(1), &sentences, &err), &err);
    texts_encode(&f, sentences, 1, 2, 0);
    assert_done(lens_store_forget(f.store, "/p/00001.jpg", &removed, &err), &err);
    texts_expect(&f, "dog", "written dog;");
    texts_sound(&f);
    lens_store_close(f.store);
    f.store = test_store(folder, LENS_STORE_WRITE); /* raised once only */
    texts_expect(&f, "dog", "written dog;");
    lens_store_close(f.store);
    test_folder_remove(folder);
}

/* Who reads while another raises the library sees words as soon as there are some, and goes on seeing pictures. */
static void test_a_reader_of_a_library_that_is_raised(void **state)
{
    (void)state;
    char *folder = old_library();
    lens_error err = {0};
    lens_store *reader = test_store(folder, LENS_STORE_READ), *still = test_store(folder, LENS_STORE_READ);
    lens_store_models models;
    expect_wordless(reader);
    assert_done(lens_store_moment_begin(still, &err), &err);
    assert_int_equal(lens_store_text_count(still, &err), 0);
    texts_fixture f = {folder, test_store(folder, LENS_STORE_WRITE), 0};
    f.model = test_model(f.store, "m", TEXTS_DIM);
    int64_t sentences;
    assert_done(lens_store_add_sentence_model(f.store, "s", TEXTS_DIM, test_hash(1), &sentences, &err), &err);
    /* The model of sentences is none of pictures, even for a reader that was here before there could be one. */
    assert_done(lens_store_models_list(reader, &models, &err), &err);
    assert_int_equal(models.count, 1);
    lens_store_models_free(&models);
    assert_done(lens_store_sentence_models(reader, &models, &err), &err);
    assert_int_equal(models.count, 1);
    lens_store_models_free(&models);
    texts_say(&f, texts_source(&f, "/c.tsv"), true, test_id(f.store, "/p/00001.jpg"), "a dog", 0, NULL);
    texts_expect_in(reader, "dog", "a dog;");
    assert_int_equal(lens_store_text_count(reader, &err), 1);
    assert_int_equal(lens_store_text_count(still, &err), 0); /* a moment lasts */
    lens_store_moment_end(still);
    texts_expect_in(still, "dog", "a dog;");
    lens_store_close(f.store);
    lens_store_close(still);
    lens_store_close(reader);
    test_folder_remove(folder);
}

/* ---- faults ---- */

static void note_fault(void *context, const char *line)
{
    lens_buffer_print(context, "%s;", line);
}

/* An index that is not like the texts is a fault, and can be made anew. */
static void test_an_index_that_is_off(void **state)
{
    texts_fixture *f = *state;
    static const struct {
        const char *damage, *fault;
    } cases[] = {
        {"INSERT INTO text_words (text_words) VALUES ('delete-all'); DELETE FROM word", "library.db: 3 texts are not in the index of words"},
        {"INSERT INTO text_words (rowid, folded) VALUES (99, 'ghost'); INSERT INTO word VALUES ('ghost', 1)",
         "library.db: 1 texts that are no more are in the index of words"},
        {"INSERT INTO text_words (rowid, folded) SELECT id, 'ghost' FROM text WHERE folded = ''; INSERT INTO word VALUES ('ghost', 1)",
         "library.db: 1 texts that are no more are in the index of words"},
        {"UPDATE text SET text = 'a log', folded = 'a log' WHERE text = 'a hog'", "library.db: the index of words has not followed 1 changes"},
    };
    lens_error err = {0};
    bool mended;
    const int64_t source = texts_source(f, "/c.tsv"), a = texts_picture(f, "/p/1.jpg", 1), b = texts_picture(f, "/p/2.jpg", 2);
    texts_say(f, source, true, a, "a dog", b, "a hog", 0, NULL);
    texts_read(f, "v1", 1, "", 2, "written dog", 0, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_buffer faults = {0};
        assert_done(lens_store_texts_mend(f->store, &mended, &err), &err);
        assert_false(mended);
        texts_damage(f->place, cases[i].damage);
        lens_store *reader = test_store(f->place, LENS_STORE_READ);
        assert_int_equal(lens_store_check(reader, note_fault, &faults, &err), 1);
        lens_store_close(reader);
        if (!strstr(faults.data, cases[i].fault))
            fail_msg("%s: %s", cases[i].damage, faults.data);
        lens_buffer_free(&faults);
        assert_done(lens_store_texts_mend(f->store, &mended, &err), &err);
        assert_true(mended);
        texts_sound(f);
        texts_expect(f, "dog", "a dog;written dog;");
        assert_int_equal(lens_store_check(f->store, NULL, NULL, &err), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_an_old_library), cmocka_unit_test(test_a_reader_of_a_library_that_is_raised),
                                       cmocka_unit_test_setup_teardown(test_an_index_that_is_off, texts_setup, texts_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
