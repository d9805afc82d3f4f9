/* src/encoders/clip_config.c, clip_preparation.c and fields.c: what configurations say, what they leave out, and what is refused. */
#include <math.h>

#include "base/json.h"
#include "encoders/clip_config.h"
#include "support.h"

static json_t *parsed(const char *text)
{
    lens_error err = {0};
    json_t *json = lens_json_parse(text, strlen(text), "FILE", &err);
    assert_done(json ? 0 : -1, &err);
    return json;
}

static lens_clip_config read_good(const char *text)
{
    lens_error err = {0};
    lens_clip_config config;
    json_t *json = parsed(text);
    assert_true(lens_clip_claims(json));
    assert_done(lens_clip_config_read(json, "FILE", &config, &err), &err);
    json_decref(json);
    return config;
}

static void check_tower(const lens_clip_tower *got, const lens_clip_tower *wanted)
{
    assert_int_equal(got->width, wanted->width);
    assert_int_equal(got->layers, wanted->layers);
    assert_int_equal(got->heads, wanted->heads);
    assert_int_equal(got->mlp, wanted->mlp);
    assert_int_equal(got->activation, wanted->activation);
    assert_true(got->epsilon == wanted->epsilon);
}

static void test_claims(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool claimed;
    } cases[] = {{"{\"model_type\":\"clip\"}", true}, {"{\"model_cfg\":{}}", true}, {"{\"model_type\":\"siglip\"}", false},
                 {"{\"model_type\":7}", false},       {"{\"model_cfg\":[]}", false}, {"{}", false},
                 {"{\"architecture\":\"clip\"}", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = parsed(cases[i].text);
        assert_int_equal(lens_clip_claims(json), cases[i].claimed);
        json_decref(json);
    }
}

/* What transformers' classes have when nothing is said: OpenAI's ViT-B/32. */
static void test_defaults_of_hugging_face(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"model_type\":\"clip\"}", "{\"model_type\":\"clip\",\"vision_config\":null,\"text_config\":{}}"};
    for (size_t i = 0; i < 2; i++) {
        lens_clip_config c = read_good(texts[i]);
        assert_false(c.open);
        assert_int_equal(c.dim, 512);
        assert_int_equal(c.size, 224);
        assert_int_equal(c.patch, 32);
        assert_int_equal(lens_clip_grid(&c), 7);
        assert_int_equal(c.context, 77);
        assert_int_equal(c.vocabulary, 49408);
        assert_int_equal(c.end, 49407);
        const lens_clip_tower pictures = {768, 12, 12, 3072, LENS_ACTIVATION_QUICK_GELU, 1e-5};
        const lens_clip_tower words = {512, 12, 8, 2048, LENS_ACTIVATION_QUICK_GELU, 1e-5};
        check_tower(&c.pictures, &pictures);
        check_tower(&c.words, &words);
    }
}

static void test_hugging_face(void **state)
{
    (void)state;
    lens_clip_config c = read_good(
        "{\"model_type\":\"clip\",\"projection_dim\":768,\"vision_config\":{\"hidden_size\":1024,\"intermediate_size\":4096,\"num_hidden_layers\":24,"
        "\"num_attention_heads\":16,\"patch_size\":14,\"image_size\":[336,336],\"hidden_act\":\"gelu\",\"layer_norm_eps\":1e-6,\"more\":[1]},"
        "\"text_config\":{\"hidden_size\":768,\"num_attention_heads\":12,\"intermediate_size\":3072,\"eos_token_id\":2,\"vocab_size\":100,"
        "\"max_position_embeddings\":64}}");
    const lens_clip_tower pictures = {1024, 24, 16, 4096, LENS_ACTIVATION_GELU, 1e-6};
    const lens_clip_tower words = {768, 12, 12, 3072, LENS_ACTIVATION_QUICK_GELU, 1e-5};
    check_tower(&c.pictures, &pictures);
    check_tower(&c.words, &words);
    assert_int_equal(lens_clip_grid(&c), 24);
    assert_int_equal(c.dim, 768);
    assert_int_equal(c.end, -1);
    assert_int_equal(c.vocabulary, 100);
    assert_int_equal(c.context, 64);
}

