/* Models and the files that hold their vectors. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/list.h"
#include "store/folder/internal.h"

#define MODEL_COLUMNS "id, name, dim, fingerprint, generation, file, slots"

static int damaged(lens_folder *store, int64_t id, lens_error *err)
{
    return lens_fail(err, LENS_E_FORMAT, "%s/%s: the row of model %lld is damaged", store->folder, LENS_DATABASE,
                     (long long)id);
}

/* The row under STATEMENT, which selects MODEL_COLUMNS. The file's name is checked before anyone opens it: rows are
 * outside bytes. */
static int read_row(lens_folder *store, sqlite3_stmt *statement, lens_model_row *row, lens_error *err)
{
    *row = (lens_model_row){.id = sqlite3_column_int64(statement, 0)};
    int64_t dim = sqlite3_column_int64(statement, 2);
    const char *file = (const char *)sqlite3_column_text(statement, 5);
    row->identity.generation = sqlite3_column_int64(statement, 4);
    row->slots = sqlite3_column_int64(statement, 6);
    if (dim < 1 || dim > LENS_VECTOR_DIM_MAX || row->slots < 0 || row->slots > UINT32_MAX || !file ||
        !lens_vector_file_is_name(file) || sqlite3_column_bytes(statement, 3) != (int)sizeof row->identity.fingerprint)
        return damaged(store, row->id, err);
    row->identity.dim = (int)dim;
    memcpy(row->identity.fingerprint.bytes, sqlite3_column_blob(statement, 3), sizeof row->identity.fingerprint);
    memcpy(row->identity.mark, store->mark, sizeof store->mark);
    memcpy(row->file, file, strlen(file) + 1);
    return 0;
}

int lens_model_load(lens_folder *store, int64_t id, lens_model_row *row, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT " MODEL_COLUMNS " FROM model WHERE id = ?1", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, id);
    int result = lens_sql_step(store, statement, err);
    if (result > 0 && read_row(store, statement, row, err) != 0)
        result = -1;
    lens_sql_done(store, statement);
    return result;
}

/* The same by name. */
static int load_named(lens_folder *store, const char *name, lens_model_row *row, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT " MODEL_COLUMNS " FROM model WHERE name = ?1", err);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    int result = lens_sql_step(store, statement, err);
    if (result > 0 && read_row(store, statement, row, err) != 0)
        result = -1;
    lens_sql_done(store, statement);
    return result;
}

static int list_one(lens_folder *store, sqlite3_stmt *statement, lens_store_model *out, lens_error *err)
{
    lens_model_row row;
    if (read_row(store, statement, &row, err) != 0)
        return -1;
    bool short_of_memory = false;
    *out = (lens_store_model){
        .id = row.id,
        .name = lens_sql_text(statement, 1, &short_of_memory),
        .dim = row.identity.dim,
        .fingerprint = row.identity.fingerprint,
        .vectors = sqlite3_column_int64(statement, 7),
    };
    if (!out->name)
        return short_of_memory ? lens_sql_memory(store, err) : damaged(store, row.id, err);
    struct stat info;
    if (fstatat(store->dir, row.file, &info, 0) == 0)
        out->file_bytes = (int64_t)info.st_size;
    return 0;
}

int lens_models_refuse_newer(lens_folder *store, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT " MODEL_COLUMNS " FROM model", err);
    int result = statement ? 0 : -1, step;
    while (result == 0 && (step = lens_sql_step(store, statement, err)) != 0) {
        lens_model_row row;
        lens_error why = {0};
        const int fd = step > 0 && read_row(store, statement, &row, &why) == 0
                           ? lens_vector_file_open(store->dir, store->folder, row.file, &row.identity, 0, false, NULL, &why) : -1;
        if (fd >= 0)
            close(fd);
        if (step < 0 || why.code == LENS_E_VERSION)
            result = -1;
        if (why.code == LENS_E_VERSION && err)
            *err = why;
    }
    if (statement)
        lens_sql_done(store, statement);
    return result;
}

#define MODEL_LIST "SELECT " MODEL_COLUMNS ", (SELECT count(*) FROM vector WHERE model = model.id) FROM model "

static int list(lens_folder *store, sqlite3_stmt *statement, lens_store_models *out, lens_error *err)
{
    *out = (lens_store_models){0};
    if (!statement)
        return -1;
    size_t capacity = 0;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        lens_store_model *items = lens_list_room(out->items, out->count, &capacity, sizeof *items);
        if (!items) {
            result = lens_sql_memory(store, err);
            break;
        }
        out->items = items;
        if (list_one(store, statement, &out->items[out->count], err) != 0) {
            result = -1;
            break;
        }
        out->count++;
    }
    lens_sql_done(store, statement);
    if (result != 0)
        lens_store_models_free(out);
    return result;
}

