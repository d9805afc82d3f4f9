/* src/library/copy.c: a library copied from a folder into another place and back is the same to the last bit; what was interrupted is gone on with; and what is
 * not to be copied, or not there, is refused in a line and left alone. */
#include <unistd.h>

#include "memelens.h"
#include "store/texts.h"
#include "support_copy.h"
#include "support_texts.h"

enum { PICTURES = 3000 /* more than a batch */, PATIENCE = 120 /* seconds, for what takes a moment, or for ever */ };

typedef struct places {
    char *from, *to, *back; /* a folder; a place; a folder */
} places;

static places places_new(size_t count)
{
    places p = {test_folder_new(), store_place("copy"), test_folder_new()};
    if (count)
        test_copy_library(p.from, count);
    return p;
}

static void places_free(places *p)
{
    test_folder_remove(p->from);
    store_place_remove(p->to);
    test_folder_remove(p->back);
}

static lens_copy_report copied(const char *from, const char *to, bool update)
{
    lens_error err = {0};
    lens_copy_report report;
    const lens_copy_options options = {.update = update};
    assert_done(lens_copy(from, to, &options, &report, &err), &err);
    return report;
}

/* Copying fails, and says WORDS. */
static void refused(const char *from, const char *to, bool update, const char *words)
{
    lens_error err = {0};
    lens_copy_report report;
    const lens_copy_options options = {.update = update};
    assert_int_equal(lens_copy(from, to, &options, &report, &err), -1);
    assert_says(&err, words);
    assert_null(strchr(err.message, '\n'));
}

static void keep_lines(void *context, const char *line)
{
    lens_buffer_print(context, "%s\n", line);
}

/* How many parts of A and B differ, by our own comparison; *LINES (may be NULL): what it says. */
static int differ(const char *a, const char *b, char **lines)
{
    lens_error err = {0};
    lens_buffer said = {0};
    lens_library *library = lens_library_open(a, &err);
    assert_non_null(library);
    const int count = lens_check_same(library, b, keep_lines, &said, NULL, &err);
    if (count < 0)
        fail_msg("%s", err.message);
    lens_library_close(library);
    if (lines)
        *lines = said.data;
    else
        lens_buffer_free(&said);
    return count;
}

static void sound(const char *place)
{
    lens_error err = {0};
    lens_buffer said = {0};
    lens_library *library = lens_library_open(place, &err);
    if (lens_check(library, keep_lines, &said, &err) != 0)
        fail_msg("%s%s", said.data ? said.data : "", err.message);
    lens_library_close(library);
}

static void test_there_and_back(void **state)
{
    (void)state;
    places p = places_new(PICTURES);
    char *before = test_copy_dump(p.from);
    const lens_copy_report there = copied(p.from, p.to, false), back = copied(p.to, p.back, false);
    assert_true(there.there == 0 && there.copied == there.same.records && there.removed == 0 && !there.changed);
    assert_string_equal(there.same.digest, back.same.digest);
    assert_int_equal(there.same.records, 3 + 3 + (PICTURES + 1) + (PICTURES + 4) + 3 + 6 + (PICTURES + 1) + 1 + 2);
    assert_int_equal(differ(p.from, p.to, NULL), 0);
    test_copy_expect_same(p.from, p.back);
    char *after = test_copy_dump(p.from);
    assert_string_equal(before, after);
    free(before), free(after);
    sound(p.to);
    sound(p.back);

    /* No id comes to mean another picture, not even one whose picture is gone. */
    lens_store *store = test_store(p.to, LENS_STORE_WRITE);
    assert_int_equal(test_write_picture(store, 2, COPY_DIM, "/p/new.jpg", 9000, 0), PICTURES + 4 + 3 + 1);
    lens_store_close(store);
    places_free(&p);
}

/* From a database into a database too, where there is one. */
static void test_between_two_of_a_kind(void **state)
{
    (void)state;
    places p = places_new(40);
    char *second = store_place("copy2");
    copied(p.from, p.to, false);
    copied(p.to, second, false);
    copied(second, p.back, false);
    test_copy_expect_same(p.from, p.back);
    store_place_remove(second);
    places_free(&p);
}

