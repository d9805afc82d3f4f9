/* src/encoders around a pass: batches and threads, names and fingerprints, and every way a model can lie. */
#include <jansson.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "encoders/catalogue.h"
#include "encoders/family.h"
#include "encoders/registry.h"
#include "encoders.h"
#include "support.h"
#include "weights.h"

enum { SIDE = TEST_MODEL_SIDE, DIM = TEST_MODEL_DIM, PIXELS = SIDE * SIDE * 3 };

#define CONFIG TEST_MODEL_CONFIG
static const char good_config[] = CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.0");

static char *shared_folder; /* a good model, for the tests that only read it */

static lens_encoder *open_good(const char *folder, const char *name)
{
    return test_encoder(folder, name, LENS_TOWER_PICTURES, LENS_BACKEND_ONEDNN);
}

static float *random_pixels(int count, uint64_t seed)
{
    float *pixels = lens_floats_new((size_t)count * PIXELS);
    assert_non_null(pixels);
    test_random_fill(&seed, -1, 1, (size_t)count * PIXELS, pixels);
    return pixels;
}

static void test_batches_and_threads_change_nothing(void **state)
{
    (void)state;
    enum { COUNT = 7 };
    lens_encoder *encoder = open_good(shared_folder, "random");
    float *pixels = random_pixels(COUNT, 4);
    float *one_by_one = lens_floats_new(COUNT * DIM), *vectors = lens_floats_new(COUNT * DIM);
    lens_error err = {0};
    lens_session *session = test_session(encoder, 1, 1);
    for (int i = 0; i < COUNT; i++) {
        float *vector = one_by_one + (size_t)i * DIM;
        assert_done(lens_session_run(session, pixels + (size_t)i * PIXELS, 1, vector, &err), &err);
        double length = 0;
        for (int d = 0; d < DIM; d++)
            length += (double)vector[d] * (double)vector[d];
        assert_true(fabs(length - 1) < 1e-6);
        assert_true(i == 0 || memcmp(vector, vector - DIM, DIM * sizeof *vector) != 0);
    }
    lens_session_free(session);
    const int cases[][2] = {{COUNT, 1}, {COUNT, 2}, {8, 3}, {8, 16}, {1, 4}}; /* batch, threads */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        session = test_session(encoder, cases[i][0], cases[i][1]);
        int most = cases[i][0] < COUNT ? cases[i][0] : COUNT;
        for (int count = most; count > 0; count -= 3) { /* full and partial batches in one session */
            memset(vectors, 0, COUNT * DIM * sizeof *vectors);
            assert_done(lens_session_run(session, pixels, count, vectors, &err), &err);
            for (size_t d = 0; d < (size_t)count * DIM; d++)
                if (!(fabs((double)vectors[d] - (double)one_by_one[d]) < 1e-6))
                    fail_msg("batch %d on %d threads: number %zu is %g, not %g", cases[i][0], cases[i][1], d,
                             (double)vectors[d], (double)one_by_one[d]);
        }
        lens_session_free(session);
    }
    free(vectors), free(one_by_one), free(pixels);
    lens_encoder_close(encoder);
}

static void test_sessions_check_their_arguments(void **state)
{
    (void)state;
    lens_encoder *encoder = open_good(shared_folder, "random");
    lens_error err = {0};
    assert_null(lens_session_new(encoder, 0, 1, &err));
    assert_int_equal(err.code, LENS_E_ARGUMENT);
    assert_null(lens_session_new(encoder, 1, 0, &err));
    lens_session *session = test_session(encoder, 2, 1);
    float vectors[2 * DIM], *pixels = random_pixels(3, 1);
    assert_int_equal(lens_session_run(session, pixels, 0, vectors, &err), -1);
    assert_int_equal(lens_session_run(session, pixels, 3, vectors, &err), -1);
    assert_says(&err, "3 pictures for a session of at most 2");
    lens_session_free(session);
    lens_session_free(NULL);
    lens_encoder_close(encoder);
    lens_encoder_close(NULL);
    free(pixels);
}

