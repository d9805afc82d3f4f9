/* Folders that wait to be entered stand in a list of paths: no recursion, one folder open at a time, however deep it
 * goes. A folder is read whole, its files are told in order, and its folders are put before what waits already; those
 * that are symbolic links go to the end of another list, which is begun when there is no real folder left. */
#include "files/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"

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

/* ---- names of one folder, folders that wait --------------------------------------------------------------------- */

typedef struct name_list {
    char **items;
    size_t count, capacity;
} name_list;

/* Takes NAME over, also when memory is short. */
static int name_add(name_list *list, char *name)
{
    if (name && list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        char **items = realloc(list->items, capacity * sizeof *items);
        if (items) {
            list->items = items;
            list->capacity = capacity;
        } else {
            free(name);
            name = NULL;
        }
    }
    if (!name)
        return -1;
    list->items[list->count++] = name;
    return 0;
}

static void names_free(name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (name_list){0};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b); /* compares as unsigned char: byte order */
}

static void names_sort(name_list *list)
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, compare_names);
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
    name_list real;  /* absolute paths, the next one last */
    name_list links; /* the next one first */
    size_t link;     /* links that were entered */
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

static int64_t nanoseconds(const struct timespec *time)
{
    int64_t whole, all;
    if (__builtin_mul_overflow((int64_t)time->tv_sec, (int64_t)1000000000, &whole) ||
        __builtin_add_overflow(whole, (int64_t)time->tv_nsec, &all))
        return time->tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return all;
}

static int tell_file(walk *w, const char *path, const struct stat *info)
{
    lens_walk_file file = {.path = path, .size = (int64_t)info->st_size, .mtime_ns = nanoseconds(&info->st_mtim)};
    return w->visitor->file(w->visitor->context, &file);
}

static char *joined(const char *folder, const char *name)
{
    size_t length = strlen(folder), more = strlen(name);
    if (length == 1)
        length = 0; /* "/" */
    char *path = malloc(length + more + 2);
    if (path) {
        memcpy(path, folder, length);
        path[length] = '/';
        memcpy(path + length + 1, name, more + 1);
    }
    return path;
}

/* Looks at NAME in the open folder FD, called FOLDER: tells it when it is a file, keeps it for later when it is a folder.
 * *CLOSED is set when nothing in this folder can be looked at. */
static int look(walk *w, int fd, const char *folder, const char *name, name_list *folders, bool *closed)
{
    char *path = joined(folder, name);
    if (!path)
        return starved(w);
    int result = 0;
    struct stat info;
    bool link = false;
    int failed = fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 ? errno : 0;
    if (!failed && S_ISLNK(info.st_mode)) {
        link = true;
        if (!left_out(w, path, name, false))
            failed = fstatat(fd, name, &info, 0) != 0 ? errno : 0;
    }
    if (left_out(w, path, name, !failed && S_ISDIR(info.st_mode))) {
        /* not even its problems */
    } else if (failed && link) {
        problem(w, path, LENS_E_MISSING, failed, failed == ENOENT ? "a symbolic link to nothing" : NULL);
    } else if (failed == EACCES) {
        *closed = true; /* names can be read but not followed: said once, for the folder */
        problem(w, folder, LENS_E_SYSTEM, failed, NULL);
    } else if (failed) {
        if (failed != ENOENT) /* removed since its name was read */
            problem(w, path, LENS_E_SYSTEM, failed, NULL);
    } else if (S_ISDIR(info.st_mode)) {
        result = name_add(link ? &w->links : folders, path) == 0 ? 0 : starved(w);
        path = NULL;
    } else if (S_ISREG(info.st_mode)) {
        if (strlen(path) < PATH_MAX)
            result = tell_file(w, path, &info);
        else
            problem(w, path, LENS_E_SYSTEM, ENAMETOOLONG, NULL);
    }
    free(path);
    return result;
}

/* Reads the names of FOLDER. */
static int read_names(walk *w, DIR *stream, const char *folder, name_list *out)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            if (errno)
                problem(w, folder, LENS_E_SYSTEM, errno, NULL);
            return 0;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        /* The most frequent case first: what is hidden need not be kept. */
        if (entry->d_name[0] == '.' && !w->include_hidden)
            continue;
        if (name_add(out, strdup(entry->d_name)) != 0)
            return starved(w);
    }
}

static int look_at_all(walk *w, DIR *stream, const char *folder)
{
    name_list names = {0}, folders = {0};
    int result = read_names(w, stream, folder, &names);
    names_sort(&names);
    bool closed = false;
    for (size_t i = 0; i < names.count && result == 0 && !closed; i++)
        result = look(w, dirfd(stream), folder, names.items[i], &folders, &closed);
    names_free(&names);
    /* Turned round, as the list is a stack. */
    while (result == 0 && folders.count > 0)
        if (name_add(&w->real, folders.items[--folders.count]) != 0)
            result = starved(w);
    names_free(&folders);
    return result;
}

static int enter(walk *w, const char *path, bool link)
{
    if (w->visitor->enter && !w->visitor->enter(w->visitor->context, path))
        return 0;
    /* What was a folder a moment ago may be a link now: only links may be followed as such. */
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (link ? 0 : O_NOFOLLOW));
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        problem(w, path, LENS_E_SYSTEM, errno, NULL);
        if (fd >= 0)
            close(fd);
        return 0;
    }
    int first = visit(&w->visited, &info);
    DIR *stream = first > 0 ? fdopendir(fd) : NULL;
    if (!stream) {
        int reason = errno;
        close(fd);
        if (first > 0)
            problem(w, path, LENS_E_SYSTEM, reason, NULL);
        return first < 0 ? starved(w) : 0;
    }
    int result = look_at_all(w, stream, path);
    closedir(stream);
    return result;
}

/* The folders above the root count as visited: a link to one of them would drag in all that lies beside the root. */
static int visit_above(walk *w)
{
    char *path = realpath(w->root, NULL);
    if (!path)
        return 0; /* it vanished: entering will tell */
    int result = 0;
    struct stat info;
    while (path[1] != '\0' && result >= 0) {
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0';
        if (stat(path, &info) == 0)
            result = visit(&w->visited, &info);
    }
    free(path);
    return result < 0 ? starved(w) : 0;
}

static int walk_folders(walk *w)
{
    int result = visit_above(w);
    /* As a link: the root itself may be one. */
    if (result == 0 && name_add(&w->links, strdup(w->root)) != 0)
        result = starved(w);
    while (result == 0) {
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
    if (stat(root, &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return lens_fail(err, LENS_E_MISSING, "%s: there is no such file or folder", root);
        problem(&w, root, LENS_E_SYSTEM, errno, NULL);
        return 0;
    }
    if (S_ISREG(info.st_mode))
        return tell_file(&w, root, &info);
    if (!S_ISDIR(info.st_mode))
        return lens_fail(err, LENS_E_FORMAT, "%s: neither a folder nor a regular file", root);
    w.include_hidden = options->include_hidden;
    int result = read_exclusions(&w, options);
    if (result == 0)
        result = walk_folders(&w);
    free_exclusions(&w);
    names_free(&w.real);
    names_free(&w.links);
    free(w.visited.slots);
    return result;
}
