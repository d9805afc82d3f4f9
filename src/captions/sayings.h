/* What a picture's metadata says, collected from all the places that say the same thing. */
#ifndef LENS_CAPTIONS_SAYINGS_H
#define LENS_CAPTIONS_SAYINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/hash.h"

/* Start with {0}; free with lens_sayings_free. */
typedef struct lens_sayings {
    lens_buffer texts; /* a line each */
    lens_buffer words; /* keywords, with ", " between */
    bool left_out;     /* something was too long */
    bool refused;      /* XMP that asks for more than any picture's takes */
    size_t looked;     /* by lens_sayings_afford */
    lens_hash *seen;   /* [room], where used [room] */
    bool *used;
    size_t count, room;
} lens_sayings;

typedef enum lens_saying { LENS_SAYING_TEXT, LENS_SAYING_WORD } lens_saying;

/* Adds TEXT [size] unless it is there already, is nothing, is binary, or is on the list of what cameras and programs write by themselves. Not UTF-8:
 * taken for Windows-1252. 0, or -1 when memory is short. */
int lens_sayings_add(lens_sayings *sayings, lens_saying kind, const void *text, size_t size);

/* The same for each part between the separators C. */
int lens_sayings_add_parts(lens_sayings *sayings, lens_saying kind, const char *text, size_t size, char c);

/* Whether SIZE bytes more may be looked at: values of a TIFF may lie over each other, and what is packed grows, so that a small file could be hours of work.
 * False when that is more in all than any picture says; something is left out then. */
bool lens_sayings_afford(lens_sayings *sayings, size_t size);

/* Appends all of it to OUT: the texts, then the words in one line. 0 or -1. */
int lens_sayings_write(const lens_sayings *sayings, lens_buffer *out);

void lens_sayings_free(lens_sayings *sayings);

/* ---- where they are, each 0 or -1 when memory is short; what makes no sense is passed by ------------------------------ */

/* XMP: titles, descriptions, alternative texts, headlines and keywords, in all languages. 0 too for what is no XML, or is refused; *WELL (may be NULL): it is all there. */
int lens_captions_xmp(const void *bytes, size_t size, lens_sayings *sayings, bool *well);

/* IPTC's Information Interchange Model: 2:05, 2:25, 2:105 and 2:120; and the resources of Photoshop, which hold it. */
int lens_captions_iim(const unsigned char *bytes, size_t size, lens_sayings *sayings);
int lens_captions_photoshop(const unsigned char *bytes, size_t size, lens_sayings *sayings);

/* A block of TIFF, which EXIF is: ImageDescription, UserComment, what Windows writes (XPTitle, XPComment, XPKeywords, XPSubject), and, in a TIFF
 * file, XMP and IPTC. */
int lens_captions_tiff(const unsigned char *bytes, size_t size, lens_sayings *sayings);

#endif
