/* Captions in JSON, of whatever form. */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "captions/json_at.h"
#include "captions/reading.h"

enum { DEEPEST = 64 };

/* What an object's members tell before any is taken. */
struct object {
    lens_json_at file; /* the string that names its picture, if file_rank is not -1 */
    int file_rank;
    bool two_files, texts;
    lens_json_at template, memes, images, annotations; /* at is NULL where there is none */
};

static int walk(lens_captions *self, const lens_json_at *value, const char *key, int depth);

static bool is(const lens_json_at *value, char first)
{
    return value->at && *value->at == first;
}

/* STRING, or NULL when it is none: a string of JSON that is broken is a problem of its line. -1 when memory is short. */
static int string_of(lens_captions *self, const lens_json_at *value, lens_buffer *out)
{
    out->size = 0;
    const int got = lens_json_string(value, out);
    if (got < 0 || lens_buffer_append(out, "", 0) != 0)
        return lens_captions_no_memory(self);
    if (got == 0 && is(value, '"'))
        lens_captions_problem(self, value->line, "a string that JSON does not allow; left out");
    return got;
}

static int malformed(lens_captions *self, const lens_json_at *at)
{
    return lens_captions_problem(self, at->line, "bad JSON; what follows there is left out");
}

/* Gives TEXT of the picture NAME, behind "PREFIX - " when there is one. */
static int give(lens_captions *self, size_t line, const char *name, const char *prefix, const lens_buffer *text)
{
    lens_buffer both = {0};
    const char *at = text->data;
    const size_t size = lens_captions_trim(&at, text->size), name_size = strnlen(name, LENS_CAPTION_NAME_MOST + 1);
    if (size && name_size > LENS_CAPTION_NAME_MOST) /* many captions may have it, and each would be another copy */
        return lens_captions_problem(self, line, "a picture's name of more than 4 KiB; left out");
    if (!prefix || size == 0)
        return lens_captions_give(self, line, name, name_size, at, size);
    int result = lens_buffer_print(&both, "%s - ", prefix) == 0 && lens_buffer_append(&both, at, size) == 0
                     ? lens_captions_give(self, line, name, name_size, both.data, both.size)
                     : lens_captions_no_memory(self);
    lens_buffer_free(&both);
    return result;
}

static int join(lens_buffer *all, const lens_buffer *word)
{
    return (all->size && lens_buffer_append(all, ", ", 2) != 0) || lens_buffer_append(all, word->data, word->size) != 0 ? -1 : 0;
}

