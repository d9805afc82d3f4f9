/* all-MiniLM-L6-v2 and its like: sentences by BERT's encoder, Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers
 * for Language Understanding" (2018), distilled by Wang et al., "MiniLM: Deep Self-Attention Distillation for Task-Agnostic
 * Compression of Pre-Trained Transformers" (2020), and pooled as Reimers and Gurevych, "Sentence-BERT" (2019): the mean over all
 * tokens. Tensor names are those of Hugging Face's BertModel. docs/MODELS.md describes the pass. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "encoders/catalogue.h"
#include "encoders/family.h"
#include "encoders/fields.h"

enum { USUAL_CONTEXT = 256 };

struct sizes {
    int width, inner, heads, layers; /* of a token's row, of the row between a block's last two products */
    int context, positions, types, vocabulary;
    double epsilon;
};

/* A block with its norms behind the sums ("post-norm"), as in the transformer's first paper. */
struct block {
    const lens_layer *qkv, *attention, *merge, *norm1, *widen, *narrow, *norm2;
};

struct model {
    struct sizes sizes;
    const float *words;     /* [vocabulary, width]; the engine's, as are these: */
    const float *positions; /* [positions, width]: the position's row and that of token type 0 */
    const lens_layer *norm;
    struct block *blocks;
    lens_type row, qkv;
};

/* Where building has got to. */
struct builder {
    const lens_model_source *source;
    lens_engine *engine;
    const struct sizes *sizes;
    const char *prefix; /* of every tensor: "" or "bert." */
};

static bool claims(const json_t *config)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    return type && strcmp(type, "bert") == 0;
}

/* ---- the configuration ------------------------------------------------------------------------------------------- */

/* KEY, where it is there, must be the text WANTED. */
static int expect_text(const lens_fields *fields, const char *key, const char *wanted, lens_error *err)
{
    const char *text = wanted;
    char what[96];
    if (lens_field_text(fields, key, &text, err) != 0)
        return -1;
    snprintf(what, sizeof what, "is '%.32s', not %s", text, wanted);
    return strcmp(text, wanted) == 0 ? 0 : lens_field_fail(fields, key, LENS_E_UNSUPPORTED, what, err);
}

