/* Writing a batch of pictures, all or nothing, in a handful of statements whatever its size: what is to be written goes over as arrays.
 *
 * Workers share a library, so what a batch was made from may have changed since: a picture that it wants moved is only taken when nobody wrote it after the
 * run began; what was forgotten stays out; and a copy of a content that has gone meanwhile is work once more. Everything else is decided inside the
 * transaction. */
#include <stdlib.h>

#include "store/postgres/internal.h"

typedef struct batch {
    const lens_store_entry *entries;
    size_t count;
    bool *skip;        /* [count]: a later entry has the same path, or it is not to be written after all */
    bool *again;       /* [count]: has to be looked at again */
    int64_t *contents; /* [count]: 0 when it failed */
    int64_t *moved;    /* [count]: 0 when it did not, or is not to be had any more */
    int64_t *ids;      /* [count] */
    bool named;        /* another name than before is that of a picture */
} batch;

/* ---- checks ---- */

static int check(lens_postgres *store, const lens_store_entry *entries, size_t count, lens_error *err)
{
    int64_t model = 0;
    int dim = 0;
    for (size_t i = 0; i < count; i++) {
        const lens_store_entry *entry = &entries[i];
        if (lens_pg_path_check(entry->path, err) != 0)
            return -1;
        if (entry->reason)
            continue;
        if (!entry->format || entry->width < 0 || entry->height < 0)
            return lens_fail(err, LENS_E_ARGUMENT, "%s: a picture needs a format and a size", entry->path);
        for (size_t v = 0; v < entry->vector_count; v++) {
            if (entry->vectors[v].model != model) {
                model = entry->vectors[v].model;
                if (lens_pg_model_dim(store, model, LENS_E_ARGUMENT, &dim, err) != 0)
                    return -1;
            }
            if (!lens_store_is_unit(entry->vectors[v].values, dim))
                return lens_fail(err, LENS_E_ARGUMENT, "%s: its vector is not finite and of length 1", entry->path);
        }
    }
    return 0;
}

typedef struct named_entry {
    const char *path;
    size_t at;
} named_entry;

static int by_path(const void *a, const void *b)
{
    const named_entry *x = a, *y = b;
    const int order = strcmp(x->path, y->path);
    return order ? order : x->at < y->at ? -1 : x->at > y->at;
}

/* Of entries with one path the last counts. */
static int find_doubles(batch *self, lens_error *err)
{
    named_entry *order = calloc(self->count + 1, sizeof *order);
    if (!order)
        return lens_fail_memory(err);
    for (size_t i = 0; i < self->count; i++)
        order[i] = (named_entry){self->entries[i].path, i};
    qsort(order, self->count, sizeof *order, by_path);
    for (size_t i = 0; i + 1 < self->count; i++)
        self->skip[order[i].at] = strcmp(order[i].path, order[i + 1].path) == 0;
    free(order);
    return 0;
}

/* All paths, one an entry. */
static void path_args(lens_pg_args *args, const batch *self)
{
    lens_pg_array(args, LENS_PG_BYTES);
    for (size_t i = 0; i < self->count; i++)
        lens_pg_add_bytes(args, self->entries[i].path, strlen(self->entries[i].path));
}

/* Of a worker's entries those that no folder of the library covers any more are left out: they were forgotten while it had them in hand. */
static int find_forgotten(lens_postgres *store, batch *self, lens_error *err)
{
    if (!store->worker)
        return 0;
    lens_pg_args args = {0};
    path_args(&args, self);
    PGresult *rows = lens_pg_ask(store, "SELECT n FROM unnest($1::bytea[]) WITH ORDINALITY AS t (at, n) WHERE coalesce((SELECT out FROM rule WHERE rule.path IN (at, '/')"
                                        " OR substr(at, 1, length(rule.path) + 1) = rule.path || '/'::bytea ORDER BY length(rule.path) DESC LIMIT 1), true)", &args, err);
    if (!rows)
        return -1;
    int result = 0;
    for (int i = 0; i < lens_pg_rows(store, rows) && result == 0; i++) {
        size_t at;
        if ((result = lens_pg_place_at(store, rows, i, 0, self->count, &at, err)) == 0)
            self->skip[at] = true;
    }
    lens_pg_done(store, rows);
    return result;
}

