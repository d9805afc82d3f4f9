#include "support_texts.h"

#include <sqlite3.h>

#include "words/tokens.h"

int texts_setup(void **state)
{
    texts_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->place = store_place("texts");
    f->store = test_store(f->place, LENS_STORE_WRITE);
    f->model = test_model(f->store, "m", TEXTS_DIM);
    *state = f;
    return 0;
}

int texts_teardown(void **state)
{
    texts_fixture *f = *state;
    lens_store_close(f->store);
    store_place_remove(f->place);
    free(f);
    return 0;
}

int64_t texts_picture(texts_fixture *f, const char *path, uint64_t content)
{
    return test_write_picture(f->store, f->model, TEXTS_DIM, path, content, 0);
}

int64_t texts_content(texts_fixture *f, uint64_t content)
{
    lens_error err = {0};
    int64_t id = 0;
    assert_int_equal(lens_store_content_by_hash(f->store, test_hash(content), &id, &err), 1);
    return id;
}

int64_t texts_source(texts_fixture *f, const char *path)
{
    lens_error err = {0};
    int64_t id = 0;
    assert_done(lens_store_source_put(f->store, path, LENS_SOURCE_FILE, NULL, &id, &err), &err);
    return id;
}

int64_t texts_say(texts_fixture *f, int64_t source, int whole, ...)
{
    lens_store_caption captions[16];
    char *folded[16];
    size_t count = 0;
    va_list list;
    va_start(list, whole);
    for (int64_t picture; (picture = va_arg(list, int64_t)) != 0; count++) {
        const char *text = va_arg(list, const char *);
        captions[count] = (lens_store_caption){picture, text, folded[count] = lens_text_folded(text)};
        assert_non_null(folded[count]);
    }
    va_end(list);
    lens_error err = {0};
    int64_t changed = -1;
    assert_done(lens_store_captions_write(f->store, source, 10, 20, captions, count, whole, &changed, &err), &err);
    while (count)
        free(folded[--count]);
    return changed;
}

void texts_read(texts_fixture *f, const char *version, ...)
{
    va_list list;
    va_start(list, version);
    lens_error err = {0};
    for (int content; (content = va_arg(list, int)) != 0;) {
        const char *text = va_arg(list, const char *);
        char *folded = lens_text_folded(text);
        const lens_store_reading reading = {texts_content(f, (uint64_t)content), text, folded};
        assert_done(lens_store_readings_write(f->store, NULL, version, &reading, 1, &err), &err);
        free(folded);
    }
    va_end(list);
}

static int hear(void *context, const lens_store_text *text)
{
    lens_buffer_print(context, "%s;", text->text);
    return 0;
}

void texts_expect_in(lens_store *store, const char *match, const char *expected)
{
    lens_error err = {0};
    for (int ranked = 0; ranked < 2; ranked++) {
        lens_buffer found = {0};
        lens_buffer_append(&found, "", 0);
        assert_done(lens_store_texts_match(store, match, ranked, hear, &found, &err), &err);
        if (!ranked ? strcmp(found.data, expected) != 0 : found.size != strlen(expected)) /* ranked they come in another order */
            fail_msg("%s finds '%s' instead of '%s'", match, found.data, expected);
        lens_buffer_free(&found);
    }
}

void texts_expect(texts_fixture *f, const char *match, const char *expected)
{
    texts_expect_in(f->store, match, expected);
}

void texts_expect_missing(texts_fixture *f, int64_t model, ...)
{
    int64_t contents[16];
    lens_error err = {0};
    const int found = lens_store_sentences_missing(f->store, model, 0, contents, 16, &err);
    int count = 0;
    va_list list;
    va_start(list, model);
    for (int content; (content = va_arg(list, int)) != 0; count++)
        assert_true(count < found && contents[count] == texts_content(f, (uint64_t)content));
    va_end(list);
    assert_int_equal(found, count);
}

void texts_encode(texts_fixture *f, int64_t model, ...)
{
    lens_error err = {0};
    va_list list;
    va_start(list, model);
    for (int content; (content = va_arg(list, int)) != 0;) {
        float vector[TEXTS_DIM];
        test_vector((uint64_t)content, vector, TEXTS_DIM);
        const int64_t id = texts_content(f, (uint64_t)content);
        assert_done(lens_store_sentences_write(f->store, model, &id, vector, 1, &err), &err);
    }
    va_end(list);
}