/* Files of older releases: the section of the old name wins, with the defaults of what it omits. */
static void test_sections_of_older_files(void **state)
{
    (void)state;
    lens_clip_config c = read_good(
        "{\"model_type\":\"clip\",\"vision_config_dict\":{\"patch_size\":16},\"vision_config\":{\"patch_size\":14,\"hidden_size\":1024},"
        "\"text_config_dict\":null,\"text_config\":{\"hidden_size\":256}}");
    assert_int_equal(c.patch, 16);
    assert_int_equal(c.pictures.width, 768);
    assert_int_equal(c.words.width, 256);
}

static void test_open_clip(void **state)
{
    (void)state;
    lens_clip_config c = read_good("{\"model_cfg\":{\"embed_dim\":512}}");
    const lens_clip_tower pictures = {768, 12, 12, 3072, LENS_ACTIVATION_GELU, 1e-5};
    const lens_clip_tower words = {512, 12, 8, 2048, LENS_ACTIVATION_GELU, 1e-5};
    assert_true(c.open);
    check_tower(&c.pictures, &pictures);
    check_tower(&c.words, &words);
    assert_int_equal(c.patch, 16);
    assert_int_equal(c.end, -1);
    assert_int_equal(c.context, 77);
    assert_int_equal(c.vocabulary, 49408);
    /* ViT-bigG-14: the width of the MLP is cut, not rounded. */
    c = read_good("{\"model_cfg\":{\"embed_dim\":1280,\"quick_gelu\":true,\"vision_cfg\":{\"image_size\":224,\"layers\":48,\"width\":1664,"
                  "\"head_width\":104,\"mlp_ratio\":4.9231,\"patch_size\":14,\"patch_dropout\":0.5,\"output_tokens\":true,\"ls_init_value\":null},"
                  "\"text_cfg\":{\"context_length\":77,\"vocab_size\":49408,\"width\":1280,\"heads\":20,\"layers\":32,\"no_causal_mask\":false}}}");
    const lens_clip_tower big = {1664, 48, 16, 8192, LENS_ACTIVATION_QUICK_GELU, 1e-5};
    check_tower(&c.pictures, &big);
    assert_int_equal(c.words.heads, 20);
    assert_int_equal(c.words.activation, LENS_ACTIVATION_QUICK_GELU);
}

