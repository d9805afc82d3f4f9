/* The kernel tells of a folder by the number that it gave its watch; the table from numbers to paths is sorted by number, and as numbers
 * rise, a new one is nearly always the last. A watch is of the folder itself, not of its path: when a folder moves, its path and those of
 * all below it are forgotten, and whoever meets it again adds it again. */
#include "files/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/list.h"
#include "base/patience.h"

enum { READS_MOST = 64 }; /* in one wait: about what the kernel keeps. Where there is always something more, it would never end */
enum { EVENTS = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF };

typedef struct watched {
    int number;
    char *path;
} watched;

struct lens_folder_watch {
    int fd;
    watched *folders;
    size_t count, capacity;
};

lens_folder_watch *lens_folder_watch_new(lens_error *err)
{
    lens_folder_watch *self = calloc(1, sizeof *self);
    if (!self) {
        lens_fail_memory(err);
        return NULL;
    }
    self->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (self->fd >= 0)
        return self;
    if (errno == EMFILE)
        lens_fail(err, LENS_E_LIMIT, "too many programs watch folders: see fs.inotify.max_user_instances");
    else
        lens_fail_errno(err, errno, "cannot watch folders");
    free(self);
    return NULL;
}

void lens_folder_watch_clear(lens_folder_watch *self)
{
    for (size_t i = 0; i < self->count; i++) {
        inotify_rm_watch(self->fd, self->folders[i].number);
        free(self->folders[i].path);
    }
    self->count = 0;
}

void lens_folder_watch_free(lens_folder_watch *self)
{
    if (!self)
        return;
    lens_folder_watch_clear(self);
    close(self->fd);
    free(self->folders);
    free(self);
}

/* Where NUMBER is, or would be. */
static size_t place_of(const lens_folder_watch *self, int number)
{
    size_t low = 0, high = self->count;
    if (high > 0 && self->folders[high - 1].number < number)
        return high;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (self->folders[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static watched *find(const lens_folder_watch *self, int number)
{
    const size_t at = place_of(self, number);
    return at < self->count && self->folders[at].number == number ? &self->folders[at] : NULL;
}

/* Forgets PATH and what is below it. */
static void drop_below(lens_folder_watch *self, const char *path)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (lens_path_within(self->folders[i].path, path)) {
            inotify_rm_watch(self->fd, self->folders[i].number);
            free(self->folders[i].path);
        } else {
            self->folders[kept++] = self->folders[i];
        }
    }
    self->count = kept;
}

/* What is asked about a folder whose disk may give no answer. */
typedef struct question {
    lens_errand errand; /* first */
    int fd;             /* of the kernel's events, its own: ours may be closed before the answer comes; -1: whether it is remote is all that is asked */
    int number, errnum;
    bool remote;
    char path[];
} question;

static void run_question(lens_errand *errand)
{
    question *self = (question *)errand;
    struct statfs disk;
    if (self->fd < 0) {
        self->remote = statfs(self->path, &disk) == 0 && lens_disk_is_remote(&disk);
        return;
    }
    self->number = inotify_add_watch(self->fd, self->path, EVENTS | IN_ONLYDIR);
    self->errnum = errno;
}

static void end_question(lens_errand *errand)
{
    question *self = (question *)errand;
    if (self->fd >= 0)
        close(self->fd);
    free(self);
}

/* NULL with ERR, LENS_E_SILENT where no answer came. Ended by end_question. */
static question *ask(const char *folder, int fd, lens_error *err)
{
    const size_t length = strlen(folder);
    question *self = calloc(1, sizeof *self + length + 1);
    if (!self) {
        lens_fail_memory_for(err, folder);
        return NULL;
    }
    self->errand = (lens_errand){.run = run_question, .end = end_question};
    memcpy(self->path, folder, length + 1);
    self->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0 && self->fd < 0) {
        lens_fail_errno(err, errno, "%s: cannot be watched", folder);
        free(self);
        return NULL;
    }
    return lens_errand_do(&self->errand, folder, err) == 0 ? self : NULL;
}

