/* Maps from words to pictures: src/encoders/word_map.c and the file, word_fit.c against the formulas, word_cross.c where the figures are known. */
#include <math.h>

#include "encoders/word_fit.h"
#include "support.h"
#include "weights.h"

enum { WORDS = 6, DIM = 9, PICTURES = 14, EACH = 3, SENTENCES = PICTURES * EACH, CLASSES = 11 };

static const lens_word_map_about about = {"sentences", "pictures", {{1, 2}}, {{3}}, "made-up numbers"};

static void unit(float *row, size_t count)
{
    double square = 0;
    for (size_t i = 0; i < count; i++)
        square += (double)row[i] * (double)row[i];
    for (size_t i = 0; i < count; i++)
        row[i] = (float)((double)row[i] / sqrt(square));
}

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

struct sample {
    float pictures[PICTURES * DIM], sentences[SENTENCES * WORDS], rows[CLASSES * DIM], names[2 * CLASSES * WORDS];
    size_t owner[SENTENCES];
    lens_word_set set;
    lens_word_classes classes;
};

/* Random pictures around a middle; their sentences are not in their order. */
static void fill(struct sample *sample, uint64_t seed)
{
    test_random_fill(&seed, -0.5f, 1, PICTURES * DIM, sample->pictures);
    test_random_fill(&seed, -0.6f, 1, SENTENCES * WORDS, sample->sentences);
    test_random_fill(&seed, -1, 1, CLASSES * DIM, sample->rows);
    test_random_fill(&seed, -1, 1, 2 * CLASSES * WORDS, sample->names);
    for (size_t p = 0; p < PICTURES; p++)
        unit(sample->pictures + p * DIM, DIM);
    for (size_t s = 0; s < SENTENCES; s++) {
        unit(sample->sentences + s * WORDS, WORDS);
        sample->owner[s] = s * 5 % PICTURES;
    }
    sample->set = (lens_word_set){sample->pictures, PICTURES, DIM, sample->sentences, sample->owner, SENTENCES, WORDS};
    sample->classes = (lens_word_classes){sample->rows, sample->names, CLASSES, 2};
}

static lens_word_map *fitted(const struct sample *sample, bool classes, const lens_word_map *base, double weight)
{
    lens_error err = {0};
    lens_word_map *map = lens_word_fit_set(&sample->set, classes ? &sample->classes : NULL, base, weight, &about, &err);
    assert_done(map ? 0 : -1, &err);
    return map;
}

/* The least cosine of the queries that the two make of the sentences of SAMPLE. */
static double agreement(const lens_word_map *a, const lens_word_map *b, const struct sample *sample)
{
    double least = 1;
    for (size_t s = 0; s < SENTENCES; s++) {
        lens_error err = {0};
        float first[DIM], second[DIM];
        assert_done(lens_word_map_apply(a, sample->sentences + s * WORDS, first, &err), &err);
        assert_done(lens_word_map_apply(b, sample->sentences + s * WORDS, second, &err), &err);
        assert_true(fabs(dot(first, first, DIM) - 1) < 1e-6);
        least = fmin(least, dot(first, second, DIM));
    }
    return least;
}

/* ---- fitting ----------------------------------------------------------------------------------------------------- */

/* A [n, n] X = B [n, cols] by Gauss and Jordan, into B. */
static void solve(double *a, size_t n, double *b, size_t cols)
{
    for (size_t k = 0; k < n; k++)
        for (size_t r = 0; r < n; r++) {
            if (r == k)
                continue;
            const double factor = a[r * n + k] / a[k * n + k];
            for (size_t c = 0; c < n; c++)
                a[r * n + c] -= factor * a[k * n + c];
            for (size_t c = 0; c < cols; c++)
                b[r * cols + c] -= factor * b[k * cols + c];
        }
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < cols; c++)
            b[r * cols + c] /= a[r * n + r];
}

