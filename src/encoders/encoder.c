#include "encoders/encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "encoders/catalogue.h"
#include "encoders/opened.h"
#include "encoders/packed_place.h"
#include "encoders/registry.h"

/* The two forms in which a model's folder comes: Hugging Face and timm, or OpenCLIP. A folder that holds both is taken for the first. */
static const struct form {
    const char *config, *weights, *shards;
} forms[] = {{"config.json", "model.safetensors", "model.safetensors.index.json"},
             {"open_clip_config.json", "open_clip_model.safetensors", "open_clip_model.safetensors.index.json"}};

static bool has_file(const char *folder, const char *name)
{
    char *path = lens_path_join(folder, name);
    bool there = path && lens_file_exists(path);
    free(path);
    return there;
}

/* The form of FOLDER: by its weights, and without any by its configuration. */
static const struct form *form_of(const char *folder)
{
    enum { COUNT = sizeof forms / sizeof *forms };
    for (size_t i = 0; i < COUNT; i++)
        if (has_file(folder, forms[i].config) && (has_file(folder, forms[i].weights) || has_file(folder, forms[i].shards)))
            return &forms[i];
    for (size_t i = 0; i < COUNT; i++)
        if (has_file(folder, forms[i].config))
            return &forms[i];
    return &forms[0];
}

/* The configuration of FOLDER at PATH. NULL on failure. */
static json_t *read_json(const char *folder, const char *path, lens_error *err)
{
    if (lens_file_exists(path))
        return lens_json_read_small(path, err);
    lens_fail(err, LENS_E_MISSING, "%s: no model: neither %s nor %s is in it", folder, forms[0].config, forms[1].config);
    return NULL;
}

/* Opens the weights in FOLDER: one file, or the shards of an index. */
static lens_weights *open_weights(const char *folder, const struct form *form, lens_error *err)
{
    const char *const names[] = {form->weights, form->shards};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!has_file(folder, names[i]))
            continue;
        char *path = lens_path_join(folder, names[i]);
        lens_weights *weights = path ? lens_weights_open(path, err) : NULL;
        if (!path)
            lens_fail_memory_for(err, folder);
        free(path);
        return weights;
    }
    lens_fail(err, LENS_E_MISSING, "%s: neither %s nor %s is in it", folder, names[0], names[1]);
    return NULL;
}

/* The family of a model with this configuration. NULL on failure. */
static const lens_family *find_family(const json_t *config, const char *config_path, lens_error *err)
{
    const lens_family *family = lens_family_for(config);
    if (family)
        return family;
    const char *architecture = json_string_value(json_object_get(config, "architecture"));
    const char *type = json_string_value(json_object_get(config, "model_type"));
    const char *what = architecture ? "the architecture " : type ? "the model_type " : "such a model";
    lens_fail(err, LENS_E_UNSUPPORTED, "%s: no encoder of this build knows %s%.64s", config_path, what,
              architecture ? architecture : type ? type : "");
    return NULL;
}

/* Splits NAME@PREP, and changes the preparation as PREP says, where there are PICTURES to prepare. */
static int name_and_prepare(lens_encoder *encoder, const char *folder, const char *name, bool pictures, lens_error *err)
{
    encoder->name = strdup(name);
    encoder->variant = strdup(name);
    encoder->folder = strdup(folder);
    if (!encoder->name || !encoder->variant || !encoder->folder)
        return lens_fail_memory_for(err, folder);
    encoder->info.name = encoder->name;
    encoder->info.variant = encoder->variant;
    encoder->info.folder = encoder->folder;
    encoder->info.family = encoder->family->name;
    char *at = encoder->name + lens_model_base_length(name);
    if (!*at)
        return 0;
    *at = '\0';
    if (!pictures)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: '@%s' prepares pictures, but this model encodes words only", name, at + 1);
    return lens_preparation_override(&encoder->info.preparation, at + 1, err);
}

