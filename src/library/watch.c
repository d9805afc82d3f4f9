/* lens_watch: the folders of the library's roots, watched by src/files/watch, and what is to be indexed when they change. A root is walked as
 * an index run walks it, so that what is left out there is not watched here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/patience.h"
#include "captions/captions.h"
#include "files/watch.h"
#include "library/internal.h"
#include "library/root_settings.h"
#include "store/texts.h"

enum { CHANGED_MOST = 32 }; /* folders; of more, the roots are looked at */
static const double quiet_seconds = 1, noisy_seconds = 10; /* from the last change, from the first */
static const double look_every = 1, full_every = 600;      /* at the roots; at everything, where the kernel does not tell */
static const double again_every = 60;                      /* it is asked anew whether it would */

typedef struct watched_root {
    char *path;
    json_t *settings;
    lens_walk_options walk;
    bool is_file, stale; /* STALE: folders came, which are not watched yet */
    bool linked;         /* a folder below is a symbolic link, and only a walk of the whole root enters each folder once */
    dev_t device;
    ino_t number; /* 0: not there when it was looked at */
} watched_root;

struct lens_watch {
    lens_library *library;
    lens_store *store;
    int64_t version;
    char *rules; /* the roots, their settings, what was forgotten and files of captions, as text: another text means to begin anew */
    lens_folder_watch *folders; /* NULL: the kernel tells of nothing */
    watched_root *roots;
    size_t root_count;
    lens_names forgotten;
    lens_store_sources captions; /* files of captions, wherever they lie */
    char *changed[CHANGED_MOST];
    size_t changed_count;
    bool all, given; /* everything is to be looked at; CHANGED was given to the caller */
    bool twice;      /* a folder is in two roots by two paths, and changes in it are told of one: everything is to be looked at whenever something changed */
    double first, last, looked, full, tried;
    watched_root *walked; /* the one that is being walked */
    bool partly;          /* changes of some folders are not told of */
    char limit[512];
};

/* ---- what changed ---- */

static void clear_changed(lens_watch *self)
{
    while (self->changed_count)
        free(self->changed[--self->changed_count]);
    self->given = self->all = false;
}

static void note_time(lens_watch *self)
{
    if (self->given)
        clear_changed(self);
    self->last = lens_seconds();
    if (!self->changed_count && !self->all)
        self->first = self->last;
}

void lens_watch_all(lens_watch *self)
{
    note_time(self);
    self->all = true;
}

static void note(lens_watch *self, const char *path)
{
    note_time(self);
    self->all |= self->twice;
    if (self->all)
        return;
    for (size_t i = 0; i < self->changed_count; i++)
        if (lens_path_within(path, self->changed[i]))
            return;
    for (size_t i = self->changed_count; i-- > 0;)
        if (lens_path_within(self->changed[i], path)) {
            free(self->changed[i]);
            self->changed[i] = self->changed[--self->changed_count];
        }
    char *copy = self->changed_count < CHANGED_MOST ? strdup(path) : NULL;
    if (copy)
        self->changed[self->changed_count++] = copy;
    else
        self->all = true;
}

/* What a run has to look at when something changed in FOLDER of ROOT. A hidden folder that is named becomes a root of its own. */
static void note_folder(lens_watch *self, const watched_root *root, const char *folder)
{
    note(self, root->linked || strstr(folder + strlen(root->path), "/.") ? root->path : folder);
}

/* ---- walking ---- */

static void limited(lens_watch *self, const char *why)
{
    self->partly = true;
    if (!self->limit[0])
        snprintf(self->limit, sizeof self->limit, "%s", why);
}

static bool enter(void *context, const char *path)
{
    lens_watch *self = context;
    struct stat info;
    lens_error error = {0};
    if (strcmp(path, self->library->place.folder) == 0 || lens_names_find(&self->forgotten, path) >= 0)
        return false;
    if (strcmp(path, self->walked->path) != 0 && lens_file_look_at_link(path, &info, NULL) == 0 && S_ISLNK(info.st_mode))
        self->walked->linked = true;
    char *other = NULL;
    if (lens_folder_watch_add(self->folders, path, &other, &error) != 0 && (error.code == LENS_E_LIMIT || error.code == LENS_E_SILENT))
        limited(self, error.message);
    self->twice |= other && !lens_path_within(other, self->walked->path); /* in one root, a link has all of it looked at */
    free(other);
    return true;
}

