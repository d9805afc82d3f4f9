/* src/store: the files of a library, when they are not what they should be, or someone else holds them. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support_store.h"

enum { DIM = 16, COUNT = 40 };

static void sql(const char *folder, const char *words)
{
    char *path = test_path(folder, "library.db");
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, words, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
    free(path);
}

static void assert_no_open(const char *folder, lens_store_mode mode, lens_error_code code, const char *words)
{
    lens_error err = {0};
    assert_null(lens_store_open(folder, mode, 0, &err));
    assert_says(&err, words);
    assert_int_equal(err.code, code);
    assert_says(&err, folder);
}

typedef struct faults {
    int count;
    lens_buffer lines;
} faults;

static void note(void *context, const char *line)
{
    faults *f = context;
    f->count++;
    assert_null(strchr(line, '\n'));
    assert_int_equal(lens_buffer_print(&f->lines, "%s\n", line), 0);
}

/* The check of the library in FOLDER finds COUNT faults, one of which says WORDS. */
static void assert_faults(const char *folder, int count, const char *words)
{
    lens_store *store = test_store(folder, LENS_STORE_READ);
    lens_error err = {0};
    faults f = {0};
    int result = lens_store_check(store, note, &f, &err);
    if (result < 0)
        fail_msg("%s", err.message);
    assert_int_equal(result, f.count);
    if (f.count != count || (words && !strstr(f.lines.data ? f.lines.data : "", words)))
        fail_msg("expected %d faults, one with '%s': %d\n%s", count, words, f.count, f.lines.data ? f.lines.data : "");
    lens_buffer_free(&f.lines);
    lens_store_close(store);
}

static void test_nothing_there(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    char *below = test_path(folder, "a/b c%%41?x#y/lib"), *file = test_path(folder, "file");
    assert_no_open(folder, LENS_STORE_READ, LENS_E_MISSING, "no library here");
    assert_no_open(below, LENS_STORE_READ, LENS_E_MISSING, "no library here");
    test_write(file, "x", 1);
    lens_error err;
    assert_null(lens_store_open(file, LENS_STORE_READ, 0, &err));
    assert_null(lens_store_open(file, LENS_STORE_WRITE, 0, &err));
    /* Made where folders are missing, and under a name that a URI would have to quote. */
    lens_store *store = test_store(below, LENS_STORE_WRITE);
    int64_t model = test_model(store, "m", DIM);
    lens_store_close(store);
    store = test_store(below, LENS_STORE_READ);
    assert_int_equal(test_store_sound(store, model, DIM), 0);
    lens_store_close(store);
    lens_store_close(NULL);
    /* What a kill in the very first moment leaves. */
    char *database = test_path(folder, "library.db");
    test_write(database, "", 0);
    assert_no_open(folder, LENS_STORE_READ, LENS_E_MISSING, "no library here yet");
    sql(folder, "PRAGMA journal_mode = WAL");
    assert_no_open(folder, LENS_STORE_READ, LENS_E_MISSING, "no library here yet");
    store = test_store(folder, LENS_STORE_WRITE);
    lens_store_close(store);
    free(below), free(file), free(database);
    test_folder_remove(folder);
}

