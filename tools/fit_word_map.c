/* Makes the map from words to pictures that is built in, and says how good it is: `make word-map`.
 *
 *     build/tools/fit_word_map CAPTIONS.tsv CLASSES.txt OUT
 *
 * Beside the map stands ConSE (Norouzi et al., Zero-Shot Learning by Convex Combination of Semantic Embeddings, 2014), which needs no pictures to be
 * fitted on: a picture's place among sentences is the mean of its best classes' names, weighted by their probabilities. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "word_pairs.h"

static const char words_model[] = "all-minilm-l6-v2", pictures_model[] = "efficientnet-lite0";
enum { SEEDS = 5, BEST = 50 };
static const double scale = 8, temperature = 2; /* of vectors, which were longer before the classifier saw them; of the softmax */

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* PICTURE's place among sentences; LOGITS and SORTED [classes.count] are scratch. */
static void conse(const lens_word_pairs *pairs, const float *picture, double *logits, double *sorted, float *place)
{
    const lens_word_classes *classes = &pairs->classes;
    const size_t dim = (size_t)pairs->set.dim, words = (size_t)pairs->set.words;
    for (size_t c = 0; c < classes->count; c++) {
        double sum = 0;
        for (size_t i = 0; i < dim; i++)
            sum += (double)classes->rows[c * dim + i] * (double)picture[i];
        logits[c] = sorted[c] = (scale * sum + (double)pairs->bias[c]) / temperature;
    }
    qsort(sorted, classes->count, sizeof *sorted, descending);
    const double least = sorted[classes->count < BEST ? classes->count - 1 : BEST - 1];
    const float *photos = classes->sentences + (LENS_WORD_WORDINGS - 1) * classes->count * words;
    memset(place, 0, words * sizeof *place);
    for (size_t c = 0; c < classes->count; c++)
        for (size_t i = 0; logits[c] >= least && i < words; i++)
            place[i] += (float)exp(logits[c] - sorted[0]) * photos[c * words + i];
    double square = 0;
    for (size_t i = 0; i < words; i++)
        square += (double)place[i] * (double)place[i];
    for (size_t i = 0; i < words; i++)
        place[i] = (float)((double)place[i] / sqrt(square));
}

/* The figures of ConSE in the same galleries: what the map that changes nothing finds among the pictures' places. */
static int cross_conse(const lens_word_pairs *pairs, uint64_t seed, lens_word_recall *out, lens_error *err)
{
    const lens_word_map_about about = {.words_model = "", .pictures_model = "", .fitted_on = ""};
    const size_t words = (size_t)pairs->set.words, dim = (size_t)pairs->set.dim;
    lens_word_map *same = lens_word_map_new(&about, pairs->set.words, pairs->set.words, err);
    if (!same)
        return -1;
    same->ridge = same->weight = 1;
    float *places = malloc(pairs->set.picture_count * words * sizeof *places);
    double *scratch = malloc(2 * pairs->classes.count * sizeof *scratch);
    int result = places && scratch ? 0 : lens_fail_memory(err);
    for (size_t i = 0; i < words; i++) {
        same->steps[i] = 1;
        same->rows[i * words + i] = 1;
    }
    for (size_t p = 0; result == 0 && p < pairs->set.picture_count; p++)
        conse(pairs, pairs->set.pictures + p * dim, scratch, scratch + pairs->classes.count, places + p * words);
    if (result == 0) {
        lens_word_set set = pairs->set;
        lens_word_recall after;
        set.pictures = places;
        set.dim = set.words;
        result = lens_word_cross(&set, NULL, same, 1, seed, out, &after, err);
    }
    free(places);
    free(scratch);
    lens_word_map_free(same);
    return result;
}

static void add(lens_word_recall *sum, const lens_word_recall *one)
{
    sum->at_1 += one->at_1 / SEEDS;
    sum->at_5 += one->at_5 / SEEDS;
    sum->at_10 += one->at_10 / SEEDS;
    sum->sentences = one->sentences;
    sum->gallery = one->gallery;
}

static void print(const char *what, const lens_word_recall *figures)
{
    printf("%-32s R@1 %.3f  R@5 %.3f  R@10 %.3f\n", what, figures->at_1, figures->at_5, figures->at_10);
}

static int report(const lens_word_pairs *pairs, lens_error *err)
{
    lens_word_recall with = {0}, without = {0}, names = {0}, one;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        if (lens_word_cross(&pairs->set, &pairs->classes, NULL, 1, seed, NULL, &one, err) != 0)
            return -1;
        add(&with, &one);
        if (lens_word_cross(&pairs->set, NULL, NULL, 1, seed, NULL, &one, err) != 0)
            return -1;
        add(&without, &one);
        if (cross_conse(pairs, seed, &one, err) != 0)
            return -1;
        add(&names, &one);
    }
    printf("%d-fold cross-validation by picture, mean of %d ways to deal: %zu captions, each among %zu pictures\n", LENS_WORD_FOLDS, SEEDS,
           with.sentences, with.gallery);
    print("pictures and classes", &with);
    print("pictures alone", &without);
    print("ConSE, classes alone", &names);
    return 0;
}

static int make(const lens_word_pairs *pairs, const char *path, lens_error *err)
{
    char fitted_on[256];
    snprintf(fitted_on, sizeof fitted_on,
             "%zu photos of Flickr8k with %zu captions by people (for research and education), and the %zu classes of ImageNet",
             pairs->set.picture_count, pairs->set.sentence_count, pairs->classes.count);
    const lens_word_map_about about = {words_model, pictures_model, pairs->words_print, pairs->pictures_print, fitted_on};
    lens_word_map *map = lens_word_fit_set(&pairs->set, &pairs->classes, NULL, 1, &about, err);
    int result = map ? lens_word_map_write(map, path, err) : -1;
    lens_word_map_free(map);
    return result;
}

int main(int argc, char **argv)
{
    lens_word_pairs pairs;
    lens_error err = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: fit_word_map CAPTIONS.tsv CLASSES.txt OUT\n");
        return 2;
    }
    if (lens_word_pairs_read(argv[1], argv[2], words_model, pictures_model, "f32", &pairs, &err) != 0) {
        fprintf(stderr, "fit_word_map: %s\n", err.message);
        return 1;
    }
    int result = make(&pairs, argv[3], &err);
    if (result == 0)
        result = report(&pairs, &err);
    if (result != 0)
        fprintf(stderr, "fit_word_map: %s\n", err.message);
    lens_word_pairs_free(&pairs);
    return result == 0 ? 0 : 1;
}
