/* src/store: captions and readings, the index over them, and what becomes of both when pictures change. */
#include "support_texts.h"

static void test_sources(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t a, b, again;
    lens_store_sources sources;
    assert_done(lens_store_sources_list(f->store, LENS_SOURCE_FILE, &sources, &err), &err);
    assert_int_equal(sources.count, 0);
    lens_store_sources_free(&sources);
    assert_done(lens_store_source_put(f->store, "/c/b.tsv", LENS_SOURCE_FILE, "{\"file\":\"1\"}", &b, &err), &err);
    assert_done(lens_store_source_put(f->store, "/c/a\xff.tsv", LENS_SOURCE_FILE, NULL, &a, &err), &err);
    assert_done(lens_store_source_put(f->store, "/c/dog.txt", LENS_SOURCE_SIDECAR, NULL, &again, &err), &err);
    assert_done(lens_store_source_put(f->store, "/c/b.tsv", LENS_SOURCE_FILE, NULL, &again, &err), &err); /* as it was */
    assert_int_equal(again, b);
    assert_done(lens_store_source_put(f->store, "/c/b.tsv", LENS_SOURCE_SIDECAR, NULL, &again, &err), &err); /* though it lies beside /c/b.jpg */
    assert_int_equal(again, b);
    assert_done(lens_store_sources_list(f->store, LENS_SOURCE_FILE, &sources, &err), &err);
    assert_int_equal(sources.count, 2);
    assert_string_equal(sources.items[0].path, "/c/a\xff.tsv");
    assert_true(sources.items[0].id == a && !sources.items[0].settings && sources.items[0].size == -1 && sources.items[0].mtime_ns == -1);
    assert_string_equal(sources.items[1].settings, "{\"file\":\"1\"}");
    lens_store_sources_free(&sources);
    assert_done(lens_store_captions_write(f->store, b, 77, 88, NULL, 0, true, NULL, &err), &err);
    assert_done(lens_store_source_settings(f->store, b, "{\"file\":\"2\"}", &err), &err);
    assert_done(lens_store_source_remove(f->store, a, &err), &err);
    assert_done(lens_store_source_settings(f->store, a, "{}", &err), &err); /* it does not come back by that */
    assert_done(lens_store_sources_list(f->store, LENS_SOURCE_FILE, &sources, &err), &err);
    assert_int_equal(sources.count, 1);
    assert_string_equal(sources.items[0].settings, "{\"file\":\"2\"}");
    assert_true(sources.items[0].size == 77 && sources.items[0].mtime_ns == 88);
    lens_store_sources_free(&sources);
}

/* When the file of captions is looked at next: -1 is at once. */
static int64_t read_at(texts_fixture *f)
{
    lens_error err = {0};
    lens_store_sources sources;
    assert_done(lens_store_sources_list(f->store, LENS_SOURCE_FILE, &sources, &err), &err);
    assert_int_equal(sources.count, 1);
    const int64_t mtime_ns = sources.items[0].mtime_ns;
    assert_int_equal(sources.items[0].size, 10);
    lens_store_sources_free(&sources);
    return mtime_ns;
}

/* A file of captions is to be read again after every transaction that gave or took the name of a picture, and after no other. */
static void test_sources_are_read_again(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t removed;
    const int64_t source = texts_source(f, "/c/all.tsv"), a = texts_picture(f, "/p/1.jpg", 1);
    texts_say(f, source, true, a, "dog", 0, NULL);
    assert_int_equal(read_at(f), 20);
    texts_picture(f, "/p/1.jpg", 1); /* touched */
    texts_picture(f, "/p/1.jpg", 2); /* edited */
    assert_int_equal(read_at(f), 20);
    texts_picture(f, "/p/2.jpg", 2); /* a copy */
    assert_int_equal(read_at(f), -1);
    texts_say(f, source, true, a, "dog", 0, NULL);
    test_write_picture(f->store, f->model, TEXTS_DIM, "/p/moved.jpg", 2, a);
    assert_int_equal(read_at(f), -1);
    texts_say(f, source, true, a, "dog", 0, NULL);
    assert_done(lens_store_forget(f->store, "/p/2.jpg", &removed, &err), &err);
    assert_int_equal(read_at(f), -1);
    texts_say(f, source, true, a, "dog", 0, NULL);
    assert_done(lens_store_sweep(f->store, "/q", &removed, &err), &err); /* nothing is gone */
    assert_int_equal(read_at(f), 20);
    assert_done(lens_store_sweep(f->store, "/p", &removed, &err), &err);
    assert_true(removed == 1 && read_at(f) == -1);
}