static void test_information(void **state)
{
    (void)state;
    lens_encoder *encoder = open_good(shared_folder, "random@17");
    const lens_encoder_info *info = lens_encoder_about(encoder);
    assert_string_equal(info->name, "random");
    assert_string_equal(info->variant, "random@17");
    assert_string_equal(info->family, "efficientnet_lite");
    assert_string_equal(info->folder, shared_folder);
    assert_int_equal(info->dim, DIM);
    assert_int_equal(info->precision, LENS_PRECISION_F32);
    assert_int_equal(info->preparation.size, SIDE);
    assert_int_equal(info->preparation.resize, SIDE);
    assert_int_equal(info->preparation.fit, LENS_FIT_CROP);
    assert_int_equal(info->preparation.filter, LENS_FILTER_BICUBIC);
    assert_int_equal(info->preparation.corner, LENS_CORNER_ROUND);
    assert_int_equal(info->preparation.before, 17);
    lens_encoder_close(encoder);
}

static lens_hash fingerprint_of(const char *folder, const char *name)
{
    lens_encoder *encoder = open_good(folder, name);
    lens_hash hash = lens_encoder_about(encoder)->fingerprint;
    lens_encoder_close(encoder);
    return hash;
}

/* Turns the model in FOLDER into one of shards: all of it in part.safetensors. */
static void shard(const char *folder)
{
    lens_error err = {0};
    char *whole = test_path(folder, "model.safetensors"), *part = test_path(folder, "part.safetensors");
    char *index = test_path(folder, "model.safetensors.index.json");
    assert_int_equal(rename(whole, part), 0);
    lens_weights *weights = lens_weights_open(part, &err);
    assert_done(weights ? 0 : -1, &err);
    lens_buffer text = {0};
    lens_buffer_print(&text, "{\"weight_map\":{");
    for (size_t i = 0; i < lens_weights_count(weights); i++)
        lens_buffer_print(&text, "%s\"%s\":\"part.safetensors\"", i ? "," : "", lens_weights_at(weights, i)->name);
    lens_buffer_print(&text, "}}");
    test_write(index, text.data, text.size);
    lens_weights_close(weights);
    lens_buffer_free(&text);
    free(whole), free(part), free(index);
}

static void test_fingerprints(void **state)
{
    (void)state;
    lens_hash first = fingerprint_of(shared_folder, "a");
    const struct {
        const char *config;
        uint64_t seed;
        const char *name;
        bool same;
    } cases[] = {
        {good_config, 1, "b", true},                                                      /* the name is no part of it */
        {good_config, 1, "b@crop", true},                                                 /* which is what it does anyway */
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1,\"tag\":\"in1k\""), 1, "c", true}, /* nor is what changes nothing */
        {good_config, 1, "a@squash", false},
        {good_config, 1, "a@64", false},
        {good_config, 1, "a@jina96", false},
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":0.875"), 1, "a", false},
        {good_config, 2, "a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = test_model_new(cases[i].config, cases[i].seed, NULL);
        lens_hash hash = fingerprint_of(folder, cases[i].name);
        if ((memcmp(&hash, &first, sizeof hash) == 0) != cases[i].same)
            fail_msg("fingerprint %zu is %s", i, cases[i].same ? "another" : "the same");
        test_folder_remove(folder);
    }
    char *folder = test_model_new(good_config, 1, NULL);
    shard(folder);
    lens_hash hash = fingerprint_of(folder, "a");
    assert_memory_equal(&hash, &first, sizeof hash);
    test_folder_remove(folder);
}

static void test_lying_weights(void **state)
{
    (void)state;
    const struct {
        test_faults faults;
        const char *words;
    } cases[] = {
        {{.omit = "conv_stem.weight"}, "model.safetensors: no tensor conv_stem.weight"},
        {{.omit = "blocks.3.2.bn2.running_mean"}, "model.safetensors: no tensor blocks.3.2.bn2.running_mean"},
        {{.omit = "conv_head.weight"}, "model.safetensors: no tensor conv_head.weight"},
        {{.reshape = "blocks.1.0.conv_pw.weight"},
         "model.safetensors: tensor blocks.1.0.conv_pw.weight is [96, 17, 1, 1], not [96, 16, 1, 1]"},
        {{.reshape = "blocks.5.3.conv_dw.weight"}, "tensor blocks.5.3.conv_dw.weight is [1152, 2, 5, 5], not [1152, 1, 5, 5]"},
        {{.nan_in = "blocks.0.0.conv_dw.weight"},
         "model.safetensors: tensor blocks.0.0.conv_dw.weight holds a number that is not finite"},
        {{.nan_in = "bn2.bias"}, "model.safetensors: tensor bn2.bias holds a number that is not finite"},
        {{.negative = "blocks.2.1.bn3.running_var"}, "tensors blocks.2.1.bn3.*: the batch norm of channel 0 is not finite"},
        /* lite1's: of the same shapes as far as lite0 goes */
        {{.further = "blocks.1.2.conv_dw.weight"}, "config.json: tensor blocks.1.2.conv_dw.weight is in the weights, but the configuration ends before it"},
        {{.further = "blocks.7.0.conv_dw.weight"}, "config.json: tensor blocks.7.0.conv_dw.weight is in the weights, but the configuration ends before it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = test_model_new(good_config, 1, &cases[i].faults);
        test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_FORMAT, cases[i].words);
        test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_FORMAT, folder);
        test_folder_remove(folder);
    }
}

