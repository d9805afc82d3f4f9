/* Any bytes as the file of an approximate index. Its key and its hashes are put right first, so that what it says is believed: no search may leave the
 * arrays, or find what is not there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "library/approximate.h"
#include "search/cells_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As in src/base/packed.c. */
enum { HEADER = 64, COUNT_AT = 12, SIZE_AT = 16, KEY_AT = 24, LIST_AT = 40, ENTRY = LENS_PACKED_NAME + 32 };
enum { SLOTS = 64, DIM = 8, FOUND = 8 };

static float numbers[SLOTS * DIM];
static int64_t ids[SLOTS];
static lens_row_bounds bounds[SLOTS];
static _Alignas(64) uint8_t codes[SLOTS * 64];

static void make_right(uint8_t *copy, size_t size, const lens_hash *key)
{
    uint32_t count;
    memcpy(&count, copy + COUNT_AT, sizeof count);
    memcpy(copy + SIZE_AT, &(uint64_t){size}, sizeof(uint64_t));
    memcpy(copy + KEY_AT, key, sizeof *key);
    if (count > (size - HEADER) / ENTRY)
        return;
    for (size_t i = 0; i < count; i++) {
        uint8_t *entry = copy + HEADER + i * ENTRY;
        uint64_t offset, length;
        memcpy(&offset, entry + LENS_PACKED_NAME, sizeof offset);
        memcpy(&length, entry + LENS_PACKED_NAME + 8, sizeof length);
        if (offset > size || length > size - offset)
            continue;
        const lens_hash hash = lens_hash_of(copy + offset, (size_t)length);
        memcpy(entry + LENS_PACKED_NAME + 16, &hash, sizeof hash);
    }
    const lens_hash list = lens_hash_of(copy + HEADER, count * (size_t)ENTRY);
    memcpy(copy + LIST_AT, &list, sizeof list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEADER)
        return 0;
    for (size_t i = 0; i < SLOTS; i++) {
        ids[i] = (int64_t)i + 1;
        for (size_t j = 0; j < DIM; j++)
            numbers[i * DIM + j] = (float)((i * 37 + j * 101) % 29) / 29 - 0.5f;
        lens_code_row(numbers + i * DIM, DIM, codes + i * 64, &bounds[i]);
    }
    const lens_store_vectors vectors = {.data = numbers, .ids = ids, .count = SLOTS, .dim = DIM, .committed = SLOTS};
    const lens_view view = {numbers, NULL, ids, SLOTS, DIM, NULL};
    const lens_bytes_view bytes = {codes, bounds, SLOTS};
    const lens_hash key = lens_approximate_key(&vectors);
    uint8_t *copy = aligned_alloc(64, (size + 63) / 64 * 64);
    lens_slot_rows rows;
    lens_error err = {0};
    if (!copy || lens_slot_rows_make(&view, SLOTS, &rows, &err) != 0)
        abort();
    memcpy(copy, data, size);
    make_right(copy, size, &key);
    lens_approximate *self = lens_approximate_of(lens_packed_view(copy, size, "cells", &key, &err), &vectors, &bytes);
    for (size_t q = 0; self && q < SLOTS; q += 7) {
        lens_hit hits[FOUND];
        size_t found = 0;
        if (lens_cells_scan(&self->cells, &bytes, &rows, &view, numbers + q * DIM, FOUND, -2, self->probes, 1, hits, &found, &err) != 0 || found > FOUND)
            abort();
        for (size_t i = 0; i < found; i++)
            if (hits[i].row >= SLOTS || hits[i].id != ids[hits[i].row])
                abort();
    }
    lens_approximate_close(self);
    lens_slot_rows_free(&rows);
    free(copy);
    return 0;
}
