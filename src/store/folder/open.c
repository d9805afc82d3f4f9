/* Opening and closing.
 *
 * SQLite runs in WAL mode, so that readers and the writer do not wait for each other, with synchronous = FULL: a commit
 * that was acknowledged survives a power cut, and a compaction may remove the old vector file as soon as its commit
 * returned. NORMAL would be consistent too but for that last point; FULL costs one more sync a batch: measured, 2 ms for
 * 256 pictures.
 *
 * The empty log and its index (library.db-wal, -shm) are left in place when the last one closes. With them there, SQLite
 * can read the library from a folder in which the reader may not write; without them it could not. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "store/folder/internal.h"

enum { BUSY_MS = 10000 };

static int open_folder(lens_folder *store, lens_error *err)
{
    if (store->makes && lens_folder_make(store->folder, err) != 0)
        return -1;
    store->dir = open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir >= 0)
        return 0;
    if (errno == ENOENT)
        return lens_fail(err, LENS_E_MISSING, "%s: there is no library here: `memelens index FOLDER` makes one", store->folder);
    return lens_fail_errno(err, errno, "%s: cannot open this library", store->folder);
}

static int connect(lens_folder *store, const char *name, int flags, lens_error *err)
{
    for (size_t i = 0; i < store->statement_count; i++)
        sqlite3_finalize(store->statements[i].statement);
    store->statement_count = 0;
    sqlite3_close(store->db);
    int code = sqlite3_open_v2(name, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (!store->db)
        return lens_sql_memory(store, err);
    if (code != SQLITE_OK)
        return lens_sql_fail(store, err);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    /* The file may come from anywhere: nothing that its schema says is trusted to run. */
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (sqlite3_create_function_v2(store->db, "lens_pairs", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, &store->pairs, NULL, lens_pairs_step, lens_pairs_end, NULL) != SQLITE_OK)
        return lens_sql_fail(store, err);
    int keep = 1;
    sqlite3_file_control(store->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* lens_folder_close does that, where it may */
    return lens_sql_run(store, "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
                               "PRAGMA cache_size = -16384", err);
}

/* Refuses a library of a newer version by the first bytes of its database, before anything of SQLite's or ours is written beside it: the lock, the log, its
 * index. Through SQLite, as closing a file of our own would take its locks from every other connection of this process. What waits in a log is seen when the
 * database is opened. */
static int refuse_newer(lens_folder *store, const char *path, lens_error *err)
{
    sqlite3 *db = NULL;
    sqlite3_file *file = NULL;
    uint8_t header[LENS_SCHEMA_HEADER];
    struct stat info;
    int result = 0;
    if (fstatat(store->dir, LENS_DATABASE, &info, 0) == 0 && !S_ISREG(info.st_mode)) /* a FIFO would hold us for ever */
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: not a regular file", store->folder, LENS_DATABASE);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
        sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK && file && file->pMethods &&
        file->pMethods->xRead(file, header, sizeof header, 0) == SQLITE_OK)
        result = lens_schema_look_at_header(store, header, err);
    sqlite3_close(db);
    return result;
}

/* "file:///FOLDER/library.db?immutable=1": SQLite then neither locks nor looks for a log. */
static char *immutable_uri(const char *path)
{
    lens_buffer uri = {0};
    int result = lens_buffer_print(&uri, "file://");
    for (; result == 0 && *path; path++)
        result = isalnum((unsigned char)*path) || strchr("/._-", *path)
                     ? lens_buffer_append(&uri, path, 1)
                     : lens_buffer_print(&uri, "%%%02X", (unsigned char)*path);
    if (result == 0)
        result = lens_buffer_print(&uri, "?immutable=1");
    if (result != 0)
        lens_buffer_free(&uri);
    return uri.data;
}

/* Reading where SQLite could not make its shared index: on a file system that is read-only nobody writes, so the
 * database can be read as it lies, provided that nothing waits in the log. (What is mounted read-only here may be written to elsewhere. Then the shared index
 * is there, unless nobody has written since the database came there without it.) */
