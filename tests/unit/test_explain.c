/* Where scores come from: parts that add up for encoders that take a mean, what a preparation leaves of a picture, and pictures as files. */
#include <math.h>

#include "encoders/encoder.h"
#include "encoders.h"
#include "memelens.h"
#include "pictures.h"
#include "pixels/decode.h"
#include "pixels/encode.h"
#include "random_clip.h"
#include "support.h"
#include "weights.h"

/* ---- windows ---- */

static void window_is(const char *prep, int width, int height, double x, double y, double w, double h, double share)
{
    lens_preparation p = {.size = 224, .resize = 224, .fit = LENS_FIT_CROP, .filter = LENS_FILTER_BICUBIC};
    lens_error err = {0};
    double window[4];
    assert_done(lens_preparation_override(&p, prep, &err), &err);
    const double got = lens_preparation_window(&p, width, height, window);
    const double expected[4] = {x, y, w, h};
    for (int i = 0; i < 4; i++)
        if (!(fabs(window[i] - expected[i]) <= 1e-9)) /* nor NaN */
            fail_msg("%s of %d x %d: window %d is %.6f, not %.6f", prep, width, height, i, window[i], expected[i]);
    assert_true(fabs(got - share) < 1e-9);
}

static void test_what_a_preparation_leaves(void **state)
{
    (void)state;
    window_is("squash", 500, 400, 0, 0, 1, 1, 1);
    window_is("64", 500, 400, 0, 0, 1, 1, 1);
    window_is("crop", 400, 400, 0, 0, 1, 1, 1);
    window_is("crop", 800, 400, 0.25, 0, 0.5, 1, 0.5);   /* 448 x 224: the middle half */
    window_is("crop", 400, 1600, 0, 0.375, 1, 0.25, 0.25);
    window_is("jina96", 500, 400, 112 / 320.0, 80 / 256.0, 96 / 320.0, 96 / 256.0, 96 * 96 / (320.0 * 256)); /* 320 x 256 */
    window_is("jina96", 256, 256, 80 / 256.0, 80 / 256.0, 0.375, 0.375, 0.140625); /* the middle seventh */
    window_is("pad", 400, 200, 0, -0.5, 1, 2, 1); /* 224 x 112, 56 above and below */
}

/* ---- files ---- */

static void test_pictures_as_files(void **state)
{
    (void)state;
    lens_image scene = test_scene(90, 61, 4), back;
    lens_error err = {0};
    const lens_decode_limits limits = lens_decode_limits_default();
    void *bytes;
    size_t size;
    lens_format format;
    assert_done(lens_encode_png(&scene, &bytes, &size, &err), &err);
    assert_done(lens_decode(bytes, size, &limits, &back, &format, &err), &err);
    assert_int_equal(format, LENS_FORMAT_PNG);
    assert_true(test_difference(&scene, &back) == 0);
    free(bytes);
    lens_image_free(&back);
    assert_done(lens_encode_jpeg(&scene, 90, &bytes, &size, &err), &err);
    assert_done(lens_decode(bytes, size, &limits, &back, &format, &err), &err);
    assert_int_equal(format, LENS_FORMAT_JPEG);
    assert_true(test_difference(&scene, &back) < 6);
    free(bytes);
    lens_image_free(&back);
    lens_image_free(&scene);
}

/* ---- parts ---- */

static double sum_of(const lens_explained *side)
{
    double sum = side->rest;
    for (int i = 0; i < side->grid * side->grid; i++)
        sum += side->parts[i];
    return sum;
}

static void expect_place(double parts[16], const char *place, double sum)
{
    const lens_explained side = {.grid = 4, .parts = parts};
    double found = -1;
    const char *const said = lens_explained_place(&side, &found);
    assert_int_equal(!said, !place);
    if (place)
        assert_string_equal(said, place);
    assert_true(fabs(found - sum) < 1e-12);
}

