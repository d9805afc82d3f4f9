/* One file over HTTP, whole or not at all: what a broken connection left is kept in PATH.part and continued, by this run or the next. */
#ifndef LENS_NET_DOWNLOAD_H
#define LENS_NET_DOWNLOAD_H

#include "base/buffer.h"
#include "net/checksum.h"
#include "net/http.h"

typedef struct lens_download {
    const char *url, *token; /* as in lens_http_request */
    const char *path;        /* where it goes */
    const char *what;        /* names it in messages: "model.safetensors of openai/clip-vit-base-patch32" */
    uint64_t size;           /* that it must have, or LENS_SIZE_UNKNOWN */
    uint64_t limit;          /* more than this is refused */
    const char *expected;    /* its SHA-256 (64 digits) or git's name for it (40); NULL or "": not known */

    /* Told how far it is (TOTAL may be LENS_SIZE_UNKNOWN; DONE 0 with it: no news), some times a second and about once a second while nothing
     * comes. False stops it: LENS_E_CANCELLED, and the part stays. May be NULL. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    /* Told in words why it waits and tries again. May be NULL. */
    void (*note)(void *context, const char *words);
    void *context;
} lens_download;

/* 0 when PATH is the whole file, synced, with the size and the checksum that were asked for; SHA256 [65] then has its digits. A file that is
 * at PATH already and right by its checksum is left alone. -1: PATH is not there; PATH.part is, unless its bytes were wrong. */
int lens_download_file(const lens_download *download, char *sha256, lens_error *err);

/* A small answer into memory: the body of URL, at most LIMIT bytes, with the same patience. WHAT as above. */
int lens_download_bytes(const lens_download *download, lens_buffer *out, lens_error *err);

/* Says in one line what an answer that is not 200 or 206 means. Always -1; LENS_E_MISSING for 404. */
int lens_http_refused(const lens_http_answer *answer, const char *what, bool with_token, lens_error *err);

/* lens_http with HEAD, and the same patience: 0 whatever the status is, but for those that waiting may change. */
int lens_download_head(const lens_download *download, lens_http_answer *answer, lens_error *err);

#endif
