/* A disk that fails, fills up or loses its power, and a memory that runs short, on demand: loaded before the C library by LD_PRELOAD, this counts the calls of
 * the program that change files below a folder, or ask for memory, and at one of them something happens. tests/faults/faults.py drives it.
 *
 * What it is told, by the environment:
 *     FAULTS_ROOT    the folder; nothing outside it is touched
 *     FAULTS_COUNTS  a file of 16 zeroed uint64: how often each kind was called, in the order of `enum kind`
 *     FAULTS_KIND    the kind that is counted for the fault, as a number; FAULTS_AT: at which call of it, from 1
 *     FAULTS_DO      enospc, eio, eintr: that error, once; full, broken: that from then on; short: half is written, and no more from then on;
 *                    stop: the process stops (SIGSTOP) before the call; torn: in the middle of it; null: no memory, once; none: no more memory from then on;
 *                    trap: SIGTRAP, for a debugger
 *     FAULTS_RANDOM  a file that is read for /dev/urandom: then SQLite writes the same bytes in each run
 *     FAULTS_LOG     a file for what no sync has made lasting (power_cut.py reads it), FAULTS_GRAVE a folder on the same disk for what is removed
 *
 * Syncs are not passed on, but only noted: what they are worth is decided by the log. SQLite's index of its log (-shm) does not outlive a power cut and is
 * not in the log; it fails like any other file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { WRITE, SYNC, RENAME, UNLINK, TRUNCATE, GROW, CREATE, MAP, MEMORY_OURS, MEMORY_SQLITE, MEMORY_OTHERS, CHANGE /* any of the first seven */, KINDS };
enum deed { NOTHING, ENOSPC_ONCE, EIO_ONCE, EINTR_ONCE, FULL, BROKEN, SHORT, STOP, TORN, NULL_ONCE, NONE, TRAP, DEEDS };
static const char *const deeds[DEEDS] = {"", "enospc", "eio", "eintr", "full", "broken", "short", "stop", "torn", "null", "none", "trap"};

/* The calls below this one. */
#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *old);

static char root[PATH_MAX], grave[PATH_MAX];
static size_t root_length;
static _Atomic uint64_t *counts;
static enum kind wanted = KINDS;
static uint64_t at;
static enum deed deed;
static int journal = -1; /* FAULTS_LOG */
static struct part {
    uintptr_t from, to;
} own, sqlite; /* where the code of the program, and SQLite's, lies */

static long direct(long number, long a, long b, long c, long d, long e, long f)
{
    REAL(syscall);
    return real(number, a, b, c, d, e, f);
}

