#define _GNU_SOURCE /* mremap, close_range, F_SETSIG */
#include "pixels/helper_loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pixels/decoders.h"
#include "pixels/helper.h"
#include "pixels/helper_message.h"

typedef struct life {
    lens_helper_decoder *decode;
    uint8_t *map; /* [room] */
    size_t room;
} life;

/* Waits for the next question and maps what room there is now. False: the program has ended, or speaks another language. */
static bool hear(life *self, lens_helper_question *question)
{
    ssize_t size;
    while ((size = recv(LENS_HELPER_SOCKET, question, sizeof *question, 0)) < 0 && errno == EINTR)
        ;
    if (size != (ssize_t)sizeof *question || question->size > question->room)
        return false;
    if (question->room == self->room)
        return true;
    void *map = self->map ? mremap(self->map, self->room, question->room, MREMAP_MAYMOVE)
                          : mmap(NULL, question->room, PROT_READ | PROT_WRITE, MAP_SHARED, LENS_HELPER_MEMORY, 0);
    if (map == MAP_FAILED)
        return false;
    self->map = map;
    self->room = question->room;
    return true;
}

static bool tell(const lens_helper_answer *answer)
{
    return send(LENS_HELPER_SOCKET, answer, sizeof *answer, MSG_NOSIGNAL) == (ssize_t)sizeof *answer;
}

/* Few large pictures are decoded at a time in all helpers of the program: it answers when it is this one's turn. Without an answer it has ended. */
static life *living;
static bool told_large;

static void ask_before_large(int64_t width, int64_t height)
{
    const lens_helper_answer answer = {.kind = LENS_ANSWER_LARGE, .width = (int32_t)width, .height = (int32_t)height};
    lens_helper_question question;
    if (told_large)
        return;
    told_large = true;
    if (!tell(&answer) || !hear(living, &question))
        _exit(0);
}

static bool answer_one(life *self, lens_helper_question *question)
{
    told_large = false;
    const lens_decode_limits limits = {question->max_pixels};
    lens_helper_answer answer = {.kind = LENS_ANSWER_FAILED};
    lens_image image;
    const size_t at = lens_helper_pixels_at(question->size);
    if (at < self->room)
        lens_image_place(self->map + at, self->room - at);
    const int result = self->decode(self->map, question->size, &limits, &image, &answer.error);
    if (result == 0 && image.rgb == self->map + at) /* which is the usual case */
        answer = (lens_helper_answer){.kind = LENS_ANSWER_PICTURE, .width = image.width, .height = image.height};
    lens_image_place(NULL, 0);
    if (result != 0 || answer.kind == LENS_ANSWER_PICTURE)
        return tell(&answer);
    const size_t length = (size_t)image.width * (size_t)image.height * 3;
    answer.width = image.width;
    answer.height = image.height;
    answer.kind = LENS_ANSWER_ROOM;
    bool goes_on = at <= self->room && length <= self->room - at;
    if (!goes_on)
        goes_on = tell(&answer) && hear(self, question) && at <= self->room && length <= self->room - at;
    if (goes_on)
        memcpy(self->map + at, image.rgb, length);
    lens_image_free(&image);
    answer.kind = LENS_ANSWER_PICTURE;
    return goes_on && tell(&answer);
}

/* Ends with the program, even in the middle of a picture, and also where it was taken over: the kernel tells of the lifeline's end by the one signal that nobody can
 * ignore, and none of what may be called from then on changes that or closes it. Whom it tells belongs to the open pipe and not to the descriptor, and all
 * helpers were given the same: each opens it anew. */
static bool tie_to_program(void)
{
    char path[32];
    struct pollfd line = {.fd = LENS_HELPER_LIFELINE, .events = POLLIN};
    snprintf(path, sizeof path, "/proc/self/fd/%d", LENS_HELPER_LIFELINE);
    const int own = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (own < 0 || dup2(own, LENS_HELPER_LIFELINE) < 0 || close(own) != 0)
        return false;
    return fcntl(LENS_HELPER_LIFELINE, F_SETOWN, getpid()) == 0 && fcntl(LENS_HELPER_LIFELINE, F_SETSIG, SIGKILL) == 0 &&
           fcntl(LENS_HELPER_LIFELINE, F_SETFL, O_ASYNC | O_NONBLOCK) == 0 && poll(&line, 1, 0) == 0;
}

/* A lens_helper_decoder where this process may do what it should not. */
static int refuse(const void *bytes, size_t size, const lens_decode_limits *limits, lens_image *out, lens_error *err)
{
    (void)bytes, (void)size, (void)limits;
    *out = (lens_image){0};
    return lens_fail(err, LENS_E_SYSTEM, "the system does not let its decoder be confined (no seccomp, or no way to close what it inherited)");
}

/* Descriptors that the program was given by whoever started it, and does not know of. False where they cannot be closed. */
static bool close_others(void)
{
    if (close_range(LENS_HELPER_LIFELINE + 1, ~0U, 0) == 0)
        return true;
    DIR *all = opendir("/proc/self/fd"); /* an older kernel, or a container's */
    for (const struct dirent *entry; all && (entry = readdir(all));) {
        const int fd = atoi(entry->d_name);
        if (fd > LENS_HELPER_LIFELINE && fd != dirfd(all))
            close(fd);
    }
    return all && closedir(all) == 0;
}

static int live(lens_helper_kind kind, uint64_t max_pixels, lens_helper_decoder *decode)
{
    life self = {.decode = decode};
    lens_helper_question question;
    const bool closed = close_others();
    prctl(PR_SET_NAME, "memelens-decode");
    if (!tie_to_program())
        return 3;
    if (kind != LENS_HELPER_PLAIN)
        lens_vips_warm();
    if (!lens_confine(kind, max_pixels) || !closed)
        self.decode = refuse;
    living = &self;
    lens_decode_ask_before_large(ask_before_large);
    while (hear(&self, &question) && answer_one(&self, &question))
        ;
    return 0;
}

bool lens_helper_was(int argc, char **argv, lens_helper_decoder *decode, int *status)
{
    if (argc < 2 || strcmp(argv[1], LENS_HELPER_ARGUMENT) != 0)
        return false;
    int type = 0;
    socklen_t length = sizeof type;
    const int kind = argc == 4 ? atoi(argv[2]) : -1;
    if (kind < 0 || kind >= LENS_HELPER_KINDS || getsockopt(LENS_HELPER_SOCKET, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_SEQPACKET) {
        fprintf(stderr, "memelens: " LENS_HELPER_ARGUMENT ": is how memelens starts itself to decode pictures, and nothing else\n");
        *status = 2;
    } else {
        *status = live((lens_helper_kind)kind, strtoull(argv[3], NULL, 10), decode);
    }
    return true;
}
