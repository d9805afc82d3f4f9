/* Writing a batch of pictures, all or nothing.
 *
 *     BEGIN; append the vectors; fdatasync; COMMIT
 *
 * In that order a row never names a slot that is not on the disk. When anything fails, the rows roll back and the files are
 * cut back to what was committed: readers never look beyond it. */
#include <errno.h>
#include <unistd.h>

#include "store/folder/internal.h"

static int check_vectors(const lens_store_entry *entry, lens_folder *store, lens_error *err)
{
    for (size_t v = 0; v < entry->vector_count; v++) {
        lens_writer *writer = lens_writer_of(store, entry->vectors[v].model, err);
        if (!writer)
            return -1;
        if (!lens_store_is_unit(entry->vectors[v].values, writer->row.identity.dim))
            return lens_fail(err, LENS_E_ARGUMENT, "%s: its vector is not finite and of length 1", entry->path);
    }
    return 0;
}

static int check(lens_folder *store, const lens_store_entry *entries, size_t count, lens_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const lens_store_entry *entry = &entries[i];
        if (lens_path_check(entry->path, err) != 0)
            return -1;
        if (entry->reason)
            continue;
        if (!entry->format || entry->width < 0 || entry->height < 0)
            return lens_fail(err, LENS_E_ARGUMENT, "%s: a picture needs a format and a size", entry->path);
        if (check_vectors(entry, store, err) != 0)
            return -1;
    }
    return 0;
}

/* A moved picture first leaves its path for one that no file can have, so that moves within a batch may cross. */
enum { PARKED = 9 };
static void parked_path(int64_t id, uint8_t out[PARKED])
{
    out[0] = 0;
    for (int i = 0; i < 8; i++)
        out[1 + i] = (uint8_t)((uint64_t)id >> (8 * (7 - i)));
}

static int park(lens_folder *store, int64_t id, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "UPDATE picture SET path = ?2 WHERE id = ?1", err);
    if (!statement)
        return -1;
    uint8_t path[PARKED];
    parked_path(id, path);
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_blob(statement, 2, path, PARKED, SQLITE_STATIC);
    return lens_sql_finish(store, statement, err);
}

/* The picture at the SIZE bytes PATH: 1 with its id and content (0 when it failed), or 0; -1 on error. */
static int find(lens_folder *store, const void *path, size_t size, int64_t *id, int64_t *content, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT id, content FROM picture WHERE path = ?1", err);
    if (!statement)
        return -1;
    sqlite3_bind_blob64(statement, 1, path, size, SQLITE_STATIC);
    int result = lens_sql_step(store, statement, err);
    if (result > 0) {
        *id = sqlite3_column_int64(statement, 0);
        *content = sqlite3_column_int64(statement, 1);
    }
    lens_sql_done(store, statement);
    return result;
}

/* A new content (*ID 0), or what a known one looks like by its newest reading, if this one was decoded at all. */
static int content_put(lens_folder *store, const lens_store_entry *entry, int64_t *id, lens_error *err)
{
    if (*id && entry->width == 0)
        return 0;
    sqlite3_stmt *statement =
        *id ? lens_sql(store, "UPDATE content SET width = ?2, height = ?3, format = ?4"
                              " WHERE hash = ?1 AND (width, height, format) IS NOT (?2, ?3, ?4)", err)
            : lens_sql(store, "INSERT INTO content (hash, width, height, format) VALUES (?1, ?2, ?3, ?4)", err);
    if (!statement)
        return -1;
    sqlite3_bind_blob(statement, 1, entry->hash.bytes, (int)sizeof entry->hash.bytes, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, entry->width);
    sqlite3_bind_int(statement, 3, entry->height);
    sqlite3_bind_text(statement, 4, entry->format, -1, SQLITE_STATIC);
    if (lens_sql_finish(store, statement, err) != 0)
        return -1;
    if (!*id)
        *id = sqlite3_last_insert_rowid(store->db);
    return 0;
}

/* What is kept about neighbours is not those of the vectors that come. It goes before they are there, for good: beside the database of a backup they may come
 * to slots that it tells of, and nobody would see that afterwards. */
static int drop_near(lens_folder *store, const lens_writer *writer, lens_error *err)
{
    char name[LENS_VECTOR_COPY_NAME];
    lens_vector_copy_name(writer->row.file, LENS_VECTOR_NEAR, name);
    if (unlinkat(store->dir, name, 0) == 0)
        return lens_folder_sync(store, err);
    return errno == ENOENT ? 0 : lens_fail_errno(err, errno, "%s/%s: cannot be removed", store->folder, name);
}

int lens_vector_append(lens_folder *store, lens_writer *writer, int64_t content, const float *values, lens_error *err)
{
    if (writer->end > UINT32_MAX - 1)
        return lens_fail(err, LENS_E_LIMIT, "%s/%s: is full; memelens forget --model, then index, to begin anew",
                         store->folder, writer->row.file);
    if (writer->end == writer->row.slots && drop_near(store, writer, err) != 0)
        return -1;
    if (lens_vector_file_put(writer->fd, store->folder, writer->row.file, writer->row.identity.dim, writer->end, values, 1,
                             err) != 0)
        return -1;
    sqlite3_stmt *statement = lens_sql(store, "INSERT INTO vector (content, model, slot) VALUES (?1, ?2, ?3)", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, content);
    sqlite3_bind_int64(statement, 2, writer->row.id);
    sqlite3_bind_int64(statement, 3, writer->end++);
    return lens_sql_finish(store, statement, err);
}

