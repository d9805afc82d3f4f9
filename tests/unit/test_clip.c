/* src/encoders/clip.c on small models with random weights: both forms against each other and against a pass in double precision that is
 * written here from docs/MODELS.md. */
#include <math.h>

#include "encoders/family.h"
#include "encoders.h"
#include "golden.h"
#include "random_clip.h"
#include "support.h"
#include "weights.h"

/* ---- the pass in double precision -------------------------------------------------------------------------------- */

static void reference_norm(const char *prefix, const char *name, int width, double epsilon, const double *in, double *out)
{
    char part[96];
    snprintf(part, sizeof part, "%s.weight", name);
    const float *gamma = test_clip_numbers(prefix, part);
    snprintf(part, sizeof part, "%s.bias", name);
    const float *beta = test_clip_numbers(prefix, part);
    double mean = 0, variance = 0;
    for (int i = 0; i < width; i++)
        mean += in[i] / width;
    for (int i = 0; i < width; i++)
        variance += (in[i] - mean) * (in[i] - mean) / width;
    for (int i = 0; i < width; i++)
        out[i] = (in[i] - mean) / sqrt(variance + epsilon) * (double)gamma[i] + (double)beta[i];
}

static void reference_linear(const char *prefix, const char *name, int in, int out, const double *x, double *y)
{
    char part[96];
    snprintf(part, sizeof part, "%s.weight", name);
    const float *weight = test_clip_numbers(prefix, part);
    snprintf(part, sizeof part, "%s.bias", name);
    const float *bias = test_clip_numbers(prefix, part);
    for (int o = 0; o < out; o++) {
        y[o] = (double)bias[o];
        for (int i = 0; i < in; i++)
            y[o] += (double)weight[o * in + i] * x[i];
    }
}

enum { MOST = 48, ROWS = 32 }; /* floats of a row, rows */

/* What each token gave the one that stands for the whole, over all blocks: filled by the last pass. And that one's residual in the end. */
static double given[ROWS][MOST], whole[MOST];

/* X [tokens, width], in place, through all blocks; then the norm and the projection of row TOKEN. */
static void reference_tower(const test_clip_shape *shape, bool causal, bool quick, double x[ROWS][MOST], int tokens, int token,
                            double *features)
{
    const int width = shape->width, each = width / shape->heads;
    double normed[MOST], q[ROWS][MOST], k[ROWS][MOST], v[ROWS][MOST], mixed[ROWS][MOST], each_mixed[ROWS][MOST], added[MOST], wide[MOST];
    for (int layer = 0; layer < shape->layers; layer++) {
        char block[64];
        snprintf(block, sizeof block, "%sencoder.layers.%d.", shape->prefix, layer);
        for (int t = 0; t < tokens; t++) {
            reference_norm(block, "layer_norm1", width, shape->epsilon, x[t], normed);
            reference_linear(block, "self_attn.q_proj", width, width, normed, q[t]);
            reference_linear(block, "self_attn.k_proj", width, width, normed, k[t]);
            reference_linear(block, "self_attn.v_proj", width, width, normed, v[t]);
        }
        for (int t = 0; t < tokens; t++)
            for (int h = 0; h < shape->heads; h++) {
                double weights[ROWS], sum = 0;
                int seen = causal ? t + 1 : tokens;
                for (int s = 0; s < seen; s++) {
                    double score = 0;
                    for (int i = h * each; i < (h + 1) * each; i++)
                        score += q[t][i] * k[s][i];
                    sum += weights[s] = exp(score / sqrt(each));
                }
                for (int i = h * each; i < (h + 1) * each; i++) {
                    mixed[t][i] = 0;
                    for (int s = 0; s < seen; s++) {
                        mixed[t][i] += weights[s] / sum * v[s][i];
                        if (t == token)
                            each_mixed[s][i] = weights[s] / sum * v[s][i];
                    }
                }
            }
        for (int s = 0; s < tokens && !causal; s++) { /* through the projection, without its bias */
            const double nothing[MOST] = {0};
            double bias[MOST];
            reference_linear(block, "self_attn.out_proj", width, width, each_mixed[s], added);
            reference_linear(block, "self_attn.out_proj", width, width, nothing, bias);
            for (int i = 0; i < width; i++)
                given[s][i] = (layer == 0 ? 0 : given[s][i]) + added[i] - bias[i];
        }
        for (int t = 0; t < tokens; t++) {
            reference_linear(block, "self_attn.out_proj", width, width, mixed[t], added);
            for (int i = 0; i < width; i++)
                x[t][i] += added[i];
            reference_norm(block, "layer_norm2", width, shape->epsilon, x[t], normed);
            reference_linear(block, "mlp.fc1", width, shape->mlp, normed, wide);
            for (int i = 0; i < shape->mlp; i++)
                wide[i] *= quick ? 1 / (1 + exp(-1.702 * wide[i])) : (1 + erf(wide[i] / sqrt(2))) / 2;
            reference_linear(block, "mlp.fc2", shape->mlp, width, wide, added);
            for (int i = 0; i < width; i++)
                x[t][i] += added[i];
        }
    }
    memcpy(whole, x[token], sizeof whole);
    reference_norm(shape->prefix, shape->after, width, shape->epsilon, x[token], normed);
    const float *projection = test_clip_numbers("", shape->projection);
    for (int d = 0; d < CLIP_DIM; d++) {
        features[d] = 0;
        for (int i = 0; i < width; i++)
            features[d] += (double)projection[d * width + i] * normed[i];
    }
}