/* ROWS: the number of an entry, and one for it, which goes to OUT [count]. */
static int take_numbers(lens_postgres *store, const batch *self, const PGresult *rows, int64_t *out, lens_error *err)
{
    for (int i = 0; i < lens_pg_rows(store, rows); i++) {
        size_t at;
        if (lens_pg_place_at(store, rows, i, 0, self->count, &at, err) != 0)
            return -1;
        out[at] = lens_pg_int_at(store, rows, i, 1);
    }
    return 0;
}

/* ---- contents and vectors ---- */

/* Fills SELF->contents with what is known of the hashes. */
static int find_contents(lens_postgres *store, batch *self, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_array(&args, LENS_PG_BYTES);
    for (size_t i = 0; i < self->count; i++)
        lens_pg_add_bytes(&args, self->entries[i].reason ? NULL : self->entries[i].hash.bytes, sizeof self->entries[i].hash.bytes);
    PGresult *rows = lens_pg_ask(store, "SELECT n, id FROM unnest($1::bytea[]) WITH ORDINALITY AS t (hash, n) JOIN content USING (hash)", &args, err);
    if (!rows)
        return -1;
    memset(self->contents, 0, self->count * sizeof *self->contents);
    const int result = take_numbers(store, self, rows, self->contents, err);
    lens_pg_done(store, rows);
    return result;
}

/* New contents, and what known ones look like by their newest reading, if they were decoded at all. */
static int write_contents(lens_postgres *store, batch *self, lens_error *err)
{
    if (find_contents(store, self, err) != 0)
        return -1;
    lens_pg_args args = {0};
    int64_t changed = 0;
    for (int part = 0; part < 4; part++) {
        lens_pg_array(&args, part == 0 ? LENS_PG_BYTES : part == 3 ? LENS_PG_TEXT : LENS_PG_INT);
        for (size_t i = 0; i < self->count; i++) {
            const lens_store_entry *entry = &self->entries[i];
            if (self->skip[i] || entry->reason || (entry->width == 0 && (self->contents[i] || entry->vector_count == 0)))
                continue;
            changed++;
            if (part == 0)
                lens_pg_add_bytes(&args, entry->hash.bytes, sizeof entry->hash.bytes);
            else if (part == 3)
                lens_pg_add_text(&args, entry->format);
            else
                lens_pg_add_int(&args, part == 1 ? entry->width : entry->height);
        }
    }
    if (lens_pg_run(store, "INSERT INTO content (hash, width, height, format) SELECT DISTINCT ON (hash) hash, width, height, format"
                           " FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::text[]) WITH ORDINALITY AS t (hash, width, height, format, n) ORDER BY hash, n DESC"
                           " ON CONFLICT (hash) DO UPDATE SET width = excluded.width, height = excluded.height, format = excluded.format"
                           " WHERE (content.width, content.height, content.format) IS DISTINCT FROM (excluded.width, excluded.height, excluded.format)",
                    &args, NULL, err) != 0 || (changed && find_contents(store, self, err) != 0))
        return -1;
    for (size_t i = 0; i < self->count; i++) {
        if (self->skip[i] || self->entries[i].reason || self->contents[i])
            continue;
        if (!store->worker)
            return lens_fail(err, LENS_E_ARGUMENT, "%s: a content that is not known yet needs a vector", self->entries[i].path);
        self->skip[i] = self->again[i] = true; /* it was known when the worker asked */
    }
    return 0;
}

