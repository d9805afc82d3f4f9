/* Any bytes as a file of packed weights. The list's hash is put right first, so that what it lists is reached: every run that is found must
 * lie in the file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "packed_right.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t seen;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const lens_hash key = {{1}};
    uint8_t *copy = aligned_alloc(64, (size + 63) / 64 * 64 + 64);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    packed_make_right(copy, size, NULL, false);
    lens_error err = {0};
    lens_packed *packed = lens_packed_view(copy, size, "packed", &key, &err);
    for (size_t i = 0; packed && PACKED_HEADER + (i + 1) * PACKED_ENTRY <= size && i < 64; i++) {
        char name[LENS_PACKED_NAME + 1] = "";
        uint64_t length;
        memcpy(name, copy + PACKED_HEADER + i * PACKED_ENTRY, LENS_PACKED_NAME);
        memcpy(&length, copy + PACKED_HEADER + i * PACKED_ENTRY + LENS_PACKED_NAME + 8, sizeof length);
        const uint8_t *run = lens_packed_find_table(packed, name, (size_t)length, &err);
        for (size_t at = 0; run && at < length; at++)
            seen ^= run[at];
        lens_packed_find(packed, name, (size_t)length, &err);
    }
    lens_packed_close(packed);
    free(copy);
    return 0;
}