/* What a configuration may leave out is as in BERT's base model. */
static int read_sizes(const json_t *config, const char *path, struct sizes *sizes, lens_error *err)
{
    enum { MOST = 1 << 20 };
    const lens_fields fields = {config, path, ""};
    *sizes = (struct sizes){.width = 768, .inner = 3072, .heads = 12, .layers = 12, .positions = 512, .types = 2, .vocabulary = 30522,
                            .epsilon = 1e-12};
    const struct {
        const char *key;
        int *size;
    } keys[] = {{"hidden_size", &sizes->width},           {"intermediate_size", &sizes->inner},
                {"num_attention_heads", &sizes->heads},   {"num_hidden_layers", &sizes->layers},
                {"max_position_embeddings", &sizes->positions}, {"type_vocab_size", &sizes->types},
                {"vocab_size", &sizes->vocabulary}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (lens_field_whole(&fields, keys[i].key, 1, MOST, keys[i].size, err) != 0)
            return -1;
    if (sizes->width % sizes->heads != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: hidden_size %d cannot be cut into num_attention_heads %d", path, sizes->width,
                         sizes->heads);
    if (lens_field_number(&fields, "layer_norm_eps", 0, 1, &sizes->epsilon, err) != 0 ||
        lens_field_refuse(&fields, "is_decoder", err) != 0 ||
        expect_text(&fields, "position_embedding_type", "absolute", err) != 0)
        return -1;
    return expect_text(&fields, "hidden_act", "gelu", err);
}

static const char tokenizer_config[] = "tokenizer_config.json"; /* has a length of 10^30 where nothing else was said */

/* FOLDER/NAME where it is there: *JSON is NULL when it is not, and freed by the caller with json_decref. *PATH, for messages, is
 * freed with free. 0 or -1. */
static int read_beside(const char *folder, const char *name, json_t **json, char **path, lens_error *err)
{
    enum { LARGEST = 1 << 20 };
    *json = NULL;
    *path = lens_path_join(folder, name);
    if (!*path)
        return lens_fail_memory_for(err, folder);
    if (!lens_file_exists(*path))
        return 0;
    lens_buffer text = {0};
    if (lens_file_read(*path, LARGEST, &text, err) == 0)
        *json = (strcmp(name, tokenizer_config) == 0 ? lens_json_parse_reals : lens_json_parse)(text.data ? text.data : "", text.size, *path, err);
    lens_buffer_free(&text);
    return *json ? 0 : -1;
}

/* The most tokens of a text by the tokenizer's own file, as sentence-transformers has it where nothing else is said; without that file what it had for the
 * models of its beginnings. No more than there are positions. */
static int read_tokenizer_length(const char *folder, struct sizes *sizes, lens_error *err)
{
    json_t *json;
    char *path;
    double most = USUAL_CONTEXT;
    int result = read_beside(folder, tokenizer_config, &json, &path, err);
    if (result == 0)
        result = lens_field_number(&(lens_fields){json, path, ""}, "model_max_length", 2, 1e40, &most, err);
    sizes->context = most < sizes->positions ? (int)most : sizes->positions;
    json_decref(json);
    free(path);
    return result;
}

/* The most tokens of a text; and what else is said there must be what is done here. */
static int read_context(const char *folder, struct sizes *sizes, lens_error *err)
{
    json_t *json;
    char *path;
    int result = read_beside(folder, "sentence_bert_config.json", &json, &path, err);
    const lens_fields fields = {json, path, ""};
    sizes->context = 0;
    if (result == 0 && (lens_field_whole(&fields, "max_seq_length", 2, sizes->positions, &sizes->context, err) != 0 ||
                        expect_text(&fields, "transformer_task", "feature-extraction", err) != 0 ||
                        expect_text(&fields, "module_output_name", "token_embeddings", err) != 0 ||
                        lens_field_refuse(&fields, "processing_kwargs", err) != 0))
        result = -1;
    if (result == 0 && sizes->context == 0)
        result = read_tokenizer_length(folder, sizes, err);
    if (result == 0 && sizes->context < 2)
        result = lens_fail(err, LENS_E_FORMAT, "%s: max_position_embeddings leaves no room for words", folder);
    json_decref(json);
    free(path);
    return result;
}

/* Whether KEY, "pooling_mode_NAME", names a way of pooling, and which. */
static const char *pooling_of(const char *key)
{
    static const char start[] = "pooling_mode_";
    return strncmp(key, start, sizeof start - 1) == 0 ? key + sizeof start - 1 : NULL;
}

/* Only the mean over tokens is known: any other pooling would give vectors, but others. */
static int check_pooling(const char *folder, lens_error *err)
{
    json_t *json;
    char *path;
    int result = read_beside(folder, LENS_CATALOGUE_POOLING "/config.json", &json, &path, err);
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        const char *name = pooling_of(key);
        bool mean = name && strcmp(name, "mean_tokens") == 0;
        if (result == 0 && name && (mean ? !json_is_true(value) : !json_is_false(value)))
            result = lens_fail(err, LENS_E_UNSUPPORTED, "%s: %s is %s: only the mean over tokens is supported", path, key,
                               json_is_true(value) ? "true" : "not true");
    }
    if (result == 0)
        result = expect_text(&(lens_fields){json, path, ""}, "pooling_mode", "mean", err);
    json_decref(json);
    free(path);
    return result;
}

/* sentence-transformers runs the modules of modules.json one behind the other; a Dense one, say, would be missing here. */
static int check_modules(const char *folder, lens_error *err)
{
    static const char *const known[] = {"Transformer", "Pooling", "Normalize"};
    json_t *json;
    char *path;
    int result = read_beside(folder, "modules.json", &json, &path, err);
    for (size_t i = 0; i < json_array_size(json) && result == 0; i++) {
        const char *type = json_string_value(json_object_get(json_array_get(json, i), "type"));
        const char *dot = type ? strrchr(type, '.') : NULL;
        const char *name = dot ? dot + 1 : type ? type : "?";
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            found |= strcmp(name, known[k]) == 0;
        if (!found)
            result = lens_fail(err, LENS_E_UNSUPPORTED, "%s: the module %.64s is not supported", path, name);
    }
    json_decref(json);
    free(path);
    return result;
}

