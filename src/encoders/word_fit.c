#include "encoders/word_fit.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/dense.h"

enum { BLOCK = 64 }; /* rows that are turned into doubles at once */

static const double ridge = 3;      /* beside a scatter to which every sentence adds about 1 in all */
static const double roundness = 20; /* of the ball that pictures' spread is shrunk to, in mean variances */
static const double prior = 30;     /* pictures that the ball counts for: what few pictures say of their spread is mostly chance */

struct lens_word_fit {
    int words, dim;
    double weight;   /* of the sentences of pictures */
    double *sum;     /* [words]: of those sentences */
    double *scatter; /* [words, words], upper triangle */
    double *answers; /* [words, dim]: sentences times whitened pictures */
};

/* One set on its way into a fit. */
struct work {
    const lens_word_set *set;
    size_t words, dim;
    double *mean_sentence, *mean_picture; /* [words], [dim] */
    double length;                        /* of a centred picture, on the average */
    double *scatter, *spread;             /* of sentences [words, words] and pictures [dim, dim], upper triangles */
    double *answers;                      /* [dim, words] */
    double *left, *right;                 /* [BLOCK, the greater of words and dim] */
};

static double *doubles(size_t rows, size_t cols)
{
    return calloc(rows * cols, sizeof(double));
}

lens_word_fit *lens_word_fit_new(int words, int dim, lens_error *err)
{
    if (words < 1 || dim < 1) {
        lens_fail(err, LENS_E_ARGUMENT, "a map from %d numbers to %d", words, dim);
        return NULL;
    }
    lens_word_fit *fit = calloc(1, sizeof *fit);
    if (fit) {
        const size_t w = (size_t)words;
        *fit = (lens_word_fit){words, dim, 0, doubles(w, 1), doubles(w, w), doubles(w, (size_t)dim)};
    }
    if (!fit || !fit->sum || !fit->scatter || !fit->answers) {
        lens_word_fit_free(fit);
        lens_fail_memory(err);
        return NULL;
    }
    return fit;
}

void lens_word_fit_free(lens_word_fit *fit)
{
    if (!fit)
        return;
    free(fit->sum);
    free(fit->scatter);
    free(fit->answers);
    free(fit);
}

/* ---- a set ------------------------------------------------------------------------------------------------------- */

static void mean_of(const float *rows, size_t count, size_t each, double *mean)
{
    memset(mean, 0, each * sizeof *mean);
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < each; i++)
            mean[i] += (double)rows[r * each + i];
    for (size_t i = 0; i < each; i++)
        mean[i] /= (double)count;
}

static void centre(const float *row, size_t each, const double *mean, double *out)
{
    for (size_t i = 0; i < each; i++)
        out[i] = (double)row[i] - mean[i];
}