static int pass_by(void *context, const lens_walk_file *file)
{
    (void)context;
    (void)file;
    return 0;
}

/* Watches PATH, a folder of ROOT, and all below it. */
static void watch_below(lens_watch *self, watched_root *root, const char *path)
{
    const lens_walk_visitor visitor = {.file = pass_by, .enter = enter, .context = self};
    self->walked = root;
    if (self->folders)
        lens_walk(path, &root->walk, &visitor, NULL);
}

/* Watches the folder that the file PATH lies in, where anything is watched. 0 or -1. */
static int watch_above(lens_watch *self, const char *path, lens_error *err)
{
    char *folder = lens_path_folder(path);
    if (!folder)
        return lens_fail_memory_for(err, path);
    char *other = NULL;
    const int result = self->folders ? lens_folder_watch_add(self->folders, folder, &other, err) : 0;
    self->twice |= other != NULL;
    free(other);
    free(folder);
    return result;
}

/* Whether ROOT is there, and is what it was: another disk may have been put in its place. */
static void watch_root(lens_watch *self, watched_root *root)
{
    struct stat info;
    const bool there = lens_file_look(root->path, &info, NULL) == 0;
    if (there && root->number == info.st_ino && root->device == info.st_dev)
        return;
    root->number = there ? info.st_ino : 0;
    root->device = there ? info.st_dev : 0;
    if (!there)
        return;
    root->is_file = S_ISREG(info.st_mode);
    if (lens_folder_is_remote(root->path)) {
        char why[512];
        snprintf(why, sizeof why, "%s is on a disk that does not tell of changes made elsewhere", root->path);
        limited(self, why);
    }
    if (root->is_file) {
        lens_error error = {0};
        if (watch_above(self, root->path, &error) != 0)
            limited(self, error.message);
    } else {
        watch_below(self, root, root->path);
    }
    note(self, root->path);
}

/* ---- the rules ---- */

static void free_roots(lens_watch *self)
{
    for (size_t i = 0; i < self->root_count; i++) {
        free(self->roots[i].path);
        free((void *)self->roots[i].walk.exclude);
        json_decref(self->roots[i].settings);
    }
    free(self->roots);
    self->roots = NULL;
    self->root_count = 0;
    lens_names_free(&self->forgotten);
    lens_store_sources_free(&self->captions);
}