/* Words that the model's makers have before every text are no part of it here. */
static int check_prompt(const char *folder, lens_error *err)
{
    json_t *json;
    char *path;
    int result = read_beside(folder, "config_sentence_transformers.json", &json, &path, err);
    if (result == 0)
        result = lens_field_refuse(&(lens_fields){json, path, ""}, "default_prompt_name", err);
    json_decref(json);
    free(path);
    return result;
}

/* The tokenizer makes everything lower case and takes accents off; a vocabulary that was not made for this would find other tokens. */
static int check_letters(const char *folder, lens_error *err)
{
    json_t *json;
    char *path;
    int result = read_beside(folder, tokenizer_config, &json, &path, err);
    const char *const keys[] = {"do_lower_case", "strip_accents", "tokenize_chinese_chars"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys && result == 0; i++)
        if (json_is_false(json_object_get(json, keys[i])))
            result = lens_fail(err, LENS_E_UNSUPPORTED, "%s: %s is false: only BERT's uncased tokenizer is supported", path, keys[i]);
    if (result == 0) /* of a text that is too long the end is left out, not the beginning */
        result = expect_text(&(lens_fields){json, path, ""}, "truncation_side", "right", err);
    json_decref(json);
    free(path);
    return result;
}

static int read_configuration(const lens_model_source *source, struct sizes *sizes, lens_error *err)
{
    if (read_sizes(source->config, source->config_path, sizes, err) != 0 || read_context(source->folder, sizes, err) != 0)
        return -1;
    return check_pooling(source->folder, err) != 0 || check_modules(source->folder, err) != 0 || check_prompt(source->folder, err) != 0 ? -1 : 0;
}

static int check(const lens_model_source *source, lens_error *err)
{
    struct sizes sizes;
    return read_configuration(source, &sizes, err);
}

/* ---- the weights ------------------------------------------------------------------------------------------------- */

/* The tensor PREFIX + NAME, [rows, columns], or [rows] when COLUMNS is 0. The caller frees. */
static float *read_tensor(const struct builder *builder, const char *name, int64_t rows, int64_t columns, lens_error *err)
{
    char full[128];
    snprintf(full, sizeof full, "%s%s", builder->prefix, name);
    return lens_weights_read(builder->source->weights, full, columns ? 2 : 1, (int64_t[]){rows, columns}, err);
}

/* Weight and bias of NAME, [out, in] and [out], to WEIGHTS and BIAS. */
static int copy_linear(const struct builder *builder, const char *name, int out, int in, float *weights, float *bias, lens_error *err)
{
    char part[112];
    snprintf(part, sizeof part, "%s.weight", name);
    float *w = read_tensor(builder, part, out, in, err);
    snprintf(part, sizeof part, "%s.bias", name);
    float *b = w ? read_tensor(builder, part, out, 0, err) : NULL;
    if (b) {
        memcpy(weights, w, (size_t)out * (size_t)in * sizeof *w);
        memcpy(bias, b, (size_t)out * sizeof *b);
    }
    free(w);
    free(b);
    return b ? 0 : -1;
}

/* The products that NAMES name, of one input, as one layer called NAME, each with OUT outputs. NULL on failure. */
static const lens_layer *add_linear(const struct builder *builder, const char *name, const char *const *names, int count, int in, int out,
                                    bool sum, lens_activation activation, lens_error *err)
{
    const lens_precision precision = builder->source->precision;
    const lens_type to = sum ? LENS_TYPE_F32 : count > 1 ? lens_precision_maps(precision) : lens_precision_rows(precision);
    lens_linear_spec spec = {.in = in, .out = count * out, .sum = sum, .activation = activation, .from = lens_precision_rows(precision), .to = to};
    if (lens_engine_is_warm(builder->engine))
        return lens_linear_new(builder->engine, name, &spec, NULL, NULL, err);
    size_t each = (size_t)out * (size_t)in;
    float *weights = lens_floats_new((size_t)count * each), *bias = lens_floats_new((size_t)count * (size_t)out);
    int result = weights && bias ? 0 : lens_fail_memory_for(err, builder->source->folder);
    for (int i = 0; i < count && result == 0; i++)
        result = copy_linear(builder, names[i], out, in, weights + (size_t)i * each, bias + (size_t)i * (size_t)out, err);
    const lens_layer *layer = result == 0 ? lens_linear_new(builder->engine, name, &spec, weights, bias, err) : NULL;
    free(weights);
    free(bias);
    return layer;
}

