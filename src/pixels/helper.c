#define _GNU_SOURCE /* memfd_create, mremap, fallocate */
#include "pixels/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/patience.h"
#include "base/processors.h"
#include "pixels/decoders.h"
#include "pixels/helper_loop.h"
#include "pixels/helper_message.h"

extern char **environ;

enum { ABOVE_FIXED = 16 /* no descriptor that is copied to a fixed one is one of those itself */ };
static const size_t room_first = (size_t)64 << 20; /* only what is written to takes memory */
static const size_t room_kept = (size_t)64 << 20;  /* of what was written to */
static const unsigned threads_most = 32, threads_each = 8; /* and for each processor: libraries begin one or two for each */
static const double moving = 0.01;                 /* seconds of processor time in a second: less is rest */
static const double patience = 10;                 /* on a machine so busy that it gives a tenth of a processor */

struct lens_helper {
    lens_helper_kind kind;
    uint64_t max_pixels;
    pid_t pid; /* 0: reaped */
    int socket, memory;
    uint8_t *map; /* [room] */
    size_t room;
    size_t size;               /* of the file it was asked to decode, bytes */
    lens_decode_limits limits; /* then */
    int errnum;                /* why it could not be asked, and another can; 0 */
    uint64_t large;            /* it may decode a large picture, of so many pixels; 0: it may not */
    double begun, last;        /* its processor time at the picture's beginning, and at the last tick, seconds */
    int ticks, resting;        /* since then; and in a row without any work */
};

/* One pipe for all helpers. The end that would be written to is held by this process alone, so that the kernel closes it whatever this process ends of. (A
 * signal at the parent's death comes when the thread ends that started the helper.) */
static int lifeline[2] = {-1, -1};
static pthread_mutex_t lifeline_lock = PTHREAD_MUTEX_INITIALIZER;

/* Large pictures (LENS_LARGE_PIXELS) that are decoded at the same time have so many pixels together at most: cameras make such pictures, and one of them leaves
 * room for others. One that has more is decoded alone. */
static const uint64_t large_together = 100 * 1000 * 1000;

/* Whoever waits for its turn with one, in the order in which they came: a small one must not keep a larger one waiting for ever. */
typedef struct large_turn {
    struct large_turn *next;
} large_turn;

static large_turn *first_turn;
static uint64_t large_now; /* pixels of those that are being decoded */
static pthread_mutex_t turn_lock;
static pthread_cond_t turn_free;
static pthread_once_t turns = PTHREAD_ONCE_INIT;

static void begin_turns(void)
{
    lens_cond_init(&turn_free);
    pthread_mutex_init(&turn_lock, NULL);
    first_turn = NULL;
    large_now = 0;
}

void lens_helper_forget_lifeline(void)
{
    for (int i = 0; i < 2; i++) {
        if (lifeline[i] >= 0)
            close(lifeline[i]);
        lifeline[i] = -1;
    }
    pthread_mutex_init(&lifeline_lock, NULL); /* whoever held it is not here, nor whose turn it was */
    begin_turns();
}

/* FD, or what takes its place above the fixed ones. */
static int lift(int fd)
{
    if (fd < 0 || fd >= ABOVE_FIXED)
        return fd;
    const int lifted = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE_FIXED), errnum = errno;
    close(fd);
    errno = errnum == EINVAL ? EMFILE : errnum; /* where no number may be so high (`ulimit -n`) */
    return lifted;
}

static int open_lifeline(void)
{
    int result = 0;
    pthread_mutex_lock(&lifeline_lock);
    if (lifeline[0] < 0) {
        result = pipe2(lifeline, O_CLOEXEC);
        if (result == 0 && ((lifeline[0] = lift(lifeline[0])) < 0 || (lifeline[1] = lift(lifeline[1])) < 0))
            result = -1;
    }
    pthread_mutex_unlock(&lifeline_lock);
    return result;
}