/* The very first transaction of a library is not in the log yet, for the log is what it begins. */
static void test_killed_while_the_library_is_made(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    char *path = test_path(folder, "library.db");
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db;
        if (sqlite3_open(path, &db) == SQLITE_OK)
            sqlite3_exec(db, "PRAGMA cache_size = 1; CREATE TABLE before (x); BEGIN; CREATE TABLE t (x);"
                             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
                             "INSERT INTO t SELECT randomblob(5000) FROM n; DROP TABLE before", NULL, NULL, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    char *journal = test_path(folder, "library.db-journal");
    assert_int_equal(access(journal, F_OK), 0);
    lens_error err = {0};
    assert_null(lens_store_open(folder, LENS_STORE_READ, 0, &err));
    assert_int_equal(err.code, LENS_E_MISSING);
    free(journal), free(path);
    test_folder_remove(folder);
}

static void test_a_database_that_is_no_file(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *path = test_path(folder, "library.db");
    assert_int_equal(mkfifo(path, 0600), 0);
    for (int mode = 0; mode < 2; mode++)
        assert_no_open(folder, mode ? LENS_STORE_WRITE : LENS_STORE_READ, LENS_E_FORMAT, "not a regular file");
    free(path);
    test_folder_remove(folder);
}

static void test_other_versions_and_other_files(void **state)
{
    (void)state;
    char *folder = test_library_new(DIM, COUNT);
    char *database = test_path(folder, "library.db");
    sql(folder, "PRAGMA user_version = 7");
    for (int mode = 0; mode < 2; mode++)
        assert_no_open(folder, mode ? LENS_STORE_WRITE : LENS_STORE_READ, LENS_E_VERSION, "version 7, and this memelens knows up to version 2");
    sql(folder, "PRAGMA user_version = 1; PRAGMA application_id = 5");
    for (int mode = 0; mode < 2; mode++)
        assert_no_open(folder, mode ? LENS_STORE_WRITE : LENS_STORE_READ, LENS_E_FORMAT, "library.db: a database, but not a library");
    char noise[8192];
    memset(noise, 'n', sizeof noise);
    test_write(database, noise, sizeof noise);
    for (int mode = 0; mode < 2; mode++)
        assert_no_open(folder, mode ? LENS_STORE_WRITE : LENS_STORE_READ, LENS_E_FORMAT, "library.db: not a library");
    /* It was not touched. */
    lens_buffer bytes = test_read(database);
    assert_int_equal(bytes.size, sizeof noise);
    assert_memory_equal(bytes.data, noise, sizeof noise);
    lens_buffer_free(&bytes);
    free(database);
    test_folder_remove(folder);
}

static void test_a_vector_file_that_is_not_the_one(void **state)
{
    (void)state;
    char *folder = test_library_new(DIM, COUNT), *other = test_library_new(DIM, COUNT);
    char *path = test_path(folder, "m-1.vectors"), *foreign = test_path(other, "m-1.vectors");
    lens_buffer good = test_read(path), stolen = test_read(foreign);
    assert_int_equal(good.size, 64 + COUNT * DIM * 4);
    lens_error err = {0};
    for (size_t byte = 0; byte < 64; byte++) {
        good.data[byte] ^= 0x20;
        test_write(path, good.data, good.size);
        lens_store *store = test_store(folder, LENS_STORE_READ);
        lens_store_vectors view;
        assert_int_equal(lens_store_vectors_open(store, 1, NULL, 0, &view, &err), -1);
        assert_int_equal(err.code, LENS_E_FORMAT);
        assert_says(&err, path);
        lens_store_close(store);
        assert_faults(folder, 1, "m-1.vectors");
        store = test_store(folder, LENS_STORE_WRITE);
        assert_int_equal(test_write_pictures(store, 1, DIM, "/p", 90, 1, &err), -1);
        assert_says(&err, path);
        lens_store_close(store);
        good.data[byte] ^= 0x20;
    }
    test_write(path, stolen.data, stolen.size);
    assert_faults(folder, 1, "m-1.vectors: belongs to another library; memelens forget --model m");
    test_write(path, good.data, good.size - 1);
    assert_faults(folder, 1, "m-1.vectors: has lost its end: 2623 bytes where the library says at least 2624");
    test_write(path, "LENS", 4);
    assert_faults(folder, 1, "m-1.vectors: ends too early");
    unlink(path);
    assert_faults(folder, 1, "m-1.vectors: the vectors of a model are missing");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_faults(folder, 1, "m-1.vectors: not a regular file");
    unlink(path);
    assert_int_equal(symlink("m-1.vectors", path), 0);
    lens_store *store = test_store(folder, LENS_STORE_READ);
    lens_store_vectors view;
    assert_int_equal(lens_store_vectors_open(store, 1, NULL, 0, &view, &err), -1);
    lens_store_close(store);
    unlink(path);
    /* The header as it should be, the rows not. */
    memset(good.data + 64 + 3 * DIM * 4, 0xff, 4);
    memset(good.data + 64 + 5 * DIM * 4, 0, DIM * 4);
    test_write(path, good.data, good.size);
    assert_faults(folder, 2, "m-1.vectors: vector 3, of /p/00003.jpg is not finite and of length 1; memelens forget");
    lens_buffer_free(&good), lens_buffer_free(&stolen);
    free(path), free(foreign);
    test_folder_remove(folder), test_folder_remove(other);
}

static void test_rows_that_lie(void **state)
{
    (void)state;
    static const struct {
        const char *change, *says;
        int faults;
    } cases[] = {
        {"UPDATE vector SET slot = 4000000000 WHERE slot = 3", "vector 4000000000, of /p/00003.jpg lies beyond the end", 1},
        {"UPDATE vector SET slot = -1 WHERE slot = 3", "lies beyond the end", 1},
        {"PRAGMA foreign_keys = OFF; DELETE FROM content WHERE id = 2", "points at a content that is not there", 2},
        {"UPDATE picture SET path = x'612f62' WHERE id = 2", "picture 2 has no absolute path", 1},
        {"UPDATE picture SET path = x'2f6200' WHERE id = 2", "picture 2 has no absolute path", 1},
        {"INSERT INTO rule (path, out) VALUES (x'70', 0)", "a rule has no absolute path", 1},
        {"UPDATE model SET dim = 15", "holds vectors of 16 numbers where the library says 15", 1},
        {"UPDATE model SET fingerprint = zeroblob(16)", "made with other weights", 1},
        {"UPDATE model SET generation = 5", "not the file that the library means", 1},
        {"UPDATE model SET slots = 41", "has lost its end", 1},
        {"UPDATE model SET slots = 39", "lies beyond the end", 1},
        {"UPDATE model SET file = '../m-1.vectors'", "cannot be looked at any further", 1},
        {"UPDATE model SET dim = 0", "cannot be looked at any further", 1},
        {"UPDATE model SET slots = -1", "cannot be looked at any further", 1},
        {"UPDATE model SET fingerprint = x'00'", "cannot be looked at any further", 1},
        {"DROP TABLE picture", "cannot be looked at any further", 1},
        {"PRAGMA ignore_check_constraints = ON; UPDATE picture SET reason = x'61' WHERE id = 1", "picture 1 has not one of a content and a reason", 1},
        {"DROP INDEX vector_slot; UPDATE vector SET slot = 3 WHERE slot = 4", "belongs to another content too", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = test_library_new(DIM, COUNT);
        sql(folder, cases[i].change);
        assert_faults(folder, cases[i].faults, cases[i].says);
        /* A search refuses, or leaves out what is not there; it does not read where it must not. */
        lens_store *store = test_store(folder, LENS_STORE_READ);
        lens_error err = {0};
        lens_store_vectors view;
        if (lens_store_vectors_open(store, 1, NULL, 0, &view, &err) == 0) {
            for (size_t r = 0; r < view.count; r++)
                assert_true(64 + ((size_t)view.slots[r] + 1) * DIM * 4 <= view.map_size);
            lens_store_vectors_free(&view);
        } else {
            assert_int_equal(err.code, LENS_E_FORMAT);
        }
        lens_store_close(store);
        test_folder_remove(folder);
    }
}

/* What a schema can run by itself is only what a library's own does. */
static void test_a_schema_of_others(void **state)
{
    (void)state;
    static const char *const cases[] = {
        ("DROP TABLE picture; CREATE VIEW picture AS WITH RECURSIVE a (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a)"
         " SELECT n AS id, x'2f' AS path, 1 AS size, 1 AS mtime_ns, 1 AS content, NULL AS reason FROM a"),
        "CREATE VIEW beside AS SELECT 1",
        "CREATE TRIGGER more AFTER INSERT ON picture BEGIN DELETE FROM picture; END",
        "DROP TRIGGER text_comes; CREATE TRIGGER text_comes AFTER INSERT ON text BEGIN DELETE FROM picture; END",
        "CREATE VIRTUAL TABLE more USING fts5 (words)",
        /* Columns, indices and checks that are computed: each row may take as long as it likes. */
        ("DROP INDEX text_of_source; DROP TABLE rule;"
         "CREATE TABLE rule (path BLOB PRIMARY KEY, out INTEGER NOT NULL, settings BLOB GENERATED ALWAYS AS (hex(zeroblob(90000000 + out)))) STRICT, WITHOUT ROWID"),
        "CREATE TABLE more (a INTEGER, b AS (a + 1))",
        "CREATE INDEX more ON picture (length(replace(hex(zeroblob(20000000 + id)), '0', 'ab')))",
        "CREATE INDEX more ON picture (size) WHERE size > abs(-1)",
        "CREATE TABLE more (a INTEGER CHECK (length(hex(zeroblob(20000000 + a))) > 0))",
        ("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE ''text_words_docsize''(id INTEGER PRIMARY KEY, sz BLOB AS (hex(zeroblob(id))))'"
         " WHERE name = 'text_words_docsize'"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = test_library_new(DIM, COUNT);
        sql(folder, cases[i]);
        for (int mode = 0; mode < 3; mode++)
            assert_no_open(folder, mode == 0 ? LENS_STORE_READ : mode == 1 ? LENS_STORE_WRITE : LENS_STORE_COPY, LENS_E_FORMAT, "that is not of memelens");
        test_folder_remove(folder);
    }
}

/* Of a library that came from elsewhere a writer must not empty a file of ours. What SQLite adds by itself is no such thing. */
static void test_a_lock_of_others(void **state)
{
    (void)state;
    char *folder = test_library_new(DIM, COUNT), *lock = test_path(folder, "writer.lock"), *own = test_path(folder, "own.txt");
    static const char words[] = "a letter that nobody must lose, longer than a number";
    for (int kind = 0; kind < 3; kind++) {
        unlink(lock);
        test_write(own, words, kind == 0 ? 8 : sizeof words);
        assert_int_equal(kind == 0 ? symlink(own, lock) : kind == 1 ? link(own, lock) : mkfifo(lock, 0600), 0);
        assert_no_open(folder, LENS_STORE_WRITE, LENS_E_FORMAT, "no lock of memelens");
        lens_buffer left = test_read(own);
        assert_int_equal(left.size, kind == 0 ? 8 : sizeof words);
        lens_buffer_free(&left);
        lens_store_close(test_store(folder, LENS_STORE_READ));
    }
    unlink(lock);
    sql(folder, "ANALYZE; CREATE TABLE mine (id INTEGER PRIMARY KEY, note VARCHAR(20), at TEXT DEFAULT CURRENT_TIMESTAMP, UNIQUE (note, at))");
    lens_store_close(test_store(folder, LENS_STORE_WRITE));
    free(own), free(lock);
    test_folder_remove(folder);
}

/* Whatever is written over the database, the answer is an error or rows, and never a crash. */
static void test_noise_in_the_database(void **state)
{
    (void)state;
    char *folder = test_library_new(DIM, COUNT), *path = test_path(folder, "library.db");
    char *log = test_path(folder, "library.db-wal"), *shared = test_path(folder, "library.db-shm");
    lens_buffer good = test_read(path);
    char *bytes = malloc(good.size);
    assert_non_null(bytes);
    uint64_t random = 1;
    int refused = 0, faulty = 0, sound = 0;
    for (int round = 0; round < 150; round++) {
        memcpy(bytes, good.data, good.size);
        for (int i = 0; i < 1 + round % 8; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[(random >> 20) % good.size] ^= (char)(1 + (random >> 12) % 255);
        }
        unlink(log), unlink(shared);
        test_write(path, bytes, good.size);
        lens_error err = {0};
        lens_store *store = lens_store_open(folder, round % 2 ? LENS_STORE_READ : LENS_STORE_WRITE, 0, &err);
        if (!store) {
            assert_true(err.message[0] != '\0');
            refused++;
            continue;
        }
        int count = lens_store_check(store, NULL, NULL, &err);
        count ? faulty++ : sound++;
        lens_store_vectors view;
        if (lens_store_vectors_open(store, 1, NULL, 0, &view, &err) == 0)
            lens_store_vectors_free(&view);
        if (round % 2 == 0) {
            int64_t removed;
            test_write_pictures(store, 1, DIM, "/p", 500, 3, &err);
            lens_store_sweep(store, "/p", &removed, &err);
            lens_store_compact(store, true, &err);
            for (int64_t id = 0; id < 50; id++) {
                lens_store_picture picture;
                if (lens_store_picture_by_id(store, id, &picture, &err) > 0)
                    lens_store_picture_free(&picture);
            }
            /* A compaction may have come as far as a new name. */
            test_folder_remove(folder);
            lens_store_close(store);
            free(path), free(log), free(shared);
            folder = test_library_new(DIM, COUNT);
            path = test_path(folder, "library.db"), log = test_path(folder, "library.db-wal"), shared = test_path(folder, "library.db-shm");
            lens_buffer_free(&good);
            good = test_read(path);
            char *more = realloc(bytes, good.size);
            assert_non_null(more);
            bytes = more;
        } else {
            lens_store_close(store);
        }
    }
    printf("measured: of 150 damaged databases %d were refused, %d found faulty, %d were hit where nothing lies\n", refused, faulty, sound);
    assert_true(refused > 0 && faulty > 0);
    lens_buffer_free(&good);
    free(bytes), free(path), free(log), free(shared);
    test_folder_remove(folder);
}

static void test_one_writer(void **state)
{
    (void)state;
    char *folder = test_library_new(DIM, COUNT);
    int ready[2], go[2];
    assert_int_equal(pipe(ready) | pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        lens_store *store = lens_store_open(folder, LENS_STORE_WRITE, 0, NULL);
        char byte = store ? 'y' : 'n';
        if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
            _exit(1);
        struct timespec pause = {.tv_nsec = 200000000};
        nanosleep(&pause, NULL);
        lens_store_close(store);
        _exit(0);
    }
    char byte = 0, words[64];
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    snprintf(words, sizeof words, "another memelens (process %ld) is writing", (long)child);
    assert_no_open(folder, LENS_STORE_WRITE, LENS_E_BUSY, words);
    lens_store *reader = test_store(folder, LENS_STORE_READ); /* beside it */
    assert_int_equal(test_store_sound(reader, 1, DIM), COUNT);
    lens_store_close(reader);
    assert_int_equal(write(go[1], "g", 1), 1);
    lens_error err = {0};
    lens_store *store = lens_store_open(folder, LENS_STORE_WRITE, 30, &err); /* waits its turn */
    if (!store)
        fail_msg("%s", err.message);
    /* One process does not write twice either. */
    snprintf(words, sizeof words, "(process %ld)", (long)getpid());
    assert_no_open(folder, LENS_STORE_WRITE, LENS_E_BUSY, words);
    lens_store_close(store);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (int i = 0; i < 2; i++)
        close(ready[i]), close(go[i]);
    test_folder_remove(folder);
}

/* What lens_file_write of a killed process left beside a file. That of one which still runs may be about to be renamed; in a container the one before had
 * our number, but we know which files we began. */
static void test_what_killed_processes_left(void **state)
{
    (void)state;
    enum { KEPT = 6, GONE = 4 };
    char *folder = test_library_new(DIM, COUNT), *file = test_path(folder, "notes");
    lens_error err = {0};
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_done(lens_file_write(file, "", 0, &err), &err); /* our 0 or a later one */
    char *kept[KEPT] = {test_path(folder, "m-1.vectors.near.%ld-0.memelens.part", (long)getpid()), test_path(folder, "notes.memelens.part"),
                        test_path(folder, "video.%ld-12.part", (long)child), /* another program's */
                        test_path(folder, ".%ld-7.memelens.part", (long)child), test_path(folder, "notes.%ld-x.memelens.part", (long)child),
                        test_path(folder, "notes.%ld-0.memelens.part", (long)getppid())};
    char *gone[GONE] = {test_path(folder, "m-1.vectors.near.%ld-0.memelens.part", (long)child), test_path(folder, "approximate.%ld-12.memelens.part", (long)child),
                        test_path(folder, "approximate.%ld-123456789.memelens.part", (long)child),
                        test_path(folder, "approximate.%ld-123456789.memelens.part", (long)getpid())};
    for (size_t i = 0; i < KEPT; i++)
        test_write(kept[i], "", 0);
    for (size_t i = 0; i < GONE; i++)
        test_write(gone[i], "", 0);
    lens_store_close(test_store(folder, LENS_STORE_READ));
    for (size_t i = 0; i < GONE; i++)
        assert_int_equal(access(gone[i], F_OK), 0);
    lens_store_close(test_store(folder, LENS_STORE_WRITE));
    for (size_t i = 0; i < KEPT; i++) {
        assert_int_equal(access(kept[i], F_OK), 0);
        free(kept[i]);
    }
    for (size_t i = 0; i < GONE; i++) {
        assert_int_not_equal(access(gone[i], F_OK), 0);
        free(gone[i]);
    }
    free(file);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_killed_while_the_library_is_made),
        cmocka_unit_test(test_a_database_that_is_no_file),
        cmocka_unit_test(test_other_versions_and_other_files),
        cmocka_unit_test(test_a_vector_file_that_is_not_the_one),
        cmocka_unit_test(test_rows_that_lie),
        cmocka_unit_test(test_a_schema_of_others), cmocka_unit_test(test_a_lock_of_others),
        cmocka_unit_test(test_noise_in_the_database),
        cmocka_unit_test(test_one_writer),
        cmocka_unit_test(test_what_killed_processes_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