static void test_again_copies_nothing_and_then_what_is_new(void **state)
{
    (void)state;
    lens_error err = {0};
    places p = places_new(100);
    const lens_copy_report first = copied(p.from, p.to, false), again = copied(p.from, p.to, false);
    assert_true(again.copied == 0 && again.there == first.copied && again.removed == 0);
    lens_store *store = test_store(p.from, LENS_STORE_WRITE);
    assert_done(test_write_pictures(store, 2, COPY_DIM, "/p", 200, 5, &err), &err);
    /* A text that comes takes the vector of its sentence away, and here the new one is as the old one was. */
    int64_t file, content;
    float values[COPY_DIM];
    assert_done(lens_store_source_put(store, "/p/captions.tsv", LENS_SOURCE_FILE, NULL, &file, &err), &err);
    assert_int_equal(lens_store_content_by_hash(store, test_hash(0), &content, &err), 1);
    assert_done(lens_store_source_put(store, "/p/more.tsv", LENS_SOURCE_FILE, NULL, &file, &err), &err);
    const lens_store_caption more = {1, "and a cat", "and a cat"};
    assert_done(lens_store_captions_write(store, file, 1, 2, &more, 1, true, NULL, &err), &err);
    test_vector(8000, values, COPY_DIM);
    assert_done(lens_store_sentences_write(store, 4, &content, values, 1, &err), &err);
    lens_store_close(store);
    assert_int_equal(differ(p.from, p.to, NULL), 5);
    const lens_copy_report grown = copied(p.from, p.to, false);
    assert_true(grown.removed == 0 && grown.copied == 3 * 5 + 1 + 1 + 1);
    assert_int_equal(differ(p.from, p.to, NULL), 0);

    store = test_store(p.from, LENS_STORE_WRITE);
    int64_t removed;
    assert_done(lens_store_forget(store, "/p/00007.jpg", &removed, &err), &err);
    test_write_picture(store, 2, COPY_DIM, "/p/00008.jpg", 9000, 0);
    lens_store_close(store);
    refused(p.from, p.to, false, "content 8 is not in ");
    const lens_copy_report updated = copied(p.from, p.to, true);
    assert_true(updated.removed == 3 && updated.copied > 0 && updated.copied < 8);
    assert_int_equal(differ(p.from, p.to, NULL), 0);
    copied(p.to, p.back, false);
    test_copy_expect_same(p.from, p.back);
    sound(p.to);
    places_free(&p);
}

/* Nothing is in the way of what is only new: no source was ever read. */
static void test_an_earlier_copy_of_what_only_grew(void **state)
{
    (void)state;
    lens_error err = {0};
    places p = places_new(0);
    test_library_fill(p.from, COPY_DIM, 20);
    copied(p.from, p.to, false);
    lens_store *store = test_store(p.from, LENS_STORE_WRITE);
    assert_done(test_write_pictures(store, 1, COPY_DIM, "/p", 20, 5, &err), &err);
    lens_store_close(store);
    const lens_copy_report grown = copied(p.from, p.to, false);
    assert_true(grown.copied == 15 && grown.there == 62);
    assert_int_equal(differ(p.from, p.to, NULL), 0);
    places_free(&p);
}

static void test_another_library_is_left_alone(void **state)
{
    (void)state;
    places p = places_new(30);
    char *other = test_folder_new();
    lens_store *store = test_store(other, LENS_STORE_WRITE);
    test_write_picture(store, test_model(store, "m", 4), 4, "/q/1.jpg", 6000, 0);
    lens_store_close(store);
    copied(other, p.to, false);
    refused(p.from, p.to, false, "holds another library: ");
    refused(p.from, p.to, false, "nothing was changed");
    refused(p.from, p.to, true, "holds another library, and no copy of");
    assert_int_equal(differ(other, p.to, NULL), 0);
    sound(p.to);
    test_folder_remove(other);
    places_free(&p);
}

static void test_itself_and_nothing(void **state)
{
    (void)state;
    places p = places_new(3);
    char *missing = test_path(p.back, "missing"), *made = test_path(p.back, "made"), *linked = test_path(p.back, "link"), *twin = test_path(p.from, ".");
    refused(p.from, p.from, false, "onto itself");
    refused(p.from, twin, false, "onto itself");
    assert_int_equal(symlink(p.from, linked), 0);
    refused(p.from, linked, true, "are one library");
    refused(missing, made, false, "there is no library here");
    assert_false(lens_file_exists(made));
    refused("postgresql://nobody@/none?host=/nonexistent", made, false, "cannot connect");
    assert_false(lens_file_exists(made));
    sound(p.from);
    free(missing), free(made), free(linked), free(twin);
    places_free(&p);
}

/* ---- interrupted ---- */

static bool stop_after(void *context, const lens_copy_event *event)
{
    int *left = context;
    assert_true(event->done >= 0 && event->step);
    return --*left >= 0;
}

