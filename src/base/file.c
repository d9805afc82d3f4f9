#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/patience.h"

/* Opens a regular file for reading; -1 with ERR filled for anything else. O_NONBLOCK so that a FIFO cannot hold us. */
static int open_regular(const char *path, struct stat *info, lens_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return lens_fail_errno(err, errno, "%s", path);
    if (fstat(fd, info) != 0) {
        lens_fail_errno(err, errno, "%s", path);
    } else if (S_ISREG(info->st_mode)) {
        return fd;
    } else {
        lens_fail(err, LENS_E_FORMAT, "%s: %s", path, S_ISDIR(info->st_mode) ? "is a folder" : "not a regular file");
    }
    close(fd);
    return -1;
}

struct lens_file_reading {
    lens_errand errand; /* first */
    size_t limit;
    lens_buffer bytes;
    lens_error error;
    int result;
    char path[];
};

/* After each of these an answer is counted. */
enum { READ_AT_ONCE = 1 << 20 };

static int read_whole(lens_file_reading *self, int fd, size_t size)
{
    lens_buffer *out = &self->bytes;
    /* One byte more than the size, so that a file that grew meanwhile is seen. */
    if (lens_buffer_reserve(out, size + 1) != 0)
        return lens_fail_memory_for(&self->error, self->path);
    for (;;) {
        if (lens_buffer_reserve(out, 1) != 0)
            return lens_fail_memory_for(&self->error, self->path);
        const size_t room = out->capacity - out->size - 1;
        const ssize_t got = read(fd, out->data + out->size, room < READ_AT_ONCE ? room : READ_AT_ONCE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lens_fail_errno(&self->error, errno, "%s", self->path);
        if (got == 0)
            break;
        atomic_fetch_add(&self->errand.answers, 1);
        out->size += (size_t)got;
        if (out->size > self->limit)
            return lens_fail(&self->error, LENS_E_LIMIT, "%s: grew past the %zu bytes allowed", self->path, self->limit);
    }
    out->data[out->size] = '\0';
    return 0;
}

static void run_reading(lens_errand *errand)
{
    lens_file_reading *self = (lens_file_reading *)errand;
    struct stat info;
    const int fd = open_regular(self->path, &info, &self->error);
    self->result = -1;
    if (fd < 0)
        return;
    atomic_fetch_add(&errand->answers, 1);
    if ((unsigned long long)info.st_size > self->limit)
        lens_fail(&self->error, LENS_E_LIMIT, "%s: %lld bytes, more than the %zu allowed", self->path, (long long)info.st_size, self->limit);
    else
        self->result = read_whole(self, fd, (size_t)info.st_size);
    close(fd);
}

static void end_reading(lens_errand *errand)
{
    lens_file_reading *self = (lens_file_reading *)errand;
    lens_buffer_free(&self->bytes);
    free(self);
}

lens_file_reading *lens_file_read_begin(const char *path, size_t limit, lens_error *err)
{
    const size_t length = strlen(path);
    lens_file_reading *self = calloc(1, sizeof *self + length + 1);
    if (!self)
        return lens_fail_memory_for(err, path), NULL;
    self->errand = (lens_errand){.run = run_reading, .end = end_reading};
    self->limit = limit;
    memcpy(self->path, path, length + 1);
    return lens_errand_begin(&self->errand, path, err) == 0 ? self : NULL;
}

int lens_file_read_end(lens_file_reading *reading, lens_buffer *out, lens_error *err)
{
    lens_buffer_free(out);
    if (lens_errand_wait(&reading->errand, reading->path, err) != 0)
        return -1;
    const int result = reading->result;
    if (result == 0) {
        *out = reading->bytes;
        reading->bytes = (lens_buffer){0};
    } else if (err) {
        *err = reading->error;
    }
    end_reading(&reading->errand);
    return result;
}

int lens_file_read(const char *path, size_t limit, lens_buffer *out, lens_error *err)
{
    lens_buffer_free(out);
    lens_file_reading *reading = lens_file_read_begin(path, limit, err);
    return reading ? lens_file_read_end(reading, out, err) : -1;
}

typedef struct looking {
    lens_errand errand; /* first */
    struct stat info;
    bool follow;
    int errnum;
    char path[];
} looking;

static void run_looking(lens_errand *errand)
{
    looking *self = (looking *)errand;
    self->errnum = (self->follow ? stat(self->path, &self->info) : lstat(self->path, &self->info)) == 0 ? 0 : errno;
}

static void end_looking(lens_errand *errand)
{
    free(errand);
}

static int look(const char *path, bool follow, struct stat *info, lens_error *err)
{
    const size_t length = strlen(path);
    looking *self = calloc(1, sizeof *self + length + 1);
    if (!self)
        return lens_fail_memory_for(err, path);
    self->errand = (lens_errand){.run = run_looking, .end = end_looking};
    self->follow = follow;
    memcpy(self->path, path, length + 1);
    if (lens_errand_do(&self->errand, path, err) != 0)
        return -1;
    const int result = self->errnum ? lens_fail_errno(err, self->errnum, "%s", path) : 0;
    if (err && self->errnum == ENOTDIR)
        err->code = LENS_E_MISSING;
    *info = self->info;
    const int errnum = self->errnum;
    end_looking(&self->errand);
    errno = errnum;
    return result;
}

int lens_file_look(const char *path, struct stat *info, lens_error *err)
{
    return look(path, true, info, err);
}

int lens_file_look_at_link(const char *path, struct stat *info, lens_error *err)
{
    return look(path, false, info, err);
}

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

char *lens_file_real(const char *path, lens_error *err)
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

int lens_file_map(const char *path, const void **data, size_t *size, lens_error *err)
{
    *data = NULL;
    *size = 0;
    struct stat info;
    int fd = open_regular(path, &info, err);
    if (fd < 0)
        return -1;
    int result = 0;
    if (info.st_size > 0) {
        void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED) {
            result = lens_fail_errno(err, errno, "%s: cannot be mapped", path);
        } else {
            *data = map;
            *size = (size_t)info.st_size;
        }
    }
    close(fd);
    return result;
}

