/* What is shared by all that reads captions: one reading, whom it tells, and what columns are called. */
#ifndef LENS_CAPTIONS_READING_H
#define LENS_CAPTIONS_READING_H

#include "captions/captions.h"

typedef struct lens_captions {
    const char *source; /* the file, in messages */
    const lens_caption_options *options;
    const lens_caption_visitor *visitor;
    lens_error *err;
    size_t given, problems;
    int ended; /* what `problem` returned, if it ends the reading */
} lens_captions;

/* Gives TEXT [size], of NAME [name_size], to the visitor, both without the blanks around them; an empty one is passed by, and what the visitor could
 * not take is a problem of LINE. 0, what the visitor returned, or -1. */
int lens_captions_give(lens_captions *self, size_t line, const char *name, size_t name_size, const char *text, size_t size);

/* The same with a name that is taken as it is. */
int lens_captions_give_text(lens_captions *self, size_t line, const char *name, const char *text, size_t size);

/* "SOURCE: line LINE: …", or without the line for 0. Returns ENDED: whoever cannot pass it on leaves it to the next who asks. */
int lens_captions_problem(lens_captions *self, size_t line, const char *format, ...) __attribute__((format(printf, 3, 4)));

int lens_captions_no_memory(lens_captions *self);

/* Turns BYTES into UTF-8: from UTF-16, or, line by line where they are not UTF-8, from Windows-1252, which is a problem. 0 or -1. */
int lens_captions_decode(lens_captions *self, lens_buffer *bytes);

/* TEXT [size] is the reading's own and may be changed, with a byte behind it. */
int lens_captions_read_table(lens_captions *self, char *text, size_t size);
int lens_captions_read_json(lens_captions *self, const char *text, size_t size);

/* Gives the texts among the members of the object TEXT, all for one picture, the source. */
int lens_captions_read_object(lens_captions *self, const char *text, size_t size);

/* How likely the column NAME holds pictures: 0 for most likely, or -1; and whether it holds texts; both by the options where they tell. */
int lens_captions_file_rank(const lens_captions *self, const char *name);
bool lens_captions_is_text(const lens_captions *self, const char *name);
/* Whether the column NAME holds a list of words, which is one text. */
bool lens_captions_is_list(const char *name);

/* Whether NAME [size] ends as a picture's name does, be it with "#0" behind it. */
bool lens_captions_is_picture(const char *name, size_t size);

/* The SIZE bytes at *AT without the blanks around them: *AT is the first of them then. */
size_t lens_captions_trim(const char **at, size_t size);

#endif
