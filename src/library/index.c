/* lens_index: what a run does, one behind the other, and its threads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/processors.h"
#include "encoders/catalogue.h"
#include "library/approximate.h"
#include "library/copies.h"
#include "library/index_captions.h"
#include "library/index_writer.h"
#include "library/sentences.h"
#include "pixels/apart.h"
#include "store/texts.h"

static const double look_every = 0.2; /* seconds between looks whether another process still writes */
static const double tell_every = 0.1; /* seconds between progress events while an approximate index is made */

lens_index_options lens_index_options_default(void)
{
    return (lens_index_options){.precision = "auto", .max_pixels = lens_decode_limits_default().max_pixels, .wait = 10, .lease = 10};
}

void lens_run_stop(lens_run *run)
{
    atomic_store(&run->stop, true);
    if (run->jobs)
        lens_queue_close(run->jobs); /* the walker may be waiting for room in it */
}

void lens_run_fail(lens_run *run, const lens_error *error)
{
    pthread_mutex_lock(&run->error_lock);
    if (!run->failed) {
        run->failed = true;
        run->error = *error;
    }
    pthread_mutex_unlock(&run->error_lock);
    lens_run_stop(run);
}

bool lens_run_goes_on(void *argument)
{
    return !atomic_load(&((lens_run *)argument)->stop);
}

lens_job *lens_job_new(lens_run *run, const char *path)
{
    lens_job *job = calloc(1, sizeof *job);
    if (job) {
        job->path = strdup(path);
        job->vectors = calloc(run->model_count + 1, sizeof *job->vectors);
        if (job->path && job->vectors)
            return job;
        lens_job_free(run, job);
    }
    lens_error error = {0};
    lens_fail_memory(&error);
    lens_run_fail(run, &error);
    return NULL;
}

void lens_job_free(const lens_run *run, lens_job *job)
{
    if (!job)
        return;
    for (size_t m = 0; job->vectors && m < run->model_count; m++)
        free(job->vectors[m]);
    free(job->vectors);
    free(job->reason);
    free(job->embedded);
    free(job->path);
    free(job);
}

/* ---- the threads ---- */

static int run_threads(lens_run *run, lens_teller *out, lens_index_report *report)
{
    int threads = run->threads;
    run->jobs = lens_queue_new(LENS_INDEX_JOBS);
    run->done = lens_queue_new(LENS_INDEX_DONE);
    pthread_t *workers = calloc((size_t)threads, sizeof *workers);
    pthread_t walker, sharer;
    lens_error error = {0};
    int started = 0, errnum = 0;
    if (!run->jobs || !run->done || !workers) {
        lens_fail_memory(&error);
        lens_run_fail(run, &error);
        free(workers);
        return -1;
    }
    atomic_store(&run->walking, true);
    atomic_store(&run->workers_left, threads);
    while (started < threads && (errnum = pthread_create(&workers[started], NULL, lens_index_worker, run)) == 0)
        started++;
    if (started < threads && started > 0)
        atomic_fetch_sub(&run->workers_left, threads - started); /* fewer will do */
    bool shares = run->shares && started > 0 && (errnum = pthread_create(&sharer, NULL, lens_index_sharer, run)) == 0;
    bool walks = started > 0 && shares == run->shares && (errnum = pthread_create(&walker, NULL, lens_index_walker, run)) == 0;
    if (!walks) {
        lens_fail_errno(&error, errnum, "cannot start a thread");
        lens_run_fail(run, &error);
        atomic_store(&run->walking, false);
        lens_queue_close(run->jobs);
        if (started == 0)
            atomic_store(&run->workers_left, 0);
    }
    lens_index_write_all(run, out, report);
    lens_queue_close(run->done);
    if (walks)
        pthread_join(walker, NULL);
    if (shares)
        pthread_join(sharer, NULL);
    for (int i = 0; i < started; i++)
        pthread_join(workers[i], NULL);
    free(workers);
    /* After a stop the walker may have left jobs that no worker took. */
    void *job;
    while (lens_queue_pop_within(run->jobs, &job, 0) || lens_queue_pop_within(run->done, &job, 0))
        lens_job_free(run, job);
    return run->failed ? -1 : 0;
}

/* ---- models ---- */