void lens_file_unmap(const void *data, size_t size)
{
    if (data)
        munmap((void *)data, size);
}

static int sync_folder_of(const char *path, lens_error *err)
{
    char *folder = lens_path_folder(path);
    if (!folder)
        return lens_fail_memory_for(err, path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0 && errno == EACCES) /* one that may be written to and not read: there is no way to sync it */
        return 0;
    if (fd < 0)
        return lens_fail_errno(err, errno, "%s: cannot open its folder", path);
    int result = fsync(fd) == 0 ? 0 : lens_fail_errno(err, errno, "%s: cannot sync its folder", path);
    close(fd);
    return result;
}

/* Makes the folders of COPY, which is written to, that are not there. */
static int make_folders(char *copy, lens_error *err)
{
    int result = 0;
    for (char *at = copy + 1;; at++) {
        char here = *at;
        if (here != '/' && here != '\0')
            continue;
        *at = '\0';
        if (mkdir(copy, 0777) == 0)
            result = sync_folder_of(copy, err);
        else if (errno != EEXIST)
            result = lens_fail_errno(err, errno, "%s: cannot make this folder", copy);
        *at = here;
        if (result != 0 || here == '\0')
            break;
    }
    return result;
}

int lens_folder_make(const char *path, lens_error *err)
{
    enum { TRIES = 5 };
    char *copy = strdup(path);
    struct stat info;
    int result = copy ? make_folders(copy, err) : lens_fail_memory_for(err, path);
    for (int i = 1; result == 0 && i < TRIES && stat(path, &info) != 0; i++) /* another process has removed what was there when we would have made it */
        result = make_folders(copy, err);
    if (result == 0 && (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)))
        result = lens_fail(err, LENS_E_SYSTEM, "%s: exists and is not a folder", path);
    free(copy);
    return result;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info, (void)where;
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

int lens_folder_remove(const char *path, lens_error *err)
{
    return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : lens_fail_errno(err, errno, "%s: cannot be removed", path);
}

