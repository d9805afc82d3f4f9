/* Captions that others wrote: in a table or JSON that names pictures, in a file beside a picture, or in the picture's own bytes. Nothing here looks
 * for the pictures: it yields names and texts. */
#ifndef LENS_CAPTIONS_H
#define LENS_CAPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    LENS_CAPTION_MOST = 1 << 20,       /* bytes of one text; a longer one is left out */
    LENS_CAPTION_NAME_MOST = 4096,     /* bytes of what JSON calls a picture, or a template: many captions may go with one */
    LENS_CAPTION_FILE_MOST = 1 << 30,  /* bytes of a file of captions */
    LENS_CAPTION_SIDE_MOST = 16 << 20, /* bytes of a file beside a picture */
};

typedef struct lens_caption_visitor {
    /* A caption. NAME is what the file calls the picture: a path relative to the file of captions, an absolute one, a bare file name, or an address
     * whose last part is the file's name; UTF-8 too. TEXT is UTF-8 without NUL and without blanks around it, at most LENS_CAPTION_MOST bytes and at
     * least one; it may have several lines. Both live during the call. Other than 0 ends the reading, which returns it. */
    int (*each)(void *context, const char *name, const char *text);
    /* What was left out, and why: "captions.tsv: line 12: …". There may be as many of them as rows. One line, but for the path fit for a terminal. Other
     * than 0 ends the reading, as of `each`. May be NULL. */
    int (*problem)(void *context, const char *line);
    void *context;
} lens_caption_visitor;

typedef struct lens_caption_options {
    /* The columns, or members of JSON objects, to take; a number counts columns from 1. NULL: guessed by the names, else by what is in them. Where
     * several hold text, each gives a caption. */
    const char *file_column, *text_column;
} lens_caption_options;

/* Reads the captions of the file PATH, whatever it is called:
 *  - a table with tabs, commas (RFC 4180), semicolons or bars between its columns, with or without a row that names them; "dog.jpg#0" is dog.jpg;
 *  - JSON: objects that have a picture and a text, in an array, one a line or nested in other objects; {"dog.jpg": "text" or ["text", …]}; COCO
 *    ("images" and "annotations"); templates ("name") with "generated_memes", whose captions become "NAME - caption".
 * UTF-8, UTF-16, or else Windows-1252. OPTIONS may be NULL. 0, what `each` or `problem` returned, or -1: no such file, or nothing in it that can be understood. */
int lens_captions_read(const char *path, const lens_caption_options *options, const lens_caption_visitor *visitor, lens_error *err);

typedef enum lens_caption_format { LENS_CAPTIONS_ANY, LENS_CAPTIONS_TABLE, LENS_CAPTIONS_JSON } lens_caption_format;

/* The same for the SIZE bytes, called NAME in messages. */
int lens_captions_parse(const void *bytes, size_t size, lens_caption_format format, const char *name, const lens_caption_options *options,
                        const lens_caption_visitor *visitor, lens_error *err);

/* Calls `each` with all that the file FILE says about PICTURE, which it lies beside, and its path for NAME: if it is called dog.jpg.txt, dog.txt,
 * dog.jpg.json, dog.json, dog.jpg.xmp, dog.xmp, or as Google Takeout calls its JSON; .TXT, .JSON and .XMP too. Nothing of one that is called otherwise. 0, what
 * `each` or `problem` returned, or -1: LENS_E_LIMIT for more than LENS_CAPTION_SIDE_MOST bytes, LENS_E_FORMAT for XMP that is made to take memory or time, and whatever
 * keeps it from being read. */
int lens_captions_beside(const char *file, const char *picture, const lens_caption_visitor *visitor, lens_error *err);

/* Whether the name of PATH may be that of such a file. */
bool lens_captions_is_sidecar(const char *path);

/* The picture that Google Takeout means by FILE, a path, where that is not called as the picture is with more behind it: appended to PICTURE as a path,
 * "a/dog(1).jpg" for "a/dog.jpg(1).json"; *BEGINS: only as much of it as Takeout leaves of a long name. 1; 0 where FILE is called otherwise; -1 when memory is
 * short. */
int lens_captions_takeout_picture(const char *file, lens_buffer *picture, bool *begins);

/* Appends what the SIZE bytes of a picture say about it to OUT: titles, descriptions and comments, a line each, then keywords in one line, each once,
 * from XMP, IPTC, EXIF and the texts of PNG; of formats other than JPEG, PNG, WebP and TIFF only from XMP. What cameras and programs write without
 * being asked (the list in sayings.c) is left out. Nothing is appended when there is nothing, or nothing sensible: a picture is not refused for its
 * metadata. *LEFT_OUT (may be NULL): a text was too long, or there was more to look at than
 * any picture has to say. 0, or -1 when memory is short. */
int lens_captions_embedded(const void *bytes, size_t size, lens_buffer *out, bool *left_out);

#endif