static void reference_picture(const float *pixels, bool quick, double *features)
{
    const test_clip_shape *shape = &test_clip_shapes[0];
    const float *kernel = test_clip_numbers(shape->prefix, "embeddings.patch_embedding.weight"); /* [width, 3, patch, patch] */
    const float *first = test_clip_numbers(shape->prefix, "embeddings.class_embedding");
    const float *positions = test_clip_numbers(shape->prefix, shape->positions);
    double x[ROWS][MOST];
    for (int t = 0; t < CLIP_TOKENS; t++) {
        for (int o = 0; o < shape->width; o++) {
            double sum = t == 0 ? (double)first[o] : 0;
            for (int c = 0; c < 3 && t > 0; c++)
                for (int ky = 0; ky < CLIP_PATCH; ky++)
                    for (int kx = 0; kx < CLIP_PATCH; kx++) {
                        int row = (t - 1) / CLIP_GRID * CLIP_PATCH + ky, column = (t - 1) % CLIP_GRID * CLIP_PATCH + kx;
                        sum += (double)kernel[((o * 3 + c) * CLIP_PATCH + ky) * CLIP_PATCH + kx] *
                               (double)pixels[(row * CLIP_SIDE + column) * 3 + c];
                    }
            x[t][o] = sum + (double)positions[t * shape->width + o];
        }
        reference_norm(shape->prefix, shape->before, shape->width, shape->epsilon, x[t], x[t]);
    }
    reference_tower(shape, false, quick, x, CLIP_TOKENS, 0, features);
}

static void reference_words(const int32_t *ids, int count, int end, bool quick, double *features)
{
    const test_clip_shape *shape = &test_clip_shapes[1];
    const float *tokens = test_clip_numbers(shape->prefix, "embeddings.token_embedding.weight");
    const float *positions = test_clip_numbers(shape->prefix, shape->positions);
    double x[ROWS][MOST];
    for (int t = 0; t < count; t++)
        for (int i = 0; i < shape->width; i++)
            x[t][i] = (double)tokens[ids[t] * shape->width + i] + (double)positions[t * shape->width + i];
    reference_tower(shape, true, quick, x, count, end, features);
}

/* ---- the pass against it ----------------------------------------------------------------------------------------- */

static double apart(const float *got, const double *expected)
{
    double worst = 0, largest = 0;
    for (int i = 0; i < CLIP_DIM; i++) {
        worst = isnan(got[i]) ? INFINITY : fmax(worst, fabs((double)got[i] - expected[i]));
        largest = fmax(largest, fabs(expected[i]));
    }
    assert_true(largest > 0.1);
    if (!(worst < 2e-5))
        fail_msg("features are up to %g apart", worst);
    return worst;
}