static void test_captions_whole(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    const int64_t source = texts_source(f, "/c/all.tsv"), a = texts_picture(f, "/p/1.jpg", 1), b = texts_picture(f, "/p/2.jpg", 2), c = texts_picture(f, "/p/3.jpg", 3);
    assert_int_equal(texts_say(f, source, true, a, "One dog", b, "Two dogs", 0, NULL), 2);
    texts_expect(f, "dog", "One dog;");
    texts_expect(f, "dogs", "Two dogs;");
    /* Once more: nothing changes. */
    assert_int_equal(texts_say(f, source, true, a, "One dog", b, "Two dogs", 0, NULL), 0);
    /* One changes, one goes, one comes. */
    assert_int_equal(texts_say(f, source, true, a, "One cat", c, "Three dogs", 0, NULL), 3);
    texts_expect(f, "dog", "");
    texts_expect(f, "cat", "One cat;");
    texts_expect(f, "dogs", "Three dogs;");
    assert_int_equal(lens_store_text_count(f->store, &err), 2);
    /* A text that is other letters of the same words is kept as it is written. */
    assert_int_equal(texts_say(f, source, true, a, "ONE CAT!", c, "Three dogs", 0, NULL), 1);
    texts_expect(f, "cat", "ONE CAT!;");
    /* What no letter is in is a text, but nothing that can be found. */
    assert_int_equal(texts_say(f, source, true, a, "!?", 0, NULL), 2);
    assert_int_equal(lens_store_text_count(f->store, &err), 0);
    texts_sound(f);
    /* Two sources may say something about one picture. */
    const int64_t other = texts_source(f, "/c/other.tsv");
    assert_int_equal(texts_say(f, source, true, a, "One dog", 0, NULL), 1);
    assert_int_equal(texts_say(f, other, true, a, "A dog again", 0, NULL), 1);
    texts_expect(f, "dog", "One dog;A dog again;");
    assert_done(lens_store_source_remove(f->store, source, &err), &err);
    texts_expect(f, "dog", "A dog again;");
    assert_int_equal(texts_say(f, other, true, 0, NULL), 1);
    assert_int_equal(lens_store_text_count(f->store, &err), 0);
    texts_sound(f);
}

static void test_captions_of_some(void **state)
{
    texts_fixture *f = *state;
    const int64_t source = texts_source(f, "/c/some.tsv"), a = texts_picture(f, "/p/1.jpg", 1), b = texts_picture(f, "/p/2.jpg", 2), c = texts_picture(f, "/p/3.jpg", 3);
    assert_int_equal(texts_say(f, source, false, a, "dog one", b, "dog two", 0, NULL), 2);
    assert_int_equal(texts_say(f, source, false, c, "dog three", 0, NULL), 1); /* the others stay */
    texts_expect(f, "dog", "dog one;dog two;dog three;");
    assert_int_equal(texts_say(f, source, false, b, "", c, "dog 3", a, "dog one", 0, NULL), 2); /* gone, changed, the same */
    texts_expect(f, "dog", "dog one;dog 3;");
    assert_int_equal(texts_say(f, source, false, b, "", 0, NULL), 0);
    texts_sound(f);
}