static void mean(const float *rows, size_t count, size_t each, double *out)
{
    for (size_t i = 0; i < each; i++) {
        out[i] = 0;
        for (size_t r = 0; r < count; r++)
            out[i] += (double)rows[r * each + i] / (double)count;
    }
}

/* W as docs/MODELS.md has it, pair by pair. */
static void plain(const struct sample *sample, bool classes, double w[WORDS * DIM], double mean_sentence[WORDS])
{
    double middle[DIM], spread[DIM * DIM] = {0}, scatter[WORDS * WORDS] = {0}, answers[DIM * WORDS] = {0}, length = 0, variance = 0;
    mean(sample->pictures, PICTURES, DIM, middle);
    mean(sample->sentences, SENTENCES, WORDS, mean_sentence);
    for (size_t p = 0; p < PICTURES; p++) {
        double square = 0;
        for (size_t i = 0; i < DIM; i++) {
            const double x = (double)sample->pictures[p * DIM + i] - middle[i];
            square += x * x;
            for (size_t j = 0; j < DIM; j++)
                spread[i * DIM + j] += x * ((double)sample->pictures[p * DIM + j] - middle[j]);
        }
        length += sqrt(square) / PICTURES;
        variance += square / DIM;
    }
    for (size_t s = 0; s < SENTENCES; s++)
        for (size_t i = 0; i < WORDS; i++) {
            const double x = (double)sample->sentences[s * WORDS + i] - mean_sentence[i];
            for (size_t j = 0; j < WORDS; j++)
                scatter[i * WORDS + j] += x * ((double)sample->sentences[s * WORDS + j] - mean_sentence[j]);
            for (size_t d = 0; d < DIM; d++)
                answers[d * WORDS + i] += x * ((double)sample->pictures[sample->owner[s] * DIM + d] - middle[d]);
        }
    double rows[DIM], names[WORDS];
    mean(sample->rows, CLASSES, DIM, rows);
    for (size_t wording = 0; classes && wording < 2; wording++) {
        const float *all = sample->names + wording * CLASSES * WORDS;
        mean(all, CLASSES, WORDS, names);
        for (size_t c = 0; c < CLASSES; c++) {
            double square = 0;
            for (size_t d = 0; d < DIM; d++)
                square += pow((double)sample->rows[c * DIM + d] - rows[d], 2);
            for (size_t i = 0; i < WORDS; i++) {
                const double x = (double)all[c * WORDS + i] - names[i];
                for (size_t j = 0; j < WORDS; j++)
                    scatter[i * WORDS + j] += x * ((double)all[c * WORDS + j] - names[j]);
                for (size_t d = 0; d < DIM; d++)
                    answers[d * WORDS + i] += x * ((double)sample->rows[c * DIM + d] - rows[d]) * length / sqrt(square);
            }
        }
    }
    const double ball = 20 * (1 + 30.0 / PICTURES);
    for (size_t i = 0; i < DIM * DIM; i++)
        spread[i] = (spread[i] / variance + (i % (DIM + 1) == 0 ? ball : 0)) / (1 + ball);
    for (size_t i = 0; i < WORDS; i++)
        scatter[i * WORDS + i] += 3;
    solve(spread, DIM, answers, WORDS);
    for (size_t i = 0; i < WORDS; i++)
        for (size_t d = 0; d < DIM; d++)
            w[i * DIM + d] = answers[d * WORDS + i];
    solve(scatter, WORDS, w, DIM);
}

static void test_against_the_formulas(void **state)
{
    (void)state;
    struct sample sample;
    fill(&sample, 1);
    for (int classes = 0; classes < 2; classes++) {
        double w[WORDS * DIM], mean_sentence[WORDS];
        plain(&sample, classes, w, mean_sentence);
        lens_word_map *map = fitted(&sample, classes, NULL, 1);
        assert_true(map->words == WORDS && map->dim == DIM && map->weight == SENTENCES && map->ridge == 3);
        for (size_t i = 0; i < WORDS; i++) {
            assert_true(fabs((double)map->mean[i] - mean_sentence[i]) < 1e-7);
            for (size_t d = 0; d < DIM; d++) /* half a step, which is a 127th of the row's largest number */
                assert_true(fabs((double)map->steps[i] * map->rows[i * DIM + d] - w[i * DIM + d]) <= 0.501 * (double)map->steps[i]);
        }
        lens_word_map_free(map);
    }
}

