#include "encoders/word_map.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clones.h"
#include "base/file.h"
#include "base/text.h"

enum { MOST_WORDS = 4096, MOST_DIM = 1 << 16, MOST_TEXT = 4096, MOST_BYTES = 512 << 20 };

static const char magic[8] = "LENSWMAP";

/* As in the file; behind it the three texts without ends, then mean, scatter, steps, rows, and the hash of all that. */
struct header {
    char magic[8];
    uint32_t version, words, dim;
    uint32_t text[3]; /* bytes of words_model, pictures_model, fitted_on */
    lens_hash words_print, pictures_print;
    double ridge, weight;
};
_Static_assert(sizeof(struct header) == 80, "nothing between the members");

static size_t triangle(size_t words)
{
    return words * (words + 1) / 2;
}

/* Whether the texts can be in a file. */
static int check_texts(const char *const texts[3], lens_error *err)
{
    for (int i = 0; i < 3; i++)
        if (!texts[i] || strlen(texts[i]) > MOST_TEXT || !lens_utf8_valid(texts[i], strlen(texts[i])))
            return lens_fail(err, LENS_E_ARGUMENT, "a map's names and what it was fitted on must be UTF-8 of at most %d bytes", MOST_TEXT);
    return 0;
}

lens_word_map *lens_word_map_new(const lens_word_map_about *about, int words, int dim, lens_error *err)
{
    const char *const texts[3] = {about->words_model, about->pictures_model, about->fitted_on};
    if (check_texts(texts, err) != 0)
        return NULL;
    if (words < 1 || words > MOST_WORDS || dim < 1 || dim > MOST_DIM) {
        lens_fail(err, LENS_E_LIMIT, "a map from %d numbers to %d", words, dim);
        return NULL;
    }
    lens_word_map *map = calloc(1, sizeof *map);
    if (map) {
        map->words = words;
        map->dim = dim;
        map->about = (lens_word_map_about){strdup(texts[0]), strdup(texts[1]), about->words_print, about->pictures_print, strdup(texts[2])};
        map->mean = calloc((size_t)words, sizeof *map->mean);
        map->scatter = calloc(triangle((size_t)words), sizeof *map->scatter);
        map->steps = calloc((size_t)words, sizeof *map->steps);
        map->rows = calloc((size_t)words, (size_t)dim);
    }
    if (!map || !map->about.words_model || !map->about.pictures_model || !map->about.fitted_on || !map->mean || !map->scatter || !map->steps ||
        !map->rows) {
        lens_word_map_free(map);
        lens_fail_memory(err);
        return NULL;
    }
    return map;
}

void lens_word_map_free(lens_word_map *map)
{
    if (!map)
        return;
    free((char *)map->about.words_model);
    free((char *)map->about.pictures_model);
    free((char *)map->about.fitted_on);
    free(map->mean);
    free(map->scatter);
    free(map->steps);
    free(map->rows);
    free(map);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static lens_word_map *damaged(const char *path, const char *what, lens_error *err)
{
    lens_fail(err, LENS_E_FORMAT, "%s: not a map from words to pictures, or a damaged one: %s", path, what);
    return NULL;
}

static bool all_within(const float *numbers, size_t count, float least)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(numbers[i]) || numbers[i] < least)
            return false;
    return true;
}

/* What cannot be in an honest map; NULL when nothing is. */
static const char *fault_of(const lens_word_map *map)
{
    const size_t words = (size_t)map->words;
    if (!isfinite(map->ridge) || map->ridge <= 0 || !isfinite(map->weight) || map->weight < 0)
        return "its ridge or weight";
    if (!all_within(map->mean, words, -HUGE_VALF))
        return "its mean";
    if (!all_within(map->scatter, triangle(words), -HUGE_VALF))
        return "its scatter";
    for (size_t row = 0, at = 0; row < words; at += words - row, row++)
        if (map->scatter[at] < 0)
            return "its scatter";
    return all_within(map->steps, words, 0) ? NULL : "its steps";
}

