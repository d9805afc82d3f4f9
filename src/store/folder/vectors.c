/* The view that a search needs: which slots of a model's vector file belong to which pictures.
 *
 * Both sides are read in the order of an index that holds nothing else (vector by slot, picture by content) and joined
 * here. Asking SQLite for the join costs a search in a tree for every picture, which is several times slower. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/list.h"
#include "store/folder/internal.h"

enum { TRIES = 20 };

int lens_vectors_begin(lens_folder *store, int64_t model, lens_model_row *row, off_t *size, lens_error *err)
{
    int64_t missed = -1;
    for (int i = 0; i < TRIES; i++) {
        if (lens_sql_begin_read(store, err) != 0)
            return -1;
        lens_error reason = {0};
        int found = lens_model_load(store, model, row, err);
        if (found == 0)
            lens_fail(err, LENS_E_MISSING, "%s: the model is no longer in this library", store->folder);
        int fd = -1;
        if (found > 0)
            fd = lens_vector_file_open(store->dir, store->folder, row->file, &row->identity, row->slots, false, size, &reason);
        if (fd >= 0)
            return fd;
        lens_sql_end(store, 0, NULL);
        if (found <= 0)
            return -1;
        if (reason.code != LENS_E_MISSING) {
            if (err)
                *err = reason;
            return -1;
        }
        if (row->identity.generation == missed)
            break;
        missed = row->identity.generation;
    }
    return lens_fail(err, LENS_E_FORMAT, "%s/%s: the vectors of a model are missing; put the file back, or memelens forget "
                                         "--model and index again", store->folder, row->file);
}

/* The vectors of one model, in order of content. */
typedef struct vector_list {
    struct vector_row {
        int64_t content;
        uint32_t slot;
    } *items;
    size_t count, capacity;
    int64_t slots; /* that there are */
    bool sorted, beyond;
} vector_list;

static int compare_contents(const void *a, const void *b)
{
    const struct vector_row *x = a, *y = b;
    return x->content < y->content ? -1 : x->content > y->content;
}

/* Pairs of numbers, as they come out of SQLite: an aggregate function takes them, because a row that is given out by itself costs twice as much. */
void lens_pairs_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    const lens_pairs *pairs = sqlite3_user_data(context);
    (void)count;
    if (pairs->take && pairs->take(pairs->context, sqlite3_value_int64(values[0]), sqlite3_value_int64(values[1])) != 0)
        sqlite3_result_error_nomem(context);
}

void lens_pairs_end(sqlite3_context *context)
{
    sqlite3_result_null(context);
}

/* Runs STATEMENT, which aggregates by lens_pairs, with TAKE for each pair. 0 or -1. */
static int take_pairs(lens_folder *store, sqlite3_stmt *statement, int (*take)(void *context, int64_t a, int64_t b), void *context, lens_error *err)
{
    store->pairs = (lens_pairs){take, context};
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0)
        continue;
    store->pairs = (lens_pairs){0};
    return result;
}

static int take_vector(void *context, int64_t content, int64_t slot)
{
    vector_list *out = context;
    void *items = lens_list_room(out->items, out->count, &out->capacity, sizeof *out->items);
    if (!items)
        return -1;
    out->items = items;
    out->beyond |= slot < 0 || slot >= out->slots;
    out->sorted &= out->count == 0 || out->items[out->count - 1].content < content;
    out->items[out->count++] = (struct vector_row){content, (uint32_t)slot};
    return 0;
}

static int list_vectors(lens_folder *store, const lens_model_row *model, vector_list *out, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT lens_pairs(content, slot) FROM vector INDEXED BY vector_slot WHERE model = ?1", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, model->id);
    out->sorted = true;
    out->slots = model->slots;
    int result = take_pairs(store, statement, take_vector, out, err);
    lens_sql_done(store, statement);
    if (result == 0 && out->beyond)
        result = lens_fail(err, LENS_E_FORMAT, "%s/%s: a row names a vector beyond the end of %s; memelens check tells more", store->folder, LENS_DATABASE, model->file);
    /* Slots are given out as contents come, so this is the exception: a model that was added later. */
    if (result == 0 && !out->sorted)
        qsort(out->items, out->count, sizeof *out->items, compare_contents);
    return result;
}