static bool interrupt(const char *from, const char *to, int events)
{
    lens_error err = {0};
    lens_copy_report report;
    const lens_copy_options options = {.event = stop_after, .context = &events};
    if (lens_copy(from, to, &options, &report, &err) == 0)
        return false;
    assert_int_equal(err.code, LENS_E_CANCELLED);
    return true;
}

static void closed(const char *place, lens_store_mode mode)
{
    lens_error err = {0};
    assert_null(lens_store_open(place, mode, 0, &err));
    assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    assert_says(&err, "an unfinished copy of ");
}

static void test_interrupted_at_every_event(void **state)
{
    (void)state;
    places p = places_new(PICTURES);
    int events = 0;
    lens_error err = {0};
    for (; interrupt(p.from, p.to, events); events++) {
        closed(p.to, LENS_STORE_READ);
        closed(p.to, LENS_STORE_WRITE);
        refused(p.to, p.back, false, "an unfinished copy of ");
        refused(p.back, p.to, false, "there is no library here");
        lens_store *store = test_store(p.from, LENS_STORE_WRITE); /* what was copied already changes, goes, and comes */
        int64_t removed;
        char path[64];
        snprintf(path, sizeof path, "/p/%05d.jpg", 10 + events);
        if (events == 2)
            assert_done(lens_store_forget(store, path, &removed, &err), &err);
        if (events == 4)
            test_write_picture(store, 2, COPY_DIM, path, 9100, 0);
        lens_store_close(store);
    }
    assert_true(events > 8);
    assert_int_equal(differ(p.from, p.to, NULL), 0);
    sound(p.to);
    copied(p.to, p.back, false);
    test_copy_expect_same(p.from, p.back);
    places_free(&p);
}

static void test_an_unfinished_copy_of_another(void **state)
{
    (void)state;
    places p = places_new(30);
    char *other = test_folder_new();
    test_library_fill(other, 4, 10);
    assert_true(interrupt(other, p.to, 2));
    refused(p.from, p.to, false, "an unfinished copy of another library");
    refused(p.from, p.to, true, "an unfinished copy of another library");
    copied(other, p.to, false);
    assert_int_equal(differ(other, p.to, NULL), 0);
    test_folder_remove(other);
    places_free(&p);
}

/* ---- a copy that others rely on ---- */

/* One vector of PLACE, a folder's: the number in its SLOT's place is none that a vector of length 1 has. */
static void damage_vector(const char *place, const char *name, int slot)
{
    const float number = 1e30f;
    char *file = test_path(place, "%s", name);
    lens_buffer bytes = test_read(file);
    memcpy(bytes.data + 64 + (size_t)slot * COPY_DIM * sizeof number, &number, sizeof number);
    test_write(file, bytes.data, bytes.size);
    lens_buffer_free(&bytes);
    free(file);
}

/* A dying disk takes nothing from the backup that is to replace it, and locks nobody out of that. */
static void test_a_damaged_source_takes_nothing_from_its_copy(void **state)
{
    (void)state;
    static const char words[] = "cannot be copied: it is not finite and of length 1";
    lens_error err = {0};
    int64_t removed;
    places p = places_new(40);
    copied(p.from, p.to, false);
    copied(p.to, p.back, false);
    damage_vector(p.from, "m-2.vectors", 3);
    refused(p.from, p.to, true, words);
    assert_int_equal(differ(p.back, p.to, NULL), 0);
    refused(p.from, p.to, false, words);
    assert_int_equal(differ(p.back, p.to, NULL), 0);

    lens_store *store = test_store(p.from, LENS_STORE_WRITE); /* what went and came since goes and comes with the rest, or not at all */
    assert_done(lens_store_forget(store, "/p/00007.jpg", &removed, &err), &err);
    assert_done(test_write_pictures(store, 2, COPY_DIM, "/p", 200, 5, &err), &err);
    lens_store_close(store);
    refused(p.from, p.to, true, words);
    assert_int_equal(differ(p.back, p.to, NULL), 0);
    sound(p.to);
    places_free(&p);
}

static void test_a_damaged_source_that_grew(void **state)
{
    (void)state;
    lens_error err = {0};
    places p = places_new(0);
    test_library_fill(p.from, COPY_DIM, 20);
    copied(p.from, p.to, false);
    copied(p.to, p.back, false);
    lens_store *store = test_store(p.from, LENS_STORE_WRITE);
    assert_done(test_write_pictures(store, 1, COPY_DIM, "/p", 20, 5, &err), &err);
    lens_store_close(store);
    damage_vector(p.from, "m-1.vectors", 22);
    for (int update = 0; update < 2; update++) {
        refused(p.from, p.to, update, "the vector of content 23 cannot be copied: it is not finite and of length 1");
        assert_int_equal(differ(p.back, p.to, NULL), 0);
    }
    sound(p.to);
    places_free(&p);
}

