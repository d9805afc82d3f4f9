#include "base/names.h"

#include <stdlib.h>
#include <string.h>

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

void lens_names_free(lens_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (lens_names){0};
}
