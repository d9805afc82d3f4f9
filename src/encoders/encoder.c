#include "encoders/encoder.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "encoders/family.h"
#include "encoders/registry.h"

struct lens_encoder {
    lens_encoder_info info; /* its strings are the four below */
    char *name, *variant, *folder;
    const lens_family *family;
    lens_engine *engine;
    void *model;
    int slice, pass_threads;
    size_t workspace;
};

/* One thread's part of a session. */
struct lane {
    lens_stream *stream;
    float *workspace;
};

struct lens_session {
    const lens_encoder *encoder;
    int batch, lanes;
    struct lane *lane; /* [lanes] */
};

static const char *const precision_names[] = {"auto", "f32", "bf16", "int8"};

int lens_precision_parse(const char *name, lens_precision *precision, lens_error *err)
{
    for (size_t i = 0; i < sizeof precision_names / sizeof *precision_names; i++)
        if (strcmp(name, precision_names[i]) == 0) {
            *precision = (lens_precision)i;
            return 0;
        }
    return lens_fail(err, LENS_E_ARGUMENT, "precision '%.32s' is not one of auto, f32, bf16, int8", name);
}

const char *lens_precision_name(lens_precision precision)
{
    size_t index = (size_t)precision;
    return index < sizeof precision_names / sizeof *precision_names ? precision_names[index] : "unknown";
}

static int no_memory(lens_error *err, const char *folder)
{
    return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", folder);
}

/* Opens the weights in FOLDER: one file, or the shards of an index. */
static lens_weights *open_weights(const char *folder, lens_error *err)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = lens_path_join(folder, names[i]);
        if (!path) {
            no_memory(err, folder);
            return NULL;
        }
        bool there = lens_file_exists(path);
        lens_weights *weights = there ? lens_weights_open(path, err) : NULL;
        free(path);
        if (there)
            return weights;
    }
    lens_fail(err, LENS_E_MISSING, "%s: neither %s nor %s is in it", folder, names[0], names[1]);
    return NULL;
}

/* Splits NAME@PREP, and changes the preparation as PREP says. */
static int name_and_prepare(lens_encoder *encoder, const char *folder, const char *name, lens_error *err)
{
    encoder->name = strdup(name);
    encoder->variant = strdup(name);
    encoder->folder = strdup(folder);
    if (!encoder->name || !encoder->variant || !encoder->folder)
        return no_memory(err, folder);
    encoder->info.name = encoder->name;
    encoder->info.variant = encoder->variant;
    encoder->info.folder = encoder->folder;
    encoder->info.family = encoder->family->name;
    char *at = strrchr(encoder->name, '@');
    if (!at)
        return 0;
    *at = '\0';
    return lens_preparation_override(&encoder->info.preparation, at + 1, err);
}

/* Vectors of two encoders are comparable when the same numbers go through the same pass after the same preparation. */
static int fingerprint(lens_encoder *encoder, const lens_weights *weights, const lens_buffer *description, lens_error *err)
{
    lens_buffer text = {0};
    lens_hash hash;
    int result = lens_weights_hash(weights, &hash, err);
    if (result == 0 && (lens_buffer_print(&text, "%s\n%s\n", encoder->family->name, description->data ? description->data : "") != 0 ||
                        lens_preparation_describe(&encoder->info.preparation, &text) != 0 ||
                        lens_buffer_append(&text, hash.bytes, sizeof hash.bytes) != 0))
        result = no_memory(err, encoder->folder);
    if (result == 0)
        encoder->info.fingerprint = lens_hash_of(text.data, text.size);
    lens_buffer_free(&text);
    return result;
}