/* What a picture says about itself is written with it: both, or neither. */
static void test_pictures_with_texts(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    float values[TEXTS_DIM], wrong[TEXTS_DIM] = {3};
    test_vector(1, values, TEXTS_DIM);
    const int64_t source = texts_source(f, ""), other = texts_source(f, "/c.tsv");
    const struct lens_store_vector vector = {f->model, values}, broken = {f->model, wrong};
    lens_store_entry entry = {.path = "/p/1.jpg", .hash = test_hash(1), .width = 1, .height = 1, .format = "JPEG", .vector_count = 1, .vectors = &vector,
                              .text = "Inside it", .folded = "inside it", .source = source};
    lens_store_entry pair[] = {entry, entry};
    pair[1].path = "/p/2.jpg";
    pair[1].hash = test_hash(2);
    pair[1].vectors = &broken;
    assert_int_equal(lens_store_write(f->store, pair, 2, NULL, &err), -1);
    texts_expect(f, "inside", "");
    int64_t id;
    assert_done(lens_store_write(f->store, &entry, 1, &id, &err), &err);
    texts_expect(f, "inside", "Inside it;");
    texts_say(f, other, true, id, "said elsewhere", 0, NULL);
    entry.text = entry.folded = NULL; /* not looked at */
    assert_done(lens_store_write(f->store, &entry, 1, NULL, &err), &err);
    texts_expect(f, "inside", "Inside it;");
    entry.text = entry.folded = "other words";
    assert_done(lens_store_write(f->store, &entry, 1, NULL, &err), &err);
    texts_expect(f, "inside", "");
    texts_expect(f, "words", "other words;");
    entry.reason = "broken"; /* what failed says nothing new */
    entry.text = entry.folded = "";
    assert_done(lens_store_write(f->store, &entry, 1, NULL, &err), &err);
    texts_expect(f, "words", "other words;");
    entry.reason = NULL;
    assert_done(lens_store_write(f->store, &entry, 1, NULL, &err), &err);
    texts_expect(f, "words", "");
    texts_expect(f, "said", "said elsewhere;");
    texts_sound(f);
}

/* A batch of them: some that say nothing, some no more, one that failed, one that is there twice. */
static void test_many_pictures_with_texts(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    const int64_t source = texts_source(f, ""), other = texts_source(f, "/c.tsv");
    static const char *const paths[] = {"/p/a.jpg", "/p/b.jpg", "/p/c.jpg", "/p/d.jpg", "/p/a.jpg", "/p/e.jpg"},
                            *texts[] = {"old", "one dog", "", NULL, "two dogs", "three"};
    enum { COUNT = sizeof paths / sizeof *paths };
    float values[COUNT][TEXTS_DIM];
    struct lens_store_vector vectors[COUNT];
    lens_store_entry entries[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        test_vector(i + 1, values[i], TEXTS_DIM);
        vectors[i] = (struct lens_store_vector){f->model, values[i]};
        entries[i] = (lens_store_entry){.path = paths[i], .hash = test_hash(i + 1), .width = 1, .height = 1, .format = "JPEG", .vector_count = 1,
                                        .vectors = &vectors[i], .text = texts[i], .folded = texts[i], .source = i == 1 ? other : source};
    }
    entries[5].reason = "broken";
    assert_done(lens_store_write(f->store, entries, COUNT, NULL, &err), &err);
    texts_expect(f, "dog", "one dog;");
    texts_expect(f, "dogs", "two dogs;");
    texts_expect(f, "old", "");
    texts_expect(f, "three", "");
    assert_int_equal(lens_store_caption_count(f->store, &err), 2);
    entries[1].text = entries[1].folded = "";
    assert_done(lens_store_write(f->store, entries, COUNT, NULL, &err), &err);
    assert_int_equal(lens_store_caption_count(f->store, &err), 1);
    texts_sound(f);
    /* And what is more than goes at once. */
    enum { LONG = 5 << 20 };
    char *book = malloc(LONG + 1);
    assert_non_null(book);
    memset(book, ' ', LONG);
    memcpy(book, "whale", 5);
    strcpy(book + LONG - 1, "x");
    for (size_t i = 0; i < COUNT; i++)
        entries[i].text = entries[i].folded = book;
    assert_done(lens_store_write(f->store, entries, COUNT, NULL, &err), &err);
    free(book);
    assert_int_equal(lens_store_caption_count(f->store, &err), 4);
}

/* A picture that is not there sinks the whole transaction, and the index with it. */
static void test_all_or_nothing(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    const int64_t source = texts_source(f, "/c/all.tsv"), a = texts_picture(f, "/p/1.jpg", 1);
    /* What cannot be written: one of a picture that there is not; in a database, where that one is left out, one that the table refuses. */
    const int64_t b = store_place_is_folder() ? a + 1000 : texts_picture(f, "/p/2.jpg", 2);
    const lens_store_caption captions[] = {{a, "dog", "dog"}, {b, "cat", "cat"}};
    if (!store_place_is_folder())
        free(store_place_ask(f->place, "ALTER TABLE memelens.text ADD CHECK (folded <> 'cat')"));
    assert_int_equal(lens_store_captions_write(f->store, source, 1, 1, captions, 2, true, NULL, &err), -1);
    texts_expect(f, "dog", "");
    assert_int_equal(lens_store_text_count(f->store, &err), 0);
    texts_sound(f);
    assert_int_equal(lens_store_captions_write(f->store, source, 1, 1, captions, 1, true, NULL, &err), 0);
    texts_expect(f, "dog", "dog;");
}