enum { PIXELS = CLIP_SIDE * CLIP_SIDE * 3, PICTURES = 19 };

/* Features of PICTURES random pictures, in batches of BATCH. */
static void picture_features(const char *folder, lens_backend backend, int batch, int threads, const float *pixels, float *features)
{
    lens_error err = {0};
    lens_encoder *encoder = test_encoder(folder, "random", LENS_TOWER_PICTURES, backend);
    assert_int_equal(lens_encoder_about(encoder)->dim, CLIP_DIM);
    lens_session *session = test_session(encoder, batch, threads);
    for (int n = 0; n < PICTURES; n += batch) {
        int count = PICTURES - n < batch ? PICTURES - n : batch;
        assert_done(lens_session_features(session, pixels + n * PIXELS, count, features + n * CLIP_DIM, &err), &err);
    }
    lens_session_free(session);
    lens_encoder_close(encoder);
}

static void test_pictures_are_as_documented(void **state)
{
    (void)state;
    char *folder = test_clip_folder(CLIP_GOOD_CONFIG, CLIP_GOOD_PROCESSOR, &(test_clip_faults){0});
    float *pixels = lens_floats_new(PICTURES * PIXELS), features[PICTURES * CLIP_DIM];
    uint64_t seed = 3;
    test_random_fill(&seed, -1, 1, PICTURES * PIXELS, pixels);
    double worst = 0, expected[PICTURES][CLIP_DIM];
    for (int n = 0; n < PICTURES; n++)
        reference_picture(pixels + n * PIXELS, true, expected[n]);
    const int cases[][3] = {{LENS_BACKEND_ONEDNN, 1, 1}, {LENS_BACKEND_ONEDNN, 19, 1}, {LENS_BACKEND_ONEDNN, 16, 2},
                            {LENS_BACKEND_ONEDNN, 7, 3}, {LENS_BACKEND_PLAIN, 8, 1}}; /* backend, batch, threads */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        picture_features(folder, (lens_backend)cases[i][0], cases[i][1], cases[i][2], pixels, features);
        for (int n = 0; n < PICTURES; n++)
            worst = fmax(worst, apart(features + n * CLIP_DIM, expected[n]));
    }
    printf("measured: pictures are at most %.2g from a pass in double precision\n", worst);
    test_folder_remove(folder);
    free(pixels);
}

/* The part of patch T in the features, from what the last pass noted. */
static void reference_part(int t, double *part)
{
    const test_clip_shape *shape = &test_clip_shapes[0];
    const int width = shape->width;
    char name[96];
    snprintf(name, sizeof name, "%s.weight", shape->after);
    const float *gamma = test_clip_numbers(shape->prefix, name), *projection = test_clip_numbers("", shape->projection);
    double mean = 0, variance = 0, own = 0;
    for (int i = 0; i < width; i++) {
        mean += whole[i] / width;
        own += given[t][i] / width;
    }
    for (int i = 0; i < width; i++)
        variance += (whole[i] - mean) * (whole[i] - mean) / width;
    for (int d = 0; d < CLIP_DIM; d++) {
        part[d] = 0;
        for (int i = 0; i < width; i++)
            part[d] += (double)projection[d * width + i] * (double)gamma[i] * (given[t][i] - own) / sqrt(variance + shape->epsilon);
    }
}