/* Vectors of two encoders are comparable when the same numbers go through the same pass after the same preparation. */
static int fingerprint(lens_encoder *encoder, const lens_hash *weights, const lens_buffer *description, lens_error *err)
{
    lens_buffer text = {0};
    bool done = lens_buffer_print(&text, "%s\n%s\n", encoder->family->name, description->data ? description->data : "") == 0 &&
                lens_preparation_describe(&encoder->info.preparation, &text) == 0 &&
                lens_buffer_append(&text, weights->bytes, sizeof weights->bytes) == 0;
    if (done)
        encoder->info.fingerprint = lens_hash_of(text.data, text.size);
    lens_buffer_free(&text);
    return done ? 0 : lens_fail_memory_for(err, encoder->folder);
}

/* Of the towers that were asked for those that the model has. 0 or -1. */
static int choose_towers(lens_encoder *encoder, const lens_model_facts *facts, const char *name, lens_tower wanted, lens_error *err)
{
    encoder->info.pictures = facts->pictures;
    encoder->info.words = facts->words;
    int has = (facts->pictures ? LENS_TOWER_PICTURES : 0) | (facts->words ? LENS_TOWER_WORDS : 0);
    encoder->towers = (lens_tower)((int)wanted & has);
    if (wanted == LENS_TOWER_BOTH ? encoder->towers == 0 : encoder->towers != wanted)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s encodes %s", name,
                         facts->pictures ? "pictures, not words" : "words, not pictures");
    return 0;
}

/* The tokenizer of a model opened for words, which must know as many tokens as the model's weights do. */
static int open_tokenizer(lens_encoder *encoder, const lens_model_source *source, const lens_model_facts *facts, lens_error *err)
{
    if (!(encoder->towers & LENS_TOWER_WORDS))
        return 0;
    encoder->tokenizer = encoder->family->tokenizer(source, err);
    if (!encoder->tokenizer)
        return -1;
    int size = lens_tokenizer_size(encoder->tokenizer);
    if (size != facts->vocabulary)
        return lens_fail(err, LENS_E_FORMAT, "%s: has %d tokens, but tensor %s in %s has %d rows",
                         lens_tokenizer_path(encoder->tokenizer), size, facts->embedding, source->folder, facts->vocabulary);
    return 0;
}

/* Lets go of what build made. */
static void reset(lens_encoder *encoder)
{
    if (encoder->model)
        encoder->family->close(encoder->model);
    lens_engine_free(encoder->engine);
    lens_tokenizer_close(encoder->tokenizer);
    free(encoder->name);
    free(encoder->variant);
    free(encoder->folder);
    *encoder = (lens_encoder){.family = encoder->family};
}

/* Makes the model from SOURCE's weights, whose hash is HASH, or from PACKED (NULL: none), which is closed whatever the result. */
static int build(lens_encoder *encoder, const lens_model_source *source, const char *name, lens_backend backend, lens_packed *packed,
                 const lens_hash *hash, lens_error *err)
{
    encoder->engine = lens_engine_new(backend, err);
    if (!encoder->engine) {
        lens_packed_close(packed);
        return -1;
    }
    if (packed)
        lens_engine_warm(encoder->engine, packed);
    lens_model_facts facts = {.slice = 1, .threads = 1};
    encoder->model = encoder->family->open(source, encoder->engine, &facts, err);
    int result = encoder->model ? 0 : -1;
    if (result == 0) {
        encoder->info.dim = facts.dim;
        encoder->info.logit_scale = facts.logit_scale;
        encoder->info.grid = facts.grid;
        encoder->info.method = encoder->info.grid ? facts.method : NULL;
        encoder->info.precision = source->precision;
        encoder->info.preparation = facts.preparation;
        encoder->slice = facts.slice;
        encoder->pass_threads = facts.threads;
        encoder->workspace = facts.workspace;
        result = name_and_prepare(encoder, source->folder, name, facts.pictures, err);
    }
    if (result == 0)
        result = choose_towers(encoder, &facts, name, source->towers, err);
    if (result == 0)
        result = open_tokenizer(encoder, source, &facts, err);
    if (result == 0)
        result = fingerprint(encoder, hash, &facts.description, err);
    lens_buffer_free(&facts.description);
    return result;
}

