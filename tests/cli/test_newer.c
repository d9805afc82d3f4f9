/* What a newer release wrote is refused in one line that says so, and left as it is to the last byte; what it had only worked out for speed is made anew. */
#include <unistd.h>

#include "base/hash.h"
#include "base/packed.h"
#include "encoders/word_map.h"
#include "kept.h"
#include "store/folder/internal.h"
#include "store/postgres/internal.h"

/* The release of today's library. */
static test_world *world_of_today(void)
{
    json_t *names = test_kept_libraries();
    const char *name = NULL;
    for (size_t i = 0; i < json_array_size(names); i++)
        if (strncmp(json_string_value(json_array_get(names, i)), LENS_VERSION ".", strlen(LENS_VERSION ".")) == 0)
            name = json_string_value(json_array_get(names, i));
    assert_non_null(name);
    test_world *world = test_kept_world(name);
    json_decref(names);
    return world;
}

/* Each row of TABLE, and which transaction wrote it. */
#define ROWS(table) "SELECT '" table "', count(*), md5(string_agg(t.xmin || ' ' || t, ' ' ORDER BY t.ctid)) FROM memelens." table " t UNION ALL "
/* All that can be seen of the library: of a folder each name, size, bytes and when any of that was changed (OPENED: but for what every
 * reader and writer changes by looking, SQLite's index of its log and the lock); of a database each row. The caller frees. */
static char *sight_of(const test_world *world, bool opened)
{
    if (!store_place_is_folder())
        return store_place_ask(world->library, ROWS("library") ROWS("rule") ROWS("model") ROWS("content") ROWS("picture") ROWS("source") ROWS("text")
                                                   ROWS("word") ROWS("worker")
                                                   ROWS("work") ROWS("vector_1") ROWS("vector_2") "SELECT 'relations', count(*), '' FROM pg_class");
    char command[4200];
    snprintf(command, sizeof command, "cd '%s' && { %s; find . -type f %s -exec md5sum {} +; } | sort", world->library,
             opened ? ":" : "find . -printf '%p %s %T@ %C@\\n'", opened ? "! -name library.db-shm ! -name writer.lock" : "");
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    assert_int_equal(run.status, 0);
    lens_buffer_free(&run.err);
    return run.out.data;
}

static void expect_unchanged(const test_world *world, bool opened, const char *before, const char *what)
{
    char *after = sight_of(world, opened);
    if (strcmp(before, after) != 0)
        fail_msg("%s: before\n%safter\n%s", what, before, after);
    free(after);
}