static void test_parts_are_what_each_patch_gives(void **state)
{
    (void)state;
    enum { GRID = CLIP_GRID, PLACES = GRID * GRID };
    char *folder = test_clip_folder(CLIP_GOOD_CONFIG, CLIP_GOOD_PROCESSOR, &(test_clip_faults){0});
    lens_error err = {0};
    lens_encoder *encoder = test_encoder(folder, "random", LENS_TOWER_PICTURES, LENS_BACKEND_ONEDNN);
    assert_int_equal(lens_encoder_about(encoder)->grid, GRID);
    lens_session *session = test_session(encoder, 1, 1);
    float pixels[PIXELS], parts[(PLACES + 1) * CLIP_DIM], features[CLIP_DIM];
    uint64_t seed = 8;
    double worst = 0, largest = 0;
    for (int n = 0; n < 5; n++) {
        test_random_fill(&seed, -1, 1, PIXELS, pixels);
        double expected[CLIP_DIM], part[CLIP_DIM];
        reference_picture(pixels, true, expected);
        assert_done(lens_session_parts(session, pixels, parts, &err), &err);
        assert_done(lens_session_features(session, pixels, 1, features, &err), &err);
        for (int t = 0; t < PLACES; t++) {
            reference_part(t + 1, part);
            for (int d = 0; d < CLIP_DIM; d++) {
                worst = fmax(worst, fabs((double)parts[t * CLIP_DIM + d] - part[d]));
                largest = fmax(largest, fabs(part[d]));
            }
        }
        for (int d = 0; d < CLIP_DIM; d++) {
            double sum = 0;
            for (int t = 0; t <= PLACES; t++)
                sum += (double)parts[t * CLIP_DIM + d];
            assert_true(fabs(sum - (double)features[d]) < 2e-5);
        }
    }
    printf("measured: parts of up to %.2g are at most %.2g from those of a pass in double precision\n", largest, worst);
    assert_true(largest > 0.02);
    assert_true(worst < 2e-5);
    lens_session_free(session);
    lens_encoder_close(encoder);
    test_folder_remove(folder);
}

static void test_words_are_as_documented(void **state)
{
    (void)state;
    static const struct {
        const char *end; /* in the configuration */
        int32_t ids[CLIP_CONTEXT];
        int count, token;
    } cases[] = {
        {"29", {28, 3, 7, 29}, 4, 3},
        {"29", {28, 29, 30, 29}, 4, 1},                                                             /* the first end, not the largest */
        {"2", {28, 3, 30, 5, 30, 29}, 6, 2},                                                        /* 2: the first of the largest */
        {"29", {9, 3, 30, 5}, 4, 0},                                                                /* no end at all: the first token */
        {"29", {28, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 29}, CLIP_CONTEXT, CLIP_CONTEXT - 1},
        {"29", {28, 29}, 2, 1},
    };
    double worst = 0;
    for (int backend = LENS_BACKEND_ONEDNN; backend <= LENS_BACKEND_PLAIN; backend++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const char *config = strcmp(cases[i].end, "2") == 0
                                     ? CLIP_CONFIG("12", CLIP_VISION("20", "6", "3", "3"), CLIP_TEXT("527", "2"))
                                     : CLIP_GOOD_CONFIG;
            char *folder = test_clip_folder(config, CLIP_GOOD_PROCESSOR, &(test_clip_faults){0});
            test_words words = test_words_open(folder, (lens_backend)backend);
            assert_int_equal(words.facts.vocabulary, TEST_CLIP_SIZE);
            assert_string_equal(words.facts.embedding, "text_model.embeddings.token_embedding.weight");
            float features[CLIP_DIM];
            double expected[CLIP_DIM];
            test_words_run(&words, cases[i].ids, cases[i].count, features);
            reference_words(cases[i].ids, cases[i].count, cases[i].token, false, expected);
            worst = fmax(worst, apart(features, expected));
            test_words_close(&words);
            test_folder_remove(folder);
        }
    printf("measured: words are at most %.2g from a pass in double precision\n", worst);
}