lens_word_map *lens_word_map_view(const void *bytes, size_t size, const char *path, lens_error *err)
{
    struct header header;
    lens_hash hash;
    if (size < sizeof header + sizeof hash)
        return damaged(path, "its size", err);
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.magic, magic, sizeof magic) != 0)
        return damaged(path, "its first bytes", err);
    if (header.version != LENS_WORD_MAP_FORMAT) {
        lens_fail(err, LENS_E_VERSION, "%s: a map of version %u, and this memelens knows up to version %d; use a newer one", path, (unsigned)header.version,
                  LENS_WORD_MAP_FORMAT);
        return NULL;
    }
    if (header.words < 1 || header.words > MOST_WORDS || header.dim < 1 || header.dim > MOST_DIM)
        return damaged(path, "its sizes", err);
    const size_t words = header.words, floats = (2 * words + triangle(words)) * sizeof(float);
    size_t expected = sizeof header + floats + words * header.dim + sizeof hash;
    for (int i = 0; i < 3; i++) {
        if (header.text[i] > MOST_TEXT)
            return damaged(path, "its sizes", err);
        expected += header.text[i];
    }
    if (size != expected)
        return damaged(path, "its size", err);
    hash = lens_hash_of(bytes, size - sizeof hash);
    if (memcmp(&hash, (const uint8_t *)bytes + size - sizeof hash, sizeof hash) != 0)
        return damaged(path, "its checksum", err);
    const uint8_t *at = (const uint8_t *)bytes + sizeof header;
    char texts[3][MOST_TEXT + 1];
    for (int i = 0; i < 3; at += header.text[i], i++) {
        memcpy(texts[i], at, header.text[i]);
        texts[i][header.text[i]] = 0;
        if (strlen(texts[i]) != header.text[i] || !lens_utf8_valid(texts[i], header.text[i]))
            return damaged(path, "its names", err);
    }
    const lens_word_map_about about = {texts[0], texts[1], header.words_print, header.pictures_print, texts[2]};
    lens_word_map *map = lens_word_map_new(&about, (int)words, (int)header.dim, err);
    if (!map)
        return NULL;
    map->ridge = header.ridge;
    map->weight = header.weight;
    memcpy(map->mean, at, words * sizeof(float));
    memcpy(map->scatter, at += words * sizeof(float), triangle(words) * sizeof(float));
    memcpy(map->steps, at += triangle(words) * sizeof(float), words * sizeof(float));
    memcpy(map->rows, at + words * sizeof(float), words * header.dim);
    const char *fault = fault_of(map);
    if (!fault)
        return map;
    lens_word_map_free(map);
    return damaged(path, fault, err);
}

lens_word_map *lens_word_map_read(const char *path, lens_error *err)
{
    lens_buffer file = {0};
    if (lens_file_read(path, MOST_BYTES, &file, err) != 0)
        return NULL;
    lens_word_map *map = lens_word_map_view(file.data ? file.data : "", file.size, path, err);
    lens_buffer_free(&file);
    return map;
}

int lens_word_map_write(const lens_word_map *map, const char *path, lens_error *err)
{
    const char *const texts[3] = {map->about.words_model, map->about.pictures_model, map->about.fitted_on};
    const size_t words = (size_t)map->words;
    const char *fault = fault_of(map);
    if (fault)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: a map is not written: %s", path, fault);
    if (check_texts(texts, err) != 0)
        return -1;
    struct header header = {.version = LENS_WORD_MAP_FORMAT, .words = (uint32_t)words, .dim = (uint32_t)map->dim, .words_print = map->about.words_print,
                            .pictures_print = map->about.pictures_print, .ridge = map->ridge, .weight = map->weight};
    memcpy(header.magic, magic, sizeof magic);
    for (int i = 0; i < 3; i++)
        header.text[i] = (uint32_t)strlen(texts[i]);
    const lens_run_of_bytes parts[] = {
        {&header, sizeof header},
        {texts[0], header.text[0]},
        {texts[1], header.text[1]},
        {texts[2], header.text[2]},
        {map->mean, words * sizeof(float)},
        {map->scatter, triangle(words) * sizeof(float)},
        {map->steps, words * sizeof(float)},
        {map->rows, words * (size_t)map->dim},
    };
    lens_buffer file = {0};
    bool whole = true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        whole = whole && lens_buffer_append(&file, parts[i].bytes, parts[i].size) == 0;
    lens_hash hash = lens_hash_of(file.data, file.size);
    whole = whole && lens_buffer_append(&file, &hash, sizeof hash) == 0;
    int result = whole ? lens_file_write(path, file.data, file.size, err) : lens_fail_memory_for(err, path);
    lens_buffer_free(&file);
    return result;
}

/* ---- the query --------------------------------------------------------------------------------------------------- */

LENS_CLONES static void add_row(float *restrict query, const int8_t *restrict row, float factor, int dim)
{
    for (int i = 0; i < dim; i++)
        query[i] += factor * (float)row[i];
}

int lens_word_map_apply(const lens_word_map *map, const float *sentence, float *query, lens_error *err)
{
    memset(query, 0, (size_t)map->dim * sizeof *query);
    for (int i = 0; i < map->words; i++)
        add_row(query, map->rows + (size_t)i * (size_t)map->dim, (sentence[i] - map->mean[i]) * map->steps[i], map->dim);
    double square = 0;
    for (int i = 0; i < map->dim; i++)
        square += (double)query[i] * (double)query[i];
    if (!isfinite(square) || square <= 0)
        return lens_fail(err, LENS_E_ARGUMENT, "these words say nothing about pictures to the map from %s to %s", map->about.words_model,
                         map->about.pictures_model);
    const double length = sqrt(square);
    for (int i = 0; i < map->dim; i++)
        query[i] = (float)((double)query[i] / length);
    return 0;
}
