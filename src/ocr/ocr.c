#include "ocr/ocr.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "ocr/engine.h"
#include "ocr/lines.h"
#include "pixels/resample.h"

/* Raised when other text comes out of the same picture. */
enum { PREPARATION = 1 };

/* How large a picture is looked at, and how much of it is read at most: a page full of text, or two seconds of a pattern. */
#define SCALE_MOST 2.0
#define PIXELS_MOST 1.5e6
enum { SIDE_MOST = 4000, ACROSS_MOST = 100000, IN_VAIN_MOST = 16, FEW = 4 };

/* Lines are believed from BELIEF on, their words from WORD_SURE. Between HOPELESS and ENOUGH a second look is worth its time. */
static const float WORD_SURE = 0.3f;
static const double BELIEF = 0.6, FEW_BELIEF = 0.85, HOPELESS = 0.3, ENOUGH = 0.85;

struct lens_reader {
    lens_ocr_engine *engine;
    char version[256];
};

lens_reader *lens_reader_open(const char *languages, lens_error *err)
{
    lens_ocr_engine *engine = lens_ocr_engine_open(languages, err);
    lens_reader *reader = engine ? calloc(1, sizeof *reader) : NULL;
    if (!reader) {
        if (engine)
            lens_fail(err, LENS_E_MEMORY, "not enough memory for a reader");
        lens_ocr_engine_free(engine);
        return NULL;
    }
    reader->engine = engine;
    snprintf(reader->version, sizeof reader->version, "tesseract %s %s %d", lens_ocr_engine_version(), languages, PREPARATION);
    return reader;
}

void lens_reader_free(lens_reader *reader)
{
    if (!reader)
        return;
    lens_ocr_engine_free(reader->engine);
    free(reader);
}

const char *lens_reader_version(const lens_reader *reader)
{
    return reader->version;
}

char *lens_reader_languages(const char *version)
{
    char languages[256];
    return sscanf(version, "tesseract %*s %255s %*d", languages) == 1 ? strdup(languages) : NULL;
}

/* What was read at one place. */
typedef struct reading {
    lens_ocr_line line;
    lens_ocr_words words;
    double belief; /* 0 to 1 */
    int row;
} reading;

typedef struct readings {
    reading *all;
    size_t count, capacity;
    int pixels; /* across, that may still be read */
} readings;

/* The letters and digits of TEXT, in any script; ALL gets its characters. */
static int letters_of(const char *text, int *all)
{
    int letters = 0;
    *all = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        *all += (c & 0xC0) != 0x80;
        /* What begins with C2 and E2 are signs. */
        letters += isalnum(c) || (c >= 0xC3 && c != 0xE2);
    }
    return letters;
}

/* How far WORDS can be believed: the confidence of their letters, where signs count for nothing. 0 without a sure word of two letters, and for
 * few letters that are not very sure: any scratch looks like some letter. */
static double belief_in(const lens_ocr_words *words)
{
    double sum = 0, characters = 0;
    int count = 0;
    bool sure = false;
    for (size_t i = 0; i < words->count; i++) {
        int all, letters = letters_of(words->words[i].text, &all);
        sum += (double)words->words[i].confidence * letters;
        characters += all;
        count += letters;
        sure = sure || (letters >= 2 && words->words[i].confidence > 0.5f);
    }
    double belief = sure ? sum / characters : 0;
    return count >= FEW || belief >= FEW_BELIEF ? belief : 0;
}

/* Whether most of LINE is where lines were read already: white letters are bright ones too. */
static bool was_read(const readings *found, const lens_ocr_line *line)
{
    double shared = 0;
    for (size_t i = 0; i < found->count; i++) {
        const lens_ocr_line *other = &found->all[i].line;
        int across = (line->right < other->right ? line->right : other->right) - (line->left > other->left ? line->left : other->left);
        int down = (line->bottom < other->bottom ? line->bottom : other->bottom) - (line->top > other->top ? line->top : other->top);
        shared += across > 0 && down > 0 ? (double)across * down : 0;
    }
    return 2 * shared > (double)(line->right - line->left) * (line->bottom - line->top);
}

/* Reads a line, once more in another width when that may help. 0 or -1. */
static int read_line(lens_reader *reader, const lens_ocr_lines *lines, size_t number, const lens_ocr_plane *ink, readings *spent, reading *best,
                     lens_error *err)
{
    /* Captions are set in narrow fonts, which tesseract takes for others: N for H. */
    static const double stretches[] = {1.3, 1.0};
    *best = (reading){.line = lines->lines[number]};
    int result = 0;
    for (size_t i = 0; i < sizeof stretches / sizeof *stretches && result == 0; i++) {
        lens_ocr_words words = {0};
        uint8_t *grey;
        int width, height;
        result = lens_ocr_line_draw(lines, number, ink, stretches[i], &grey, &width, &height, err);
        if (result == 0) {
            spent->pixels -= width;
            result = lens_ocr_engine_read(reader->engine, grey, width, height, &words, err);
        }
        free(grey);
        double belief = belief_in(&words);
        if (belief > best->belief) {
            lens_ocr_words_free(&best->words);
            best->words = words;
            best->belief = belief;
        } else {
            lens_ocr_words_free(&words);
        }
        if (best->belief > ENOUGH || best->belief < HOPELESS)
            break;
    }
    return result;
}

static int keep(readings *to, const reading *one, lens_error *err)
{
    reading *all = lens_list_room(to->all, to->count, &to->capacity, sizeof *all);
    if (!all)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory for the text of a picture");
    to->all = all;
    to->all[to->count++] = *one;
    return 0;
}

