/* Small CLIP models with random weights against what PyTorch gave for them: ../shared/golden/tiny-*. */
#include <jansson.h>
#include <math.h>

#include "encoders/encoder.h"
#include "encoders.h"
#include "golden.h"
#include "npy.h"
#include "support.h"
#include "weights.h"

/* Two of transformers, one of OpenCLIP; the third has no token ids of its own, but the texts and the tokenizer of the first. */
static const struct model {
    const char *name, *ids;
} models[] = {{"tiny-clip", "tiny-clip"}, {"tiny-clip-gelu", "tiny-clip-gelu"}, {"tiny-openclip", "tiny-clip"}};

enum { MODELS = sizeof models / sizeof *models };

static char *golden(const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "golden/%s", name);
    return test_shared(path);
}

static test_npy array_of(const char *folder, const char *name)
{
    char *path = test_path(folder, "%s", name);
    test_npy array = test_npy_read(path);
    free(path);
    return array;
}

struct opened {
    lens_encoder *encoder;
    lens_session *session;
    size_t dim;
};

static struct opened open_model(const char *folder, lens_tower towers, lens_backend backend)
{
    struct opened opened = {.encoder = test_encoder(folder, "tiny", towers, backend)};
    opened.session = test_session(opened.encoder, 8, 1);
    opened.dim = (size_t)lens_encoder_about(opened.encoder)->dim;
    return opened;
}

static void close_model(struct opened *opened)
{
    lens_session_free(opened->session);
    lens_encoder_close(opened->encoder);
}

static void measure(test_closeness *worst, size_t n, const float *vector, const test_npy *expected)
{
    test_golden_row(n, vector, expected->data + n * expected->shape[1], expected->shape[1], 0.999999, 2e-5, worst);
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

/* Every picture alone, and all of them in one call. */
static void check_pictures(const struct model *model, lens_backend backend, const char *on)
{
    char *folder = golden(model->name);
    test_npy expected = array_of(folder, "image_embeds.npy");
    struct opened opened = open_model(folder, LENS_TOWER_PICTURES, backend);
    const lens_preparation *preparation = &lens_encoder_about(opened.encoder)->preparation;
    size_t count = expected.shape[0], dim = opened.dim, each = 3 * (size_t)preparation->size * (size_t)preparation->size;
    assert_int_equal(dim, expected.shape[1]);
    assert_true(count > 1 && count <= 8);
    float *all = lens_floats_new(count * each), *vectors = lens_floats_new(count * dim);
    test_closeness worst = {1, 0};
    lens_error err = {0};
    for (size_t n = 0; n < count; n++) {
        float *pixels = test_golden_pixels(folder, n, preparation);
        memcpy(all + n * each, pixels, each * sizeof *all);
        assert_done(lens_session_run(opened.session, pixels, 1, vectors, &err), &err);
        measure(&worst, n, vectors, &expected);
        free(pixels);
    }
    assert_done(lens_session_run(opened.session, all, (int)count, vectors, &err), &err);
    for (size_t n = 0; n < count; n++)
        measure(&worst, n, vectors + n * dim, &expected);
    printf("measured: %s: %zu pictures on %s: cosine at least %.9f, largest difference %.2g\n", model->name, count, on, worst.cosine,
           worst.difference);
    free(all), free(vectors), free(folder);
    test_npy_free(&expected);
    close_model(&opened);
}

static void test_pictures(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++)
        check_pictures(&models[i], LENS_BACKEND_ONEDNN, "oneDNN");
}

static void test_pictures_in_plain_c(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++)
        check_pictures(&models[i], LENS_BACKEND_PLAIN, "plain C");
}

static json_t *texts_of(const char *folder)
{
    char *path = test_path(folder, "texts.json");
    json_t *texts = json_load_file(path, 0, NULL);
    assert_non_null(texts);
    free(path);
    return texts;
}