/* Opens the model from the file of packed weights that is kept for it. Whatever keeps it from doing so, the weights themselves do not. */
static int open_packed(lens_encoder *encoder, const lens_model_source *source, const char *name, const lens_packed_place *place)
{
    lens_error ignored = {0};
    lens_packed *packed = place->path ? lens_packed_open(place->path, &place->key, &ignored) : NULL;
    const lens_hash *hash = packed ? lens_packed_find(packed, LENS_PACKED_WEIGHTS, sizeof *hash, &ignored) : NULL;
    if (!hash) {
        lens_packed_close(packed);
        return -1;
    }
    if (build(encoder, source, name, LENS_BACKEND_ONEDNN, packed, hash, &ignored) == 0)
        return 0;
    reset(encoder);
    return -1;
}

static int open_model(lens_encoder *encoder, lens_model_source *source, const struct form *form, const char *name, lens_backend backend,
                      lens_error *err)
{
    encoder->family = find_family(source->config, source->config_path, err);
    if (!encoder->family || lens_precision_choose(encoder->family, name, &source->precision, err) != 0)
        return -1;
    lens_packed_place place = {0};
    if (backend == LENS_BACKEND_ONEDNN)
        lens_packed_place_find(source, encoder->family->name, &place);
    int result = open_packed(encoder, source, name, &place);
    if (result != 0) {
        lens_weights *weights = open_weights(source->folder, form, err);
        lens_hash hash;
        source->weights = weights;
        if (weights && lens_weights_hash(weights, &hash, err) == 0)
            result = build(encoder, source, name, backend, NULL, &hash, err);
        if (result == 0)
            lens_packed_place_fill(&place, encoder->engine, &hash);
        lens_weights_close(weights);
    }
    free(place.path);
    return result;
}

lens_encoder *lens_encoder_open_on(const char *folder, const char *name, lens_precision precision, lens_tower towers,
                                   lens_backend backend, lens_error *err)
{
    const struct form *form = form_of(folder);
    lens_encoder *encoder = calloc(1, sizeof *encoder);
    char *config_path = lens_path_join(folder, form->config);
    json_t *config = NULL;
    int result = -1;
    if (!encoder || !config_path)
        lens_fail_memory_for(err, folder);
    else if ((config = read_json(folder, config_path, err)))
        result = open_model(encoder, &(lens_model_source){folder, config_path, config, NULL, towers, precision}, form, name, backend, err);
    json_decref(config);
    free(config_path);
    if (result != 0) {
        lens_encoder_close(encoder);
        return NULL;
    }
    return encoder;
}

/* The configuration of the model in FOLDER, and its family; *PATH is the configuration's, to be freed. NULL on failure. */
static const lens_family *read_config(const char *folder, char **path, json_t **config, lens_error *err)
{
    *config = NULL;
    *path = lens_path_join(folder, form_of(folder)->config);
    if (!*path) {
        lens_fail_memory_for(err, folder);
        return NULL;
    }
    *config = read_json(folder, *path, err);
    return *config ? find_family(*config, *path, err) : NULL;
}

int lens_encoder_towers(const char *folder)
{
    char *path;
    json_t *config;
    const lens_family *family = read_config(folder, &path, &config, NULL);
    const int towers = !family ? 0 : (family->run || family->map ? LENS_TOWER_PICTURES : 0) | (family->run_words ? LENS_TOWER_WORDS : 0);
    json_decref(config);
    free(path);
    return towers;
}

lens_tokenizer *lens_encoder_tokenizer(const char *folder, lens_error *err)
{
    char *path;
    json_t *config;
    lens_tokenizer *tokenizer = NULL;
    const lens_family *family = read_config(folder, &path, &config, err);
    if (family && !family->tokenizer)
        lens_fail(err, LENS_E_UNSUPPORTED, "%s: a model of pictures, not of words", folder);
    else if (family)
        tokenizer = family->tokenizer(&(lens_model_source){folder, path, config, NULL, LENS_TOWER_WORDS, LENS_PRECISION_F32}, err);
    json_decref(config);
    free(path);
    return tokenizer;
}