/* The layer norm called NAME. NULL on failure. */
static const lens_layer *add_norm(const struct builder *builder, const char *name, lens_error *err)
{
    char part[112];
    int width = builder->sizes->width;
    if (lens_engine_is_warm(builder->engine))
        return lens_norm_new(builder->engine, name, width, builder->sizes->epsilon, LENS_TYPE_F32, NULL, NULL, err);
    snprintf(part, sizeof part, "%s.weight", name);
    float *gamma = read_tensor(builder, part, width, 0, err);
    snprintf(part, sizeof part, "%s.bias", name);
    float *beta = gamma ? read_tensor(builder, part, width, 0, err) : NULL;
    const lens_layer *layer = beta ? lens_norm_new(builder->engine, name, width, builder->sizes->epsilon, LENS_TYPE_F32, gamma, beta, err) : NULL;
    free(gamma);
    free(beta);
    return layer;
}

enum { QUERY, KEY, VALUE, MERGE, NORM1, WIDEN, NARROW, NORM2, PARTS };

static int add_block(const struct builder *builder, int index, struct block *block, lens_error *err)
{
    static const char *const parts[PARTS] = {
        "attention.self.query",       "attention.self.key", "attention.self.value", "attention.output.dense",
        "attention.output.LayerNorm", "intermediate.dense", "output.dense",         "output.LayerNorm"};
    const struct sizes *sizes = builder->sizes;
    const int width = sizes->width, inner = sizes->inner;
    char text[PARTS][80], own[80];
    const char *names[PARTS];
    for (int i = 0; i < PARTS; i++) {
        snprintf(text[i], sizeof text[i], "encoder.layer.%d.%s", index, parts[i]);
        names[i] = text[i];
    }
    snprintf(own, sizeof own, "encoder.layer.%d.attention.self", index);
    const lens_precision precision = builder->source->precision;
    lens_attention_spec attention = {.heads = sizes->heads, .width = width / sizes->heads, .from = lens_precision_maps(precision),
                                     .to = lens_precision_rows(precision)};
    if (!(block->qkv = add_linear(builder, own, names + QUERY, 3, width, width, false, LENS_ACTIVATION_NONE, err)) ||
        !(block->attention = lens_attention_new(builder->engine, own, &attention, err)) ||
        !(block->merge = add_linear(builder, names[MERGE], names + MERGE, 1, width, width, true, LENS_ACTIVATION_NONE, err)) ||
        !(block->norm1 = add_norm(builder, names[NORM1], err)) ||
        !(block->widen = add_linear(builder, names[WIDEN], names + WIDEN, 1, width, inner, false, LENS_ACTIVATION_GELU, err)) ||
        !(block->narrow = add_linear(builder, names[NARROW], names + NARROW, 1, inner, width, true, LENS_ACTIVATION_NONE, err)) ||
        !(block->norm2 = add_norm(builder, names[NORM2], err)))
        return -1;
    return 0;
}

/* The positions' rows with that of token type 0. The caller frees. NULL on failure. */
static float *read_positions(const struct builder *builder, lens_error *err)
{
    const struct sizes *sizes = builder->sizes;
    float *positions = read_tensor(builder, "embeddings.position_embeddings.weight", sizes->positions, sizes->width, err);
    float *types = positions ? read_tensor(builder, "embeddings.token_type_embeddings.weight", sizes->types, sizes->width, err) : NULL;
    if (!types) {
        free(positions);
        return NULL;
    }
    /* All of them, not only those of the context: packed weights outlive what the folder says of that. */
    for (int position = 0; position < sizes->positions; position++)
        for (int i = 0; i < sizes->width; i++)
            positions[(size_t)position * (size_t)sizes->width + (size_t)i] += types[i];
    free(types);
    return positions;
}

