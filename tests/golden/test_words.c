/* Words through the whole program: what index, search, embed and label say, against the vectors that PyTorch gave for the same
 * pictures and texts. */
#include <math.h>

#include "nn/safetensors.h"
#include "npy.h"
#include "world.h"

enum { PICTURES = 6, TEXTS = 4 };

/* A golden folder with the vectors that belong to it, indexed in the world under the name of its path. */
struct golden {
    char *folder;
    test_npy images, texts; /* [pictures, dim], [texts, dim], each of length 1 */
    const char *text[TEXTS];
    json_t *list;
};

static struct golden golden_open(const test_world *world, const char *name)
{
    struct golden golden = {.folder = test_shared(name)};
    char *images = test_path(golden.folder, "image_embeds.npy"), *texts = test_path(golden.folder, "text_embeds.npy");
    char *list = test_path(golden.folder, "texts.json");
    golden.images = test_npy_read(images);
    golden.texts = test_npy_read(texts);
    golden.list = json_load_file(list, 0, NULL);
    assert_true(golden.images.shape[0] == PICTURES && golden.texts.shape[0] == TEXTS && json_array_size(golden.list) == TEXTS);
    for (size_t i = 0; i < TEXTS; i++)
        golden.text[i] = json_string_value(json_object_get(json_array_get(golden.list, i), "text"));
    test_run run = test_world_expect(world, 0, "index", "-q", "--precision", "f32", "--model", golden.folder, golden.folder, NULL);
    test_run_free(&run);
    free(images), free(texts), free(list);
    return golden;
}

static void golden_close(struct golden *golden)
{
    json_decref(golden->list);
    test_npy_free(&golden->images);
    test_npy_free(&golden->texts);
    free(golden->folder);
}

static const float *row(const test_npy *array, size_t at)
{
    return array->data + at * array->shape[1];
}

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* The N of ".../pictureN.png". */
static size_t picture_of(const char *path)
{
    const char *at = path ? strstr(path, "/picture") : NULL;
    assert_non_null(at);
    size_t number = strtoul(at + strlen("/picture"), NULL, 10);
    assert_true(number < PICTURES);
    return number;
}

static double number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    assert_non_null(value);
    return value;
}

static void check_search(const test_world *world, const char *name)
{
    struct golden golden = golden_open(world, name);
    const size_t dim = golden.images.shape[1];
    double worst = 0;
    for (size_t t = 0; t < TEXTS; t++) {
        test_run run = test_world_expect(world, 0, "search", "--json", "--precision", "f32", "--", golden.text[t], NULL);
        json_t *lines = test_json_lines(&run.out);
        assert_int_equal(json_array_size(lines), PICTURES);
        for (size_t i = 0; i < PICTURES; i++) {
            const json_t *result = json_array_get(lines, i);
            assert_null(json_object_get(result, "terms")); /* one term has all of the score */
            double expected = dot(row(&golden.texts, t), row(&golden.images, picture_of(text(result, "path"))), dim);
            worst = fmax(worst, fabs(number(result, "score") - expected));
            assert_true(i == 0 || number(result, "score") <= number(json_array_get(lines, i - 1), "score"));
        }
        json_decref(lines);
        test_run_free(&run);
    }
    printf("measured: %s: cosines of words to pictures are at most %.1e from PyTorch's\n", strrchr(name, '/') + 1, worst);
    assert_true(worst < 2e-6);
    golden_close(&golden);
}

static void test_words_find_what_pytorch_finds(void **state)
{
    check_search(*state, "golden/tiny-clip");
}

static void test_words_find_what_pytorch_finds_with_gelu(void **state)
{
    check_search(*state, "golden/tiny-clip-gelu");
}

static void test_words_find_what_open_clip_finds(void **state)
{
    check_search(*state, "golden/tiny-openclip");
}

/* A picture, words and other words away, weighted: the scores are those of the normalised sum, and the shares add up to them. */
static void test_terms_add_up(void **state)
{
    test_world *world = *state;
    struct golden golden = golden_open(world, "golden/tiny-clip");
    const size_t dim = golden.images.shape[1];
    char *picture = test_path(golden.folder, "picture2.png");
    char words[300], away[300];
    snprintf(words, sizeof words, "+%s", golden.text[0]);
    snprintf(away, sizeof away, "-0.5:%s", golden.text[1]);
    test_run run = test_world_expect(world, 0, "search", "--json", "--precision", "f32", picture, words, away, NULL);
    const double weights[3] = {1, 1, -0.5};
    const float *vectors[3] = {row(&golden.images, 2), row(&golden.texts, 0), row(&golden.texts, 1)};
    float *sum = calloc(dim, sizeof *sum);
    for (size_t t = 0; t < 3; t++)
        for (size_t i = 0; i < dim; i++)
            sum[i] += (float)weights[t] * vectors[t][i];
    const double length = sqrt(dot(sum, sum, dim));
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), PICTURES);
    for (size_t i = 0; i < PICTURES; i++) {
        const json_t *result = json_array_get(lines, i), *terms = json_object_get(result, "terms");
        const float *found = row(&golden.images, picture_of(text(result, "path")));
        assert_true(fabs(number(result, "score") - dot(sum, found, dim) / length) < 2e-6);
        assert_int_equal(json_array_size(terms), 3);
        assert_string_equal(text(json_array_get(terms, 0), "term"), picture);
        assert_string_equal(text(json_array_get(terms, 2), "term"), golden.text[1]);
        double shares = 0;
        for (size_t t = 0; t < 3; t++) {
            const json_t *term = json_array_get(terms, t);
            double cosine = dot(vectors[t], found, dim);
            assert_true(number(term, "weight") == weights[t]);
            assert_true(fabs(number(term, "cosine") - cosine) < 2e-6);
            assert_true(fabs(number(term, "share") - weights[t] * cosine / length) < 4e-6);
            shares += number(term, "share");
        }
        assert_true(fabs(shares - number(result, "score")) < 1e-6);
    }
    json_decref(lines);
    test_run_free(&run);
    free(sum), free(picture);
    golden_close(&golden);
}

