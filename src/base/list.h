/* Lists that grow. */
#ifndef LENS_BASE_LIST_H
#define LENS_BASE_LIST_H

#include <stddef.h>

/* ITEMS [count], of SIZE bytes each, with room for one more: as they are, or moved and *CAPACITY raised. NULL when memory is short, and ITEMS and *CAPACITY
 * stay as they were. An empty list is NULL with a capacity of 0; free() frees any. */
void *lens_list_room(void *items, size_t count, size_t *capacity, size_t size);

#endif
