/* One writer at a time: flock on a file that is never removed (removing it would let two writers lock two files of one
 * name). flock goes when its process goes, however it goes, and two stores of one process exclude each other too. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"
#include "store/folder/internal.h"

enum { NUMBER_MOST = 32 /* bytes of a process's number, and what ends it */ };

/* The process that wrote its number into the lock file; 0 when it has not come to that yet. */
static long holder(int fd)
{
    char text[NUMBER_MOST];
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    long pid = strtol(text, NULL, 10);
    return pid > 0 ? pid : 0;
}

static int busy(const lens_folder *store, int fd, lens_error *err)
{
    long pid = holder(fd);
    if (pid)
        return lens_fail(err, LENS_E_BUSY, "%s: another memelens (process %ld) is writing to this library", store->folder,
                         pid);
    return lens_fail(err, LENS_E_BUSY, "%s: another memelens is writing to this library", store->folder);
}

typedef struct waiting {
    const lens_folder *store;
    int fd;
    double end; /* on the clock of lens_seconds() */
} waiting;

static int wait_until_end(void *context, lens_error *err)
{
    const waiting *self = context;
    return lens_seconds() < self->end ? 0 : busy(self->store, self->fd, err);
}

/* Opens the file. The library may be somebody else's, and what is written there must not go to a file of ours: neither through a link nor, where the file
 * was linked or put there itself, over what is no lock. */
static int open_lock(lens_folder *store, lens_error *err)
{
    const int fd = openat(store->dir, LENS_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    struct stat info;
    if (fd < 0 && errno != ELOOP)
        return lens_fail_errno(err, errno, "%s/%s: cannot write to this library", store->folder, LENS_LOCK);
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size < NUMBER_MOST)
        return fd;
    if (fd >= 0)
        close(fd);
    return lens_fail(err, LENS_E_FORMAT, "%s/%s: a link, or no lock of memelens; move it away, and the library can be written to", store->folder, LENS_LOCK);
}

int lens_writer_lock(lens_folder *store, double wait, lens_error *err)
{
    const int fd = open_lock(store, err);
    if (fd < 0)
        return -1;
    waiting turn = {store, fd, lens_seconds() + wait};
    char *path = lens_path_join(store->folder, LENS_LOCK);
    const int result = path ? lens_lock(fd, path, 0.02, wait_until_end, &turn, err) : lens_fail_memory(err);
    free(path);
    if (result != 0) {
        close(fd);
        return -1;
    }
    /* The number is only there to be shown: on a full disk the lock holds without it. */
    char text[NUMBER_MOST];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
        errno = 0;
    store->lock = fd;
    return 0;
}

void lens_writer_unlock(lens_folder *store)
{
    if (store->lock < 0)
        return;
    if (ftruncate(store->lock, 0) != 0)
        errno = 0;
    close(store->lock);
    store->lock = -1;
}
