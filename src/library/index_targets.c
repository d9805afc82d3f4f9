/* What an index run walks: which roots, how, and which of them are absent. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "library/index_run.h"
#include "library/root_settings.h"

void lens_targets_free(lens_run *run)
{
    for (size_t i = 0; i < run->target_count; i++) {
        free(run->targets[i].path);
        free((void *)run->targets[i].walk.exclude);
        json_decref(run->targets[i].settings);
        for (size_t m = 0; m < run->targets[i].mount_count; m++)
            free(run->targets[i].mounts[m].path);
        free(run->targets[i].mounts);
    }
    free(run->targets);
}

static int add_target(lens_run *run, const char *path, lens_error *err)
{
    for (size_t i = 0; i < run->target_count; i++)
        if (strcmp(run->targets[i].path, path) == 0)
            return 0;
    lens_target *targets = realloc(run->targets, (run->target_count + 1) * sizeof *targets);
    char *copy = strdup(path);
    if (targets)
        run->targets = targets;
    if (!targets || !copy) {
        free(copy);
        return lens_fail_memory(err);
    }
    run->targets[run->target_count++] = (lens_target){.path = copy};
    return 0;
}

/* ---- settings ---- */

/* What OPTIONS say of walking replaces what SETTINGS say. */
static int put_options(const lens_index_options *options, json_t *settings, lens_error *err)
{
    if (options->include_hidden)
        json_object_set_new(settings, "hidden", json_true());
    if (!options->exclude_count)
        return 0;
    json_t *patterns = json_array();
    for (size_t i = 0; i < options->exclude_count; i++)
        if (json_array_append_new(patterns, json_string(options->exclude[i])) != 0) {
            json_decref(patterns);
            return lens_fail(err, LENS_E_ARGUMENT, "--exclude %s: not UTF-8", options->exclude[i]);
        }
    json_object_set_new(settings, "exclude", patterns);
    return 0;
}

/* Loads what is kept with the target's root; what the options say replaces it. */
static int load_settings(lens_run *run, lens_target *target, bool named, lens_error *err)
{
    const char *root = lens_names_nearest(&run->roots, target->path), *base = root ? root : target->path;
    target->settings = lens_root_settings(run->store, base, err);
    if (!target->settings || (named && put_options(run->options, target->settings, err) != 0))
        return -1;
    return lens_root_walk_options(target->settings, base, &target->walk, err);
}

static int save_settings(lens_run *run, const char *root, const json_t *settings, lens_error *err)
{
    char *text = json_dumps(settings, JSON_COMPACT | JSON_SORT_KEYS);
    int result = text ? lens_store_set_root_settings(run->store, root, text, err) : lens_fail_memory(err);
    free(text);
    return result;
}

/* Keeps how TARGET, of which INFO tells, is walked, if it is a root. */
static int keep_settings(lens_run *run, lens_target *target, const struct stat *info, lens_error *err)
{
    const char *root = lens_names_nearest(&run->roots, target->path);
    if (!root || strcmp(root, target->path) != 0)
        return 0;
    lens_disk_put(target->settings, root, info);
    return save_settings(run, root, target->settings, err);
}

/* ---- absent ones ---- */

/* Whether PATH, which is not there, is a picture that was removed (its folder is there), not a disk that is absent. -1: error. */
static int is_removed_picture(lens_run *run, const char *path, int64_t device, lens_error *err)
{
    lens_store_picture picture;
    int found = lens_store_picture_by_path(run->store, path, &picture, err);
    if (found <= 0)
        return found;
    lens_store_picture_free(&picture);
    found = lens_folder_there(path, device);
    return found < 0 ? lens_fail_memory(err) : found;
}

typedef struct known_pictures {
    const lens_run *run;
    const char *root;
    const json_t *mounts; /* of other disks below it */
    bool any;
} known_pictures;

enum { THERE = 1, UNTOLD = 2 };

/* THERE: PICTURE, of that root and its disk, is there. UNTOLD: a stop, or a disk that gives no answer, lets nobody know. Else 0, also for what cannot be looked at: it
 * proves nothing. */
static int look_for_known(void *context, const lens_store_picture *picture)
{
    known_pictures *self = context;
    struct stat info;
    lens_error why = {0};
    const char *root = lens_names_nearest(&self->run->roots, picture->path);
    if (!root || strcmp(root, self->root) != 0)
        return 0;
    for (size_t i = 0; i < json_array_size(self->mounts); i++) {
        const char *mount = json_string_value(json_array_get(self->mounts, i));
        if (mount && lens_path_within(picture->path, mount))
            return 0;
    }
    self->any = true;
    if (lens_file_look(picture->path, &info, &why) == 0)
        return THERE;
    return why.code == LENS_E_SILENT || why.code == LENS_E_CANCELLED ? UNTOLD : 0;
}

