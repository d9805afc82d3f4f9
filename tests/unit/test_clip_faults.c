/* src/encoders/clip.c and every way in which a CLIP model's weights, configuration and vocabulary can disagree. */
#include "encoders/family.h"
#include "encoders.h"
#include "random_clip.h"
#include "support.h"

static void test_what_disagrees_is_named(void **state)
{
    (void)state;
#define BLOCK "vision_model.encoder.layers.1."
#define WORDS "text_model.encoder.layers.1."
    static const struct {
        const char *config, *processor;
        test_clip_faults faults;
        lens_tower towers;
        const char *says, *and;
    } cases[] = {
        {NULL, NULL, {.omit = BLOCK "mlp.fc1.weight"}, LENS_TOWER_PICTURES, "/model.safetensors", BLOCK "mlp.fc1.weight"},
        {NULL, NULL, {.omit = BLOCK "self_attn.k_proj.bias"}, LENS_TOWER_PICTURES, "/model.safetensors", BLOCK "self_attn.k_proj.bias"},
        {NULL, NULL, {.omit = "visual_projection.weight"}, LENS_TOWER_PICTURES, "/model.safetensors", "visual_projection.weight"},
        {NULL, NULL, {.omit = WORDS "layer_norm2.bias"}, LENS_TOWER_WORDS, "/model.safetensors", WORDS "layer_norm2.bias"},
        {NULL, NULL, {.reshape = BLOCK "self_attn.q_proj.weight"}, LENS_TOWER_PICTURES, BLOCK "self_attn.q_proj.weight", "[1, 24, 24], not [24, 24]"},
        {NULL, NULL, {.reshape = "logit_scale"}, LENS_TOWER_PICTURES, NULL, NULL}, /* a list of one is fine */
        {NULL, NULL, {.nan_in = BLOCK "self_attn.v_proj.weight"}, LENS_TOWER_PICTURES, "/model.safetensors", BLOCK "self_attn.v_proj.weight"},
        {NULL, NULL, {.nan_in = "vision_model.embeddings.class_embedding"}, LENS_TOWER_PICTURES, "/model.safetensors", "class_embedding"},
        {NULL, NULL, {.nan_in = "text_model.embeddings.token_embedding.weight"}, LENS_TOWER_WORDS, "/model.safetensors", "token_embedding"},
        {NULL, NULL, {.nan_in = "logit_scale"}, LENS_TOWER_PICTURES, "/model.safetensors", "logit_scale"},
        {NULL, NULL, {.cut = true}, LENS_TOWER_PICTURES, "/model.safetensors", ""},
        {NULL, NULL, {.more = "vision_model.encoder.layers.3.layer_norm1.weight"}, LENS_TOWER_PICTURES,
         "/config.json: vision_config.num_hidden_layers is 3", "vision_model.encoder.layers.3.layer_norm1.weight"},
        {NULL, NULL, {.more = "text_model.encoder.layers.99999999999.mlp"}, LENS_TOWER_WORDS, "/config.json: text_config.num_hidden_layers is 2",
         "layers.99999999999.mlp"},
        {NULL, NULL, {.more = BLOCK "ls_1.gamma"}, LENS_TOWER_PICTURES, BLOCK "ls_1.gamma", "no block of this build"},
        {NULL, NULL, {.more = "text_model.encoder.layers.0.mlp.fc1.weight.scale"}, LENS_TOWER_WORDS, "mlp.fc1.weight.scale", "no block of this build"},
        {CLIP_CONFIG("12", CLIP_VISION("20", "6", "2", "3"), CLIP_TEXT("527", "29")), NULL, {0}, LENS_TOWER_PICTURES,
         "/config.json: vision_config.num_hidden_layers is 2", "vision_model.encoder.layers.2."},
        {CLIP_CONFIG("12", CLIP_VISION("20", "6", "4", "3"), CLIP_TEXT("527", "29")), NULL, {0}, LENS_TOWER_PICTURES, "/model.safetensors",
         "vision_model.encoder.layers.3."},
        {CLIP_CONFIG("12", CLIP_VISION("20", "6", "3", "5"), CLIP_TEXT("527", "29")), NULL, {0}, LENS_TOWER_PICTURES,
         "/config.json: vision_config.num_attention_heads", "24 does not come apart into 5 heads"},
        {CLIP_CONFIG("12", CLIP_VISION("20", "5", "3", "3"), CLIP_TEXT("527", "29")), NULL, {0}, LENS_TOWER_PICTURES, "patch_embedding.weight",
         "[24, 3, 6, 6], not [24, 3, 5, 5]"},
        {CLIP_CONFIG("12", CLIP_VISION("25", "6", "3", "3"), CLIP_TEXT("527", "29")), "{\"size\":25,\"crop_size\":25}", {0}, LENS_TOWER_PICTURES,
         "vision_model.embeddings.position_embedding.weight", "[10, 24], not [17, 24]"},
        {CLIP_CONFIG("13", CLIP_VISION("20", "6", "3", "3"), CLIP_TEXT("527", "29")), NULL, {0}, LENS_TOWER_PICTURES, "visual_projection.weight",
         "[12, 24], not [13, 24]"},
        {CLIP_CONFIG("12", CLIP_VISION("20", "6", "3", "3"), CLIP_TEXT("528", "29")), NULL, {0}, LENS_TOWER_WORDS, "text_model.embeddings.token_embedding.weight",
         "[527, 16], not [528, 16]"},
        /* All that a configuration asks for is checked before there is room made for it. */
        {CLIP_CONFIG("12", CLIP_VISION("4096", "32", "3", "3"), CLIP_TEXT("16777216", "29")), "{\"size\":4096,\"crop_size\":4096}", {0}, LENS_TOWER_WORDS,
         "text_model.embeddings.token_embedding.weight", "[527, 16], not [16777216, 16]"},
        {NULL, "{\"size\":20,\"crop_size\":18}", {0}, LENS_TOWER_PICTURES, "/preprocessor_config.json: crop_size of 18 pixels", "the network sees 20"},
        {NULL, "", {0}, LENS_TOWER_PICTURES, "no preprocessor_config.json", "how pictures are prepared"},
        {NULL, "{\"size\":[1,2,3]}", {0}, LENS_TOWER_WORDS, "/preprocessor_config.json: size", ""},
        {NULL, "{", {0}, LENS_TOWER_PICTURES, "/preprocessor_config.json: bad JSON", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *processor = cases[i].processor ? cases[i].processor : CLIP_GOOD_PROCESSOR;
        char *folder = test_clip_folder(cases[i].config ? cases[i].config : CLIP_GOOD_CONFIG, *processor ? processor : NULL, &cases[i].faults);
        lens_error err = {0};
        lens_encoder *encoder = lens_encoder_open(folder, "faulty", LENS_PRECISION_F32, cases[i].towers, &err);
        if (!cases[i].says) {
            assert_done(encoder ? 0 : -1, &err);
            lens_encoder_close(encoder);
        } else {
            if (encoder)
                fail_msg("case %zu was opened: %s", i, cases[i].says);
            assert_says(&err, cases[i].says);
            assert_says(&err, cases[i].and);
            assert_says(&err, folder);
        }
        test_folder_remove(folder);
    }
}

static void test_a_vocabulary_of_another_size(void **state)
{
    (void)state;
    char *folder = test_clip_folder(CLIP_GOOD_CONFIG, CLIP_GOOD_PROCESSOR, &(test_clip_faults){0});
    test_clip_write_vocabulary(folder, ",\"more\":527");
    lens_error err = {0};
    assert_null(lens_encoder_open(folder, "words", LENS_PRECISION_F32, LENS_TOWER_WORDS, &err));
    assert_says(&err, "/vocab.json: has 528 tokens, but tensor text_model.embeddings.token_embedding.weight");
    assert_says(&err, "has 527 rows");
    test_folder_remove(folder);
}

/* Newer files have the preparation in that of the whole processor. */
static void test_the_file_of_the_whole_processor(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"image_processor\":" CLIP_GOOD_PROCESSOR "}", "{\"image_processor\":{\"size\":0}}", "{\"tokenizer\":{}}"};
    static const char *const says[] = {NULL, "/processor_config.json: size", "no preprocessor_config.json"};
    for (size_t i = 0; i < 3; i++) {
        char *folder = test_clip_folder(CLIP_GOOD_CONFIG, NULL, &(test_clip_faults){0}), *path = test_path(folder, "processor_config.json");
        test_write(path, texts[i], strlen(texts[i]));
        lens_error err = {0};
        lens_encoder *encoder = lens_encoder_open(folder, "newer", LENS_PRECISION_F32, LENS_TOWER_PICTURES, &err);
        assert_int_equal(encoder == NULL, says[i] != NULL);
        if (encoder)
            assert_true(lens_encoder_about(encoder)->preparation.std[1] == 0.25f);
        else
            assert_says(&err, says[i]);
        lens_encoder_close(encoder);
        test_folder_remove(folder);
        free(path);
    }
}