/* Opens NAME as the run's next model. */
static int open_model(lens_run *run, const char *name, lens_error *err)
{
    lens_index_model *model = &run->models[run->model_count];
    model->name = lens_model_canonical_name(name, err);
    model->encoder = model->name ? lens_model_encoder(model->name, run->options->precision, LENS_TOWER_PICTURES, err) : NULL;
    if (!model->encoder) {
        free(model->name);
        return -1;
    }
    model->dim = lens_encoder_about(model->encoder)->dim;
    run->model_count++;
    for (size_t i = 0; i + 1 < run->model_count; i++)
        if (strcmp(run->models[i].name, model->name) == 0)
            return lens_fail(err, LENS_E_ARGUMENT, "model %s is named twice", model->name);
    return 0;
}

/* Whether the run has a model that is none of KNOWN, which there are. (What failed in folders that this run does not come to, as when it is stopped, is tried for the
 * model when it changes.) */
static bool has_further(const lens_run *run, const lens_store_models *known)
{
    for (size_t m = 0; m < run->model_count; m++) {
        bool new = known->count > 0;
        for (size_t i = 0; i < known->count; i++)
            new &= strcmp(known->items[i].name, run->models[m].name) != 0;
        if (new)
            return true;
    }
    return false;
}

/* What the person named, or else the library's models that are here: the others do not wait for one that is not. Once it is back, a run encodes what it lacks. */
static int open_models(lens_run *run, lens_teller *out, lens_error *err)
{
    const lens_index_options *options = run->options;
    lens_store_models known = {0};
    lens_names absent = {0};
    lens_error why = {0};
    if (lens_store_models_list(run->store, &known, err) != 0)
        return -1;
    size_t count = options->model_count ? options->model_count : known.count ? known.count : 1;
    run->models = calloc(count, sizeof *run->models);
    int result = run->models ? 0 : lens_fail_memory(&why);
    for (size_t i = 0; result == 0 && i < count; i++) {
        const char *name = options->model_count ? options->models[i] : known.count ? known.items[i].name : lens_catalogue_default;
        result = open_model(run, name, &why);
        if (result != 0 && !options->model_count && !lens_model_present(name) && (result = lens_names_add(&absent, strdup(name))) != 0)
            lens_fail_memory(&why);
    }
    if (result == 0 && run->model_count == 0)
        result = -1;
    run->further = has_further(run, &known);
    for (size_t i = 0; result == 0 && i < absent.count; i++)
        lens_tell(out, LENS_INDEX_NOTE, absent.items[i],
                  "this model is not here, and the run goes on without it; bring it back (`memelens pull`), or take it out of the library (`memelens forget --model`)");
    if (result != 0 && err)
        *err = why;
    lens_names_free(&absent);
    lens_store_models_free(&known);
    return result;
}

/* Only when all else is in order: a model in the library is one that every later run serves. */
static int add_models(lens_run *run, lens_error *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < run->model_count; i++) {
        lens_index_model *model = &run->models[i];
        result = lens_store_add_model(run->store, model->name, model->dim, lens_encoder_about(model->encoder)->fingerprint, &model->id, err);
        if (result == 0)
            result = lens_copies_drop_untrue(run->store, model->id, err);
    }
    return result;
}

/* ---- words ---- */

/* Captions, then what they mean: after the pictures, so that neither holds those up. */
static int index_words(lens_run *run, lens_teller *out, lens_index_report *report, lens_error *err)
{
    int64_t encoded;
    bool mended;
    if (lens_store_texts_mend(run->store, &mended, err) != 0)
        return -1;
    if (mended)
        lens_tell(out, LENS_INDEX_NOTE, NULL, "the index of words was not like the texts, and has been made anew");
    if (lens_run_captions(run, !report->stopped, &report->captions, err) != 0)
        return -1;
    return atomic_load(&run->stop) ? 0 : lens_sentences_refresh(run->store, run->threads, lens_tell_progress, out, &encoded, err);
}

/* ---- approximate search ---- */

static bool tell_building(void *context, size_t done, size_t total)
{
    lens_teller *self = context;
    const double now = lens_seconds();
    if (now - self->last < tell_every)
        return !atomic_load(&self->run->stop);
    self->last = now;
    return lens_tell_progress(context, (int64_t)done, (int64_t)total);
}

/* Says that it wants approximate indices from now on, or none, and removes those that there are: of every model. */
static int wish(const lens_run *run, lens_error *err)
{
    const int wanted = run->options->approximate;
    lens_store_models known = {0};
    int result = wanted ? lens_approximate_want(run->store, run->place->folder, wanted > 0, err) : 0;
    if (result == 0 && wanted < 0)
        result = lens_store_models_list(run->store, &known, err);
    for (size_t i = 0; result == 0 && i < known.count; i++)
        result = lens_approximate_remove(run->store, known.items[i].id, err);
    lens_store_models_free(&known);
    return result;
}

