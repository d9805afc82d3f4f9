/* Which pictures may be results: by path, date, size, format and the folder that they lie in. */
#include <stdlib.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"
#include "store/folder/internal.h"

/* The part of PATH that begins with the slash before the name of the nearest of ROOTS; before its own name when it is in none. */
static const char *from_root(const char *path, const lens_names *roots)
{
    const char *root = lens_names_nearest(roots, path);
    for (size_t at = strlen(root ? root : path); at > 0; at--)
        if (path[at - 1] == '/')
            return path + at - 1;
    return path;
}

static void lower(char *text)
{
    for (; *text; text++)
        *text = lens_ascii_lower(*text);
}

typedef struct sieve {
    const lens_store_filter *filter;
    bool all;   /* it asks for nothing but times */
    char *glob; /* lower-case; NULL: all match */
    lens_names roots;
    lens_buffer path;
} sieve;

/* 1, 0, or -1 when memory is short. A path is bytes: what is not UTF-8 in it matches as it is. */
static int path_matches(sieve *self, const char *path)
{
    if (!self->glob)
        return 1;
    self->path.size = 0;
    if (lens_buffer_print(&self->path, "%s", self->filter->below ? from_root(path, &self->roots) : path) != 0)
        return -1;
    lower(self->path.data);
    return sqlite3_strglob(self->glob, self->path.data) == 0;
}

static bool one_of(const char *const *items, size_t count, const char *text, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(items[i]) == size && strncasecmp(items[i], text, size) == 0)
            return true;
    return count == 0;
}

/* Whether the folder that PATH lies in has one of the names that are asked for. What is above a root is no name to be asked for, where paths are not told. */
static bool label_matches(const sieve *self, const char *path)
{
    const lens_store_filter *filter = self->filter;
    const char *end = strrchr(path, '/'), *begin = end;
    if (filter->label_count == 0 || !end)
        return filter->label_count == 0;
    while (begin > path && begin[-1] != '/')
        begin--;
    return !(filter->below && begin <= from_root(path, &self->roots)) && one_of(filter->labels, filter->label_count, begin, (size_t)(end - begin));
}

/* Whether the picture in STATEMENT (id, path, width, height, format) passes: 1, 0, or -1 when memory is short. */
static int passes(sieve *self, sqlite3_stmt *statement)
{
    const lens_store_filter *filter = self->filter;
    if (self->all)
        return 1;
    const char *path = (const char *)sqlite3_column_text(statement, 1), *format = (const char *)sqlite3_column_text(statement, 4);
    const int64_t width = sqlite3_column_int64(statement, 2), height = sqlite3_column_int64(statement, 3), longer = width > height ? width : height;
    if (!path || !format)
        return -1;
    if (longer < filter->size_least || longer > filter->size_most || !one_of(filter->formats, filter->format_count, format, strlen(format)) ||
        !label_matches(self, path))
        return 0;
    return path_matches(self, path);
}

/* Then names and shapes need not be read. */
static bool lets_all(const lens_store_filter *filter)
{
    return !filter->pattern && !filter->format_count && !filter->label_count && filter->size_least <= 0 && filter->size_most == INT64_MAX;
}

static int narrow(lens_folder *store, lens_store_vectors *vectors, sieve *self, lens_error *err)
{
    static const char all[] = "SELECT id FROM picture WHERE content IS NOT NULL AND mtime_ns >= ?1 AND mtime_ns < ?2 ORDER BY id",
                      some[] = "SELECT picture.id, path, width, height, format FROM picture CROSS JOIN content ON content.id = picture.content"
                               " WHERE mtime_ns >= ?1 AND mtime_ns < ?2 ORDER BY picture.id";
    sqlite3_stmt *statement = lens_sql(store, self->all ? all : some, err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, lens_store_nanoseconds(self->filter->after));
    sqlite3_bind_int64(statement, 2, lens_store_nanoseconds(self->filter->before));
    size_t at = 0, kept = 0;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        const int64_t id = sqlite3_column_int64(statement, 0);
        while (at < vectors->count && vectors->ids[at] < id)
            at++;
        if (at == vectors->count || vectors->ids[at] != id)
            continue;
        const int pass = passes(self, statement);
        if (pass < 0) {
            result = lens_sql_memory(store, err);
            break;
        }
        if (pass) {
            vectors->ids[kept] = id;
            vectors->slots[kept++] = vectors->slots[at];
        }
        at++;
    }
    lens_sql_done(store, statement);
    vectors->count = result == 0 ? kept : 0;
    return result;
}

int lens_folder_vectors_narrow(lens_folder *store, lens_store_vectors *vectors, const lens_store_filter *filter, lens_error *err)
{
    sieve self = {.filter = filter, .all = lets_all(filter), .glob = filter->pattern ? strdup(filter->pattern) : NULL};
    if (filter->pattern && !self.glob)
        return lens_sql_memory(store, err);
    if (self.glob)
        lower(self.glob);
    int result = filter->below && (self.glob || filter->label_count) ? lens_folder_roots(store, &self.roots, err) : 0;
    if (result == 0)
        result = narrow(store, vectors, &self, err);
    lens_buffer_free(&self.path);
    lens_names_free(&self.roots);
    free(self.glob);
    return result;
}
