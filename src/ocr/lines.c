#include "ocr/lines.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Sizes are in pixels of the picture as it is looked at, where a letter has ten at least. */
enum { LETTER_LEAST = 10, AREA_LEAST = 6, TONE_SPREAD = 14 };

/* A part that could be a letter, an accent or a dot. */
typedef struct letter {
    lens_ocr_part part;
    int number; /* among the parts */
    int before; /* a letter of the same line, or itself */
    int line;   /* -1: none */
} letter;

static int height_of(const letter *l)
{
    return l->part.bottom - l->part.top;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

static bool could_be_letter(const lens_ocr_part *part, const lens_ocr_plane *ink)
{
    int width = part->right - part->left, height = part->bottom - part->top;
    return height <= 0.8 * ink->height && width < 0.9 * ink->width && part->area >= AREA_LEAST && part->framed >= 0.7f &&
           part->area >= 0.12 * width * height;
}

static int by_left(const void *a, const void *b)
{
    const letter *l = a, *r = b;
    return l->part.left != r->part.left ? (l->part.left > r->part.left) - (l->part.left < r->part.left) : l->number - r->number;
}

/* Those of PARTS that could be letters, from the left to the right. NULL when memory is short. */
static letter *candidates(const lens_ocr_parts *parts, const lens_ocr_plane *ink, size_t *count)
{
    letter *letters = malloc((parts->count + 1) * sizeof *letters);
    *count = 0;
    for (size_t i = 0; letters && i < parts->count; i++)
        if (could_be_letter(&parts->parts[i], ink))
            letters[(*count)++] = (letter){parts->parts[i], (int)i, 0, -1};
    if (letters)
        qsort(letters, *count, sizeof *letters, by_left);
    return letters;
}

static int first_of(letter *letters, int i)
{
    while (letters[i].before != i)
        i = letters[i].before = letters[letters[i].before].before;
    return i;
}

/* Whether B, which begins no further left, stands beside A: as high or nearly, on one level, no further than a letter's height. */
static bool beside(const letter *a, const letter *b)
{
    int high = most(height_of(a), height_of(b)), low = least(height_of(a), height_of(b));
    int shared = least(a->part.bottom, b->part.bottom) - most(a->part.top, b->part.top);
    return low >= 0.6 * high && shared >= 0.7 * low && b->part.left - a->part.right <= high;
}

static void join(letter *letters, size_t count)
{
    for (size_t i = 0; i < count; i++)
        letters[i].before = (int)i;
    for (size_t i = 0; i < count; i++) {
        int height = height_of(&letters[i]);
        for (size_t k = i + 1; height >= LETTER_LEAST && k < count; k++) {
            if (letters[k].part.left - letters[i].part.right > height / 0.6)
                break;
            if (height_of(&letters[k]) < LETTER_LEAST || !beside(&letters[i], &letters[k]))
                continue;
            int a = first_of(letters, (int)i), b = first_of(letters, (int)k);
            letters[most(a, b)].before = least(a, b);
        }
    }
}

static int compare_ints(const void *a, const void *b)
{
    int l = *(const int *)a, r = *(const int *)b;
    return (l > r) - (l < r);
}

static void widen(lens_ocr_line *line, const lens_ocr_part *part)
{
    line->left = least(line->left, part->left);
    line->top = least(line->top, part->top);
    line->right = most(line->right, part->right);
    line->bottom = most(line->bottom, part->bottom);
}

/* The line of LETTERS [count]. False when they are none. What is duller than most of them is taken out:
 * bright spots of the picture between outlined letters. NUMBERS has room for COUNT. */
static bool make_line(letter *const *letters, size_t count, int *numbers, lens_ocr_line *line)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = height_of(letters[i]);
    qsort(numbers, count, sizeof *numbers, compare_ints);
    *line = (lens_ocr_line){.left = letters[0]->part.left, .top = letters[0]->part.top, .height = numbers[count / 2]};
    for (size_t i = 0; i < count; i++)
        numbers[i] = letters[i]->part.tone;
    qsort(numbers, count, sizeof *numbers, compare_ints);
    line->tone = numbers[count * 6 / 10];
    for (size_t i = 0; i < count; i++) {
        const lens_ocr_part *part = &letters[i]->part;
        if (part->tone < line->tone - TONE_SPREAD)
            continue;
        if (line->letters++ == 0)
            line->left = part->left, line->top = part->top, line->right = part->right, line->bottom = part->bottom;
        widen(line, part);
    }
    return line->right - line->left >= 0.8 * line->height && line->bottom - line->top <= 2.2 * line->height;
}

static int by_line(const void *a, const void *b)
{
    const letter *l = *(letter *const *)a, *r = *(letter *const *)b;
    return l->before != r->before ? (l->before > r->before) - (l->before < r->before) : by_left(l, r);
}

/* A line, and where its letters are among those sorted by line. */
typedef struct group {
    lens_ocr_line line;
    size_t first, count;
} group;