/* The texts by their token ids, without the tokenizer. */
static void check_tokens(const struct model *model, lens_backend backend, const char *on)
{
    enum { CONTEXT = 77 };
    char *folder = golden(model->name), *other = golden(model->ids);
    test_npy expected = array_of(folder, "text_embeds.npy");
    json_t *texts = texts_of(other);
    test_words words = test_words_open(folder, backend);
    size_t count = expected.shape[0], dim = (size_t)words.facts.dim;
    assert_int_equal(count, json_array_size(texts));
    assert_int_equal(dim, expected.shape[1]);
    float *vector = lens_floats_new(dim), *padded = lens_floats_new(dim);
    test_closeness worst = {1, 0};
    for (size_t n = 0; n < count; n++) {
        const json_t *list = json_object_get(json_array_get(texts, n), "ids");
        int32_t ids[CONTEXT];
        size_t tokens = json_array_size(list);
        assert_true(tokens >= 2 && tokens <= CONTEXT);
        for (size_t t = 0; t < CONTEXT; t++)
            ids[t] = (int32_t)json_integer_value(json_array_get(list, t < tokens ? t : tokens - 1));
        test_words_run(&words, ids, (int)tokens, vector);
        /* What stands behind the end changes nothing. */
        test_words_run(&words, ids, CONTEXT, padded);
        assert_memory_equal(padded, vector, dim * sizeof *padded);
        double length = 0;
        for (size_t i = 0; i < dim; i++)
            length += (double)vector[i] * (double)vector[i];
        for (size_t i = 0; i < dim; i++)
            vector[i] = (float)((double)vector[i] / sqrt(length));
        measure(&worst, n, vector, &expected);
    }
    printf("measured: %s: %zu texts on %s: cosine at least %.9f, largest difference %.2g\n", model->name, count, on, worst.cosine,
           worst.difference);
    free(vector), free(padded), free(folder), free(other);
    json_decref(texts);
    test_npy_free(&expected);
    test_words_close(&words);
}

static void test_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++)
        check_tokens(&models[i], LENS_BACKEND_ONEDNN, "oneDNN");
}

static void test_tokens_in_plain_c(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++)
        check_tokens(&models[i], LENS_BACKEND_PLAIN, "plain C");
}

/* The same texts as words, through the model's own tokenizer. */
static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++) {
        char *folder = golden(models[i].name);
        test_npy expected = array_of(folder, "text_embeds.npy");
        json_t *texts = texts_of(folder);
        struct opened opened = open_model(folder, LENS_TOWER_BOTH, LENS_BACKEND_ONEDNN);
        float *vector = lens_floats_new(opened.dim);
        test_closeness worst = {1, 0};
        for (size_t n = 0; n < expected.shape[0]; n++) {
            const char *text = json_string_value(json_object_get(json_array_get(texts, n), "text"));
            lens_error err = {0};
            assert_done(lens_session_run_words(opened.session, text, vector, &err), &err);
            measure(&worst, n, vector, &expected);
        }
        printf("measured: %s: %zu texts as words: cosine at least %.9f, largest difference %.2g\n", models[i].name, expected.shape[0],
               worst.cosine, worst.difference);
        free(vector), free(folder);
        json_decref(texts);
        test_npy_free(&expected);
        close_model(&opened);
    }
}

/* ---- hidden states ----------------------------------------------------------------------------------------------- */

/* What the layers called NAMES give, in this order, against EXPECTED. */
struct watched {
    const char *model;
    const char *names[3];
    test_npy expected[3];
    int seen;
};

static void compare(void *context, const lens_layer *layer, int count, const float *out, size_t size)
{
    struct watched *watched = context;
    (void)count;
    if (watched->seen == 3 || strcmp(lens_layer_name(layer), watched->names[watched->seen]) != 0)
        return;
    const test_npy *expected = &watched->expected[watched->seen++];
    assert_int_equal(size, expected->count);
    double largest = 0, difference = 0;
    for (size_t i = 0; i < size; i++) {
        largest = fmax(largest, fabs((double)expected->data[i]));
        difference = isnan(out[i]) ? INFINITY : fmax(difference, fabs((double)out[i] - (double)expected->data[i]));
    }
    printf("measured: %s: %s: largest difference %.2g of numbers up to %.3g\n", watched->model, lens_layer_name(layer), difference, largest);
    assert_true(largest > 0.1 && difference <= 1e-4 * largest);
}

/* Copies the model in FOLDER to a new folder, with one more block of pictures whose two outputs are zero: it passes on what it gets, so that
 * of the block before every token is computed, not only the one that is used in the end. */
