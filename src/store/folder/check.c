/* Looking at everything in a library, and saying each fault in one line. Files are read, not mapped: a disk that fails
 * is then a message and not a signal. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "store/folder/internal.h"

typedef struct report {
    lens_folder *store;
    void (*fault)(void *context, const char *line);
    void *context;
    int count;
} report;

static void __attribute__((format(printf, 2, 3))) say(report *to, const char *format, ...)
{
    char words[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    lens_buffer line = {0};
    int whole = lens_text_printable(to->store->folder, strlen(to->store->folder), &line);
    if (whole == 0)
        whole = lens_buffer_print(&line, "/%s", words);
    if (to->fault)
        to->fault(to->context, whole == 0 ? line.data : words);
    lens_buffer_free(&line);
    if (to->count < INT32_MAX)
        to->count++;
}

/* Every row of SQL is a fault, said in its first column; "ok" is none. REMEDY: what helps. */
static int say_rows(report *to, const char *sql, const char *remedy, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(to->store, sql, err);
    if (!statement)
        return -1;
    int result;
    while ((result = lens_sql_step(to->store, statement, err)) > 0) {
        const char *words = (const char *)sqlite3_column_text(statement, 0);
        lens_buffer safe = {0};
        if (words && strcmp(words, "ok") != 0 && lens_text_printable(words, strlen(words), &safe) == 0)
            say(to, "%s: %s; %s", LENS_DATABASE, safe.data, remedy);
        lens_buffer_free(&safe);
    }
    lens_sql_done(to->store, statement);
    return result;
}

#define ANEW "move the library away and index again"

static int check_database(report *to, lens_error *err)
{
    static const struct {
        const char *sql, *remedy;
    } looks[] = {
        {"PRAGMA integrity_check", ANEW},
        {"SELECT 'a row of ' || \"table\" || ' points at a ' || parent || ' that is not there'"
         " FROM pragma_foreign_key_check", ANEW},
        {"SELECT 'picture ' || id || ' has no absolute path' FROM picture"
         " WHERE substr(path, 1, 1) <> x'2f' OR instr(path, x'00')", ANEW},
        /* A CHECK of the schema, but SQLite leaves those out where it only reads. */
        {"SELECT 'picture ' || id || ' has not one of a content and a reason' FROM picture"
         " WHERE (content IS NULL) = (reason IS NULL)", ANEW},
        {"SELECT 'a rule has no absolute path' FROM rule WHERE substr(path, 1, 1) <> x'2f' OR instr(path, x'00')", ANEW},
        {"SELECT 'content ' || id || ' has a hash of ' || length(hash) || ' bytes' FROM content"
         " WHERE length(hash) <> 16", ANEW},
    };
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (say_rows(to, looks[i].sql, looks[i].remedy, err) != 0)
            return -1;
    for (size_t i = 0; i < LENS_TEXTS_FAULTS && lens_words_here(to->store); i++)
        if (say_rows(to, lens_texts_faults[i], "the next memelens index mends that", err) != 0)
            return -1;
    return 0;
}

/* The path of some picture that holds CONTENT, fit to be shown. */
static void picture_of(lens_folder *store, int64_t content, lens_buffer *out)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT path FROM picture WHERE content = ?1 LIMIT 1", NULL);
    if (!statement)
        return;
    sqlite3_bind_int64(statement, 1, content);
    if (lens_sql_step(store, statement, NULL) > 0) {
        const char *path = sqlite3_column_blob(statement, 0);
        if (path)
            lens_text_printable(path, (size_t)sqlite3_column_bytes(statement, 0), out);
    }
    lens_sql_done(store, statement);
}

static void say_vector(report *to, const lens_model_row *model, const char *name, int64_t slot, int64_t content,
                       const char *what)
{
    lens_buffer path = {0};
    picture_of(to->store, content, &path);
    say(to, "%s: vector %" PRId64 "%s%s %s; memelens forget --model %s, then index again", model->file, slot,
        path.data ? ", of " : "", path.data ? path.data : "", what, name);
    lens_buffer_free(&path);
}