/* The vectors of MODEL. Another copy of the same bytes may have come first, even in this batch. */
static int write_vectors_of(lens_postgres *store, const batch *self, int64_t model, lens_error *err)
{
    int dim = 0;
    if (lens_pg_model_dim(store, model, LENS_E_ARGUMENT, &dim, err) != 0)
        return -1;
    lens_pg_args args = {0};
    for (int part = 0; part < 2; part++) {
        lens_pg_array(&args, part == 0 ? LENS_PG_INT : store->vector_type);
        for (size_t i = 0; i < self->count; i++)
            for (size_t v = 0; v < self->entries[i].vector_count && !self->skip[i] && !self->entries[i].reason; v++) {
                if (self->entries[i].vectors[v].model != model)
                    continue;
                if (part == 0)
                    lens_pg_add_int(&args, self->contents[i]);
                else
                    lens_pg_add_vector(&args, self->entries[i].vectors[v].values, dim);
            }
    }
    char sql[LENS_PG_SQL];
    return lens_pg_run(store, lens_pg_sql_of(sql, LENS_PG_PUT_VECTORS, model), &args, NULL, err);
}

static int write_vectors(lens_postgres *store, const batch *self, lens_error *err)
{
    lens_id_list models = {0};
    int result = 0;
    for (size_t i = 0; i < self->count && result == 0; i++)
        for (size_t v = 0; v < self->entries[i].vector_count && !self->entries[i].reason && result == 0; v++) {
            const int64_t model = self->entries[i].vectors[v].model;
            bool done = false;
            for (size_t m = 0; m < models.count; m++)
                done |= models.items[m] == model;
            if (done)
                continue;
            result = lens_id_list_add(&models, model) == 0 ? write_vectors_of(store, self, model, err) : lens_fail_memory(err);
        }
    lens_id_list_free(&models);
    return result;
}

/* ---- pictures ---- */

/* The entries that are pictures that moved, whose rows are still to be had, leave their old paths for ones that no file can have, so that moves may cross. */
static int park(lens_postgres *store, batch *self, lens_error *err)
{
    bool any = false;
    for (size_t i = 0; i < self->count; i++)
        any |= self->entries[i].moved_from != 0;
    if (!any)
        return 0;
    lens_pg_args args = {0};
    lens_pg_array(&args, LENS_PG_INT);
    for (size_t i = 0; i < self->count; i++) {
        const bool moves = !self->skip[i] && !self->entries[i].reason && self->entries[i].moved_from;
        lens_pg_add_int(&args, moves ? self->entries[i].moved_from : 0);
    }
    lens_pg_int(&args, store->begun ? store->begun : INT64_MAX);
    /* Nobody can be at two places: the first one that says so has it. */
    PGresult *rows = lens_pg_ask(store, "UPDATE picture SET path = '\\x00'::bytea || int8send(id)"
                                        " FROM (SELECT moved, min(n) AS n FROM unnest($1::bigint[]) WITH ORDINALITY AS t (moved, n) GROUP BY moved) AS t"
                                        " WHERE id = moved AND NOT (" LENS_PG_SINCE("written", "$2") ") RETURNING n, id", &args, err);
    if (!rows)
        return -1;
    const int result = take_numbers(store, self, rows, self->moved, err);
    self->named |= lens_pg_rows(store, rows) > 0;
    lens_pg_done(store, rows);
    return result;
}

/* Whether other names than before will be those of pictures. */
static int look_at_names(lens_postgres *store, batch *self, lens_error *err)
{
    lens_pg_args args = {0};
    path_args(&args, self);
    PGresult *rows = lens_pg_ask(store, "SELECT n, content IS NOT NULL FROM unnest($1::bytea[]) WITH ORDINALITY AS t (path, n) LEFT JOIN picture USING (path)", &args, err);
    if (!rows)
        return -1;
    int result = 0;
    for (int i = 0; i < lens_pg_rows(store, rows) && result == 0; i++) {
        size_t at;
        if ((result = lens_pg_place_at(store, rows, i, 0, self->count, &at, err)) == 0)
            self->named |= lens_pg_int_at(store, rows, i, 1) != (self->contents[at] != 0);
    }
    lens_pg_done(store, rows);
    return result;
}