/* Gives what VALUE says, the member of texts of a picture: a string, or strings and objects that hold them. LIST: its strings are one text. */
static int give_texts(lens_captions *self, const lens_json_at *value, const char *name, const char *prefix, bool list, int depth)
{
    lens_buffer text = {0}, all = {0};
    int result = self->ended, got;
    if (result != 0)
        return result;
    if (is(value, '"')) {
        got = string_of(self, value, &text);
        result = got > 0 ? give(self, value->line, name, prefix, &text) : got;
    } else if ((is(value, '[') || is(value, '{')) && depth < DEEPEST) {
        const bool object = is(value, '{');
        bool known = !object;
        lens_json_at inside = lens_json_inside(value), key, element;
        while (result == 0 && (got = lens_json_next(&inside, object ? &key : NULL, &element)) > 0) {
            if (object) {
                result = string_of(self, &key, &text);
                const bool wanted = result > 0 && (lens_captions_is_text(self, text.data) || strcmp(text.data, "raw") == 0);
                known |= wanted;
                if (result > 0)
                    result = wanted ? give_texts(self, &element, name, prefix, lens_captions_is_list(text.data), depth + 1) : 0;
            } else if (list && is(&element, '"')) {
                result = string_of(self, &element, &text);
                if (result > 0)
                    result = join(&all, &text) == 0 ? 0 : lens_captions_no_memory(self);
            } else {
                result = give_texts(self, &element, name, prefix, false, depth + 1);
            }
        }
        if (result == 0 && got < 0)
            result = malformed(self, &inside);
        else if (result == 0 && !known)
            result = lens_captions_problem(self, value->line, "a caption that is an object without one; left out");
        if (result == 0 && all.size)
            result = give(self, value->line, name, prefix, &all);
    } else if (!is(value, 'n')) {
        result = lens_captions_problem(self, value->line, "%s; left out", depth < DEEPEST ? "a caption that is no string" : "nested too deeply");
    }
    lens_buffer_free(&text);
    lens_buffer_free(&all);
    return result;
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

/* Takes the member KEY into account. */
static void note_member(const lens_captions *self, const char *key, const lens_json_at *value, struct object *object)
{
    int rank = lens_captions_file_rank(self, key);
    if (rank >= 0 && is(value, '"')) {
        if (!lens_captions_is_picture(value->at + 1, (size_t)(value->end - value->at) - 2))
            rank += 100;
        object->two_files |= rank == object->file_rank;
        if (object->file_rank < 0 || rank < object->file_rank) {
            object->file_rank = rank;
            object->file = *value;
        }
    }
    object->texts |= lens_captions_is_text(self, key);
    if (strcmp(key, "name") == 0 && is(value, '"'))
        object->template = *value;
    if (strcmp(key, "generated_memes") == 0 && is(value, '['))
        object->memes = *value;
    if (strcmp(key, "images") == 0 && is(value, '['))
        object->images = *value;
    if (strcmp(key, "annotations") == 0 && is(value, '['))
        object->annotations = *value;
}

static int look_at(lens_captions *self, const lens_json_at *value, struct object *object)
{
    *object = (struct object){.file_rank = -1};
    lens_buffer name = {0};
    lens_json_at inside = lens_json_inside(value), key, member;
    int got = 0, result = 0;
    while (result >= 0 && !self->ended && (got = lens_json_next(&inside, &key, &member)) > 0) {
        result = string_of(self, &key, &name);
        if (result > 0)
            note_member(self, name.data, &member, object);
    }
    if (result >= 0 && got < 0)
        malformed(self, &inside);
    lens_buffer_free(&name);
    return result < 0 ? -1 : 0;
}

/* Gives all texts among the members of the record VALUE, of the picture NAME. */
static int give_record(lens_captions *self, const lens_json_at *value, const char *name, const char *prefix, int depth)
{
    lens_buffer key_text = {0};
    lens_json_at inside = lens_json_inside(value), key, member;
    int result = 0;
    while (result == 0 && lens_json_next(&inside, &key, &member) > 0) {
        key_text.size = 0;
        const int got = lens_json_string(&key, &key_text); /* its problem was told */
        if (got < 0)
            result = lens_captions_no_memory(self);
        else if (got && lens_captions_is_text(self, key_text.data ? key_text.data : ""))
            result = give_texts(self, &member, name, prefix, lens_captions_is_list(key_text.data), depth + 1);
    }
    lens_buffer_free(&key_text);
    return result;
}

/* The record VALUE, of which OBJECT was seen: of the picture that it names, or else of KEY, which may be NULL. */
static int record(lens_captions *self, const lens_json_at *value, const struct object *object, const char *key, const char *prefix, int depth)
{
    if (self->ended)
        return self->ended;
    if (object->two_files)
        return lens_captions_problem(self, value->line, "an object that names two pictures; left out");
    if (object->file_rank < 0 && !key)
        return lens_captions_problem(self, value->line, "a caption that names no picture; left out");
    lens_buffer name = {0};
    int result = object->file_rank >= 0 ? string_of(self, &object->file, &name) : 1;
    if (result > 0)
        result = give_record(self, value, object->file_rank >= 0 ? name.data : key, prefix, depth);
    lens_buffer_free(&name);
    return result;
}

/* A template and what was made of it. */
static int memes(lens_captions *self, const struct object *object, int depth)
{
    lens_buffer template = {0};
    int result = object->template.at ? string_of(self, &object->template, &template) : 0, got = 0;
    if (result < 0)
        return -1;
    result = 0;
    if (template.size > LENS_CAPTION_NAME_MOST) { /* it would be in the caption of each */
        result = lens_captions_problem(self, object->template.line, "a template's name of more than 4 KiB; left out");
        template.size = 0;
    }
    lens_json_at inside = lens_json_inside(&object->memes), meme;
    while (result == 0 && (got = lens_json_next(&inside, NULL, &meme)) > 0) {
        struct object seen;
        if (!is(&meme, '{'))
            result = lens_captions_problem(self, meme.line, "no object; left out");
        else if ((result = look_at(self, &meme, &seen)) == 0)
            result = record(self, &meme, &seen, NULL, template.size ? template.data : NULL, depth);
    }
    if (result == 0 && got < 0)
        result = malformed(self, &inside);
    lens_buffer_free(&template);
    return result;
}

/* ---- COCO -------------------------------------------------------------------------------------------------------- */

struct image {
    char *id; /* as JSON has it, without quotes; NAME lies behind it */
    const char *name;
};

struct images {
    struct image *items;
    size_t count, room;
};

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct image *)a)->id, ((const struct image *)b)->id);
}

/* The member NAME of VALUE, an object: at is NULL when there is none. */
static lens_json_at member_of(const lens_json_at *value, const char *name)
{
    lens_json_at inside = lens_json_inside(value), key, member;
    const size_t size = strlen(name);
    while (lens_json_next(&inside, &key, &member) > 0)
        if ((size_t)(key.end - key.at) == size + 2 && memcmp(key.at + 1, name, size) == 0)
            return member;
    return (lens_json_at){0};
}