#define HF(vision) "{\"model_type\":\"clip\",\"vision_config\":{" vision "}}"
#define HF_TEXT(text) "{\"model_type\":\"clip\",\"text_config\":{" text "}}"
#define OPEN(vision, text) "{\"model_cfg\":{\"embed_dim\":512,\"vision_cfg\":{" vision "},\"text_cfg\":{" text "}}}"

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        lens_error_code code;
        const char *says;
    } cases[] = {
        {HF("\"hidden_act\":\"gelu_new\""), LENS_E_UNSUPPORTED, "vision_config.hidden_act is neither quick_gelu nor gelu"},
        {HF("\"hidden_size\":770"), LENS_E_FORMAT, "vision_config.num_attention_heads: the width of 770 does not come apart into 12 heads"},
        {HF("\"hidden_size\":0"), LENS_E_FORMAT, "vision_config.hidden_size is not a whole number from 1"},
        {HF("\"hidden_size\":768.0"), LENS_E_FORMAT, "vision_config.hidden_size is not a whole number"},
        {HF("\"hidden_size\":\"768\""), LENS_E_FORMAT, "vision_config.hidden_size"},
        {HF("\"hidden_size\":9223372036854775807"), LENS_E_LIMIT, "vision_config.hidden_size"},
        {HF("\"num_hidden_layers\":1000000"), LENS_E_LIMIT, "vision_config.num_hidden_layers is not a whole number from 1 to 256"},
        {HF("\"num_hidden_layers\":-1"), LENS_E_FORMAT, "vision_config.num_hidden_layers"},
        {HF("\"num_channels\":1"), LENS_E_UNSUPPORTED, "vision_config.num_channels"},
        {HF("\"image_size\":[224,336]"), LENS_E_UNSUPPORTED, "vision_config.image_size is not a square"},
        {HF("\"image_size\":[]"), LENS_E_FORMAT, "vision_config.image_size"},
        {HF("\"image_size\":[1,1,1]"), LENS_E_FORMAT, "vision_config.image_size"},
        {HF("\"image_size\":1000000"), LENS_E_LIMIT, "vision_config.image_size"},
        {HF("\"patch_size\":225"), LENS_E_FORMAT, "vision_config.patch_size: 225 pixels do not fit"},
        {HF("\"patch_size\":1"), LENS_E_LIMIT, "vision_config.patch_size: 1 pixels of 224 are more than 128 patches"},
        {HF("\"layer_norm_eps\":-1"), LENS_E_FORMAT, "vision_config.layer_norm_eps"},
        {HF_TEXT("\"vocab_size\":2000000000"), LENS_E_LIMIT, "text_config.vocab_size"},
        {HF_TEXT("\"max_position_embeddings\":1"), LENS_E_FORMAT, "text_config.max_position_embeddings"},
        {HF_TEXT("\"eos_token_id\":[1,2]"), LENS_E_FORMAT, "text_config.eos_token_id"},
        {"{\"model_type\":\"clip\",\"text_config\":[]}", LENS_E_FORMAT, "text_config is not an object"},
        {"{\"model_type\":\"clip\",\"vision_config_dict\":7}", LENS_E_FORMAT, "vision_config_dict is not an object"},
        {"{\"model_type\":\"clip\",\"projection_dim\":null,\"projection_dims\":1,\"vision_config\":{\"hidden_act\":1}}", LENS_E_FORMAT, "hidden_act"},
        {"{\"model_cfg\":{}}", LENS_E_FORMAT, "model_cfg.embed_dim is not there"},
        {"{\"model_cfg\":{\"embed_dim\":512,\"custom_text\":true}}", LENS_E_UNSUPPORTED, "model_cfg.custom_text is not supported"},
        {"{\"model_cfg\":{\"embed_dim\":512,\"multimodal_cfg\":{}}}", LENS_E_UNSUPPORTED, "model_cfg.multimodal_cfg is not supported"},
        {"{\"model_cfg\":{\"embed_dim\":512,\"quick_gelu\":1}}", LENS_E_FORMAT, "model_cfg.quick_gelu is neither true nor false"},
        {OPEN("\"timm_model_name\":\"vit_base\"", ""), LENS_E_UNSUPPORTED, "vision_cfg.timm_model_name is not supported"},
        {OPEN("\"layers\":[3,4,6,3]", ""), LENS_E_UNSUPPORTED, "vision_cfg.layers is a list, that of a ResNet"},
        {OPEN("\"global_average_pool\":true", ""), LENS_E_UNSUPPORTED, "vision_cfg.global_average_pool"},
        {OPEN("\"attentional_pool\":true", ""), LENS_E_UNSUPPORTED, "vision_cfg.attentional_pool"},
        {OPEN("\"pool_type\":\"avg\"", ""), LENS_E_UNSUPPORTED, "vision_cfg.pool_type is not tok"},
        {OPEN("\"no_ln_pre\":true", ""), LENS_E_UNSUPPORTED, "vision_cfg.no_ln_pre"},
        {OPEN("\"input_patchnorm\":true", ""), LENS_E_UNSUPPORTED, "vision_cfg.input_patchnorm"},
        {OPEN("\"qk_norm\":true", ""), LENS_E_UNSUPPORTED, "vision_cfg.qk_norm"},
        {OPEN("\"ls_init_value\":1e-5", ""), LENS_E_UNSUPPORTED, "vision_cfg.ls_init_value"},
        {OPEN("\"block_type\":\"custom\"", ""), LENS_E_UNSUPPORTED, "vision_cfg.block_type"},
        {OPEN("\"mlp_ratio\":1e300", ""), LENS_E_FORMAT, "vision_cfg.mlp_ratio"},
        {OPEN("\"mlp_ratio\":0", ""), LENS_E_LIMIT, "vision_cfg.mlp_ratio"},
        {OPEN("\"norm_kwargs\":{\"elementwise_affine\":false}", ""), LENS_E_UNSUPPORTED, "vision_cfg.norm_kwargs.elementwise_affine"},
        {OPEN("\"head_width\":1000", ""), LENS_E_FORMAT, "vision_cfg.head_width"},
        {OPEN("", "\"hf_model_name\":\"roberta-base\""), LENS_E_UNSUPPORTED, "text_cfg.hf_model_name"},
        {OPEN("", "\"hf_tokenizer_name\":\"xlm\""), LENS_E_UNSUPPORTED, "text_cfg.hf_tokenizer_name"},
        {OPEN("", "\"no_causal_mask\":true"), LENS_E_UNSUPPORTED, "text_cfg.no_causal_mask"},
        {OPEN("", "\"embed_cls\":true"), LENS_E_UNSUPPORTED, "text_cfg.embed_cls"},
        {OPEN("", "\"pool_type\":\"last\""), LENS_E_UNSUPPORTED, "text_cfg.pool_type is not argmax"},
        {OPEN("", "\"proj_type\":\"none\""), LENS_E_UNSUPPORTED, "text_cfg.proj_type"},
        {OPEN("", "\"proj_bias\":true"), LENS_E_UNSUPPORTED, "text_cfg.proj_bias"},
        {OPEN("", "\"act_kwargs\":{\"approximate\":\"tanh\"}"), LENS_E_UNSUPPORTED, "text_cfg.act_kwargs"},
        {OPEN("", "\"heads\":7"), LENS_E_FORMAT, "text_cfg.heads: the width of 512"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_error err = {0};
        lens_clip_config config;
        json_t *json = parsed(cases[i].text);
        if (lens_clip_config_read(json, "FILE", &config, &err) == 0)
            fail_msg("not refused: %s", cases[i].text);
        assert_says(&err, "FILE: ");
        assert_says(&err, cases[i].says);
        assert_int_equal(err.code, cases[i].code);
        json_decref(json);
    }
}

