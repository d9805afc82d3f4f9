/* BERT's tokenizer for models that know no capitals (Devlin et al. 2018, with the details of Hugging Face's BertTokenizer): the text is
 * cleaned and split at white space and punctuation, and each word cut into the longest pieces that the vocabulary has, from the left. */
#include <string.h>

#include "text/tokenizer_internal.h"
#include "text/wordpiece_unicode.h"

/* A longer word is unknown as a whole. */
enum { MAX_WORD = 100 };

/* Takes out control characters, makes white space blanks and sets ideographs apart; takes accents off; makes it lower case. */
static int clean(lens_points *points)
{
    lens_points out = {0};
    int result = 0;
    for (size_t i = 0; i < points->count && result == 0; i++) {
        int32_t point = points->items[i];
        if (lens_wordpiece_is_removed(point))
            continue;
        int32_t apart[3] = {' ', point, ' '};
        if (lens_point_is_space(point))
            result = lens_points_push(&out, ' ');
        else if (lens_wordpiece_is_ideograph(point))
            result = lens_points_append(&out, apart, 3);
        else
            result = lens_points_push(&out, point);
    }
    lens_points_free(points);
    *points = out;
    if (result != 0 || lens_points_nfd_9(points) != 0)
        return -1;
    size_t kept = 0;
    for (size_t i = 0; i < points->count; i++)
        if (!lens_wordpiece_is_mark(points->items[i]))
            points->items[kept++] = points->items[i];
    points->count = kept;
    return lens_points_lower(points);
}

/* The pieces of a word of COUNT characters, or UNKNOWN when they do not cover it. */
static int run_word(const lens_vocabulary *vocabulary, int32_t unknown, const int32_t *word, size_t count, lens_token_ids *ids)
{
    if (count > MAX_WORD) {
        lens_token_ids_push(ids, unknown);
        return 0;
    }
    /* "##" and the word in UTF-8; where each character begins, and the end. */
    lens_buffer bytes = {0};
    size_t starts[MAX_WORD + 1];
    int result = lens_buffer_append(&bytes, "##", 2);
    for (size_t i = 0; i < count && result == 0; i++) {
        starts[i] = bytes.size;
        result = lens_points_write(word + i, 1, &bytes);
    }
    starts[count] = bytes.size;
    int32_t pieces[MAX_WORD];
    size_t piece_count = 0;
    for (size_t begin = 0, end; begin < count && result == 0; begin = end) {
        int32_t id = -1;
        for (end = count; end > begin; end--) {
            /* The "##" goes where the character before was: nobody needs that any more. */
            char *piece = bytes.data + starts[begin] - (begin ? 2 : 0);
            if (begin)
                memcpy(piece, "##", 2);
            id = lens_vocabulary_find(vocabulary, piece, (size_t)(bytes.data + starts[end] - piece));
            if (id >= 0)
                break;
        }
        if (id < 0) {
            pieces[0] = unknown;
            piece_count = 1;
            break;
        }
        pieces[piece_count++] = id;
    }
    for (size_t i = 0; i < piece_count && result == 0; i++)
        lens_token_ids_push(ids, pieces[i]);
    lens_buffer_free(&bytes);
    return result;
}

int lens_wordpiece_run(const lens_vocabulary *vocabulary, int32_t unknown, const char *text, size_t size, lens_token_ids *ids)
{
    lens_points points = {0};
    int result = lens_points_read(&points, text, size);
    if (result == 0)
        result = clean(&points);
    for (size_t i = 0; i < points.count && result == 0 && !lens_token_ids_full(ids);) {
        size_t end = i;
        while (end < points.count && !lens_point_is_space(points.items[end]) && !lens_wordpiece_is_punctuation(points.items[end]))
            end++;
        if (end == i && !lens_point_is_space(points.items[i]))
            end++; /* punctuation */
        if (end > i)
            result = run_word(vocabulary, unknown, points.items + i, end - i, ids);
        i = end > i ? end : i + 1;
    }
    lens_points_free(&points);
    return result;
}
