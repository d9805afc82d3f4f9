/* What looks for faults in a library: in its store, and in the maps that were fitted on it. */
#include "library/internal.h"
#include "library/word_bridge.h"

typedef struct map_check {
    void (*fault)(void *context, const char *line);
    void *context;
    int faults;
} map_check;

static int check_map(void *context, const char *path, lens_error *err)
{
    map_check *self = context;
    lens_error reason = {0};
    lens_buffer line = {0};
    lens_word_map *map = lens_word_map_read(path, &reason);
    if (!map && (reason.code == LENS_E_MEMORY || reason.code == LENS_E_MISSING)) {
        if (err)
            *err = reason;
        return -1;
    }
    if (!map) {
        self->faults++;
        if (self->fault && lens_buffer_print(&line, "%s; memelens fit makes it anew", reason.message) == 0)
            self->fault(self->context, line.data);
    }
    lens_buffer_free(&line);
    lens_word_map_free(map);
    return 0;
}

int lens_check(lens_library *library, void (*fault)(void *context, const char *line), void *context, lens_error *err)
{
    lens_store *store = lens_store_open(library->place.store, LENS_STORE_READ, 0, err);
    if (!store)
        return -1;
    int faults = lens_store_check(store, fault, context, err);
    lens_store_close(store);
    map_check maps = {fault, context, 0};
    if (faults >= 0 && lens_word_bridge_each(library->place.folder, check_map, &maps, err) != 0)
        return -1;
    return faults < 0 ? -1 : faults + maps.faults;
}
