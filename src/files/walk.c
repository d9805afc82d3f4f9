/* Folders that wait to be entered stand in a list of paths: no recursion, one folder open at a time, however deep it
 * goes. A folder is read whole, its files are told in order, and its folders are put before what waits already; those
 * that are symbolic links go to the end of another list, which is begun when there is no real folder left. */
#include "files/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/names.h"
#include "base/patience.h"
#include "files/listing.h"

/* ---- folders that were visited ---------------------------------------------------------------------------------- */

typedef struct folder_key {
    dev_t device;
    ino_t number;
    bool used;
} folder_key;

typedef struct folder_set {
    folder_key *slots; /* open addressing */
    size_t count, capacity;
} folder_set;

static folder_key *slot_of(const folder_set *set, dev_t device, ino_t number)
{
    uint64_t hash = ((uint64_t)number ^ (uint64_t)device << 32) * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(hash >> 20) & (set->capacity - 1);
    while (set->slots[at].used && (set->slots[at].device != device || set->slots[at].number != number))
        at = (at + 1) & (set->capacity - 1);
    return &set->slots[at];
}

/* 1: added; 0: it was there; -1: memory is short. */
static int visit(folder_set *set, const struct stat *info)
{
    if (2 * set->count >= set->capacity) {
        folder_set larger = {.count = set->count, .capacity = set->capacity ? 2 * set->capacity : 256};
        larger.slots = calloc(larger.capacity, sizeof *larger.slots);
        if (!larger.slots)
            return -1;
        for (size_t i = 0; i < set->capacity; i++)
            if (set->slots[i].used)
                *slot_of(&larger, set->slots[i].device, set->slots[i].number) = set->slots[i];
        free(set->slots);
        *set = larger;
    }
    folder_key *slot = slot_of(set, info->st_dev, info->st_ino);
    if (slot->used)
        return 0;
    *slot = (folder_key){info->st_dev, info->st_ino, true};
    set->count++;
    return 1;
}

/* ---- the walk --------------------------------------------------------------------------------------------------- */

/* A pattern that says what is left out. */
typedef struct exclusion {
    char *glob;
    bool anchored;     /* began with a slash: only the path below the root counts */
    bool folders_only; /* ended in one */
} exclusion;

typedef struct walk {
    const char *root;
    size_t base_length; /* of what the exclusions are relative to, without the slash of "/" */
    exclusion *exclusions;
    size_t exclusion_count;
    bool include_hidden;
    const lens_walk_visitor *visitor;
    folder_set visited;
    lens_names real;  /* absolute paths, the next one last */
    lens_names links; /* the next one first */
    size_t link;     /* links that were entered */
    bool ends;       /* whoever wants the walk waits for no disk any more */
    lens_error *err;
} walk;

static int starved(const walk *w)
{
    return lens_fail(w->err, LENS_E_MEMORY, "%s: not enough memory to look through it", w->root);
}

/* Tells of what could not be looked at: by ERRNUM, or in WORDS and with CODE. */
static void problem(walk *w, const char *path, lens_error_code code, int errnum, const char *words)
{
    enum { SHOWN = 800 }; /* of a path: its end tells more, and the reason must not be cut off */
    lens_error error = {0};
    size_t length = strlen(path);
    const char *cut = length > SHOWN ? "..." : "", *shown = length > SHOWN ? path + length - SHOWN : path;
    if (!w->visitor->problem)
        return;
    if (words)
        lens_fail(&error, code, "%s%s: %s", cut, shown, words);
    else
        lens_fail_errno(&error, errnum, "%s%s", cut, shown);
    w->visitor->problem(w->visitor->context, path, &error);
}

/* Whether PATH, whose last part is NAME, is left out. */
static bool left_out(const walk *w, const char *path, const char *name, bool folder)
{
    if (name[0] == '.' && !w->include_hidden)
        return true;
    const char *below = path + w->base_length + 1;
    for (size_t i = 0; i < w->exclusion_count; i++) {
        const exclusion *one = &w->exclusions[i];
        if (one->folders_only && !folder)
            continue;
        if (fnmatch(one->glob, below, 0) == 0 || (!one->anchored && fnmatch(one->glob, name, 0) == 0))
            return true;
    }
    return false;
}

