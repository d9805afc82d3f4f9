/* Files and folders that requests name: only what lies below those of --allow-path, wherever symbolic links lead. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/patience.h"
#include "server/server.h"

typedef struct resolving {
    lens_errand errand; /* first: every folder on the way is asked for, and any may lie on a silent disk */
    char *real;
    bool short_of_memory;
    char path[];
} resolving;

static void run_resolving(lens_errand *errand)
{
    resolving *self = (resolving *)errand;
    self->real = realpath(self->path, NULL);
    self->short_of_memory = !self->real && errno == ENOMEM;
}

static void end_resolving(lens_errand *errand)
{
    free(((resolving *)errand)->real);
    free(errand);
}

/* PATH without symbolic links. The caller frees; NULL on failure. */
static char *real_path(const char *path, lens_error *err)
{
    const size_t length = strlen(path);
    resolving *self = calloc(1, sizeof *self + length + 1);
    if (!self) {
        lens_fail_memory(err);
        return NULL;
    }
    self->errand = (lens_errand){.run = run_resolving, .end = end_resolving};
    memcpy(self->path, path, length + 1);
    if (lens_errand_do(&self->errand, path, err) != 0)
        return NULL;
    char *real = self->real;
    if (!real)
        lens_fail(err, self->short_of_memory ? LENS_E_MEMORY : LENS_E_MISSING, self->short_of_memory ? "not enough memory" : "not there");
    self->real = NULL;
    end_resolving(&self->errand);
    return real;
}

char *lens_allowed_path(const lens_server *server, const char *path, bool *shown, lens_error *err)
{
    const lens_serve_names *allowed = &server->options.paths;
    bool may = false;
    *shown = false;
    if (!allowed->count || path[0] != '/') { /* then no disk is asked at all */
        lens_fail(err, LENS_E_MISSING, "not allowed");
        return NULL;
    }
    char *real = real_path(path, err);
    for (size_t i = 0; real && i < allowed->count; i++) {
        lens_error why = {0};
        char *folder = real_path(allowed->items[i], &why);
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