static void test_a_batch(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    const int64_t a = texts_picture(f, "/p/1.jpg", 1);
    assert_done(lens_store_batch_begin(f->store, &err), &err);
    texts_say(f, texts_source(f, "/c/1.tsv"), true, a, "dog one", 0, NULL);
    assert_done(lens_store_batch_end(f->store, 0, &err), &err);
    texts_expect(f, "dog", "dog one;");
    assert_done(lens_store_batch_begin(f->store, &err), &err);
    texts_say(f, texts_source(f, "/c/2.tsv"), true, a, "dog two", 0, NULL);
    texts_say(f, texts_source(f, "/c/3.tsv"), true, a, "dog three", 0, NULL);
    assert_int_equal(lens_store_batch_end(f->store, -1, &err), -1);
    texts_expect(f, "dog", "dog one;");
    assert_done(lens_store_batch_begin(f->store, &err), &err);
    texts_say(f, texts_source(f, "/c/2.tsv"), true, a, "dog two", 0, NULL);
    assert_done(lens_store_batch_end(f->store, 0, &err), &err);
    texts_expect(f, "dog", "dog one;dog two;");
    texts_sound(f);
}

static void test_pictures_that_change(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t removed;
    const int64_t source = texts_source(f, "/c/all.tsv"), a = texts_picture(f, "/p/1.jpg", 1), b = texts_picture(f, "/p/b.jpg", 2);
    texts_say(f, source, true, a, "dog one", b, "dog two", 0, NULL);
    texts_read(f, "v1", 1, "written dog", 2, "written cat", 0, NULL);
    texts_expect(f, "dog", "dog one;dog two;written dog;");
    /* Moved: captions and readings come along. */
    assert_int_equal(test_write_picture(f->store, f->model, TEXTS_DIM, "/p/moved.jpg", 1, a), a);
    texts_expect(f, "dog", "dog one;dog two;written dog;");
    /* Edited: what is said about the picture stays, what was read in it is gone with its content. */
    assert_int_equal(texts_picture(f, "/p/moved.jpg", 4), a);
    assert_done(lens_store_sweep(f->store, "/nowhere", &removed, &err), &err); /* which drops contents that nobody has */
    texts_expect(f, "dog", "dog one;dog two;");
    /* Moved over another: that one's texts go. */
    assert_int_equal(test_write_picture(f->store, f->model, TEXTS_DIM, "/p/b.jpg", 4, a), a);
    assert_done(lens_store_sweep(f->store, "/nowhere", &removed, &err), &err);
    texts_expect(f, "dog", "dog one;");
    texts_expect(f, "cat", "");
    texts_sound(f);
    /* Gone. */
    assert_done(lens_store_forget(f->store, "/p", &removed, &err), &err);
    assert_int_equal(removed, 1);
    texts_expect(f, "one", "");
    assert_int_equal(lens_store_text_count(f->store, &err), 0);
    texts_sound(f);
}

/* A content keeps what was read in it as long as any picture holds it. */
static void test_copies(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t removed;
    texts_picture(f, "/p/1.jpg", 1);
    texts_picture(f, "/q/copy.jpg", 1);
    texts_read(f, "v1", 1, "written", 0, NULL);
    assert_done(lens_store_forget(f->store, "/p", &removed, &err), &err);
    texts_expect(f, "written", "written;");
    assert_done(lens_store_forget(f->store, "/q", &removed, &err), &err);
    texts_expect(f, "written", "");
    texts_sound(f);
}

/* VERSION ("none": nobody) read last. */
static void expect_version(texts_fixture *f, const char *version)
{
    lens_error err = {0};
    char *found;
    assert_done(lens_store_readings_version(f->store, &found, &err), &err);
    assert_string_equal(found ? found : "none", version);
    free(found);
}