static int read_exclusions(walk *w, const lens_walk_options *options)
{
    w->exclusions = calloc(options->exclude_count + 1, sizeof *w->exclusions);
    if (!w->exclusions)
        return starved(w);
    for (size_t i = 0; i < options->exclude_count; i++) {
        exclusion *one = &w->exclusions[i];
        const char *pattern = options->exclude[i];
        one->anchored = pattern[0] == '/';
        one->glob = strdup(pattern + one->anchored);
        if (!one->glob)
            return starved(w);
        w->exclusion_count++;
        size_t length = strlen(one->glob);
        one->folders_only = length > 0 && one->glob[length - 1] == '/';
        if (one->folders_only)
            one->glob[length - 1] = '\0';
    }
    return 0;
}

static void free_exclusions(walk *w)
{
    for (size_t i = 0; i < w->exclusion_count; i++)
        free(w->exclusions[i].glob);
    free(w->exclusions);
}

int lens_walk_leaves_out(const lens_walk_options *options, const char *path, bool folder, lens_error *err)
{
    const size_t base_length = options->base[1] ? strlen(options->base) : 0;
    walk w = {.root = options->base, .base_length = base_length, .include_hidden = options->include_hidden, .err = err};
    char *part = strdup(path);
    int result = part ? read_exclusions(&w, options) : starved(&w);
    for (size_t end = w.base_length; result == 0 && path[end];) { /* each folder on the way, then PATH */
        const size_t name = end + 1;
        end = name + strcspn(path + name, "/");
        part[end] = '\0';
        result = left_out(&w, part, part + name, path[end] || folder);
        part[end] = path[end];
    }
    free_exclusions(&w);
    free(part);
    return result;
}

static int tell_file(walk *w, const char *path, off_t size, const struct timespec *time, bool wanted, bool link)
{
    lens_walk_file file = {.path = path, .size = (int64_t)size, .mtime_ns = lens_file_time_ns(time), .wanted = wanted, .link = link};
    return w->visitor->file(w->visitor->context, &file);
}

/* ---- what is in a folder ---- */

/* Follows the link at PATH: what it leads to stands in ENTRY then. Where it leads nowhere, that is told. */
static void follow(walk *w, const char *path, lens_listing_entry *entry)
{
    struct stat info;
    lens_error why = {0};
    if (lens_file_look(path, &info, &why) != 0) {
        if ((why.code == LENS_E_SILENT || why.code == LENS_E_MEMORY) && w->visitor->problem)
            w->visitor->problem(w->visitor->context, path, &why);
        else if (why.code == LENS_E_CANCELLED)
            w->ends = true;
        else
            problem(w, path, LENS_E_MISSING, errno, errno == ENOENT ? "a symbolic link to nothing" : NULL);
        return;
    }
    entry->kind = S_ISREG(info.st_mode) ? DT_REG : S_ISDIR(info.st_mode) ? DT_DIR : DT_CHR;
    entry->size = info.st_size;
    entry->time = info.st_mtim;
    const bool asked = entry->kind == DT_REG && w->visitor->wants && !(w->visitor->passes_by && w->visitor->passes_by(w->visitor->context, path));
    entry->wanted = !asked || w->visitor->wants(path); /* its disk has just answered */
}

/* Marks the files of FOUND that the visitor is to be asked of. Their number; -1: memory is short. */
static int mark_asked(const walk *w, lens_listing *found)
{
    int count = 0;
    for (size_t i = 0; i < found->count; i++) {
        lens_listing_entry *entry = &found->entries[i];
        if (entry->failed || entry->kind != DT_REG)
            continue;
        char *path = lens_listing_path(found->path, entry->name);
        if (!path)
            return -1;
        entry->asked = !left_out(w, path, entry->name, false) && !(w->visitor->passes_by && w->visitor->passes_by(w->visitor->context, path));
        count += entry->asked;
        free(path);
    }
    return count;
}

