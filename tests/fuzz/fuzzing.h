/* What fuzz targets share: expectations, and a folder of their own. */
#ifndef LENS_TESTS_FUZZING_H
#define LENS_TESTS_FUZZING_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where failures are said: standard error as it was, which libFuzzer closes to what the program says (-close_fd_mask). */
static int fuzz_said = 2;

__attribute__((constructor)) static void fuzz_keep_said(void)
{
    const int kept = fcntl(2, F_DUPFD_CLOEXEC, 3);
    fuzz_said = kept >= 0 ? kept : 2;
}

/* Fails, and says where, unless HOLDS. */
#define expect(holds) ((holds) ? (void)0 : fuzz_unexpected(#holds, __FILE__, __LINE__))

static inline void fuzz_unexpected(const char *what, const char *file, int line)
{
    dprintf(fuzz_said, "%s:%d: expected %s\n", file, line, what);
    abort();
}

/* What must have worked: else its reason is said. */
static inline void expect_done(bool done, const lens_error *err)
{
    if (done)
        return;
    dprintf(fuzz_said, "%s\n", err->message);
    abort();
}

/* A failure has a code and words. */
static inline void expect_words(const lens_error *err)
{
    expect(err->code != LENS_E_NONE && err->message[0]);
}

static char fuzz_place[256];

static inline void fuzz_folder_remove(void)
{
    lens_folder_remove(fuzz_place, NULL);
}

/* The same new folder at each call, below $TMPDIR or /tmp, removed at the end. */
static inline const char *fuzz_folder(void)
{
    if (fuzz_place[0])
        return fuzz_place;
    const char *temporary = getenv("TMPDIR");
    snprintf(fuzz_place, sizeof fuzz_place, "%s/memelens-fuzz-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    expect(mkdtemp(fuzz_place) != NULL);
    atexit(fuzz_folder_remove);
    return fuzz_place;
}

static inline void fuzz_put(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    expect(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* Takes up to SIZE bytes from the front of what is left of an input; those that are missing are 0. */
typedef struct fuzz_rest {
    const uint8_t *data;
    size_t size;
} fuzz_rest;

static inline uint32_t fuzz_number(fuzz_rest *rest, int bytes)
{
    uint32_t value = 0;
    for (; bytes > 0; bytes--) {
        value = value << 8 | (rest->size ? *rest->data : 0);
        rest->data += rest->size > 0;
        rest->size -= rest->size > 0;
    }
    return value;
}

/* The next part of what is left, up to END or to its end. */
static inline fuzz_rest fuzz_part(fuzz_rest *rest, uint8_t end)
{
    const uint8_t *found = rest->size ? memchr(rest->data, end, rest->size) : NULL;
    const fuzz_rest part = {rest->data, found ? (size_t)(found - rest->data) : rest->size};
    const size_t taken = part.size + (found != NULL);
    rest->data = taken ? rest->data + taken : rest->data;
    rest->size -= taken;
    return part;
}

/* A copy with a NUL behind it, as large as it must be. The caller frees. */
static inline char *fuzz_text(fuzz_rest part)
{
    char *text = malloc(part.size + 1);
    expect(text != NULL);
    if (part.size)
        memcpy(text, part.data, part.size);
    text[part.size] = '\0';
    return text;
}

#endif
