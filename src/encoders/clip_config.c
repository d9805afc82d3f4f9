#include "encoders/clip_config.h"

#include <string.h>

#include "encoders/fields.h"

/* Far above every published model, and low enough that no product of two of them leaves an int. */
enum {
    WIDTH_MOST = 16384,
    LAYERS_MOST = 256,
    MLP_MOST = 131072,
    GRID_MOST = 128,
    CONTEXT_MOST = 4096,
    VOCABULARY_MOST = 1 << 24,
};

bool lens_clip_claims(const json_t *config)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    return (type && strcmp(type, "clip") == 0) || json_is_object(json_object_get(config, "model_cfg"));
}

int lens_clip_grid(const lens_clip_config *config)
{
    return config->size / config->patch;
}

static int check_tower(const lens_fields *fields, const char *heads, const lens_clip_tower *tower, lens_error *err)
{
    if (tower->heads < 1 || tower->width % tower->heads != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: %s%s: the width of %d does not come apart into %d heads", fields->path,
                         fields->section, heads, tower->width, tower->heads);
    return 0;
}

static int check_patches(const lens_fields *fields, const lens_clip_config *config, lens_error *err)
{
    if (config->patch > config->size)
        return lens_fail(err, LENS_E_FORMAT, "%s: %spatch_size: %d pixels do not fit into an image_size of %d", fields->path,
                         fields->section, config->patch, config->size);
    if (lens_clip_grid(config) > GRID_MOST)
        return lens_fail(err, LENS_E_LIMIT, "%s: %spatch_size: %d pixels of %d are more than %d patches a side", fields->path,
                         fields->section, config->patch, config->size, (int)GRID_MOST);
    return 0;
}

/* ---- Hugging Face ------------------------------------------------------------------------------------------------ */

static int read_tower(const lens_fields *fields, lens_clip_tower *tower, lens_error *err)
{
    const char *activation = "quick_gelu";
    tower->epsilon = 1e-5;
    if (lens_field_whole(fields, "hidden_size", 1, WIDTH_MOST, &tower->width, err) != 0 ||
        lens_field_whole(fields, "num_hidden_layers", 1, LAYERS_MOST, &tower->layers, err) != 0 ||
        lens_field_whole(fields, "num_attention_heads", 1, WIDTH_MOST, &tower->heads, err) != 0 ||
        lens_field_whole(fields, "intermediate_size", 1, MLP_MOST, &tower->mlp, err) != 0 ||
        lens_field_number(fields, "layer_norm_eps", 0, 1, &tower->epsilon, err) != 0 ||
        lens_field_text(fields, "hidden_act", &activation, err) != 0)
        return -1;
    if (strcmp(activation, "quick_gelu") == 0)
        tower->activation = LENS_ACTIVATION_QUICK_GELU;
    else if (strcmp(activation, "gelu") == 0)
        tower->activation = LENS_ACTIVATION_GELU;
    else
        return lens_field_fail(fields, "hidden_act", LENS_E_UNSUPPORTED, "is neither quick_gelu nor gelu", err);
    return check_tower(fields, "num_attention_heads", tower, err);
}

/* The section OLD where it is there, else NEW: in files that have both, transformers lets the old one win, with the defaults of what it
 * omits. */
static int read_section(const lens_fields *top, const char *old, const char *old_dot, const char *new, const char *new_dot,
                        lens_fields *section, lens_error *err)
{
    return lens_field(top, old) ? lens_field_section(top, old, old_dot, section, err)
                                : lens_field_section(top, new, new_dot, section, err);
}