/* The embeddings of words, and of what is the same for every text. */
static int add_embeddings(const struct builder *builder, struct model *model, lens_error *err)
{
    const struct sizes *sizes = builder->sizes;
    const size_t width = (size_t)sizes->width;
    const bool warm = lens_engine_is_warm(builder->engine);
    float *words = warm ? NULL : read_tensor(builder, "embeddings.word_embeddings.weight", sizes->vocabulary, sizes->width, err);
    if (!words && !warm)
        return -1;
    model->words = lens_engine_table(builder->engine, "words", (size_t)sizes->vocabulary * width, words, err);
    float *positions = model->words && !warm ? read_positions(builder, err) : NULL;
    if (!model->words || (!positions && !warm))
        return -1;
    model->positions = lens_engine_table(builder->engine, "positions", (size_t)sizes->positions * width, positions, err);
    return model->positions ? 0 : -1;
}

static int build(const struct builder *builder, struct model *model, lens_error *err)
{
    const struct sizes *sizes = builder->sizes;
    model->blocks = calloc((size_t)sizes->layers, sizeof *model->blocks);
    if (!model->blocks)
        return lens_fail_memory_for(err, builder->source->folder);
    if (add_embeddings(builder, model, err) != 0 || !(model->norm = add_norm(builder, "embeddings.LayerNorm", err)))
        return -1;
    for (int i = 0; i < sizes->layers; i++)
        if (add_block(builder, i, &model->blocks[i], err) != 0)
            return -1;
    char name[128];
    snprintf(name, sizeof name, "%sencoder.layer.%d.attention.self.query.weight", builder->prefix, sizes->layers);
    if (lens_weights_find(builder->source->weights, name))
        return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s is in the weights, but num_hidden_layers is %d", builder->source->config_path,
                         name, sizes->layers);
    return 0;
}

static void model_close(void *opened)
{
    struct model *model = opened;
    if (!model)
        return;
    free(model->blocks);
    free(model);
}

/* ---- the family -------------------------------------------------------------------------------------------------- */

/* The buffers of a text of COUNT tokens, in one piece. */
struct buffers {
    float *rows;  /* [count, width]: the residual */
    void *normed; /* the same as rows to multiply */
    void *wide;   /* queries, keys and values, or rows [count, inner] */
    void *mixed;  /* rows [count, width]: what attention gave */
    size_t size;  /* bytes of all */
};

/* Lays them out from WORKSPACE on. */
static struct buffers divide(const struct model *model, size_t count, void *workspace)
{
    const size_t width = (size_t)model->sizes.width, rows = lens_items_size(model->row, count, width);
    const size_t qkv = lens_items_size(model->qkv, count, 3 * width), inner = lens_items_size(model->row, count, (size_t)model->sizes.inner);
    const size_t sizes[4] = {count * width * sizeof(float), model->row == LENS_TYPE_F32 ? 0 : rows, qkv > inner ? qkv : inner, rows};
    size_t at[5] = {0};
    for (int i = 0; i < 4; i++)
        at[i + 1] = at[i] + lens_aligned(sizes[i]);
    char *base = workspace;
    struct buffers buffers = {.size = at[4]};
    if (base) {
        buffers.rows = workspace;
        buffers.normed = model->row == LENS_TYPE_F32 ? workspace : base + at[1];
        buffers.wide = base + at[2];
        buffers.mixed = base + at[3];
    }
    return buffers;
}