static int look_without_log(lens_folder *store, const char *path, lens_error *err)
{
    struct statvfs system;
    struct stat log;
    bool still = fstatvfs(store->dir, &system) == 0 && (system.f_flag & ST_RDONLY);
    bool empty = fstatat(store->dir, LENS_DATABASE "-wal", &log, 0) != 0 ? errno == ENOENT : log.st_size == 0;
    if (!empty)
        return lens_fail(err, LENS_E_SYSTEM,
                         "%s: an interrupted run left rows in %s-wal, and this folder cannot be written to: open the "
                         "library once where it can be", store->folder, LENS_DATABASE);
    if (!still)
        return lens_fail(err, LENS_E_SYSTEM,
                         "%s: %s-shm is missing and cannot be made, as this folder cannot be written to: open the "
                         "library once as its owner", store->folder, LENS_DATABASE);
    char *uri = immutable_uri(path);
    if (!uri)
        return lens_sql_memory(store, err);
    store->unwatched = true;
    int result = connect(store, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    free(uri);
    return result == 0 ? lens_schema_look(store, err) : -1;
}

static lens_store_file file_of(const struct stat *info)
{
    return (lens_store_file){info->st_dev, info->st_ino};
}

static int find_database(const lens_folder *store, struct stat *info, lens_error *err)
{
    if (fstatat(store->dir, LENS_DATABASE, info, 0) == 0)
        return 0;
    return errno == ENOENT ? lens_fail(err, LENS_E_MISSING, "%s: there is no library here: `memelens index FOLDER` makes one", store->folder)
                           : lens_fail_errno(err, errno, "%s/%s", store->folder, LENS_DATABASE);
}

static int open_to_read(lens_folder *store, const char *path, lens_error *err)
{
    struct stat info;
    if (find_database(store, &info, err) != 0)
        return -1;
    /* Before it is opened: should another one be put there in between, what is there then is held for moved, and opened once more. */
    store->file = file_of(&info);
    lens_error error = {0};
    int is_library = connect(store, path, SQLITE_OPEN_READONLY, &error) == 0 ? lens_schema_look(store, &error) : -1;
    int code = sqlite3_errcode(store->db) & 0xff;
    /* A journal that is to be rolled back is older than the log: a writer was killed while it made the library, and the next one begins anew. */
    if (is_library < 0 && sqlite3_extended_errcode(store->db) == SQLITE_READONLY_ROLLBACK)
        is_library = 0;
    const int system = sqlite3_system_errno(store->db);
    const bool other = error.code == LENS_E_FULL || system == EMFILE || system == ENFILE; /* which no other way to read would help */
    if (is_library < 0 && !other && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && access(path, R_OK) == 0)
        is_library = look_without_log(store, path, &error);
    if (is_library == 0) /* a writer is making it, or was killed while making it */
        lens_fail(&error, LENS_E_MISSING, "%s: there is no library here yet", store->folder);
    if (is_library <= 0 && err)
        *err = error;
    return is_library > 0 ? 0 : -1;
}

static int open_to_write(lens_folder *store, const char *path, lens_error *err)
{
    struct stat log;
    store->doubtful = fstatat(store->dir, LENS_DATABASE "-wal", &log, 0) == 0 && log.st_size > 0;
    if (connect(store, path, SQLITE_OPEN_READWRITE | (store->makes ? SQLITE_OPEN_CREATE : 0), err) != 0)
        return -1;
    /* By the path, as SQLite goes, and after it: should another one be put there in between, what is open counts as that. */
    struct stat info;
    if (stat(path, &info) == 0)
        store->file = file_of(&info);
    int is_library = lens_schema_look(store, err);
    if (is_library == 0 && !store->makes)
        return lens_fail(err, LENS_E_MISSING, "%s: there is no library here yet", store->folder);
    /* Only now, when it is ours: setting the mode writes to the file. */
    if (is_library < 0 || lens_sql_run(store, "PRAGMA journal_mode = WAL", err) != 0 || lens_schema_raise(store, err) != 0)
        return -1;
    if (is_library == 0 && lens_folder_sync(store, err) != 0)
        return -1;
    if (!store->doubtful)
        lens_strays_remove(store);
    store->loose_unknown = true;
    return 0;
}

static int read_mark(lens_folder *store, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT mark FROM library", err);
    if (!statement)
        return -1;
    int result = lens_sql_step(store, statement, err);
    if (result > 0 && sqlite3_column_bytes(statement, 0) == (int)sizeof store->mark) {
        memcpy(store->mark, sqlite3_column_blob(statement, 0), sizeof store->mark);
        result = 0;
    } else if (result >= 0) {
        result = lens_fail(err, LENS_E_FORMAT, "%s/%s: the row about the library is damaged", store->folder, LENS_DATABASE);
    }
    lens_sql_done(store, statement);
    return result;
}

lens_folder *lens_folder_open(const char *folder, lens_store_mode mode, double wait, lens_error *err)
{
    lens_folder *store = calloc(1, sizeof *store);
    if (!store) {
        lens_fail_memory_for(err, folder);
        return NULL;
    }
    store->mode = mode == LENS_STORE_READ ? LENS_STORE_READ : LENS_STORE_WRITE;
    store->copies = mode == LENS_STORE_COPY;
    store->makes = mode == LENS_STORE_WRITE || mode == LENS_STORE_COPY;
    store->dir = store->lock = -1;
    store->folder = lens_path_absolute(folder, err);
    if (!store->folder || open_folder(store, err) != 0)
        goto fail;
    store->path = lens_path_join(store->folder, LENS_DATABASE);
    if (!store->path) {
        lens_sql_memory(store, err);
        goto fail;
    }
    if (refuse_newer(store, store->path, err) != 0)
        goto fail;
    struct stat info;
    if (store->mode == LENS_STORE_WRITE && !store->makes && find_database(store, &info, err) != 0) /* before a lock is left there */
        goto fail;
    if (store->mode == LENS_STORE_WRITE && lens_writer_lock(store, wait, err) != 0)
        goto fail;
    if ((store->mode == LENS_STORE_WRITE ? open_to_write : open_to_read)(store, store->path, err) != 0 || read_mark(store, err) != 0 ||
        (store->mode == LENS_STORE_WRITE && lens_models_refuse_newer(store, err) != 0))
        goto fail;
    return store;
fail:
    lens_folder_close(store);
    return NULL;
}

void lens_folder_close(lens_folder *store)
{
    if (!store)
        return;
    lens_writer_drop(store, 0);
    for (size_t i = 0; i < store->statement_count; i++)
        sqlite3_finalize(store->statements[i].statement);
    if (store->db && store->mode == LENS_STORE_WRITE && store->version > 0) {
        /* The log back into the database, as far as readers let us: they need not be waited for. (What is not ours, or newer, stays as it is.) */
        sqlite3_busy_timeout(store->db, 0);
        sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    sqlite3_close(store->db);
    lens_writer_unlock(store);
    if (store->dir >= 0)
        close(store->dir);
    lens_met_free(&store->met);
    lens_id_list_free(&store->loose);
    free(store->path);
    free(store->folder);
    free(store);
}

/* Where the shared index cannot be written to and no writer keeps it, SQLite makes one of its own for every transaction, and counts each of them as a change:
 * a server would read all of the library anew each time it looks. There the version is what the database's files say of themselves. Of what was just written
 * the time is too coarse to tell one write from the next, so that it counts as changed until a second has gone. */
static int version_of_files(lens_folder *store, int64_t *version, lens_error *err)
{
    static const char *const names[] = {LENS_DATABASE, LENS_DATABASE "-wal"};
    int64_t about[7] = {0}, now;
    struct timespec clock;
    clock_gettime(CLOCK_REALTIME, &clock);
    now = lens_file_time_ns(&clock);
    for (size_t i = 0; i < 2; i++) {
        struct stat info;
        if (fstatat(store->dir, names[i], &info, 0) == 0) {
            const int64_t changed = lens_file_mtime_ns(&info);
            about[3 * i] = (int64_t)info.st_ino, about[3 * i + 1] = info.st_size, about[3 * i + 2] = changed;
            if (changed > now - 1000000000 && changed < now + 1000000000)
                about[6] = ++store->looks;
        } else if (errno != ENOENT || i == 0) {
            return lens_fail_errno(err, errno, "%s/%s", store->folder, names[i]);
        }
    }
    const lens_hash hash = lens_hash_of(about, sizeof about);
    memcpy(version, hash.bytes, sizeof *version);
    return 0;
}

int lens_folder_version(lens_folder *store, int64_t *version, lens_error *err)
{
    if (store->mode == LENS_STORE_READ && !store->unwatched && faccessat(store->dir, LENS_DATABASE "-shm", W_OK, 0) != 0)
        return version_of_files(store, version, err);
    return lens_sql_number(store, "PRAGMA data_version", version, err);
}

lens_store_file lens_folder_file_of(const lens_folder *store)
{
    return store->file;
}

int lens_folder_which(lens_folder *store, lens_store_file *which, lens_error *err)
{
    (void)err;
    *which = store->file;
    return 0;
}

/* By the path, for the folder may have been moved with all that is in it. Where that cannot be told, what is open is read on. */
bool lens_folder_moved(const lens_folder *store)
{
    struct stat info;
    if (store->mode != LENS_STORE_READ)
        return false;
    if (stat(store->path, &info) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return !lens_store_file_same(file_of(&info), store->file);
}

int lens_folder_moment_begin(lens_folder *store, lens_error *err)
{
    return lens_sql_begin_read(store, err);
}

void lens_folder_moment_end(lens_folder *store)
{
    lens_sql_end(store, -1, NULL);
}