static int open_model(lens_encoder *encoder, const lens_model_source *source, const char *name, lens_backend backend,
                      lens_error *err)
{
    encoder->family = lens_family_for(source->config);
    if (!encoder->family) {
        const char *architecture = json_string_value(json_object_get(source->config, "architecture"));
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: no encoder of this build knows %s%.64s", source->config_path,
                         architecture ? "the architecture " : "such a model", architecture ? architecture : "");
    }
    encoder->engine = lens_engine_new(backend, err);
    if (!encoder->engine)
        return -1;
    lens_model_facts facts = {.slice = 1, .threads = 1};
    encoder->model = encoder->family->open(source, encoder->engine, &facts, err);
    int result = encoder->model ? 0 : -1;
    if (result == 0) {
        encoder->info.dim = facts.dim;
        encoder->info.precision = LENS_PRECISION_F32;
        encoder->info.preparation = facts.preparation;
        encoder->slice = facts.slice;
        encoder->pass_threads = facts.threads;
        encoder->workspace = facts.workspace;
        result = name_and_prepare(encoder, source->folder, name, err);
    }
    if (result == 0)
        result = fingerprint(encoder, source->weights, &facts.description, err);
    lens_buffer_free(&facts.description);
    return result;
}

lens_encoder *lens_encoder_open_on(const char *folder, const char *name, lens_precision precision, lens_backend backend,
                                   lens_error *err)
{
    if (precision != LENS_PRECISION_AUTO && precision != LENS_PRECISION_F32) {
        lens_fail(err, LENS_E_UNSUPPORTED, "%s: precision %s: not yet, use f32", name, lens_precision_name(precision));
        return NULL;
    }
    lens_encoder *encoder = calloc(1, sizeof *encoder);
    char *config_path = lens_path_join(folder, "config.json");
    json_t *config = NULL;
    lens_weights *weights = NULL;
    int result = -1;
    if (!encoder || !config_path)
        no_memory(err, folder);
    else if ((config = lens_json_read(config_path, err)) && (weights = open_weights(folder, err)))
        result = open_model(encoder, &(lens_model_source){folder, config_path, config, weights}, name, backend, err);
    lens_weights_close(weights);
    json_decref(config);
    free(config_path);
    if (result != 0) {
        lens_encoder_close(encoder);
        return NULL;
    }
    return encoder;
}

lens_encoder *lens_encoder_open(const char *folder, const char *name, lens_precision precision, lens_error *err)
{
    return lens_encoder_open_on(folder, name, precision, LENS_BACKEND_ONEDNN, err);
}

void lens_encoder_close(lens_encoder *encoder)
{
    if (!encoder)
        return;
    if (encoder->model)
        encoder->family->close(encoder->model);
    lens_engine_free(encoder->engine);
    free(encoder->name);
    free(encoder->variant);
    free(encoder->folder);
    free(encoder);
}

const lens_encoder_info *lens_encoder_about(const lens_encoder *encoder)
{
    return &encoder->info;
}

/* A session's threads go to lanes that each take a slice of the batch at a time, as the activations of a slice stay near
 * one core; only threads that the slices leave over share the work of one layer, where the family gains from it. */
lens_session *lens_session_new(const lens_encoder *encoder, int batch, int threads, lens_error *err)
{
    if (batch < 1 || threads < 1) {
        lens_fail(err, LENS_E_ARGUMENT, "a session for %d pictures on %d threads", batch, threads);
        return NULL;
    }
    int slices = (batch - 1) / encoder->slice + 1;
    int lanes = threads < slices ? threads : slices;
    int each = threads / lanes < encoder->pass_threads ? threads / lanes : encoder->pass_threads;
    lens_session *session = calloc(1, sizeof *session);
    if (!session || !(session->lane = calloc((size_t)lanes, sizeof *session->lane))) {
        lens_session_free(session);
        no_memory(err, encoder->folder);
        return NULL;
    }
    session->encoder = encoder;
    session->batch = batch;
    session->lanes = lanes;
    for (int i = 0; i < lanes; i++) {
        struct lane *lane = &session->lane[i];
        lane->stream = lens_stream_new(encoder->engine, each, err);
        lane->workspace = lane->stream ? lens_floats_new(encoder->workspace) : NULL;
        if (!lane->workspace) {
            if (lane->stream)
                no_memory(err, encoder->folder);
            lens_session_free(session);
            return NULL;
        }
    }
    return session;
}

void lens_session_free(lens_session *session)
{
    if (!session)
        return;
    for (int i = 0; i < session->lanes; i++) {
        lens_stream_free(session->lane[i].stream);
        free(session->lane[i].workspace);
    }
    free(session->lane);
    free(session);
}