/* Every row of MODEL's vectors against its open file. */
static int check_rows(report *to, const lens_model_row *model, const char *name, int fd, lens_error *err)
{
    float *values = malloc((size_t)model->identity.dim * sizeof *values);
    uint8_t *used = calloc((size_t)model->slots / 8 + 1, 1);
    sqlite3_stmt *statement = NULL;
    int result = -1;
    if (!values || !used)
        lens_sql_memory(to->store, err);
    else
        statement = lens_sql(to->store, "SELECT content, slot FROM vector NOT INDEXED WHERE model = ?1", err);
    if (statement) {
        sqlite3_bind_int64(statement, 1, model->id);
        while ((result = lens_sql_step(to->store, statement, err)) > 0) {
            int64_t content = sqlite3_column_int64(statement, 0), slot = sqlite3_column_int64(statement, 1);
            if (slot < 0 || slot >= model->slots) {
                say_vector(to, model, name, slot, content, "lies beyond the end");
                continue;
            }
            if (used[slot / 8] & (1 << slot % 8))
                say_vector(to, model, name, slot, content, "belongs to another content too");
            used[slot / 8] |= (uint8_t)(1 << slot % 8);
            lens_error reason = {0};
            if (lens_vector_file_get(fd, to->store->folder, model->file, model->identity.dim, slot, values, 1, &reason) != 0)
                say_vector(to, model, name, slot, content, "cannot be read");
            else if (!lens_store_is_unit(values, model->identity.dim))
                say_vector(to, model, name, slot, content, "is not finite and of length 1");
        }
        lens_sql_done(to->store, statement);
    }
    free(values);
    free(used);
    return result;
}

static int check_model(report *to, int64_t id, const char *name, lens_error *err)
{
    lens_model_row row;
    lens_error reason = {0};
    int fd = lens_vectors_begin(to->store, id, &row, NULL, &reason);
    if (fd < 0) {
        if (reason.code == LENS_E_MISSING) /* forgotten since it was listed */
            return 0;
        if (reason.code != LENS_E_FORMAT && reason.code != LENS_E_VERSION) {
            if (err)
                *err = reason;
            return -1;
        }
        /* The reason begins with the folder, as does every line. */
        size_t folder = strlen(to->store->folder);
        bool twice = strncmp(reason.message, to->store->folder, folder) == 0 && reason.message[folder] == '/';
        say(to, "%s; memelens forget --model %s, then index again", reason.message + (twice ? folder + 1 : 0), name);
        return 0;
    }
    int result = check_rows(to, &row, name, fd, err);
    close(fd);
    lens_sql_end(to->store, 0, NULL);
    return result;
}

static int check_models(report *to, int (*list)(lens_folder *, lens_store_models *, lens_error *), lens_error *err)
{
    lens_store_models models = {0};
    int result = list(to->store, &models, err);
    for (size_t i = 0; i < models.count && result == 0; i++) {
        lens_buffer name = {0};
        result = lens_text_printable(models.items[i].name, strlen(models.items[i].name), &name);
        if (result == 0)
            result = check_model(to, models.items[i].id, name.data ? name.data : "", err);
        else
            lens_sql_memory(to->store, err);
        lens_buffer_free(&name);
    }
    lens_store_models_free(&models);
    return result;
}

int lens_folder_check(lens_folder *store, void (*fault)(void *context, const char *line), void *context, lens_error *err)
{
    report to = {store, fault, context, 0};
    lens_error reason = {0};
    int result = check_database(&to, &reason);
    if (result == 0)
        result = check_models(&to, lens_folder_models_list, &reason);
    if (result == 0)
        result = check_models(&to, lens_folder_sentence_models, &reason);
    if (result == 0)
        return to.count;
    if (reason.code == LENS_E_FORMAT) {
        /* Too damaged to look further: that is a fault too. */
        say(&to, "%s: cannot be looked at any further; " ANEW, LENS_DATABASE);
        return to.count;
    }
    if (err)
        *err = reason;
    return -1;
}
