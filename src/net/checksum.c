/* GLib's, as libvips brings GLib along anyway: 380 MB/s on one core, and so faster than most networks. Opened at the first need. */
#include "net/checksum.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/dynamic.h"

#define FUNCTIONS(X) X(g_checksum_new) X(g_checksum_update) X(g_checksum_get_string) X(g_checksum_free)

static struct {
    FUNCTIONS(LENS_DYNAMIC_SLOT)
} lib;
static const lens_dynamic_symbol symbols[] = {FUNCTIONS(LENS_DYNAMIC_SYMBOL)};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char cannot_open[256];

static void open_library(void)
{
    lens_dynamic_open("libglib-2.0.so.0", symbols, sizeof symbols / sizeof *symbols, cannot_open, sizeof cannot_open);
}

static lens_checksum *new_of(GChecksumType type, lens_error *err)
{
    pthread_once(&once, open_library);
    if (cannot_open[0]) {
        lens_fail(err, LENS_E_MISSING, "GLib (package libglib2.0-0) is needed to check a download and cannot be used: %s", cannot_open);
        return NULL;
    }
    return (lens_checksum *)lib.g_checksum_new(type);
}

lens_checksum *lens_checksum_sha256(lens_error *err)
{
    return new_of(G_CHECKSUM_SHA256, err);
}

lens_checksum *lens_checksum_git(uint64_t size, lens_error *err)
{
    lens_checksum *checksum = new_of(G_CHECKSUM_SHA1, err);
    char head[32];
    int length = snprintf(head, sizeof head, "blob %llu", (unsigned long long)size);
    if (checksum)
        lens_checksum_add(checksum, head, (size_t)length + 1);
    return checksum;
}

void lens_checksum_add(lens_checksum *checksum, const void *bytes, size_t size)
{
    lib.g_checksum_update((GChecksum *)checksum, bytes, (gssize)size);
}

const char *lens_checksum_digits(lens_checksum *checksum)
{
    return lib.g_checksum_get_string((GChecksum *)checksum);
}

void lens_checksum_free(lens_checksum *checksum)
{
    if (checksum)
        lib.g_checksum_free((GChecksum *)checksum);
}

int lens_checksum_add_file(lens_checksum *checksum, int fd, uint64_t size, const char *path, lens_error *err)
{
    static const size_t piece = 1 << 16;
    char bytes[1 << 16];
    for (uint64_t at = 0; at < size;) {
        size_t want = size - at < piece ? (size_t)(size - at) : piece;
        ssize_t got = pread(fd, bytes, want, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lens_fail_errno(err, errno, "%s: cannot be read", path);
        if (got == 0)
            return lens_fail(err, LENS_E_SYSTEM, "%s: became shorter while it was read", path);
        lens_checksum_add(checksum, bytes, (size_t)got);
        at += (uint64_t)got;
    }
    return 0;
}
