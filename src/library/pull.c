/* Models by name: the plan that every way to fetch one follows, and what is here. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/lock.h"
#include "encoders/packed_place.h"
#include "net/hub.h"
#include "library/pull.h"

#define PART ".part" /* what a workspace's name ends with */

void lens_pull_say(const lens_pull_job *job, const char *format, ...)
{
    if (!job->event)
        return;
    char words[1400];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    /* Whether to stop is asked often enough elsewhere. */
    job->event(job->context, &(lens_pull_event){.step = words});
}

static bool stopped(const lens_pull_job *job)
{
    return job->event && !job->event(job->context, &(lens_pull_event){0});
}

/* Whether the model at FOLDER is there and whole. */
static bool opens(const char *folder, const char *name, lens_error *err)
{
    lens_encoder *encoder = lens_encoder_open(folder, name, LENS_PRECISION_AUTO, LENS_TOWER_BOTH, err);
    lens_encoder_close(encoder);
    return encoder != NULL;
}

static bool is_weights(const char *name)
{
    const char *end = strrchr(name, '.');
    return end && strcmp(end, ".safetensors") == 0;
}

/* Whether a model's folder may hold NAME, its weights aside: what a pull brings, and what the model's use leaves there. */
static bool is_side_file(const char *name)
{
    return strcmp(name, LENS_PULL_NOTE) == 0 || lens_catalogue_side_file(name) || strcmp(name, LENS_CATALOGUE_POOLING) == 0 ||
           strstr(name, ".safetensors.index.json") || lens_packed_place_named(name) || lens_file_is_abandoned(name);
}

/* What no pull made is not ours to replace when it holds other things than a model's, or weights: they may be the only ones of their kind. */
static int may_replace(const char *folder, lens_error *err)
{
    struct stat info;
    DIR *dir = opendir(folder);
    if (!dir && errno == ENOENT && lstat(folder, &info) == 0)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: a link to nothing: remove it first", folder);
    if (!dir)
        return errno == ENOENT ? 0 : lens_fail_errno(err, errno, "%s", folder);
    char *note = lens_path_join(folder, LENS_PULL_NOTE);
    bool pulled = note && lens_file_exists(note);
    int result = 0;
    free(note);
    for (const struct dirent *entry = readdir(dir); result == 0 && entry; entry = readdir(dir)) {
        const char *name = entry->d_name;
        bool ours = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_side_file(name) || is_weights(name);
        if (!ours)
            result = lens_fail(err, LENS_E_ARGUMENT, "%s: does not open as this model, and holds something else too (%.100s): move it away first",
                               folder, name);
        else if (!pulled && is_weights(name))
            result = lens_fail(err, LENS_E_ARGUMENT, "%s: does not open as this model, and its weights (%.100s) were not brought by a pull: move "
                                                     "it away first",
                               folder, name);
    }
    closedir(dir);
    return result;
}

typedef struct waiting {
    const lens_pull_job *job;
    bool told; /* that somebody else has the workspace */
} waiting;

static int wait_for_turn(void *context, lens_error *err)
{
    waiting *self = context;
    if (!self->told)
        lens_pull_say(self->job, "another memelens is fetching %s: waiting for it", self->job->name);
    self->told = true;
    return stopped(self->job) ? lens_fail(err, LENS_E_CANCELLED, "%s: stopped", self->job->name) : 0;
}

/* The workspace, which one process has at a time: a folder that is made and locked. It may be renamed or removed between the two, and is then
 * another one. The descriptor that holds the lock, or -1. */
static int lock_workspace(const lens_pull_job *job, lens_error *err)
{
    waiting turn = {job, false};
    for (;;) {
        struct stat held, named;
        if (lens_folder_make(job->workspace, err) != 0)
            return -1;
        int fd = open(job->workspace, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            return lens_fail_errno(err, errno, "%s", job->workspace);
        const int result = lens_lock(fd, job->workspace, 0.1, wait_for_turn, &turn, err);
        if (result == 0 && fstat(fd, &held) == 0 && stat(job->workspace, &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev)
            return fd;
        close(fd);
        if (result != 0)
            return -1;
    }
}

/* Fetches, proves and puts in place; the workspace is ours. */
static int work(const lens_pull_job *job, const char *folder, lens_error *err)
{
    lens_error ignored;
    if (opens(folder, job->name, NULL)) { /* another process was faster */
        lens_folder_remove(job->workspace, &ignored);
        lens_pull_say(job, "%s is here already: %s", job->name, folder);
        return 0;
    }
    int result = may_replace(folder, err);
    bool refused = false;
    if (result == 0)
        result = job->repository ? lens_pull_hub(job, &refused, err) : lens_pull_package(job, err);
    if (result == 0 && stopped(job))
        result = lens_fail(err, LENS_E_CANCELLED, "%s: stopped", job->name);
    /* Proves it, rather than saying so. What does not open now will not when it is fetched again, but where it was memory that lacked. */
    lens_error why = {0};
    if (result == 0 && !opens(job->model, job->name, &why)) {
        result = -1;
        refused = why.code != LENS_E_MEMORY;
        if (err)
            *err = why;
    }
    if (result == 0)
        result = lens_folder_put(job->model, folder, err);
    if (result == 0) {
        lens_folder_remove(job->workspace, &ignored);
        lens_pull_say(job, "%s is in %s", job->name, folder);
    } else if (refused) {
        lens_folder_remove(job->workspace, &ignored);
    } else {
        rmdir(job->model); /* when nothing is in it that the next run can use */
        rmdir(job->workspace);
    }
    return result;
}

int lens_pull(const char *name, bool (*event)(void *context, const lens_pull_event *event), void *context, lens_error *err)
{
    const lens_catalogue_entry *entry = lens_catalogue_find(name);
    if (entry && strcmp(entry->name, name) != 0)
        entry = NULL;
    if (!entry && !lens_hub_repository(name))
        return lens_fail(err, LENS_E_MISSING, "%s: not in the catalogue (`memelens models` shows it), and not the OWNER/NAME of a repository of the "
                                              "Hugging Face hub",
                         name);
    size_t length = strlen(name), end = strlen(PART);
    if (length > end && strcmp(name + length - end, PART) == 0)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: a name that ends with %s is a workspace's in the models folder", name, PART);
    char *models = lens_models_folder(err);
    if (!models)
        return -1;
    char *own_name = entry ? strdup(name) : lens_hub_folder_name(name);
    char *folder = own_name ? lens_path_join(models, own_name) : NULL;
    lens_buffer workspace = {0}, model = {0};
    int result = -1;
    if (!folder || lens_buffer_print(&workspace, "%s" PART, folder) != 0 || lens_buffer_print(&model, "%s/model", workspace.data) != 0) {
        lens_fail_memory(err);
    } else {
        lens_pull_job job = {
            .name = name,
            .entry = entry,
            .repository = entry ? entry->repository : name,
            .revision = entry ? entry->revision : "main",
            .workspace = workspace.data,
            .model = model.data,
            .event = event,
            .context = context,
        };
        /* A workspace beside it is of a run that was killed after the model was in place, and is cleared under its lock. */
        if (lens_file_exists(folder) && !lens_file_exists(workspace.data) && opens(folder, name, NULL)) {
            lens_pull_say(&job, "%s is here already: %s", name, folder);
            result = 0;
        } else {
            int lock = lock_workspace(&job, err);
            if (lock >= 0) {
                result = work(&job, folder, err);
                close(lock);
            }
        }
    }
    lens_buffer_free(&model);
    lens_buffer_free(&workspace);
    free(folder);
    free(own_name);
    free(models);
    return result;
}
