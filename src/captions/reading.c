#include "captions/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encoding.h"
#include "base/text.h"
#include "pixels/sniff.h"

int lens_captions_problem(lens_captions *self, size_t line, const char *format, ...)
{
    self->problems++;
    if (!self->visitor->problem || self->ended)
        return self->ended;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lens_buffer all = {0};
    int done = line ? lens_buffer_print(&all, "%s: line %zu: ", self->source, line) : lens_buffer_print(&all, "%s: ", self->source);
    /* What is quoted from the file can be anything. */
    if (done == 0 && lens_text_printable(text, strlen(text), &all) == 0)
        self->ended = self->visitor->problem(self->visitor->context, all.data);
    lens_buffer_free(&all);
    return self->ended;
}

int lens_captions_no_memory(lens_captions *self)
{
    return lens_fail_memory_for(self->err, self->source);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

size_t lens_captions_trim(const char **at, size_t size)
{
    while (size && is_blank(**at)) {
        ++*at;
        size--;
    }
    while (size && is_blank((*at)[size - 1]))
        size--;
    return size;
}

int lens_captions_give_text(lens_captions *self, size_t line, const char *name, const char *text, size_t size)
{
    size = lens_captions_trim(&text, size);
    if (size == 0)
        return 0;
    if (size > LENS_CAPTION_MOST || memchr(text, '\0', size))
        return lens_captions_problem(self, line, "%s; left out", size > LENS_CAPTION_MOST ? "a caption of more than 1 MiB" : "a NUL byte");
    char *words = strndup(text, size);
    const int result = words ? self->visitor->each(self->visitor->context, name, words) : lens_captions_no_memory(self);
    self->given++;
    free(words);
    return result;
}

static bool names_picture(const char *name, size_t size)
{
    const char *query = size > 8 && memchr(name, ':', size) ? memchr(name, '?', size) : NULL; /* of an address */
    return lens_named_as_picture_sized(name, query ? (size_t)(query - name) : size);
}

/* The size of NAME [size] without what may follow a picture's name, once: "#0". */
static size_t size_without_number(const char *name, size_t size)
{
    size_t end = size;
    while (end && name[end - 1] >= '0' && name[end - 1] <= '9')
        end--;
    return end && end < size && name[end - 1] == '#' && names_picture(name, end - 1) ? end - 1 : size;
}

int lens_captions_give(lens_captions *self, size_t line, const char *name, size_t name_size, const char *text, size_t size)
{
    size = lens_captions_trim(&text, size);
    if (size == 0)
        return 0;
    name_size = lens_captions_trim(&name, name_size);
    name_size = size_without_number(name, name_size);
    if (name_size == 0 || memchr(name, '\0', name_size))
        return lens_captions_problem(self, line, "%s; left out", name_size ? "a NUL byte" : "a caption that names no picture");
    char *copy = strndup(name, name_size);
    const int result = copy ? lens_captions_give_text(self, line, copy, text, size) : lens_captions_no_memory(self);
    free(copy);
    return result;
}

/* ---- encodings --------------------------------------------------------------------------------------------------- */

/* Whether BYTES are UTF-16, and how they begin: a mark, or two characters of ASCII without one. */
static bool is_utf16(const unsigned char *at, size_t size, bool *big_endian)
{
    if (size >= 2 && ((at[0] == 0xff && at[1] == 0xfe) || (at[0] == 0xfe && at[1] == 0xff))) {
        *big_endian = at[0] == 0xfe;
        return true;
    }
    *big_endian = size >= 4 && at[0] == 0 && at[1] && at[2] == 0 && at[3];
    return *big_endian || (size >= 4 && at[0] && at[1] == 0 && at[2] && at[3] == 0);
}

/* BYTES, which are not UTF-8, into OUT: by lines, as one that is broken, or was put in from elsewhere, says nothing of the others. */
static int read_windows_1252(lens_captions *self, const lens_buffer *bytes, lens_buffer *out)
{
    const char *at = bytes->data, *end = at + bytes->size;
    size_t broken = 0, accents = 0; /* lines that are no UTF-8, and that are, with more than ASCII in them */
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        const size_t size = (size_t)((feed ? feed + 1 : end) - at), before = out->size;
        const bool utf8 = lens_utf8_valid(at, size);
        if ((utf8 ? lens_buffer_append(out, at, size) : lens_windows_1252_read(at, size, out)) != 0)
            return -1;
        broken += !utf8;
        for (size_t i = before; utf8 && i < out->size; i++)
            if (out->data[i] & 0x80) {
                accents++;
                break;
            }
        at += size;
    }
    if (accents)
        lens_captions_problem(self, 0, "%zu of its lines %s not UTF-8; read as Windows-1252", broken, broken == 1 ? "is" : "are");
    else
        lens_captions_problem(self, 0, "not UTF-8; read as Windows-1252");
    return 0;
}

