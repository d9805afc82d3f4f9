#include "captions/sayings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encoding.h"
#include "base/text.h"
#include "captions/captions.h"

enum { LOOKED_MOST = 64 << 20 };

/* What cameras and programs write without being asked. A star at the end: whatever follows. */
static const char *const defaults[] = {
    "OLYMPUS DIGITAL CAMERA", "SONY DSC", "KONICA MINOLTA DIGITAL CAMERA", "MINOLTA DIGITAL CAMERA", "Minolta DSC", "SAMSUNG DIGITAL CAMERA",
    "SAMSUNG", "DIGITAL CAMERA", "MEDION DIGITAL CAMERA", "KODAK Digital Still Camera", "Camera Phone", "Exif_JPEG_PICTURE", "Exif_JPEG_422",
        "EXIF_JPEG_T422",
    "Exif JPEG", "JPEG-Bild", "DCIM\\*", "Created with GIMP*", "Created with The GIMP*", "Created with Inkscape*", "Created with ImageMagick*",
    "File written by Adobe Photoshop*", "CREATOR: gd-jpeg*", "LEAD Technologies*", "Optimized by JPEGmini*", "Processed with *", "Lavc*", "AppleMark",
    "Software: *", "ASCII", "charset=*", "untitled", "default",
};

static bool is_default(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        const size_t length = strlen(defaults[i]);
        const bool open = defaults[i][length - 1] == '*';
        if ((open ? size >= length - 1 : size == length) && strncasecmp(text, defaults[i], length - open) == 0)
            return true;
    }
    return false;
}

static bool is_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 && !memchr("\t\n\r", text[i], 3))
            return false;
    return true;
}

/* Puts HASH into the set: 1 when it was not there, 0 when it was, -1 when memory is short. */
static int insert(lens_sayings *sayings, const lens_hash *hash)
{
    if (2 * sayings->count >= sayings->room) {
        lens_sayings larger = {.room = sayings->room ? 2 * sayings->room : 32};
        larger.seen = calloc(larger.room, sizeof *larger.seen);
        larger.used = calloc(larger.room, sizeof *larger.used);
        for (size_t i = 0; larger.seen && larger.used && i < sayings->room; i++)
            if (sayings->used[i])
                insert(&larger, &sayings->seen[i]);
        if (!larger.seen || !larger.used) {
            free(larger.seen);
            free(larger.used);
            return -1;
        }
        free(sayings->seen);
        free(sayings->used);
        sayings->seen = larger.seen;
        sayings->used = larger.used;
        sayings->room = larger.room;
    }
    size_t at;
    memcpy(&at, hash->bytes, sizeof at);
    for (at &= sayings->room - 1; sayings->used[at]; at = (at + 1) & (sayings->room - 1))
        if (memcmp(&sayings->seen[at], hash, sizeof *hash) == 0)
            return 0;
    sayings->used[at] = true;
    sayings->seen[at] = *hash;
    sayings->count++;
    return 1;
}

static int add(lens_sayings *sayings, lens_saying kind, const char *text, size_t size)
{
    if (size == 0 || !is_text(text, size) || is_default(text, size))
        return 0;
    lens_buffer *to = kind == LENS_SAYING_TEXT ? &sayings->texts : &sayings->words;
    if (sayings->texts.size + sayings->words.size + size + 2 > LENS_CAPTION_MOST) {
        sayings->left_out = true;
        return 0;
    }
    const lens_hash hash = lens_hash_of(text, size);
    const int fresh = insert(sayings, &hash);
    if (fresh <= 0)
        return fresh;
    const char *between = kind == LENS_SAYING_TEXT ? "\n" : ", ";
    return (to->size == 0 || lens_buffer_append(to, between, strlen(between)) == 0) && lens_buffer_append(to, text, size) == 0 ? 0 : -1;
}

int lens_sayings_add(lens_sayings *sayings, lens_saying kind, const void *bytes, size_t size)
{
    const char *text = bytes;
    /* Fields of a fixed size end in blanks, or NULs. */
    while (size && memchr(" \t\r\n", *text, 5)) {
        text++;
        size--;
    }
    while (size && memchr(" \t\r\n", text[size - 1], 5))
        size--;
    if (size > LENS_CAPTION_MOST) { /* before it is made larger */
        sayings->left_out = true;
        return 0;
    }
    if (lens_utf8_valid(text, size))
        return add(sayings, kind, text, size);
    lens_buffer converted = {0};
    int result = lens_windows_1252_read(text, size, &converted) == 0 ? add(sayings, kind, converted.data, converted.size) : -1;
    lens_buffer_free(&converted);
    return result;
}

int lens_sayings_add_parts(lens_sayings *sayings, lens_saying kind, const char *text, size_t size, char c)
{
    for (const char *end = text + size;;) {
        const char *stop = memchr(text, c, (size_t)(end - text));
        if (lens_sayings_add(sayings, kind, text, (size_t)((stop ? stop : end) - text)) != 0)
            return -1;
        if (!stop)
            return 0;
        text = stop + 1;
    }
}

bool lens_sayings_afford(lens_sayings *sayings, size_t size)
{
    sayings->looked = size < SIZE_MAX - sayings->looked ? sayings->looked + size : SIZE_MAX;
    sayings->left_out |= sayings->looked > LOOKED_MOST;
    return sayings->looked <= LOOKED_MOST;
}

int lens_sayings_write(const lens_sayings *sayings, lens_buffer *out)
{
    if (lens_buffer_append(out, sayings->texts.data, sayings->texts.size) != 0)
        return -1;
    if (sayings->texts.size && sayings->words.size && lens_buffer_append(out, "\n", 1) != 0)
        return -1;
    return lens_buffer_append(out, sayings->words.data, sayings->words.size);
}

void lens_sayings_free(lens_sayings *sayings)
{
    lens_buffer_free(&sayings->texts);
    lens_buffer_free(&sayings->words);
    free(sayings->seen);
    free(sayings->used);
    *sayings = (lens_sayings){0};
}