static size_t lines_in(const char *text)
{
    size_t count = 0;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

enum { WORDS_MOST = 8 };

/* The program, asked ARGUMENTS, exits with 2 after one line that holds SAYS and a hint what to do, and changes nothing. */
static void expect_refused(const test_world *world, bool opened, const char *const *arguments, const char *says)
{
    const char *argv[WORDS_MOST + 2] = {test_program()};
    for (size_t i = 0; i < WORDS_MOST && arguments[i]; i++)
        argv[i + 1] = arguments[i];
    char *before = sight_of(world, opened);
    test_run run = test_run_program(argv, test_world_environment(world), NULL);
    if (run.status != 2 || lines_in(run.err.data) != 1 || !strstr(run.err.data, says) || !strstr(run.err.data, "use a newer one") || run.out.size)
        fail_msg("%s %s: exit %d: %s%s", argv[1], argv[2] ? argv[2] : "", run.status, run.out.data, run.err.data);
    expect_unchanged(world, opened, before, argv[1]);
    test_run_free(&run);
    free(before);
}

/* Every command that opens a library refuses it. */
static void expect_all_refused(const test_world *world, const char *says)
{
    char *picture = test_world_path(world, "00.png"), *other = test_path(world->folder, "other"), *empty = test_path(world->folder, "empty");
    const char *own[] = {test_program(), "--library", other, "index", "-q", "--model", "colour", world->pictures, NULL};
    test_run run = test_run_program(own, test_world_environment(world), NULL);
    assert_int_equal(run.status, 0);
    test_run_free(&run);
    const char *const commands[][WORDS_MOST] = {
        {"status"}, {"status", "--json"}, {"status", "--failed"}, {"status", "--texts"}, {"check"}, {"check", "--recall"}, {"check", "--same-as", other},
        {"search", picture, "--model", "colour"}, {"search", "jogging"}, {"search", picture, "--in", world->pictures}, {"similar", picture}, {"duplicates"},
        {"explain", picture, "id:1"}, {"index", world->pictures}, {"index"}, {"index", "--approximate"}, {"ocr"}, {"fit"},
        {"forget", picture}, {"forget", "--all"}, {"forget", "--model", "colour"},
        {"copy", world->library, empty}, {"copy", other, world->library}, {"copy", "--update", other, world->library},
        {"serve", "--listen", "127.0.0.1:0"}, {"serve", "--watch", "--listen", "127.0.0.1:0"},
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        expect_refused(world, false, commands[i], says);
    free(picture);
    free(other);
    free(empty);
}

/* Makes the library one of VERSION. */
static void set_version(const test_world *world, int version)
{
    char lite[120], postgres[80];
    snprintf(lite, sizeof lite, "PRAGMA user_version = %d; PRAGMA wal_checkpoint(TRUNCATE)", version);
    snprintf(postgres, sizeof postgres, "UPDATE memelens.library SET version = %d", version);
    free(test_kept_ask(world, lite, postgres));
}

static void test_a_newer_library_is_refused(void **state)
{
    (void)state;
    test_world *world = world_of_today();
    const int version = store_place_is_folder() ? LENS_SCHEMA_VERSION : LENS_PG_SCHEMA;
    char says[120];
    snprintf(says, sizeof says, "a library of version %d, and this memelens knows up to version %d", version + 1, version);
    set_version(world, version + 1);
    expect_all_refused(world, says);
    set_version(world, version);
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    test_kept_answers(world);
    test_world_free(world);
}

/* Writes NUMBER, little-endian, at AT of the file PATH. */
static void put_number(const char *path, size_t at, uint32_t number)
{
    lens_buffer bytes = test_read(path);
    assert_true(bytes.size >= at + sizeof number);
    memcpy(bytes.data + at, &number, sizeof number);
    if (strstr(path, ".vectors") && !strstr(path, ".vectors.")) { /* the header's own sum */
        const lens_hash sum = lens_hash_of(bytes.data, 56);
        memcpy(bytes.data + 56, sum.bytes, 8);
    }
    test_write(path, bytes.data, bytes.size);
    lens_buffer_free(&bytes);
}

static void need_folder(void)
{
    if (!store_place_is_folder())
        skip();
}

/* Vectors are the library: whoever cannot read them touches nothing, were it only rows. */
static void test_newer_vectors_are_refused(void **state)
{
    (void)state;
    need_folder();
    test_world *world = world_of_today();
    char *vectors = test_path(world->library, "colour-1.vectors"), *picture = test_world_path(world, "00.png"), says[120];
    char *other = test_path(world->folder, "copy");
    snprintf(says, sizeof says, "vectors of version %d, and this memelens knows up to version %d", LENS_VECTOR_FORMAT + 1, LENS_VECTOR_FORMAT);
    put_number(vectors, 8, LENS_VECTOR_FORMAT + 1);
    free(test_kept_ask(world, "PRAGMA wal_checkpoint(TRUNCATE)", ""));
    test_world_picture(world, "new.png", TEST_PNG, 99);
    const char *const commands[][WORDS_MOST] = {
        {"search", picture, "--model", "colour"}, {"search", picture, "--model", "colour", "--unhub"}, {"similar", picture, "--model", "colour"},
        {"duplicates", "--model", "colour"}, {"index"}, {"index", world->pictures, "--exclude", "x"},
        {"forget", picture}, {"forget", "--all"}, {"forget", "--model", "tiny-clip"},
        {"copy", world->library, other},
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        expect_refused(world, true, commands[i], says);
    test_run run = test_world_expect(world, 2, "check", NULL); /* which names it among the faults */
    assert_non_null(strstr(run.out.data, says));
    test_run_free(&run);
    put_number(vectors, 8, LENS_VECTOR_FORMAT);
    run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    test_kept_answers(world);
    free(vectors), free(picture), free(other);
    test_world_free(world);
}

/* The newer version may still wait in the log, as after a kill: then SQLite has to look, and nothing but its index of the log changes. */
static void test_a_newer_library_in_the_log_is_refused(void **state)
{
    (void)state;
    need_folder();
    test_world *world = world_of_today();
    char *log = test_path(world->library, "library.db-wal"), *database = test_path(world->library, "library.db"), *picture = test_world_path(world, "00.png");
    sqlite3 *db;
    int on = 1;
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    char sql[80];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", LENS_SCHEMA_VERSION + 1);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    lens_buffer log_before = test_read(log), database_before = test_read(database);
    assert_true(log_before.size > 0);
    const char *const commands[][WORDS_MOST] = {{"status"}, {"search", picture}, {"check"}, {"index"}, {"forget", "--all"}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        test_run run = test_world_expect(world, 2, commands[i][0], commands[i][1], NULL);
        assert_non_null(strstr(run.err.data, "use a newer one"));
        test_run_free(&run);
        lens_buffer log_after = test_read(log), database_after = test_read(database);
        assert_int_equal(log_after.size, log_before.size);
        assert_memory_equal(log_after.data, log_before.data, log_before.size);
        assert_int_equal(database_after.size, database_before.size);
        assert_memory_equal(database_after.data, database_before.data, database_before.size);
        lens_buffer_free(&log_after), lens_buffer_free(&database_after);
    }
    lens_buffer_free(&log_before), lens_buffer_free(&database_before);
    free(log), free(database), free(picture);
    test_world_free(world);
}

/* Copies in bytes, cells and nearness only save time: those of a newer version are passed over, and made anew where they are made. */
static void test_newer_files_for_speed_are_made_anew(void **state)
{
    (void)state;
    need_folder();
    static const char *const kinds[] = {"bytes", "cells", "near"};
    test_world *world = world_of_today();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *path = test_path(world->library, "colour-1.vectors.%s", kinds[i]);
        put_number(path, 8, LENS_PACKED_FORMAT + 1);
        test_run run = test_world_expect(world, 0, "check", NULL);
        test_run_free(&run);
        test_kept_answers(world);
        run = test_world_expect(world, 0, "index", "--precision", "f32", NULL);
        test_run_free(&run);
        lens_buffer bytes = test_read(path);
        assert_int_equal(bytes.data[8], LENS_PACKED_FORMAT);
        lens_buffer_free(&bytes);
        test_kept_answers(world);
        free(path);
    }
    test_world_free(world);
}

/* ---- models ------------------------------------------------------------------------------------------------------ */

static void each_models(void (*try)(const char *models))
{
    json_t *names = test_kept_list("models");
    assert_true(json_array_size(names) > 0);
    for (size_t i = 0; i < json_array_size(names); i++) {
        char *models = test_kept_models(json_string_value(json_array_get(names, i)));
        char *inside = test_path(models, "models");
        try(inside);
        free(inside);
        test_folder_remove(models);
    }
    json_decref(names);
}

static void try_packed(const char *models)
{
    char *path = test_path(models, "packed.bin");
    const lens_hash key = lens_hash_of("kept", 4);
    lens_error err = {0};
    lens_buffer bytes = test_read(path);
    const bool todays = bytes.data[8] == LENS_PACKED_FORMAT;
    lens_packed *packed = lens_packed_open(path, &key, &err);
    if (todays) {
        char expected[64] = "the second";
        assert_non_null(packed);
        const void *run = lens_packed_find(packed, "second", sizeof expected, &err);
        assert_non_null(run);
        assert_memory_equal(run, expected, sizeof expected);
    } else {
        assert_null(packed); /* and made anew */
        assert_int_equal(err.code, LENS_E_MISSING);
    }
    lens_packed_close(packed);
    put_number(path, 8, LENS_PACKED_FORMAT + 1);
    assert_null(lens_packed_open(path, &key, &err));
    assert_int_equal(err.code, LENS_E_MISSING);
    lens_buffer_free(&bytes);
    free(path);
}

static void test_packed_files_of_releases(void **state)
{
    (void)state;
    each_models(try_packed);
}

static void try_map(const char *models)
{
    char *path = test_path(models, "words.map");
    lens_error err = {0};
    lens_word_map *map = lens_word_map_read(path, &err);
    if (!map)
        fail_msg("%s", err.message);
    assert_int_equal(map->words, 2);
    assert_int_equal(map->dim, 3);
    assert_int_equal(map->rows[5], 3);
    assert_string_equal(map->about.fitted_on, "what is kept");
    lens_word_map_free(map);
    put_number(path, 8, LENS_WORD_MAP_FORMAT + 1);
    assert_null(lens_word_map_read(path, &err));
    assert_int_equal(err.code, LENS_E_VERSION);
    assert_says(&err, "use a newer one");
    free(path);
}

static void test_maps_of_releases(void **state)
{
    (void)state;
    each_models(try_map);
}

/* Weights that another release packed for itself are packed again, without a word. */
static void test_weights_packed_by_another_release(void **state)
{
    (void)state;
    need_folder();
    test_world *world = test_world_new();
    json_t *names = test_kept_list("models");
    char *models = test_kept_models(json_string_value(json_array_get(names, 0))), *kept = test_path(models, "models/packed.bin");
    char *packed = test_path(world->models, "efficientnet-lite0/packed-pictures-f32.bin"), *picture = test_world_path(world, "a.png");
    test_world_picture(world, "a.png", TEST_PNG, 1);
    test_run expected = test_world_expect(world, 0, "embed", picture, "--precision", "f32", NULL);
    lens_buffer whole = test_read(packed), old = test_read(kept);
    for (int newer = 0; newer < 2; newer++) {
        test_write(packed, old.data, old.size);
        if (newer)
            put_number(packed, 8, LENS_PACKED_FORMAT + 1);
        test_run run = test_world_expect(world, 0, "embed", picture, "--precision", "f32", NULL);
        assert_string_equal(run.out.data, expected.out.data);
        assert_int_equal(run.err.size, 0);
        test_run_free(&run);
        lens_buffer again = test_read(packed);
        assert_int_equal(again.size, whole.size);
        assert_memory_equal(again.data, whole.data, 12); /* what it is, and its version; oneDNN 3 leaves what lies between its numbers to chance */
        lens_buffer_free(&again);
    }
    lens_buffer_free(&whole), lens_buffer_free(&old);
    test_run_free(&expected);
    json_decref(names);
    test_folder_remove(models);
    free(kept), free(packed), free(picture);
    test_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_newer_library_is_refused),
        cmocka_unit_test(test_newer_vectors_are_refused),
        cmocka_unit_test(test_a_newer_library_in_the_log_is_refused),
        cmocka_unit_test(test_newer_files_for_speed_are_made_anew),
        cmocka_unit_test(test_packed_files_of_releases),
        cmocka_unit_test(test_maps_of_releases),
        cmocka_unit_test(test_weights_packed_by_another_release),
    };
    return store_place_run(tests);
}
