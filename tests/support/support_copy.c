#include "support_copy.h"

#include <sqlite3.h>

#include "store/texts.h"

static void write_all_kinds(lens_store *store, int64_t m, int64_t other)
{
    lens_error err = {0};
    float values[COPY_DIM], few[3];
    test_vector(7000, values, COPY_DIM);
    values[0] = -0.0f; /* a zero with a sign, and still of length 1, about */
    double sum = 0;
    for (int i = 0; i < COPY_DIM; i++)
        sum += (double)values[i] * values[i];
    for (int i = 0; i < COPY_DIM; i++)
        values[i] = (float)(values[i] * (1 / __builtin_sqrt(sum)));
    test_vector(7001, few, 3);
    const struct lens_store_vector both[] = {{m, values}, {other, few}};
    const lens_store_entry entries[] = {
        {.path = "/p/two models.png", .size = 4096, .mtime_ns = -1, .hash = test_hash(7000), .width = 3, .height = 5, .format = "PNG", .vector_count = 2, .vectors = both},
        {.path = "/p/not \xff\xfe utf-8.gif", .size = 1, .mtime_ns = INT64_MAX, .hash = test_hash(7000), .format = "PNG"}, /* the same bytes */
        {.path = "/p/broken.jpg", .size = 17, .mtime_ns = 99, .reason = "it ends in the \xfc middle"},
        {.path = "/p/empty.jpg", .reason = ""},
    };
    assert_done(lens_store_write(store, entries, sizeof entries / sizeof *entries, NULL, &err), &err);
}

static void write_words(lens_store *store, int64_t sentences)
{
    lens_error err = {0};
    int64_t file, beside, inside, contents[4];
    float vectors[2 * COPY_DIM];
    assert_done(lens_store_source_put(store, "/p/captions.tsv", LENS_SOURCE_FILE, "columns=a,b", &file, &err), &err);
    assert_done(lens_store_source_put(store, "/p/\xe9.txt", LENS_SOURCE_SIDECAR, NULL, &beside, &err), &err);
    assert_done(lens_store_source_put(store, "", LENS_SOURCE_EMBEDDED, NULL, &inside, &err), &err);
    const lens_store_caption said[] = {{1, "A Dog in the Snow", "a dog in the snow"}, {2, "Grüße, ßtraße", "grüße ßtraße"}}, also[] = {{1, "latin \xe9", "latin"}};
    assert_done(lens_store_captions_write(store, file, 10, 20, said, 2, true, NULL, &err), &err);
    assert_done(lens_store_captions_write(store, beside, 1, -5, also, 1, true, NULL, &err), &err);
    assert_int_equal(lens_store_readings_missing(store, "v1", 0, contents, 4, &err), 4);
    const lens_store_reading old = {contents[0], "FIRST", "first"}, read[] = {{contents[1], "Top text\nbottom", "top text bottom"}, {contents[2], "", ""}};
    assert_done(lens_store_readings_write(store, NULL, "v1", &old, 1, &err), &err);
    assert_done(lens_store_readings_write(store, NULL, "v2", read, 2, &err), &err);
    test_vector(8000, vectors, COPY_DIM);
    test_vector(8001, vectors + COPY_DIM, COPY_DIM);
    assert_done(lens_store_sentences_write(store, sentences, contents, vectors, 2, &err), &err);
}

void test_copy_library(const char *place, size_t count)
{
    lens_error err = {0};
    int64_t sentences, removed;
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    const int64_t gone = test_model(store, "gone", 5), m = test_model(store, "m", COPY_DIM), other = test_model(store, "/models/of my own@crop", 3);
    assert_done(lens_store_add_sentence_model(store, "s", COPY_DIM, test_hash(3), &sentences, &err), &err);
    assert_int_equal(gone, 1);
    assert_done(lens_store_forget_model(store, "gone", &err), &err);
    assert_done(lens_store_add_root(store, "/p", &err), &err);
    assert_done(lens_store_add_root(store, "/disk/\xff", &err), &err);
    assert_done(lens_store_set_root_settings(store, "/p", "exclude=*.gif", &err), &err);
    assert_done(test_write_pictures(store, m, COPY_DIM, "/p", 0, count, &err), &err);
    write_all_kinds(store, m, other);
    write_words(store, sentences);
    assert_done(test_write_pictures(store, m, COPY_DIM, "/p/out", 5000, 3, &err), &err);
    assert_done(lens_store_forget(store, "/p/out", &removed, &err), &err);
    assert_int_equal(removed, 3);
    lens_store_close(store);
}