/* Reads the lines written in INK. Those of many letters come first, so when none of many was text, the rest is a pattern. 0 or -1. */
static int read_tone(lens_reader *reader, const lens_ocr_plane *ink, const lens_ocr_plane *ground, readings *out, lens_error *err)
{
    lens_ocr_lines lines;
    if (lens_ocr_lines_find(ink, ground, &lines, err) != 0)
        return -1;
    int result = 0, in_vain = 0;
    for (size_t i = 0; i < lines.count && result == 0 && in_vain < IN_VAIN_MOST && out->pixels > 0; i++) {
        if (was_read(out, &lines.lines[i]))
            continue;
        reading one;
        result = read_line(reader, &lines, i, ink, out, &one, err);
        bool believed = result == 0 && one.belief >= BELIEF;
        in_vain = believed ? 0 : in_vain + 1;
        if (believed)
            result = keep(out, &one, err);
        if (!believed || result != 0)
            lens_ocr_words_free(&one.words);
    }
    lens_ocr_lines_free(&lines);
    return result;
}

static int by_height(const void *a, const void *b)
{
    const lens_ocr_line *l = &((const reading *)a)->line, *r = &((const reading *)b)->line;
    int middle = l->top + l->bottom, other = r->top + r->bottom;
    return middle != other ? (middle > other) - (middle < other) : l->left - r->left;
}

static int by_row(const void *a, const void *b)
{
    const reading *l = a, *r = b;
    return l->row != r->row ? l->row - r->row : l->line.left - r->line.left;
}

/* In the order in which one reads: rows from top to bottom, and each from left to right. */
static void put_in_order(readings *found)
{
    if (found->count == 0)
        return;
    qsort(found->all, found->count, sizeof *found->all, by_height);
    int row = 0, begun = 0;
    for (size_t i = 0; i < found->count; i++) {
        const lens_ocr_line *line = &found->all[i].line;
        int middle = (line->top + line->bottom) / 2;
        if (i == 0 || middle - begun > line->height / 2)
            begun = middle, row++;
        found->all[i].row = row;
    }
    qsort(found->all, found->count, sizeof *found->all, by_row);
}

/* Appends the sure words. 0 or -1. */
static int write_text(const readings *found, lens_buffer *text, float *confidence, lens_error *err)
{
    double sum = 0;
    int sure = 0, all;
    for (size_t i = 0; i < found->count; i++) {
        const char *between = sure ? "\n" : "";
        const lens_ocr_words *words = &found->all[i].words;
        for (size_t k = 0; k < words->count; k++) {
            const lens_ocr_word *word = &words->words[k];
            bool bar = strcmp(word->text, "|") == 0; /* beside words it is an I without serifs */
            if (word->confidence < WORD_SURE || (letters_of(word->text, &all) == 0 && !bar))
                continue;
            if (lens_buffer_print(text, "%s%s", between, bar ? "I" : word->text) != 0)
                return lens_fail(err, LENS_E_MEMORY, "not enough memory for the text of a picture");
            sum += word->confidence;
            sure++;
            between = " ";
        }
    }
    if (confidence)
        *confidence = sure ? (float)(sum / sure) : 0;
    return 0;
}

/* IMAGE at a size where text that can be read has letters of ten pixels or more, and where the work is bounded. 0 or -1. */
static int resize(const lens_image *image, lens_image *out, lens_error *err)
{
    double scale = fmin(SCALE_MOST, sqrt(PIXELS_MOST / ((double)image->width * image->height)));
    scale = fmin(scale, (double)SIDE_MOST / (image->width > image->height ? image->width : image->height));
    int width = (int)(image->width * scale + 0.5), height = (int)(image->height * scale + 0.5);
    width = width < 1 ? 1 : width, height = height < 1 ? 1 : height;
    return lens_resample(image, width, height, (lens_window){0, 0, width, height}, LENS_FILTER_BICUBIC, out, err);
}

/* How white, dark and bright each pixel is; bright is what has any strong colour. WHITE, DARK and BRIGHT have room for all pixels. */
static void split(const lens_image *image, uint8_t *white, uint8_t *dark, uint8_t *bright)
{
    size_t count = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *p = image->rgb + 3 * i;
        uint8_t low = p[0] < p[1] ? p[0] : p[1], high = p[0] > p[1] ? p[0] : p[1];
        white[i] = low < p[2] ? low : p[2];
        bright[i] = high > p[2] ? high : p[2];
        dark[i] = 255 - bright[i];
    }
}

int lens_reader_read(lens_reader *reader, const lens_image *image, lens_buffer *text, float *confidence, lens_error *err)
{
    lens_image sized;
    if (resize(image, &sized, err) != 0)
        return -1;
    size_t count = (size_t)sized.width * (size_t)sized.height;
    uint8_t *values = malloc(3 * count);
    readings found = {.pixels = ACROSS_MOST};
    int result = values ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory for %d x %d pixels", sized.width, sized.height);
    if (result == 0) {
        lens_ocr_plane white = {sized.width, sized.height, values}, dark = white, bright = white;
        dark.at += count, bright.at += 2 * count;
        split(&sized, values, values + count, values + 2 * count);
        result = read_tone(reader, &white, &dark, &found, err);
        if (result == 0)
            result = read_tone(reader, &dark, &white, &found, err);
        if (result == 0)
            result = read_tone(reader, &bright, &dark, &found, err);
    }
    free(values);
    lens_image_free(&sized);
    if (result == 0) {
        put_in_order(&found);
        result = write_text(&found, text, confidence, err);
    }
    for (size_t i = 0; i < found.count; i++)
        lens_ocr_words_free(&found.all[i].words);
    free(found.all);
    return result;
}