/* The bytes of an id, a number or a string. */
static size_t id_of(const lens_json_at *value, const char **id)
{
    const bool quoted = is(value, '"');
    *id = value->at + quoted;
    return (size_t)(value->end - value->at) - 2 * quoted;
}

static int add_image(lens_captions *self, struct images *images, const lens_json_at *value)
{
    const lens_json_at id = is(value, '{') ? member_of(value, "id") : (lens_json_at){0};
    const lens_json_at file = is(value, '{') ? member_of(value, "file_name") : (lens_json_at){0};
    lens_buffer both = {0};
    const char *text;
    if (!id.at || is(&id, '[') || is(&id, '{') || !is(&file, '"'))
        return lens_captions_problem(self, value->line, "an image without id and file_name; left out");
    const size_t size = id_of(&id, &text);
    if (lens_buffer_append(&both, text, size) != 0 || lens_buffer_append(&both, "", 1) != 0 || lens_json_string(&file, &both) < 0)
        goto no_memory;
    struct image *grown = lens_list_room(images->items, images->count, &images->room, sizeof *grown);
    if (!grown)
        goto no_memory;
    images->items = grown;
    images->items[images->count++] = (struct image){.id = both.data, .name = both.data + size + 1};
    return 0;
no_memory:
    lens_buffer_free(&both);
    return lens_captions_no_memory(self);
}

static int annotation(lens_captions *self, const struct images *images, const lens_json_at *value, int depth)
{
    const lens_json_at id = is(value, '{') ? member_of(value, "image_id") : (lens_json_at){0};
    const char *text = NULL;
    const size_t size = id.at ? id_of(&id, &text) : 0;
    char *wanted = id.at ? strndup(text, size) : NULL;
    if (id.at && !wanted)
        return lens_captions_no_memory(self);
    const struct image key = {.id = wanted};
    const struct image *image = wanted && images->count ? bsearch(&key, images->items, images->count, sizeof key, by_id) : NULL;
    free(wanted);
    if (image)
        return give_record(self, value, image->name, NULL, depth);
    return lens_captions_problem(self, value->line, "an annotation of no image; left out");
}

static int coco(lens_captions *self, const struct object *object, int depth)
{
    struct images images = {0};
    lens_json_at inside = lens_json_inside(&object->images), value;
    int result = 0, got = 0;
    while (result == 0 && (got = lens_json_next(&inside, NULL, &value)) > 0)
        result = add_image(self, &images, &value);
    if (result == 0 && got < 0)
        result = malformed(self, &inside);
    if (images.count)
        qsort(images.items, images.count, sizeof *images.items, by_id);
    inside = lens_json_inside(&object->annotations);
    while (result == 0 && (got = lens_json_next(&inside, NULL, &value)) > 0)
        result = annotation(self, &images, &value, depth);
    if (result == 0 && got < 0)
        result = malformed(self, &inside);
    for (size_t i = 0; i < images.count; i++)
        free(images.items[i].id);
    free(images.items);
    return result;
}

/* ---- any value --------------------------------------------------------------------------------------------------- */

/* The members of an object that is neither a record nor anything else that is known: names of pictures, or wrappings. */
static int walk_members(lens_captions *self, const lens_json_at *value, int depth)
{
    lens_buffer name = {0};
    lens_json_at inside = lens_json_inside(value), key, member;
    int result = 0;
    while (result == 0 && lens_json_next(&inside, &key, &member) > 0) {
        name.size = 0;
        const int got = lens_json_string(&key, &name);
        if (got < 0 || lens_buffer_append(&name, "", 0) != 0)
            result = lens_captions_no_memory(self);
        if (name.size > LENS_CAPTION_NAME_MOST) /* too long is told by its beginning, which is passed on to all that is inside */
            name.data[name.size = LENS_CAPTION_NAME_MOST + 1] = '\0';
        if (result == 0 && got && is(&member, '"') && (lens_captions_file_rank(self, name.data) < 0 || lens_captions_is_picture(name.data, name.size)))
            result = give_texts(self, &member, name.data, NULL, false, depth + 1);
        else if (result == 0 && got && (is(&member, '[') || is(&member, '{')))
            result = walk(self, &member, name.data, depth + 1);
    }
    lens_buffer_free(&name);
    return result;
}