static void test_readings(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t contents[8], read, with_text;
    for (uint64_t i = 1; i <= 4; i++)
        texts_picture(f, i == 1 ? "/p/1.jpg" : i == 2 ? "/p/2.jpg" : i == 3 ? "/p/3.jpg" : "/p/4.jpg", i);
    expect_version(f, "none");
    assert_int_equal(lens_store_readings_missing(f->store, "v1", 0, contents, 8, &err), 4);
    assert_int_equal(lens_store_readings_missing(f->store, "v1", contents[1], contents, 1, &err), 1);
    assert_int_equal(contents[0], texts_content(f, 3));
    texts_read(f, "v1", 1, "dog", 2, "", 3, "cat", 0, NULL);
    assert_int_equal(lens_store_readings_missing(f->store, "v1", 0, contents, 8, &err), 1);
    assert_int_equal(contents[0], texts_content(f, 4));
    assert_int_equal(lens_store_readings_missing(f->store, "v2", 0, contents, 8, &err), 4);
    assert_done(lens_store_readings_count(f->store, "v1", &read, &with_text, &err), &err);
    assert_true(read == 3 && with_text == 2);
    /* A newer reader's words take the place of the older one's. */
    texts_read(f, "v2", 1, "hog", 0, NULL);
    texts_expect(f, "dog", "");
    texts_expect(f, "hog", "hog;");
    assert_done(lens_store_readings_count(f->store, "v1", &read, &with_text, &err), &err);
    assert_true(read == 2 && with_text == 1);
    assert_done(lens_store_readings_count(f->store, NULL, &read, &with_text, &err), &err);
    assert_true(read == 3 && with_text == 2);
    expect_version(f, "v2"); /* though most were read by the other */
    texts_read(f, "v3", 2, "", 0, NULL);
    expect_version(f, "v3");
    texts_read(f, "v2", 1, "not again", 0, NULL);
    expect_version(f, "v3");
    /* A content that went while it was read is nothing to fail for. */
    const lens_store_reading gone = {99999, "gone", "gone"};
    assert_done(lens_store_readings_write(f->store, NULL, "v1", &gone, 1, &err), &err);
    texts_expect(f, "gone", "");
    texts_sound(f);
}

typedef struct heard {
    lens_buffer line;
    int stop_after;
} heard;

static int hear_word(void *context, const char *word, size_t size, int64_t texts)
{
    heard *self = context;
    lens_buffer_print(&self->line, "%.*s=%lld ", (int)size, word, (long long)texts);
    return self->stop_after && --self->stop_after == 0 ? 5 : 0;
}

static void test_words(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    heard words = {0};
    const int64_t source = texts_source(f, "/c/all.tsv"), a = texts_picture(f, "/p/1.jpg", 1), b = texts_picture(f, "/p/2.jpg", 2);
    texts_say(f, source, true, a, "dog dog Dog éclair", b, "dog 猫", 0, NULL);
    assert_done(lens_store_words(f->store, hear_word, &words, &err), &err);
    assert_string_equal(words.line.data, "dog=2 eclair=1 猫=1 ");
    words.line.size = 0;
    words.stop_after = 1;
    assert_int_equal(lens_store_words(f->store, hear_word, &words, &err), 5);
    assert_string_equal(words.line.data, "dog=2 ");
    words.line.size = 0;
    /* What goes, in whichever way, is taken off. */
    texts_say(f, source, true, a, "dog mouse", b, "mouse 猫 猫", 0, NULL);
    texts_read(f, "v1", 1, "mouse", 0, NULL);
    texts_read(f, "v1", 1, "cat", 0, NULL); /* which it has read already */
    assert_done(lens_store_words(f->store, hear_word, &words, &err), &err);
    assert_string_equal(words.line.data, "dog=1 mouse=3 猫=1 ");
    words.line.size = 0;
    texts_read(f, "v2", 1, "hog", 0, NULL);
    int64_t removed;
    assert_done(lens_store_forget(f->store, "/p/2.jpg", &removed, &err), &err);
    assert_done(lens_store_words(f->store, hear_word, &words, &err), &err);
    assert_string_equal(words.line.data, "dog=1 hog=1 mouse=1 ");
    words.line.size = 0;
    assert_done(lens_store_source_remove(f->store, source, &err), &err);
    assert_done(lens_store_words(f->store, hear_word, &words, &err), &err);
    assert_string_equal(words.line.data, "hog=1 ");
    lens_buffer_free(&words.line);
}

static int hear_text(void *context, const lens_store_text *text)
{
    lens_buffer_print(context, "%s%s;", text->picture ? "" : "read:", text->text);
    assert_true(!text->picture != !text->content);
    return 0;
}