/* 1 when the root above TARGET is on another disk than it was, and none of its pictures was found there, 0 when not, -1 on error. Where they are there, or there are none to be
 * known, it is this disk from now on. */
static int is_exchanged(lens_run *run, const lens_target *target, lens_error *err)
{
    const char *root = lens_names_nearest(&run->roots, target->path);
    const lens_disk disk = lens_disk_of(target->settings);
    struct stat info;
    if (!root || lens_file_look(root, &info, NULL) != 0 || !lens_disk_exchanged(root, &info, &disk))
        return 0;
    known_pictures known = {.run = run, .root = root, .mounts = json_object_get(target->settings, lens_mounts_key)};
    const int there = lens_store_pictures_each(run->store, look_for_known, &known, err);
    if (there < 0)
        return -1;
    if (there != THERE && known.any)
        return 1;
    json_t *settings = lens_root_settings(run->store, root, err);
    if (settings)
        lens_disk_put(settings, root, &info);
    const int result = settings ? save_settings(run, root, settings, err) : -1;
    json_decref(settings);
    return result;
}

/* Sees whether TARGET is there. What is absent is kept as it is. */
static int look_at(lens_run *run, lens_target *target, lens_error *err)
{
    struct stat info;
    lens_error why = {0};
    const int64_t device = lens_disk_of(target->settings).device;
    const bool there = lens_file_look(target->path, &info, &why) == 0;
    const char *left = there ? lens_folder_left(target->path, &info, device) : NULL;
    target->fresh = device == 0;
    if (!there && (why.code == LENS_E_SILENT || why.code == LENS_E_CANCELLED)) {
        target->absent = lens_silent_words;
    } else if (!there && why.code != LENS_E_MISSING) {
        target->absent = "cannot be looked at now; what is known of it is kept";
    } else if (!there) {
        const int removed = is_removed_picture(run, target->path, device, err);
        if (removed < 0 || (removed > 0 && is_exchanged(run, target, err) < 0))
            return -1;
        target->removed = removed > 0; /* doubt_removed has the last word */
        if (removed > 0)
            return 0;
        target->absent = lens_absent_words;
    } else if (left) {
        target->absent = left;
    } else {
        const int exchanged = is_exchanged(run, target, err);
        if (exchanged > 0)
            target->absent = lens_exchanged_words;
        else if (exchanged < 0 || keep_settings(run, target, &info, err) != 0)
            return -1;
    }
    return target->absent ? lens_store_met_keep(run->store, target->path, err) : 0;
}

/* TARGET seemed to be a picture that was removed. It is kept where its disk is not there: of a disk further down only lens_mounts_load tells. */
static int doubt_removed(lens_run *run, lens_target *target, lens_error *err)
{
    if (!target->removed || lens_root_present(run, target->path))
        return 0;
    target->removed = false;
    target->absent = lens_disk_absent_words;
    return lens_store_met_keep(run->store, target->path, err);
}

/* Into the settings as they are now: another process may have set something since the walk began. */
static int keep_mounts(lens_run *run, const lens_target *target, lens_error *err)
{
    const char *root = lens_names_nearest(&run->roots, target->path);
    if (!target->walked || !root || strcmp(root, target->path) != 0)
        return 0;
    json_t *settings = lens_root_settings(run->store, root, err);
    if (!settings)
        return -1;
    const int result = lens_mounts_keep(target, settings) ? save_settings(run, root, settings, err) : 0;
    json_decref(settings);
    return result;
}

int lens_targets_keep(lens_run *run, lens_error *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < run->target_count; i++)
        result = keep_mounts(run, &run->targets[i], err);
    return result;
}

/* ---- choosing ---- */

/* Whether PATH lies in a known folder, and in nothing that was forgotten there. */
static bool is_known(const lens_run *run, const char *path)
{
    const char *root = lens_names_nearest(&run->roots, path), *out = lens_names_nearest(&run->forgotten, path);
    return root && (!out || strlen(out) < strlen(root));
}

/* *ROOT: a known root above PATH, which is named, that PATH goes by, so that it will be none of its own; NULL: there is none. *HIDDEN: what the walk from there
 * comes by although there is a name between that begins with a dot. */
static int find_cover(lens_run *run, const char *path, const char **root, bool *hidden, lens_error *err)
{
    const char *nearest = lens_names_nearest(&run->roots, path);
    *root = NULL;
    *hidden = false;
    if (!nearest || strcmp(nearest, path) == 0)
        return 0;
    char *above = lens_path_folder(path);
    if (!above)
        return lens_fail_memory(err);
    const char *out = lens_names_nearest(&run->forgotten, above); /* PATH itself is remembered by being named */
    const bool ends = out && strlen(out) > strlen(nearest);
    free(above);
    if (ends)
        return 0;
    if (strstr(path + (nearest[1] ? strlen(nearest) : 0), "/.")) {
        const int comes = lens_root_comes_by(run->store, nearest, path, err);
        if (comes <= 0)
            return comes;
        *hidden = true;
    }
    *root = nearest;
    return 0;
}

