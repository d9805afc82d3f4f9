#include "store/met.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

int lens_path_check(const char *path, lens_error *err)
{
    if (path && path[0] == '/' && (path[1] == '\0' || path[strlen(path) - 1] != '/'))
        return 0;
    return lens_fail(err, LENS_E_ARGUMENT, "%s: not an absolute path", path ? path : "(none)");
}

void lens_met_clear(lens_met *met)
{
    met->ids.count = 0;
    lens_names_free(&met->kept);
}

void lens_met_free(lens_met *met)
{
    lens_met_clear(met);
    lens_id_list_free(&met->ids);
}

int lens_met_mark(lens_met *met, int64_t id, lens_error *err)
{
    met->sorted = false;
    return lens_id_list_add(&met->ids, id) == 0 ? 0 : lens_fail_memory(err);
}

int lens_met_keep(lens_met *met, const char *path, lens_error *err)
{
    if (lens_path_check(path, err) != 0)
        return -1;
    met->sorted = false;
    return lens_names_add(&met->kept, strdup(path)) == 0 ? 0 : lens_fail_memory(err);
}

void lens_met_nested(const char *root, lens_names *roots)
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

/* The first SIZE bytes of a path. */
typedef struct beginning {
    const char *path;
    size_t size;
} beginning;

static int compare_beginning(const void *key, const void *item)
{
    const beginning *one = key;
    const char *path = *(char *const *)item;
    const int order = strncmp(one->path, path, one->size);
    return order ? order : path[one->size] ? -1 : 0;
}

/* Whether PATH or a folder above it is one of SORTED. */
static bool is_covered(const char *path, const lens_names *sorted)
{
    beginning one = {path, strlen(path)};
    while (sorted->count > 0) {
        if (bsearch(&one, sorted->items, sorted->count, sizeof *sorted->items, compare_beginning))
            return true;
        if (one.size <= 1)
            break;
        while (one.size > 0 && path[--one.size] != '/')
            ;
        one.size += one.size == 0; /* "/" itself */
    }
    return false;
}

bool lens_met_stays(lens_met *met, int64_t id, const char *path, const lens_names *nested)
{
    if (!met->sorted) {
        lens_ids_sort(met->ids.items, met->ids.count);
        lens_names_sort(&met->kept);
    }
    met->sorted = true;
    if (lens_ids_have(met->ids.items, met->ids.count, id))
        return true;
    return is_covered(path, &met->kept) || is_covered(path, nested);
}
