/* Files that lie beside a picture and say what is on it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "captions/reading.h"
#include "captions/sayings.h"

enum { NAME_MOST = 255, TAKEOUT_MOST = 46 /* characters of Google Takeout's names, without ".json" */, CANDIDATES_MOST = 16 };

/* ---- one file ---------------------------------------------------------------------------------------------------- */

/* What a file of JSON says. */
struct said {
    lens_buffer text;
    const char *own; /* the picture's file name */
    const lens_caption_visitor *visitor;
};

static size_t stem_size(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot > name ? (size_t)(dot - name) : strlen(name);
}

/* Takes a text, unless it is but a file's name, as the titles that Google Takeout writes. */
static int hear(void *context, const char *name, const char *text)
{
    struct said *said = context;
    (void)name;
    const size_t size = strlen(text), stem = stem_size(said->own);
    if (lens_captions_is_picture(text, size) || (size == stem && memcmp(text, said->own, stem) == 0))
        return 0;
    return (said->text.size && lens_buffer_append(&said->text, "\n", 1) != 0) || lens_buffer_append(&said->text, text, size) != 0;
}

static void pass_on(void *context, const char *line)
{
    const struct said *said = context;
    said->visitor->problem(said->visitor->context, line);
}

static int read_json(lens_captions *self, const lens_buffer *bytes, const char *own)
{
    struct said said = {.own = own, .visitor = self->visitor};
    const lens_caption_visitor visitor = {.each = hear, .problem = self->visitor->problem ? pass_on : NULL, .context = &said};
    lens_captions inner = {.source = self->source, .visitor = &visitor, .err = self->err};
    int result = lens_captions_read_object(&inner, bytes->data, bytes->size);
    if (result > 0)
        result = lens_captions_no_memory(self);
    if (result == 0)
        result = lens_captions_give_text(self, 0, self->source, said.text.data, said.text.size);
    lens_buffer_free(&said.text);
    return result;
}

static int read_xmp(lens_captions *self, const lens_buffer *bytes)
{
    lens_sayings sayings = {0};
    lens_buffer text = {0};
    bool well;
    int result = lens_captions_xmp(bytes->data, bytes->size, &sayings, &well);
    if (result != 0 || lens_sayings_write(&sayings, &text) != 0)
        result = lens_captions_no_memory(self);
    if (result == 0 && !well)
        lens_captions_problem(self, 0, "no XMP, or broken; what comes before that is taken");
    if (result == 0 && sayings.left_out)
        lens_captions_problem(self, 0, "a caption of more than 1 MiB; left out");
    if (result == 0)
        result = lens_captions_give_text(self, 0, self->source, text.data, text.size);
    lens_sayings_free(&sayings);
    lens_buffer_free(&text);
    return result;
}

static int read_one(const char *path, const char *own, const lens_caption_visitor *visitor, lens_error *err)
{
    lens_captions self = {.source = path, .visitor = visitor, .err = err};
    lens_buffer bytes = {0};
    lens_error why = {0};
    if (lens_file_read(path, LENS_CAPTION_SIDE_MOST, &bytes, &why) != 0) {
        if (why.code == LENS_E_MEMORY)
            return lens_captions_no_memory(&self);
        if (why.code != LENS_E_MISSING && visitor->problem)
            visitor->problem(visitor->context, why.message);
        return 0;
    }
    const char *ending = strrchr(path, '.');
    int result = 0;
    if (bytes.size == 0) {
        /* nothing said */
    } else if (strcasecmp(ending, ".xmp") == 0) {
        result = read_xmp(&self, &bytes);
    } else if ((result = lens_captions_decode(&self, &bytes)) == 0) {
        const size_t mark = bytes.size >= 3 && memcmp(bytes.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        bytes.size -= mark;
        memmove(bytes.data, bytes.data + mark, bytes.size + 1);
        result = strcasecmp(ending, ".txt") == 0 ? lens_captions_give_text(&self, 0, path, bytes.data, bytes.size) : read_json(&self, &bytes, own);
    }
    lens_buffer_free(&bytes);
    return result;
}

/* ---- which files ------------------------------------------------------------------------------------------------- */

struct candidates {
    char *names[CANDIDATES_MOST];
    size_t count;
    bool no_memory;
};

/* Adds the first SIZE bytes of NAME with A and B behind them, unless it is there already or no file can be called so. */
static void add(struct candidates *list, const char *name, size_t size, const char *a, const char *b)
{
    lens_buffer text = {0};
    if (lens_buffer_append(&text, name, size) != 0 || lens_buffer_append(&text, a, strlen(a)) != 0 || lens_buffer_append(&text, b, strlen(b)) != 0)
        list->no_memory = true;
    bool known = list->no_memory || text.size > NAME_MOST;
    for (size_t i = 0; i < list->count && !known; i++)
        known = strcmp(list->names[i], text.data) == 0;
    if (known)
        lens_buffer_free(&text);
    else
        list->names[list->count++] = text.data;
}

/* What Google Takeout calls the JSON of OWN: names are cut off, and the number of "dog(1).jpg" comes last. */
static void add_takeout(struct candidates *list, const char *own)
{
    static const char more[] = ".supplemental-metadata";
    const size_t size = strlen(own), stem = stem_size(own);
    add(list, own, size, more, ".json");
    if (size >= TAKEOUT_MOST)
        add(list, own, TAKEOUT_MOST, "", ".json");
    else if (size + strlen(more) > TAKEOUT_MOST) {
        char cut[sizeof more];
        memcpy(cut, more, TAKEOUT_MOST - size);
        cut[TAKEOUT_MOST - size] = '\0';
        add(list, own, size, cut, ".json");
    }
    size_t digits = stem && own[stem - 1] == ')' ? stem - 1 : 0;
    while (digits && own[digits - 1] >= '0' && own[digits - 1] <= '9')
        digits--;
    if (digits < 2 || own[digits - 1] != '(' || size > NAME_MOST)
        return;
    char plain[NAME_MOST + 1], number[NAME_MOST + 8];
    memcpy(plain, own, digits - 1);
    strcpy(plain + digits - 1, own + stem);
    memcpy(number, own + digits - 1, stem - digits + 1);
    strcpy(number + stem - digits + 1, ".json");
    add(list, plain, strlen(plain), number, "");
    add(list, plain, strlen(plain), more, number);
}

static const char *const endings[] = {".txt", ".json", ".xmp", ".TXT", ".JSON", ".XMP"};

bool lens_captions_may_be_sidecar(const char *path)
{
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (length > strlen(endings[i]) && strcmp(path + length - strlen(endings[i]), endings[i]) == 0)
            return true;
    return false;
}

int lens_captions_sidecar(const char *path, const lens_caption_visitor *visitor, lens_error *err)
{
    const char *slash = strrchr(path, '/'), *own = slash ? slash + 1 : path;
    struct candidates list = {0};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        add(&list, own, strlen(own), endings[i], "");
        add(&list, own, stem_size(own), endings[i], "");
    }
    add_takeout(&list, own);
    int result = list.no_memory ? lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", path) : 0;
    for (size_t i = 0; i < list.count; i++) {
        lens_buffer whole = {0};
        if (result == 0 && strcmp(list.names[i], own) != 0) {
            if (lens_buffer_append(&whole, path, (size_t)(own - path)) != 0 || lens_buffer_append(&whole, list.names[i], strlen(list.names[i])) != 0)
                result = lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", path);
            else
                result = read_one(whole.data, own, visitor, err);
        }
        lens_buffer_free(&whole);
        free(list.names[i]);
    }
    return result;
}