/* How a root is walked is kept with it. What is asked for PATH below it alone would hold for this run: the next takes out what came in, with all that was read
 * and said of it, and brings in what was left out. */
static int refuse_options_below(lens_run *run, const char *path, const char *root, lens_error *err)
{
    for (size_t i = 0; i < run->target_count; i++)
        if (strcmp(run->targets[i].path, root) == 0)
            return 0;
    json_t *kept = lens_root_settings(run->store, root, err), *asked = json_deep_copy(kept);
    int result = kept && !asked ? lens_fail_memory(err) : kept ? put_options(run->options, asked, err) : -1;
    if (result == 0 && !json_equal(kept, asked))
        result = lens_fail(err, LENS_E_ARGUMENT, "%s: lies in %s, and goes by the exclusions and --include-hidden that are kept with that: name that folder instead",
                           path, root);
    json_decref(asked);
    json_decref(kept);
    return result;
}

static int refuse_options(lens_run *run, lens_error *err)
{
    const bool any = run->options->include_hidden || run->options->exclude_count;
    for (size_t i = 0; i < run->target_count && any; i++) {
        const char *root;
        bool hidden;
        if (find_cover(run, run->targets[i].path, &root, &hidden, err) != 0 || (root && refuse_options_below(run, run->targets[i].path, root, err) != 0))
            return -1;
    }
    return 0;
}

static int add_rules(lens_run *run, lens_error *err)
{
    for (size_t i = 0; i < run->target_count; i++) {
        const char *root, *path = run->targets[i].path;
        bool hidden;
        if (find_cover(run, path, &root, &hidden, err) != 0 || (hidden ? lens_store_remember : lens_store_add_root)(run->store, path, err) != 0)
            return -1;
    }
    return 0;
}

static int add_named(lens_run *run, lens_error *err)
{
    const lens_index_options *options = run->options;
    for (size_t i = 0; i < options->path_count; i++) {
        char *path = lens_path_absolute(options->paths[i], err);
        int result = path ? 0 : -1;
        struct stat info;
        lens_error why = {0};
        if (result == 0 && options->only_known && !is_known(run, path)) {
            free(path);
            continue;
        }
        if (result == 0 && !lens_names_nearest(&run->roots, path) && lens_file_look(path, &info, &why) != 0) {
            if (why.code == LENS_E_MISSING)
                lens_fail(&why, LENS_E_MISSING, "%s: no such file or folder", path);
            if (err)
                *err = why;
            result = -1;
        }
        if (result == 0)
            result = add_target(run, path, err);
        free(path);
        if (result != 0)
            return -1;
    }
    if (options->only_known)
        return 0;
    return refuse_options(run, err) == 0 ? add_rules(run, err) : -1; /* now that all of them make sense */
}

int lens_targets_choose(lens_run *run, lens_error *err)
{
    if (lens_store_roots(run->store, &run->roots, err) != 0 || lens_store_forgotten(run->store, &run->forgotten, err) != 0 || add_named(run, err) != 0)
        return -1;
    lens_names_free(&run->roots);
    lens_names_free(&run->forgotten);
    if (lens_store_roots(run->store, &run->roots, err) != 0 || lens_store_forgotten(run->store, &run->forgotten, err) != 0)
        return -1;
    if (run->roots.count == 0 && !run->options->only_known)
        return lens_fail(err, LENS_E_MISSING, "%s: no folder is known yet: run `memelens index FOLDER`", run->place->shown);
    /* Without paths every root; with paths also the roots below them: other disks, or hidden or once forgotten folders, where
     * the walk from above does not come by. */
    size_t named = run->target_count;
    for (size_t r = 0; r < run->roots.count; r++) {
        bool take = run->options->path_count == 0;
        for (size_t i = 0; i < named; i++)
            take |= lens_path_within(run->roots.items[r], run->targets[i].path);
        if (take && add_target(run, run->roots.items[r], err) != 0)
            return -1;
    }
    for (size_t i = 0; i < run->target_count; i++)
        if (load_settings(run, &run->targets[i], i < named, err) != 0 || look_at(run, &run->targets[i], err) != 0)
            return -1;
    int result = lens_mounts_load(run, err);
    for (size_t i = 0; result == 0 && i < run->target_count; i++)
        result = doubt_removed(run, &run->targets[i], err);
    return result;
}
