/* Files that lie beside a picture and say what is on it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "captions/reading.h"
#include "captions/sayings.h"

enum {
    NAME_MOST = 255,
    TAKEOUT_MOST = 46,   /* characters of Google Takeout's names, without ".json" */
    CANDIDATES_MOST = 16 /* two for each ending, and four of Takeout */
};

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

static int pass_on(void *context, const char *line)
{
    const struct said *said = context;
    return said->visitor->problem(said->visitor->context, line);
}

static int read_json(lens_captions *self, const lens_buffer *bytes, const char *own)
{
    struct said said = {.own = own, .visitor = self->visitor};
    const lens_caption_visitor visitor = {.each = hear, .problem = self->visitor->problem ? pass_on : NULL, .context = &said};
    lens_captions inner = {.source = self->source, .visitor = &visitor, .err = self->err};
    int result = lens_captions_read_object(&inner, bytes->data, bytes->size);
    if (result > 0 && !inner.ended)
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
    if (result == 0 && sayings.refused)
        result = lens_fail(self->err, LENS_E_FORMAT, "%s: XMP that takes more memory or time than any picture's does; left out", self->source);
    if (result == 0 && !well)
        result = lens_captions_problem(self, 0, "no XMP, or broken; what comes before that is taken");
    if (result == 0 && sayings.left_out)
        result = lens_captions_problem(self, 0, "a caption of more than 1 MiB; left out");
    if (result == 0)
        result = lens_captions_give_text(self, 0, self->source, text.data, text.size);
    lens_sayings_free(&sayings);
    lens_buffer_free(&text);
    return result;
}

/* What the file PATH says, all of which is in BYTES, beside the picture called OWN. */
static int read_bytes(const char *path, const char *own, lens_buffer *bytes, const lens_caption_visitor *visitor, lens_error *err)
{
    lens_captions self = {.source = path, .visitor = visitor, .err = err};
    const char *ending = strrchr(path, '.');
    if (bytes->size == 0)
        return 0;
    if (strcasecmp(ending, ".xmp") == 0)
        return read_xmp(&self, bytes);
    if (lens_captions_decode(&self, bytes) != 0)
        return -1;
    return strcasecmp(ending, ".txt") == 0 ? lens_captions_give_text(&self, 0, path, bytes->data, bytes->size) : read_json(&self, bytes, own);
}

static int read_one(const char *path, const char *own, const lens_caption_visitor *visitor, lens_error *err)
{
    lens_buffer bytes = {0};
    const int result = lens_file_read(path, LENS_CAPTION_SIDE_MOST, &bytes, err) == 0 ? read_bytes(path, own, &bytes, visitor, err) : -1;
    lens_buffer_free(&bytes);
    return result;
}

/* ---- which files ------------------------------------------------------------------------------------------------- */

enum { ENDINGS = 6 };
static const char *const endings[ENDINGS] = {".txt", ".json", ".xmp", ".TXT", ".JSON", ".XMP"};

bool lens_captions_is_sidecar(const char *path)
{
    const size_t length = strlen(path);
    for (size_t i = 0; i < ENDINGS; i++)
        if (length > strlen(endings[i]) && strcmp(path + length - strlen(endings[i]), endings[i]) == 0)
            return true;
    return false;
}

struct candidates {
    const char *own; /* what the picture is called */
    char *names[CANDIDATES_MOST];
    size_t count;
    bool no_memory;
};

/* Adds the first SIZE bytes of NAME with A and B behind them, unless it is there already, no file can be called so, or it is the picture's own name. */
static void add(struct candidates *list, const char *name, size_t size, const char *a, const char *b)
{
    lens_buffer text = {0};
    if (lens_buffer_append(&text, name, size) != 0 || lens_buffer_append(&text, a, strlen(a)) != 0 || lens_buffer_append(&text, b, strlen(b)) != 0)
        list->no_memory = true;
    bool known = list->no_memory || text.size > NAME_MOST || strcmp(text.data, list->own) == 0;
    for (size_t i = 0; i < list->count && !known; i++)
        known = strcmp(list->names[i], text.data) == 0;
    if (known)
        lens_buffer_free(&text);
    else
        list->names[list->count++] = text.data;
}

static const char takeout_more[] = ".supplemental-metadata";

/* What Google Takeout calls the JSON of OWN: names are cut off, and the number of "dog(1).jpg" comes last. */
static void add_takeout(struct candidates *list, const char *own)
{
    const size_t size = strlen(own), stem = stem_size(own);
    add(list, own, size, takeout_more, ".json");
    if (size >= TAKEOUT_MOST)
        add(list, own, TAKEOUT_MOST, "", ".json");
    else if (size + strlen(takeout_more) > TAKEOUT_MOST) {
        char cut[sizeof takeout_more];
        memcpy(cut, takeout_more, TAKEOUT_MOST - size);
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
    add(list, plain, strlen(plain), takeout_more, number);
}

int lens_captions_takeout_picture(const char *file, lens_buffer *picture, bool *begins)
{
    const char *name = lens_path_name(file), *end = strrchr(name, '.');
    if (!end || strcmp(end, ".json") != 0)
        return 0;
    *begins = end - name == TAKEOUT_MOST;
    if (*begins)
        return lens_buffer_append(picture, file, (size_t)(end - file)) == 0 ? 1 : -1;
    const char *number = end > name && end[-1] == ')' ? end - 1 : name;
    while (number > name && number[-1] >= '0' && number[-1] <= '9')
        number--;
    if (number == name || *--number != '(')
        return 0;
    size_t size = (size_t)(number - name);
    const size_t more = strlen(takeout_more);
    if (size > more && memcmp(name + size - more, takeout_more, more) == 0)
        size -= more;
    size_t dot = size;
    while (dot > 0 && name[--dot] != '.')
        ;
    if (dot == 0) /* it has no ending, or is one */
        return 0;
    return lens_buffer_append(picture, file, (size_t)(name - file) + dot) == 0 && lens_buffer_append(picture, number, (size_t)(end - number)) == 0 &&
                   lens_buffer_append(picture, name + dot, size - dot) == 0
               ? 1 : -1;
}

/* How a file may be called that lies beside PICTURE and is of it. LIST is to be freed in any case. */
static int list_candidates(const char *picture, struct candidates *list, lens_error *err)
{
    const char *own = lens_path_name(picture);
    *list = (struct candidates){.own = own};
    for (size_t i = 0; i < ENDINGS; i++) {
        add(list, own, strlen(own), endings[i], "");
        add(list, own, stem_size(own), endings[i], "");
    }
    add_takeout(list, own);
    return list->no_memory ? lens_fail_memory_for(err, picture) : 0;
}

static void free_candidates(struct candidates *list)
{
    while (list->count > 0)
        free(list->names[--list->count]);
}

int lens_captions_beside(const char *file, const char *picture, const lens_caption_visitor *visitor, lens_error *err)
{
    const char *own = lens_path_name(picture), *name = lens_path_name(file);
    struct candidates list;
    int result = list_candidates(picture, &list, err);
    bool of_it = false;
    for (size_t i = 0; i < list.count; i++)
        of_it |= strcmp(list.names[i], name) == 0;
    free_candidates(&list);
    return result == 0 && of_it ? read_one(file, own, visitor, err) : result;
}
