/* Texts that stand for a token wherever they occur, the longest first. Of a tokenizer from elsewhere there may be hundreds of thousands, so they are kept in
 * order and found by halving. */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "text/tokenizer_internal.h"

int lens_specials_add(lens_specials *specials, const char *text, int32_t id, lens_error *err)
{
    lens_special *items = lens_list_room(specials->items, specials->count, &specials->capacity, sizeof *items);
    if (items)
        specials->items = items;
    char *copy = items ? strdup(text) : NULL;
    if (!copy)
        return lens_fail_memory(err);
    items[specials->count++] = (lens_special){.text = copy, .length = strlen(copy), .id = id};
    return 0;
}

static int order(const lens_special *special, const char *text, size_t size)
{
    const int first = memcmp(special->text, text, special->length < size ? special->length : size);
    return first ? first : (special->length > size) - (special->length < size);
}

static int by_text(const void *a, const void *b)
{
    const lens_special *y = b;
    return order(a, y->text, y->length);
}

void lens_specials_sort(lens_specials *specials)
{
    lens_special *items = specials->items;
    size_t kept = 0;
    if (specials->count)
        qsort(items, specials->count, sizeof *items, by_text);
    for (size_t i = 0; i < specials->count; i++) {
        if (kept && by_text(&items[kept - 1], &items[i]) == 0) {
            free(items[i].text);
            continue;
        }
        /* What an item begins with comes before it, and between the two only what begins so too: each is passed by once. */
        size_t shorter = kept;
        while (shorter && (items[shorter - 1].length > items[i].length || memcmp(items[shorter - 1].text, items[i].text, items[shorter - 1].length) != 0))
            shorter = items[shorter - 1].shorter;
        items[kept] = items[i];
        items[kept++].shorter = shorter;
    }
    specials->count = kept;
}

const lens_special *lens_specials_at(const lens_specials *specials, const char *text, size_t size)
{
    size_t low = 0, high = specials->count, same = 0;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (order(&specials->items[middle], text, size) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    /* The last one that is not behind TEXT begins with every one that TEXT begins with. */
    const lens_special *last = &specials->items[low - 1];
    while (same < last->length && same < size && last->text[same] == text[same])
        same++;
    while (low && specials->items[low - 1].length > same)
        low = specials->items[low - 1].shorter;
    return low ? &specials->items[low - 1] : NULL;
}

void lens_specials_free(lens_specials *specials)
{
    for (size_t i = 0; i < specials->count; i++)
        free(specials->items[i].text);
    free(specials->items);
    *specials = (lens_specials){0};
}