/* Whether both lead to one folder. */
static bool is_one(const char *a, const char *b)
{
    struct stat one, other;
    return lens_file_look(a, &one, NULL) == 0 && lens_file_look(b, &other, NULL) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

int lens_folder_watch_add(lens_folder_watch *self, const char *folder, char **other, lens_error *err)
{
    *other = NULL;
    question *asked = ask(folder, self->fd, err);
    if (!asked)
        return -1;
    const int number = asked->number, errnum = asked->errnum;
    end_question(&asked->errand);
    errno = errnum;
    if (number < 0 && errno == ENOSPC)
        return lens_fail(err, LENS_E_LIMIT, "%s: the kernel watches no more folders: see fs.inotify.max_user_watches", folder);
    if (number < 0 && (errno == ENOENT || errno == ENOTDIR))
        return lens_fail(err, LENS_E_MISSING, "%s: there is no such folder", folder);
    if (number < 0)
        return lens_fail_errno(err, errno, "%s: cannot be watched", folder);
    watched *known = find(self, number);
    if (known && strcmp(known->path, folder) == 0)
        return 0;
    char *path = strdup(folder);
    if (known && path) {
        if (is_one(known->path, folder))
            *other = known->path;
        else
            free(known->path);
        known->path = path;
        return 0;
    }
    watched *folders = path && !known ? lens_list_room(self->folders, self->count, &self->capacity, sizeof *folders) : NULL;
    if (!folders) {
        free(path);
        if (!known) /* else it is watched still, under the name that it had */
            inotify_rm_watch(self->fd, number);
        return lens_fail_memory(err);
    }
    self->folders = folders;
    const size_t at = place_of(self, number);
    memmove(self->folders + at + 1, self->folders + at, (self->count++ - at) * sizeof *self->folders);
    self->folders[at] = (watched){number, path};
    return 0;
}

/* A file that came: one that is being written is told of when it is closed, but nobody closes a link. */
static bool is_complete(const char *folder, const char *name)
{
    char path[4096 + 256];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return lens_file_look_at_link(path, &info, NULL) == 0 && (S_ISLNK(info.st_mode) || (S_ISREG(info.st_mode) && info.st_nlink > 1));
}

static void take(lens_folder_watch *self, const struct inotify_event *event, lens_watch_function *function, void *context)
{
    if (event->mask & IN_Q_OVERFLOW) {
        function(context, LENS_WATCH_LOST, NULL, NULL);
        return;
    }
    const watched *known = find(self, event->wd);
    if (!known) /* of a watch that was dropped */
        return;
    char *folder = strdup(known->path); /* FUNCTION may add */
    const char *name = event->len ? event->name : NULL;
    if (!folder) {
        function(context, LENS_WATCH_LOST, NULL, NULL);
    } else if (event->mask & (IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF)) {
        drop_below(self, folder);
        function(context, LENS_WATCH_SELF, folder, NULL);
    } else if (!name) {
        /* its own rights: whoever is above it is told as well, or it is a root */
        if (event->mask & IN_ATTRIB)
            function(context, LENS_WATCH_FILE, folder, ".");
    } else if (event->mask & (IN_DELETE | IN_MOVED_FROM)) {
        if (event->mask & IN_ISDIR) {
            char *below = lens_path_join(folder, name);
            if (below)
                drop_below(self, below);
            free(below);
        }
        function(context, LENS_WATCH_GONE, folder, name);
    } else if (event->mask & IN_ISDIR) {
        function(context, LENS_WATCH_FOLDER, folder, name);
    } else if (!(event->mask & IN_CREATE) || is_complete(folder, name)) {
        function(context, LENS_WATCH_FILE, folder, name);
    }
    free(folder);
}

int lens_folder_watch_wait(lens_folder_watch *self, double seconds, lens_watch_function *function, void *context, lens_error *err)
{
    _Alignas(struct inotify_event) char events[16384];
    struct pollfd ready = {.fd = self->fd, .events = POLLIN};
    int told = 0;
    const int count = poll(&ready, 1, (int)(1000 * seconds));
    if (count <= 0)
        return count == 0 || errno == EINTR ? 0 : lens_fail_errno(err, errno, "cannot wait for changes of folders");
    for (int reads = 0; reads < READS_MOST; reads++) {
        const ssize_t size = read(self->fd, events, sizeof events);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return size < 0 && errno != EAGAIN ? lens_fail_errno(err, errno, "cannot read changes of folders") : told;
        for (const char *at = events; at < events + size; told++) {
            const struct inotify_event *event = (const struct inotify_event *)at;
            take(self, event, function, context);
            at += sizeof *event + event->len;
        }
    }
    return told;
}

bool lens_folder_is_remote(const char *folder)
{
    question *asked = ask(folder, -1, NULL);
    const bool remote = !asked || asked->remote;
    if (asked)
        end_question(&asked->errand);
    return remote;
}