/* ---- all of it as text ---- */

static void dump_rows(sqlite3 *db, const char *sql, lens_buffer *out)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            assert_int_equal(lens_buffer_print(out, "%d:%s|", sqlite3_column_type(statement, i), (const char *)sqlite3_column_text(statement, i)), 0);
        assert_int_equal(lens_buffer_print(out, "\n"), 0);
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
}

/* The numbers of FILE's vectors, where the format says that they are. */
static void dump_vectors(sqlite3 *db, const char *folder, lens_buffer *out)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT model, content, slot, dim, file FROM vector JOIN model ON model.id = model ORDER BY model, content", -1, &statement, NULL), SQLITE_OK);
    lens_buffer bytes = {0};
    char known[128] = "";
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *file = (const char *)sqlite3_column_text(statement, 4);
        if (strcmp(file, known) != 0) {
            char *path = test_path(folder, "%s", file);
            lens_buffer_free(&bytes);
            bytes = test_read(path);
            free(path);
            snprintf(known, sizeof known, "%s", file);
        }
        const size_t dim = (size_t)sqlite3_column_int64(statement, 3), at = 64 + (size_t)sqlite3_column_int64(statement, 2) * dim * 4;
        assert_true(at + dim * 4 <= bytes.size);
        lens_buffer_print(out, "%lld of %lld:", (long long)sqlite3_column_int64(statement, 1), (long long)sqlite3_column_int64(statement, 0));
        for (size_t i = 0; i < dim * 4; i++)
            lens_buffer_print(out, "%02x", (uint8_t)bytes.data[at + i]);
        assert_int_equal(lens_buffer_print(out, "\n"), 0);
    }
    lens_buffer_free(&bytes);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
}

char *test_copy_dump(const char *folder)
{
    static const char *const looks[] = {
        "SELECT hex(path), out, hex(settings) FROM rule ORDER BY path",
        "SELECT id, name, dim, hex(fingerprint), sentences FROM model ORDER BY id",
        "SELECT id, hex(hash), width, height, format FROM content ORDER BY id",
        "SELECT id, hex(path), size, mtime_ns, content, hex(reason), reason IS NULL FROM picture ORDER BY id",
        "SELECT id, hex(path), kind, size, mtime_ns, hex(settings), settings IS NULL FROM source ORDER BY id",
        "SELECT id, picture, content, source, version, hex(text), hex(folded) FROM text ORDER BY id",
        "SELECT word, texts FROM word ORDER BY word",
        "SELECT name, seq FROM sqlite_sequence ORDER BY name",
    };
    lens_buffer out = {0};
    sqlite3 *db;
    char *path = test_path(folder, "library.db");
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    free(path);
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        dump_rows(db, looks[i], &out);
    dump_vectors(db, folder, &out);
    sqlite3_close(db);
    return out.data;
}

void test_copy_expect_same(const char *a, const char *b)
{
    char *x = test_copy_dump(a), *y = test_copy_dump(b);
    size_t at = 0;
    while (x[at] && x[at] == y[at])
        at++;
    while (at > 0 && x[at - 1] != '\n')
        at--;
    if (strcmp(x, y) != 0)
        fail_msg("not the same:\n%.*s\n%.*s", (int)strcspn(x + at, "\n"), x + at, (int)strcspn(y + at, "\n"), y + at);
    free(x);
    free(y);
}
