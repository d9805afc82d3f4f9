#include "library/caption_texts.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "captions/captions.h"
#include "words/tokens.h"

/* Twice the lines and captions that a text can have: a slot is always free. */
enum { SLOTS = 8192 };

/* What stands in the text of one picture already, by its hash. A slot of another picture is free. */
typedef struct line_set {
    struct slot {
        int64_t picture;
        lens_hash hash;
    } slots[SLOTS];
} line_set;

static int compare_said(const void *a, const void *b)
{
    const lens_said *x = a, *y = b;
    return x->picture != y->picture ? (x->picture < y->picture ? -1 : 1) : x->order < y->order ? -1 : x->order > y->order;
}

/* Where LINE stands in the text of PICTURE, or is to stand. */
static struct slot *slot_of(line_set *set, int64_t picture, const char *line, size_t size, lens_hash *hash)
{
    *hash = lens_hash_of(line, size);
    size_t at = (hash->bytes[0] | (size_t)hash->bytes[1] << 8) % SLOTS;
    while (set->slots[at].picture == picture && memcmp(&set->slots[at].hash, hash, sizeof *hash) != 0)
        at = (at + 1) % SLOTS;
    return &set->slots[at];
}

static void put(line_set *set, int64_t picture, const char *line, size_t size)
{
    lens_hash hash;
    struct slot *slot = slot_of(set, picture, line, size, &hash);
    *slot = (struct slot){picture, hash};
}

static bool has(line_set *set, int64_t picture, const char *line)
{
    lens_hash hash;
    return slot_of(set, picture, line, strlen(line), &hash)->picture == picture;
}

/* Puts TEXT, and each of its first MOST lines, into SET. */
static void put_lines(line_set *set, int64_t picture, const char *text, size_t most)
{
    put(set, picture, text, strlen(text));
    for (const char *at = text; *at && most; most--) {
        const size_t size = strcspn(at, "\n");
        put(set, picture, at, size);
        at += size + (at[size] == '\n');
    }
}

static size_t count_lines(const char *text)
{
    size_t count = 1;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

/* The text of the COUNT captions SAID, all of one picture. *LEFT_OUT: captions. 0 or -1. */
static int make_one(const lens_said *said, size_t count, line_set *set, lens_buffer *out, size_t *left_out)
{
    size_t lines = count_lines(said->text);
    if (lens_buffer_print(out, "%s", said->text) != 0)
        return -1;
    if (count > 1)
        put_lines(set, said->picture, said->text, LENS_CAPTION_LINES_MOST);
    for (size_t i = 1; i < count; i++) {
        if (has(set, said->picture, said[i].text))
            continue;
        const size_t more = count_lines(said[i].text);
        if (lines + more > LENS_CAPTION_LINES_MOST || out->size + 1 + strlen(said[i].text) > LENS_CAPTION_MOST) {
            ++*left_out;
            continue;
        }
        if (lens_buffer_print(out, "\n%s", said[i].text) != 0)
            return -1;
        put_lines(set, said->picture, said[i].text, more);
        lines += more;
    }
    return 0;
}

int lens_caption_texts_make(lens_said *said, size_t count, lens_caption_texts *out, void (*left_out)(void *context, int64_t picture, size_t count),
                            void *context)
{
    line_set *set = NULL;
    int result = 0;
    *out = (lens_caption_texts){calloc(count + 1, sizeof *out->items), 0, calloc(count + 1, sizeof *out->texts)};
    if (!out->items || !out->texts)
        return -1;
    if (count)
        qsort(said, count, sizeof *said, compare_said);
    for (size_t i = 0, end; i < count && result == 0; i = end) {
        size_t without = 0;
        for (end = i + 1; end < count && said[end].picture == said[i].picture;)
            end++;
        if (end > i + 1 && !set && !(set = calloc(1, sizeof *set))) /* most pictures have one caption */
            return -1;
        lens_buffer *text = &out->texts[out->count];
        lens_store_caption *caption = &out->items[out->count++];
        result = make_one(&said[i], end - i, set, text, &without);
        *caption = (lens_store_caption){said[i].picture, text->data, result == 0 ? lens_text_folded(text->data) : NULL};
        if (result == 0 && !caption->folded)
            result = -1;
        if (without)
            left_out(context, said[i].picture, without);
    }
    free(set);
    return result;
}

void lens_caption_texts_free(lens_caption_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        free((void *)texts->items[i].folded);
        lens_buffer_free(&texts->texts[i]);
    }
    free(texts->items);
    free(texts->texts);
    *texts = (lens_caption_texts){0};
}
