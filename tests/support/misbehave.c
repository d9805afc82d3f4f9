#define _GNU_SOURCE /* memmem, F_SETSIG, F_ADD_SEALS */
#include "misbehave.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/processors.h"
#include "pictures.h"
#include "pixels/apart.h"
#include "pixels/decoders.h"
#include "pixels/helper_message.h"
#include "processes.h"
#include "support.h"

static void answer_raw(lens_answer_kind kind, int width, int height)
{
    const lens_helper_answer answer = {.kind = kind, .width = width, .height = height};
    send(LENS_HELPER_SOCKET, &answer, sizeof answer, 0);
}

static void lie(const char *how)
{
    lens_helper_answer answer = {.kind = LENS_ANSWER_FAILED};
    if (strcmp(how, "large") == 0)
        answer_raw(LENS_ANSWER_PICTURE, 2000, 2000);
    else if (strcmp(how, "within limits") == 0) /* but not within the memory */
        answer_raw(LENS_ANSWER_PICTURE, 30000, 30000);
    else if (strcmp(how, "negative") == 0)
        answer_raw(LENS_ANSWER_PICTURE, -4, -4);
    else if (strcmp(how, "kind") == 0)
        answer_raw(7, 4, 4);
    else if (strcmp(how, "small") == 0)
        answer_raw(LENS_ANSWER_LARGE, 400, 400);
    else if (strcmp(how, "again") == 0)
        answer_raw(LENS_ANSWER_LARGE, 5000, 5000), answer_raw(LENS_ANSWER_LARGE, 5000, 5000);
    else if (strcmp(how, "room") == 0)
        answer_raw(LENS_ANSWER_ROOM, 4, 4), answer_raw(LENS_ANSWER_ROOM, 4, 4);
    else if (strcmp(how, "at once") == 0) /* large, and did not wait for its turn */
        answer_raw(LENS_ANSWER_PICTURE, 5000, 4000);
    else if (strcmp(how, "room at once") == 0)
        answer_raw(LENS_ANSWER_ROOM, 5000, 5000), answer_raw(LENS_ANSWER_PICTURE, 5000, 5000);
    else if (strcmp(how, "larger") == 0) /* than it had its turn for */
        answer_raw(LENS_ANSWER_LARGE, 5000, 4000), answer_raw(LENS_ANSWER_PICTURE, 5000, 5000);
    else if (strcmp(how, "turn") == 0)
        answer_raw(LENS_ANSWER_LARGE, 10000, 8000);
    else if (strcmp(how, "ahead") == 0) /* answers, and reads no questions */
        for (answer.error.code = LENS_E_FORMAT;;)
            send(LENS_HELPER_SOCKET, &answer, sizeof answer, 0);
    else if (strcmp(how, "short") == 0)
        send(LENS_HELPER_SOCKET, "x", 1, 0);
    else if (strcmp(how, "code") == 0)
        answer.error.code = LENS_E_AWAY, send(LENS_HELPER_SOCKET, &answer, sizeof answer, 0);
    else if (strcmp(how, "deaf") == 0)
        close(LENS_HELPER_SOCKET);
    for (;;)
        pause();
}