/* What decoders and their libraries go by. The rest may hold secrets, and a helper is the one place where a stranger's picture could come to read them. */
static char **environment(void)
{
    static const char *const kept[] = {"HOME=", "LANG",  "LC_",   "XDG_", "FONTCONFIG_", "PANGO_", "GDK_PIXBUF_", "G_",    "VIPS_", "JSIMD_",         "LD_",
                                       "ASAN_", "UBSAN_", "TSAN_", "LSAN_", "GCOV_",       "QEMU_",  "MALLOC_",     "GLIBC_TUNABLES="};
    size_t count = 0, at = 0;
    while (environ && environ[count])
        count++;
    char **chosen = calloc(count + 1, sizeof *chosen);
    for (size_t i = 0; chosen && i < count; i++)
        for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
            if (strncmp(environ[i], kept[k], strlen(kept[k])) == 0) {
                chosen[at++] = environ[i];
                break;
            }
    return chosen;
}

/* Of all that is open it gets what it needs, and nothing to read or print to. Returns an errno. */
static int add_files(posix_spawn_file_actions_t *actions, const int *fixed)
{
    int errnum = 0;
    for (int fd = STDIN_FILENO; fd <= LENS_HELPER_SILENCED && errnum == 0; fd++)
        errnum = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
    for (int fd = LENS_HELPER_SOCKET; fd <= LENS_HELPER_LIFELINE && errnum == 0; fd++)
        errnum = posix_spawn_file_actions_adddup2(actions, fixed[fd - LENS_HELPER_SOCKET], fd);
    return errnum;
}

/* What a terminal or a service's manager sends to all processes is for the program alone: it ends its helpers. Returns an errno. */
static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t blocked, defaults;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT), sigaddset(&blocked, SIGTERM), sigaddset(&blocked, SIGHUP), sigaddset(&blocked, SIGQUIT);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE); /* which a server ignores */
    int errnum = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (errnum == 0)
        errnum = posix_spawnattr_setsigmask(attributes, &blocked);
    return errnum == 0 ? posix_spawnattr_setsigdefault(attributes, &defaults) : errnum;
}

/* Starts the process with THEIRS as its end of the socket. Returns an errno. */
static int spawn(lens_helper *self, int theirs)
{
    const int fixed[] = {theirs, self->memory, lifeline[0]};
    char limit[32], kind[8];
    char *const argv[] = {"memelens", LENS_HELPER_ARGUMENT, kind, limit, NULL};
    snprintf(kind, sizeof kind, "%d", (int)self->kind);
    snprintf(limit, sizeof limit, "%llu", (unsigned long long)self->max_pixels);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int errnum = posix_spawn_file_actions_init(&actions);
    if (errnum != 0)
        return errnum;
    if ((errnum = posix_spawnattr_init(&attributes)) == 0) {
        char **variables = environment();
        errnum = variables ? add_files(&actions, fixed) : ENOMEM;
        if (errnum == 0)
            errnum = set_signals(&attributes);
        if (errnum == 0)
            errnum = posix_spawn(&self->pid, "/proc/self/exe", &actions, &attributes, argv, variables);
        if (errnum != 0)
            self->pid = 0;
        free(variables);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return errnum;
}

/* Makes the memory SIZE bytes long. Returns an errno. */
static int resize(lens_helper *self, size_t size)
{
    if (ftruncate(self->memory, (off_t)size) != 0)
        return errno;
    void *map = self->map ? mremap(self->map, self->room, size, MREMAP_MAYMOVE) : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, self->memory, 0);
    if (map == MAP_FAILED)
        return errno;
    self->map = map;
    self->room = size;
    return 0;
}

/* Whoever limits files (`ulimit -f`) limits this memory too. */
static size_t first_room(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_FSIZE, &files) != 0 || files.rlim_cur >= room_first)
        return room_first;
    return lens_helper_pixels_at((size_t)files.rlim_cur / 2);
}

