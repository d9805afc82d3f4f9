/* A file of packed runs (src/base/packed.c) whose hashes are put right after it was spoilt, so that what it says is believed. */
#ifndef LENS_TESTS_PACKED_RIGHT_H
#define LENS_TESTS_PACKED_RIGHT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/packed.h"

/* As in src/base/packed.c. */
enum { PACKED_HEADER = 64, PACKED_COUNT_AT = 12, PACKED_SIZE_AT = 16, PACKED_KEY_AT = 24, PACKED_LIST_AT = 40, PACKED_ENTRY = LENS_PACKED_NAME + 32 };

/* Size and list; with RUNS the hash of each run too, and with KEY (may be NULL) the key. */
static inline void packed_make_right(uint8_t *file, size_t size, const lens_hash *key, bool runs)
{
    uint32_t count;
    if (size < PACKED_HEADER)
        return;
    memcpy(&count, file + PACKED_COUNT_AT, sizeof count);
    memcpy(file + PACKED_SIZE_AT, &(uint64_t){size}, sizeof(uint64_t));
    if (key)
        memcpy(file + PACKED_KEY_AT, key, sizeof *key);
    if (count > (size - PACKED_HEADER) / PACKED_ENTRY)
        return;
    for (size_t i = 0; runs && i < count; i++) {
        uint8_t *entry = file + PACKED_HEADER + i * PACKED_ENTRY;
        uint64_t offset, length;
        memcpy(&offset, entry + LENS_PACKED_NAME, sizeof offset);
        memcpy(&length, entry + LENS_PACKED_NAME + 8, sizeof length);
        if (offset > size || length > size - offset)
            continue;
        const lens_hash hash = lens_hash_of(file + offset, (size_t)length);
        memcpy(entry + LENS_PACKED_NAME + 16, &hash, sizeof hash);
    }
    const lens_hash list = lens_hash_of(file + PACKED_HEADER, count * (size_t)PACKED_ENTRY);
    memcpy(file + PACKED_LIST_AT, &list, sizeof list);
}

#endif