/* Until something has to be written. */
static void test_an_update_that_is_interrupted_while_it_looks(void **state)
{
    (void)state;
    lens_error err = {0};
    int64_t removed;
    int events = 0;
    lens_copy_report report;
    const lens_copy_options options = {.update = true, .event = stop_after, .context = &events};
    places p = places_new(PICTURES);
    copied(p.from, p.to, false);
    copied(p.to, p.back, false);
    lens_store *store = test_store(p.from, LENS_STORE_WRITE);
    assert_done(lens_store_forget(store, "/p/00007.jpg", &removed, &err), &err);
    lens_store_close(store);
    assert_int_equal(lens_copy(p.from, p.to, &options, &report, &err), -1);
    assert_int_equal(err.code, LENS_E_CANCELLED);
    assert_int_equal(differ(p.back, p.to, NULL), 0);
    copied(p.from, p.to, true);
    assert_int_equal(differ(p.from, p.to, NULL), 0);
    places_free(&p);
}

/* ---- damage, and what is said of it ---- */

static void test_damaged_rows(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *words;
    } damages[] = {
        {"UPDATE picture SET path = x'ff2f' WHERE id = 3", "picture 3 (ff2f) cannot be copied: it has no absolute path"},
        {"UPDATE content SET hash = x'01' WHERE id = 2", "content 2 cannot be copied: its hash has not 16 bytes"},
        {"UPDATE vector SET slot = 4000 WHERE content = 2 AND model = 2", "a row names a vector beyond the end"},
        {"PRAGMA foreign_keys = OFF; UPDATE picture SET content = 77 WHERE id = 2", "picture 1 (/p/00000.jpg) and the"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        places p = places_new(5);
        texts_damage(p.from, damages[i].sql);
        refused(p.from, p.to, false, damages[i].words);
        places_free(&p);
    }
    places p = places_new(5);
    char *file = test_path(p.from, "m-2.vectors");
    lens_buffer bytes = test_read(file);
    bytes.data[64 + COPY_DIM * 4 * 3 + 3] ^= 0x40; /* of the fourth: the exponent of a number */
    test_write(file, bytes.data, bytes.size);
    refused(p.from, p.to, false, "the vector of content 4 cannot be copied: it is not finite and of length 1");
    lens_buffer_free(&bytes);
    free(file);
    places_free(&p);
}

/* A table of a library from elsewhere that says it is ours, and was filled as another: its keys are none, and what lies behind the last of them is that one
 * again. Comparing ends, and so does copying. */
static void test_keys_that_do_not_rise(void **state)
{
    (void)state;
    static const char filled[] = "PRAGMA foreign_keys = OFF; CREATE TEMP TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = 'vector'; DROP TABLE vector;"
                                 "CREATE TABLE vector (content TEXT, model INTEGER, slot INTEGER, PRIMARY KEY (content, model)) WITHOUT ROWID;"
                                 "INSERT INTO vector VALUES ('zzz', 2, 0);"
                                 "CREATE UNIQUE INDEX vector_slot ON vector (model, slot);"
                                 "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = (SELECT sql FROM temp.kept) WHERE name = 'vector'";
    static const char words[] = "damaged (the vector of content 0 is there twice";
    places p = places_new(5);
    lens_error err = {0};
    texts_damage(p.from, filled);
    alarm(PATIENCE);
    lens_library *library = lens_library_open(p.from, &err);
    assert_non_null(library);
    assert_int_equal(lens_check_same(library, p.from, NULL, NULL, NULL, &err), -1);
    assert_says(&err, words);
    assert_says(&err, p.from);
    lens_library_close(library);
    refused(p.from, p.to, false, words);
    alarm(0);
    places_free(&p);
}

/* A folder takes all that a folder has; a database says which record it cannot hold. */
static void test_what_a_database_cannot_hold(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *words;
    } damages[] = {
        {"UPDATE text SET folded = CAST(x'61ff' AS TEXT) WHERE id = 2", ": text 2 ("},
        {"UPDATE picture SET path = CAST(printf('/%.3000c', 'x') AS BLOB) WHERE id = 2", "a path of more than 2600 bytes is too long"},
        {NULL, "from 1 to 16000 dimensions"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        places p = places_new(5);
        if (damages[i].sql) {
            texts_damage(p.from, damages[i].sql);
        } else {
            lens_error err = {0};
            lens_store *store = test_store(p.from, LENS_STORE_WRITE);
            int64_t id;
            assert_done(lens_store_add_model(store, "wide", 20000, test_hash(9), &id, &err), &err);
            lens_store_close(store);
        }
        if (store_place_is_folder()) {
            copied(p.from, p.to, false);
            assert_int_equal(differ(p.from, p.to, NULL), 0);
        } else {
            refused(p.from, p.to, false, damages[i].words);
        }
        places_free(&p);
    }
}