/* A connection of our own to the database in FOLDER: to see what is there without our code. */
static sqlite3 *open_database(const char *folder)
{
    char *path = test_path(folder, "library.db");
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    free(path);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static int64_t sound_in_folder(const char *folder)
{
    sqlite3 *db = open_database(folder);
    run(db, "INSERT INTO text_words (text_words) VALUES ('integrity-check')");
    /* And it is what an index made anew of the texts that say something would be. */
    run(db, "CREATE VIRTUAL TABLE temp.anew USING fts5 (folded, tokenize = 'ascii');"
            "INSERT INTO temp.anew (rowid, folded) SELECT id, folded FROM text WHERE folded <> '';"
            "CREATE VIRTUAL TABLE temp.kept_words USING fts5vocab (main, text_words, instance);"
            "CREATE VIRTUAL TABLE temp.anew_words USING fts5vocab (temp, anew, instance)");
    assert_int_equal(number(db, "SELECT count(*) FROM (SELECT * FROM temp.kept_words EXCEPT SELECT * FROM temp.anew_words)"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM (SELECT * FROM temp.anew_words EXCEPT SELECT * FROM temp.kept_words)"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM text_due"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    /* And so is the list of words. */
    run(db, "CREATE TEMP VIEW counted AS SELECT term, count(DISTINCT doc) FROM temp.kept_words GROUP BY term");
    assert_int_equal(number(db, "SELECT count(*) FROM (SELECT * FROM temp.counted EXCEPT SELECT word, texts FROM main.word)"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM (SELECT word, texts FROM main.word EXCEPT SELECT * FROM temp.counted)"), 0);
    const int64_t count = number(db, "SELECT count(*) FROM text");
    sqlite3_close(db);
    return count;
}

/* The same of a database, whose index of words is the server's business: what is ours are the words that it was given, and the list of them. */
static int64_t sound_in_database(const char *place)
{
    char *off = store_place_ask(place, "WITH said AS (SELECT w, count(*) AS n FROM memelens.text, memelens.words_of(folded) AS w GROUP BY w)"
                                       " SELECT (SELECT count(*) FROM (TABLE said EXCEPT SELECT word, texts FROM memelens.word) AS a) +"
                                       " (SELECT count(*) FROM (SELECT word, texts FROM memelens.word EXCEPT TABLE said) AS b) +"
                                       " (SELECT count(*) FROM memelens.text WHERE words IS DISTINCT FROM memelens.lexemes(folded))");
    assert_string_equal(off, "0\n");
    free(off);
    char *texts = store_place_ask(place, "SELECT count(*) FROM memelens.text");
    const int64_t count = strtoll(texts, NULL, 10);
    free(texts);
    return count;
}

int64_t texts_sound_in(const char *place)
{
    return store_place_is_folder() ? sound_in_folder(place) : sound_in_database(place);
}

void texts_sound(texts_fixture *f)
{
    texts_sound_in(f->place);
    test_store_sound(f->store, f->model, TEXTS_DIM);
}

void texts_damage(const char *folder, const char *sql)
{
    sqlite3 *db = open_database(folder);
    run(db, sql);
    sqlite3_close(db);
}

void texts_make_old(const char *folder)
{
    sqlite3 *db = open_database(folder);
    run(db, "DROP TRIGGER IF EXISTS text_comes; DROP TRIGGER IF EXISTS text_goes; DROP TRIGGER IF EXISTS text_changes;"
            "DROP TRIGGER IF EXISTS picture_changes; DROP TRIGGER IF EXISTS picture_goes;"
            "DROP TABLE text_words; DROP TABLE text_due; DROP TABLE word; DROP TABLE text; DROP TABLE source;"
            "ALTER TABLE model DROP COLUMN sentences; PRAGMA user_version = 1");
    /* Nothing of version 2 is left. */
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%text%' OR name LIKE '%word%' OR type = 'trigger' OR sql LIKE '%sentences%'"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"), 6);
    sqlite3_close(db);
}