static int read_rules(lens_watch *self, lens_buffer *rules, lens_error *err)
{
    lens_names roots = {0};
    int result = lens_store_roots(self->store, &roots, err);
    if (result == 0)
        result = lens_store_forgotten(self->store, &self->forgotten, err);
    self->roots = calloc(roots.count + 1, sizeof *self->roots);
    if (result == 0 && !self->roots)
        result = lens_fail_memory(err);
    for (size_t i = 0; result == 0 && i < roots.count; i++) {
        watched_root *root = &self->roots[self->root_count++];
        root->path = strdup(roots.items[i]);
        root->settings = lens_root_settings(self->store, roots.items[i], err);
        result = root->path && root->settings ? lens_root_walk_options(root->settings, root->path, &root->walk, err)
                                              : lens_fail_memory(err);
        char *text = result == 0 ? json_dumps(json_object_get(root->settings, "exclude"), JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        if (result == 0)
            result = lens_buffer_print(rules, "%s\n%s %d\n", root->path, text ? text : "", root->walk.include_hidden);
        free(text);
    }
    for (size_t i = 0; result == 0 && i < self->forgotten.count; i++)
        result = lens_buffer_print(rules, "without %s\n", self->forgotten.items[i]);
    if (result == 0)
        result = lens_store_sources_list(self->store, LENS_SOURCE_FILE, &self->captions, err);
    for (size_t i = 0; result == 0 && i < self->captions.count; i++)
        result = lens_buffer_print(rules, "captions %s\n", self->captions.items[i].path);
    lens_names_free(&roots);
    return result;
}

/* The library is gone: what was known of it, and of what changed in its folders, goes for nothing, for another one may come to its place. */
static void leave(lens_watch *self)
{
    lens_library_reader_done(self->library, self->store);
    self->store = NULL;
    clear_changed(self);
    free_roots(self);
    free(self->rules);
    self->rules = NULL;
    if (self->folders)
        lens_folder_watch_clear(self->folders);
}

/* lens_store_version, where the library is there: 1. 0: it is gone; -1: error. */
static int look_at_library(lens_watch *self, int64_t *version, lens_error *err)
{
    lens_error why = {0};
    if (lens_store_version(self->store, version, &why) == 0)
        return 1;
    if (why.code == LENS_E_MISSING) { /* a database's, which was dropped */
        leave(self);
        return 0;
    }
    if (err)
        *err = why;
    return -1;
}

/* Reads the rules when someone wrote to the library, and begins anew when they are others. A library that is not there has none. */
static int follow_rules(lens_watch *self, lens_error *err)
{
    lens_error missing = {0};
    int64_t version = 0;
    if (self->store && lens_store_moved(self->store))
        leave(self);
    if (!self->store && !(self->store = lens_library_reader(self->library, &missing))) {
        if (missing.code == LENS_E_MISSING)
            return 0;
        if (err)
            *err = missing;
        return -1;
    }
    const int there = look_at_library(self, &version, err);
    if (there <= 0)
        return there;
    if (self->rules && version == self->version)
        return 0;
    lens_watch next = {.library = self->library, .store = self->store};
    lens_buffer rules = {0};
    int result = read_rules(&next, &rules, err);
    const bool same = result == 0 && self->rules && strcmp(self->rules, rules.data ? rules.data : "") == 0;
    char *text = result == 0 && !same ? strdup(rules.data ? rules.data : "") : NULL;
    lens_buffer_free(&rules);
    if (result != 0 || same || !text) {
        free_roots(&next);
        if (same)
            self->version = version;
        return result == 0 && !same ? lens_fail_memory(err) : result;
    }
    self->version = version;
    free_roots(self);
    free(self->rules);
    self->rules = text;
    self->roots = next.roots;
    self->root_count = next.root_count;
    self->forgotten = next.forgotten;
    self->captions = next.captions;
    self->partly = !self->folders;
    self->twice = false;
    if (self->folders) {
        self->limit[0] = '\0';
        lens_folder_watch_clear(self->folders);
    }
    for (size_t i = 0; i < self->captions.count; i++)
        watch_above(self, self->captions.items[i].path, NULL); /* one that is away is looked at by the next run, whatever that is for */
    if (self->root_count) {
        clear_changed(self);
        lens_watch_all(self);
    }
    return 0;
}

/* ---- events ---- */

static void hear(void *context, lens_watch_kind kind, const char *folder, const char *name)
{
    lens_watch *self = context;
    if (kind == LENS_WATCH_LOST) {
        free(self->rules); /* nor is it known which folders came */
        self->rules = NULL;
        return;
    }
    const bool itself = !name || strcmp(name, ".") == 0;
    char *joined = itself ? NULL : lens_path_join(folder, name);
    const char *path = joined ? joined : folder;
    struct stat info;
    if (kind == LENS_WATCH_FILE && !itself && !lens_named_as_picture(path) && lens_file_look(path, &info, NULL) == 0 && S_ISDIR(info.st_mode))
        kind = LENS_WATCH_FOLDER; /* a link to one, which the kernel calls no folder */
    for (size_t i = 0; i < self->captions.count && self->root_count; i++)
        if (strcmp(path, self->captions.items[i].path) == 0)
            lens_watch_all(self); /* its pictures may be anywhere */
    for (size_t i = 0; i < self->root_count; i++) {
        watched_root *root = &self->roots[i];
        if (root->is_file && strcmp(path, root->path) == 0)
            note(self, root->path);
        if (root->is_file || !lens_path_within(folder, root->path) || (!itself && name[0] == '.' && !root->walk.include_hidden))
            continue;
        if (kind == LENS_WATCH_SELF && strcmp(folder, root->path) == 0)
            root->number = 0; /* watch_root looks after roots */
        if (kind == LENS_WATCH_SELF && (!root->linked || strcmp(folder, root->path) == 0))
            continue; /* the folder above it tells too; but of one that a link leads to nobody else does */
        root->stale |= kind == LENS_WATCH_FOLDER || itself;
        if (kind != LENS_WATCH_FILE || itself || lens_named_as_picture(path) || lens_captions_is_sidecar(path) || lens_is_picture_file(path))
            note_folder(self, root, folder);
    }
    free(joined);
}

/* Before the changes are given out: what came is watched (from the root, for what is left out, and what was visited, is known to a walk from there
 * alone), and a folder that is no more is known to the one above it. */
static void settle(lens_watch *self)
{
    struct stat info;
    for (size_t i = 0; i < self->root_count; i++) {
        if (self->roots[i].stale)
            watch_below(self, &self->roots[i], self->roots[i].path);
        self->roots[i].stale = false;
    }
    for (size_t i = 0; i < self->changed_count && !self->all; i++)
        self->all = lens_file_look(self->changed[i], &info, NULL) != 0;
}

/* Asks the kernel to tell of changes; where it does not, for want of inotify or of room for one watch more, the clock has to do until it does. */
static void open_folders(lens_watch *self)
{
    lens_error error = {0};
    self->tried = lens_seconds();
    self->folders = lens_folder_watch_new(&error);
    self->partly = !self->folders;
    snprintf(self->limit, sizeof self->limit, "%s", error.message);
    if (!self->folders)
        return;
    free(self->rules); /* nothing is watched yet */
    self->rules = NULL;
}

int lens_watch_wait(lens_watch *self, double seconds, const char *const **paths, size_t *count, lens_error *err)
{
    const double begun = lens_seconds();
    *paths = (const char *const *)self->changed;
    *count = 0;
    if (self->given)
        clear_changed(self);
    for (double now = begun;; now = lens_seconds()) {
        if (!self->folders && now - self->tried >= again_every * lens_patience())
            open_folders(self);
        if (now - self->looked >= look_every) {
            self->looked = now;
            if (follow_rules(self, err) != 0)
                return -1;
            for (size_t i = 0; i < self->root_count; i++)
                watch_root(self, &self->roots[i]);
        }
        if (self->partly && self->root_count && !self->all && now - self->full >= full_every * lens_patience())
            lens_watch_all(self);
        const double due = self->last + quiet_seconds < self->first + noisy_seconds ? self->last + quiet_seconds : self->first + noisy_seconds;
        if ((self->changed_count || self->all) && now >= due) {
            settle(self);
            if (self->all)
                self->full = now;
            *count = self->all ? 0 : self->changed_count;
            self->given = true;
            return 1;
        }
        const double left = begun + seconds - now;
        if (left <= 0)
            return 0;
        const double step = left < 0.2 ? left : 0.2;
        if (!self->folders)
            lens_sleep(step);
        else if (lens_folder_watch_wait(self->folders, step, hear, self, err) < 0)
            return -1;
    }
}

const char *lens_watch_limit(const lens_watch *self)
{
    return self->partly ? self->limit : NULL;
}

bool lens_watch_told(const lens_watch *self)
{
    return self->folders != NULL;
}

lens_watch *lens_watch_new(lens_library *library, lens_error *err)
{
    lens_watch *self = calloc(1, sizeof *self);
    if (!self) {
        lens_fail_memory(err);
        return NULL;
    }
    self->library = library;
    self->looked = -look_every;
    open_folders(self);
    return self;
}

void lens_watch_free(lens_watch *self)
{
    if (!self)
        return;
    clear_changed(self);
    free_roots(self);
    free(self->rules);
    lens_folder_watch_free(self->folders);
    if (self->store)
        lens_library_reader_done(self->library, self->store);
    free(self);
}
