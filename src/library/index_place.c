/* What a library's own rules say of a path that someone else wants indexed. */
#include <string.h>

#include "library/internal.h"
#include "library/root_settings.h"

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
            const int comes = lens_root_comes_by(store, root, path, err);
            place = comes < 0 ? -1 : comes ? LENS_PLACE_IN : LENS_PLACE_OUT;
        }
    }
    lens_names_free(&roots);
    lens_names_free(&forgotten);
    lens_library_reader_done(library, store);
    return place;
}