static int hear_id(void *context, int64_t id)
{
    lens_buffer_print(context, "%lld;", (long long)id);
    return 0;
}

static void test_texts_of_one(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    lens_buffer line = {0};
    const int64_t source = texts_source(f, "/c/all.tsv"), a = texts_picture(f, "/p/1.jpg", 1), b = texts_picture(f, "/p/2.jpg", 1);
    texts_say(f, source, true, a, "dog a", b, "dog b", 0, NULL);
    texts_read(f, "v1", 1, "dog", 0, NULL);
    assert_done(lens_store_texts_of(f->store, a, hear_text, &line, &err), &err);
    assert_string_equal(line.data, "dog a;read:dog;");
    line.size = 0;
    assert_done(lens_store_texts_of_content(f->store, texts_content(f, 1), hear_text, &line, &err), &err);
    assert_string_equal(line.data, "read:dog;dog a;dog b;");
    line.size = 0;
    assert_done(lens_store_picture_ids(f->store, texts_content(f, 1), hear_id, &line, &err), &err);
    char both[64];
    snprintf(both, sizeof both, "%lld;%lld;", (long long)a, (long long)b);
    assert_string_equal(line.data, both);
    lens_buffer_free(&line);
}

/* ---- sentences ---- */

static void test_sentences(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t sentences, contents[8], removed;
    const int64_t source = texts_source(f, "/c/all.tsv"), a = texts_picture(f, "/p/1.jpg", 1), b = texts_picture(f, "/p/b.jpg", 2);
    texts_picture(f, "/p/3.jpg", 3);
    assert_done(lens_store_add_sentence_model(f->store, "s", TEXTS_DIM, test_hash(1), &sentences, &err), &err);
    assert_int_equal(lens_store_sentences_missing(f->store, sentences, 0, contents, 8, &err), 0);
    texts_say(f, source, true, a, "dog", b, "!", 0, NULL);
    texts_read(f, "v1", 3, "cat", 0, NULL);
    texts_expect_missing(f, sentences, 1, 3, 0); /* not of what says nothing */
    texts_encode(f, sentences, 1, 3, 0);
    texts_expect_missing(f, sentences, 0);
    /* They are no model of pictures. */
    lens_store_models models;
    assert_done(lens_store_models_list(f->store, &models, &err), &err);
    assert_int_equal(models.count, 1);
    assert_string_equal(models.items[0].name, "m");
    lens_store_models_free(&models);
    assert_done(lens_store_sentence_models(f->store, &models, &err), &err);
    assert_true(models.count == 1 && models.items[0].vectors == 2);
    lens_store_models_free(&models);
    /* Whatever changes what is written about a content takes its vector. */
    texts_say(f, source, true, a, "dog", b, "!", 0, NULL); /* nothing did */
    texts_expect_missing(f, sentences, 0);
    texts_say(f, source, true, a, "a dog", b, "!", 0, NULL);
    texts_expect_missing(f, sentences, 1, 0);
    texts_encode(f, sentences, 1, 0);
    texts_read(f, "v1", 1, "more", 0, NULL);
    texts_expect_missing(f, sentences, 1, 0);
    texts_encode(f, sentences, 1, 0);
    texts_say(f, source, true, a, "a dog", b, "mouse", 0, NULL);
    texts_expect_missing(f, sentences, 2, 0);
    texts_encode(f, sentences, 2, 0);
    texts_say(f, source, true, b, "mouse", 0, NULL); /* what was read in 1 is still there */
    texts_expect_missing(f, sentences, 1, 0);
    texts_encode(f, sentences, 1, 0);
    /* The picture is another one now, and its caption is of another content. */
    texts_picture(f, "/p/b.jpg", 5);
    texts_expect_missing(f, sentences, 5, 0);
    texts_encode(f, sentences, 5, 0);
    assert_int_equal(test_store_sound(f->store, f->model, TEXTS_DIM), 3);
    /* A copy's caption goes with the copy: what is left was never encoded by itself. */
    const int64_t copy = texts_picture(f, "/q/copy.jpg", 3);
    texts_expect_missing(f, sentences, 0);
    texts_say(f, source, false, copy, "of a copy", 0, NULL);
    texts_expect_missing(f, sentences, 3, 0);
    texts_encode(f, sentences, 3, 0);
    assert_done(lens_store_forget(f->store, "/q", &removed, &err), &err);
    texts_expect_missing(f, sentences, 3, 0);
    texts_encode(f, sentences, 3, 0);
    /* So does that of a picture that another one was moved over. */
    const int64_t over = texts_picture(f, "/p/over.jpg", 3), mover = texts_picture(f, "/p/mover.jpg", 7);
    texts_say(f, source, false, over, "under it", 0, NULL);
    texts_encode(f, sentences, 3, 0);
    test_write_picture(f->store, f->model, TEXTS_DIM, "/p/over.jpg", 7, mover);
    texts_expect_missing(f, sentences, 3, 0);
    const float broken[TEXTS_DIM] = {2, 0, 0, 0};
    const int64_t content = texts_content(f, 3);
    assert_int_equal(lens_store_sentences_write(f->store, sentences, &content, broken, 1, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    assert_done(lens_store_forget_model(f->store, "s", &err), &err);
    assert_done(lens_store_sentence_models(f->store, &models, &err), &err);
    assert_int_equal(models.count, 0);
    lens_store_models_free(&models);
    texts_sound(f);
}

static int no_word(void *context, const char *word, size_t size, int64_t texts)
{
    (void)context, (void)texts;
    fail_msg("%.*s is still known", (int)size, word);
    return -1;
}

/* When everything is forgotten, no word is left of what anybody wrote. */
/* What lies beside pictures that are forgotten is not looked at any more, so nobody would ever take it out. A file of captions is named by itself. */
static void test_what_lies_beside_is_forgotten_too(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t removed, ids[4];
    static const char *const paths[] = {"/p/1.txt", "/p/deep/2.txt", "/p0/3.txt", "/p"};
    const int64_t one = texts_picture(f, "/p/1.jpg", 1), three = texts_picture(f, "/p0/3.jpg", 3), table = texts_source(f, "/p/table.tsv");
    for (size_t i = 0; i < 4; i++)
        assert_done(lens_store_source_put(f->store, paths[i], LENS_SOURCE_SIDECAR, NULL, &ids[i], &err), &err);
    texts_say(f, ids[0], 1, one, "dog", (int64_t)0);
    texts_say(f, ids[2], 1, three, "cat", (int64_t)0);
    texts_say(f, table, 1, three, "dog", (int64_t)0);
    assert_done(lens_store_forget(f->store, "/p", &removed, &err), &err);
    assert_int_equal(removed, 1);
    lens_store_sources sources;
    assert_done(lens_store_sources_list(f->store, LENS_SOURCE_SIDECAR, &sources, &err), &err);
    assert_int_equal(sources.count, 1);
    assert_string_equal(sources.items[0].path, "/p0/3.txt");
    lens_store_sources_free(&sources);
    texts_expect(f, "dog OR cat", "cat;dog;");
    assert_done(lens_store_forget(f->store, "/p0/3.txt", &removed, &err), &err); /* by itself */
    assert_int_equal(removed, 0);
    texts_expect(f, "dog OR cat", "dog;");
    assert_int_equal(texts_sound_in(f->place), 1);
}

static void test_everything_is_forgotten(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    int64_t removed;
    texts_say(f, texts_source(f, "/c/all.tsv"), true, texts_picture(f, "/p/1.jpg", 1), "dog", 0, NULL);
    texts_read(f, "v1", 1, "cat", 0, NULL);
    assert_done(lens_store_forget(f->store, "/", &removed, &err), &err);
    lens_store_sources sources;
    assert_done(lens_store_sources_list(f->store, LENS_SOURCE_FILE, &sources, &err), &err);
    assert_int_equal(sources.count, 0);
    lens_store_sources_free(&sources);
    assert_done(lens_store_words(f->store, no_word, NULL, &err), &err);
    texts_expect(f, "dog OR cat", "");
    assert_int_equal(texts_sound_in(f->place), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sources, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_sources_are_read_again, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_captions_whole, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_captions_of_some, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_pictures_with_texts, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_many_pictures_with_texts, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_all_or_nothing, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_a_batch, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_pictures_that_change, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_copies, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_readings, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_words, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_texts_of_one, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_sentences, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_what_lies_beside_is_forgotten_too, texts_setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_everything_is_forgotten, texts_setup, texts_teardown),
    };
    return store_place_run(tests);
}