/* The model's approximate index, brought up to date. It is a cache: what keeps it from being made is said, and the run has done its work. */
static void index_approximate(lens_run *run, lens_teller *out, const lens_index_model *model, lens_index_report *report)
{
    lens_error error = {0};
    bool made = false;
    char text[256];
    if (!lens_approximate_wanted(run->store, run->place->folder)) {
        const int64_t pays = lens_store_searches(run->store) ? LENS_APPROXIMATE_PAYS_DATABASE : LENS_APPROXIMATE_PAYS;
        lens_store_models known = {0};
        if (report->indexed && lens_store_models_list(run->store, &known, &error) == 0)
            for (size_t i = 0; i < known.count; i++)
                if (known.items[i].id == model->id && known.items[i].vectors >= pays / known.items[i].dim) {
                    snprintf(text, sizeof text, "%s has so many vectors that `memelens index --approximate` would make searches several times as fast", model->name);
                    lens_tell(out, LENS_INDEX_NOTE, NULL, text);
                }
        lens_store_models_free(&known);
        return;
    }
    int64_t bytes = 0;
    const int result = lens_approximate_refresh(run->store, model->id, run->threads, tell_building, out, &made, &error);
    if (result != 0 && error.code == LENS_E_CANCELLED) {
        report->stopped = true;
    } else if (result != 0) {
        lens_tell(out, LENS_INDEX_NOTE, NULL, error.message);
    } else if (made) {
        double recall = 0, ratio = 0;
        const int64_t covered = lens_approximate_covered(run->store, model->id, &bytes, &recall, &ratio);
        if (recall == 0)
            snprintf(text, sizeof text, "%s: made an approximate index of %lld vectors (memelens check --recall says what it finds)", model->name, (long long)covered);
        else
            snprintf(text, sizeof text, "%s: made an approximate index of %lld vectors; it finds %.1f %% of the ten best in %.2f of the time (memelens check --recall)", model->name,
                 (long long)covered, 100 * recall, ratio);
        lens_tell(out, LENS_INDEX_NOTE, NULL, text);
    }
}

/* ---- the run ---- */

/* Gives back the room that is not needed any more. That wants some itself for as long as it takes: where there is none, or the system does not let it be
 * written, it is said, and the run has done its work. */
static int give_back(const lens_run *run, lens_teller *out, lens_error *err)
{
    lens_error why = {0};
    if (lens_store_compact(run->store, false, &why) == 0)
        return 0;
    if (why.code != LENS_E_FULL && why.code != LENS_E_SYSTEM) {
        if (err)
            *err = why;
        return -1;
    }
    lens_fail_in(&why, "room that is not needed any more could not be given back");
    lens_tell(out, LENS_INDEX_NOTE, NULL, why.message);
    return 0;
}

