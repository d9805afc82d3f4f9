/* A model by itself: embed and bench. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "encoders/catalogue.h"
#include "library/internal.h"

lens_model *lens_model_open(const char *name, const char *precision, lens_error *err)
{
    lens_model *model = calloc(1, sizeof *model);
    if (!model) {
        lens_fail(err, LENS_E_MEMORY, "not enough memory");
        return NULL;
    }
    model->encoder = lens_model_encoder(name ? name : lens_catalogue_default, precision, LENS_TOWER_PICTURES, err);
    if (!model->encoder) {
        free(model);
        return NULL;
    }
    return model;
}

void lens_model_close(lens_model *model)
{
    if (!model)
        return;
    lens_session_free(model->session);
    lens_encoder_close(model->encoder);
    free(model);
}

const char *lens_model_name(const lens_model *model)
{
    return lens_encoder_about(model->encoder)->variant;
}

const char *lens_model_precision(const lens_model *model)
{
    return lens_precision_name(lens_encoder_about(model->encoder)->precision);
}

int lens_model_dim(const lens_model *model)
{
    return lens_encoder_about(model->encoder)->dim;
}

int lens_decode_term(const lens_term *term, uint64_t max_pixels, lens_image *image, lens_error *err)
{
    lens_decode_limits limits = lens_decode_limits_default();
    if (max_pixels)
        limits.max_pixels = max_pixels;
    lens_buffer file = {0};
    const void *bytes = term->bytes;
    size_t size = term->size;
    const char *name = term->kind == LENS_TERM_FILE ? term->text : "the given picture";
    if (term->kind == LENS_TERM_FILE) {
        if (lens_file_read(term->text, LENS_MAX_FILE_BYTES, &file, err) != 0)
            return -1;
        bytes = file.data;
        size = file.size;
    }
    int result = lens_decode(bytes, size, &limits, image, NULL, err);
    if (result != 0)
        lens_fail_in(err, name);
    lens_buffer_free(&file);
    return result;
}

int lens_encode_image(const lens_encoder *encoder, lens_session *session, const lens_image *image, float *vector, lens_error *err)
{
    const lens_preparation *preparation = &lens_encoder_about(encoder)->preparation;
    lens_image seen = {0};
    if (lens_prepare_picture(image, preparation, &seen, err) != 0)
        return -1;
    float *pixels = malloc((size_t)preparation->size * (size_t)preparation->size * 3 * sizeof *pixels);
    int result;
    if (!pixels) {
        result = lens_fail(err, LENS_E_MEMORY, "not enough memory");
    } else {
        lens_prepare_pixels(&seen, preparation, pixels);
        result = lens_session_run(session, pixels, 1, vector, err);
    }
    free(pixels);
    lens_image_free(&seen);
    return result;
}

int lens_model_embed(lens_model *model, const lens_term *term, uint64_t max_pixels, float *vector, lens_error *err)
{
    if (term->kind == LENS_TERM_WORDS)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s encodes pictures, not words", lens_model_name(model));
    lens_image image = {0};
    if (lens_decode_term(term, max_pixels, &image, err) != 0)
        return -1;
    int result = -1;
    if (model->session || (model->session = lens_session_new(model->encoder, 1, 1, err)))
        result = lens_encode_image(model->encoder, model->session, &image, vector, err);
    lens_image_free(&image);
    return result;
}

/* ---- bench ---- */

typedef struct bench_worker {
    pthread_t thread;
    const lens_encoder *encoder;
    int batch; /* this worker's share */
    atomic_bool *go, *stop;
    atomic_int *ready;
    int64_t pictures;
    lens_error error;
    bool failed;
} bench_worker;

static void *bench_run(void *argument)
{
    bench_worker *worker = argument;
    const lens_encoder_info *about = lens_encoder_about(worker->encoder);
    size_t side = (size_t)about->preparation.size, count = (size_t)worker->batch * side * side * 3;
    float *pixels = malloc(count * sizeof *pixels);
    float *vectors = malloc((size_t)worker->batch * (size_t)about->dim * sizeof *vectors);
    lens_session *session = lens_session_new(worker->encoder, worker->batch, 1, &worker->error);
    worker->failed = !pixels || !vectors || !session;
    if (session && worker->failed)
        lens_fail(&worker->error, LENS_E_MEMORY, "not enough memory");
    uint32_t noise = 1;
    for (size_t i = 0; !worker->failed && i < count; i++) {
        noise = noise * 1664525u + 1013904223u;
        pixels[i] = (float)(noise >> 8) / (float)(1 << 23) - 1.0f;
    }
    /* Once to warm up, so that packing and the first page faults are not timed. */
    if (!worker->failed && lens_session_run(session, pixels, worker->batch, vectors, &worker->error) != 0)
        worker->failed = true;
    atomic_fetch_add(worker->ready, 1);
    while (!worker->failed && !atomic_load(worker->go))
        ;
    while (!worker->failed && !atomic_load(worker->stop)) {
        if (lens_session_run(session, pixels, worker->batch, vectors, &worker->error) != 0)
            worker->failed = true;
        else
            worker->pictures += worker->batch;
    }
    lens_session_free(session);
    free(vectors);
    free(pixels);
    return NULL;
}

int lens_model_bench(lens_model *model, int batch, int threads, double seconds, double *rate, lens_error *err)
{
    if (batch < 1 || threads < 1 || !(seconds > 0))
        return lens_fail(err, LENS_E_ARGUMENT, "batch, threads and seconds must be above zero");
    int workers = threads < batch ? threads : batch;
    int share = (batch + workers - 1) / workers;
    bench_worker *worker = calloc((size_t)workers, sizeof *worker);
    if (!worker)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    atomic_bool go = false, stop = false;
    atomic_int ready = 0;
    int started = 0, result = 0;
    for (; started < workers; started++) {
        worker[started] = (bench_worker){.encoder = model->encoder, .batch = share, .go = &go, .stop = &stop, .ready = &ready};
        int errnum = pthread_create(&worker[started].thread, NULL, bench_run, &worker[started]);
        if (errnum != 0) {
            result = lens_fail_errno(err, errnum, "cannot start a thread");
            break;
        }
    }
    while (atomic_load(&ready) < started)
        lens_sleep(0.001);
    double begin = lens_seconds();
    atomic_store(&go, true);
    if (result == 0)
        lens_sleep(seconds);
    atomic_store(&stop, true);
    int64_t pictures = 0;
    for (int i = 0; i < started; i++) {
        pthread_join(worker[i].thread, NULL);
        pictures += worker[i].pictures;
        if (worker[i].failed && result == 0) {
            if (err)
                *err = worker[i].error;
            result = -1;
        }
    }
    *rate = (double)pictures / (lens_seconds() - begin);
    free(worker);
    return result;
}