int lens_folder_models_list(lens_folder *store, lens_store_models *out, lens_error *err)
{
    return list(store, lens_words_here(store) ? lens_sql(store, MODEL_LIST "WHERE NOT sentences ORDER BY id", err)
                                              : lens_sql(store, MODEL_LIST "ORDER BY id", err), out, err);
}

int lens_folder_sentence_models(lens_folder *store, lens_store_models *out, lens_error *err)
{
    *out = (lens_store_models){0};
    return lens_words_here(store) ? list(store, lens_sql(store, MODEL_LIST "WHERE sentences ORDER BY id", err), out, err) : 0;
}

int lens_generation_next(lens_folder *store, int64_t *generation, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "UPDATE library SET generation = generation + 1 RETURNING generation", err);
    if (!statement)
        return -1;
    int result = lens_sql_step(store, statement, err);
    if (result == 0)
        result = lens_fail(err, LENS_E_FORMAT, "%s/%s: the row about the library is missing", store->folder, LENS_DATABASE);
    if (result > 0)
        *generation = sqlite3_column_int64(statement, 0);
    lens_sql_done(store, statement);
    return result < 0 ? -1 : 0;
}

/* ROW->id other than 0: the number that it is to have. */
static int insert(lens_folder *store, const char *name, bool sentences, lens_model_row *row, lens_error *err)
{
    if (lens_generation_next(store, &row->identity.generation, err) != 0)
        return -1;
    lens_vector_file_name(name, row->identity.generation, row->file);
    int fd = lens_vector_file_create(store->dir, store->folder, row->file, &row->identity, err);
    if (fd < 0)
        return -1;
    int result = fdatasync(fd) == 0 ? 0 : lens_fail_errno(err, errno, "%s/%s: cannot be written", store->folder, row->file);
    close(fd);
    if (result != 0 || lens_folder_sync(store, err) != 0)
        return -1;
    sqlite3_stmt *statement = lens_sql(store, "INSERT INTO model (id, name, dim, fingerprint, generation, file, slots, sentences)"
                                              " VALUES (?7, ?1, ?2, ?3, ?4, ?5, 0, ?6)", err);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, row->identity.dim);
    sqlite3_bind_blob(statement, 3, row->identity.fingerprint.bytes, (int)sizeof row->identity.fingerprint, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, row->identity.generation);
    sqlite3_bind_text(statement, 5, row->file, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 6, sentences);
    if (row->id)
        sqlite3_bind_int64(statement, 7, row->id);
    if (lens_sql_finish(store, statement, err) != 0)
        return -1;
    row->id = sqlite3_last_insert_rowid(store->db);
    return 0;
}

static int check_model(const char *name, int64_t dim, lens_error *err)
{
    return name && *name && dim >= 1 && dim <= LENS_VECTOR_DIM_MAX
               ? 0 : lens_fail(err, LENS_E_ARGUMENT, "%s: a model needs a name and from 1 to %d dimensions", name ? name : "(none)", LENS_VECTOR_DIM_MAX);
}

int lens_model_put(lens_folder *store, int64_t id, const char *name, bool sentences, int64_t dim, lens_hash fingerprint, lens_error *err)
{
    if (check_model(name, dim, err) != 0)
        return -1;
    lens_model_row row = {.id = id, .identity = {.dim = (int)dim, .fingerprint = fingerprint}};
    memcpy(row.identity.mark, store->mark, sizeof store->mark);
    return insert(store, name, sentences, &row, err);
}

static int add_model(lens_folder *store, const char *name, bool sentences, int dim, lens_hash fingerprint, int64_t *id, lens_error *err)
{
    if (check_model(name, dim, err) != 0)
        return -1;
    lens_model_row row;
    int found = load_named(store, name, &row, err);
    if (found < 0)
        return -1;
    if (found > 0) {
        bool same = row.identity.dim == dim && memcmp(&row.identity.fingerprint, &fingerprint, sizeof fingerprint) == 0;
        *id = row.id;
        return same ? 0 : lens_fail(err, LENS_E_FORMAT,
                                    "%s: its vectors of model %s were made with other weights; to begin anew: "
                                    "memelens forget --model %s, then memelens index", store->folder, name, name);
    }
    if (lens_sql_begin(store, err) != 0)
        return -1;
    row = (lens_model_row){.identity = {.dim = dim, .fingerprint = fingerprint}};
    memcpy(row.identity.mark, store->mark, sizeof store->mark);
    int result = lens_sql_end(store, insert(store, name, sentences, &row, err), err);
    if (result != 0 && row.file[0] && !store->doubtful)
        unlinkat(store->dir, row.file, 0);
    *id = row.id;
    return result;
}

