/* How fast an encoder is by itself. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "library/internal.h"

typedef struct bench_worker {
    pthread_t thread;
    const lens_encoder *encoder;
    int batch;   /* this worker's share */
    int threads; /* its own */
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
    lens_session *session = lens_session_new(worker->encoder, worker->batch, worker->threads, &worker->error);
    worker->failed = !pixels || !vectors || !session;
    if (session && worker->failed)
        lens_fail_memory(&worker->error);
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
    int share = (batch + workers - 1) / workers, each = threads / workers; /* fewer pictures than threads: several threads for each */
    bench_worker *worker = calloc((size_t)workers, sizeof *worker);
    if (!worker)
        return lens_fail_memory(err);
    atomic_bool go = false, stop = false;
    atomic_int ready = 0;
    int started = 0, result = 0;
    for (; started < workers; started++) {
        worker[started] = (bench_worker){.encoder = model->encoder, .batch = share, .threads = each, .go = &go, .stop = &stop, .ready = &ready};
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