/* The rows of those that MOVED, or of the others, as the arguments 1 to 6: path, size, time, content, reason, id. */
static void row_args(lens_pg_args *args, const batch *self, bool moved)
{
    for (int part = 0; part < 6; part++) {
        lens_pg_array(args, part == 0 || part == 4 ? LENS_PG_BYTES : LENS_PG_INT);
        for (size_t i = 0; i < self->count; i++) {
            const lens_store_entry *entry = &self->entries[i];
            if (self->skip[i] || (self->moved[i] != 0) != moved)
                continue;
            if (part == 0)
                lens_pg_add_bytes(args, entry->path, strlen(entry->path));
            else if (part == 4)
                lens_pg_add_bytes(args, entry->reason, entry->reason ? strlen(entry->reason) : 0);
            else
                lens_pg_add_int(args, part == 1 ? entry->size : part == 2 ? entry->mtime_ns : part == 3 ? self->contents[i] : self->moved[i]);
        }
    }
}

#define ROWS "unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bigint[]) AS t (path, size, mtime_ns, content, reason, id)"

static int write_moved(lens_postgres *store, const batch *self, lens_error *err)
{
    bool any = false;
    for (size_t i = 0; i < self->count; i++)
        any |= self->moved[i] != 0;
    if (!any)
        return 0;
    lens_pg_args args = {0};
    row_args(&args, self, true);
    /* What was moved here takes the place of what was here. */
    if (lens_pg_run(store, "DELETE FROM picture WHERE path IN (SELECT path FROM " ROWS ")", &args, NULL, err) != 0)
        return -1;
    row_args(&args, self, true);
    return lens_pg_run(store, "UPDATE picture SET path = t.path, size = t.size, mtime_ns = t.mtime_ns, content = nullif(t.content, 0), reason = t.reason,"
                              " written = " LENS_PG_NOW " FROM " ROWS " WHERE picture.id = t.id", &args, NULL, err);
}

static int write_rest(lens_postgres *store, const batch *self, lens_error *err)
{
    lens_pg_args args = {0};
    row_args(&args, self, false);
    return lens_pg_run(store, "INSERT INTO picture (path, size, mtime_ns, content, reason) SELECT path, size, mtime_ns, nullif(content, 0), reason FROM " ROWS
                              " ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, content = excluded.content,"
                              " reason = excluded.reason, written = excluded.written", &args, NULL, err);
}

static int find_ids(lens_postgres *store, const batch *self, lens_error *err)
{
    lens_pg_args args = {0};
    path_args(&args, self);
    PGresult *rows = lens_pg_ask(store, "SELECT n, id FROM unnest($1::bytea[]) WITH ORDINALITY AS t (path, n) JOIN picture USING (path)", &args, err);
    if (!rows)
        return -1;
    const int result = take_numbers(store, self, rows, self->ids, err);
    for (size_t i = 0; i < self->count; i++)
        self->ids[i] = self->again[i] ? 0 : self->ids[i];
    lens_pg_done(store, rows);
    return result;
}

/* What the pictures say about themselves: of one source after the other, and there is but one; and not all at once where each says a book. */
static int write_own_captions(lens_postgres *store, const batch *self, lens_error *err)
{
    enum { BYTES_AT_ONCE = 8 << 20 };
    lens_store_caption *captions = malloc(self->count * sizeof *captions);
    if (!captions)
        return lens_fail_memory(err);
    int64_t source = 0;
    size_t count = 0, bytes = 0;
    int result = 0;
    for (size_t i = 0; i <= self->count && result == 0; i++) {
        const lens_store_entry *entry = i < self->count ? &self->entries[i] : NULL;
        if (entry && (!entry->text || entry->reason || self->skip[i]))
            continue;
        if (count && (!entry || entry->source != source || bytes > BYTES_AT_ONCE)) {
            result = lens_pg_captions_put(store, source, captions, count, NULL, err);
            count = bytes = 0;
        }
        if (entry) {
            source = entry->source;
            bytes += strlen(entry->text) + (entry->folded ? strlen(entry->folded) : 0);
            captions[count++] = (lens_store_caption){self->ids[i], entry->text, entry->folded};
        }
    }
    free(captions);
    return result;
}

