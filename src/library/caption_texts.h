/* Captions on their way into the library: all that one source says about a picture becomes the lines of one text. */
#ifndef LENS_LIBRARY_CAPTION_TEXTS_H
#define LENS_LIBRARY_CAPTION_TEXTS_H

#include "base/buffer.h"
#include "base/hash.h"
#include "base/id_map.h"
#include "store/texts.h"

enum { LENS_CAPTION_LINES_MOST = 1000 }; /* of one text; its bytes are LENS_CAPTION_MOST at most. A first caption is taken as it is. */

/* What is said about one picture, or about several of which just the same is said, as copies of one are. */
typedef struct lens_caption_group {
    lens_buffer text;
    char *folded;
    size_t lines, left_out; /* captions for which there was no room */
    size_t pictures;
    lens_hash *seen; /* [room], those of zeros are free: the captions and lines of TEXT, once it has two captions */
    size_t count, room;
    size_t asked, next; /* while a caption is added: how many of PICTURES it is of, and the group behind this one */
} lens_caption_group;

/* Starts with {0}. No more of what is said is kept than the texts take in the end. */
typedef struct lens_caption_texts {
    lens_caption_group *groups;
    size_t group_count, capacity;
    lens_id_map group_of; /* a picture */
    lens_store_caption *items; /* in order of picture, pointing into the groups */
    size_t count;
} lens_caption_texts;

/* Adds TEXT to what is said about each of the COUNT PICTURES, which are all different, unless it is there. 0, or -1 when memory is short: free TEXTS then. */
int lens_caption_texts_add(lens_caption_texts *texts, const int64_t *pictures, size_t count, const char *text);

/* Makes the items, which are to be made once. LEFT_OUT is called for a picture with the number of captions for which there was no room. 0, or -1 when memory
 * is short. */
int lens_caption_texts_make(lens_caption_texts *texts, void (*left_out)(void *context, int64_t picture, size_t count), void *context);

/* TEXTS is {0} again. */
void lens_caption_texts_free(lens_caption_texts *texts);

#endif