/* renameat2's RENAME_EXCHANGE, which the C library declares for GNU's own dialect only. */
static int exchange(const char *a, const char *b)
{
    enum { RENAME_EXCHANGE_FLAG = 2 };
    return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE_FLAG);
}

int lens_folder_put(const char *from, const char *to, lens_error *err)
{
    lens_buffer old = {0};
    lens_error ignored;
    int fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd >= 0 && fsync(fd) == 0 ? 0 : lens_fail_errno(err, errno, "%s: cannot be synced", from);
    if (fd >= 0)
        close(fd);
    if (result == 0 && lens_file_exists(to)) {
        if (exchange(from, to) == 0) {
            lens_folder_remove(from, &ignored);
        } else if (lens_buffer_print(&old, "%s.%ld.old.part", to, (long)getpid()) != 0) {
            result = lens_fail_memory_for(err, to);
        } else if (rename(to, old.data) != 0) {
            result = lens_fail_errno(err, errno, "%s: cannot be replaced", to);
        } else if (rename(from, to) != 0) {
            result = lens_fail_errno(err, errno, "%s: cannot be put in place", to);
            rename(old.data, to);
        } else {
            lens_folder_remove(old.data, &ignored);
        }
    } else if (result == 0 && rename(from, to) != 0) {
        result = lens_fail_errno(err, errno, "%s: cannot be put in place", to);
    }
    lens_buffer_free(&old);
    return result == 0 ? sync_folder_of(to, err) : -1;
}

static int write_all(int fd, const char *at, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, at, size);
        if (wrote < 0 && errno != EINTR)
            return -1;
        if (wrote > 0) {
            at += wrote;
            size -= (size_t)wrote;
        }
    }
    return 0;
}

static const char part_suffix[] = ".memelens.part"; /* nobody else's: what of it is abandoned is removed */
static atomic_uint written; /* files, by this process: two threads may write one at the same time */

int lens_file_write(const char *path, const void *bytes, size_t size, lens_error *err)
{
    return lens_file_write_runs(path, &(lens_run_of_bytes){bytes, size}, 1, err);
}

int lens_file_write_runs(const char *path, const lens_run_of_bytes *runs, size_t count, lens_error *err)
{
    lens_buffer temporary = {0};
    if (lens_buffer_print(&temporary, "%s.%ld-%u%s", path, (long)getpid(), atomic_fetch_add(&written, 1), part_suffix) != 0)
        return lens_fail_memory_for(err, path);
    unlink(temporary.data); /* of an earlier process with our number, killed here */
    int fd = open(temporary.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        lens_fail_errno(err, errno, "%s: cannot be written", path);
        lens_buffer_free(&temporary);
        return -1;
    }
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = write_all(fd, runs[i].bytes, runs[i].size);
    if (result != 0 || fsync(fd) != 0)
        result = lens_fail_errno(err, errno, "%s: cannot be written", path);
    if (close(fd) != 0 && result == 0)
        result = lens_fail_errno(err, errno, "%s: cannot be written", path);
    if (result == 0 && rename(temporary.data, path) != 0)
        result = lens_fail_errno(err, errno, "%s: cannot be put in place", path);
    if (result != 0)
        unlink(temporary.data);
    else
        result = sync_folder_of(path, err);
    lens_buffer_free(&temporary);
    return result;
}

int lens_file_give(const char *path, const void *bytes, size_t size, lens_error *err)
{
    struct stat info;
    if (lstat(path, &info) != 0 || S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))
        return lens_file_write(path, bytes, size, err);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0)
        return lens_fail_errno(err, errno, "%s: cannot be written", path);
    const bool wrote = write_all(fd, bytes, size) == 0 && (fsync(fd) == 0 || errno == EINVAL || errno == EROFS); /* what pipes and devices say */
    int result = wrote ? 0 : lens_fail_errno(err, errno, "%s: cannot be written", path);
    if (close(fd) != 0 && result == 0)
        result = lens_fail_errno(err, errno, "%s: cannot be written", path);
    return result;
}