static int note_part(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size, (void)context;
    struct part *part = !info->dlpi_name[0] ? &own : strstr(info->dlpi_name, "libsqlite3") ? &sqlite : NULL;
    for (int i = 0; part && i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X))
            *part = (struct part){info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz};
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *words = getenv("FAULTS_COUNTS");
    int fd = words ? (int)direct(SYS_openat, AT_FDCWD, (long)words, O_RDWR | O_CLOEXEC, 0, 0, 0) : -1;
    if (fd < 0 || !getenv("FAULTS_ROOT"))
        return;
    void *map = (void *)direct(SYS_mmap, 0, KINDS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    dl_iterate_phdr(note_part, NULL);
    snprintf(root, sizeof root, "%s", getenv("FAULTS_ROOT"));
    root_length = strlen(root);
    if (getenv("FAULTS_LOG") && getenv("FAULTS_GRAVE")) {
        snprintf(grave, sizeof grave, "%s", getenv("FAULTS_GRAVE"));
        journal = (int)direct(SYS_openat, AT_FDCWD, (long)getenv("FAULTS_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600, 0, 0);
    }
    if ((words = getenv("FAULTS_KIND")))
        wanted = (enum kind)atoi(words);
    if ((words = getenv("FAULTS_AT")))
        at = strtoull(words, NULL, 10);
    for (int i = 1; (words = getenv("FAULTS_DO")) && i < DEEDS; i++)
        if (strcmp(words, deeds[i]) == 0)
            deed = (enum deed)i;
    counts = map == MAP_FAILED ? NULL : map;
}

/* Counts a call of KIND; what is to happen to it. */
static enum deed meet_one(enum kind kind)
{
    const uint64_t number = atomic_fetch_add(&counts[kind], 1) + 1;
    if (kind != wanted || deed == NOTHING || at == 0)
        return NOTHING;
    const bool lasting = deed == FULL || deed == BROKEN || deed == NONE;
    if (deed == SHORT)
        return number == at ? SHORT : number > at ? FULL : NOTHING;
    return number == at || (lasting && number > at) ? deed : NOTHING;
}

/* All of the group stops, which is the program with what it has started: `index` works in a child, and the power goes for all at once. */
static void stop(enum deed what)
{
    if (what == STOP)
        direct(SYS_kill, 0, SIGSTOP, 0, 0, 0, 0);
    else if (what == TRAP)
        direct(SYS_kill, getpid(), SIGTRAP, 0, 0, 0, 0);
}

static bool ends(const char *path, const char *end)
{
    const size_t length = strlen(path), least = strlen(end);
    return length >= least && strcmp(path + length - least, end) == 0;
}

static bool below(const char *path)
{
    return counts && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == '\0');
}

/* The file of FD, if it lies below the root and has a name. */
static bool path_of(int fd, char path[PATH_MAX])
{
    char link[64];
    if (!counts || fd < 0)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    return below(path) && !ends(path, " (deleted)");
}

/* NAME as seen from the folder DIR. */
static bool path_at(int dir, const char *name, char path[PATH_MAX])
{
    char folder[PATH_MAX];
    if (!counts)
        return false;
    if (name[0] == '/')
        snprintf(path, PATH_MAX, "%s", name);
    else if (dir == AT_FDCWD ? getcwd(folder, sizeof folder) != NULL : path_of(dir, folder))
        snprintf(path, PATH_MAX, "%.2000s/%.2000s", folder, name);
    else
        return false;
    return below(path);
}

/* Counts a call of KIND that is about PATH, and does what ends the process. An errno, or 0: the call goes on; *HALF: but only half of it. */
static int meet(enum kind kind, const char *path, enum deed *half)
{
    enum deed what = meet_one(kind);
    if (what == NOTHING && kind < MAP && !ends(path, "-shm"))
        what = meet_one(CHANGE);
    if (half)
        *half = what == SHORT || what == TORN ? what : NOTHING;
    stop(what == TORN && !half ? STOP : what);
    switch (what) {
    case ENOSPC_ONCE:
    case FULL: return ENOSPC;
    case EIO_ONCE:
    case BROKEN: return EIO;
    case EINTR_ONCE: return EINTR;
    case NULL_ONCE:
    case NONE: return ENOMEM;
    default: return 0;
    }
}

/* ---- the log: operation, three numbers, two texts of so many bytes ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void note(char operation, uint64_t a, uint64_t b, uint64_t c, const void *first, uint64_t first_size, const void *second, uint64_t second_size)
{
    if (journal < 0)
        return;
    const uint64_t head[6] = {(uint64_t)operation, a, b, c, first_size, second_size};
    struct iovec parts[3] = {{(void *)head, sizeof head}, {(void *)first, first_size}, {(void *)second, second_size}};
    direct(SYS_writev, journal, (long)parts, 3, 0, 0, 0);
}

static void note_paths(char operation, uint64_t a, const char *first, const char *second)
{
    note(operation, a, 0, 0, first, strlen(first), second, strlen(second));
}

/* What is about to be lost of FD's file: SIZE bytes from OFFSET on. W: to be written over, T: to be cut off. */
static void note_old(char operation, int fd, const char *path, uint64_t offset, uint64_t size)
{
    struct stat info;
    if (journal < 0 || ends(path, "-shm") || fstat(fd, &info) != 0)
        return;
    const uint64_t there = (uint64_t)info.st_size > offset ? (uint64_t)info.st_size - offset : 0, old = size < there ? size : there;
    char *bytes = old ? __libc_malloc(old) : NULL, link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const int reader = old ? (int)direct(SYS_openat, AT_FDCWD, (long)link, O_RDONLY | O_CLOEXEC, 0, 0, 0) : -1;
    const ssize_t got = bytes && reader >= 0 ? pread(reader, bytes, old, (off_t)offset) : 0;
    if (reader >= 0)
        close(reader);
    note(operation, info.st_ino, offset, (uint64_t)info.st_size, bytes, got > 0 ? (uint64_t)got : 0, "", 0);
    __libc_free(bytes);
}

/* Keeps what is at PATH under another name. KEPT: that name, or "". Its number, or 0. */
static uint64_t bury(const char *path, char kept[PATH_MAX])
{
    static atomic_int serial;
    struct stat info;
    kept[0] = '\0';
    if (journal < 0 || lstat(path, &info) != 0)
        return 0;
    snprintf(kept, PATH_MAX, "%.2000s/%d", grave, atomic_fetch_add(&serial, 1));
    if (S_ISDIR(info.st_mode) || direct(SYS_linkat, AT_FDCWD, (long)path, AT_FDCWD, (long)kept, 0, 0) != 0)
        kept[0] = '\0';
    return info.st_ino;
}

/* ---- calls that fill files ---- */

/* OFFSET -1: where the file stands. */
static ssize_t write_runs(int fd, const struct iovec *runs, int count, off_t offset)
{
    char path[PATH_MAX];
    size_t size = 0;
    enum deed half = NOTHING;
    struct iovec first;
    for (int i = 0; i < count; i++)
        size += runs[i].iov_len;
    const bool ours = path_of(fd, path);
    if (ours) {
        pthread_mutex_lock(&lock);
        const int fault = meet(WRITE, path, &half);
        if (fault) {
            pthread_mutex_unlock(&lock);
            errno = fault;
            return -1;
        }
        if (half && count > 0) { /* of the first run, which is the only one here */
            first = (struct iovec){runs[0].iov_base, (runs[0].iov_len + 1) / 2};
            runs = &first, count = 1, size = first.iov_len;
        }
        note_old('W', fd, path, (uint64_t)(offset >= 0 ? offset : lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR)), size);
    }
    const ssize_t wrote = offset < 0 ? direct(SYS_writev, fd, (long)runs, count, 0, 0, 0) : direct(SYS_pwritev, fd, (long)runs, count, (long)offset, 0, 0);
    if (ours) {
        const int error = errno;
        if (half == TORN)
            stop(STOP);
        pthread_mutex_unlock(&lock);
        errno = error;
    }
    return wrote;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    return write_runs(fd, &(struct iovec){(void *)bytes, size}, 1, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    return write_runs(fd, &(struct iovec){(void *)bytes, size}, 1, offset);
}

ssize_t writev(int fd, const struct iovec *runs, int count)
{
    return write_runs(fd, runs, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *runs, int count, off_t offset)
{
    return write_runs(fd, runs, count, offset);
}

int ftruncate(int fd, off_t size)
{
    char path[PATH_MAX];
    if (path_of(fd, path)) {
        const int fault = meet(TRUNCATE, path, NULL);
        if (fault)
            return errno = fault, -1;
        note_old('T', fd, path, (uint64_t)size, UINT64_MAX);
    }
    return (int)direct(SYS_ftruncate, fd, (long)size, 0, 0, 0, 0);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    char path[PATH_MAX];
    if (path_of(fd, path)) {
        const int fault = meet(GROW, path, NULL);
        if (fault)
            return errno = fault, -1;
        note_old('T', fd, path, (uint64_t)(offset + size), UINT64_MAX);
    }
    return (int)direct(SYS_fallocate, fd, mode, (long)offset, (long)size, 0, 0);
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    return fallocate(fd, 0, offset, size) == 0 ? 0 : errno;
}

static int sync_one(int fd)
{
    char path[PATH_MAX];
    struct stat info;
    if (!path_of(fd, path))
        return (int)direct(SYS_fsync, fd, 0, 0, 0, 0, 0);
    const int fault = meet(SYNC, path, NULL);
    if (fault)
        return errno = fault, -1;
    if (fstat(fd, &info) == 0)
        note_paths(S_ISDIR(info.st_mode) ? 'Y' : 'S', info.st_ino, path, "");
    return 0;
}

int fsync(int fd)
{
    return sync_one(fd);
}

int fdatasync(int fd)
{
    return sync_one(fd);
}

int sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    char path[PATH_MAX];
    const int fault = path_of(fd, path) ? meet(SYNC, path, NULL) : 0;
    if (fault)
        return errno = fault, -1;
    return (int)direct(SYS_sync_file_range, fd, (long)offset, (long)size, flags, 0, 0); /* promises nothing */
}

/* ---- calls that change folders ---- */

static int open_at(int dir, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    struct stat info;
    const bool new = (flags & O_CREAT) && path_at(dir, name, path) && lstat(path, &info) != 0;
    const int fault = new ? meet(CREATE, path, NULL) : 0;
    if (fault)
        return errno = fault, -1;
    if (counts && strcmp(name, "/dev/urandom") == 0 && getenv("FAULTS_RANDOM"))
        name = getenv("FAULTS_RANDOM");
    const int fd = (int)direct(SYS_openat, dir, (long)name, flags, mode, 0, 0);
    if (new && fd >= 0 && !ends(path, "-shm"))
        note_paths('C', fstat(fd, &info) == 0 ? info.st_ino : 0, path, "");
    return fd;
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_at(AT_FDCWD, name, flags, mode);
}

int openat(int dir, const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_at(dir, name, flags, mode);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    struct stat info;
    const bool new = path_at(dir, name, path) && lstat(path, &info) != 0;
    const int fault = new ? meet(CREATE, path, NULL) : 0;
    if (fault)
        return errno = fault, -1;
    const int result = (int)direct(SYS_mkdirat, dir, (long)name, mode, 0, 0, 0);
    if (new && result == 0)
        note_paths('M', 0, path, "");
    return result;
}

int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}