static void test_a_place_is_told(void **state)
{
    (void)state;
    double parts[16] = {0};
    expect_place(parts, NULL, 0);
    parts[5] = -1;
    expect_place(parts, NULL, 0);
    parts[15] = 0.5; /* the last of all */
    expect_place(parts, "at the lower right", 0.5);
    parts[3] = 0.5; /* above it: the middle of both */
    expect_place(parts, "at the right", 1);
    parts[0] = parts[12] = 0.5; /* all four corners */
    expect_place(parts, "in the middle", 2);
    for (int i = 0; i < 4; i++)
        parts[i] = 1; /* a quarter, before which the rest does not count */
    expect_place(parts, "at the top", 4);
    for (int i = 0; i < 16; i++)
        parts[i] = -1 - i;
    expect_place(parts, NULL, -10);
}

static lens_explanation *explain(const char *folder, const char *a, const char *b)
{
    lens_error err = {0};
    lens_model *model = lens_model_open(folder, "f32", LENS_PICTURES, &err);
    assert_done(model ? 0 : -1, &err);
    const lens_term terms[2] = {{.kind = LENS_TERM_FILE, .text = a, .weight = 1}, {.kind = LENS_TERM_FILE, .text = b, .weight = 1}};
    lens_explanation *why = lens_model_explain(model, &terms[0], &terms[1], 0, &err);
    assert_done(why ? 0 : -1, &err);
    const size_t dim = (size_t)lens_model_dim(model);
    float *vectors = malloc(2 * dim * sizeof *vectors);
    assert_non_null(vectors);
    double cosine = 0;
    for (size_t i = 0; i < 2; i++)
        assert_done(lens_model_embed(model, &terms[i], 0, vectors + i * dim, &err), &err);
    for (size_t i = 0; i < dim; i++)
        cosine += (double)vectors[i] * (double)vectors[dim + i];
    /* What the vectors say, the explanation says, and both of its maps add up to it. */
    assert_true(fabs(why->score - cosine) < 5e-6);
    assert_true(fabs(sum_of(&why->query) - cosine) < 5e-6);
    assert_true(fabs(sum_of(&why->picture) - cosine) < 5e-6);
    free(vectors);
    lens_model_close(model);
    return why;
}