int lens_captions_decode(lens_captions *self, lens_buffer *bytes)
{
    lens_buffer text = {0};
    bool big_endian, broken = false;
    int done = 0;
    const bool utf8 = lens_utf8_valid(bytes->data ? bytes->data : "", bytes->size);
    if (is_utf16((const unsigned char *)bytes->data, bytes->size, &big_endian)) {
        done = lens_utf16_read(bytes->data, bytes->size, big_endian, &text, &broken);
        if (broken)
            lens_captions_problem(self, 0, "broken UTF-16; what makes no sense became U+FFFD");
    } else if (!utf8) {
        done = read_windows_1252(self, bytes, &text);
    } else {
        text = *bytes;
        *bytes = (lens_buffer){0};
    }
    if (done != 0) {
        lens_buffer_free(&text);
        return lens_captions_no_memory(self);
    }
    lens_buffer_free(bytes);
    *bytes = text;
    if (bytes->size >= 3 && memcmp(bytes->data, "\xef\xbb\xbf", 3) == 0) {
        bytes->size -= 3;
        memmove(bytes->data, bytes->data + 3, bytes->size + 1);
    }
    return 0;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* NAME in lower case without what is neither letter nor digit, as the lists below have it: "Image URL" is "imageurl". */
static void plain_name(const char *name, char out[64])
{
    size_t size = 0;
    for (; *name && size < 63; name++) {
        const char c = lens_ascii_lower(*name);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c & 0x80)
            out[size++] = c;
    }
    out[size] = '\0';
}

static int find(const char *const *list, const char *name)
{
    char plain[64];
    plain_name(name, plain);
    for (int i = 0; list[i]; i++)
        if (strcmp(list[i], plain) == 0)
            return i;
    return -1;
}

int lens_captions_file_rank(const lens_captions *self, const char *name)
{
    static const char *const names[] = {"file", "filename", "filepath", "path", "image", "imagename", "imagefile", "imagepath",
                                        "imagefilename", "picture", "photo", "img", "imageurl", "pictureurl", "photourl", "imgurl", "url", "name",
                                            "key", NULL};
    if (self->options && self->options->file_column)
        return strcmp(self->options->file_column, name) == 0 ? 0 : -1;
    return find(names, name);
}

bool lens_captions_is_list(const char *name)
{
    static const char *const names[] = {"tags", "keywords", NULL};
    return find(names, name) >= 0;
}

bool lens_captions_is_text(const lens_captions *self, const char *name)
{
    static const char *const names[] = {"caption", "captions", "captiontext", "text", "texts", "description", "descriptions", "title", "alt",
                                        "alttext", "comment", "comments", "sentence", "sentences", "transcription", NULL};
    if (self->options && self->options->text_column)
        return strcmp(self->options->text_column, name) == 0;
    return find(names, name) >= 0 || strncasecmp(name, "ocr", 3) == 0 || lens_captions_is_list(name);
}

bool lens_captions_is_picture(const char *name, size_t size)
{
    return names_picture(name, size_without_number(name, size));
}
