/* From a file's bytes to the reader of what they are. */
#include <string.h>

#include "base/file.h"
#include "captions/reading.h"

/* JSON begins with a bracket and what may follow one; a table whose first picture is called "[x].jpg" does not. */
static bool is_json(const char *text, size_t size)
{
    size = lens_captions_trim(&text, size);
    if (size < 2 || (*text != '{' && *text != '['))
        return false;
    const char first = *text++;
    size = lens_captions_trim(&text, size - 1);
    return size && memchr(first == '{' ? "\"}" : "{[]\"", *text, first == '{' ? 2 : 4);
}

/* A file of an old Mac has carriage returns alone. */
static void mend_line_ends(char *text, size_t size)
{
    if (!memchr(text, '\r', size) || memchr(text, '\n', size))
        return;
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\r')
            text[i] = '\n';
}

/* BYTES are changed. */
static int read_bytes(lens_captions *self, lens_buffer *bytes, lens_caption_format format)
{
    if (lens_buffer_append(bytes, "", 0) != 0)
        return lens_captions_no_memory(self);
    if (lens_captions_decode(self, bytes) != 0)
        return -1;
    char *text = bytes->data;
    size_t size = bytes->size;
    if (format == LENS_CAPTIONS_ANY)
        format = is_json(text, size) ? LENS_CAPTIONS_JSON : LENS_CAPTIONS_TABLE;
    int result;
    if (format == LENS_CAPTIONS_JSON) {
        result = lens_captions_read_json(self, text, size);
    } else {
        mend_line_ends(text, size);
        result = lens_captions_read_table(self, text, size);
    }
    if (result == 0 && self->given == 0 && self->problems == 0)
        result = lens_captions_problem(self, 0, "no caption in it");
    return result;
}

int lens_captions_parse(const void *bytes, size_t size, lens_caption_format format, const char *name, const lens_caption_options *options,
                        const lens_caption_visitor *visitor, lens_error *err)
{
    lens_captions self = {.source = name, .options = options, .visitor = visitor, .err = err};
    lens_buffer copy = {0};
    int result = lens_buffer_append(&copy, bytes, size) == 0 ? read_bytes(&self, &copy, format) : lens_captions_no_memory(&self);
    lens_buffer_free(&copy);
    return result;
}

int lens_captions_read(const char *path, const lens_caption_options *options, const lens_caption_visitor *visitor, lens_error *err)
{
    lens_captions self = {.source = path, .options = options, .visitor = visitor, .err = err};
    lens_buffer bytes = {0};
    if (lens_file_read(path, LENS_CAPTION_FILE_MOST, &bytes, err) != 0)
        return -1;
    int result = read_bytes(&self, &bytes, LENS_CAPTIONS_ANY);
    lens_buffer_free(&bytes);
    return result;
}