static void test_a_weight_is_so_many_sentences(void **state)
{
    (void)state;
    struct sample sample;
    fill(&sample, 2);
    float twice[2 * SENTENCES * WORDS];
    size_t owner[2 * SENTENCES];
    for (size_t half = 0; half < 2; half++) {
        memcpy(twice + half * SENTENCES * WORDS, sample.sentences, sizeof sample.sentences);
        memcpy(owner + half * SENTENCES, sample.owner, sizeof sample.owner);
    }
    lens_word_map *once = fitted(&sample, false, NULL, 1), *weighted = fitted(&sample, false, NULL, 2);
    lens_error err = {0};
    lens_word_set set = sample.set;
    set.sentences = twice;
    set.owner = owner;
    set.sentence_count = 2 * SENTENCES;
    lens_word_map *doubled = lens_word_fit_set(&set, NULL, NULL, 1, &about, &err);
    assert_done(doubled ? 0 : -1, &err);
    assert_true(weighted->weight == doubled->weight);
    assert_true(agreement(weighted, doubled, &sample) > 0.9999999);
    assert_true(agreement(weighted, once, &sample) < 0.9999);
    lens_word_map_free(once);
    lens_word_map_free(weighted);
    lens_word_map_free(doubled);
}

/* Going on from a map is what fitting on all of it at once would have been. */
static void test_a_map_adds_up(void **state)
{
    (void)state;
    lens_error err = {0};
    struct sample first, second;
    fill(&first, 3);
    fill(&second, 4);
    lens_word_map *base = fitted(&first, true, NULL, 1), *alone = fitted(&second, false, NULL, 1);
    lens_word_map *further = fitted(&second, false, base, 0.7);
    lens_word_fit *fit = lens_word_fit_new(WORDS, DIM, &err);
    assert_done(fit ? 0 : -1, &err);
    assert_done(lens_word_fit_add(fit, &first.set, &first.classes, 1, &err), &err);
    assert_done(lens_word_fit_add(fit, &second.set, NULL, 0.7, &err), &err);
    lens_word_map *both = lens_word_fit_solve(fit, &about, &err);
    assert_done(both ? 0 : -1, &err);
    assert_true(fabs(both->weight - 1.7 * SENTENCES) < 1e-9 && fabs(further->weight - both->weight) < 1e-9);
    assert_true(agreement(further, both, &first) > 0.9999 && agreement(further, both, &second) > 0.9999);
    assert_true(agreement(further, base, &first) < 0.999 && agreement(further, alone, &second) < 0.999);
    lens_word_fit_free(fit);

    fit = lens_word_fit_new(WORDS, DIM, &err); /* a map may weigh more, or less */
    assert_done(fit ? 0 : -1, &err);
    assert_done(lens_word_fit_add_map(fit, base, 0.5, &err), &err);
    assert_done(lens_word_fit_add(fit, &second.set, NULL, 0.35, &err), &err);
    lens_word_map *half = lens_word_fit_solve(fit, &about, &err);
    assert_done(half ? 0 : -1, &err);
    lens_word_fit_free(fit);
    fit = lens_word_fit_new(WORDS, DIM, &err);
    assert_done(fit ? 0 : -1, &err);
    assert_done(lens_word_fit_add(fit, &first.set, &first.classes, 0.5, &err), &err);
    assert_done(lens_word_fit_add(fit, &second.set, NULL, 0.35, &err), &err);
    lens_word_map *halves = lens_word_fit_solve(fit, &about, &err);
    assert_done(halves ? 0 : -1, &err);
    lens_word_fit_free(fit);
    assert_true(agreement(half, halves, &first) > 0.9999 && agreement(half, halves, &second) > 0.9999);
    for (size_t i = 0; i < WORDS; i++)
        assert_true(fabs((double)half->mean[i] - (double)further->mean[i]) < 1e-6); /* halves of both weigh as wholes of both */

    fit = lens_word_fit_new(WORDS, DIM, &err); /* and a map alone comes back as it was */
    assert_done(fit ? 0 : -1, &err);
    assert_done(lens_word_fit_add_map(fit, base, 1, &err), &err);
    lens_word_map *same = lens_word_fit_solve(fit, &about, &err);
    assert_done(same ? 0 : -1, &err);
    assert_memory_equal(same->rows, base->rows, WORDS * DIM);
    assert_memory_equal(same->scatter, base->scatter, WORDS * (WORDS + 1) / 2 * sizeof *base->scatter);
    lens_word_fit_free(fit);
    lens_word_map *maps[] = {base, alone, further, both, half, halves, same};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        lens_word_map_free(maps[i]);
}

