/* Files and folders that requests name: only what lies below those of --allow-path, wherever symbolic links lead. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "server/server.h"

char *lens_allowed_path(const lens_server *server, const char *path, bool *shown, lens_error *err)
{
    const lens_serve_names *allowed = &server->options.paths;
    bool may = false;
    *shown = false;
    if (!allowed->count || path[0] != '/') { /* then no disk is asked at all */
        lens_fail(err, LENS_E_MISSING, "not allowed");
        return NULL;
    }
    char *real = lens_file_real(path, err);
    for (size_t i = 0; real && i < allowed->count; i++) {
        lens_error why = {0};
        char *folder = lens_file_real(allowed->items[i], &why);
        if (!folder && why.code == LENS_E_MEMORY) {
            free(real);
            lens_fail_memory(err);
            return NULL;
        }
        if (folder && lens_path_within(real, folder)) {
            may = true;
            *shown |= !strstr(real + (folder[1] ? strlen(folder) : 0), "/.");
        }
        free(folder);
    }
    if (!real || may)
        return real;
    free(real);
    lens_fail(err, LENS_E_MISSING, "not allowed");
    return NULL;
}
