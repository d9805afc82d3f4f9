/* Any bytes as the file of an approximate index. Its key and its hashes are put right first, so that what it says is believed: no search may leave the
 * arrays, or find what is not there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "library/approximate.h"
#include "packed_right.h"
#include "search/cells_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 64, DIM = 8, FOUND = 8 };

static float numbers[SLOTS * DIM];
static int64_t ids[SLOTS];
static lens_row_bounds bounds[SLOTS];
static _Alignas(64) uint8_t codes[SLOTS * 64];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < PACKED_HEADER)
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
    packed_make_right(copy, size, &key, true);
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