static int index_all(lens_run *run, lens_index_report *report, lens_error *err)
{
    lens_teller out = {.run = run, .begun = lens_seconds()};
    lens_store_wait_while(run->store, lens_tell_waiting_to_write, &out);
    const lens_disk_patience patience = lens_patience_set((lens_disk_patience){.goes_on = lens_tell_waiting, .context = &out});
    int result = lens_store_met_clear(run->store, err);
    if (result == 0)
        result = lens_run_captions_there(run, err);
    if (result == 0)
        result = open_models(run, &out, err);
    if (result == 0)
        result = lens_targets_choose(run, err);
    if (result == 0)
        result = add_models(run, err);
    if (result == 0)
        result = wish(run, err);
    if (result == 0 && lens_store_shares_work(run->store))
        result = lens_share_begin(run, err);
    for (size_t i = 0; result == 0 && i < run->target_count; i++)
        if (run->targets[i].absent)
            lens_tell(&out, LENS_INDEX_NOTE, run->targets[i].path, run->targets[i].absent);
    if (result == 0 && !(run->reader = lens_store_open(run->place->store, LENS_STORE_READ, run->options->wait, err)))
        result = -1;
    if (result == 0) {
        run->threads = run->options->threads > 0 ? run->options->threads : lens_processors();
        result = run_threads(run, &out, report);
        if (result != 0 && err)
            *err = run->error;
    }
    lens_share_end(run);
    lens_store_close(run->reader);
    report->unchanged += atomic_load(&run->unchanged);
    report->failed += atomic_load(&run->failed_before);
    report->stopped = result == 0 && atomic_load(&run->stop);
    /* Only a walk that saw everything can say what is gone. */
    for (size_t i = 0; result == 0 && !report->stopped && i < run->target_count; i++) {
        int64_t removed = 0;
        if (!lens_root_present(run, run->targets[i].path))
            continue; /* went away during the run */
        result = lens_store_sweep(run->store, run->targets[i].path, &removed, err);
        report->removed += removed;
    }
    if (result == 0 && !report->stopped)
        result = lens_targets_keep(run, err);
    const double pictures_took = lens_seconds() - out.begun;
    if (result == 0)
        result = index_words(run, &out, report, err);
    report->stopped |= result == 0 && atomic_load(&run->stop);
    if (result == 0)
        result = give_back(run, &out, err);
    for (size_t m = 0; result == 0 && m < run->model_count; m++)
        lens_copies_refresh(run->store, run->models[m].id, LENS_COPIES_LEAST);
    for (size_t m = 0; result == 0 && !report->stopped && m < run->model_count; m++)
        index_approximate(run, &out, &run->models[m], report);
    lens_store_counts counts;
    if (result == 0 && (result = lens_store_count(run->store, &counts, err)) == 0)
        report->library_bytes = counts.bytes;
    report->seconds = lens_seconds() - out.begun;
    lens_patience_set(patience);
    report->pictures_per_second = pictures_took > 0 ? (double)report->indexed / pictures_took : 0;
    return result;
}

/* Becomes the library's writer, waiting for another one if need be. LENS_E_CANCELLED when the caller wants to wait no longer. */
static int open_store(lens_run *run, lens_error *err)
{
    const lens_index_options *options = run->options;
    const char *place = run->place->store;
    const double begun = lens_seconds();
    lens_index_event event = {.kind = LENS_INDEX_NOTE, .reason = "another run is writing to the library; waiting for it"};
    /* Where nobody asked for a library, none is made: another may be about to be put there. */
    const lens_store_mode mode = options->only_known ? LENS_STORE_CHANGE : LENS_STORE_WRITE;
    run->store = lens_store_open(place, mode, lens_store_place_is_database(place) ? options->wait : 0, err);
    while (!run->store && err->code == LENS_E_BUSY && lens_seconds() - begun < options->wait) {
        if (options->event && !options->event(options->context, &event))
            return lens_fail(err, LENS_E_CANCELLED, "interrupted");
        event = (lens_index_event){.kind = LENS_INDEX_PROGRESS};
        run->store = lens_store_open(place, mode, options->wait < look_every ? options->wait : look_every, err);
    }
    return run->store ? 0 : -1;
}

int lens_index(lens_library *library, const lens_index_options *options, lens_index_report *report, lens_error *err)
{
    *report = (lens_index_report){0};
    lens_run run = {.options = options, .place = &library->place};
    lens_error why = {0};
    if (open_store(&run, &why) != 0) {
        if (options->only_known && why.code == LENS_E_MISSING)
            return 0;
        report->stopped = why.code == LENS_E_CANCELLED;
        if (!report->stopped && err)
            *err = why;
        return report->stopped ? 0 : -1;
    }
    pthread_mutex_init(&run.store_lock, NULL);
    pthread_mutex_init(&run.reader_lock, NULL);
    pthread_mutex_init(&run.error_lock, NULL);
    int result = index_all(&run, report, &why);
    if (result != 0 && why.code == LENS_E_CANCELLED) { /* a stop, while a disk gave no answer or another run had its turn */
        report->stopped = true;
        result = 0;
    }
    if (result != 0 && err)
        *err = why;
    lens_queue_free(run.jobs);
    lens_queue_free(run.done);
    for (size_t m = 0; m < run.model_count; m++) {
        lens_encoder_close(run.models[m].encoder);
        free(run.models[m].name);
    }
    free(run.models);
    lens_targets_free(&run);
    lens_mounts_free(&run);
    lens_run_sidecars_free(&run);
    lens_id_map_free(&run.moves);
    lens_names_free(&run.roots);
    lens_names_free(&run.forgotten);
    pthread_mutex_destroy(&run.error_lock);
    pthread_mutex_destroy(&run.reader_lock);
    pthread_mutex_destroy(&run.store_lock);
    lens_store_close(run.store);
    lens_apart_rest();
    return result;
}
