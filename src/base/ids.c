#include "base/ids.h"

#include <stdlib.h>

#include "base/list.h"

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

int lens_id_list_add(lens_id_list *list, int64_t id)
{
    int64_t *items = lens_list_room(list->items, list->count, &list->capacity, sizeof *items);
    if (!items)
        return -1;
    list->items = items;
    list->items[list->count++] = id;
    return 0;
}

void lens_id_list_free(lens_id_list *list)
{
    free(list->items);
    *list = (lens_id_list){0};
}
