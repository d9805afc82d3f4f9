/* Looking up pictures and contents, and counting them. */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/folder/internal.h"

#define PICTURE_SELECT \
    "SELECT picture.id, path, size, mtime_ns, picture.content, reason, width, height, format" \
    " FROM picture LEFT JOIN content ON content.id = picture.content "

static int read_picture(lens_folder *store, sqlite3_stmt *statement, lens_store_picture *out, lens_error *err)
{
    bool short_of_memory = false;
    *out = (lens_store_picture){
        .id = sqlite3_column_int64(statement, 0),
        .path = lens_sql_text(statement, 1, &short_of_memory),
        .size = sqlite3_column_int64(statement, 2),
        .mtime_ns = sqlite3_column_int64(statement, 3),
        .content = sqlite3_column_int64(statement, 4),
        .reason = lens_sql_text(statement, 5, &short_of_memory),
        .width = sqlite3_column_int(statement, 6),
        .height = sqlite3_column_int(statement, 7),
        .format = lens_sql_text(statement, 8, &short_of_memory),
    };
    /* The schema sees to this; a damaged file need not. */
    bool whole = out->path && (out->content ? out->format && !out->reason : out->reason && !out->format);
    if (whole && !short_of_memory)
        return 0;
    int64_t id = out->id;
    lens_store_picture_free(out);
    return short_of_memory ? lens_sql_memory(store, err)
                           : lens_fail(err, LENS_E_FORMAT, "%s/%s: the row of picture %lld is damaged", store->folder,
                                       LENS_DATABASE, (long long)id);
}

static int one_picture(lens_folder *store, sqlite3_stmt *statement, lens_store_picture *out, lens_error *err)
{
    int result = lens_sql_step(store, statement, err);
    if (result > 0 && read_picture(store, statement, out, err) != 0)
        result = -1;
    lens_sql_done(store, statement);
    return result;
}

int lens_folder_picture_by_path(lens_folder *store, const char *path, lens_store_picture *out, lens_error *err)
{
    *out = (lens_store_picture){0};
    sqlite3_stmt *statement = lens_sql(store, PICTURE_SELECT "WHERE path = ?1", err);
    if (!statement)
        return -1;
    lens_sql_bind_path(statement, 1, path);
    return one_picture(store, statement, out, err);
}

int lens_folder_picture_by_id(lens_folder *store, int64_t id, lens_store_picture *out, lens_error *err)
{
    *out = (lens_store_picture){0};
    sqlite3_stmt *statement = lens_sql(store, PICTURE_SELECT "WHERE picture.id = ?1", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, id);
    return one_picture(store, statement, out, err);
}

int lens_folder_picture_next(lens_folder *store, int64_t content, int64_t after, lens_store_picture *out, lens_error *err)
{
    *out = (lens_store_picture){0};
    sqlite3_stmt *statement = lens_sql(store, PICTURE_SELECT "WHERE picture.content = ?1 AND picture.id > ?2 ORDER BY picture.id LIMIT 1", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, content);
    sqlite3_bind_int64(statement, 2, after);
    return one_picture(store, statement, out, err);
}

int lens_folder_pictures_some(lens_folder *store, int64_t *ids, int count, lens_error *err)
{
    /* Each is the first at or after an even step of the ids: no walk over all of them. */
    sqlite3_stmt *statement = lens_sql(store, "SELECT min(id), max(id) FROM picture WHERE content IS NOT NULL", err);
    if (!statement)
        return -1;
    int result = lens_sql_step(store, statement, err);
    const bool none = result <= 0 || sqlite3_column_type(statement, 0) == SQLITE_NULL;
    const int64_t first = none ? 0 : sqlite3_column_int64(statement, 0), last = none ? 0 : sqlite3_column_int64(statement, 1);
    lens_sql_done(store, statement);
    if (result < 0 || none)
        return result < 0 ? -1 : 0;
    int found = 0;
    for (int i = 0; i < count && result >= 0; i++) {
        if (!(statement = lens_sql(store, "SELECT id FROM picture WHERE id >= ?1 AND content IS NOT NULL ORDER BY id LIMIT 1", err)))
            return -1;
        sqlite3_bind_int64(statement, 1, first + (last - first) / count * i + (last - first) % count * i / count);
        result = lens_sql_step(store, statement, err);
        const int64_t id = result > 0 ? sqlite3_column_int64(statement, 0) : 0;
        lens_sql_done(store, statement);
        if (result > 0 && (found == 0 || ids[found - 1] != id))
            ids[found++] = id;
    }
    return result < 0 ? -1 : found;
}

