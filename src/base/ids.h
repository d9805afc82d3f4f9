/* Lists of ids. An empty one may be NULL. */
#ifndef LENS_BASE_IDS_H
#define LENS_BASE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void lens_ids_sort(int64_t *ids, size_t count);

/* Whether ID is one of IDS [count], which are in order. */
bool lens_ids_have(const int64_t *ids, size_t count, int64_t id);

#endif