static void *model_open(const lens_model_source *source, lens_engine *engine, lens_model_facts *facts, lens_error *err)
{
    static const char prefixed[] = "bert.embeddings.word_embeddings.weight";
    struct model *model = calloc(1, sizeof *model);
    if (!model) {
        lens_fail_memory_for(err, source->folder);
        return NULL;
    }
    struct sizes *sizes = &model->sizes;
    struct builder builder = {source, engine, sizes, lens_weights_find(source->weights, prefixed) ? "bert." : ""};
    int result = read_configuration(source, sizes, err);
    facts->words = true;
    facts->embedding = prefixed + (*builder.prefix ? 0 : strlen("bert."));
    if (result == 0 && (source->towers & LENS_TOWER_WORDS))
        result = build(&builder, model, err);
    if (result == 0 && lens_buffer_print(&facts->description, "bert heads %d epsilon %.17g context %d", sizes->heads, sizes->epsilon,
                                         sizes->context) != 0)
        result = lens_fail_memory_for(err, source->folder);
    if (result != 0) {
        model_close(model);
        return NULL;
    }
    model->row = lens_precision_rows(source->precision);
    model->qkv = lens_precision_maps(source->precision);
    facts->dim = sizes->width;
    facts->vocabulary = sizes->vocabulary;
    facts->workspace = divide(model, (size_t)sizes->context, NULL).size;
    return model;
}

static lens_tokenizer *open_tokenizer(const lens_model_source *source, lens_error *err)
{
    struct sizes sizes;
    if (read_sizes(source->config, source->config_path, &sizes, err) != 0 || read_context(source->folder, &sizes, err) != 0 ||
        check_letters(source->folder, err) != 0)
        return NULL;
    return lens_tokenizer_open(source->folder, LENS_TOKENIZER_WORDPIECE, sizes.context, err);
}

/* IDS [count] -> ROWS [count, width], before their norm. */
static void embed(const struct model *model, const int32_t *ids, int count, float *rows)
{
    size_t width = (size_t)model->sizes.width;
    for (int t = 0; t < count; t++, rows += width) {
        const float *word = model->words + (size_t)ids[t] * width, *position = model->positions + (size_t)t * width;
        for (size_t i = 0; i < width; i++)
            rows[i] = word[i] + position[i];
    }
}

/* The norm behind a sum, and its rows to multiply. */
static int norm_rows(const struct model *model, lens_stream *stream, const lens_layer *norm, int count, const struct buffers *buffers,
                     lens_error *err)
{
    if (lens_norm_run(stream, norm, count, buffers->rows, buffers->rows, err) != 0)
        return -1;
    if (model->row != LENS_TYPE_F32)
        lens_items_store(model->row, buffers->rows, (size_t)count, (size_t)model->sizes.width, buffers->normed);
    return 0;
}

static int run_words(const void *opened, lens_stream *stream, void *workspace, const int32_t *ids, int count, float *features,
                     lens_error *err)
{
    const struct model *model = opened;
    const struct buffers buffers = divide(model, (size_t)model->sizes.context, workspace);
    embed(model, ids, count, buffers.rows);
    if (norm_rows(model, stream, model->norm, count, &buffers, err) != 0)
        return -1;
    for (const struct block *block = model->blocks; block < model->blocks + model->sizes.layers; block++)
        if (lens_linear_run(stream, block->qkv, count, buffers.normed, buffers.wide, err) != 0 ||
            lens_attention_run(stream, block->attention, 1, count, buffers.wide, buffers.mixed, err) != 0 ||
            lens_linear_run(stream, block->merge, count, buffers.mixed, buffers.rows, err) != 0 ||
            norm_rows(model, stream, block->norm1, count, &buffers, err) != 0 ||
            lens_linear_run(stream, block->widen, count, buffers.normed, buffers.wide, err) != 0 ||
            lens_linear_run(stream, block->narrow, count, buffers.wide, buffers.rows, err) != 0 ||
            norm_rows(model, stream, block->norm2, count, &buffers, err) != 0)
            return -1;
    lens_mean_positions(1, count, model->sizes.width, buffers.rows, features);
    return 0;
}

const lens_family lens_family_minilm = {
    .name = "minilm", .quickest = LENS_PRECISION_INT8, .claims = claims, .check = check, .open = model_open, .close = model_close,
    .tokenizer = open_tokenizer, .run_words = run_words,
};
