#include "base/packed.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { BOUNDARY = 64, MOST_RUNS = 1 << 20 };

static const char magic[8] = "LENSPACK";

/* As in the file: written and read by one machine. */
struct header {
    char magic[8];
    uint32_t version, count;
    uint64_t size; /* of the file */
    lens_hash key, list;
    uint8_t rest[8];
};

struct run {
    char name[LENS_PACKED_NAME];
    uint64_t offset, size;
    lens_hash hash;
};

struct lens_packed {
    char *path;
    const uint8_t *bytes;
    size_t size;
    const struct run *runs;
    size_t count, next;
    bool mapped;
};

static int damaged(lens_error *err, const char *path, const char *what)
{
    return lens_fail(err, LENS_E_FORMAT, "%s: damaged: %s", path, what);
}

/* Whether the list lies in the file, and what it names too. */
static int check(const struct header *header, size_t size, const char *path, lens_error *err)
{
    const uint8_t *bytes = (const uint8_t *)header;
    if (header->size != size || header->count > MOST_RUNS || header->count > (size - sizeof *header) / sizeof(struct run))
        return damaged(err, path, "its size");
    const size_t list = header->count * sizeof(struct run);
    lens_hash hash = lens_hash_of(bytes + sizeof *header, list);
    if (memcmp(&hash, &header->list, sizeof hash) != 0)
        return damaged(err, path, "its list");
    const struct run *runs = (const struct run *)(const void *)(bytes + sizeof *header);
    for (size_t i = 0; i < header->count; i++)
        if (runs[i].offset % BOUNDARY != 0 || runs[i].offset > size || runs[i].size > size - runs[i].offset ||
            !memchr(runs[i].name, 0, sizeof runs[i].name))
            return damaged(err, path, "a place in its list");
    return 0;
}

lens_packed *lens_packed_view(const void *bytes, size_t size, const char *path, const lens_hash *key, lens_error *err)
{
    const struct header *header = bytes;
    if (size < sizeof *header || memcmp(header->magic, magic, sizeof magic) != 0) {
        damaged(err, path, "not a file of that kind");
        return NULL;
    }
    if (header->version != LENS_PACKED_FORMAT || memcmp(&header->key, key, sizeof *key) != 0) {
        lens_fail(err, LENS_E_MISSING, "%s: made from something else, by another version or for another processor", path);
        return NULL;
    }
    if (check(header, size, path, err) != 0)
        return NULL;
    lens_packed *packed = calloc(1, sizeof *packed);
    if (!packed || !(packed->path = strdup(path))) {
        free(packed);
        lens_fail_memory_for(err, path);
        return NULL;
    }
    packed->bytes = bytes;
    packed->size = size;
    packed->runs = (const struct run *)(const void *)(packed->bytes + sizeof *header);
    packed->count = header->count;
    return packed;
}

lens_packed *lens_packed_open(const char *path, const lens_hash *key, lens_error *err)
{
    const void *bytes;
    size_t size;
    if (lens_file_map(path, &bytes, &size, err) != 0)
        return NULL;
    lens_packed *packed = lens_packed_view(bytes, size, path, key, err);
    if (packed)
        packed->mapped = true;
    else
        lens_file_unmap(bytes, size);
    return packed;
}

void lens_packed_close(lens_packed *packed)
{
    if (!packed)
        return;
    if (packed->mapped)
        lens_file_unmap(packed->bytes, packed->size);
    free(packed->path);
    free(packed);
}

static const struct run *find(lens_packed *packed, const char *name, size_t size, lens_error *err)
{
    for (size_t i = 0; i < packed->count; i++) {
        const size_t at = (packed->next + i) % packed->count;
        const struct run *run = &packed->runs[at];
        if (strcmp(run->name, name) != 0)
            continue;
        packed->next = at + 1;
        if (run->size == size)
            return run;
        break;
    }
    lens_fail(err, LENS_E_FORMAT, "%s: no '%.64s' of %zu bytes is in it", packed->path, name, size);
    return NULL;
}

const void *lens_packed_find(lens_packed *packed, const char *name, size_t size, lens_error *err)
{
    const struct run *run = find(packed, name, size, err);
    if (!run)
        return NULL;
    lens_hash hash = lens_hash_of(packed->bytes + run->offset, size);
    if (memcmp(&hash, &run->hash, sizeof hash) != 0) {
        damaged(err, packed->path, run->name);
        return NULL;
    }
    return packed->bytes + run->offset;
}

const void *lens_packed_find_table(lens_packed *packed, const char *name, size_t size, lens_error *err)
{
    const struct run *run = find(packed, name, size, err);
    return run ? packed->bytes + run->offset : NULL;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

struct lens_packing {
    struct run *runs;
    const void **bytes; /* [count] */
    size_t count, capacity;
};

lens_packing *lens_packing_new(void)
{
    return calloc(1, sizeof(lens_packing));
}

void lens_packing_free(lens_packing *packing)
{
    if (packing) {
        free(packing->runs);
        free(packing->bytes);
    }
    free(packing);
}

int lens_packing_add(lens_packing *packing, const char *name, const void *bytes, size_t size, lens_error *err)
{
    if (packing->count == packing->capacity) {
        const size_t capacity = packing->capacity ? 2 * packing->capacity : 64;
        struct run *runs = realloc(packing->runs, capacity * sizeof *runs);
        if (runs)
            packing->runs = runs;
        const void **all = runs ? realloc(packing->bytes, capacity * sizeof *all) : NULL;
        if (!all)
            return lens_fail_memory(err);
        packing->bytes = all;
        packing->capacity = capacity;
    }
    if (strlen(name) >= LENS_PACKED_NAME || packing->count == MOST_RUNS)
        return lens_fail(err, LENS_E_LIMIT, "'%.64s': a name too long for packed weights, or too many of them", name);
    struct run *run = &packing->runs[packing->count];
    *run = (struct run){.size = size, .hash = lens_hash_of(bytes, size)};
    strcpy(run->name, name);
    packing->bytes[packing->count++] = bytes;
    return 0;
}

int lens_packing_write(const lens_packing *packing, const char *path, const lens_hash *key, lens_error *err)
{
    static const uint8_t zeros[BOUNDARY];
    const size_t count = packing->count;
    struct header header = {.version = LENS_PACKED_FORMAT, .count = (uint32_t)count, .key = *key};
    memcpy(header.magic, magic, sizeof magic);
    lens_run_of_bytes *parts = calloc(2 * count + 3, sizeof *parts);
    if (!parts)
        return lens_fail_memory_for(err, path);
    size_t parts_count = 0, at = sizeof header + count * sizeof *packing->runs;
    parts[parts_count++] = (lens_run_of_bytes){&header, sizeof header};
    parts[parts_count++] = (lens_run_of_bytes){packing->runs, count * sizeof *packing->runs};
    for (size_t i = 0; i < count; i++) {
        const size_t begin = (at + BOUNDARY - 1) / BOUNDARY * BOUNDARY;
        parts[parts_count++] = (lens_run_of_bytes){zeros, begin - at};
        parts[parts_count++] = (lens_run_of_bytes){packing->bytes[i], packing->runs[i].size};
        packing->runs[i].offset = begin;
        at = begin + packing->runs[i].size;
    }
    header.size = at;
    header.list = lens_hash_of(packing->runs, count * sizeof *packing->runs);
    int result = lens_file_write_runs(path, parts, parts_count, err);
    free(parts);
    return result;
}