static int start(lens_helper *self)
{
    int ends[2] = {-1, -1};
    const struct timeval tick = {.tv_sec = 1};
    self->memory = lift(memfd_create("memelens picture", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    /* A memory that became shorter would end us, by SIGBUS, where we read it; and one that was sealed by a helper could not grow. */
    if (self->memory < 0 || fcntl(self->memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0 || open_lifeline() != 0)
        return errno;
    int errnum = resize(self, first_room());
    if (errnum == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        errnum = errno;
    self->socket = ends[0];
    if (errnum == 0 && ((ends[1] = lift(ends[1])) < 0 || setsockopt(self->socket, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick) != 0))
        errnum = errno;
    if (errnum == 0)
        errnum = spawn(self, ends[1]);
    if (ends[1] >= 0)
        close(ends[1]);
    return errnum;
}

lens_helper *lens_helper_start(lens_helper_kind kind, uint64_t max_pixels, lens_error *err)
{
    lens_helper *self = calloc(1, sizeof *self);
    if (!self)
        return lens_fail_memory(err), NULL;
    *self = (lens_helper){.kind = kind, .max_pixels = max_pixels, .socket = -1, .memory = -1};
    const int errnum = start(self);
    if (errnum == 0)
        return self;
    lens_helper_end(self);
    lens_fail_errno(err, errnum, "cannot start a decoder");
    if (err && (errnum == ENOENT || errnum == EACCES || errnum == EPERM || errnum == ENOEXEC || errnum == ENOSYS))
        err->code = LENS_E_UNSUPPORTED;
    return NULL;
}

void lens_helper_forget(lens_helper *self)
{
    if (self->socket >= 0)
        close(self->socket);
    if (self->memory >= 0)
        close(self->memory);
    if (self->map)
        munmap(self->map, self->room);
    free(self);
}

/* Waits for the end of the process. Its status, or -1 when the kernel has thrown that away. */
static int reap(lens_helper *self)
{
    int status = -1;
    while (self->pid > 0 && waitpid(self->pid, &status, 0) < 0 && errno == EINTR)
        ;
    self->pid = 0;
    return status;
}

void lens_helper_end(lens_helper *self)
{
    if (!self)
        return;
    if (self->pid > 0) {
        kill(self->pid, SIGKILL);
        reap(self);
    }
    lens_helper_forget(self);
}

uint64_t lens_helper_max_pixels(const lens_helper *self)
{
    return self->max_pixels;
}

/* ---- one picture ---- */

static lens_helper_outcome died(lens_helper *self, lens_error *err)
{
    kill(self->pid, SIGKILL); /* one that closed its socket only: what has ended stays what it ended of */
    const int status = reap(self);
    if (status != -1 && WIFSIGNALED(status)) {
        /* Who kills is the system that is short of memory, or a person: the next run tries again. */
        const bool killed = WTERMSIG(status) == SIGKILL;
        lens_fail(err, killed ? LENS_E_SYSTEM : LENS_E_FORMAT, "its decoder %s (signal %d)", killed ? "was killed" : "crashed", WTERMSIG(status));
    } else {
        lens_fail(err, LENS_E_SYSTEM, "its decoder ended (status %d)", status == -1 ? -1 : WEXITSTATUS(status));
    }
    return LENS_HELPER_DIED;
}

static lens_helper_outcome end_for(lens_helper *self, lens_error_code code, const char *words, double seconds, lens_error *err)
{
    kill(self->pid, SIGKILL);
    reap(self);
    lens_fail(err, code, words, seconds);
    return LENS_HELPER_HUNG;
}

static lens_helper_outcome lied(lens_helper *self, lens_error *err)
{
    return end_for(self, LENS_E_FORMAT, "its decoder gave an answer that cannot be", 0, err);
}

double lens_helper_spent(const lens_helper *self)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(self->pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
        return 0;
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

bool lens_helper_crowded(const lens_helper *self)
{
    struct stat tasks;
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/task", (int)self->pid);
    return stat(path, &tasks) == 0 && tasks.st_nlink > 2 + threads_most + threads_each * (unsigned)lens_processors_seen(); /* a folder for each thread */
}

/* Nobody wants the picture any more. */
static lens_helper_outcome given_up(lens_helper *self, lens_error *err)
{
    return end_for(self, LENS_E_CANCELLED, "interrupted", 0, err);
}

/* LENS_HELPER_DONE: ANSWER is there, of the right length. */
static lens_helper_outcome hear(lens_helper *self, double seconds, lens_helper_answer *answer, lens_error *err)
{
    /* The socket wakes us once a second. Counted like that, and not by a clock, a suspended machine or program takes nothing from the time. */
    for (;;) {
        const ssize_t size = recv(self->socket, answer, sizeof *answer, 0);
        if (size == (ssize_t)sizeof *answer)
            return LENS_HELPER_DONE;
        if (size < 0 && errno == EINTR) /* which is no tick: the first of those sees when it began */
            continue;
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            const double now = lens_helper_spent(self);
            self->begun = self->ticks ? self->begun : now - 1;
            self->resting = self->ticks && now - self->last < moving ? self->resting + 1 : 0;
            self->last = now;
            if (lens_patience_ended())
                return given_up(self, err);
            if (now - self->begun >= seconds || self->resting >= seconds || self->ticks++ >= patience * seconds)
                return end_for(self, LENS_E_LIMIT, "its decoder took more than %.0f seconds", seconds, err);
            if (lens_helper_crowded(self))
                return end_for(self, LENS_E_LIMIT, "its decoder began too many threads", 0, err);
            continue;
        }
        return size > 0 ? lied(self, err) : died(self, err);
    }
}

/* One that reads its questions has room for the next; we wait for no other. */
static bool ask(const lens_helper *self)
{
    const lens_helper_question question = {self->size, self->limits.max_pixels, self->room};
    return send(self->socket, &question, sizeof question, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof question;
}

/* With the lock held. */
static bool has_turn(const large_turn *turn, uint64_t pixels)
{
    return first_turn == turn && (large_now == 0 || large_now + pixels <= large_together);
}

/* Waits until it may decode a large picture of so many PIXELS. False: the thread is to wait no longer. */
static bool take_turn(lens_helper *self, uint64_t pixels)
{
    bool ended = false;
    large_turn own = {NULL}, **at = &first_turn;
    pthread_once(&turns, begin_turns);
    pthread_mutex_lock(&turn_lock);
    while (*at)
        at = &(*at)->next;
    *at = &own;
    while (!has_turn(&own, pixels) && !ended) {
        if (lens_cond_wait(&turn_free, &turn_lock, lens_seconds() + 1))
            continue;
        pthread_mutex_unlock(&turn_lock); /* who is asked may ask for anything */
        ended = lens_patience_ended();
        pthread_mutex_lock(&turn_lock);
    }
    if (has_turn(&own, pixels))
        large_now += self->large = pixels;
    for (at = &first_turn; *at != &own;)
        at = &(*at)->next;
    *at = own.next;
    pthread_cond_broadcast(&turn_free); /* there may be room for the next one too */
    pthread_mutex_unlock(&turn_lock);
    return self->large != 0;
}

static void end_turn(lens_helper *self)
{
    if (!self->large)
        return;
    pthread_mutex_lock(&turn_lock);
    large_now -= self->large;
    self->large = 0;
    pthread_cond_broadcast(&turn_free);
    pthread_mutex_unlock(&turn_lock);
}

/* The bytes of WIDTH x HEIGHT pixels; 0 when no picture within LIMITS has that many. */
static size_t pixel_bytes(const lens_helper_answer *answer, const lens_decode_limits *limits)
{
    lens_error error;
    return lens_decode_check_size(answer->width, answer->height, limits, &error) == 0 ? (size_t)answer->width * (size_t)answer->height * 3 : 0;
}

/* The same; 0 as well for a large picture before its turn, or with more pixels than that is for. */
static size_t allowed_bytes(const lens_helper *self, const lens_helper_answer *answer)
{
    const size_t bytes = pixel_bytes(answer, &self->limits);
    return bytes / 3 > LENS_LARGE_PIXELS && bytes / 3 > self->large ? 0 : bytes;
}

/* What it says of itself is shown to people: one line, and none of the codes that move a terminal's cursor. */
static lens_helper_outcome failed(lens_helper *self, lens_helper_answer *answer, lens_error *err)
{
    lens_error *told = &answer->error;
    switch (told->code) {
    case LENS_E_FORMAT: case LENS_E_UNSUPPORTED: case LENS_E_LIMIT: case LENS_E_MEMORY: case LENS_E_SYSTEM: break;
    default: return lied(self, err);
    }
    told->message[sizeof told->message - 1] = '\0';
    for (char *at = told->message; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
        else if ((unsigned char)at[0] == 0xc2 && ((unsigned char)at[1] & 0xe0) == 0x80) /* U+0080 to U+009F */
            at[0] = at[1] = '?';
    if (err)
        *err = *told;
    return LENS_HELPER_FAILED;
}

void lens_helper_ask(lens_helper *self, const void *bytes, size_t size, const lens_decode_limits *limits)
{
    const size_t at = lens_helper_pixels_at(size);
    self->size = size;
    self->limits = *limits;
    self->errnum = at > self->room ? resize(self, at + first_room()) : 0;
    if (self->errnum != 0)
        return;
    memcpy(self->map, bytes, size);
    if (!ask(self) && errno != EPIPE && errno != ECONNRESET) /* of one that has ended nothing will be heard */
        self->errnum = errno;
}

static lens_helper_outcome hear_picture(lens_helper *self, double seconds, lens_image *out, lens_error *err)
{
    const size_t at = lens_helper_pixels_at(self->size);
    lens_helper_answer answer;
    self->ticks = self->resting = 0; /* for all its answers together */
    if (self->errnum != 0) {
        /* The memory may be larger than what is mapped of it, and cannot be made smaller again. */
        kill(self->pid, SIGKILL);
        reap(self);
        lens_fail_errno(err, self->errnum, "no memory for its decoder");
        return LENS_HELPER_DIED;
    }
    lens_helper_outcome outcome = hear(self, seconds, &answer, err);
    if (outcome == LENS_HELPER_DONE && answer.kind == LENS_ANSWER_LARGE) {
        const size_t pixels = pixel_bytes(&answer, &self->limits) / 3;
        if (pixels <= LENS_LARGE_PIXELS)
            return lied(self, err);
        if (!take_turn(self, pixels))
            return given_up(self, err);
        if (!ask(self))
            return died(self, err);
        outcome = hear(self, seconds, &answer, err);
    }
    if (outcome == LENS_HELPER_DONE && answer.kind == LENS_ANSWER_ROOM) {
        const size_t wanted = allowed_bytes(self, &answer);
        if (!wanted)
            return lied(self, err);
        if (wanted > self->room - at && resize(self, at + wanted) != 0)
            return end_for(self, LENS_E_MEMORY, "not enough memory for its pixels", 0, err);
        if (!ask(self))
            return died(self, err);
        outcome = hear(self, seconds, &answer, err);
    }
    if (outcome != LENS_HELPER_DONE)
        return outcome;
    if (answer.kind == LENS_ANSWER_FAILED)
        return failed(self, &answer, err);
    const size_t length = allowed_bytes(self, &answer);
    if (answer.kind != LENS_ANSWER_PICTURE || !length || length > self->room - at)
        return lied(self, err);
    /* A copy, which nothing changes any more. */
    if (lens_image_new(answer.width, answer.height, out, err) != 0)
        outcome = LENS_HELPER_FAILED;
    else
        memcpy(out->rgb, self->map + at, length);
    return outcome;
}

/* Up to the end of the last page. */
static void empty_from(const lens_helper *self, size_t at)
{
    fallocate(self->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)self->room);
}

void lens_helper_rest(lens_helper *self)
{
    empty_from(self, 0);
}

lens_helper_outcome lens_helper_hear(lens_helper *self, double seconds, lens_image *out, lens_error *err)
{
    *out = (lens_image){0};
    const lens_helper_outcome outcome = hear_picture(self, seconds, out, err);
    if (self->pid && self->room > room_kept) /* by a broken picture as well */
        empty_from(self, room_kept);
    end_turn(self);
    return outcome;
}
