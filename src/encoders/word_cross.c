/* How well a map from words to pictures finds pictures that it was not fitted on. */
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "encoders/word_fit.h"

enum { PICTURES_MOST = 2000 /* of a set, in all folds together */ };

struct cross {
    const lens_word_set *set;
    size_t *fold; /* [picture_count]: 0 to LENS_WORD_FOLDS - 1; LENS_WORD_FOLDS: left out */
    lens_word_set part;                 /* what a fold's map is fitted on: room for all */
    float *pictures, *sentences, *query; /* query [dim] */
    size_t *owner, *place;               /* place [picture_count]: in the part */
    size_t hits[2][3], asked, gallery;   /* before, after */
};

static const size_t depths[3] = {1, 5, 10};

/* Deals pictures into folds that differ by one picture at most. 0 or -1. */
static int deal(struct cross *cross, uint64_t seed, lens_error *err)
{
    const size_t count = cross->set->picture_count, most = count < PICTURES_MOST ? count : PICTURES_MOST;
    size_t *order = malloc((count + 1) * sizeof *order);
    if (!order)
        return lens_fail_memory(err);
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = 0; i < count; i++) { /* Fisher and Yates */
        const size_t other = i + (size_t)lens_random_below(&seed, count - i), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
        cross->fold[order[i]] = i < most ? i % LENS_WORD_FOLDS : LENS_WORD_FOLDS;
    }
    free(order);
    return 0;
}

/* The pictures of all folds but FOLD. */
static void gather(struct cross *cross, size_t fold)
{
    const lens_word_set *set = cross->set;
    const size_t dim = (size_t)set->dim, words = (size_t)set->words;
    size_t pictures = 0, sentences = 0;
    for (size_t p = 0; p < set->picture_count; p++) {
        if (cross->fold[p] == fold || cross->fold[p] == LENS_WORD_FOLDS)
            continue;
        memcpy(cross->pictures + pictures * dim, set->pictures + p * dim, dim * sizeof *cross->pictures);
        cross->place[p] = pictures++;
    }
    for (size_t s = 0; s < set->sentence_count; s++) {
        const size_t p = set->owner[s];
        if (cross->fold[p] == fold || cross->fold[p] == LENS_WORD_FOLDS)
            continue;
        memcpy(cross->sentences + sentences * words, set->sentences + s * words, words * sizeof *cross->sentences);
        cross->owner[sentences++] = cross->place[p];
    }
    cross->part = (lens_word_set){cross->pictures, pictures, set->dim, cross->sentences, cross->owner, sentences, set->words};
}

static double dot(const float *a, const float *b, size_t count)
{
    double sums[4] = {0};
    size_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (size_t k = 0; k < 4; k++)
            sums[k] += (double)a[i + k] * (double)b[i + k];
    for (; i < count; i++)
        sums[0] += (double)a[i] * (double)b[i];
    return sums[0] + sums[1] + sums[2] + sums[3];
}

/* Sentence S looks for its picture among those of its fold; a sentence in which MAP sees nothing finds nothing. */
static void ask(struct cross *cross, const lens_word_map *map, size_t s, size_t hits[3])
{
    const lens_word_set *set = cross->set;
    const size_t dim = (size_t)set->dim, own = set->owner[s];
    if (lens_word_map_apply(map, set->sentences + s * (size_t)set->words, cross->query, NULL) != 0)
        return;
    const double score = dot(cross->query, set->pictures + own * dim, dim);
    size_t rank = 1;
    for (size_t p = 0; p < set->picture_count; p++)
        if (p != own && cross->fold[p] == cross->fold[own])
            rank += dot(cross->query, set->pictures + p * dim, dim) > score;
    for (int i = 0; i < 3; i++)
        hits[i] += rank <= depths[i];
}

static int run_fold(struct cross *cross, size_t fold, const lens_word_classes *classes, const lens_word_map *base, double weight, lens_error *err)
{
    const lens_word_set *set = cross->set;
    const lens_word_map_about about = {.words_model = "", .pictures_model = "", .fitted_on = ""};
    gather(cross, fold);
    lens_word_map *map = lens_word_fit_set(&cross->part, classes, base, weight, &about, err);
    if (!map)
        return -1;
    size_t gallery = 0;
    for (size_t p = 0; p < set->picture_count; p++)
        gallery += cross->fold[p] == fold;
    cross->gallery = gallery > cross->gallery ? gallery : cross->gallery;
    for (size_t s = 0; s < set->sentence_count; s++) {
        if (cross->fold[set->owner[s]] != fold)
            continue;
        cross->asked++;
        ask(cross, map, s, cross->hits[1]);
        if (base)
            ask(cross, base, s, cross->hits[0]);
    }
    lens_word_map_free(map);
    return 0;
}

static lens_word_recall recall(const struct cross *cross, const size_t hits[3])
{
    const double all = cross->asked ? (double)cross->asked : 1;
    return (lens_word_recall){(double)hits[0] / all, (double)hits[1] / all, (double)hits[2] / all, cross->asked, cross->gallery};
}

int lens_word_cross(const lens_word_set *set, const lens_word_classes *classes, const lens_word_map *base, double weight, uint64_t seed,
                    lens_word_recall *before, lens_word_recall *after, lens_error *err)
{
    const size_t dim = (size_t)set->dim, words = (size_t)set->words;
    if (set->picture_count < 2 * LENS_WORD_FOLDS)
        return lens_fail(err, LENS_E_ARGUMENT, "%zu pictures with sentences are too few for a cross-validation: it takes %d", set->picture_count,
                         2 * LENS_WORD_FOLDS);
    for (size_t s = 0; s < set->sentence_count; s++)
        if (set->owner[s] >= set->picture_count)
            return lens_fail(err, LENS_E_ARGUMENT, "sentence %zu is about picture %zu of %zu", s, set->owner[s], set->picture_count);
    if (base && (base->words != set->words || base->dim != set->dim))
        return lens_fail(err, LENS_E_ARGUMENT, "the map that is there is for other models");
    const size_t sentences = set->sentence_count + 1;
    struct cross cross = {.set = set,
                          .fold = calloc(set->picture_count, sizeof(size_t)),
                          .pictures = malloc(set->picture_count * dim * sizeof(float)),
                          .sentences = malloc(sentences * words * sizeof(float)),
                          .query = malloc(dim * sizeof(float)),
                          .owner = malloc(sentences * sizeof(size_t)),
                          .place = malloc(set->picture_count * sizeof(size_t))};
    int result;
    if (cross.fold && cross.pictures && cross.sentences && cross.query && cross.owner && cross.place)
        result = deal(&cross, seed, err);
    else
        result = lens_fail_memory(err);
    for (size_t fold = 0; result == 0 && fold < LENS_WORD_FOLDS; fold++)
        result = run_fold(&cross, fold, classes, base, weight, err);
    if (result == 0) {
        *after = recall(&cross, cross.hits[1]);
        if (before)
            *before = base ? recall(&cross, cross.hits[0]) : (lens_word_recall){.sentences = cross.asked, .gallery = cross.gallery};
    }
    free(cross.fold);
    free(cross.pictures);
    free(cross.sentences);
    free(cross.query);
    free(cross.owner);
    free(cross.place);
    return result;
}