/* One call of lens_session_features, shared by its lanes. */
struct pass {
    const lens_encoder *encoder;
    const float *pixels;
    float *features;
    int count;
    atomic_int next;   /* the first picture that no lane has taken */
    atomic_bool broken;
    pthread_mutex_t lock; /* of ERR */
    lens_error *err;
};

struct helper {
    struct pass *pass;
    struct lane *lane;
    pthread_t thread;
};

/* Takes slices until none is left, or one has failed. */
static void run_lane(struct pass *pass, struct lane *lane)
{
    const lens_encoder *encoder = pass->encoder;
    size_t side = (size_t)encoder->info.preparation.size, pixels = side * side * 3, dim = (size_t)encoder->info.dim;
    while (!atomic_load(&pass->broken)) {
        int first = atomic_fetch_add(&pass->next, encoder->slice);
        if (first >= pass->count)
            return;
        int count = pass->count - first < encoder->slice ? pass->count - first : encoder->slice;
        lens_error err = {0};
        if (encoder->family->run(encoder->model, lane->stream, lane->workspace, pass->pixels + (size_t)first * pixels, count,
                                 pass->features + (size_t)first * dim, &err) == 0)
            continue;
        pthread_mutex_lock(&pass->lock);
        if (!atomic_exchange(&pass->broken, true))
            lens_fail(pass->err, err.code, "%s: %s", encoder->folder, err.message);
        pthread_mutex_unlock(&pass->lock);
    }
}

static void *run_helper(void *argument)
{
    struct helper *helper = argument;
    run_lane(helper->pass, helper->lane);
    return NULL;
}

int lens_session_features(lens_session *session, const float *pixels, int count, float *features, lens_error *err)
{
    if (count < 1 || count > session->batch)
        return lens_fail(err, LENS_E_ARGUMENT, "%d pictures for a session of at most %d", count, session->batch);
    struct pass pass = {.encoder = session->encoder, .pixels = pixels, .features = features, .count = count, .err = err};
    pthread_mutex_init(&pass.lock, NULL);
    int slices = (count - 1) / session->encoder->slice + 1;
    int lanes = session->lanes < slices ? session->lanes : slices;
    /* A thread costs a fraction of a millisecond to start; where one cannot be had, the others do its share. */
    struct helper *helpers = lanes > 1 ? calloc((size_t)lanes, sizeof *helpers) : NULL;
    int started = 1;
    for (; helpers && started < lanes; started++) {
        helpers[started].pass = &pass;
        helpers[started].lane = &session->lane[started];
        if (pthread_create(&helpers[started].thread, NULL, run_helper, &helpers[started]) != 0)
            break;
    }
    run_lane(&pass, &session->lane[0]);
    for (int i = 1; i < started; i++)
        pthread_join(helpers[i].thread, NULL);
    free(helpers);
    pthread_mutex_destroy(&pass.lock);
    return atomic_load(&pass.broken) ? -1 : 0;
}

/* VECTOR [dim] to length 1. False when it has no direction. */
static bool normalise(float *vector, int dim)
{
    double sum = 0;
    for (int i = 0; i < dim; i++)
        sum += (double)vector[i] * (double)vector[i];
    if (!isfinite(sum) || sum <= 0)
        return false;
    double scale = 1 / sqrt(sum);
    for (int i = 0; i < dim; i++)
        vector[i] = (float)((double)vector[i] * scale);
    return true;
}

int lens_session_run(lens_session *session, const float *pixels, int count, float *vectors, lens_error *err)
{
    if (lens_session_features(session, pixels, count, vectors, err) != 0)
        return -1;
    int dim = session->encoder->info.dim;
    for (int i = 0; i < count; i++)
        if (!normalise(vectors + (size_t)i * (size_t)dim, dim))
            return lens_fail(err, LENS_E_FORMAT, "%s: gives picture %d of %d a vector that is zero or not finite",
                             session->encoder->folder, i + 1, count);
    return 0;
}

void lens_session_watch(lens_session *session, lens_watch *watch, void *context)
{
    for (int i = 0; i < session->lanes; i++)
        lens_stream_watch(session->lane[i].stream, watch, context);
}