int lens_folder_add_model(lens_folder *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err)
{
    return add_model(store, name, false, dim, fingerprint, id, err);
}

int lens_folder_add_sentence_model(lens_folder *store, const char *name, int dim, lens_hash fingerprint, int64_t *id, lens_error *err)
{
    return add_model(store, name, true, dim, fingerprint, id, err);
}

static int remove_rows(lens_folder *store, int64_t id, lens_error *err)
{
    if (lens_sql_run_with(store, "DELETE FROM vector WHERE model = ?1", id, err) != 0)
        return -1;
    return lens_sql_run_with(store, "DELETE FROM model WHERE id = ?1", id, err);
}

int lens_folder_forget_model(lens_folder *store, const char *name, lens_error *err)
{
    lens_model_row row;
    int found = load_named(store, name, &row, err);
    if (found == 0)
        return lens_fail(err, LENS_E_MISSING, "%s: there is no model %s in this library", store->folder, name);
    if (found < 0 || lens_sql_begin(store, err) != 0)
        return -1;
    if (lens_sql_end(store, remove_rows(store, row.id, err), err) != 0)
        return -1;
    lens_writer_drop(store, row.id);
    unlinkat(store->dir, row.file, 0); /* what cannot be removed now is a stray for the next writer */
    return 0;
}

void lens_writer_trim(const lens_folder *store, lens_writer *writer)
{
    if (!store->doubtful && ftruncate(writer->fd, lens_vector_offset(writer->row.identity.dim, writer->row.slots)) != 0)
        errno = 0; /* no harm: the next batch writes over it */
}

lens_writer *lens_writer_of(lens_folder *store, int64_t model, lens_error *err)
{
    for (lens_writer *writer = store->writers; writer; writer = writer->next)
        if (writer->row.id == model)
            return writer;
    lens_writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        lens_sql_memory(store, err);
        return NULL;
    }
    int found = lens_model_load(store, model, &writer->row, err);
    if (found == 0)
        lens_fail(err, LENS_E_ARGUMENT, "%s: the model is no longer in this library", store->folder);
    writer->fd = -1;
    if (found > 0)
        writer->fd = lens_vector_file_open(store->dir, store->folder, writer->row.file, &writer->row.identity,
                                           writer->row.slots, true, NULL, err);
    if (writer->fd < 0) {
        free(writer);
        return NULL;
    }
    lens_writer_trim(store, writer);
    writer->end = writer->row.slots;
    writer->next = store->writers;
    store->writers = writer;
    return writer;
}

void lens_writer_drop(lens_folder *store, int64_t model)
{
    for (lens_writer **at = &store->writers; *at;) {
        lens_writer *writer = *at;
        if (model == 0 || writer->row.id == model) {
            *at = writer->next;
            close(writer->fd);
            free(writer);
        } else {
            at = &writer->next;
        }
    }
}

int lens_folder_sync(lens_folder *store, lens_error *err)
{
    return fsync(store->dir) == 0 ? 0 : lens_fail_errno(err, errno, "%s: cannot sync this folder", store->folder);
}

/* 1 when a model names FILE. */
static int named(lens_folder *store, const char *file)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT 1 FROM model WHERE file = ?1", NULL);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, file, -1, SQLITE_STATIC);
    int result = lens_sql_step(store, statement, NULL);
    lens_sql_done(store, statement);
    return result;
}

void lens_strays_remove(lens_folder *store)
{
    int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        if (fd >= 0)
            close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(folder))) {
        char file[LENS_VECTOR_NAME];
        if (lens_file_is_abandoned(entry->d_name))
            unlinkat(store->dir, entry->d_name, 0);
        const bool copy = lens_vector_copy_is_name(entry->d_name, file);
        if ((copy || lens_vector_file_is_name(entry->d_name)) && named(store, copy ? file : entry->d_name) == 0)
            unlinkat(store->dir, entry->d_name, 0);
    }
    closedir(folder);
}
