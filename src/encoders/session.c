/* Running an encoder: pictures on lanes of one thread each, words on the first of them. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "encoders/opened.h"

/* One thread's part of a session. */
struct lane {
    lens_stream *stream;
    void *workspace;
};

struct lens_session {
    const lens_encoder *encoder;
    int batch, lanes;
    struct lane *lane; /* [lanes] */
};

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
        lens_fail_memory_for(err, encoder->folder);
        return NULL;
    }
    session->encoder = encoder;
    session->batch = batch;
    session->lanes = lanes;
    for (int i = 0; i < lanes; i++) {
        struct lane *lane = &session->lane[i];
        lane->stream = lens_stream_new(encoder->engine, each, err);
        lane->workspace = lane->stream ? lens_floats_new(encoder->workspace / sizeof(float) + 1) : NULL;
        if (!lane->workspace) {
            if (lane->stream)
                lens_fail_memory_for(err, encoder->folder);
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

/* The features of COUNT pictures, at most a slice. 0 or -1. */
static int run_slice(const lens_encoder *encoder, const struct lane *lane, const float *pixels, int count, float *features, lens_error *err)
{
    const lens_family *family = encoder->family;
    const float *map;
    if (!family->map)
        return family->run(encoder->model, lane->stream, lane->workspace, pixels, count, features, err);
    if (family->map(encoder->model, lane->stream, lane->workspace, pixels, count, &map, err) != 0)
        return -1;
    lens_mean_positions(count, encoder->info.grid * encoder->info.grid, encoder->info.dim, map, features);
    return 0;
}

/* lens_session_parts of an encoder that can. */
static int run_parts(const lens_encoder *encoder, const struct lane *lane, const float *pixels, float *parts, lens_error *err)
{
    const lens_family *family = encoder->family;
    const float *map;
    if (!family->map)
        return family->parts(encoder->model, lane->stream, lane->workspace, pixels, parts, err);
    if (family->map(encoder->model, lane->stream, lane->workspace, pixels, 1, &map, err) != 0)
        return -1;
    lens_mean_parts(encoder->info.grid * encoder->info.grid, encoder->info.dim, map, parts);
    return 0;
}

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
        if (run_slice(encoder, lane, pass->pixels + (size_t)first * pixels, count, pass->features + (size_t)first * dim, &err) == 0)
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
    if (!(session->encoder->towers & LENS_TOWER_PICTURES))
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s was not opened for pictures", session->encoder->name);
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

int lens_session_parts(lens_session *session, const float *pixels, float *parts, lens_error *err)
{
    const lens_encoder *encoder = session->encoder;
    if (!(encoder->towers & LENS_TOWER_PICTURES))
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s was not opened for pictures", encoder->name);
    if (!encoder->info.grid || encoder->info.precision != LENS_PRECISION_F32)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: %s", encoder->name,
                         encoder->info.grid ? "where a vector comes from can be said in f32 only" : "has no map of where its vectors come from");
    lens_error own = {0};
    if (run_parts(encoder, &session->lane[0], pixels, parts, &own) != 0)
        return lens_fail(err, own.code, "%s: %s", encoder->folder, own.message);
    return 0;
}

int lens_session_word_features(lens_session *session, const int32_t *ids, int count, float *features, lens_error *err)
{
    const lens_encoder *encoder = session->encoder;
    if (!encoder->tokenizer)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s was not opened for words", encoder->name);
    if (count < 2 || count > lens_tokenizer_context(encoder->tokenizer))
        return lens_fail(err, LENS_E_ARGUMENT, "%d tokens, but %s takes 2 to %d", count, encoder->name,
                         lens_tokenizer_context(encoder->tokenizer));
    int size = lens_tokenizer_size(encoder->tokenizer);
    for (int i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= size)
            return lens_fail(err, LENS_E_ARGUMENT, "token %d is not one of the %d of %s", (int)ids[i], size, encoder->name);
    const struct lane *lane = &session->lane[0];
    lens_error own = {0};
    if (encoder->family->run_words(encoder->model, lane->stream, lane->workspace, ids, count, features, &own) != 0)
        return lens_fail(err, own.code, "%s: %s", encoder->folder, own.message);
    return 0;
}

int lens_session_run_words(lens_session *session, const char *text, float *vector, lens_error *err)
{
    const lens_encoder *encoder = session->encoder;
    if (!encoder->tokenizer)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s was not opened for words", encoder->name);
    int32_t *ids = malloc((size_t)lens_tokenizer_context(encoder->tokenizer) * sizeof *ids);
    int count, result = -1;
    if (!ids)
        lens_fail_memory_for(err, encoder->folder);
    else if (lens_tokenizer_run(encoder->tokenizer, text, ids, &count, err) == 0)
        result = lens_session_word_features(session, ids, count, vector, err);
    free(ids);
    if (result == 0 && !normalise(vector, encoder->info.dim))
        return lens_fail(err, LENS_E_FORMAT, "%s: gives these words a vector that is zero or not finite", encoder->folder);
    return result;
}

void lens_session_watch(lens_session *session, lens_layer_watch *watch, void *context)
{
    for (int i = 0; i < session->lanes; i++)
        lens_stream_watch(session->lane[i].stream, watch, context);
}