static int walk_object(lens_captions *self, const lens_json_at *value, const char *key, int depth)
{
    struct object object;
    const size_t before = self->given + self->problems;
    if (look_at(self, value, &object) != 0)
        return -1;
    if (object.memes.at)
        return memes(self, &object, depth);
    if (object.images.at && object.annotations.at)
        return coco(self, &object, depth);
    if (object.texts)
        return record(self, value, &object, key, NULL, depth);
    int result = walk_members(self, value, depth);
    if (result == 0 && before == self->given + self->problems && depth > 0)
        result = lens_captions_problem(self, value->line, "an object without a caption; left out");
    return result;
}

/* KEY: the member that the array is, or NULL. */
static int walk_array(lens_captions *self, const lens_json_at *value, const char *key, int depth)
{
    lens_json_at inside = lens_json_inside(value), element;
    lens_buffer name = {0};
    int result = 0, got;
    while (result == 0 && (got = lens_json_next(&inside, NULL, &element)) > 0) {
        if (is(&element, '"') && (key || name.size)) {
            result = give_texts(self, &element, key ? key : name.data, NULL, false, depth + 1);
        } else if (is(&element, '"')) { /* ["dog.jpg", "text", …] */
            result = string_of(self, &element, &name) < 0 ? -1 : 0;
            if (result == 0 && name.size && !lens_captions_is_picture(name.data, name.size)) {
                result = lens_captions_problem(self, element.line, "a string that belongs to no picture; left out");
                name.size = 0;
            }
        } else if (is(&element, '[') || is(&element, '{')) {
            result = walk(self, &element, key && lens_captions_is_picture(key, strlen(key)) ? key : NULL, depth + 1);
        } else if (!is(&element, 'n')) {
            result = lens_captions_problem(self, element.line, "neither a picture nor a caption; left out");
        }
    }
    if (result == 0 && got < 0)
        result = malformed(self, &inside);
    lens_buffer_free(&name);
    return result;
}

static int walk(lens_captions *self, const lens_json_at *value, const char *key, int depth)
{
    if (self->ended)
        return self->ended;
    if (depth > DEEPEST)
        return lens_captions_problem(self, value->line, "nested more than %d deep; left out", DEEPEST);
    if (is(value, '{'))
        return walk_object(self, value, key, depth);
    if (is(value, '['))
        return walk_array(self, value, key, depth);
    return lens_captions_problem(self, value->line, "neither an object nor an array; left out");
}

/* ---- whole files ------------------------------------------------------------------------------------------------- */

/* Whether there is an object a line, so that one that is broken costs its own line only: the second line begins another object, and the first does
 * not break off where an object may begin. */
static bool one_a_line(lens_json_at from)
{
    lens_json_skip_blanks(&from);
    const char *feed = from.at < from.end && *from.at == '{' ? memchr(from.at, '\n', (size_t)(from.end - from.at)) : NULL;
    if (!feed)
        return false;
    const char *last = from.at;
    const size_t size = lens_captions_trim(&last, (size_t)(feed - from.at));
    lens_json_at second = {feed, from.end, 0, false};
    lens_json_skip_blanks(&second);
    return second.at < second.end && *second.at == '{' && !memchr("[,:{", last[size - 1], 4);
}

/* All values from FROM on, one behind the other. */
static int walk_all(lens_captions *self, lens_json_at from)
{
    for (;;) {
        lens_json_at value;
        lens_json_skip_blanks(&from);
        if (from.at == from.end)
            return 0;
        const lens_json_at before = from;
        if (!lens_json_value(&from, &value)) {
            if (!is(&before, '[') && !is(&before, '{'))
                return malformed(self, &before);
            value = before; /* cut short, or broken somewhere: what is whole is taken */
            from.at = from.end;
        }
        const int result = walk(self, &value, NULL, 0);
        if (result != 0)
            return result;
    }
}

int lens_captions_read_json(lens_captions *self, const char *text, size_t size)
{
    lens_json_at from = {text, text + size, 1, false};
    if (!one_a_line(from))
        return walk_all(self, from);
    for (size_t line = 1; from.at < from.end; line++) {
        const char *feed = memchr(from.at, '\n', (size_t)(from.end - from.at));
        const int result = walk_all(self, (lens_json_at){from.at, feed ? feed : from.end, line, false});
        if (result != 0)
            return result;
        from.at = feed ? feed + 1 : from.end;
    }
    return 0;
}

int lens_captions_read_object(lens_captions *self, const char *text, size_t size)
{
    lens_json_at from = {text, text + size, 1, false}, value;
    struct object object;
    const bool whole = lens_json_value(&from, &value);
    lens_json_skip_blanks(&from);
    if (!whole || from.at != from.end || !is(&value, '{'))
        return lens_captions_problem(self, 0, "no JSON object; left out");
    if (look_at(self, &value, &object) != 0)
        return -1;
    return object.texts ? give_record(self, &value, self->source, NULL, 0) : 0;
}
