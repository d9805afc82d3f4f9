/* One process that decodes, as the program that started it sees it. It is nothing that is trusted: whatever it says is held against what may be. */
#ifndef LENS_PIXELS_HELPER_H
#define LENS_PIXELS_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "pixels/decode.h"

/* What a helper can do, and so what it may: libvips is loaded before all files are out of reach, and fonts, which only drawings need, are read later. */
typedef enum lens_helper_kind {
    LENS_HELPER_PLAIN, /* JPEG by TurboJPEG, and what we read by hand alone, unlike icons: no file, no thread */
    LENS_HELPER_VIPS,  /* all but SVG: no file */
    LENS_HELPER_SVG,   /* may read the system's fonts and their settings */
    LENS_HELPER_KINDS
} lens_helper_kind;

typedef enum lens_helper_outcome {
    LENS_HELPER_DONE,   /* OUT is the picture */
    LENS_HELPER_FAILED, /* ERR says why this is no picture; the helper can go on */
    LENS_HELPER_DIED,   /* ERR says of what; it is reaped, and only good for lens_helper_end */
    LENS_HELPER_HUNG,   /* likewise: it was ended */
} lens_helper_outcome;

typedef struct lens_helper lens_helper;

/* Starts this program (/proc/self/exe) once more with the words that lens_helper_was reads, which main has to look for first of all. MAX_PIXELS bounds
 * the memory that it may use. NULL on failure: LENS_E_UNSUPPORTED when this machine cannot do that at all, else it may be tried again later. */
lens_helper *lens_helper_start(lens_helper_kind kind, uint64_t max_pixels, lens_error *err);

/* Ends and reaps the process. HELPER may be NULL. */
void lens_helper_end(lens_helper *helper);

/* After a fork, in the child: closes what is ours, and leaves the process to the parent. */
void lens_helper_forget(lens_helper *helper);

/* Gives it a copy of the SIZE bytes of a file to decode. What went wrong is told by lens_helper_hear, which has to follow. */
void lens_helper_ask(lens_helper *helper, const void *bytes, size_t size, const lens_decode_limits *limits);

/* Processor time of the process so far, seconds. */
double lens_helper_spent(const lens_helper *helper);

/* Whether it has more threads than any decoder begins, as one that was taken over may, for which processes of the same user then find no room. */
bool lens_helper_crowded(const lens_helper *helper);

/* Waits for what it was asked for; OUT and ERR are as those of lens_decode. SECONDS: of processor time, or of rest without any, after which the process is taken
 * for hung. */
lens_helper_outcome lens_helper_hear(lens_helper *helper, double seconds, lens_image *out, lens_error *err);

/* Gives back the memory that it shares with this program, which holds its last picture. */
void lens_helper_rest(lens_helper *helper);

/* The most pixels that it was started for. */
uint64_t lens_helper_max_pixels(const lens_helper *helper);

/* After a fork, in the child: the pipe that ends the parent's helpers is the parent's alone, and so are the turns of its large pictures. */
void lens_helper_forget_lifeline(void);

#endif