static void test_embed_words(void **state)
{
    test_world *world = *state;
    struct golden golden = golden_open(world, "golden/tiny-openclip");
    const size_t dim = golden.texts.shape[1];
    test_run run = test_world_expect(world, 0, "embed", "--json", "--precision", "f32", "--model", golden.folder, "--text", golden.text[0], "--text", golden.text[3],
                                     NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *vector = json_object_get(json_array_get(lines, i), "vector");
        assert_int_equal(json_array_size(vector), dim);
        assert_string_equal(text(json_array_get(lines, i), "input"), golden.text[i * 3]);
        for (size_t d = 0; d < dim; d++)
            assert_true(fabs(json_number_value(json_array_get(vector, d)) - (double)row(&golden.texts, i * 3)[d]) < 2e-5);
    }
    json_decref(lines);
    test_run_free(&run);
    golden_close(&golden);
}

/* exp(logit_scale), by which the model multiplies cosines. */
static double scale_of(const struct golden *golden)
{
    lens_error err = {0};
    char *path = test_path(golden->folder, "model.safetensors");
    lens_weights *weights = lens_weights_open(path, &err);
    assert_done(weights ? 0 : -1, &err);
    float *scale = lens_weights_read(weights, "logit_scale", 0, NULL, &err);
    assert_done(scale ? 0 : -1, &err);
    double value = exp((double)*scale);
    free(scale), free(path);
    lens_weights_close(weights);
    return value;
}

/* softmax(exp(logit_scale) * cosines), as CLIPModel gives it. */
static void test_label(void **state)
{
    test_world *world = *state;
    struct golden golden = golden_open(world, "golden/tiny-clip");
    const size_t dim = golden.images.shape[1];
    char *picture = test_path(golden.folder, "picture4.png"), *missing = test_path(golden.folder, "nothing.png");
    char labels[600];
    snprintf(labels, sizeof labels, " %s,%s ,,", golden.text[0], golden.text[1]);
    test_run run = test_world_expect(world, 2, "label", "--json", "--precision", "f32", "--model", golden.folder, missing, picture, "--labels", labels, "--label",
                                     golden.text[3], NULL);
    assert_non_null(strstr(run.err.data, "nothing.png: No such file"));
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), 1); /* the rest went on */
    const json_t *found = json_object_get(json_array_get(lines, 0), "labels");
    const size_t texts[3] = {0, 1, 3};
    const double scale = scale_of(&golden);
    double cosines[3], sum = 0, total = 0;
    for (size_t i = 0; i < 3; i++) {
        cosines[i] = dot(row(&golden.images, 4), row(&golden.texts, texts[i]), dim);
        sum += exp(scale * cosines[i]);
    }
    assert_int_equal(json_array_size(found), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *label = json_array_get(found, i);
        size_t which = 0;
        while (which < 3 && strcmp(text(label, "label"), golden.text[texts[which]]) != 0)
            which++;
        assert_true(which < 3);
        assert_true(fabs(number(label, "cosine") - cosines[which]) < 2e-6);
        assert_true(fabs(number(label, "probability") - exp(scale * cosines[which]) / sum) < 2e-5);
        assert_true(i == 0 || number(label, "probability") <= number(json_array_get(found, i - 1), "probability"));
        total += number(label, "probability");
    }
    assert_true(fabs(total - 1) < 1e-7);
    json_decref(lines);
    test_run_free(&run);
    free(picture), free(missing);
    golden_close(&golden);
}

/* Two models in one library, each picture decoded once for both: words go to the one that knows them without being told. */
static void test_two_models(void **state)
{
    test_world *world = *state;
    char *clip = test_shared("golden/tiny-clip");
    test_run run = test_world_expect(world, 0, "index", "--json", "-q", "--model", "efficientnet-lite0", "--model", clip, clip, NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, json_array_size(lines) - 1), "indexed"), PICTURES);
    json_decref(lines);
    test_run_free(&run);
    run = test_world_expect(world, 0, "search", "--json", "a photo of a cat", NULL);
    lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), PICTURES);
    json_decref(lines);
    test_run_free(&run);
    run = test_world_expect(world, 2, "search", "--model", "efficientnet-lite0", "a photo of a cat", NULL);
    assert_non_null(strstr(run.err.data, "efficientnet-lite0 knows pictures, not words"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "search", "id:1", "-n1", NULL); /* the library's first model, without opening it */
    test_run_free(&run);
    free(clip);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_world_setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_words_find_what_pytorch_finds),   TEST(test_words_find_what_pytorch_finds_with_gelu),
        TEST(test_words_find_what_open_clip_finds), TEST(test_terms_add_up), TEST(test_embed_words),
        TEST(test_label),                           TEST(test_two_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
