#include "net/download.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/patience.h"

enum {
    MOST_TRIES = 6,           /* in a row that bring less than ENOUGH */
    ENOUGH = 1 << 20,
    LONGEST_WAIT = 30,        /* seconds, that we choose */
    LONGEST_RETRY_AFTER = 120 /* that a server may ask for */
};

int lens_http_refused(const lens_http_answer *answer, const char *what, bool with_token, lens_error *err)
{
    switch (answer->status) {
    case 401:
    case 403:
        if (strcmp(answer->error_code, "GatedRepo") == 0)
            return lens_fail(err, LENS_E_SYSTEM, "%s: is given out only to accounts that agreed to its terms: do so on its page%s", what,
                             with_token ? "" : ", then set HF_TOKEN");
        if (strcmp(answer->error_code, "RepoNotFound") == 0)
            return lens_fail(err, LENS_E_MISSING, "%s: there is no such repository, or it is private%s", what,
                             with_token ? " and this HF_TOKEN may not see it" : " (then set HF_TOKEN)");
        return lens_fail(err, LENS_E_SYSTEM, "%s: the server refuses it (HTTP %ld): %s", what, answer->status,
                         with_token ? "HF_TOKEN is wrong or may not see it" : "it wants an account (HF_TOKEN), or its terms agreed to");
    case 404:
    case 410:
        if (strcmp(answer->error_code, "RepoNotFound") == 0)
            return lens_fail(err, LENS_E_MISSING, "%s: there is no such repository", what);
        if (strcmp(answer->error_code, "RevisionNotFound") == 0)
            return lens_fail(err, LENS_E_MISSING, "%s: there is no such revision", what);
        return lens_fail(err, LENS_E_MISSING, "%s: not there (HTTP %ld)", what, answer->status);
    case 429: return lens_fail(err, LENS_E_SYSTEM, "%s: the server asks to wait longer (HTTP 429, too many requests); try again later", what);
    default: return lens_fail(err, LENS_E_SYSTEM, "%s: the server answered HTTP %ld", what, answer->status);
    }
}

/* ---- trying again ---- */