/* The vector of CONTENT, or NULL. *NEAR: where the last search ended; contents mostly come in order. */
static const struct vector_row *find(const vector_list *list, int64_t content, size_t *near)
{
    for (size_t i = *near; i < list->count && i < *near + 4; i++) {
        if (list->items[i].content == content) {
            *near = i;
            return &list->items[i];
        }
    }
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].content < content)
            low = middle + 1;
        else
            high = middle;
    }
    *near = low;
    return low < list->count && list->items[low].content == content ? &list->items[low] : NULL;
}

/* The rows of the view as they are found, then in order of id. */
typedef struct view_list {
    struct view_row {
        int64_t id;
        uint32_t slot;
    } *items;
    size_t count, capacity;
    bool sorted;
} view_list;

static int compare_view(const void *a, const void *b)
{
    const struct view_row *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* A join under way. */
typedef struct joining {
    const vector_list *vectors;
    size_t near;
    view_list *out;
} joining;

static int take_picture(void *context, int64_t content, int64_t id)
{
    joining *self = context;
    view_list *out = self->out;
    const struct vector_row *vector = find(self->vectors, content, &self->near);
    if (!vector)
        return 0;
    void *items = lens_list_room(out->items, out->count, &out->capacity, sizeof *out->items);
    if (!items)
        return -1;
    out->items = items;
    out->sorted &= out->count == 0 || out->items[out->count - 1].id < id;
    out->items[out->count++] = (struct view_row){id, vector->slot};
    return 0;
}

/* Joins the pictures of STATEMENT (pairs of content and id) with VECTORS. */
static int join(lens_folder *store, sqlite3_stmt *statement, const vector_list *vectors, view_list *out, lens_error *err)
{
    joining self = {vectors, 0, out};
    return take_pairs(store, statement, take_picture, &self, err);
}

static int join_all(lens_folder *store, const vector_list *vectors, view_list *out, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT lens_pairs(content, id) FROM picture INDEXED BY picture_content WHERE content IS NOT NULL", err);
    if (!statement)
        return -1;
    int result = join(store, statement, vectors, out, err);
    lens_sql_done(store, statement);
    return result;
}

static int join_folder(lens_folder *store, const char *folder, const vector_list *vectors, view_list *out, lens_error *err)
{
    lens_path_range range;
    if (lens_path_check(folder, err) != 0)
        return -1;
    if (lens_path_range_of(folder, &range) != 0)
        return lens_sql_memory(store, err);
    int result = -1;
    sqlite3_stmt *statement = lens_sql(store, "SELECT lens_pairs(content, id) FROM (SELECT content, id FROM picture WHERE path = ?1 AND content IS NOT NULL"
                                              " UNION ALL SELECT content, id FROM picture WHERE path > ?2 AND path < ?3 AND content IS NOT NULL)", err);
    if (statement) {
        lens_path_range_bind(statement, folder, &range);
        result = join(store, statement, vectors, out, err);
        lens_sql_done(store, statement);
    }
    lens_path_range_free(&range);
    return result;
}

/* Puts LIST in order of id, each picture once though FOLDERS may overlap, and gives it to OUT. */
static int settle(lens_folder *store, view_list *list, lens_store_vectors *out, lens_error *err)
{
    if (!list->sorted)
        qsort(list->items, list->count, sizeof *list->items, compare_view);
    size_t room = list->count ? list->count : 1;
    out->ids = malloc(room * sizeof *out->ids);
    out->slots = malloc(room * sizeof *out->slots);
    if (!out->ids || !out->slots)
        return lens_sql_memory(store, err);
    for (size_t i = 0; i < list->count; i++) {
        if (out->count > 0 && out->ids[out->count - 1] == list->items[i].id)
            continue;
        out->ids[out->count] = list->items[i].id;
        out->slots[out->count++] = list->items[i].slot;
    }
    return 0;
}

static int map_file(lens_folder *store, int fd, off_t size, const lens_model_row *model, lens_store_vectors *out,
                    lens_error *err)
{
    void *map = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return lens_fail_errno(err, errno, "%s/%s: cannot be mapped", store->folder, model->file);
    out->map = map;
    out->map_size = (size_t)size;
    out->data = (const float *)((const char *)map + LENS_VECTOR_HEADER);
    out->dim = model->identity.dim;
    out->committed = (size_t)model->slots;
    out->identity = lens_hash_of(map, LENS_VECTOR_HEADER);
    char name[LENS_VECTOR_COPY_NAME];
    lens_vector_copy_name(model->file, LENS_VECTOR_BYTES, name);
    out->copy = lens_path_join(store->folder, name);
    lens_vector_copy_name(model->file, LENS_VECTOR_NEAR, name);
    out->near = lens_path_join(store->folder, name);
    lens_vector_copy_name(model->file, LENS_VECTOR_CELLS, name);
    out->cells = lens_path_join(store->folder, name);
    return out->copy && out->near && out->cells ? 0 : lens_sql_memory(store, err);
}

int lens_folder_vectors_open(lens_folder *store, int64_t model, const char *const *folders, size_t folder_count,
                            lens_store_vectors *out, lens_error *err)
{
    *out = (lens_store_vectors){0};
    lens_model_row row;
    off_t size = 0;
    int fd = lens_vectors_begin(store, model, &row, &size, err);
    if (fd < 0)
        return -1;
    vector_list vectors = {0};
    view_list view = {.sorted = true};
    int result = map_file(store, fd, size, &row, out, err);
    close(fd);
    if (result == 0)
        result = list_vectors(store, &row, &vectors, err);
    if (result == 0 && folder_count == 0)
        result = join_all(store, &vectors, &view, err);
    for (size_t i = 0; result == 0 && i < folder_count; i++)
        result = join_folder(store, folders[i], &vectors, &view, err);
    lens_sql_end(store, 0, NULL);
    if (result == 0)
        result = settle(store, &view, out, err);
    free(vectors.items);
    free(view.items);
    if (result != 0)
        lens_store_vectors_free(out);
    return result;
}

int lens_folder_vectors_file(lens_folder *store, int64_t model, lens_store_vectors *out, lens_error *err)
{
    lens_model_row row;
    off_t size = 0;
    const int fd = lens_vectors_begin(store, model, &row, &size, err);
    if (fd < 0)
        return -1;
    const int result = map_file(store, fd, size, &row, out, err);
    close(fd);
    lens_sql_end(store, 0, NULL);
    if (result != 0)
        lens_store_vectors_free(out);
    return result;
}

int lens_folder_vectors_shapes(lens_folder *store, const lens_store_vectors *vectors, float *shapes, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT picture.id, width, height FROM picture CROSS JOIN content"
                                              " ON content.id = picture.content ORDER BY picture.id", err);
    if (!statement)
        return -1;
    for (size_t i = 0; i < vectors->count; i++)
        shapes[i] = 1; /* of a picture that went meanwhile */
    size_t at = 0;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        int64_t id = sqlite3_column_int64(statement, 0), width = sqlite3_column_int64(statement, 1),
                height = sqlite3_column_int64(statement, 2);
        while (at < vectors->count && vectors->ids[at] < id)
            at++;
        if (at < vectors->count && vectors->ids[at] == id && width > 0 && height > 0)
            shapes[at] = (float)width / (float)height;
    }
    lens_sql_done(store, statement);
    return result;
}
