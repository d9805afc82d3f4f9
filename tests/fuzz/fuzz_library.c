/* A library's folder as it may come from anyone. The first byte says what is done to a good one: 'd': the rest is its database; 'p': bytes of its
 * files are spoilt, each time file, place, length and bytes; 's': the rest is SQL, run with every right over the schema. Then all that reads a
 * library reads it, and all that writes to one writes: whatever is in it, each must end in an answer or in an error with words. */
#include <sqlite3.h>

#include "packed_right.h"
#include "small_library.h"
#include "store_use.h"

enum { FILES_MOST = 8, STEPS_MOST = 200000 };

static char library_path[300];
static struct file {
    char name[128];
    lens_buffer good;
} files[FILES_MOST];
static size_t file_count;

/* ---- a good library ---- */

static void keep_file(const char *name)
{
    char path[500];
    lens_error err = {0};
    struct file *file = &files[file_count++];
    expect(file_count <= FILES_MOST);
    snprintf(file->name, sizeof file->name, "%s", name);
    snprintf(path, sizeof path, "%s/%s", library_path, name);
    expect_done(lens_file_read(path, SIZE_MAX, &file->good, &err) == 0, &err);
}

static void forget_files(void)
{
    for (size_t i = 0; i < file_count; i++)
        lens_buffer_free(&files[i].good);
}

static void keep_beside(const char *path)
{
    if (path && lens_file_exists(path))
        keep_file(strrchr(path, '/') + 1);
}

static void make_library(void)
{
    lens_error err = {0};
    small_library_make(fuzz_folder());
    snprintf(library_path, sizeof library_path, "%s/library", fuzz_folder());
    lens_store *store = lens_store_open(library_path, LENS_STORE_WRITE, 0, &err);
    lens_store_models models;
    lens_store_vectors vectors;
    expect_done(store && lens_store_models_list(store, &models, &err) == 0 && models.count == 1, &err);
    expect_done(lens_store_vectors_open(store, models.items[0].id, NULL, 0, &vectors, &err) == 0, &err);
    expect_done(lens_copies_make(&vectors, &err) == 0, &err);
    free(lens_nearness_penalties(&vectors, 1, &err));
    bool made;
    expect_done(lens_approximate_refresh(store, models.items[0].id, 1, NULL, NULL, &made, &err) == 0, &err);
    char vector_file[300];
    snprintf(vector_file, sizeof vector_file, "%s", vectors.copy);
    *strrchr(vector_file, '.') = '\0'; /* NAME.vectors.bytes */
    lens_store_close(store);
    keep_file("library.db");
    keep_beside(vector_file);
    keep_beside(vectors.copy);
    keep_beside(vectors.near);
    keep_beside(vectors.cells);
    lens_store_vectors_free(&vectors);
    lens_store_models_free(&models);
    atexit(forget_files);
}

/* ---- spoiling it ---- */

static void put_file(const char *name, const void *bytes, size_t size)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s", library_path, name);
    fuzz_put(path, bytes, size);
}

static void spoil(fuzz_rest rest)
{
    while (rest.size > 0) {
        struct file *file = &files[fuzz_number(&rest, 1) % file_count];
        const size_t place = fuzz_number(&rest, 3) % file->good.size, asked = fuzz_number(&rest, 1), room = file->good.size - place;
        uint8_t *bytes = malloc(file->good.size); /* what is spoilt is a copy of what lies there now */
        char path[500];
        lens_buffer now = {0};
        lens_error err = {0};
        expect(bytes != NULL);
        snprintf(path, sizeof path, "%s/%s", library_path, file->name);
        expect_done(lens_file_read(path, SIZE_MAX, &now, &err) == 0 && now.size == file->good.size, &err);
        memcpy(bytes, now.data, now.size);
        const size_t length = asked < room ? asked : room;
        for (size_t i = 0; i < length; i++)
            bytes[place + i] = (uint8_t)fuzz_number(&rest, 1);
        if (file - files >= 2)
            packed_make_right(bytes, now.size, NULL, true);
        fuzz_put(path, bytes, now.size);
        lens_buffer_free(&now);
        free(bytes);
    }
}

static int enough(void *context)
{
    return ++*(int *)context > STEPS_MOST / 1000;
}

/* Nothing but this database. */
static int allow(void *context, int action, const char *a, const char *b, const char *database, const char *trigger)
{
    (void)context, (void)b, (void)database, (void)trigger;
    const bool elsewhere = action == SQLITE_ATTACH || (action == SQLITE_PRAGMA && a && (strstr(a, "directory") || strstr(a, "journal_mode")));
    return elsewhere ? SQLITE_DENY : SQLITE_OK;
}

static void run_sql(fuzz_rest rest)
{
    char path[500];
    sqlite3 *db = NULL;
    int steps = 0;
    char *text = fuzz_text(rest);
    snprintf(path, sizeof path, "%s/library.db", library_path);
    expect(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
    expect(sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
    sqlite3_set_authorizer(db, allow, NULL);
    sqlite3_progress_handler(db, 1000, enough, &steps);
    for (char *at = text; at && *at; ) { /* statement by statement: one that fails does not end it */
        char *end = strchr(at, '\n');
        if (end)
            *end = '\0';
        sqlite3_exec(db, at, NULL, NULL, NULL);
        at = end ? end + 1 : NULL;
    }
    sqlite3_close(db);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || !strchr("dps", data[0]))
        return 0;
    if (!file_count)
        make_library();
    lens_error err = {0};
    expect_done(lens_folder_remove(library_path, &err) == 0 && lens_folder_make(library_path, &err) == 0, &err);
    for (size_t i = 0; i < file_count; i++)
        put_file(files[i].name, files[i].good.data, files[i].good.size);
    const fuzz_rest rest = {data + 1, size - 1};
    if (data[0] == 'd')
        put_file("library.db", rest.data, rest.size);
    else if (data[0] == 'p')
        spoil(rest);
    else
        run_sql(rest);
    read_store(library_path);
    ask_library(library_path);
    if (size % 4 == 1)
        copy_library(library_path);
    write_store(library_path);
    return 0;
}