static double length_of(const double *row, size_t each)
{
    double square = 0;
    for (size_t i = 0; i < each; i++)
        square += row[i] * row[i];
    return sqrt(square);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void add_sentences(struct work *work)
{
    const lens_word_set *set = work->set;
    for (size_t first = 0; first < set->sentence_count; first += BLOCK) {
        const size_t count = least(BLOCK, set->sentence_count - first);
        for (size_t i = 0; i < count; i++)
            centre(set->sentences + (first + i) * work->words, work->words, work->mean_sentence, work->left + i * work->words);
        lens_dense_add_squares(work->scatter, work->words, work->left, count);
    }
}

/* Of each picture once, with all its sentences: ORDER [sentence_count] are the sentences by picture, those of picture P begin at FIRST[P]. */
static void add_pictures(struct work *work, const size_t *first, const size_t *order)
{
    const lens_word_set *set = work->set;
    const size_t words = work->words, dim = work->dim;
    for (size_t block = 0; block < set->picture_count; block += BLOCK) {
        const size_t count = least(BLOCK, set->picture_count - block);
        memset(work->right, 0, count * words * sizeof *work->right);
        for (size_t i = 0; i < count; i++) {
            double *picture = work->left + i * dim, *sentences = work->right + i * words;
            centre(set->pictures + (block + i) * dim, dim, work->mean_picture, picture);
            work->length += length_of(picture, dim) / (double)set->picture_count;
            for (size_t s = first[block + i]; s < first[block + i + 1]; s++)
                for (size_t w = 0; w < words; w++)
                    sentences[w] += (double)set->sentences[order[s] * words + w] - work->mean_sentence[w];
        }
        lens_dense_add_squares(work->spread, dim, work->left, count);
        lens_dense_add_products(work->answers, dim, words, work->left, work->right, count);
    }
}

/* Classes are told apart by the directions of their rows; as long as a picture is, on the average, they count as much. */
static void add_classes(struct work *work, const lens_word_classes *classes)
{
    const size_t words = work->words, dim = work->dim;
    mean_of(classes->rows, classes->count, dim, work->mean_picture);
    for (size_t wording = 0; wording < classes->wordings; wording++) {
        const float *sentences = classes->sentences + wording * classes->count * words;
        mean_of(sentences, classes->count, words, work->mean_sentence);
        for (size_t block = 0; block < classes->count; block += BLOCK) {
            const size_t count = least(BLOCK, classes->count - block);
            for (size_t i = 0; i < count; i++) {
                double *row = work->left + i * dim;
                centre(classes->rows + (block + i) * dim, dim, work->mean_picture, row);
                const double length = length_of(row, dim), factor = length > 0 ? work->length / length : 0;
                for (size_t d = 0; d < dim; d++)
                    row[d] *= factor;
                centre(sentences + (block + i) * words, words, work->mean_sentence, work->right + i * words);
            }
            lens_dense_add_squares(work->scatter, words, work->right, count);
            lens_dense_add_products(work->answers, dim, words, work->left, work->right, count);
        }
    }
}

/* The answers times the inverse of the spread, in mean variances and with the ball added, divided so that a ball would change nothing. */
static int whiten(struct work *work, lens_error *err)
{
    const size_t dim = work->dim;
    double variance = 0;
    for (size_t i = 0; i < dim; i++)
        variance += work->spread[i * dim + i] / (double)dim;
    if (!isfinite(variance) || variance <= 1e-12 * (double)work->set->picture_count)
        return lens_fail(err, LENS_E_ARGUMENT, "all pictures are the same, or not made of numbers: nothing can be fitted on them");
    const double ball = roundness * (1 + prior / (double)work->set->picture_count);
    for (size_t r = 0; r < dim; r++) {
        for (size_t c = r; c < dim; c++)
            work->spread[r * dim + c] /= variance * (1 + ball);
        work->spread[r * dim + r] += ball / (1 + ball);
    }
    if (lens_dense_factor(work->spread, dim, err) != 0)
        return -1;
    lens_dense_solve(work->spread, dim, work->answers, work->words);
    return 0;
}

/* Sorts the sentences by picture. Both are freed by the caller. */
static int sort_sentences(const lens_word_set *set, size_t **first, size_t **order, lens_error *err)
{
    *first = calloc(set->picture_count + 2, sizeof **first);
    *order = malloc(set->sentence_count * sizeof **order);
    if (!*first || !*order)
        return lens_fail_memory(err);
    for (size_t s = 0; s < set->sentence_count; s++) {
        if (set->owner[s] >= set->picture_count)
            return lens_fail(err, LENS_E_ARGUMENT, "sentence %zu is about picture %zu of %zu", s, set->owner[s], set->picture_count);
        (*first)[set->owner[s] + 2]++;
    }
    for (size_t p = 2; p < set->picture_count + 2; p++)
        (*first)[p] += (*first)[p - 1];
    for (size_t s = 0; s < set->sentence_count; s++)
        (*order)[(*first)[set->owner[s] + 1]++] = s;
    return 0;
}

static int add_set(struct work *work, const lens_word_classes *classes, lens_word_fit *fit, double weight, lens_error *err)
{
    const lens_word_set *set = work->set;
    size_t *first = NULL, *order = NULL;
    int result = sort_sentences(set, &first, &order, err);
    if (result == 0) {
        mean_of(set->sentences, set->sentence_count, work->words, work->mean_sentence);
        mean_of(set->pictures, set->picture_count, work->dim, work->mean_picture);
        add_sentences(work);
        add_pictures(work, first, order);
        if (classes)
            add_classes(work, classes);
        result = whiten(work, err);
    }
    free(first);
    free(order);
    if (result != 0)
        return -1;
    mean_of(set->sentences, set->sentence_count, work->words, work->mean_sentence); /* classes had one of their own */
    fit->weight += weight * (double)set->sentence_count;
    for (size_t r = 0; r < work->words; r++) {
        fit->sum[r] += weight * (double)set->sentence_count * work->mean_sentence[r];
        for (size_t c = r; c < work->words; c++)
            fit->scatter[r * work->words + c] += weight * work->scatter[r * work->words + c];
        for (size_t d = 0; d < work->dim; d++)
            fit->answers[r * work->dim + d] += weight * work->answers[d * work->words + r];
    }
    return 0;
}

static int check_weight(double weight, lens_error *err)
{
    if (isfinite(weight) && weight > 0)
        return 0;
    return lens_fail(err, LENS_E_ARGUMENT, "a weight must be above 0, not %g", weight);
}

static int check_sizes(const lens_word_fit *fit, int words, int dim, lens_error *err)
{
    if (words == fit->words && dim == fit->dim)
        return 0;
    return lens_fail(err, LENS_E_ARGUMENT, "sentences of %d numbers and pictures of %d, for a map from %d to %d", words, dim, fit->words, fit->dim);
}

int lens_word_fit_add(lens_word_fit *fit, const lens_word_set *set, const lens_word_classes *classes, double weight, lens_error *err)
{
    if (check_weight(weight, err) != 0 || check_sizes(fit, set->words, set->dim, err) != 0)
        return -1;
    if (set->picture_count < 2 || set->sentence_count < 1)
        return lens_fail(err, LENS_E_ARGUMENT, "%zu pictures with %zu sentences are too few to fit on", set->picture_count, set->sentence_count);
    const size_t words = (size_t)set->words, dim = (size_t)set->dim, wider = words > dim ? words : dim;
    struct work work = {set,  words, dim, doubles(words, 1), doubles(dim, 1), 0, doubles(words, words), doubles(dim, dim), doubles(dim, words),
                        doubles(BLOCK, wider), doubles(BLOCK, wider)};
    int result;
    if (work.mean_sentence && work.mean_picture && work.scatter && work.spread && work.answers && work.left && work.right)
        result = add_set(&work, classes, fit, weight, err);
    else
        result = lens_fail_memory(err);
    free(work.mean_sentence);
    free(work.mean_picture);
    free(work.scatter);
    free(work.spread);
    free(work.answers);
    free(work.left);
    free(work.right);
    return result;
}

/* ---- a map, and to a map ----------------------------------------------------------------------------------------- */

/* The answers are had back from W: (scatter + ridge) W. */
int lens_word_fit_add_map(lens_word_fit *fit, const lens_word_map *map, double weight, lens_error *err)
{
    if (check_weight(weight, err) != 0 || check_sizes(fit, map->words, map->dim, err) != 0)
        return -1;
    const size_t words = (size_t)map->words, dim = (size_t)map->dim;
    double *scatter = doubles(words, words), *rows = doubles(words, dim);
    if (!scatter || !rows) {
        free(scatter);
        free(rows);
        return lens_fail_memory(err);
    }
    for (size_t r = 0, at = 0; r < words; r++) {
        for (size_t c = r; c < words; c++, at++)
            scatter[r * words + c] = scatter[c * words + r] = weight * (double)map->scatter[at];
        for (size_t d = 0; d < dim; d++)
            rows[r * dim + d] = (double)map->steps[r] * (double)map->rows[r * dim + d];
        for (size_t c = r; c < words; c++)
            fit->scatter[r * words + c] += scatter[r * words + c];
        scatter[r * words + r] += weight * map->ridge;
        fit->sum[r] += weight * map->weight * (double)map->mean[r];
    }
    fit->weight += weight * map->weight;
    lens_dense_add_products(fit->answers, words, dim, scatter, rows, words);
    free(scatter);
    free(rows);
    return 0;
}

static void round_row(const double *row, int dim, float *step, int8_t *out)
{
    double largest = 0;
    for (int d = 0; d < dim; d++)
        largest = fmax(largest, fabs(row[d]));
    *step = (float)(largest / 127);
    for (int d = 0; d < dim; d++)
        out[d] = *step > 0 ? (int8_t)lrint(fmax(-127, fmin(127, row[d] / (double)*step))) : 0;
}

lens_word_map *lens_word_fit_solve(const lens_word_fit *fit, const lens_word_map_about *about, lens_error *err)
{
    if (!(fit->weight > 0)) {
        lens_fail(err, LENS_E_ARGUMENT, "nothing was added to fit on");
        return NULL;
    }
    const size_t words = (size_t)fit->words, dim = (size_t)fit->dim;
    lens_word_map *map = lens_word_map_new(about, fit->words, fit->dim, err);
    double *factor = doubles(words, words), *rows = doubles(words, dim);
    bool done = map && factor && rows;
    if (map && !done)
        lens_fail_memory(err);
    if (done) {
        map->ridge = ridge;
        map->weight = fit->weight;
        for (size_t r = 0, at = 0; r < words; r++) {
            map->mean[r] = (float)(fit->sum[r] / fit->weight);
            for (size_t c = r; c < words; c++, at++) {
                map->scatter[at] = (float)fit->scatter[r * words + c];
                factor[r * words + c] = fit->scatter[r * words + c] + (r == c ? ridge : 0);
            }
        }
        memcpy(rows, fit->answers, words * dim * sizeof *rows);
        done = lens_dense_factor(factor, words, err) == 0;
    }
    if (done) {
        lens_dense_solve(factor, words, rows, dim);
        for (size_t r = 0; r < words; r++)
            round_row(rows + r * dim, fit->dim, &map->steps[r], map->rows + r * dim);
    }
    free(factor);
    free(rows);
    if (done)
        return map;
    lens_word_map_free(map);
    return NULL;
}

lens_word_map *lens_word_fit_set(const lens_word_set *set, const lens_word_classes *classes, const lens_word_map *base, double weight,
                                 const lens_word_map_about *about, lens_error *err)
{
    lens_word_fit *fit = lens_word_fit_new(set->words, set->dim, err);
    lens_word_map *map = NULL;
    if (fit && lens_word_fit_add(fit, set, classes, weight, err) == 0 && (!base || lens_word_fit_add_map(fit, base, 1, err) == 0))
        map = lens_word_fit_solve(fit, about, err);
    lens_word_fit_free(fit);
    return map;
}