/* Tells ENTRY of FOLDER when it is a file, keeps it for later when it is a folder. */
static int meet(walk *w, const char *folder, lens_listing_entry *entry, lens_names *folders)
{
    char *path = lens_listing_path(folder, entry->name);
    const bool link = entry->kind == DT_LNK;
    if (!path)
        return starved(w);
    int result = 0;
    if (left_out(w, path, entry->name, !entry->failed && entry->kind == DT_DIR)) {
        free(path);
        return 0; /* not even its problems */
    }
    if (link)
        follow(w, path, entry);
    if (entry->failed == EACCES) {
        problem(w, folder, LENS_E_SYSTEM, entry->failed, NULL); /* said once, for the folder */
    } else if (entry->failed) {
        if (entry->failed != ENOENT) /* removed since its name was read */
            problem(w, path, LENS_E_SYSTEM, entry->failed, NULL);
    } else if (link && entry->kind == DT_DIR && left_out(w, path, entry->name, true)) {
        /* excluded as a folder */
    } else if (entry->kind == DT_DIR) {
        result = lens_names_add(link ? &w->links : folders, path) == 0 ? 0 : starved(w);
        path = NULL;
    } else if (entry->kind == DT_REG) {
        if (strlen(path) < PATH_MAX)
            result = tell_file(w, path, entry->size, &entry->time, entry->wanted, link);
        else
            problem(w, path, LENS_E_SYSTEM, ENAMETOOLONG, NULL);
    }
    free(path);
    return result;
}

static int meet_all(walk *w, lens_listing *found)
{
    lens_names folders = {0};
    int result = 0;
    if (found->not_read)
        problem(w, found->path, LENS_E_SYSTEM, found->not_read, NULL);
    for (size_t i = 0; i < found->count && result == 0 && !w->ends; i++)
        result = meet(w, found->path, &found->entries[i], &folders);
    /* Turned round, as the list is a stack. */
    while (result == 0 && folders.count > 0)
        if (lens_names_add(&w->real, folders.items[--folders.count]) != 0)
            result = starved(w);
    lens_names_free(&folders);
    return result;
}

/* Runs what FOUND is set to, on a thread of its own. False, with *RESULT, where it is not the caller's any more. */
static bool answered(walk *w, const char *path, lens_listing *found, int *result)
{
    lens_error why = {0};
    if (lens_errand_do(&found->errand, path, &why) == 0)
        return true;
    *result = why.code == LENS_E_MEMORY ? starved(w) : 0;
    w->ends |= why.code == LENS_E_CANCELLED;
    if (why.code != LENS_E_MEMORY && why.code != LENS_E_CANCELLED && w->visitor->problem)
        w->visitor->problem(w->visitor->context, path, &why);
    return false;
}

static int enter(walk *w, const char *path, bool link)
{
    if (w->visitor->enter && !w->visitor->enter(w->visitor->context, path))
        return 0;
    struct stat info;
    if (link && w->visited.count && lens_file_look(path, &info, NULL) == 0 && slot_of(&w->visited, info.st_dev, info.st_ino)->used)
        return 0;
    lens_listing *found = lens_listing_new(path, w->include_hidden, link, w->visitor->wants);
    if (!found)
        return starved(w);
    int result = 0;
    if (!answered(w, path, found, &result))
        return result;
    if (found->not_opened) {
        problem(w, path, LENS_E_SYSTEM, found->not_opened, NULL);
    } else if (found->starved || (result = visit(&w->visited, &found->info)) < 0) {
        result = starved(w);
    } else if (result > 0) { /* else another way led here, and it was read in vain */
        const int asked = found->wants ? mark_asked(w, found) : 0;
        found->errand.run = lens_listing_ask;
        if (asked > 0 && !answered(w, path, found, &result))
            return result;
        if (w->visitor->folder)
            w->visitor->folder(w->visitor->context, path, &(lens_walk_folder){(int64_t)found->info.st_dev, link, !found->not_read && !found->any});
        result = asked < 0 || found->starved ? starved(w) : meet_all(w, found);
    }
    lens_listing_free(found);
    return result;
}