static void test_the_form_of_open_clip(void **state)
{
    (void)state;
    float *pixels = lens_floats_new(PICTURES * PIXELS), features[PICTURES * CLIP_DIM];
    uint64_t seed = 4;
    test_random_fill(&seed, -1, 1, PICTURES * PIXELS, pixels);
    const int32_t ids[] = {28, 4, 30, 0, 0}; /* padded with zeros, as OpenCLIP does */
    double worst = 0, expected[CLIP_DIM];
    for (int quick = 0; quick < 2; quick++) {
        char *folder = test_open_clip_folder(quick);
        picture_features(folder, LENS_BACKEND_ONEDNN, 8, 1, pixels, features);
        for (int n = 0; n < PICTURES; n++) {
            reference_picture(pixels + n * PIXELS, quick, expected);
            worst = fmax(worst, apart(features + n * CLIP_DIM, expected));
        }
        test_words words = test_words_open(folder, LENS_BACKEND_ONEDNN);
        assert_string_equal(words.facts.embedding, "token_embedding.weight");
        assert_int_equal(words.facts.preparation.corner, LENS_CORNER_ROUND);
        test_words_run(&words, ids, 5, features);
        reference_words(ids, 5, 2, quick, expected);
        worst = fmax(worst, apart(features, expected));
        assert_true(fabs(words.facts.logit_scale - exp((double)*test_clip_numbers("", "logit_scale"))) < 1e-9);
        test_words_close(&words);
        if (quick) { /* the same pictures' tower as Hugging Face's: the same numbers */
            float same[PICTURES * CLIP_DIM];
            char *other = test_clip_folder(CLIP_GOOD_CONFIG, CLIP_GOOD_PROCESSOR, &(test_clip_faults){0});
            picture_features(folder, LENS_BACKEND_ONEDNN, 8, 1, pixels, features);
            picture_features(other, LENS_BACKEND_ONEDNN, 8, 1, pixels, same);
            assert_memory_equal(features, same, sizeof same);
            test_folder_remove(other);
        }
        test_folder_remove(folder);
    }
    printf("measured: OpenCLIP's form is at most %.2g from a pass in double precision\n", worst);
    free(pixels);
}

static void test_half_precision(void **state)
{
    (void)state;
    float *pixels = lens_floats_new(PICTURES * PIXELS), features[2][PICTURES * CLIP_DIM];
    uint64_t seed = 5;
    test_random_fill(&seed, -1, 1, PICTURES * PIXELS, pixels);
    for (int half = 0; half < 2; half++) {
        char *folder = test_clip_folder(CLIP_GOOD_CONFIG, CLIP_GOOD_PROCESSOR, &(test_clip_faults){.half = half});
        picture_features(folder, LENS_BACKEND_ONEDNN, 8, 1, pixels, features[half]);
        test_folder_remove(folder);
    }
    assert_memory_equal(features[0], features[1], sizeof features[0]);
    free(pixels);
}

/* From text to vector, with a tokenizer. */
static void test_words_through_a_session(void **state)
{
    (void)state;
    assert_int_equal(TEST_CLIP_SIZE, 527); /* as the configurations here say */
    static const char config[] = CLIP_CONFIG("12", CLIP_VISION("20", "6", "3", "3"), CLIP_TEXT("527", "526"));
    char *folder = test_clip_folder(config, CLIP_GOOD_PROCESSOR, &(test_clip_faults){0});
    test_clip_write_vocabulary(folder, "");
    lens_error err = {0};
    lens_encoder *encoder = test_encoder(folder, "words", LENS_TOWER_BOTH, LENS_BACKEND_ONEDNN);
    lens_session *session = test_session(encoder, 1, 1);
    const int32_t ids[] = {TEST_FIRST, TEST_CAT, TEST_HAT, TEST_LAST};
    float vector[CLIP_DIM], pixels[PIXELS];
    double expected[CLIP_DIM], length = 0;
    reference_words(ids, 4, 3, false, expected);
    assert_done(lens_session_run_words(session, "Cat hat", vector, &err), &err);
    for (int i = 0; i < CLIP_DIM; i++)
        length += expected[i] * expected[i];
    for (int i = 0; i < CLIP_DIM; i++)
        assert_true(fabs((double)vector[i] - expected[i] / sqrt(length)) < 1e-5);
    /* The other tower is there too. */
    uint64_t seed = 6;
    test_random_fill(&seed, -1, 1, PIXELS, pixels);
    assert_done(lens_session_features(session, pixels, 1, vector, &err), &err);
    reference_picture(pixels, true, expected);
    apart(vector, expected);
    lens_session_free(session);
    lens_encoder_close(encoder);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures_are_as_documented), cmocka_unit_test(test_parts_are_what_each_patch_gives),
        cmocka_unit_test(test_words_are_as_documented),
        cmocka_unit_test(test_the_form_of_open_clip),      cmocka_unit_test(test_half_precision),
        cmocka_unit_test(test_words_through_a_session),
    };
    return cmocka_run_group_tests(tests, test_clip_draw, test_clip_forget);
}
