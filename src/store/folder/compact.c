/* Giving room back: a vector file in which dead slots pile up is written anew.
 *
 * The new file, of the next generation, is written and synced, and so is its folder; one transaction renumbers the slots
 * and names it; then the old file goes. A kill before the commit leaves a stray new file, after it a stray old one: the
 * next writer removes either. Readers that have the old file mapped go on with it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/folder/internal.h"

/* A quarter of dead slots is worth a copy of the rest. */
static bool worth_it(int64_t dead, int64_t all, bool always)
{
    return always ? dead > 0 : dead > all / 4;
}

/* The slots of MODEL that rows name, in order. */
static int live_slots(lens_folder *store, int64_t model, lens_id_list *out, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT slot FROM vector INDEXED BY vector_slot"
                                              " WHERE model = ?1 ORDER BY slot", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, model);
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        if (lens_id_list_add(out, sqlite3_column_int64(statement, 0)) != 0) {
            result = lens_sql_memory(store, err);
            break;
        }
    }
    lens_sql_done(store, statement);
    return result;
}

static int copy_rows(lens_folder *store, const lens_writer *from, const lens_model_row *to, int fd, const lens_id_list *live,
                     lens_error *err)
{
    enum { BYTES = 1 << 20 };
    int dim = to->identity.dim;
    int64_t room = BYTES / ((int64_t)dim * (int64_t)sizeof(float));
    room = room > 0 ? room : 1;
    float *rows = malloc((size_t)room * (size_t)dim * sizeof *rows);
    if (!rows)
        return lens_sql_memory(store, err);
    int result = 0;
    for (size_t i = 0; result == 0 && i < live->count;) {
        /* As many as lie side by side. */
        int64_t run = 1;
        while (run < room && i + (size_t)run < live->count && live->items[i + (size_t)run] == live->items[i] + run)
            run++;
        result = lens_vector_file_get(from->fd, store->folder, from->row.file, dim, live->items[i], rows, run, err);
        if (result == 0)
            result = lens_vector_file_put(fd, store->folder, to->file, dim, (int64_t)i, rows, run, err);
        i += (size_t)run;
    }
    free(rows);
    if (result == 0 && fdatasync(fd) != 0)
        result = lens_fail_errno(err, errno, "%s/%s: cannot be written", store->folder, to->file);
    return result;
}

/* Slots only ever go down, and in rising order, so no two rows share one on the way. */
static int renumber(lens_folder *store, const lens_model_row *row, const lens_id_list *live, lens_error *err)
{
    for (size_t i = 0; i < live->count; i++) {
        if (live->items[i] == (int64_t)i)
            continue;
        sqlite3_stmt *statement = lens_sql(store, "UPDATE vector SET slot = ?3 WHERE model = ?1 AND slot = ?2", err);
        if (!statement)
            return -1;
        sqlite3_bind_int64(statement, 1, row->id);
        sqlite3_bind_int64(statement, 2, live->items[i]);
        sqlite3_bind_int64(statement, 3, (int64_t)i);
        if (lens_sql_finish(store, statement, err) != 0)
            return -1;
    }
    sqlite3_stmt *statement = lens_sql(store, "UPDATE model SET generation = ?2, file = ?3, slots = ?4 WHERE id = ?1", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, row->id);
    sqlite3_bind_int64(statement, 2, row->identity.generation);
    sqlite3_bind_text(statement, 3, row->file, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, row->slots);
    return lens_sql_finish(store, statement, err);
}

/* Writes the next generation of FROM's file, and the rows that name it. TO->file is set once there is something to
 * remove on failure. */
static int rewrite(lens_folder *store, const lens_writer *from, const char *name, const lens_id_list *live, lens_model_row *to,
                   lens_error *err)
{
    if (live->count > 0 && (live->items[0] < 0 || live->items[live->count - 1] >= from->row.slots))
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: a row names a vector beyond the end of %s", store->folder, LENS_DATABASE,
                         from->row.file);
    *to = from->row;
    to->file[0] = '\0';
    to->slots = (int64_t)live->count;
    if (lens_generation_next(store, &to->identity.generation, err) != 0)
        return -1;
    lens_vector_file_name(name, to->identity.generation, to->file);
    int fd = lens_vector_file_create(store->dir, store->folder, to->file, &to->identity, err);
    if (fd < 0)
        return -1;
    int result = copy_rows(store, from, to, fd, live, err);
    close(fd);
    if (result == 0)
        result = lens_folder_sync(store, err);
    return result == 0 ? renumber(store, to, live, err) : -1;
}