static void test_lying_configurations(void **state)
{
    (void)state;
    const struct {
        const char *config;
        lens_error_code code;
        const char *words;
    } cases[] = {
        {"", LENS_E_FORMAT, "config.json: bad JSON"},
        {"[1]", LENS_E_FORMAT, "config.json: not a JSON object"},
        {"{}", LENS_E_UNSUPPORTED, "config.json: no encoder of this build knows such a model"},
        {"{\"architecture\":7}", LENS_E_UNSUPPORTED, "knows such a model"},
        {CONFIG("efficientnet_lite0", ",\"crop_pct\":1.0"), LENS_E_UNSUPPORTED, "the architecture efficientnet_lite0"},
        /* it says that it is another than its weights are */
        {CONFIG("tf_efficientnet_lite4", ",\"crop_pct\":1.0"), LENS_E_FORMAT,
         "model.safetensors: tensor blocks.0.0.conv_pw.weight is [16, 32, 1, 1], not [24, 32, 1, 1]"},
        {CONFIG("tf_efficientnet_lite1", ",\"crop_pct\":1.0"), LENS_E_FORMAT, "model.safetensors: no tensor blocks.1.2."},
        {"{\"architecture\":\"tf_efficientnet_lite0\"}", LENS_E_FORMAT, "config.json: no pretrained_cfg"},
        {"{\"architecture\":\"tf_efficientnet_lite0\",\"num_features\":1000}", LENS_E_FORMAT, "num_features is not the 1280"},
        {"{\"architecture\":\"tf_efficientnet_lite0\",\"global_pool\":\"max\"}", LENS_E_UNSUPPORTED, "config.json: global_pool is 'max', not avg"},
        {"{\"architecture\":\"tf_efficientnet_lite0\",\"model_args\":{\"act_layer\":\"silu\"}}", LENS_E_UNSUPPORTED,
         "config.json: model_args are not supported"},
        {CONFIG("tf_efficientnet_lite0", ""), LENS_E_FORMAT, "crop_pct"},
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":0"), LENS_E_FORMAT, "crop_pct"},
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.5"), LENS_E_FORMAT, "crop_pct"},
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1e-30"), LENS_E_LIMIT, "crop_pct"},
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":0.0148"), LENS_E_LIMIT, "crop_pct: pictures would be resized to more than 4096 pixels"},
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":\"1\""), LENS_E_FORMAT, "crop_pct"},
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.0,\"crop_mode\":\"border\""), LENS_E_UNSUPPORTED, "crop_mode"},
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":0.9,\"crop_mode\":\"squash\""), LENS_E_UNSUPPORTED, "crop_mode"},
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.0,\"crop_mode\":1"), LENS_E_UNSUPPORTED, "crop_mode"},
        {CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.0,\"mean\":[0,0,0]"), LENS_E_FORMAT, "duplicate"},
    };
    char *folder = test_model_new("", 1, NULL);
    char *path = test_path(folder, "config.json");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_write(path, cases[i].config, strlen(cases[i].config));
        test_encoder_refused(folder, "liar", LENS_PRECISION_AUTO, LENS_TOWER_PICTURES, cases[i].code, cases[i].words);
        test_encoder_refused(folder, "liar", LENS_PRECISION_AUTO, LENS_TOWER_PICTURES, cases[i].code, folder);
    }
    lens_buffer endless = {0};
    assert_int_equal(lens_buffer_print(&endless, "{\"model_type\":"), 0);
    test_put_arrays(&endless, 1000000);
    test_put(&endless, "}", 1);
    test_write(path, endless.data, endless.size);
    test_encoder_refused(folder, "liar", LENS_PRECISION_AUTO, LENS_TOWER_PICTURES, LENS_E_LIMIT, "config.json: more than 1048576 values");
    lens_buffer_free(&endless);
    /* One field of an honest one at a time. */
    const struct {
        const char *key, *value;
        lens_error_code code;
        const char *words;
    } fields[] = {
        {"input_size", "[3,61]", LENS_E_FORMAT, "input_size"},
        {"input_size", "[3,61,\"61\"]", LENS_E_FORMAT, "input_size"},
        {"input_size", "[1,61,61]", LENS_E_UNSUPPORTED, "input_size is [1, 61, 61]"},
        {"input_size", "[3,61,62]", LENS_E_UNSUPPORTED, "input_size is [3, 61, 62]"},
        {"input_size", "[3,0,0]", LENS_E_UNSUPPORTED, "input_size is [3, 0, 0]"},
        {"input_size", "[3,100000,100000]", LENS_E_UNSUPPORTED, "input_size is [3, 100000, 100000]"},
        {"input_size", "[3,4097,4097]", LENS_E_UNSUPPORTED, "input_size is [3, 4097, 4097], not three colours of a square up to 4096"},
        {"interpolation", "\"random\"", LENS_E_UNSUPPORTED, "interpolation"},
        {"interpolation", "null", LENS_E_FORMAT, "interpolation"},
        {"mean", "[0.5,0.5]", LENS_E_FORMAT, "mean"},
        {"mean", "[0.5,0.5,\"x\"]", LENS_E_FORMAT, "mean"},
        {"mean", "[0.5,0.5,1e300]", LENS_E_FORMAT, "mean"},
        {"std", "[0.5,0.5,0]", LENS_E_FORMAT, "std"},
        {"std", "0.5", LENS_E_FORMAT, "std"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_t *config = json_loads(good_config, 0, NULL);
        json_t *value = json_loads(fields[i].value, JSON_DECODE_ANY, NULL);
        json_object_set_new(json_object_get(config, "pretrained_cfg"), fields[i].key, value);
        assert_int_equal(json_dump_file(config, path, 0), 0);
        json_decref(config);
        test_encoder_refused(folder, "liar", LENS_PRECISION_AUTO, LENS_TOWER_PICTURES, fields[i].code, fields[i].words);
    }
    free(path);
    test_folder_remove(folder);
}

