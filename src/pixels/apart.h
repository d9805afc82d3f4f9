/* Decoding in processes of their own, so that a fault in a decoder is the end of one picture and not of the program. lens_decode goes this way by itself once
 * lens_apart_begin was called; the processes are started as they are needed, one for each thread that decodes at the same time, and kept. */
#ifndef LENS_PIXELS_APART_H
#define LENS_PIXELS_APART_H

#include <stdbool.h>
#include <stddef.h>

#include "pixels/decode.h"

/* SECONDS that a picture may take of a processor's time, of 100 megapixels or fewer: LENS_APART_SECONDS. Before there are threads, in a program whose main
 * calls lens_helper_was. */
enum { LENS_APART_SECONDS = 60 };
void lens_apart_begin(double seconds);

/* Whether pictures are decoded apart. */
bool lens_apart(void);

/* The three of lens_decoding, for bytes of a known format. Hearing gives 1 where no process can be started at all; lens_apart is false from then on. */
void lens_apart_ask(lens_decoding *self);
int lens_apart_hear(lens_decoding *self, lens_image *out, lens_error *err);
void lens_apart_drop(lens_decoding *self);

/* Starts a process that a picture of FORMAT will need soon (LENS_FORMAT_NONE: none), if none is at rest. */
void lens_apart_expect(lens_format format);

/* Has those with nothing to do give back what they keep for the next picture: for the end of a run, behind which a server goes on. */
void lens_apart_rest(void);

/* Ends those that have nothing to do and work all the same: for a server, now and then. */
void lens_apart_look(void);

/* Ends the processes that have nothing to do: for a process whose own end may be held up, which they would wait for. */
void lens_apart_end(void);

/* Why pictures are not decoded as far apart as they should be: in no process of their own, or without seccomp. NULL when they are. Static. */
const char *lens_apart_lacks(void);

#endif
