#include "base/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/list.h"

int lens_names_add(lens_names *names, char *name)
{
    char **items = name ? lens_list_room(names->items, names->count, &names->capacity, sizeof *items) : NULL;
    if (!items) {
        free(name);
        return -1;
    }
    names->items = items;
    names->items[names->count++] = name;
    return 0;
}

bool lens_names_have(const lens_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void lens_names_sort(lens_names *names)
{
    if (names->count)
        qsort(names->items, names->count, sizeof *names->items, compare);
}

ptrdiff_t lens_names_find(const lens_names *names, const char *name)
{
    char *const *found = names->count ? bsearch(&name, names->items, names->count, sizeof *names->items, compare) : NULL;
    return found ? found - names->items : -1;
}

const char *lens_names_nearest(const lens_names *paths, const char *path)
{
    const char *nearest = NULL;
    for (size_t i = 0; i < paths->count; i++)
        if (lens_path_within(path, paths->items[i]) && (!nearest || strlen(paths->items[i]) > strlen(nearest)))
            nearest = paths->items[i];
    return nearest;
}

void lens_names_free(lens_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (lens_names){0};
}