static void test_missing_and_truncated_files(void **state)
{
    (void)state;
    char *folder = test_model_new(good_config, 1, NULL);
    char *weights = test_path(folder, "model.safetensors"), *config = test_path(folder, "config.json");
    struct stat info;
    assert_int_equal(stat(weights, &info), 0);
    assert_int_equal(truncate(weights, info.st_size - 1), 0);
    test_encoder_refused(folder, "cut", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_FORMAT, "model.safetensors: tensor ");
    test_encoder_refused(folder, "cut", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_FORMAT, "the file is cut short");
    assert_int_equal(truncate(weights, 0), 0);
    test_encoder_refused(folder, "cut", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_FORMAT, "0 bytes are too few");
    assert_int_equal(remove(weights), 0);
    test_encoder_refused(folder, "cut", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_MISSING, "neither model.safetensors nor");
    assert_int_equal(remove(config), 0);
    test_encoder_refused(folder, "cut", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_MISSING, "neither config.json nor open_clip_config.json is in it");
    free(weights), free(config);
    test_folder_remove(folder);
}

static void test_preparations_and_precisions(void **state)
{
    (void)state;
    test_encoder_refused(shared_folder, "random@nonsense", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_ARGUMENT, "nonsense");
    const char *names[] = {"auto", "f32", "bf16", "int8"};
    lens_error err = {0};
    for (int i = 0; i < 4; i++) {
        lens_precision precision;
        assert_done(lens_precision_parse(names[i], &precision, &err), &err);
        assert_int_equal(precision, i);
        assert_string_equal(lens_precision_name(precision), names[i]);
    }
    lens_precision precision;
    assert_int_equal(lens_precision_parse("f16", &precision, &err), -1);
    assert_says(&err, "'f16' is not one of");
    assert_string_equal(lens_precision_name((lens_precision)9), "unknown");

    /* A preparation is what is behind the last @, unless a slash follows it. */
    lens_encoder *above = open_good(shared_folder, "./a@b/random");
    assert_string_equal(lens_encoder_about(above)->name, "./a@b/random");
    lens_encoder_close(above);
    above = open_good(shared_folder, "./a@b/random@squash");
    assert_string_equal(lens_encoder_about(above)->name, "./a@b/random");
    assert_int_equal(lens_encoder_about(above)->preparation.fit, LENS_FIT_SQUASH);
    lens_encoder_close(above);

    /* timm's other names for things */
    char *folder = test_model_new(CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1,\"crop_mode\":\"squash\""), 1, NULL);
    lens_encoder *encoder = open_good(folder, "x");
    assert_int_equal(lens_encoder_about(encoder)->preparation.fit, LENS_FIT_SQUASH);
    lens_encoder_close(encoder);
    char *path = test_path(folder, "config.json");
    const char *config = CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":0.875,\"crop_mode\":\"center\"");
    test_write(path, config, strlen(config));
    encoder = open_good(folder, "x");
    assert_int_equal(lens_encoder_about(encoder)->preparation.resize, 69); /* 61 / 0.875 = 69.7, rounded down */
    lens_encoder_close(encoder);
    free(path);
    test_folder_remove(folder);
}