static void test_what_differs_is_named(void **state)
{
    (void)state;
    places p = places_new(20);
    char *lines;
    copied(p.from, p.to, false);
    copied(p.to, p.back, false);
    texts_damage(p.back, "UPDATE picture SET size = 7 WHERE id IN (3, 5); DELETE FROM rule WHERE out = 1; INSERT INTO rule (path, out) VALUES (x'2f7a', 0)");
    assert_int_equal(differ(p.from, p.back, &lines), 2);
    if (!strstr(lines, "pictures: 2 not the same; first: picture 3 (/p/00002.jpg): size is 1000 and 7\n") ||
        !strstr(lines, "rules: 1 only in ") || !strstr(lines, "; first: rule /p/out is only in "))
        fail_msg("%s", lines);
    free(lines);
    char *file = test_path(p.back, "m-1.vectors");
    lens_buffer bytes = test_read(file);
    bytes.data[64 + COPY_DIM * 4 * 3] ^= 1; /* the last bit of a number */
    test_write(file, bytes.data, bytes.size);
    assert_int_equal(differ(p.to, p.back, &lines), 3);
    if (!strstr(lines, "vectors of m: 1 not the same; first: the vector of content 4: number 0 is "))
        fail_msg("%s", lines);
    free(lines), free(file);
    lens_buffer_free(&bytes);
    places_free(&p);
}

/* A library from before there were words. */
static void test_an_older_library(void **state)
{
    (void)state;
    places p = places_new(0);
    test_library_fill(p.from, COPY_DIM, 10);
    texts_make_old(p.from);
    const lens_copy_report report = copied(p.from, p.to, false);
    assert_int_equal(report.same.records, 2 + 3 * 10);
    sound(p.to);
    places_free(&p);
}

static bool write_meanwhile(void *context, const lens_copy_event *event)
{
    const char **from = context;
    if (*from && event->done > 0) {
        lens_error err = {0};
        int64_t removed;
        lens_store *store = test_store(*from, LENS_STORE_WRITE);
        assert_done(lens_store_forget(store, "/p/00001.jpg", &removed, &err), &err);
        test_write_picture(store, 2, COPY_DIM, "/p/meanwhile.jpg", 9500, 0);
        assert_done(lens_store_compact(store, true, &err), &err); /* the vectors lie in another file now */
        lens_store_close(store);
        *from = NULL;
    }
    return true;
}

static void test_written_to_meanwhile(void **state)
{
    (void)state;
    lens_error err = {0};
    places p = places_new(50);
    copied(p.from, p.back, false);
    const char *from = p.from;
    lens_copy_report report;
    const lens_copy_options options = {.event = write_meanwhile, .context = &from};
    assert_done(lens_copy(p.from, p.to, &options, &report, &err), &err);
    assert_true(report.changed && !from);
    assert_int_equal(differ(p.back, p.to, NULL), 0); /* as it was when the copy began */
    copied(p.from, p.to, true);
    assert_int_equal(differ(p.from, p.to, NULL), 0);
    places_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_between_two_of_a_kind),
        cmocka_unit_test(test_again_copies_nothing_and_then_what_is_new),
        cmocka_unit_test(test_an_earlier_copy_of_what_only_grew),
        cmocka_unit_test(test_another_library_is_left_alone),
        cmocka_unit_test(test_itself_and_nothing),
        cmocka_unit_test(test_interrupted_at_every_event),
        cmocka_unit_test(test_an_unfinished_copy_of_another),
        cmocka_unit_test(test_a_damaged_source_takes_nothing_from_its_copy),
        cmocka_unit_test(test_a_damaged_source_that_grew),
        cmocka_unit_test(test_an_update_that_is_interrupted_while_it_looks),
        cmocka_unit_test(test_damaged_rows),
        cmocka_unit_test(test_keys_that_do_not_rise),
        cmocka_unit_test(test_what_a_database_cannot_hold),
        cmocka_unit_test(test_what_differs_is_named),
        cmocka_unit_test(test_an_older_library),
        cmocka_unit_test(test_written_to_meanwhile),
    };
    return store_place_run(tests);
}