/* ---- preparation ------------------------------------------------------------------------------------------------- */

/* Of Hugging Face's form, or OPEN_CLIP's, for a network of SIZE pixels. 0 or -1. */
static int prepare(const char *text, bool open_clip, int size, lens_preparation *out, lens_error *err)
{
    json_t *json = parsed(text);
    int result = open_clip ? lens_clip_open_preparation(json, "FILE", size, out, err) : lens_clip_preparation(json, "FILE", size, out, err);
    json_decref(json);
    return result;
}

static lens_preparation expected(int size, int resize, lens_fit fit, lens_filter filter, lens_corner corner)
{
    return (lens_preparation){.size = size, .resize = resize, .fit = fit, .filter = filter, .corner = corner,
                              .mean = {0.48145466f, 0.4578275f, 0.40821073f}, .std = {0.26862954f, 0.26130258f, 0.27577711f}};
}

static void test_preparations(void **state)
{
    (void)state;
    const struct {
        const char *text;
        bool open_clip;
        lens_preparation expected;
    } cases[] = {
        {"{}", false, expected(224, 224, LENS_FIT_CROP, LENS_FILTER_BICUBIC, LENS_CORNER_FLOOR)},
        {"{\"size\":224,\"crop_size\":224,\"resample\":2,\"feature_extractor_type\":\"CLIPFeatureExtractor\"}", false,
         expected(224, 224, LENS_FIT_CROP, LENS_FILTER_BILINEAR, LENS_CORNER_FLOOR)},
        {"{\"size\":{\"shortest_edge\":256},\"crop_size\":{\"height\":224,\"width\":224},\"resample\":1}", false,
         expected(224, 256, LENS_FIT_CROP, LENS_FILTER_LANCZOS, LENS_CORNER_FLOOR)},
        {"{\"size\":{\"height\":224,\"width\":224},\"resample\":0}", false,
         expected(224, 224, LENS_FIT_SQUASH, LENS_FILTER_NEAREST, LENS_CORNER_FLOOR)},
        {"{\"size\":[224,224],\"do_center_crop\":false,\"crop_size\":100}", false,
         expected(224, 224, LENS_FIT_SQUASH, LENS_FILTER_BICUBIC, LENS_CORNER_FLOOR)},
        {"{\"rescale_factor\":0.00392156862745098,\"do_rescale\":true,\"do_pad\":false,\"do_convert_rgb\":false}", false,
         expected(224, 224, LENS_FIT_CROP, LENS_FILTER_BICUBIC, LENS_CORNER_FLOOR)},
        {"{\"model_cfg\":{}}", true, expected(224, 224, LENS_FIT_CROP, LENS_FILTER_BICUBIC, LENS_CORNER_ROUND)},
        {"{\"preprocess_cfg\":{\"size\":[224,224],\"interpolation\":\"bilinear\",\"resize_mode\":\"squash\",\"mode\":\"RGB\"}}", true,
         expected(224, 224, LENS_FIT_SQUASH, LENS_FILTER_BILINEAR, LENS_CORNER_ROUND)},
        {"{\"preprocess_cfg\":{\"interpolation\":\"bicubic\",\"resize_mode\":\"shortest\",\"fill_color\":0,\"mean\":null}}", true,
         expected(224, 224, LENS_FIT_CROP, LENS_FILTER_BICUBIC, LENS_CORNER_ROUND)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_error err = {0};
        lens_preparation got;
        assert_done(prepare(cases[i].text, cases[i].open_clip, 224, &got, &err), &err);
        lens_buffer one = {0}, other = {0};
        lens_preparation_describe(&got, &one), lens_preparation_describe(&cases[i].expected, &other);
        assert_string_equal(one.data, other.data);
        lens_buffer_free(&one), lens_buffer_free(&other);
    }
}

/* Value V in channel C after PREPARATION is (V * factor - mean) / std. */
static void check_value(const char *text, double factor, double mean, double std)
{
    lens_error err = {0};
    lens_preparation preparation;
    assert_done(prepare(text, false, 1, &preparation, &err), &err);
    for (int v = 0; v < 256; v += 51) {
        uint8_t rgb[3] = {(uint8_t)v, (uint8_t)v, (uint8_t)v};
        float pixels[3];
        lens_prepare_pixels(&(lens_image){.width = 1, .height = 1, .rgb = rgb}, &preparation, pixels);
        double wanted = (v * factor - mean) / std;
        for (int c = 0; c < 3; c++)
            if (!(fabs((double)pixels[c] - wanted) <= 1e-5 * fmax(1, fabs(wanted))))
                fail_msg("%s: %d becomes %g, not %g", text, v, (double)pixels[c], wanted);
    }
}

#define COLOURS "\"size\":1,\"crop_size\":1,\"image_mean\":[0.5,0.5,0.5],\"image_std\":[0.25,0.25,0.25]"

static void test_scales(void **state)
{
    (void)state;
    check_value("{" COLOURS "}", 1.0 / 255, 0.5, 0.25);
    check_value("{" COLOURS ",\"do_normalize\":false}", 1.0 / 255, 0, 1);
    check_value("{" COLOURS ",\"do_rescale\":false}", 1, 0.5, 0.25);
    check_value("{" COLOURS ",\"rescale_factor\":0.0078125}", 0.0078125, 0.5, 0.25);
    check_value("{" COLOURS ",\"rescale_factor\":0.0078125,\"do_normalize\":false}", 0.0078125, 0, 1);
    check_value("{" COLOURS ",\"rescale_factor\":7,\"do_rescale\":false,\"do_normalize\":false}", 1, 0, 1);
}

static void test_refused_preparations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool open_clip;
        const char *says;
    } cases[] = {
        {"{\"image_processor_type\":\"ViTImageProcessor\"}", false, "image_processor_type is not CLIP's"},
        {"{\"feature_extractor_type\":7}", false, "feature_extractor_type is not a text"},
        {"{\"do_resize\":false}", false, "do_resize is false"},
        {"{\"do_center_crop\":false}", false, "do_center_crop is false"},
        {"{\"do_center_crop\":0}", false, "do_center_crop is neither true nor false"},
        {"{\"do_pad\":true}", false, "do_pad is not supported"},
        {"{\"size\":{}}", false, "size names no side"},
        {"{\"size\":\"big\"}", false, "size is not a whole number"},
        {"{\"size\":{\"shortest_edge\":224,\"longest_edge\":300}}", false, "size.longest_edge is not supported"},
        {"{\"size\":{\"height\":224,\"width\":200}}", false, "size.width is not a square"},
        {"{\"size\":{\"height\":224}}", false, "is not a square"},
        {"{\"size\":{\"width\":224}}", false, "is not a square"},
        {"{\"size\":[224,200]}", false, "size is not a square"},
        {"{\"size\":200}", false, "crop_size: 224 pixels of pictures resized to 200"},
        {"{\"size\":{\"height\":256,\"width\":256}}", false, "then crop_size 224"},
        {"{\"crop_size\":{\"height\":224,\"width\":200}}", false, "crop_size.width is not a square"},
        {"{\"crop_size\":{}}", false, "crop_size names no side"},
        {"{\"size\":256,\"crop_size\":256}", false, "crop_size of 256 pixels, but the network sees 224"},
        {"{\"size\":[256,256],\"do_center_crop\":false}", false, "size of 256 pixels, but the network sees 224"},
        {"{\"resample\":4}", false, "resample is none of"},
        {"{\"image_mean\":[0.5,0.5]}", false, "image_mean is not a list of three numbers"},
        {"{\"image_std\":[0.5,0,0.5]}", false, "image_std is not a list of three positive numbers"},
        {"{\"image_std\":[1e-300,1,1]}", false, "image_std"},
        {"{\"image_mean\":[1e300,0,0]}", false, "image_mean"},
        {"{\"rescale_factor\":0}", false, "rescale_factor is not a number from"},
        {"{\"preprocess_cfg\":7}", true, "preprocess_cfg is not an object"},
        {"{\"preprocess_cfg\":{\"interpolation\":\"random\"}}", true, "preprocess_cfg.interpolation is neither bicubic nor bilinear"},
        {"{\"preprocess_cfg\":{\"resize_mode\":\"longest\"}}", true, "preprocess_cfg.resize_mode is neither shortest nor squash"},
        {"{\"preprocess_cfg\":{\"mode\":\"L\"}}", true, "preprocess_cfg.mode is not RGB"},
        {"{\"preprocess_cfg\":{\"size\":336}}", true, "preprocess_cfg.size of 336 pixels, but the network sees 224"},
        {"{\"preprocess_cfg\":{\"std\":[1,1,\"1\"]}}", true, "preprocess_cfg.std"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_error err = {0};
        lens_preparation preparation;
        if (prepare(cases[i].text, cases[i].open_clip, 224, &preparation, &err) == 0)
            fail_msg("not refused: %s", cases[i].text);
        assert_says(&err, "FILE: ");
        assert_says(&err, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),       cmocka_unit_test(test_defaults_of_hugging_face),
        cmocka_unit_test(test_hugging_face), cmocka_unit_test(test_sections_of_older_files),
        cmocka_unit_test(test_open_clip),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_preparations), cmocka_unit_test(test_scales),
        cmocka_unit_test(test_refused_preparations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
