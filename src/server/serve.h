/* memelens over HTTP: one warm engine for everyone in the house. docs/SERVER.md tells how it is used. */
#ifndef LENS_SERVER_SERVE_H
#define LENS_SERVER_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memelens_error.h"

typedef struct lens_serve_names {
    const char *const *items;
    size_t count;
} lens_serve_names;

typedef struct lens_serve_options {
    const char *library;    /* NULL: the default one */
    const char *listen;     /* "127.0.0.1:8080", "localhost:0"; ":8080", everywhere */
    const char *token_file; /* whose first word whoever asks has to know; NULL: none, which is refused beyond this machine unless... */
    bool no_auth;           /* ...this is set */
    lens_serve_names hosts;       /* names that a Host header may have, besides addresses, localhost and this machine's own name */
    lens_serve_names origins;     /* "https://page.example": pages elsewhere that may ask */
    lens_serve_names paths;       /* folders below which a request may name files */
    bool allow_urls;        /* pictures are fetched from public addresses */
    bool show_paths;        /* paths of this machine are told though it listens beyond it, or goes by HOSTS */
    bool watch;             /* the library's folders are watched, and what is new in them is indexed */
    bool ocr;               /* what is written in pictures is read, of those that are there and those that come */
    const char *ocr_languages; /* "eng", "eng+deu"; NULL: as in lens_read_options */
    uint64_t max_upload;    /* bytes of one picture */
    uint64_t max_pixels;    /* of one picture that is sent, and of one of the library where that is more than an index run takes by itself */
    double patience;        /* seconds that a connection may sit idle or take over a request */

    void (*say)(void *context, const char *line); /* what a person should know: where it listens, what went wrong */
    bool (*go_on)(void *context);                 /* asked a few times a second; false ends it */
    void *context;
} lens_serve_options;

lens_serve_options lens_serve_options_default(void);

/* Serves until GO_ON says false; then what is in flight is finished. SIGPIPE is ignored from then on. 0 or -1. */
int lens_serve(const lens_serve_options *options, lens_error *err);

#endif