static int content_write(lens_folder *store, const lens_store_entry *entry, int64_t *content, lens_error *err)
{
    int known = lens_folder_content_by_hash(store, entry->hash, content, err);
    if (known < 0)
        return -1;
    if (known == 0)
        *content = 0;
    if (known == 0 && entry->vector_count == 0)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: a content that is not known yet needs a vector", entry->path);
    if (content_put(store, entry, content, err) != 0)
        return -1;
    for (size_t v = 0; v < entry->vector_count; v++) {
        /* Another copy of the same bytes may have come first, even in this batch. */
        int has = lens_folder_has_vector(store, entry->vectors[v].model, *content, err);
        if (has > 0)
            continue;
        lens_writer *writer = has < 0 ? NULL : lens_writer_of(store, entry->vectors[v].model, err);
        if (!writer || lens_vector_append(store, writer, *content, entry->vectors[v].values, err) != 0)
            return -1;
    }
    return 0;
}

/* Writes the row: over row *ID, or a new one when that is 0. */
static int picture_put(lens_folder *store, const lens_store_entry *entry, int64_t content, int64_t *id, lens_error *err)
{
    sqlite3_stmt *statement =
        *id ? lens_sql(store, "UPDATE picture SET path = ?1, size = ?2, mtime_ns = ?3, content = ?4, reason = ?5"
                              " WHERE id = ?6", err)
            : lens_sql(store, "INSERT INTO picture (path, size, mtime_ns, content, reason) VALUES (?1, ?2, ?3, ?4, ?5)", err);
    if (!statement)
        return -1;
    lens_sql_bind_path(statement, 1, entry->path);
    sqlite3_bind_int64(statement, 2, entry->size);
    sqlite3_bind_int64(statement, 3, entry->mtime_ns);
    if (content)
        sqlite3_bind_int64(statement, 4, content);
    else
        sqlite3_bind_blob64(statement, 5, entry->reason, strlen(entry->reason), SQLITE_STATIC);
    if (*id)
        sqlite3_bind_int64(statement, 6, *id);
    if (lens_sql_finish(store, statement, err) != 0)
        return -1;
    if (!*id)
        *id = sqlite3_last_insert_rowid(store->db);
    return 0;
}

/* *NAMED is set when another name than before is that of a picture. */
static int entry_write(lens_folder *store, const lens_store_entry *entry, int64_t *id, bool *named, lens_error *err)
{
    int64_t content = 0, there = 0, there_content = 0, moved = 0, moved_content = 0;
    if (!entry->reason && content_write(store, entry, &content, err) != 0)
        return -1;
    if (find(store, entry->path, strlen(entry->path), &there, &there_content, err) < 0)
        return -1;
    if (!entry->reason && entry->moved_from) {
        uint8_t path[PARKED];
        parked_path(entry->moved_from, path);
        if (find(store, path, PARKED, &moved, &moved_content, err) < 0)
            return -1;
    }
    if (there && there_content != content)
        lens_loose_note(store, there_content);
    if (moved && moved_content != content)
        lens_loose_note(store, moved_content);
    /* What was moved here takes the place of what was here. */
    if (moved && there && lens_sql_run_with(store, "DELETE FROM picture WHERE id = ?1", there, err) != 0)
        return -1;
    *id = moved ? moved : there;
    *named |= moved || !there_content != !content;
    if (picture_put(store, entry, content, id, err) != 0)
        return -1;
    int64_t changed = 0;
    const lens_store_caption caption = {*id, entry->text, entry->folded};
    return entry->reason || !entry->text ? 0 : lens_caption_put(store, entry->source, &caption, &changed, err);
}

static int write_all(lens_folder *store, const lens_store_entry *entries, size_t count, int64_t *ids, lens_error *err)
{
    bool named = false;
    for (size_t i = 0; i < count; i++)
        if (!entries[i].reason && entries[i].moved_from && park(store, entries[i].moved_from, err) != 0)
            return -1;
    for (size_t i = 0; i < count; i++) {
        int64_t id = 0;
        if (entry_write(store, &entries[i], &id, &named, err) != 0)
            return -1;
        if (ids)
            ids[i] = id;
    }
    if (named && lens_sources_unread(store, err) != 0)
        return -1;
    return lens_writers_sync(store, err);
}

int lens_writers_sync(lens_folder *store, lens_error *err)
{
    for (lens_writer *writer = store->writers; writer; writer = writer->next) {
        if (writer->end == writer->row.slots)
            continue;
        if (fdatasync(writer->fd) != 0)
            return lens_fail_errno(err, errno, "%s/%s: cannot be written", store->folder, writer->row.file);
        sqlite3_stmt *statement = lens_sql(store, "UPDATE model SET slots = ?2 WHERE id = ?1", err);
        if (!statement)
            return -1;
        sqlite3_bind_int64(statement, 1, writer->row.id);
        sqlite3_bind_int64(statement, 2, writer->end);
        if (lens_sql_finish(store, statement, err) != 0)
            return -1;
    }
    return 0;
}

int lens_writers_end(lens_folder *store, int result, lens_error *err)
{
    result = lens_sql_end(store, result, err);
    for (lens_writer *writer = store->writers; writer; writer = writer->next) {
        if (result == 0)
            writer->row.slots = writer->end;
        else
            lens_writer_trim(store, writer);
        writer->end = writer->row.slots;
    }
    return result;
}

int lens_folder_write(lens_folder *store, const lens_store_entry *entries, size_t count, int64_t *ids, lens_error *err)
{
    if (lens_sql_begin(store, err) != 0)
        return -1;
    int result = check(store, entries, count, err);
    if (result == 0)
        result = write_all(store, entries, count, ids, err);
    return lens_writers_end(store, result, err);
}
