/* What a library's own rules say of a path that someone else wants indexed. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "library/internal.h"
#include "library/root_settings.h"

/* Whether the walk of ROOT comes by PATH. -1: error. */
static int walked(lens_store *store, const char *root, const char *path, lens_error *err)
{
    lens_walk_options walk;
    struct stat info;
    json_t *settings = lens_root_settings(store, root, err);
    if (!settings)
        return -1;
    int left_out = lens_root_walk_options(settings, root, &walk, err);
    if (left_out == 0)
        left_out = lens_walk_leaves_out(&walk, path, lens_file_look(path, &info, NULL) == 0 && S_ISDIR(info.st_mode), err);
    free((void *)walk.exclude);
    json_decref(settings);
    return left_out < 0 ? -1 : !left_out;
}

int lens_index_place(lens_library *library, const char *path, lens_error *err)
{
    lens_names roots = {0}, forgotten = {0};
    lens_error error = {0};
    lens_store *store = lens_library_reader(library, &error);
    if (!store) {
        if (err)
            *err = error;
        return error.code == LENS_E_MISSING ? LENS_PLACE_NEW : -1;
    }
    int place = -1;
    if (lens_store_roots(store, &roots, err) == 0 && lens_store_forgotten(store, &forgotten, err) == 0) {
        const char *root = lens_names_nearest(&roots, path), *rule = lens_names_nearest(&forgotten, path);
        if (rule && (!root || strlen(rule) > strlen(root))) {
            place = LENS_PLACE_OUT;
        } else if (!root) {
            place = LENS_PLACE_NEW;
        } else {
            const int comes = walked(store, root, path, err);
            place = comes < 0 ? -1 : comes ? LENS_PLACE_IN : LENS_PLACE_OUT;
        }
    }
    lens_names_free(&roots);
    lens_names_free(&forgotten);
    lens_library_reader_done(library, store);
    return place;
}
