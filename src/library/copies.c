#include "library/copies.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "library/approximate.h"

/* Raised when what is in the file means something else. */
enum { FORMAT = 1 };

static const char count_name[] = "count", codes_name[] = "codes", bounds_name[] = "bounds";

static lens_hash key_of(const lens_store_vectors *vectors)
{
    const uint64_t format = FORMAT;
    uint8_t text[sizeof vectors->identity + sizeof format];
    memcpy(text, &vectors->identity, sizeof vectors->identity);
    memcpy(text + sizeof vectors->identity, &format, sizeof format);
    return lens_hash_of(text, sizeof text);
}

/* The file of the copies, and how many there are in *COUNT, which lives as long. */
static lens_packed *open_file(const lens_store_vectors *vectors, const uint64_t **count)
{
    const lens_hash key = key_of(vectors);
    lens_error ignored = {0};
    lens_packed *packed = vectors->copy ? lens_packed_open(vectors->copy, &key, &ignored) : NULL;
    *count = packed ? lens_packed_find(packed, count_name, sizeof **count, &ignored) : NULL;
    return packed;
}

lens_packed *lens_copies_open(const lens_store_vectors *vectors, lens_bytes_view *view)
{
    lens_error ignored = {0};
    const uint64_t *count;
    lens_packed *packed = open_file(vectors, &count);
    if (count && *count <= SIZE_MAX / (lens_code_size(vectors->dim) + sizeof *view->bounds)) {
        const size_t slots = (size_t)*count;
        *view = (lens_bytes_view){.count = slots < vectors->committed ? slots : vectors->committed}; /* more: made by who saw the file grow */
        view->codes = lens_packed_find_table(packed, codes_name, slots * lens_code_size(vectors->dim), &ignored);
        view->bounds = view->codes ? lens_packed_find_table(packed, bounds_name, slots * sizeof *view->bounds, &ignored) : NULL;
        if (view->bounds)
            return packed;
    }
    lens_packed_close(packed);
    return NULL;
}

/* Whether another process has made them meanwhile, of as many slots or more. */
static bool are_made(const lens_store_vectors *vectors)
{
    lens_bytes_view view = {0};
    lens_packed *packed = lens_copies_open(vectors, &view);
    const bool made = packed && view.count == vectors->committed;
    lens_packed_close(packed);
    return made;
}

int lens_copies_make(const lens_store_vectors *vectors, lens_error *err)
{
    const size_t size = lens_code_size(vectors->dim), dim = (size_t)vectors->dim;
    const uint64_t count = vectors->committed;
    const lens_hash key = key_of(vectors);
    lens_packing *packing = lens_packing_new();
    uint8_t *codes = aligned_alloc(64, count * size);
    lens_row_bounds *bounds = malloc(count * sizeof *bounds);
    int result = packing && codes && bounds ? 0 : lens_fail_memory(err);
    for (size_t slot = 0; result == 0 && slot < count; slot++)
        lens_code_row(vectors->data + slot * dim, vectors->dim, codes + slot * size, &bounds[slot]);
    if (result == 0 && (lens_packing_add(packing, count_name, &count, sizeof count, err) != 0 ||
                        lens_packing_add(packing, codes_name, codes, count * size, err) != 0 ||
                        lens_packing_add(packing, bounds_name, bounds, count * sizeof *bounds, err) != 0))
        result = -1;
    if (result == 0 && !are_made(vectors))
        result = lens_packing_write(packing, vectors->copy, &key, err);
    lens_packing_free(packing);
    free(codes);
    free(bounds);
    return result;
}

int lens_copies_drop_untrue(lens_store *store, int64_t model, lens_error *err)
{
    lens_store_vectors vectors;
    const uint64_t *count;
    int result = 0;
    if (lens_store_vectors_file(store, model, &vectors, NULL) != 0)
        return 0;
    lens_packed *packed = open_file(&vectors, &count);
    /* Either may be the backup's, as the database is, and the other not. */
    if (lens_approximate_untrue(&vectors))
        result = lens_file_remove(vectors.cells, err);
    if (result == 0 && count && *count > vectors.committed)
        result = lens_file_remove(vectors.copy, err);
    lens_packed_close(packed);
    lens_store_vectors_free(&vectors);
    return result;
}

void lens_copies_refresh(lens_store *store, int64_t model, size_t least)
{
    lens_store_vectors vectors;
    lens_error ignored = {0};
    if (lens_store_searches(store) || lens_store_vectors_open(store, model, NULL, 0, &vectors, &ignored) != 0)
        return;
    if (vectors.committed > 0 && vectors.committed >= least / (size_t)vectors.dim) {
        lens_bytes_view view = {0};
        lens_packed *packed = lens_copies_open(&vectors, &view);
        if (!packed || vectors.committed - view.count > vectors.committed / 8)
            lens_copies_make(&vectors, &ignored);
        lens_packed_close(packed);
    }
    lens_store_vectors_free(&vectors);
}
