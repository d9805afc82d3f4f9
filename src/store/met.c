#include "store/met.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/ids.h"
#include "base/list.h"

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

int lens_path_check(const char *path, lens_error *err)
{
    if (path && path[0] == '/' && (path[1] == '\0' || path[strlen(path) - 1] != '/'))
        return 0;
    return lens_fail(err, LENS_E_ARGUMENT, "%s: not an absolute path", path ? path : "(none)");
}

void lens_met_clear(lens_met *met)
{
    met->ids.count = 0;
    lens_store_paths_free(&met->kept);
}

void lens_met_free(lens_met *met)
{
    lens_id_list_free(&met->ids);
    lens_store_paths_free(&met->kept);
}

int lens_met_mark(lens_met *met, int64_t id, lens_error *err)
{
    met->sorted = false;
    return lens_id_list_add(&met->ids, id) == 0 ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory");
}

static bool below_any(const char *path, const lens_store_paths *folders)
{
    for (size_t i = 0; i < folders->count; i++)
        if (lens_path_within(path, folders->items[i]))
            return true;
    return false;
}

int lens_met_keep(lens_met *met, const char *path, lens_error *err)
{
    if (lens_path_check(path, err) != 0)
        return -1;
    if (below_any(path, &met->kept))
        return 0;
    char **items = realloc(met->kept.items, (met->kept.count + 1) * sizeof *items);
    if (items)
        met->kept.items = items;
    if (!items || !(items[met->kept.count] = strdup(path)))
        return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    met->kept.count++;
    return 0;
}

void lens_met_nested(const char *root, lens_store_paths *roots)
{
    size_t count = 0;
    for (size_t i = 0; i < roots->count; i++) {
        if (lens_path_within(roots->items[i], root) && strcmp(roots->items[i], root) != 0)
            roots->items[count++] = roots->items[i];
        else
            free(roots->items[i]);
    }
    roots->count = count;
}

bool lens_met_stays(lens_met *met, int64_t id, const char *path, const lens_store_paths *nested)
{
    if (!met->sorted)
        lens_ids_sort(met->ids.items, met->ids.count);
    met->sorted = true;
    if (lens_ids_have(met->ids.items, met->ids.count, id))
        return true;
    return below_any(path, &met->kept) || below_any(path, nested);
}