/* The folders above the root count as visited: a link to one of them would drag in all that lies beside the root. */
typedef struct ancestry {
    lens_errand errand; /* first */
    struct stat *above; /* [count] */
    size_t count;
    bool starved;
    char root[];
} ancestry;

static void find_above(lens_errand *errand)
{
    ancestry *self = (ancestry *)errand;
    char *path = realpath(self->root, NULL);
    if (!path)
        return; /* it vanished: entering will tell */
    size_t most = 1;
    for (const char *at = path; *at; at++)
        most += *at == '/';
    self->above = calloc(most, sizeof *self->above);
    self->starved = !self->above;
    while (path[1] != '\0' && !self->starved) {
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0';
        self->count += stat(path, &self->above[self->count]) == 0;
        atomic_fetch_add(&self->errand.answers, 1);
    }
    free(path);
}

static void end_above(lens_errand *errand)
{
    free(((ancestry *)errand)->above);
    free(errand);
}

static int visit_above(walk *w)
{
    const size_t length = strlen(w->root);
    ancestry *self = calloc(1, sizeof *self + length + 1);
    if (!self)
        return starved(w);
    self->errand = (lens_errand){.run = find_above, .end = end_above};
    memcpy(self->root, w->root, length + 1);
    if (lens_errand_do(&self->errand, w->root, NULL) != 0)
        return 0; /* entering will tell */
    int result = self->starved ? -1 : 0;
    for (size_t i = 0; i < self->count && result >= 0; i++)
        result = visit(&w->visited, &self->above[i]);
    end_above(&self->errand);
    return result < 0 ? starved(w) : 0;
}

static int walk_folders(walk *w)
{
    int result = visit_above(w);
    /* As a link: the root itself may be one. */
    if (result == 0 && lens_names_add(&w->links, strdup(w->root)) != 0)
        result = starved(w);
    while (result == 0 && !w->ends) {
        if (w->real.count > 0) {
            char *path = w->real.items[--w->real.count];
            result = enter(w, path, false);
            free(path);
        } else if (w->link < w->links.count) {
            result = enter(w, w->links.items[w->link++], true);
        } else {
            break;
        }
    }
    return result;
}

int lens_walk(const char *root, const lens_walk_options *options, const lens_walk_visitor *visitor, lens_error *err)
{
    static const lens_walk_options none = {0};
    if (!root || root[0] != '/')
        return lens_fail(err, LENS_E_ARGUMENT, "%s: not an absolute path", root ? root : "(none)");
    if (!options)
        options = &none;
    const char *base = options->base ? options->base : root;
    walk w = {.root = root, .base_length = base[1] ? strlen(base) : 0, .visitor = visitor, .err = err};
    struct stat info;
    lens_error why = {0};
    if (lens_file_look(root, &info, &why) != 0) {
        if (why.code == LENS_E_MISSING)
            return lens_fail(err, LENS_E_MISSING, "%s: there is no such file or folder", root);
        if (visitor->problem && why.code != LENS_E_CANCELLED)
            visitor->problem(visitor->context, root, &why);
        return 0;
    }
    if (S_ISREG(info.st_mode))
        return tell_file(&w, root, info.st_size, &info.st_mtim, true, false);
    if (!S_ISDIR(info.st_mode))
        return lens_fail(err, LENS_E_FORMAT, "%s: neither a folder nor a regular file", root);
    w.include_hidden = options->include_hidden;
    int result = read_exclusions(&w, options);
    if (result == 0)
        result = walk_folders(&w);
    free_exclusions(&w);
    lens_names_free(&w.real);
    lens_names_free(&w.links);
    free(w.visited.slots);
    return result;
}