static int by_letters(const void *a, const void *b)
{
    const group *l = a, *r = b;
    return l->line.letters != r->line.letters ? r->line.letters - l->line.letters : (l->first > r->first) - (l->first < r->first);
}

/* Makes lines of the joined LETTERS. 0, or -1 when memory is short. */
static int gather(letter *letters, size_t count, lens_ocr_lines *out)
{
    letter **sorted = malloc((count + 1) * sizeof *sorted);
    int *numbers = malloc((count + 1) * sizeof *numbers);
    group *groups = malloc((count + 1) * sizeof *groups);
    out->lines = malloc(LENS_OCR_LINES_MOST * sizeof *out->lines);
    int result = sorted && numbers && groups && out->lines ? 0 : -1;
    size_t high = 0, found = 0;
    for (size_t i = 0; result == 0 && i < count; i++) {
        letters[i].before = first_of(letters, (int)i);
        if (height_of(&letters[i]) >= LETTER_LEAST)
            sorted[high++] = &letters[i];
    }
    if (result == 0)
        qsort(sorted, high, sizeof *sorted, by_line);
    for (size_t first = 0, end; result == 0 && first < high; first = end) {
        for (end = first; end < high && sorted[end]->before == sorted[first]->before;)
            end++;
        groups[found] = (group){.first = first, .count = end - first};
        found += make_line(sorted + first, end - first, numbers, &groups[found].line);
    }
    if (result == 0)
        qsort(groups, found, sizeof *groups, by_letters);
    out->count = found < LENS_OCR_LINES_MOST ? found : LENS_OCR_LINES_MOST;
    for (size_t n = 0; result == 0 && n < out->count; n++) {
        out->lines[n] = groups[n].line;
        for (size_t i = groups[n].first; i < groups[n].first + groups[n].count; i++)
            if (sorted[i]->part.tone >= out->lines[n].tone - TONE_SPREAD)
                sorted[i]->line = (int)n;
    }
    free(sorted), free(numbers), free(groups);
    return result;
}

/* Whether a part that is too small or too far for a letter is a dot, a comma, an accent or a quote of LINE. */
static bool belongs(const letter *mark, const lens_ocr_line *line)
{
    const lens_ocr_part *part = &mark->part;
    double height = line->height;
    return height_of(mark) <= 0.7 * height && part->right - part->left <= height && part->tone >= line->tone - TONE_SPREAD &&
           part->top >= line->top - 0.25 * height && part->bottom <= line->bottom + 0.25 * height &&
           part->right >= line->left - 0.6 * height && part->left <= line->right + 0.6 * height;
}

static void add_marks(letter *letters, size_t count, lens_ocr_lines *lines)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < lines->count && letters[i].line < 0; n++)
            if (belongs(&letters[i], &lines->lines[n]))
                letters[i].line = (int)n;
    }
    for (size_t i = 0; i < count; i++)
        if (letters[i].line >= 0)
            widen(&lines->lines[letters[i].line], &letters[i].part);
}

/* Fills line_at. 0, or -1 when memory is short. */
static int mark_pixels(const letter *letters, size_t count, const lens_ocr_parts *parts, const lens_ocr_plane *ink, lens_ocr_lines *lines)
{
    lines->line_at = calloc((size_t)ink->width * (size_t)ink->height, 1);
    uint8_t *line_of = calloc(parts->count + 1, 1);
    int result = lines->line_at && line_of ? 0 : -1;
    for (size_t i = 0; result == 0 && i < count; i++)
        line_of[letters[i].number] = (uint8_t)(letters[i].line + 1);
    for (size_t i = 0; result == 0 && i < parts->run_count; i++) {
        const lens_ocr_run *run = &parts->runs[i];
        if (line_of[run->part])
            memset(lines->line_at + (size_t)run->y * (size_t)ink->width + run->left, line_of[run->part], (size_t)(run->right - run->left));
    }
    free(line_of);
    return result;
}

int lens_ocr_lines_find(const lens_ocr_plane *ink, const lens_ocr_plane *ground, lens_ocr_lines *out, lens_error *err)
{
    *out = (lens_ocr_lines){0};
    lens_ocr_parts parts;
    if (lens_ocr_parts_find(ink, ground, &parts, err) != 0)
        return -1;
    size_t count;
    letter *letters = candidates(&parts, ink, &count);
    int result = -1;
    if (letters) {
        join(letters, count);
        result = gather(letters, count, out);
    }
    if (result == 0) {
        add_marks(letters, count, out);
        result = mark_pixels(letters, count, &parts, ink, out);
    }
    free(letters);
    lens_ocr_parts_free(&parts);
    if (result != 0) {
        lens_ocr_lines_free(out);
        return lens_fail(err, LENS_E_MEMORY, "not enough memory to look for text in %d x %d pixels", ink->width, ink->height);
    }
    return 0;
}

void lens_ocr_lines_free(lens_ocr_lines *lines)
{
    free(lines->lines);
    free(lines->line_at);
    *lines = (lens_ocr_lines){0};
}