static int read_hugging_face(const lens_fields *top, lens_clip_config *out, lens_error *err)
{
    /* transformers' CLIPConfig, CLIPVisionConfig and CLIPTextConfig: ViT-B/32. */
    *out = (lens_clip_config){
        .pictures = {.width = 768, .layers = 12, .heads = 12, .mlp = 3072},
        .words = {.width = 512, .layers = 12, .heads = 8, .mlp = 2048},
        .size = 224, .patch = 32, .context = 77, .vocabulary = 49408, .end = 49407, .dim = 512,
    };
    lens_fields vision, text;
    int channels = 3;
    if (lens_field_whole(top, "projection_dim", 1, WIDTH_MOST, &out->dim, err) != 0 ||
        read_section(top, "vision_config_dict", "vision_config_dict.", "vision_config", "vision_config.", &vision, err) != 0 ||
        read_section(top, "text_config_dict", "text_config_dict.", "text_config", "text_config.", &text, err) != 0 ||
        read_tower(&vision, &out->pictures, err) != 0 || read_tower(&text, &out->words, err) != 0 ||
        lens_field_side(&vision, "image_size", &out->size, err) != 0 ||
        lens_field_side(&vision, "patch_size", &out->patch, err) != 0 ||
        lens_field_whole(&vision, "num_channels", 1, LENS_PREPARE_MOST, &channels, err) != 0 ||
        lens_field_whole(&text, "max_position_embeddings", 2, CONTEXT_MOST, &out->context, err) != 0 ||
        lens_field_whole(&text, "vocab_size", 1, VOCABULARY_MOST, &out->vocabulary, err) != 0 ||
        lens_field_whole(&text, "eos_token_id", 0, VOCABULARY_MOST, &out->end, err) != 0)
        return -1;
    if (channels != 3)
        return lens_field_fail(&vision, "num_channels", LENS_E_UNSUPPORTED, "is not 3", err);
    /* The configurations of OpenAI's models say 2, which is not the number of the end token: transformers takes it as the sign to look
     * for the largest id, as OpenAI's own code does. */
    if (out->end == 2)
        out->end = -1;
    return check_patches(&vision, out, err);
}

/* ---- OpenCLIP ---------------------------------------------------------------------------------------------------- */

/* Fields that would change the pass or the words: each must be absent, null or false. What only matters in training (patch_dropout,
 * init_logit_scale, …) or to other outputs (output_tokens) is not among them. */
static const char *const refused_model[] = {"custom_text", "multimodal_cfg", NULL};
static const char *const refused_vision[] = {
    "timm_model_name", "attentional_pool", "global_average_pool", "no_ln_pre", "input_patchnorm", "ls_init_value", "act_kwargs",
    "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc", NULL};
static const char *const refused_text[] = {
    "hf_model_name", "hf_tokenizer_name", "tokenizer_kwargs", "tokenizer_mode", "embed_cls", "no_causal_mask", "proj_bias",
    "ls_init_value", "act_kwargs", "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc", NULL};

static int refuse(const lens_fields *fields, const char *const *keys, lens_error *err)
{
    for (; *keys; keys++)
        if (lens_field_refuse(fields, *keys, err) != 0)
            return -1;
    return 0;
}

/* Fails unless the text KEY is ONE or OTHER, or absent. */
static int only(const lens_fields *fields, const char *key, const char *one, const char *other, lens_error *err)
{
    const char *value = one;
    if (lens_field_text(fields, key, &value, err) != 0)
        return -1;
    if (strcmp(value, one) == 0 || strcmp(value, other) == 0)
        return 0;
    char what[80];
    snprintf(what, sizeof what, "is not %s", one);
    return lens_field_fail(fields, key, LENS_E_UNSUPPORTED, what, err);
}

static int read_epsilon(const lens_fields *fields, const char *section, double *epsilon, lens_error *err)
{
    lens_fields norm;
    const char *key;
    json_t *value;
    if (lens_field_section(fields, "norm_kwargs", section, &norm, err) != 0)
        return -1;
    json_object_foreach((json_t *)norm.object, key, value)
        if (strcmp(key, "eps") != 0)
            return lens_field_fail(&norm, key, LENS_E_UNSUPPORTED, "is not supported", err);
    return lens_field_number(&norm, "eps", 0, 1, epsilon, err);
}