static void test_a_vector_without_direction_is_an_error(void **state)
{
    (void)state;
    char *folder = test_model_new(good_config, 1, &(test_faults){.zero = "bn2."});
    lens_encoder *encoder = open_good(folder, "zero");
    lens_session *session = test_session(encoder, 2, 2);
    float *pixels = random_pixels(2, 1), vectors[2 * DIM];
    lens_error err = {0};
    assert_int_equal(lens_session_run(session, pixels, 2, vectors, &err), -1);
    assert_says(&err, "picture 1 of 2");
    assert_says(&err, folder);
    free(pixels);
    lens_session_free(session);
    lens_encoder_close(encoder);
    test_folder_remove(folder);
}

static void test_catalogue(void **state)
{
    (void)state;
    assert_non_null(lens_catalogue_find(lens_catalogue_default));
    assert_true(lens_catalogue_count() > 0);
    for (size_t i = 0; i < lens_catalogue_count(); i++) {
        const lens_catalogue_entry *entry = lens_catalogue_at(i);
        assert_ptr_equal(lens_catalogue_find(entry->name), entry);
        assert_true((entry->package != NULL) != (entry->repository != NULL));
        assert_true(entry->package ? entry->version != NULL : entry->revision != NULL && !entry->config);
        assert_non_null(entry->files->name);
        for (const lens_catalogue_file *file = entry->files; file->name; file++) {
            assert_true(file->sha256 || entry->repository);
            if (file->sha256) {
                assert_int_equal(strspn(file->sha256, "0123456789abcdef"), 64);
                assert_int_equal(strlen(file->sha256), 64);
            }
        }
        if (!entry->config)
            continue;
        json_t *config = json_loads(entry->config, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(config);
        const lens_family *family = lens_family_for(config);
        assert_non_null(family);
        assert_string_equal(family->name, entry->family);
        json_decref(config);
    }
    assert_null(lens_catalogue_at(lens_catalogue_count()));
    assert_ptr_equal(lens_catalogue_find("efficientnet-lite0@64"), lens_catalogue_at(0));
    const char *unknown[] = {"", "@64", "efficientnet-lite", "efficientnet-lite00", "Efficientnet-lite0"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_null(lens_catalogue_find(unknown[i]));
}

static void test_the_base_of_a_name(void **state)
{
    (void)state;
    static const struct { const char *name; size_t length; } names[] = {
        {"colour", 6}, {"colour@crop", 6}, {"./a@b/model", 11}, {"./a@b/model@64", 11}, {"owner/name@pad", 10}, {"@64", 3}, {"", 0}, {"a@b@c", 3},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(lens_model_base_length(names[i].name), names[i].length);
}

static int set_up(void **state)
{
    (void)state;
    shared_folder = test_model_new(good_config, 1, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(shared_folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_and_threads_change_nothing),
        cmocka_unit_test(test_sessions_check_their_arguments),
        cmocka_unit_test(test_information),
        cmocka_unit_test(test_fingerprints),
        cmocka_unit_test(test_lying_weights),
        cmocka_unit_test(test_lying_configurations),
        cmocka_unit_test(test_missing_and_truncated_files),
        cmocka_unit_test(test_preparations_and_precisions),
        cmocka_unit_test(test_a_vector_without_direction_is_an_error),
        cmocka_unit_test(test_catalogue),
        cmocka_unit_test(test_the_base_of_a_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