int unlinkat(int dir, const char *name, int flags)
{
    char path[PATH_MAX], kept[PATH_MAX];
    struct stat info;
    const bool ours = path_at(dir, name, path) && lstat(path, &info) == 0;
    const int fault = ours ? meet(UNLINK, path, NULL) : 0;
    if (fault)
        return errno = fault, -1;
    const uint64_t number = ours ? bury(path, kept) : 0;
    const int result = (int)direct(SYS_unlinkat, dir, (long)name, flags, 0, 0, 0);
    if (ours && result == 0)
        note_paths(flags & AT_REMOVEDIR ? 'D' : 'U', number, path, kept);
    return result;
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int rmdir(const char *name)
{
    return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

static int rename_at(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char a[PATH_MAX], b[PATH_MAX], kept[PATH_MAX] = "";
    const bool ours = path_at(from_dir, from, a) && path_at(to_dir, to, b), swap = flags & RENAME_EXCHANGE;
    const int fault = ours ? meet(RENAME, a, NULL) : 0;
    if (fault)
        return errno = fault, -1;
    if (ours && !swap)
        bury(b, kept);
    const int result = (int)direct(SYS_renameat2, from_dir, (long)from, to_dir, (long)to, flags, 0);
    if (ours && result == 0) {
        note_paths(swap ? 'X' : 'R', 0, a, b);
        if (kept[0])
            note_paths('K', 0, b, kept);
    }
    return result;
}

int rename(const char *from, const char *to)
{
    return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return rename_at(from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return rename_at(from_dir, from, to_dir, to, flags);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    char path[PATH_MAX];
    const bool ours = path_at(to_dir, to, path);
    const int fault = ours ? meet(RENAME, path, NULL) : 0;
    if (fault)
        return errno = fault, -1;
    const int result = (int)direct(SYS_linkat, from_dir, (long)from, to_dir, (long)to, flags, 0);
    if (ours && result == 0)
        note_paths('C', 0, path, "");
    return result;
}

int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

long syscall(long number, ...)
{
    long values[6];
    va_list more;
    va_start(more, number);
    for (int i = 0; i < 6; i++)
        values[i] = va_arg(more, long);
    va_end(more);
    if (number == SYS_renameat2 && counts)
        return rename_at((int)values[0], (const char *)values[1], (int)values[2], (const char *)values[3], (unsigned)values[4]);
    return direct(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    char path[PATH_MAX];
    const int fault = (flags & MAP_SHARED) && path_of(fd, path) ? meet(MAP, path, NULL) : 0;
    if (fault)
        return errno = fault, MAP_FAILED;
    return (void *)direct(SYS_mmap, (long)address, (long)size, protection, flags, fd, (long)offset);
}

/* On the machines that this runs on (64 bits) the large names mean the same. */
#define ALSO(name, result, ...) extern result name##64(__VA_ARGS__) __attribute__((alias(#name)))
ALSO(open, int, const char *, int, ...);
ALSO(openat, int, int, const char *, int, ...);
ALSO(pwrite, ssize_t, int, const void *, size_t, off_t);
ALSO(pwritev, ssize_t, int, const struct iovec *, int, off_t);
ALSO(ftruncate, int, int, off_t);
ALSO(fallocate, int, int, int, off_t, off_t);
ALSO(posix_fallocate, int, int, off_t, off_t);
ALSO(mmap, void *, void *, size_t, int, int, int, off_t);

/* ---- memory ---- */

/* Whether the caller is to get none. */
static bool refused(const void *caller)
{
    if (!counts)
        return false;
    const uintptr_t place = (uintptr_t)caller;
    const enum kind kind = place >= own.from && place < own.to ? MEMORY_OURS : place >= sqlite.from && place < sqlite.to ? MEMORY_SQLITE : MEMORY_OTHERS;
    const enum deed what = meet_one(kind);
    stop(what);
    if (what != NULL_ONCE && what != NONE)
        return false;
    errno = ENOMEM;
    return true;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    return refused(CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return refused(CALLER) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return refused(CALLER) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return refused(CALLER) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *made = refused(CALLER) ? NULL : __libc_memalign(alignment, size);
    if (made)
        *out = made;
    return made ? 0 : ENOMEM;
}

/* The C library's would ask in its own name. */
char *strndup(const char *text, size_t most)
{
    const size_t length = strnlen(text, most);
    char *copy = refused(CALLER) ? NULL : __libc_malloc(length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *strdup(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = refused(CALLER) ? NULL : __libc_malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}