static void test_parts_add_up(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *a = test_path(folder, "a.png"), *b = test_path(folder, "b.png");
    test_picture_write(a, TEST_PNG, 120, 90, 1);
    test_picture_write(b, TEST_PNG, 80, 100, 2);
    char *lite = test_model_new(TEST_MODEL_CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.0"), 3, NULL);
    char *clip = test_clip_folder(CLIP_GOOD_CONFIG, CLIP_GOOD_PROCESSOR, NULL);
    const char *const models[] = {lite, clip, "colour"};
    const int grids[] = {2, CLIP_GRID, 8};
    for (int i = 0; i < 3; i++) {
        lens_explanation *why = explain(models[i], a, b);
        assert_int_equal(why->picture.grid, grids[i]);
        assert_true(i == 1 ? fabs(why->picture.rest) > 0 : i == 2 || why->picture.rest == 0);
        assert_int_equal(why->query.seen.width, 120);
        assert_int_equal(why->picture.seen.height, 100);
        int width, height;
        lens_error err = {0};
        uint8_t *drawn = lens_explanation_draw(why, 100, &width, &height, &err);
        assert_done(drawn ? 0 : -1, &err);
        assert_true(width > 200 && height > 200);
        free(drawn);
        lens_explanation_free(why);
    }
    test_folder_remove(clip);
    test_folder_remove(lite);
    free(a);
    free(b);
    test_folder_remove(folder);
}

static void test_what_cannot_be_explained(void **state)
{
    (void)state;
    char *folder = test_folder_new(), *a = test_path(folder, "a.png");
    test_picture_write(a, TEST_PNG, 20, 20, 1);
    char *lite = test_model_new(TEST_MODEL_CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.0"), 3, NULL);
    const lens_term picture = {.kind = LENS_TERM_FILE, .text = a}, words = {.kind = LENS_TERM_WORDS, .text = "a cat"};
    const lens_term missing = {.kind = LENS_TERM_FILE, .text = "/no/such.png"};
    lens_error err = {0};
    lens_model *model = lens_model_open(lite, "f32", LENS_PICTURES, &err);
    assert_non_null(model);
    assert_null(lens_model_explain(model, &picture, &words, 0, &err));
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    assert_null(lens_model_explain(model, &words, &picture, 0, &err));
    assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    assert_null(lens_model_explain(model, &picture, &missing, 0, &err));
    assert_says(&err, "/no/such.png");
    lens_model_close(model);
    free(a);
    test_folder_remove(lite);
    test_folder_remove(folder);
}

/* ---- against brute force ---- */

static double rank_in(const double *values, int count, int at)
{
    double rank = 0;
    for (int i = 0; i < count; i++)
        rank += values[i] < values[at] ? 1 : values[i] == values[at] && i != at ? 0.5 : 0;
    return rank;
}

/* Spearman's correlation of the ranks. */
static double correlation(const double *a, const double *b, int count)
{
    double mean = (count - 1) / 2.0, ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < count; i++) {
        const double x = rank_in(a, count, i) - mean, y = rank_in(b, count, i) - mean;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

/* The score of PIXELS for VECTOR. */
static double score_of(lens_session *session, const float *pixels, const float *vector, int dim)
{
    float own[2048];
    lens_error err = {0};
    double score = 0;
    assert_true(dim <= 2048);
    assert_done(lens_session_run(session, pixels, 1, own, &err), &err);
    for (int i = 0; i < dim; i++)
        score += (double)own[i] * (double)vector[i];
    return score;
}

/* How well maps of the pictures at PATHS agree with what the score really loses when a position's pixels are taken away (their mean instead):
 * the mean correlation of ranks. With OWN, of each picture for its own vector. Else for the next picture's, where what a position adds to the
 * product and what it adds to the length that the product is divided by nearly cancel: so there the map is of the difference, the cosine's
 * derivative by a position's weight. */
static double agreement(const char *folder, char **paths, int count, bool own)
{
    lens_error err = {0};
    lens_encoder *encoder = test_encoder(folder, "m", LENS_TOWER_PICTURES, LENS_BACKEND_ONEDNN);
    const lens_encoder_info *about = lens_encoder_about(encoder);
    lens_session *session = test_session(encoder, 1, 1);
    const int side = about->preparation.size, dim = about->dim, grid = about->grid;
    const size_t size = (size_t)side * (size_t)side * 3;
    float *pixels = malloc((size_t)count * size * sizeof *pixels), *vectors = malloc((size_t)count * (size_t)dim * sizeof *vectors);
    float *covered = malloc(size * sizeof *covered), *parts = malloc(((size_t)grid * (size_t)grid + 1) * (size_t)dim * sizeof *parts);
    assert_true(pixels && vectors && covered && parts);
    for (int n = 0; n < count; n++) {
        lens_buffer file = test_read(paths[n]);
        const lens_decode_limits limits = lens_decode_limits_default();
        lens_image image, seen;
        assert_done(lens_decode(file.data, file.size, &limits, &image, NULL, &err), &err);
        assert_done(lens_prepare_picture(&image, &about->preparation, &seen, &err), &err);
        lens_prepare_pixels(&seen, &about->preparation, pixels + (size_t)n * size);
        assert_done(lens_session_run(session, pixels + (size_t)n * size, 1, vectors + n * dim, &err), &err);
        lens_image_free(&seen);
        lens_image_free(&image);
        lens_buffer_free(&file);
    }
    double sum = 0;
    int pairs = 0;
    for (int n = 0; n < count; n++) {
        const float *mine = pixels + (size_t)n * size, *self = vectors + n * dim, *other = vectors + (n + !own) % count * dim;
        double map[1024], lost[1024], mean[3] = {0};
        assert_done(lens_session_parts(session, mine, parts, &err), &err);
        for (size_t i = 0; i < size; i++)
            mean[i % 3] += (double)mine[i] / (double)(size / 3);
        const double whole = score_of(session, mine, other, dim);
        for (int p = 0; p < grid * grid; p++) {
            map[p] = 0;
            for (int i = 0; i < dim; i++)
                map[p] += (double)parts[p * dim + i] * ((double)other[i] - (own ? 0 : whole * (double)self[i]));
            memcpy(covered, mine, size * sizeof *covered);
            for (int y = p / grid * side / grid; y < (p / grid + 1) * side / grid; y++)
                for (int x = p % grid * side / grid; x < (p % grid + 1) * side / grid; x++)
                    for (int c = 0; c < 3; c++)
                        covered[(y * side + x) * 3 + c] = (float)mean[c];
            lost[p] = whole - score_of(session, covered, other, dim);
        }
        sum += correlation(map, lost, grid * grid);
        pairs++;
    }
    free(parts);
    free(covered);
    free(vectors);
    free(pixels);
    lens_session_free(session);
    lens_encoder_close(encoder);
    return sum / pairs;
}

static void test_maps_agree_with_occlusion(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    char *folder = test_folder_new(), *paths[COUNT];
    for (unsigned n = 0; n < COUNT; n++) {
        paths[n] = test_path(folder, "%u.png", n);
        test_picture_write(paths[n], TEST_PNG, 64, 64, n + 1);
    }
    char *clip = test_clip_folder(CLIP_GOOD_CONFIG, CLIP_GOOD_PROCESSOR, NULL);
    const double found = agreement(clip, paths, COUNT, false);
    printf("measured: random CLIP: maps and occlusion agree by %.2f (correlation of ranks, mean of %d)\n", found, COUNT);
    assert_true(found > 0.15); /* a shuffled map has 0 +- 0.02 */
    for (unsigned n = 0; n < COUNT; n++)
        free(paths[n]);
    test_folder_remove(clip);
    test_folder_remove(folder);
}

static void test_maps_agree_with_occlusion_on_photos(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    test_need_model("efficientnet-lite0");
    char *photos = test_shared("photos"), *paths[COUNT];
    char *model = test_real_model("efficientnet-lite0");
    char *list = test_shared("photos/captions.tsv");
    lens_buffer text = test_read(list);
    int count = 0;
    for (char *line = strchr(text.data, '\n'); line && count < COUNT; line = strchr(line + 1, '\n')) {
        char *path = test_path(photos, "%.*s", (int)strcspn(line + 1, "\t\n"), line + 1);
        if (lens_file_exists(path) && (count == 0 || strcmp(paths[count - 1], path) != 0))
            paths[count++] = path;
        else
            free(path);
    }
    assert_int_equal(count, COUNT);
    const double own = agreement(model, paths, COUNT, true), others = agreement(model, paths, COUNT, false);
    printf("measured: efficientnet-lite0: maps and occlusion agree by %.2f for a photo's own vector, by %.2f for another's (correlation of ranks, "
           "mean of %d photos)\n", own, others, COUNT);
    assert_true(own > 0.5 && others > 0.2); /* a shuffled map has 0 +- 0.05 */
    for (int n = 0; n < count; n++)
        free(paths[n]);
    lens_buffer_free(&text);
    free(list);
    free(model);
    free(photos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_preparation_leaves), cmocka_unit_test(test_pictures_as_files), cmocka_unit_test(test_a_place_is_told),
        cmocka_unit_test(test_parts_add_up), cmocka_unit_test(test_what_cannot_be_explained), cmocka_unit_test(test_maps_agree_with_occlusion),
        cmocka_unit_test(test_maps_agree_with_occlusion_on_photos),
    };
    return cmocka_run_group_tests(tests, test_clip_draw, test_clip_forget);
}
