#include "base/list.h"

#include <stdint.h>
#include <stdlib.h>

enum { FIRST = 16 };

void *lens_list_room(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    if (*capacity > SIZE_MAX / 2 / size)
        return NULL;
    const size_t more = *capacity ? 2 * *capacity : FIRST;
    void *moved = realloc(items, more * size);
    if (moved)
        *capacity = more;
    return moved;
}