/* Each thing that must not be, with the errno that came of it. */
static int try_forbidden(const char *place, lens_error *err)
{
    const pid_t parent = getppid();
    int made, opened, written, started, killed, traced, mapped, broken;
    errno = 0;
    opened = open("/etc/passwd", O_RDONLY) < 0 ? errno : 0;
    written = open(place, O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0;
    made = socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
    started = execl("/bin/true", "true", (char *)NULL) < 0 ? errno : 0;
    pid_t child = fork();
    const int forked = child < 0 ? errno : 0;
    if (child == 0)
        _exit(0);
    killed = kill(parent, 0) < 0 ? errno : 0;
    traced = ptrace(PTRACE_ATTACH, parent, NULL, NULL) < 0 ? errno : 0;
    mapped = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
    broken = madvise((void *)1, 4096, 100 /* MADV_HWPOISON, at no place that could be */) < 0 ? errno : 0;
    return lens_fail(err, LENS_E_FORMAT, "open %d write %d socket %d exec %d fork %d kill %d trace %d break %d code %d", opened, written, made, started, forked,
                     killed, traced, broken, mapped);
}

/* The calls that a drawing's decoder may make in part: the errno of each use of them that must not be, and what is left. */
static int try_more(const char *place, lens_error *err)
{
    int opened = -1;
#ifdef SYS_open
    errno = 0;
    opened = syscall(SYS_open, place, O_WRONLY | O_CREAT | O_TRUNC, 0600) < 0 ? errno : 0;
#else
    (void)place; /* 64-bit ARM has no such call */
#endif
    errno = 0;
    const int owner = fcntl(LENS_HELPER_LIFELINE, F_SETOWN, getppid()) != 0 ? errno : 0;
    const int chosen = fcntl(LENS_HELPER_LIFELINE, F_SETSIG, SIGTERM) != 0 ? errno : 0;
    const int flags = fcntl(LENS_HELPER_LIFELINE, F_SETFL, O_ASYNC) != 0 ? errno : 0;
    const int sealed = fcntl(LENS_HELPER_MEMORY, F_ADD_SEALS, F_SEAL_GROW) != 0 ? errno : 0;
    const bool usual = fcntl(LENS_HELPER_MEMORY, F_GETFD) >= 0 && fcntl(LENS_HELPER_MEMORY, F_GETFL) >= 0 && fcntl(LENS_HELPER_MEMORY, F_SETFD, 0) == 0;
    return lens_fail(err, LENS_E_FORMAT, "open %d owner %d signal %d flags %d seal %d, usual %d", opened, owner, chosen, flags, sealed, usual);
}

/* What comes of a file that may not grow. */
static int tell_signal(lens_error *err)
{
    struct sigaction action;
    const bool ignored = sigaction(SIGXFSZ, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
    return lens_fail(err, LENS_E_FORMAT, "%s", ignored ? "ignored" : "the end");
}

static int see_surroundings(lens_error *err)
{
    int open_files = 0;
    for (int fd = 0; fd < 4096; fd++)
        open_files += fcntl(fd, F_GETFD) >= 0;
    const bool fonts = access("/usr", F_OK) == 0 && open("/usr/share", O_RDONLY | O_DIRECTORY) >= 0;
    return lens_fail(err, LENS_E_FORMAT, "files %d secret %s fonts %d", open_files, getenv("MEMELENS_TEST_SECRET") ? "seen" : "none", fonts);
}

/* Decodes for a while what has more than LENS_LARGE_PIXELS pixels, WIDTH x 8000: when that began and ended, in nanoseconds. */
static int take_time(int width, const lens_decode_limits *limits, lens_error *err)
{
    struct timespec begun, ended;
    if (lens_decode_check_size(width, 8000, limits, err) != 0 || lens_decode_check_size(width, 8000, limits, err) != 0)
        return -1;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    return lens_fail(err, LENS_E_FORMAT, "%lld to %lld", begun.tv_sec * 1000000000LL + begun.tv_nsec, ended.tv_sec * 1000000000LL + ended.tv_nsec);
}

static double processor_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Works for a while, or rests for one. */
static int work_or_rest(bool work, lens_error *err)
{
    const double begun = processor_time();
    while (work && processor_time() - begun < 1.6)
        ;
    if (!work)
        nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 700000000}, NULL);
    return lens_fail(err, LENS_E_FORMAT, "done");
}

static void *spin_for_ever(void *nothing)
{
    for (volatile int at = 0;; at = !at)
        ;
    return nothing;
}

/* Works on behind its answer. */
static int stay_busy(lens_error *err)
{
    pthread_t thread;
    const int errnum = pthread_create(&thread, NULL, spin_for_ever, NULL);
    return lens_fail(err, LENS_E_FORMAT, errnum == 0 ? "busy" : "not to be had");
}

static void *rest_for_ever(void *nothing)
{
    for (;;)
        pause();
    return nothing;
}

/* Becomes many that rest behind its answer, or WAIT before it. */
static int become_many(bool wait, lens_error *err)
{
    pthread_attr_t small;
    pthread_t thread;
    int begun = 0;
    const int most = 40 + 8 * lens_processors_seen(); /* a few more than may be (helper.c) */
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    while (begun < most && pthread_create(&thread, &small, rest_for_ever, NULL) == 0)
        begun++;
    pthread_attr_destroy(&small);
    if (wait)
        rest_for_ever(NULL);
    return lens_fail(err, LENS_E_FORMAT, begun == most ? "many" : "not to be had");
}

/* Does what it can to be there when the program is not. */
static void stay_on(void)
{
    struct sigaction deaf = {.sa_handler = SIG_IGN};
    sigset_t all;
    sigfillset(&all);
    sigaction(SIGIO, &deaf, NULL);
    sigprocmask(SIG_BLOCK, &all, NULL);
    close(LENS_HELPER_LIFELINE);
    for (prctl(PR_SET_NAME, "spinning");;)
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
}

static int take_memory(lens_error *err)
{
    const size_t each = (size_t)64 << 20;
    size_t taken = 0;
    void *last = NULL, *next;
    for (; taken < (size_t)8 << 30 && (next = malloc(each)); taken += each) {
        *(void **)next = last;
        last = next;
    }
    return lens_fail(err, taken < (size_t)8 << 30 ? LENS_E_MEMORY : LENS_E_FORMAT, "took %zu", taken);
}