/* Everything that changes vectors changes the fingerprint; what was opened does not. */
static void test_fingerprints(void **state)
{
    (void)state;
    static const char *const configs[] = {
        CLIP_GOOD_CONFIG,
        CLIP_CONFIG("12", CLIP_VISION("20", "6", "3", "3"), CLIP_TEXT("527", "2")),
        CLIP_CONFIG("12", CLIP_VISION("20", "6", "3", "4"), CLIP_TEXT("527", "29")),
        CLIP_CONFIG("12", CLIP_VISION("21", "6", "3", "3"), CLIP_TEXT("527", "29")),
        "{\"model_type\":\"clip\",\"projection_dim\":12," CLIP_TEXT("527", "29") ",\"vision_config\":{\"hidden_size\":24,\"intermediate_size\":40,"
        "\"num_hidden_layers\":3,\"num_attention_heads\":3,\"image_size\":20,\"patch_size\":6,\"layer_norm_eps\":0.01,\"hidden_act\":\"gelu\"}}",
        "{\"model_type\":\"clip\",\"projection_dim\":12," CLIP_TEXT("527", "29") ",\"vision_config\":{\"hidden_size\":24,\"intermediate_size\":40,"
        "\"num_hidden_layers\":3,\"num_attention_heads\":3,\"image_size\":20,\"patch_size\":6,\"layer_norm_eps\":0.011}}",
    };
    enum { COUNT = sizeof configs / sizeof *configs };
    lens_hash prints[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        const char *processor = strstr(configs[i], ":21,\"patch") ? "{\"size\":21,\"crop_size\":21}" : "{\"size\":20,\"crop_size\":20}";
        char *folder = test_clip_folder(configs[i], processor, &(test_clip_faults){0});
        lens_encoder *encoder = test_encoder(folder, "one", LENS_TOWER_PICTURES, LENS_BACKEND_ONEDNN);
        prints[i] = lens_encoder_about(encoder)->fingerprint;
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(&prints[i], &prints[j], sizeof prints[i]);
        assert_true(lens_encoder_about(encoder)->words && lens_encoder_about(encoder)->pictures);
        lens_encoder_close(encoder);
        if (i == 0) {
            test_clip_write_vocabulary(folder, "");
            encoder = test_encoder(folder, "two", LENS_TOWER_BOTH, LENS_BACKEND_ONEDNN);
            assert_memory_equal(&lens_encoder_about(encoder)->fingerprint, &prints[i], sizeof prints[i]);
            lens_encoder_close(encoder);
        }
        test_folder_remove(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_disagrees_is_named),
        cmocka_unit_test(test_a_vocabulary_of_another_size),
        cmocka_unit_test(test_the_file_of_the_whole_processor),
        cmocka_unit_test(test_fingerprints),
    };
    return cmocka_run_group_tests(tests, test_clip_draw, test_clip_forget);
}