/* The paths of those that are to be looked at AGAIN, or of the others. */
static void listed_args(lens_pg_args *args, const batch *self, bool again)
{
    lens_pg_array(args, LENS_PG_BYTES);
    for (size_t i = 0; i < self->count; i++)
        if (self->again[i] == again)
            lens_pg_add_bytes(args, self->entries[i].path, strlen(self->entries[i].path));
}

/* They are no longer work, or anybody's. */
static int take_off_list(lens_postgres *store, const batch *self, lens_error *err)
{
    if (!store->worker)
        return 0;
    lens_pg_args args = {0};
    int64_t written = 0;
    bool any = false;
    for (size_t i = 0; i < self->count; i++) {
        written += !self->skip[i];
        any |= self->again[i];
    }
    listed_args(&args, self, false);
    lens_pg_int(&args, store->worker);
    if (lens_pg_run(store, "DELETE FROM work WHERE path = ANY ($1) AND models = (SELECT models FROM worker WHERE id = $2)", &args, NULL, err) != 0)
        return -1;
    if (any) {
        listed_args(&args, self, true);
        lens_pg_int(&args, store->worker);
        if (lens_pg_run(store, "UPDATE work SET worker = NULL WHERE path = ANY ($1) AND worker = $2", &args, NULL, err) != 0)
            return -1;
    }
    lens_pg_int(&args, store->worker);
    lens_pg_int(&args, written);
    return lens_pg_run(store, "UPDATE worker SET written = written + $2 WHERE id = $1", &args, NULL, err);
}

static int write_all(lens_postgres *store, batch *self, lens_error *err)
{
    if (find_doubles(self, err) != 0 || find_forgotten(store, self, err) != 0 || write_contents(store, self, err) != 0 || write_vectors(store, self, err) != 0 || park(store, self, err) != 0 ||
        look_at_names(store, self, err) != 0 || write_moved(store, self, err) != 0 || write_rest(store, self, err) != 0 || find_ids(store, self, err) != 0 ||
        write_own_captions(store, self, err) != 0 || take_off_list(store, self, err) != 0)
        return -1;
    return self->named ? lens_pg_sources_unread(store, err) : 0;
}

static int write_once(lens_postgres *store, const lens_store_entry *entries, size_t count, int64_t *ids, lens_error *err)
{
    batch self = {entries, count, calloc(count, sizeof *self.skip), calloc(count, sizeof *self.again), calloc(count, sizeof *self.contents), calloc(count, sizeof *self.moved),
                  calloc(count, sizeof *self.ids), false};
    int result = self.skip && self.again && self.contents && self.moved && self.ids ? lens_pg_begin(store, err) : lens_fail_memory(err);
    if (result == 0) {
        result = check(store, entries, count, err);
        if (result == 0)
            result = write_all(store, &self, err);
        result = lens_pg_end(store, result, err);
    }
    if (result == 0 && ids)
        memcpy(ids, self.ids, count * sizeof *ids);
    free(self.skip);
    free(self.again);
    free(self.contents);
    free(self.moved);
    free(self.ids);
    return result;
}

int lens_postgres_write(lens_postgres *store, const lens_store_entry *entries, size_t count, int64_t *ids, lens_error *err)
{
    if (count == 0)
        return 0;
    store->loose_unknown = true; /* what was at these paths */
    const int result = write_once(store, entries, count, ids, err);
    return lens_pg_once_more(store, result, err) ? write_once(store, entries, count, ids, err) : result;
}