int test_misbehave(const void *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    char words[300] = "";
    const char *marked = memmem(bytes, size, "do:", 3);
    if (!marked)
        return lens_decode_here(bytes, size, limits, out, err);
    snprintf(words, sizeof words, "%.*s", (int)(size - (size_t)(marked - (const char *)bytes)) - 3, marked + 3);
    volatile int *nowhere = NULL;
    if (strcmp(words, "crash") == 0)
        *nowhere = 1;
    else if (strcmp(words, "abort") == 0)
        abort();
    else if (strcmp(words, "exit") == 0)
        _exit(7);
    else if (strcmp(words, "kill") == 0)
        raise(SIGKILL);
    else if (strcmp(words, "spin") == 0)
        for (prctl(PR_SET_NAME, "spinning");;)
            *(volatile char *)words = 1;
    else if (strcmp(words, "sleep") == 0)
        for (;;)
            pause();
    else if (strncmp(words, "forbidden ", 10) == 0)
        return try_forbidden(words + 10, err);
    else if (strncmp(words, "more ", 5) == 0)
        return try_more(words + 5, err);
    else if (strcmp(words, "surroundings") == 0)
        return see_surroundings(err);
    else if (strcmp(words, "shrink") == 0)
        return lens_fail(err, LENS_E_FORMAT, "shrunk %d sealed %d", ftruncate(LENS_HELPER_MEMORY, 0) == 0,
                         fcntl(LENS_HELPER_MEMORY, F_ADD_SEALS, F_SEAL_GROW) == 0);
    else if (strcmp(words, "time") == 0)
        return take_time(10000, limits, err);
    else if (strcmp(words, "time together") == 0)
        return take_time(3000, limits, err);
    else if (strcmp(words, "work") == 0 || strcmp(words, "rest") == 0)
        return work_or_rest(words[0] == 'w', err);
    else if (strcmp(words, "busy") == 0)
        return stay_busy(err);
    else if (strncmp(words, "many", 4) == 0)
        return become_many(words[4] != '\0', err);
    else if (strcmp(words, "stay") == 0)
        stay_on();
    else if (strcmp(words, "memory") == 0)
        return take_memory(err);
    else if (strcmp(words, "signal") == 0)
        return tell_signal(err);
    else if (strcmp(words, "cursor") == 0)
        return lens_fail(err, LENS_E_FORMAT, "two\nlines, \x1b[2J and \x7f");
    else if (strcmp(words, "eight bits") == 0) /* which are such a code once UTF-8 is read */
        return lens_fail(err, LENS_E_FORMAT, "\xc2\x9b" "2J \xc3\x9c \xc2");
    else if (strncmp(words, "lie ", 4) == 0)
        lie(words + 4);
    return lens_fail(err, LENS_E_FORMAT, "%s: what is that?", words);
}

/* ---- asking for it ---- */

bool test_misbehaves(int argc, char **argv, int *status)
{
    if (lens_helper_was(argc, argv, test_misbehave, status))
        return true;
    lens_apart_begin(LENS_APART_SECONDS);
    return false;
}

uint64_t test_ask_pixels = 1 << 20;

lens_error test_ask(const char *head, const char *words)
{
    char bytes[400];
    lens_decode_limits limits = {test_ask_pixels};
    lens_image image;
    lens_error err = {0};
    const int size = snprintf(bytes, sizeof bytes, "%s%s", head, words);
    assert_int_equal(lens_decode(bytes, (size_t)size, &limits, &image, NULL, &err), -1);
    assert_null(image.rgb);
    return err;
}

void test_decoding_goes_on(void)
{
    lens_decode_limits limits = {test_ask_pixels};
    lens_buffer bytes = test_picture(TEST_JPEG_420, 83, 61, 3);
    lens_image image, here;
    lens_error err = {0};
    assert_done(lens_decode(bytes.data, bytes.size, &limits, &image, NULL, &err), &err);
    assert_done(lens_decode_here(bytes.data, bytes.size, &limits, &here, &err), &err);
    assert_memory_equal(image.rgb, here.rgb, 83 * 61 * 3);
    lens_image_free(&image);
    lens_image_free(&here);
    lens_buffer_free(&bytes);
    assert_int_equal(test_processes_below(getpid(), TEST_ZOMBIES, NULL, 0), 0);
}

void test_decoded_the_same(const void *bytes, size_t size, const char *what)
{
    lens_decode_limits limits = {test_ask_pixels};
    lens_image apart, here;
    lens_error apart_error = {0}, here_error = {0};
    const int result = lens_decode(bytes, size, &limits, &apart, NULL, &apart_error);
    const int expected = lens_decode_here(bytes, size, &limits, &here, &here_error);
    if (result != expected || apart.width != here.width || apart.height != here.height || apart_error.code != here_error.code ||
        strcmp(apart_error.message, here_error.message) != 0)
        fail_msg("%s, %zu bytes: %d x %d '%s' apart, %d x %d '%s' here", what, size, apart.width, apart.height, apart_error.message, here.width, here.height,
                 here_error.message);
    if (result == 0 && memcmp(apart.rgb, here.rgb, (size_t)here.width * (size_t)here.height * 3) != 0)
        fail_msg("%s: other pixels", what);
    lens_image_free(&apart);
    lens_image_free(&here);
}

void test_decoding_goes_on_by_all(void)
{
    const test_kind kinds[] = {TEST_JPEG_420, TEST_PNG, TEST_SVG};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        lens_buffer bytes = test_picture(kinds[i], 83, 61, 3);
        test_decoded_the_same(bytes.data, bytes.size, "after a kill");
        lens_buffer_free(&bytes);
    }
    test_decoding_goes_on();
}
