#include "library/caption_texts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "captions/captions.h"
#include "words/tokens.h"

/* ---- what stands in a text ------------------------------------------------------------------------------------------ */

/* Where HASH stands in the set of GROUP, or is to stand; there is room. */
static lens_hash *slot_of(const lens_caption_group *group, const lens_hash *hash)
{
    static const lens_hash zeros;
    size_t at;
    memcpy(&at, hash->bytes, sizeof at);
    for (at &= group->room - 1;; at = (at + 1) & (group->room - 1)) {
        lens_hash *slot = &group->seen[at];
        if (memcmp(slot, hash, sizeof *hash) == 0 || memcmp(slot, &zeros, sizeof zeros) == 0)
            return slot;
    }
}

static int put(lens_caption_group *group, const char *line, size_t size)
{
    if (2 * group->count >= group->room) {
        lens_caption_group larger = {.room = group->room ? 2 * group->room : 16};
        if (!(larger.seen = calloc(larger.room, sizeof *larger.seen)))
            return -1;
        for (size_t i = 0; i < group->room; i++)
            *slot_of(&larger, &group->seen[i]) = group->seen[i];
        free(group->seen);
        group->seen = larger.seen;
        group->room = larger.room;
    }
    const lens_hash hash = lens_hash_of(line, size);
    lens_hash *slot = slot_of(group, &hash);
    group->count += memcmp(slot, &hash, sizeof hash) != 0;
    *slot = hash;
    return 0;
}

/* Puts the caption TEXT, and each of its first MOST lines, into the set. */
static int put_lines(lens_caption_group *group, const char *text, size_t most)
{
    int result = put(group, text, strlen(text));
    for (const char *at = text; *at && most && result == 0; most--) {
        const size_t size = strcspn(at, "\n");
        result = put(group, at, size);
        at += size + (at[size] == '\n');
    }
    return result;
}

static size_t count_lines(const char *text)
{
    size_t count = 1;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

static int add_to(lens_caption_group *group, const char *text)
{
    const size_t size = strlen(text), lines = count_lines(text);
    if (!group->text.data) {
        group->lines = lines;
        return lens_buffer_append(&group->text, text, size);
    }
    if (!group->seen && put_lines(group, group->text.data, LENS_CAPTION_LINES_MOST) != 0) /* most pictures have one caption */
        return -1;
    const lens_hash hash = lens_hash_of(text, size);
    if (memcmp(slot_of(group, &hash), &hash, sizeof hash) == 0)
        return 0;
    if (group->lines + lines > LENS_CAPTION_LINES_MOST || group->text.size + 1 + size > LENS_CAPTION_MOST) {
        group->left_out++;
        return 0;
    }
    group->lines += lines;
    return lens_buffer_append(&group->text, "\n", 1) != 0 || lens_buffer_append(&group->text, text, size) != 0 ? -1 : put_lines(group, text, lines);
}

/* ---- groups ---------------------------------------------------------------------------------------------------------- */

static const size_t none = SIZE_MAX;

/* A new group of so many PICTURES, of which is said what is said of the group LIKE, if that is not NONE. Its number, or NONE when memory is short. */
static size_t new_group(lens_caption_texts *texts, size_t like, size_t pictures)
{
    lens_caption_group *groups = lens_list_room(texts->groups, texts->group_count, &texts->capacity, sizeof *groups);
    if (!groups)
        return none;
    texts->groups = groups;
    lens_caption_group *group = &groups[texts->group_count];
    *group = (lens_caption_group){.pictures = pictures};
    const size_t number = texts->group_count++;
    if (like == none)
        return number;
    const lens_caption_group *old = &groups[like];
    group->lines = old->lines;
    group->left_out = old->left_out;
    if (old->seen) {
        if (!(group->seen = malloc(old->room * sizeof *old->seen)))
            return none;
        memcpy(group->seen, old->seen, old->room * sizeof *old->seen);
        group->count = old->count;
        group->room = old->room;
    }
    return lens_buffer_append(&group->text, old->text.data, old->text.size) == 0 ? number : none;
}

/* The group that those of GROUP's pictures are in which are asked for: itself where that is all of them, else a new one, and NEXT says which. */
static size_t part(lens_caption_texts *texts, size_t group)
{
    const size_t asked = texts->groups[group].asked;
    if (asked == texts->groups[group].pictures)
        return group;
    const size_t fresh = new_group(texts, group, asked);
    texts->groups[group].pictures -= asked;
    return fresh;
}

int lens_caption_texts_add(lens_caption_texts *texts, const int64_t *pictures, size_t count, const char *text)
{
    size_t first = none, unknown = 0;
    for (size_t i = 0; i < count; i++) {
        const int64_t number = lens_id_map_get(&texts->group_of, pictures[i], -1);
        unknown += number < 0;
        if (number < 0 || texts->groups[number].asked++)
            continue;
        texts->groups[number].next = first;
        first = (size_t)number;
    }
    for (size_t group = first, next; group != none; group = next) {
        next = texts->groups[group].next;
        const size_t wanted = part(texts, group);
        if (wanted == none || add_to(&texts->groups[wanted], text) != 0)
            return -1;
        texts->groups[group].next = wanted;
        texts->groups[group].asked = 0;
    }
    const size_t fresh = unknown ? new_group(texts, none, unknown) : none;
    if (unknown && (fresh == none || add_to(&texts->groups[fresh], text) != 0))
        return -1;
    for (size_t i = 0; i < count; i++) {
        const int64_t number = lens_id_map_get(&texts->group_of, pictures[i], -1);
        const size_t wanted = number < 0 ? fresh : texts->groups[number].next;
        if ((int64_t)wanted != number && lens_id_map_put(&texts->group_of, pictures[i], (int64_t)wanted) != 0)
            return -1;
    }
    return 0;
}

static int compare_pictures(const void *a, const void *b)
{
    const lens_store_caption *x = a, *y = b;
    return x->picture < y->picture ? -1 : x->picture > y->picture;
}

int lens_caption_texts_make(lens_caption_texts *texts, void (*left_out)(void *context, int64_t picture, size_t count), void *context)
{
    const lens_id_map *map = &texts->group_of;
    if (!(texts->items = calloc(map->count + 1, sizeof *texts->items)))
        return -1;
    for (size_t i = 0; i < texts->group_count; i++)
        if (!(texts->groups[i].folded = lens_text_folded(texts->groups[i].text.data)))
            return -1;
    for (size_t i = 0; i < map->room; i++) {
        if (!map->slots[i].id)
            continue;
        const lens_caption_group *group = &texts->groups[map->slots[i].number];
        texts->items[texts->count++] = (lens_store_caption){map->slots[i].id, group->text.data, group->folded};
    }
    qsort(texts->items, texts->count, sizeof *texts->items, compare_pictures);
    for (size_t i = 0; i < texts->count; i++) {
        const int64_t picture = texts->items[i].picture;
        const lens_caption_group *group = &texts->groups[lens_id_map_get(map, picture, 0)];
        if (group->left_out)
            left_out(context, picture, group->left_out);
    }
    return 0;
}

void lens_caption_texts_free(lens_caption_texts *texts)
{
    for (size_t i = 0; i < texts->group_count; i++) {
        lens_buffer_free(&texts->groups[i].text);
        free(texts->groups[i].folded);
        free(texts->groups[i].seen);
    }
    free(texts->groups);
    free(texts->items);
    lens_id_map_free(&texts->group_of);
    *texts = (lens_caption_texts){0};
}