/* What both towers have. */
static int read_open_tower(const lens_fields *fields, const char *norm_section, lens_clip_tower *tower, lens_error *err)
{
    double ratio = 4;
    tower->epsilon = 1e-5;
    if (json_is_array(lens_field(fields, "layers")))
        return lens_field_fail(fields, "layers", LENS_E_UNSUPPORTED, "is a list, that of a ResNet: only vision transformers are supported",
                               err);
    if (lens_field_whole(fields, "width", 1, WIDTH_MOST, &tower->width, err) != 0 ||
        lens_field_whole(fields, "layers", 1, LAYERS_MOST, &tower->layers, err) != 0 ||
        lens_field_number(fields, "mlp_ratio", 0, 64, &ratio, err) != 0 || only(fields, "block_type", "default", "", err) != 0 ||
        read_epsilon(fields, norm_section, &tower->epsilon, err) != 0)
        return -1;
    double mlp = tower->width * ratio; /* cut, as Python's int() */
    if (!(mlp >= 1 && mlp <= MLP_MOST))
        return lens_fail(err, LENS_E_LIMIT, "%s: %smlp_ratio: %g times the width of %d is not from 1 to %d", fields->path,
                         fields->section, ratio, tower->width, (int)MLP_MOST);
    tower->mlp = (int)mlp;
    return 0;
}

static int read_open(const lens_fields *top, lens_clip_config *out, lens_error *err)
{
    /* open_clip's CLIPVisionCfg and CLIPTextCfg; its embed_dim has no default. */
    *out = (lens_clip_config){
        .open = true, .pictures = {.width = 768, .layers = 12}, .words = {.width = 512, .layers = 12, .heads = 8},
        .size = 224, .patch = 16, .context = 77, .vocabulary = 49408, .end = -1,
    };
    lens_fields model, vision, text;
    bool quick = false;
    int head = 64;
    if (lens_field_section(top, "model_cfg", "model_cfg.", &model, err) != 0 || refuse(&model, refused_model, err) != 0 ||
        lens_field_whole(&model, "embed_dim", 1, WIDTH_MOST, &out->dim, err) != 0 ||
        lens_field_flag(&model, "quick_gelu", &quick, err) != 0 ||
        lens_field_section(&model, "vision_cfg", "vision_cfg.", &vision, err) != 0 ||
        lens_field_section(&model, "text_cfg", "text_cfg.", &text, err) != 0)
        return -1;
    if (out->dim == 0)
        return lens_field_fail(&model, "embed_dim", LENS_E_FORMAT, "is not there", err);
    if (refuse(&vision, refused_vision, err) != 0 || refuse(&text, refused_text, err) != 0 ||
        only(&vision, "pool_type", "tok", "tok", err) != 0 || only(&vision, "pos_embed_type", "learnable", "sin_cos_2d", err) != 0 ||
        only(&text, "pool_type", "argmax", "argmax", err) != 0 || only(&text, "proj_type", "linear", "linear", err) != 0 ||
        read_open_tower(&vision, "vision_cfg.norm_kwargs.", &out->pictures, err) != 0 ||
        read_open_tower(&text, "text_cfg.norm_kwargs.", &out->words, err) != 0 ||
        lens_field_whole(&vision, "head_width", 1, WIDTH_MOST, &head, err) != 0 ||
        lens_field_whole(&text, "heads", 1, WIDTH_MOST, &out->words.heads, err) != 0 ||
        lens_field_side(&vision, "image_size", &out->size, err) != 0 ||
        lens_field_side(&vision, "patch_size", &out->patch, err) != 0 ||
        lens_field_whole(&text, "context_length", 2, CONTEXT_MOST, &out->context, err) != 0 ||
        lens_field_whole(&text, "vocab_size", 1, VOCABULARY_MOST, &out->vocabulary, err) != 0)
        return -1;
    out->pictures.heads = out->pictures.width / head;
    out->pictures.activation = out->words.activation = quick ? LENS_ACTIVATION_QUICK_GELU : LENS_ACTIVATION_GELU;
    if (check_tower(&vision, "head_width", &out->pictures, err) != 0 || check_tower(&text, "heads", &out->words, err) != 0)
        return -1;
    return check_patches(&vision, out, err);
}

int lens_clip_config_read(const json_t *config, const char *path, lens_clip_config *out, lens_error *err)
{
    const lens_fields top = {config, path, ""};
    return json_is_object(json_object_get(config, "model_cfg")) ? read_open(&top, out, err) : read_hugging_face(&top, out, err);
}