int lens_file_remove(const char *path, lens_error *err)
{
    if (unlink(path) == 0)
        return sync_folder_of(path, err);
    return errno == ENOENT ? 0 : lens_fail_errno(err, errno, "%s: cannot be removed", path);
}

bool lens_file_is_abandoned(const char *name)
{
    /* PATH.PROCESS-NUMBER and the suffix, backwards. */
    const size_t length = strlen(name), end = strlen(part_suffix);
    if (length <= end || strcmp(name + length - end, part_suffix) != 0)
        return false;
    size_t at = length - end;
    for (int number = 0; number < 2; number++) {
        size_t digits = 0;
        while (at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9')
            at--, digits++;
        if (digits == 0 || digits > 9 || at < 2 || name[at - 1] != "-."[number])
            return false;
        at -= number == 0;
    }
    char *end_of_process;
    const long process = strtol(name + at, &end_of_process, 10);
    if (process == (long)getpid()) /* in a container, the one before had our number too */
        return strtoul(end_of_process + 1, NULL, 10) >= atomic_load(&written);
    return kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

bool lens_file_exists(const char *path)
{
    struct stat info;
    return lens_file_look(path, &info, NULL) == 0;
}

int64_t lens_file_time_ns(const struct timespec *time)
{
    static const int64_t second = 1000000000, most = INT64_MAX / 1000000000 - 1;
    const int64_t seconds = time->tv_sec;
    return (seconds > most ? most : seconds < -most ? -most : seconds) * second + time->tv_nsec;
}

int64_t lens_file_mtime_ns(const struct stat *info)
{
    return lens_file_time_ns(&info->st_mtim);
}

bool lens_file_is(const char *path, int64_t size, int64_t mtime_ns)
{
    struct stat info;
    return lens_file_look(path, &info, NULL) == 0 && info.st_size == size && lens_file_mtime_ns(&info) == mtime_ns;
}

bool lens_disk_is_remote(const struct statfs *disk)
{
    static const unsigned long kinds[] = {0x6969 /* NFS */, 0x517b /* SMB */, 0xff534d42 /* CIFS */, 0xfe534d42 /* SMB 2 */, 0x65735546 /* FUSE */,
                                          0x01021997 /* 9P */, 0x00c36400 /* Ceph */};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (((unsigned long)disk->f_type & 0xffffffffu) == kinds[i])
            return true;
    return false;
}

char *lens_path_join(const char *folder, const char *name)
{
    if (name[0] == '/')
        return strdup(name);
    lens_buffer path = {0};
    size_t length = strlen(folder);
    const char *slash = length && folder[length - 1] == '/' ? "" : "/";
    if (lens_buffer_print(&path, "%s%s%s", folder, slash, name) != 0)
        return NULL;
    return path.data;
}

char *lens_path_absolute(const char *path, lens_error *err)
{
    char *whole = NULL;
    if (!path[0]) { /* what a shell makes of a variable that is not set; the current folder is "." */
        lens_fail(err, LENS_E_ARGUMENT, "the name of a file or folder is empty");
        return NULL;
    }
    if (path[0] == '/') {
        whole = strdup(path);
    } else {
        char *here = getcwd(NULL, 0);
        if (!here) {
            lens_fail_errno(err, errno, "the current folder");
            return NULL;
        }
        whole = lens_path_join(here, path);
        free(here);
    }
    if (!whole) {
        lens_fail_memory_for(err, path);
        return NULL;
    }
    char *out = whole; /* rewritten in place: it never gets longer */
    const char *in = whole;
    while (*in) {
        while (*in == '/')
            in++;
        size_t length = strcspn(in, "/");
        if (length == 2 && in[0] == '.' && in[1] == '.') {
            while (out > whole && *--out != '/')
                ;
        } else if (length && !(length == 1 && in[0] == '.')) {
            *out++ = '/';
            memmove(out, in, length);
            out += length;
        }
        in += length;
    }
    if (out == whole)
        *out++ = '/';
    *out = '\0';
    return whole;
}

const char *lens_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *lens_path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

bool lens_path_within(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    if (length == 1 && folder[0] == '/')
        return path[0] == '/';
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}
