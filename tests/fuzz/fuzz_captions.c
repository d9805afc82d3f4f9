/* Any bytes as captions: of a file of them, the first byte saying of which kind, beside a picture, or inside of one. What comes out is text. */
#include "base/text.h"
#include "captions/captions.h"
#include "captions/reading.h"
#include "captions/sayings.h"
#include "fuzzing.h"

static int each(void *context, const char *name, const char *text)
{
    const size_t length = strlen(text);
    (void)context;
    if (!*name || !length || length > LENS_CAPTION_MOST || !lens_utf8_valid(text, length) || !lens_utf8_valid(name, strlen(name)))
        abort();
    return 0;
}

static int problem(void *context, const char *line)
{
    if (strchr(line, '\n') || strncmp(line, "fuzz: ", 6) != 0)
        abort();
    ++*(size_t *)context;
    return 0;
}

static void read_captions(const uint8_t *data, size_t size, lens_caption_format format, const lens_caption_options *options)
{
    size_t problems = 0;
    const lens_caption_visitor visitor = {each, problem, &problems};
    lens_error err = {0};
    if (lens_captions_parse(data, size, format, "fuzz", options, &visitor, &err) != 0 && !err.message[0])
        abort();
}

static void read_picture(const uint8_t *data, size_t size)
{
    lens_buffer out = {0};
    if (lens_captions_embedded(data, size, &out, NULL) != 0 || out.size > LENS_CAPTION_MOST || !lens_utf8_valid(out.data, out.size) ||
        (out.size && memchr(out.data, '\0', out.size)))
        abort();
    lens_buffer_free(&out);
}

static int each_beside(void *context, const char *path, const char *text)
{
    (void)context;
    const size_t length = strlen(text);
    if (strncmp(path, fuzz_folder(), strlen(fuzz_folder())) != 0 || !length || length > LENS_CAPTION_MOST || !lens_utf8_valid(text, length))
        abort();
    return 0;
}

/* A file beside a picture: the first byte says what its name ends in. */
static void read_beside(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"dog(1).txt", "dog(1).jpg.xmp", "dog(1).JSON", "dog.jpg.supplemental-metadata(1).json"};
    if (size < 1)
        return;
    char *picture = lens_path_join(fuzz_folder(), "dog(1).jpg"), *path = lens_path_join(fuzz_folder(), names[data[0] % 4]);
    if (!picture || !path)
        abort();
    fuzz_put(path, data + 1, size - 1);
    const lens_caption_visitor visitor = {.each = each_beside};
    lens_error err = {0};
    bool begins;
    lens_buffer named = {0};
    if (lens_captions_takeout_picture(path, &named, &begins) > 0 && !begins && strcmp(named.data, picture) != 0)
        abort();
    lens_buffer_free(&named);
    if (lens_captions_beside(path, picture, &visitor, &err) != 0 && err.code != LENS_E_FORMAT)
        abort();
    unlink(path);
    free(picture);
    free(path);
}

static void read_part(uint8_t kind, const uint8_t *data, size_t size)
{
    lens_sayings sayings = {0};
    lens_buffer copy = {0};
    if (kind == 'x')
        lens_captions_xmp(data, size, &sayings, NULL);
    else if (kind == 'p')
        lens_captions_photoshop(data, size, &sayings);
    else if (kind == 'f')
        lens_captions_tiff(data, size, &sayings);
    else if (lens_buffer_append(&copy, data, size) == 0) {
        size_t problems = 0;
        const lens_caption_visitor visitor = {each, problem, &problems};
        lens_captions reading = {.source = "fuzz", .visitor = &visitor};
        if (lens_captions_decode(&reading, &copy) == 0)
            lens_captions_read_object(&reading, copy.data, copy.size);
    }
    lens_buffer_free(&copy);
    lens_sayings_free(&sayings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const uint8_t kind = *data++;
    size--;
    switch (kind) {
    case 't': read_captions(data, size, LENS_CAPTIONS_TABLE, NULL); break;
    case 'j': read_captions(data, size, LENS_CAPTIONS_JSON, NULL); break;
    case 'n': read_captions(data, size, LENS_CAPTIONS_ANY, &(lens_caption_options){"1", "2"}); break;
    case 'e': read_picture(data, size); break;
    case 'b': read_beside(data, size); break;
    case 'x':
    case 'p':
    case 'f':
    case 'o': read_part(kind, data, size); break;
    default: read_captions(data, size, LENS_CAPTIONS_ANY, NULL); break;
    }
    return 0;
}