static char *with_idle_block(const char *folder, int layers)
{
    char *copy = test_folder_new(), *from = test_path(folder, "model.safetensors"), *to = test_path(copy, "model.safetensors");
    lens_error err = {0};
    lens_weights *weights = lens_weights_open(from, &err);
    assert_done(weights ? 0 : -1, &err);
    test_checkpoint checkpoint = {0};
    char last[64], name[128];
    snprintf(last, sizeof last, "vision_model.encoder.layers.%d.", layers - 1);
    for (size_t i = 0; i < lens_weights_count(weights); i++) {
        const lens_tensor_view *view = lens_weights_at(weights, i);
        if (strncmp(view->name, "text_model", 10) == 0)
            continue;
        float *numbers = lens_weights_read(weights, view->name, view->dims, view->shape, &err);
        assert_done(numbers ? 0 : -1, &err);
        test_checkpoint_add(&checkpoint, view->name, view->dims, view->shape, numbers);
        if (strncmp(view->name, last, strlen(last)) == 0) {
            const char *part = view->name + strlen(last);
            snprintf(name, sizeof name, "vision_model.encoder.layers.%d.%s", layers, part);
            if (strncmp(part, "self_attn.out_proj", 18) == 0 || strncmp(part, "mlp.fc2", 7) == 0)
                memset(numbers, 0, (size_t)view->count * sizeof *numbers);
            test_checkpoint_add(&checkpoint, name, view->dims, view->shape, numbers);
        }
        free(numbers);
    }
    test_checkpoint_write(&checkpoint, to);
    lens_weights_close(weights);
    free(from), free(to);

    from = test_path(folder, "preprocessor_config.json"), to = test_path(copy, "preprocessor_config.json");
    lens_buffer bytes = test_read(from);
    test_write(to, bytes.data, bytes.size);
    lens_buffer_free(&bytes);
    free(from), free(to);
    from = test_path(folder, "config.json"), to = test_path(copy, "config.json");
    json_t *config = json_load_file(from, 0, NULL);
    assert_int_equal(json_object_set_new(json_object_get(config, "vision_config"), "num_hidden_layers", json_integer(layers + 1)), 0);
    assert_int_equal(json_dump_file(config, to, 0), 0);
    json_decref(config);
    free(from), free(to);
    return copy;
}

static void check_hidden_states(const char *name, int layers)
{
    char last[64];
    snprintf(last, sizeof last, "vision_model.encoder.layers.%d.mlp.fc2", layers - 1);
    char *folder = golden(name), *copy = with_idle_block(folder, layers);
    struct watched watched = {
        .model = name,
        .names = {"vision_model.pre_layrnorm", "vision_model.encoder.layers.0.mlp.fc2", last},
        .expected = {array_of(folder, "picture0_hidden0.npy"), array_of(folder, "picture0_hidden1.npy"),
                     array_of(folder, "picture0_hiddenlast.npy")},
    };
    test_npy vectors = array_of(folder, "image_embeds.npy");
    struct opened opened = open_model(copy, LENS_TOWER_PICTURES, LENS_BACKEND_ONEDNN);
    lens_session_watch(opened.session, compare, &watched);
    float *pixels = test_golden_pixels(folder, 0, &lens_encoder_about(opened.encoder)->preparation), *vector = lens_floats_new(opened.dim);
    lens_error err = {0};
    assert_done(lens_session_run(opened.session, pixels, 1, vector, &err), &err);
    assert_int_equal(watched.seen, 3);
    test_closeness worst = {1, 0};
    measure(&worst, 0, vector, &vectors);
    for (int i = 0; i < 3; i++)
        test_npy_free(&watched.expected[i]);
    test_npy_free(&vectors);
    close_model(&opened);
    test_folder_remove(copy);
    free(pixels), free(vector), free(folder);
}

static void test_hidden_states(void **state)
{
    (void)state;
    check_hidden_states("tiny-clip", 3);
}

static void test_hidden_states_with_gelu(void **state)
{
    (void)state;
    check_hidden_states("tiny-clip-gelu", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures),        cmocka_unit_test(test_pictures_in_plain_c),
        cmocka_unit_test(test_hidden_states),   cmocka_unit_test(test_hidden_states_with_gelu),
        cmocka_unit_test(test_tokens),          cmocka_unit_test(test_tokens_in_plain_c),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