static int prepared(const lens_family *family, const lens_model_source *source, const char *way, lens_preparation *preparation, lens_error *err)
{
    if (!family->preparation)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s encodes words, not pictures", source->folder);
    if (family->preparation(source, preparation, err) != 0)
        return -1;
    return way ? lens_preparation_override(preparation, way, err) : 0;
}

int lens_encoder_preparation(const char *folder, const char *way, lens_preparation *preparation, lens_error *err)
{
    char *path;
    json_t *config;
    const lens_family *family = read_config(folder, &path, &config, err);
    const lens_model_source source = {folder, path, config, NULL, LENS_TOWER_PICTURES, LENS_PRECISION_F32};
    const int result = family ? prepared(family, &source, way, preparation, err) : -1;
    json_decref(config);
    free(path);
    return result;
}

int lens_encoder_check(const char *folder, lens_error *err)
{
    char *path;
    json_t *config;
    lens_preparation preparation;
    const lens_family *family = read_config(folder, &path, &config, err);
    const lens_model_source source = {folder, path, config, NULL, LENS_TOWER_BOTH, LENS_PRECISION_F32};
    int result = family ? 0 : -1;
    if (result == 0 && family->preparation)
        result = family->preparation(&source, &preparation, err);
    if (result == 0 && family->check)
        result = family->check(&source, err);
    if (result == 0 && family->tokenizer) {
        lens_tokenizer *tokenizer = family->tokenizer(&source, err);
        result = tokenizer ? 0 : -1;
        lens_tokenizer_close(tokenizer);
    }
    json_decref(config);
    free(path);
    return result;
}

/* NULL on failure. */
static const lens_family *find_weightless(const char *base, lens_error *err)
{
    const lens_family *family = lens_family_weightless(base);
    if (!family)
        lens_fail(err, LENS_E_MISSING, "%s: no encoder without weights is called that", base);
    return family;
}

int lens_encoder_preparation_weightless(const char *base, const char *way, lens_preparation *preparation, lens_error *err)
{
    const lens_family *family = find_weightless(base, err);
    const lens_model_source source = {base, base, NULL, NULL, LENS_TOWER_PICTURES, LENS_PRECISION_F32};
    return family ? prepared(family, &source, way, preparation, err) : -1;
}

lens_encoder *lens_encoder_open_weightless(const char *name, lens_tower towers, lens_error *err)
{
    char base[32];
    snprintf(base, sizeof base, "%.*s", (int)lens_model_base_length(name), name);
    const lens_family *family = find_weightless(base, err);
    lens_encoder *encoder = family ? calloc(1, sizeof *encoder) : NULL;
    if (!encoder) {
        if (family)
            lens_fail_memory_for(err, name);
        return NULL;
    }
    encoder->family = family;
    const lens_model_source source = {base, base, NULL, NULL, towers, LENS_PRECISION_F32};
    if (build(encoder, &source, name, LENS_BACKEND_PLAIN, NULL, &(lens_hash){{0}}, err) == 0)
        return encoder;
    lens_encoder_close(encoder);
    return NULL;
}

bool lens_encoder_is_weightless(const char *base)
{
    return lens_family_weightless(base) != NULL;
}

lens_encoder *lens_encoder_open(const char *folder, const char *name, lens_precision precision, lens_tower towers, lens_error *err)
{
    return lens_encoder_open_on(folder, name, precision, towers, LENS_BACKEND_ONEDNN, err);
}

void lens_encoder_close(lens_encoder *encoder)
{
    if (!encoder)
        return;
    reset(encoder);
    free(encoder);
}

const lens_encoder_info *lens_encoder_about(const lens_encoder *encoder)
{
    return &encoder->info;
}
