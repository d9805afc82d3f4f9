/* An index run that is one of many on one library: what its walk finds goes on a list in the store, and what it works on it takes from there, some at a time,
 * as every other run does. A run ends when the list is empty, so that each sees the whole library when it sweeps and reads captions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/patience.h"
#include "library/index_run.h"

enum { OFFERS = 256, AT_ONCE = 64, TRIES = 3, JOBS_PER_THREAD = 2 * LENS_INDEX_BATCH };
static const double renewals = 5 /* of a lease, before it runs out */, rest = 0.05, look_every = 0.5; /* seconds */

int lens_share_begin(lens_run *run, lens_error *err)
{
    char host[128] = "", name[192];
    int64_t *models = calloc(run->model_count + 1, sizeof *models);
    run->shares = true;
    run->offers = calloc(OFFERS, sizeof *run->offers);
    if (!models || !run->offers) {
        free(models);
        return lens_fail_memory(err);
    }
    for (size_t m = 0; m < run->model_count; m++)
        models[m] = run->models[m].id;
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "%s:%ld", host, (long)getpid());
    const int result = lens_store_work_begin(run->store, name, models, run->model_count, run->options->lease, &run->worker, err);
    free(models);
    return result;
}

void lens_share_flush(lens_run *run)
{
    lens_error error = {0};
    if (run->offer_count == 0)
        return;
    pthread_mutex_lock(&run->store_lock);
    const int result = lens_store_work_offer(run->store, run->worker, run->offers, run->offer_count, &error);
    pthread_mutex_unlock(&run->store_lock);
    lens_store_work_free(run->offers, run->offer_count);
    run->offer_count = 0;
    if (result != 0)
        lens_run_fail(run, &error);
}

void lens_share_offer(lens_run *run, lens_job *job)
{
    run->offers[run->offer_count++] = (lens_store_work){job->path, job->size, job->mtime_ns};
    job->path = NULL;
    if (job->known_id) { /* whoever does the work, the picture is there */
        lens_error error = {0};
        pthread_mutex_lock(&run->store_lock);
        const int result = lens_store_met_mark(run->store, job->known_id, &error);
        pthread_mutex_unlock(&run->store_lock);
        if (result != 0)
            lens_run_fail(run, &error);
    }
    lens_job_free(run, job);
    if (run->offer_count == OFFERS)
        lens_share_flush(run);
}

void lens_share_drop(lens_run *run, const char *path)
{
    lens_error error = {0};
    pthread_mutex_lock(&run->store_lock);
    const int result = lens_store_work_drop(run->store, run->worker, path, &error);
    pthread_mutex_unlock(&run->store_lock);
    if (result != 0)
        lens_run_fail(run, &error);
}

void lens_share_end(lens_run *run)
{
    if (!run->shares)
        return;
    lens_store_work_free(run->offers, run->offer_count);
    free(run->offers);
    if (run->worker)
        lens_store_work_end(run->store, run->worker, NULL); /* else the lease ends it */
}

/* ---- the thread that takes ---- */

typedef struct sharer {
    lens_run *run;
    lens_store *store; /* a connection of its own: it waits for no batch to be written */
    lens_names within; /* the targets that are walked */
    double renewed, looked;
} sharer;

/* Makes jobs of ITEMS [count], and gives them to the workers. */
static int push(sharer *self, lens_store_work *items, int count, lens_error *err)
{
    lens_run *run = self->run;
    int result = 0;
    for (int i = 0; i < count; i++) {
        lens_store_picture picture = {0};
        lens_job *job = result == 0 ? lens_job_new(run, items[i].path) : NULL;
        if (!job || lens_store_picture_by_path(self->store, items[i].path, &picture, err) < 0) {
            lens_job_free(run, job);
            result = -1;
            continue;
        }
        job->size = items[i].size;
        job->mtime_ns = items[i].mtime_ns;
        job->known_id = picture.id;
        job->known_content = picture.content;
        lens_store_picture_free(&picture);
        atomic_fetch_add(&run->claimed_jobs, 1);
        if (!lens_queue_push(run->jobs, job)) /* a stop */
            lens_job_free(run, job);
    }
    lens_store_work_free(items, (size_t)count);
    return result;
}

/* How much is left that this run has not taken, and may have to if those who have it die; tells how much there is to be done. */
static int64_t look_at_list(sharer *self, lens_error *err)
{
    int64_t own = 0;
    const int64_t left = lens_store_work_left(self->store, self->run->worker, &self->within, &own, err);
    self->looked = lens_seconds();
    if (left < 0)
        return -1;
    atomic_store(&self->run->found, atomic_load(&self->run->claimed_jobs) + left - own);
    return left - own;
}

/* One round. 1 when all is done, 0, -1. */
static int take(sharer *self, lens_error *err)
{
    lens_run *run = self->run;
    lens_store_work items[AT_ONCE];
    const double now = lens_seconds();
    if (now - self->renewed > run->options->lease / renewals) {
        if (lens_store_work_renew(self->store, run->worker, run->options->lease, err) != 0)
            return -1;
        self->renewed = now;
    }
    const bool walked = !atomic_load(&run->walking);
    const size_t most = (size_t)run->threads * JOBS_PER_THREAD, waiting = lens_queue_count(run->jobs);
    int wanted = waiting < most / 2 ? (int)(most - waiting) : 0;
    if (wanted > AT_ONCE)
        wanted = AT_ONCE;
    const int got = wanted ? lens_store_work_claim(self->store, run->worker, &self->within, items, wanted, err) : 0;
    if (got < 0 || (got > 0 && push(self, items, got, err) != 0))
        return -1;
    if (got > 0 && now - self->looked < look_every)
        return 0;
    const int64_t left = got == 0 && waiting == 0 && walked ? look_at_list(self, err) : now - self->looked >= look_every ? look_at_list(self, err) : 1;
    if (left <= 0)
        return left < 0 ? -1 : walked && got == 0 && waiting == 0;
    if (got == 0)
        lens_sleep(rest);
    return 0;
}

void *lens_index_sharer(void *argument)
{
    lens_run *run = argument;
    lens_error error = {0};
    lens_patience_set((lens_disk_patience){.goes_on = lens_run_goes_on, .context = run});
    sharer self = {.run = run, .store = lens_store_open(run->place->store, LENS_STORE_CHANGE, run->options->wait, &error)}; /* which the run has made */
    int done = self.store ? 0 : -1;
    for (size_t i = 0; i < run->target_count && done == 0; i++)
        if (!run->targets[i].absent && !run->targets[i].removed)
            done = lens_names_add(&self.within, strdup(run->targets[i].path));
    for (int failures = 0; done == 0 && !atomic_load(&run->stop);) {
        done = take(&self, &error);
        failures = done < 0 ? failures + 1 : 0;
        /* What was taken when a connection went may never have come here; another run takes it, or this one once more. */
        if (done < 0 && error.code == LENS_E_AWAY && failures <= TRIES && lens_store_work_release(self.store, run->worker, &error) == 0)
            done = 0;
    }
    if (done < 0) {
        if (error.code == LENS_E_NONE)
            lens_fail_memory(&error);
        lens_run_fail(run, &error);
    }
    lens_queue_close(run->jobs);
    lens_names_free(&self.within);
    lens_store_close(self.store);
    return NULL;
}
