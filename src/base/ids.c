#include "base/ids.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void lens_ids_sort(int64_t *ids, size_t count)
{
    if (count)
        qsort(ids, count, sizeof *ids, compare);
}

bool lens_ids_have(const int64_t *ids, size_t count, int64_t id)
{
    return count && bsearch(&id, ids, count, sizeof id, compare);
}