static int compact_model(lens_folder *store, const lens_store_model *model, bool always, lens_error *err)
{
    lens_writer *writer = lens_writer_of(store, model->id, err);
    if (!writer)
        return -1;
    if (!worth_it(writer->row.slots - model->vectors, writer->row.slots, always))
        return 0;
    lens_model_row to = {0};
    lens_id_list live = {0};
    int result = lens_sql_begin(store, err);
    if (result == 0) {
        result = live_slots(store, model->id, &live, err);
        if (result == 0)
            result = rewrite(store, writer, model->name, &live, &to, err);
        result = lens_sql_end(store, result, err);
    }
    lens_id_list_free(&live);
    if (result != 0) {
        if (to.file[0] && !store->doubtful)
            unlinkat(store->dir, to.file, 0);
        return -1;
    }
    char old[LENS_VECTOR_NAME];
    memcpy(old, writer->row.file, sizeof old);
    lens_writer_drop(store, model->id);
    unlinkat(store->dir, old, 0);
    return 0;
}

static int compact_models(lens_folder *store, int (*list)(lens_folder *, lens_store_models *, lens_error *), bool always, lens_error *err)
{
    lens_store_models models = {0};
    int result = list(store, &models, err);
    for (size_t i = 0; result == 0 && i < models.count; i++)
        result = compact_model(store, &models.items[i], always, err);
    lens_store_models_free(&models);
    return result;
}

/* Whether the library's own disk has room for BYTES more. */
static bool has_room(const lens_folder *store, int64_t bytes)
{
    struct statvfs disk;
    return fstatvfs(store->dir, &disk) == 0 && (double)disk.f_bavail * (double)disk.f_frsize > (double)bytes;
}

/* Writes the database anew. SQLite first puts all that is left of it where its temporary tables are: of a large one that is better a file, which has no name
 * any more, than as much memory. */
static int vacuum(lens_folder *store, int64_t pages, lens_error *err)
{
    enum { IN_MEMORY_MOST = 32 << 20 /* bytes */ };
    int64_t page_bytes = 0;
    if (lens_sql_number(store, "PRAGMA page_size", &page_bytes, err) != 0)
        return -1;
    if (pages * page_bytes > IN_MEMORY_MOST) {
        lens_error why = {0};
        int result = lens_sql_run(store, "PRAGMA temp_store = FILE", &why) == 0 ? lens_sql_run(store, "VACUUM", &why) : -1;
        const int code = result == 0 ? SQLITE_OK : sqlite3_extended_errcode(store->db) & 0xff;
        if (lens_sql_run(store, "PRAGMA temp_store = MEMORY", err) != 0)
            return -1;
        /* Only where it was that file that could not be made or filled. */
        const bool elsewhere = code == SQLITE_CANTOPEN || code == SQLITE_IOERR || code == SQLITE_FULL;
        if (result == 0 || !elsewhere || !has_room(store, pages * page_bytes)) {
            if (result != 0 && err)
                *err = why;
            return result;
        }
    }
    return lens_sql_run(store, "VACUUM", err);
}

int lens_folder_compact(lens_folder *store, bool always, lens_error *err)
{
    if (store->mode != LENS_STORE_WRITE)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: the library was opened for reading only", store->folder);
    int result = compact_models(store, lens_folder_models_list, always, err);
    if (result == 0)
        result = compact_models(store, lens_folder_sentence_models, always, err);
    int64_t unused = 0, all = 0;
    if (result != 0 || lens_sql_number(store, "PRAGMA freelist_count", &unused, err) != 0 ||
        lens_sql_number(store, "PRAGMA page_count", &all, err) != 0)
        return -1;
    return worth_it(unused, all, always) ? vacuum(store, all - unused, err) : 0;
}