/* Calls EACH for the rows of STATEMENT, which selects PICTURE_SELECT. */
static int each_picture(lens_folder *store, sqlite3_stmt *statement, lens_store_each each, void *context, lens_error *err)
{
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        lens_store_picture picture;
        result = read_picture(store, statement, &picture, err);
        if (result == 0) {
            result = each(context, &picture);
            lens_store_picture_free(&picture);
        }
        if (result != 0)
            break;
    }
    lens_sql_done(store, statement);
    return result;
}

int lens_folder_pictures_of(lens_folder *store, int64_t content, lens_store_each each, void *context, lens_error *err)
{
    sqlite3_stmt *statement = content ? lens_sql(store, PICTURE_SELECT "WHERE picture.content = ?1 ORDER BY path", err)
                                      : lens_sql(store, PICTURE_SELECT "WHERE picture.content IS NULL ORDER BY path", err);
    if (!statement)
        return -1;
    if (content)
        sqlite3_bind_int64(statement, 1, content);
    return each_picture(store, statement, each, context, err);
}

int lens_folder_pictures_each(lens_folder *store, lens_store_each each, void *context, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, PICTURE_SELECT "WHERE picture.content IS NOT NULL", err);
    return statement ? each_picture(store, statement, each, context, err) : -1;
}

int lens_folder_content_by_hash(lens_folder *store, lens_hash hash, int64_t *content, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT id FROM content WHERE hash = ?1", err);
    if (!statement)
        return -1;
    sqlite3_bind_blob(statement, 1, hash.bytes, (int)sizeof hash.bytes, SQLITE_STATIC);
    int result = lens_sql_step(store, statement, err);
    if (result > 0)
        *content = sqlite3_column_int64(statement, 0);
    lens_sql_done(store, statement);
    return result;
}

int lens_folder_has_vector(lens_folder *store, int64_t model, int64_t content, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT 1 FROM vector WHERE content = ?1 AND model = ?2", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, content);
    sqlite3_bind_int64(statement, 2, model);
    int result = lens_sql_step(store, statement, err);
    lens_sql_done(store, statement);
    return result;
}

/* The bytes of the files that are the library's. */
static int64_t bytes_of(lens_folder *store)
{
    static const char *const names[] = {LENS_DATABASE, LENS_DATABASE "-wal", LENS_DATABASE "-shm", LENS_LOCK};
    int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    int64_t bytes = 0;
    const struct dirent *entry;
    while ((entry = readdir(folder))) {
        char file[LENS_VECTOR_NAME];
        bool ours = lens_vector_file_is_name(entry->d_name) || lens_vector_copy_is_name(entry->d_name, file);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            ours |= strcmp(entry->d_name, names[i]) == 0;
        struct stat info;
        if (ours && fstatat(store->dir, entry->d_name, &info, 0) == 0)
            bytes += (int64_t)info.st_size;
    }
    closedir(folder);
    return bytes;
}

int lens_folder_count(lens_folder *store, lens_store_counts *out, lens_error *err)
{
    *out = (lens_store_counts){0};
    sqlite3_stmt *statement = lens_sql(store, "SELECT (SELECT count(*) FROM picture WHERE content IS NOT NULL),"
                                              " (SELECT count(*) FROM picture WHERE content IS NULL),"
                                              " (SELECT count(*) FROM content)", err);
    if (!statement)
        return -1;
    int result = lens_sql_step(store, statement, err);
    if (result > 0) {
        out->pictures = sqlite3_column_int64(statement, 0);
        out->failed = sqlite3_column_int64(statement, 1);
        out->contents = sqlite3_column_int64(statement, 2);
        out->bytes = bytes_of(store);
    }
    lens_sql_done(store, statement);
    return result < 0 ? -1 : 0;
}