static void test_what_cannot_be_fitted(void **state)
{
    (void)state;
    lens_error err = {0};
    struct sample sample;
    fill(&sample, 5);
    lens_word_fit *fit = lens_word_fit_new(WORDS, DIM, &err);
    assert_done(fit ? 0 : -1, &err);
    assert_null(lens_word_fit_solve(fit, &about, &err));
    assert_says(&err, "nothing was added");
    const struct {
        lens_word_set set;
        const char *says;
    } wrong[] = {
        {{sample.pictures, 1, DIM, sample.sentences, (size_t[SENTENCES]){0}, SENTENCES, WORDS}, "too few"},
        {{sample.pictures, PICTURES, DIM, sample.sentences, sample.owner, 0, WORDS}, "too few"},
        {{sample.pictures, PICTURES, DIM - 1, sample.sentences, sample.owner, SENTENCES, WORDS}, "for a map from 6 to 9"},
        {{sample.pictures, 3, DIM, sample.sentences, sample.owner, SENTENCES, WORDS}, "is about picture"},
        {{(float[2 * DIM]){0}, 2, DIM, sample.sentences, (size_t[1]){0}, 1, WORDS}, "all pictures are the same"},
        {{(float[2 * DIM]){NAN}, 2, DIM, sample.sentences, (size_t[1]){0}, 1, WORDS}, "not made of numbers"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(lens_word_fit_add(fit, &wrong[i].set, NULL, 1, &err), -1);
        assert_int_equal(err.code, LENS_E_ARGUMENT);
        assert_says(&err, wrong[i].says);
    }
    assert_int_equal(lens_word_fit_add(fit, &sample.set, NULL, 0, &err), -1);
    assert_says(&err, "a weight must be above 0");
    assert_null(lens_word_fit_solve(fit, &about, &err)); /* none of it went in */
    sample.sentences[4] = NAN;
    assert_done(lens_word_fit_add(fit, &sample.set, NULL, 1, &err), &err);
    assert_null(lens_word_fit_solve(fit, &about, &err));
    assert_says(&err, "not positive definite");
    lens_word_fit_free(fit);
}

/* ---- cross-validation -------------------------------------------------------------------------------------------- */

enum { TOY = 40 };

/* Forty pictures on axes of their own, in folds of eight. Of three sentences each the first is the picture itself, and found first; the second is its
 * opposite, and found last, eighth; the third says nothing, and is not found. */
static void test_figures_by_hand(void **state)
{
    (void)state;
    lens_error err = {0};
    static float pictures[TOY * TOY], sentences[3 * TOY * TOY];
    size_t owner[3 * TOY];
    lens_word_map *same = lens_word_map_new(&about, TOY, TOY, &err);
    assert_done(same ? 0 : -1, &err);
    same->ridge = same->weight = 1;
    for (size_t p = 0; p < TOY; p++) {
        same->steps[p] = 1;
        same->rows[p * TOY + p] = 1;
        pictures[p * TOY + p] = 1;
        sentences[3 * p * TOY + p] = 1;
        sentences[(3 * p + 1) * TOY + p] = -1;
        owner[3 * p] = owner[3 * p + 1] = owner[3 * p + 2] = p;
    }
    const lens_word_set set = {pictures, TOY, TOY, sentences, owner, 3 * TOY, TOY};
    lens_word_recall before, after;
    assert_done(lens_word_cross(&set, NULL, same, 1, 7, &before, &after, &err), &err);
    assert_true(before.sentences == 3 * TOY && before.gallery == TOY / LENS_WORD_FOLDS);
    assert_true(fabs(before.at_1 - 1.0 / 3) < 1e-12);
    assert_true(fabs(before.at_5 - 1.0 / 3) < 1e-12);
    assert_true(fabs(before.at_10 - 2.0 / 3) < 1e-12);
    lens_word_map_free(same);

    const lens_word_set few = {pictures, 2 * LENS_WORD_FOLDS - 1, TOY, sentences, owner, 1, TOY};
    assert_int_equal(lens_word_cross(&few, NULL, NULL, 1, 7, &before, &after, &err), -1);
    assert_says(&err, "too few for a cross-validation: it takes 10");
}

enum { LOT = 100, LOT_DIM = 120 };

/* The sentences of a picture are all the same and have nothing to do with what is on it: a map learns them by heart, and can find nothing by it as
 * long as no sentence of a picture is on both sides. */
static void test_folds_are_of_pictures(void **state)
{
    (void)state;
    lens_error err = {0};
    static float pictures[LOT * LOT_DIM], sentences[4 * LOT * LOT_DIM];
    size_t owner[4 * LOT];
    uint64_t seed = 11;
    test_random_fill(&seed, -1, 1, LOT * LOT_DIM, pictures);
    test_random_fill(&seed, -1, 1, LOT * LOT_DIM, sentences);
    for (size_t i = 0; i < 4 * LOT; i++) {
        owner[i] = i % LOT;
        if (i >= LOT)
            memcpy(sentences + i * LOT_DIM, sentences + owner[i] * LOT_DIM, LOT_DIM * sizeof *sentences);
        unit(sentences + i * LOT_DIM, LOT_DIM);
        unit(pictures + owner[i] * LOT_DIM, LOT_DIM);
    }
    const lens_word_set set = {pictures, LOT, LOT_DIM, sentences, owner, 4 * LOT, LOT_DIM};
    lens_word_map *all = lens_word_fit_set(&set, NULL, NULL, 1, &about, &err);
    assert_done(all ? 0 : -1, &err);
    lens_word_recall by_heart, after, again, other;
    assert_done(lens_word_cross(&set, NULL, all, 1, 1, &by_heart, &after, &err), &err);
    assert_true(by_heart.at_1 > 0.95);
    assert_done(lens_word_cross(&set, NULL, NULL, 1, 1, NULL, &after, &err), &err);
    assert_true(after.at_1 < 0.2 && after.at_10 > 0.3 && after.at_10 < 0.7); /* by chance 0.05 and 0.5 */
    assert_done(lens_word_cross(&set, NULL, NULL, 1, 1, NULL, &again, &err), &err);
    assert_memory_equal(&after, &again, sizeof after);
    assert_done(lens_word_cross(&set, NULL, NULL, 1, 2, NULL, &other, &err), &err);
    assert_true(other.at_1 != after.at_1 || other.at_5 != after.at_5 || other.at_10 != after.at_10);
    lens_word_map_free(all);
}

/* What is on a picture follows from its sentence: unseen ones are found. */
static void test_a_rule_is_learnt(void **state)
{
    (void)state;
    lens_error err = {0};
    enum { MANY = 400 };
    static float pictures[MANY * DIM], sentences[MANY * WORDS], rule[WORDS * DIM];
    static size_t owner[MANY];
    uint64_t seed = 12;
    test_random_fill(&seed, -1, 1, WORDS * DIM, rule);
    test_random_fill(&seed, -1, 1, MANY * WORDS, sentences);
    for (size_t p = 0; p < MANY; p++) {
        owner[p] = p;
        unit(sentences + p * WORDS, WORDS);
        for (size_t d = 0; d < DIM; d++) {
            pictures[p * DIM + d] = 3;
            for (size_t w = 0; w < WORDS; w++)
                pictures[p * DIM + d] += sentences[p * WORDS + w] * rule[w * DIM + d];
        }
        unit(pictures + p * DIM, DIM);
    }
    const lens_word_set set = {pictures, MANY, DIM, sentences, owner, MANY, WORDS};
    lens_word_recall after;
    assert_done(lens_word_cross(&set, NULL, NULL, 1, 1, NULL, &after, &err), &err);
    assert_int_equal(after.gallery, MANY / LENS_WORD_FOLDS);
    printf("measured: a rule of made-up numbers, unseen pictures among 80: R@1 %.3f R@5 %.3f R@10 %.3f\n", after.at_1, after.at_5, after.at_10);
    assert_true(after.at_10 > 0.8);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static lens_buffer written(const lens_word_map *map)
{
    lens_error err = {0};
    char *folder = test_folder_new(), *path = test_path(folder, "map");
    assert_done(lens_word_map_write(map, path, &err), &err);
    lens_word_map *read = lens_word_map_read(path, &err);
    assert_done(read ? 0 : -1, &err);
    lens_word_map_free(read);
    lens_buffer bytes = test_read(path);
    free(path);
    test_folder_remove(folder);
    return bytes;
}

static void test_what_was_written_is_read(void **state)
{
    (void)state;
    lens_error err = {0};
    struct sample sample;
    fill(&sample, 6);
    lens_word_map *map = fitted(&sample, true, NULL, 1);
    lens_buffer bytes = written(map), again;
    lens_word_map *read = lens_word_map_view(bytes.data, bytes.size, "map", &err);
    assert_done(read ? 0 : -1, &err);
    assert_string_equal(read->about.words_model, "sentences");
    assert_string_equal(read->about.pictures_model, "pictures");
    assert_string_equal(read->about.fitted_on, "made-up numbers");
    assert_memory_equal(&read->about.words_print, &about.words_print, sizeof about.words_print);
    assert_memory_equal(&read->about.pictures_print, &about.pictures_print, sizeof about.pictures_print);
    assert_true(read->weight == SENTENCES && read->ridge == 3);
    again = written(read);
    assert_int_equal(again.size, bytes.size);
    assert_memory_equal(again.data, bytes.data, bytes.size);
    assert_true(agreement(map, read, &sample) > 0.9999999);
    lens_buffer_free(&bytes);
    lens_buffer_free(&again);
    lens_word_map_free(map);
    lens_word_map_free(read);
}

static int refused(const void *bytes, size_t size, lens_error *err)
{
    lens_word_map *map = lens_word_map_view(bytes, size, "map", err);
    const bool no = !map && (err->code == LENS_E_FORMAT || err->code == LENS_E_VERSION);
    lens_word_map_free(map);
    return no;
}

static void test_damage_is_refused(void **state)
{
    (void)state;
    lens_error err = {0};
    struct sample sample;
    fill(&sample, 7);
    lens_word_map *map = fitted(&sample, false, NULL, 1);
    lens_buffer bytes = written(map);
    for (size_t size = 0; size < bytes.size; size++)
        assert_true(refused(bytes.data, size, &err));
    for (size_t i = 0; i < bytes.size; i++) {
        bytes.data[i] ^= 0x10;
        assert_true(refused(bytes.data, bytes.size, &err));
        bytes.data[i] ^= 0x10;
    }
    lens_word_map_free(map);
    lens_buffer_free(&bytes);
}

/* Lies under a checksum that is right. */
static void test_lies_are_refused(void **state)
{
    (void)state;
    lens_error err = {0};
    struct sample sample;
    fill(&sample, 8);
    lens_word_map *map = fitted(&sample, false, NULL, 1);
    const size_t texts = 80, mean = texts + strlen("sentencespicturesmade-up numbers"), scatter = mean + WORDS * sizeof(float);
    const size_t steps = scatter + WORDS * (WORDS + 1) / 2 * sizeof(float);
    const float not_a_number = NAN, negative = -1, endless = INFINITY;
    const double nothing = 0;
    const struct {
        size_t at;
        const void *bytes;
        size_t size;
        const char *says;
    } lies[] = {
        {0, "M", 1, "first bytes"},
        {8, (uint32_t[]){2}, 4, "a map of version 2"},
        {12, (uint32_t[]){0}, 4, "sizes"},
        {12, (uint32_t[]){UINT32_MAX}, 4, "sizes"},
        {16, (uint32_t[]){0}, 4, "sizes"},
        {16, (uint32_t[]){DIM + 1}, 4, "size"},
        {16, (uint32_t[]){UINT32_MAX}, 4, "sizes"},
        {20, (uint32_t[]){UINT32_MAX}, 4, "sizes"},
        {28, (uint32_t[]){14}, 4, "size"},
        {64, &nothing, 8, "ridge"},
        {72, (double[]){-INFINITY}, 8, "weight"},
        {texts + 2, "", 1, "names"},
        {texts + 2, "\xff", 1, "names"},
        {mean, &not_a_number, 4, "mean"},
        {scatter, &negative, 4, "scatter"},
        {scatter + WORDS * sizeof(float), &negative, 4, "scatter"},
        {scatter + sizeof(float), &endless, 4, "scatter"},
        {steps, &negative, 4, "steps"},
        {steps + sizeof(float), &not_a_number, 4, "steps"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        lens_buffer bytes = written(map);
        memcpy(bytes.data + lies[i].at, lies[i].bytes, lies[i].size);
        const lens_hash hash = lens_hash_of(bytes.data, bytes.size - sizeof hash);
        memcpy(bytes.data + bytes.size - sizeof hash, &hash, sizeof hash);
        assert_true(refused(bytes.data, bytes.size, &err));
        assert_says(&err, lies[i].says);
        lens_buffer_free(&bytes);
    }
    map->steps[0] = NAN; /* and none is written */
    assert_int_equal(lens_word_map_write(map, "/nowhere/at/all", &err), -1);
    assert_says(&err, "its steps");
    lens_word_map_free(map);
}

static void test_words_that_say_nothing(void **state)
{
    (void)state;
    lens_error err = {0};
    struct sample sample;
    fill(&sample, 9);
    lens_word_map *map = fitted(&sample, false, NULL, 1);
    float query[DIM];
    assert_int_equal(lens_word_map_apply(map, map->mean, query, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    assert_says(&err, "say nothing about pictures");
    lens_word_map_free(map);
}

static void test_the_one_that_is_built_in(void **state)
{
    (void)state;
    lens_error err = {0};
    lens_word_map *map = lens_word_map_built_in(&err);
    assert_done(map ? 0 : -1, &err);
    assert_true(map->words == 384 && map->dim == 1280 && map->weight > 0);
    assert_string_equal(map->about.words_model, "all-minilm-l6-v2");
    assert_string_equal(map->about.pictures_model, "efficientnet-lite0");
    assert_non_null(strstr(map->about.fitted_on, "Flickr8k"));
    lens_word_map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_formulas),
        cmocka_unit_test(test_a_weight_is_so_many_sentences),
        cmocka_unit_test(test_a_map_adds_up),
        cmocka_unit_test(test_what_cannot_be_fitted),
        cmocka_unit_test(test_figures_by_hand),
        cmocka_unit_test(test_folds_are_of_pictures),
        cmocka_unit_test(test_a_rule_is_learnt),
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_damage_is_refused),
        cmocka_unit_test(test_lies_are_refused),
        cmocka_unit_test(test_words_that_say_nothing),
        cmocka_unit_test(test_the_one_that_is_built_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
