/* Captions on their way into the library: all that one source says about a picture becomes the lines of one text. */
#ifndef LENS_LIBRARY_CAPTION_TEXTS_H
#define LENS_LIBRARY_CAPTION_TEXTS_H

#include "base/buffer.h"
#include "store/texts.h"

enum { LENS_CAPTION_LINES_MOST = 1000 }; /* of one text; its bytes are LENS_CAPTION_MOST at most. A first caption is taken as it is. */

typedef struct lens_said {
    int64_t picture;
    size_t order;
    char *text;
} lens_said;

typedef struct lens_caption_texts {
    lens_store_caption *items; /* in order of picture */
    size_t count;
    lens_buffer *texts; /* [count], which the items point to */
} lens_caption_texts;

/* Sorts the COUNT of SAID and makes a text of what is said about each picture, in order, nothing twice. LEFT_OUT is called for a picture with the number
 * of captions for which there was no room. 0, or -1 when memory is short; free OUT either way. */
int lens_caption_texts_make(lens_said *said, size_t count, lens_caption_texts *out, void (*left_out)(void *context, int64_t picture, size_t count),
                            void *context);
void lens_caption_texts_free(lens_caption_texts *texts);

#endif