static bool may_change(long status)
{
    return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static bool keeps_going(const lens_download *download, uint64_t done, uint64_t total)
{
    return !download->progress || download->progress(download->context, done, total);
}

/* Waits before try number TRIES + 1, saying why. False when that is not to be. */
static bool wait_for(const lens_download *download, int tries, double asked, const char *why)
{
    double seconds = asked > 0 ? asked : (double)(1 << (tries < 6 ? tries - 1 : 5));
    double most = asked > 0 ? LONGEST_RETRY_AFTER : LONGEST_WAIT;
    if (tries >= MOST_TRIES || seconds > LONGEST_RETRY_AFTER * 10)
        return false;
    if (seconds > most)
        seconds = most;
    char words[1200];
    snprintf(words, sizeof words, "%s; trying again in %.0f s", why, seconds);
    if (download->note)
        download->note(download->context, words);
    double until = lens_seconds() + seconds * lens_patience();
    for (double left = until - lens_seconds(); left > 0; left = until - lens_seconds()) {
        if (!keeps_going(download, 0, LENS_SIZE_UNKNOWN))
            return false;
        lens_sleep(left < 0.1 ? left : 0.1);
    }
    return true;
}

/* REQUEST until it is answered with something that waiting does not change. TRIES counts on; ERR is not NULL, as the reasons of a try are told. */
static int ask(const lens_download *download, const lens_http_request *request, lens_http_answer *answer, int *tries, lens_error *err)
{
    for (;;) {
        bool again;
        int result = lens_http(request, answer, &again, err);
        bool busy = result == 0 && may_change(answer->status);
        if (result == 0 && !busy)
            return 0;
        if (busy)
            lens_http_refused(answer, download->what, request->token != NULL, err);
        else if (!again || answer->unreachable)
            return -1; /* without a network there is nothing to wait for; one that goes away during a file is another matter */
        const lens_error why = *err;
        if (!wait_for(download, ++*tries, busy ? answer->retry_after : 0, why.message))
            return keeps_going(download, 0, LENS_SIZE_UNKNOWN) ? -1 : lens_fail(err, LENS_E_CANCELLED, "%s: stopped", download->what);
    }
}

static bool go_on_plain(void *context)
{
    const lens_download *download = context;
    return keeps_going(download, 0, LENS_SIZE_UNKNOWN);
}

int lens_download_head(const lens_download *download, lens_http_answer *answer, lens_error *err)
{
    lens_error own;
    int tries = 0;
    lens_http_request request = {.url = download->url,
                                 .token = download->token,
                                 .head = true,
                                 .allow_private = true,
                                 .go_on = go_on_plain,
                                 .context = (void *)download};
    return ask(download, &request, answer, &tries, err ? err : &own);
}

/* ---- into memory ---- */

struct memory {
    const lens_download *download;
    lens_buffer *out;
};

static int memory_begin(void *context, const lens_http_answer *answer, lens_error *err)
{
    struct memory *memory = context;
    (void)answer, (void)err;
    lens_buffer_free(memory->out);
    return 0;
}

static int memory_body(void *context, const void *bytes, size_t size, lens_error *err)
{
    struct memory *memory = context;
    if (size > memory->download->limit - memory->out->size)
        return lens_fail(err, LENS_E_LIMIT, "%s: more than the %llu bytes allowed", memory->download->what,
                         (unsigned long long)memory->download->limit);
    if (lens_buffer_append(memory->out, bytes, size) != 0)
        return lens_fail_memory_for(err, memory->download->what);
    return 0;
}

static bool memory_go_on(void *context)
{
    const struct memory *memory = context;
    return keeps_going(memory->download, 0, LENS_SIZE_UNKNOWN);
}

int lens_download_bytes(const lens_download *download, lens_buffer *out, lens_error *err)
{
    lens_error own;
    struct memory memory = {download, out};
    lens_http_request request = {.url = download->url,
                                 .token = download->token,
                                 .allow_private = true,
                                 .begin = memory_begin,
                                 .body = memory_body,
                                 .go_on = memory_go_on,
                                 .context = &memory};
    lens_http_answer answer;
    int tries = 0;
    int result = ask(download, &request, &answer, &tries, err ? err : &own);
    if (result == 0 && answer.status != 200)
        result = lens_http_refused(&answer, download->what, download->token != NULL, err);
    if (result != 0)
        lens_buffer_free(out);
    return result;
}

/* ---- into a file ---- */

struct part {
    const lens_download *download;
    char *path, *about; /* PATH.part, and PATH.part.of: what the part is a part of */
    int fd;
    uint64_t done, total;
    lens_checksum *sha256;
    char etag[256];
    bool wrong; /* its bytes cannot be the ones wanted */
    double told;
};

/* Throws away what is there. */
static int start_anew(struct part *part, lens_error *err)
{
    lens_checksum_free(part->sha256);
    part->done = 0;
    part->etag[0] = '\0';
    part->sha256 = lens_checksum_sha256(err);
    if (!part->sha256)
        return -1;
    if (ftruncate(part->fd, 0) != 0)
        return lens_fail_errno(err, errno, "%s: cannot be emptied", part->path);
    return 0;
}

/* What PATH.part.of holds: the expected checksum and the ETag that the bytes came under, a line each. */
static bool read_about(struct part *part)
{
    lens_buffer about = {0};
    const char *expected = part->download->expected ? part->download->expected : "";
    bool ours = false;
    if (lens_file_read(part->about, 1024, &about, NULL) == 0 && about.data) {
        char *line = strchr(about.data, '\n');
        char *end = line ? strchr(line + 1, '\n') : NULL;
        if (end) {
            *line = *end = '\0';
            ours = strcmp(about.data, expected) == 0;
            snprintf(part->etag, sizeof part->etag, "%s", strlen(line + 1) < sizeof part->etag ? line + 1 : "");
        }
    }
    lens_buffer_free(&about);
    /* The run that left it may have died with the power, and its bytes with it: without a checksum no one could tell. */
    return ours && *expected;
}

static int write_about(struct part *part, lens_error *err)
{
    lens_buffer about = {0};
    const char *expected = part->download->expected ? part->download->expected : "";
    int result = lens_buffer_print(&about, "%s\n%s\n", expected, part->etag) == 0 ? lens_file_write(part->about, about.data, about.size, err)
                                                                                  : lens_fail_memory_for(err, part->download->what);
    lens_buffer_free(&about);
    return result;
}

static int open_part(struct part *part, lens_error *err)
{
    part->fd = open(part->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    struct stat info;
    if (part->fd < 0 || fstat(part->fd, &info) != 0)
        return lens_fail_errno(err, errno, "%s: cannot be written", part->path);
    if (info.st_size == 0 || !read_about(part) || (uint64_t)info.st_size > part->download->limit ||
        (part->download->size != LENS_SIZE_UNKNOWN && (uint64_t)info.st_size > part->download->size))
        return start_anew(part, err);
    part->sha256 = lens_checksum_sha256(err);
    part->done = (uint64_t)info.st_size;
    return part->sha256 ? lens_checksum_add_file(part->sha256, part->fd, part->done, part->path, err) : -1;
}

static int part_begin(void *context, const lens_http_answer *answer, lens_error *err)
{
    struct part *part = context;
    const lens_download *download = part->download;
    bool goes_on = answer->status == 206;
    if (goes_on && (answer->range_first != part->done || part->done == 0))
        return lens_fail(err, LENS_E_SYSTEM, "%s: the server sent another part than the one it was asked for", download->what);
    if (!goes_on && part->done > 0 && start_anew(part, err) != 0)
        return -1;
    uint64_t total = goes_on ? answer->range_total : answer->length;
    if (goes_on && total == LENS_SIZE_UNKNOWN && answer->length != LENS_SIZE_UNKNOWN) /* no sum of theirs may come round to a small one */
        total = answer->length < LENS_SIZE_UNKNOWN - 1 - part->done ? part->done + answer->length : LENS_SIZE_UNKNOWN - 1;
    if (goes_on && total < part->done)
        return lens_fail(err, LENS_E_SYSTEM, "%s: the server sends a part that lies behind the end of it", download->what);
    if (download->size != LENS_SIZE_UNKNOWN && total != LENS_SIZE_UNKNOWN && total != download->size) {
        part->wrong = true;
        return lens_fail(err, LENS_E_FORMAT, "%s: the server has %llu bytes for it, where it should be %llu", download->what,
                         (unsigned long long)total, (unsigned long long)download->size);
    }
    part->total = download->size != LENS_SIZE_UNKNOWN ? download->size : total;
    if (part->total != LENS_SIZE_UNKNOWN && part->total > download->limit)
        return lens_fail(err, LENS_E_LIMIT, "%s: %llu bytes, more than the %llu allowed", download->what,
                         (unsigned long long)part->total, (unsigned long long)download->limit);
    if (strlen(answer->etag) < sizeof part->etag && !strchr(answer->etag, '\n'))
        snprintf(part->etag, sizeof part->etag, "%s", answer->etag);
    return write_about(part, err);
}

static int part_body(void *context, const void *bytes, size_t size, lens_error *err)
{
    struct part *part = context;
    uint64_t room = part->total != LENS_SIZE_UNKNOWN ? part->total : part->download->limit;
    if (size > room - part->done) {
        part->wrong = true;
        return lens_fail(err, LENS_E_FORMAT, "%s: the server sends more than the %llu bytes %s", part->download->what,
                         (unsigned long long)room, part->total != LENS_SIZE_UNKNOWN ? "it should be" : "allowed");
    }
    const char *at = bytes;
    for (size_t left = size; left > 0;) {
        ssize_t wrote = pwrite(part->fd, at, left, (off_t)part->done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return lens_fail_errno(err, wrote < 0 ? errno : EIO, "%s: cannot be written", part->path);
        lens_checksum_add(part->sha256, at, (size_t)wrote);
        at += wrote;
        left -= (size_t)wrote;
        part->done += (uint64_t)wrote;
    }
    return 0;
}

static bool part_go_on(void *context)
{
    struct part *part = context;
    return keeps_going(part->download, part->done, part->total);
}

/* Fills the part up. */
static int fill(struct part *part, lens_error *err)
{
    const lens_download *download = part->download;
    int tries = 0;
    uint64_t most = part->done; /* so far: what comes again after a new start is no headway */
    while (download->size == LENS_SIZE_UNKNOWN || part->done < download->size) {
        bool told_apart = (download->expected && *download->expected) || part->etag[0] == '"';
        if (part->done > 0 && !told_apart && start_anew(part, err) != 0)
            return -1;
        bool again;
        lens_http_answer answer;
        lens_http_request request = {.url = download->url,
                                     .token = download->token,
                                     .from = part->done,
                                     .if_etag = part->etag[0] == '"' ? part->etag : NULL,
                                     .allow_private = true,
                                     .begin = part_begin,
                                     .body = part_body,
                                     .go_on = part_go_on,
                                     .context = part};
        int result = lens_http(&request, &answer, &again, err);
        if (result == 0 && (answer.status == 200 || answer.status == 206)) {
            if (part->total == LENS_SIZE_UNKNOWN || part->done == part->total)
                return 0;
            result = lens_fail(err, LENS_E_SYSTEM, "%s: the server sent %llu of %llu bytes", download->what, (unsigned long long)part->done,
                               (unsigned long long)part->total);
            again = true;
        } else if (result == 0 && answer.status == 416) {
            /* It has become shorter than what we hold, or we hold all of it and were not told so. */
            result = lens_fail(err, LENS_E_SYSTEM, "%s: the server has no such part of it", download->what);
            again = part->done > 0;
            if (start_anew(part, err) != 0)
                return -1;
        } else if (result == 0) {
            lens_http_refused(&answer, download->what, download->token != NULL, err);
            if (!may_change(answer.status))
                return -1;
            again = true;
            result = -1;
        }
        if (!again || part->wrong)
            return -1;
        if (part->done > most) {
            tries = part->done - most >= ENOUGH ? 0 : tries;
            most = part->done;
        }
        lens_error why = *err;
        if (!wait_for(download, ++tries, answer.retry_after, why.message))
            return keeps_going(download, part->done, part->total) ? -1 : lens_fail(err, LENS_E_CANCELLED, "%s: stopped", download->what);
    }
    return 0;
}

/* Holds the filled part against what was expected. SHA256 gets its digits. */
static int check(struct part *part, char *sha256, lens_error *err)
{
    const lens_download *download = part->download;
    snprintf(sha256, LENS_SHA256_DIGITS + 1, "%s", lens_checksum_digits(part->sha256));
    const char *expected = download->expected ? download->expected : "", *got = sha256, *kind = "SHA-256";
    lens_checksum *git = NULL;
    int result = 0;
    if (strlen(expected) == LENS_SHA1_DIGITS) {
        kind = "git checksum";
        git = lens_checksum_git(part->done, err);
        result = git ? lens_checksum_add_file(git, part->fd, part->done, part->path, err) : -1;
        got = result == 0 ? lens_checksum_digits(git) : "";
    }
    if (result == 0 && *expected && strcmp(expected, got) != 0) {
        part->wrong = true;
        result = lens_fail(err, LENS_E_FORMAT, "%s: its %s is %s, not %s: not the file that was published", download->what, kind, got, expected);
    }
    lens_checksum_free(git);
    return result;
}

static int fill_and_check(struct part *part, char *sha256, lens_error *err)
{
    return fill(part, err) == 0 ? check(part, sha256, err) : -1;
}

/* Whether PATH is there with the checksum expected: left by a run that was cut later. */
static bool is_there(const lens_download *download, char *sha256)
{
    int fd = open(download->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat info;
    lens_error ignored;
    struct part part = {.download = download, .path = (char *)download->path, .fd = fd};
    bool right = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && download->expected && *download->expected;
    if (right) {
        part.done = (uint64_t)info.st_size;
        part.sha256 = lens_checksum_sha256(&ignored);
        right = part.sha256 && lens_checksum_add_file(part.sha256, fd, part.done, part.path, &ignored) == 0 &&
                check(&part, sha256, &ignored) == 0;
        lens_checksum_free(part.sha256);
    }
    if (fd >= 0)
        close(fd);
    return right;
}

int lens_download_file(const lens_download *download, char *sha256, lens_error *err)
{
    lens_error own;
    if (!err)
        err = &own; /* the reasons of a try are told even when no one asked for the last one */
    if (is_there(download, sha256))
        return 0;
    lens_buffer path = {0}, about = {0};
    int result = -1;
    struct part part = {.download = download, .fd = -1, .total = download->size};
    if (lens_buffer_print(&path, "%s.part", download->path) != 0 || lens_buffer_print(&about, "%s.part.of", download->path) != 0) {
        lens_fail_memory_for(err, download->what);
    } else {
        part.path = path.data;
        part.about = about.data;
        result = open_part(&part, err);
    }
    const bool goes_on = result == 0 && part.done > 0;
    if (result == 0)
        result = fill_and_check(&part, sha256, err);
    /* A power cut may have left holes in what an earlier run brought: it is not the server's fault before all has come from there. */
    if (result != 0 && part.wrong && goes_on && start_anew(&part, err) == 0) {
        part.wrong = false;
        result = fill_and_check(&part, sha256, err);
    }
    if (result == 0 && fsync(part.fd) != 0)
        result = lens_fail_errno(err, errno, "%s: cannot be written", part.path);
    if (part.fd >= 0 && close(part.fd) != 0 && result == 0)
        result = lens_fail_errno(err, errno, "%s: cannot be written", part.path);
    if (result == 0 && rename(part.path, download->path) != 0)
        result = lens_fail_errno(err, errno, "%s: cannot be put in place", download->path);
    if (part.path && (result == 0 || part.wrong || (part.fd >= 0 && part.done == 0))) {
        unlink(part.path);
        unlink(part.about);
    }
    lens_checksum_free(part.sha256);
    lens_buffer_free(&path);
    lens_buffer_free(&about);
    return result;
}
