/* lens_index: what is walked, the threads, and the writing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/processors.h"
#include "encoders/catalogue.h"
#include "library/approximate.h"
#include "library/copies.h"
#include "library/index_captions.h"
#include "library/sentences.h"
#include "store/texts.h"

enum { WRITE_MOST = 256 };             /* entries of one transaction */
static const double write_every = 1.0;  /* seconds: what a power cut may cost */
static const double tell_every = 0.1;   /* seconds between progress events */
static const double look_every = 0.2;   /* seconds between looks whether another process still writes */
static const double stopped_patience = 2; /* seconds: with others who write, once the caller wants it to stop */

lens_index_options lens_index_options_default(void)
{
    return (lens_index_options){.precision = "auto", .max_pixels = lens_decode_limits_default().max_pixels, .wait = 10, .lease = 10};
}

static void stop(lens_run *run)
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
    stop(run);
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
    lens_fail(&error, LENS_E_MEMORY, "not enough memory");
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

/* ---- telling ---- */

typedef struct teller {
    lens_run *run;
    int64_t done;
    double begun, last;
    double stopped; /* when it was told to stop while it waited for its turn; 0: it was not */
} teller;

static void tell(teller *self, lens_index_event_kind kind, const char *path, const char *reason)
{
    lens_run *run = self->run;
    if (!run->options->event)
        return;
    lens_index_event event = {
        .kind = kind,
        .path = path,
        .reason = reason,
        .done = self->done,
        .total = atomic_load(&run->found),
        .counting = atomic_load(&run->walking),
        .seconds = lens_seconds() - self->begun,
    };
    if (!run->options->event(run->options->context, &event))
        stop(run);
}

/* Whether to wait on for a turn to write: what is encoded is worth a moment, though the caller wants it to stop. */
static bool wait_on(void *context)
{
    teller *self = context;
    tell(self, LENS_INDEX_PROGRESS, NULL, NULL);
    if (!atomic_load(&self->run->stop))
        return true;
    const double now = lens_seconds();
    self->stopped = self->stopped > 0 ? self->stopped : now;
    return now - self->stopped < stopped_patience;
}

/* While the calling thread waits for a disk: the caller is told as ever, and may stop the run. */
static bool tell_waiting(void *context)
{
    teller *self = context;
    tell(self, LENS_INDEX_PROGRESS, NULL, NULL);
    return lens_run_goes_on(self->run);
}

/* ---- writing ---- */

/* Why it failed. Where there was no memory for the words, that is the reason. */
static const char *reason_of(const lens_job *job)
{
    return job->reason ? job->reason : "not enough memory";
}

typedef struct writer {
    lens_run *run;
    teller *teller;
    lens_job *jobs[WRITE_MOST];
    size_t count;
    double last;
    lens_index_report *report;
} writer;

static int write_waiting(writer *self)
{
    lens_run *run = self->run;
    if (self->count == 0)
        return 0;
    lens_error error = {0};
    int result = -1;
    lens_store_entry *entries = calloc(self->count, sizeof *entries);
    struct lens_store_vector *vectors = calloc(self->count * run->model_count + 1, sizeof *vectors);
    int64_t *ids = calloc(self->count, sizeof *ids);
    if (!entries || !vectors || !ids) {
        lens_fail(&error, LENS_E_MEMORY, "not enough memory");
    } else {
        struct lens_store_vector *next = vectors;
        for (size_t i = 0; i < self->count; i++) {
            const lens_job *job = self->jobs[i];
            entries[i] = (lens_store_entry){
                .path = job->path,
                .size = job->size,
                .mtime_ns = job->retry ? INT64_MIN : job->mtime_ns, /* no file's: so it is looked at again */
                .reason = job->outcome == LENS_OUTCOME_FAILED ? reason_of(job) : NULL,
                .hash = job->hash,
                .width = job->width,
                .height = job->height,
                .format = lens_format_name(job->format),
                .moved_from = job->moved_from,
                .vectors = next,
            };
            for (size_t m = 0; m < run->model_count; m++)
                if (job->vectors[m] && !entries[i].reason)
                    *next++ = (struct lens_store_vector){run->models[m].id, job->vectors[m]};
            entries[i].vector_count = (size_t)(next - entries[i].vectors);
        }
        pthread_mutex_lock(&run->store_lock);
        result = lens_run_embedded(run, entries, (const lens_job *const *)self->jobs, self->count, &error);
        if (result == 0)
            result = lens_store_write(run->store, entries, self->count, ids, &error);
        for (size_t i = 0; result == 0 && i < self->count; i++)
            if (ids[i])
                result = lens_store_seen_mark(run->store, ids[i], &error);
        pthread_mutex_unlock(&run->store_lock);
    }
    if (result != 0)
        lens_run_fail(run, &error);
    for (size_t i = 0; i < self->count; i++) {
        const lens_job *job = self->jobs[i];
        if (result == 0 && ids[i]) { /* else it was forgotten meanwhile, or is work once more */
            self->report->indexed += job->outcome == LENS_OUTCOME_INDEXED;
            self->report->unchanged += job->outcome == LENS_OUTCOME_UNCHANGED;
            self->report->moved += job->outcome == LENS_OUTCOME_MOVED;
            self->report->failed += job->outcome == LENS_OUTCOME_FAILED;
        }
        lens_job_free(run, self->jobs[i]);
        if (entries)
            free((void *)entries[i].folded);
    }
    free(ids);
    free(vectors);
    free(entries);
    self->count = 0;
    self->last = lens_seconds();
    return result;
}

static void keep_known(writer *self, const lens_job *job)
{
    lens_error error = {0};
    pthread_mutex_lock(&self->run->store_lock);
    int result = lens_store_seen_mark(self->run->store, job->known_id, &error);
    pthread_mutex_unlock(&self->run->store_lock);
    if (result != 0)
        lens_run_fail(self->run, &error);
}

static void receive(writer *self, lens_job *job)
{
    lens_run *run = self->run;
    if (job->outcome == LENS_OUTCOME_NOTE) {
        tell(self->teller, LENS_INDEX_NOTE, job->path, reason_of(job));
        lens_job_free(run, job);
        return;
    }
    self->teller->done++;
    if (job->outcome == LENS_OUTCOME_FAILED)
        tell(self->teller, LENS_INDEX_FAILED, job->path, reason_of(job));
    /* What is known of a picture outlives a failure that may pass, and a disk that went away during the run. */
    bool passing = job->outcome == LENS_OUTCOME_FAILED && job->retry && job->known_content;
    bool absent = job->outcome == LENS_OUTCOME_GONE && job->known_id && !lens_root_present(run, job->path);
    if (passing || job->outcome == LENS_OUTCOME_GONE) {
        if (passing || absent)
            keep_known(self, job);
        self->report->failed += passing;
        if (run->shares)
            lens_share_drop(run, job->path);
        lens_job_free(run, job);
        return;
    }
    self->jobs[self->count++] = job;
    if (self->count == WRITE_MOST)
        write_waiting(self);
}

/* Receives finished jobs until there are no more. What was encoded when a stop came is still written. */
static void write_all(writer *self)
{
    for (;;) {
        void *job;
        double now = lens_seconds();
        if (now - self->teller->last >= tell_every) {
            self->teller->last = now;
            tell(self->teller, LENS_INDEX_PROGRESS, NULL, NULL);
        }
        if (now - self->last >= write_every)
            write_waiting(self);
        if (lens_queue_pop_within(self->run->done, &job, tell_every))
            receive(self, job);
        else if (atomic_load(&self->run->workers_left) == 0 && !lens_queue_pop_within(self->run->done, &job, 0))
            break;
        else if (atomic_load(&self->run->workers_left) == 0)
            receive(self, job);
    }
    write_waiting(self);
    tell(self->teller, LENS_INDEX_PROGRESS, NULL, NULL);
}

/* ---- the threads ---- */

static int run_threads(lens_run *run, writer *out)
{
    int threads = run->threads;
    run->jobs = lens_queue_new(LENS_INDEX_JOBS);
    run->done = lens_queue_new(LENS_INDEX_DONE);
    pthread_t *workers = calloc((size_t)threads, sizeof *workers);
    pthread_t walker, sharer;
    lens_error error = {0};
    int started = 0, errnum = 0;
    if (!run->jobs || !run->done || !workers) {
        lens_fail(&error, LENS_E_MEMORY, "not enough memory");
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
    write_all(out);
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

static int open_models(lens_run *run, lens_error *err)
{
    const lens_index_options *options = run->options;
    lens_store_models known = {0};
    if (lens_store_models_list(run->store, &known, err) != 0)
        return -1;
    size_t count = options->model_count ? options->model_count : known.count ? known.count : 1;
    run->models = calloc(count, sizeof *run->models);
    int result = run->models ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory");
    for (size_t i = 0; result == 0 && i < count; i++) {
        const char *name = options->model_count ? options->models[i] : known.count ? known.items[i].name : lens_catalogue_default;
        lens_index_model *model = &run->models[run->model_count];
        char *canonical = lens_model_canonical_name(name, err);
        result = -1;
        if (canonical && (model->encoder = lens_model_encoder(canonical, options->precision, LENS_TOWER_PICTURES, err))) {
            run->model_count++;
            model->dim = lens_encoder_about(model->encoder)->dim;
            model->name = canonical;
            canonical = NULL;
            result = 0;
        }
        for (size_t j = 0; result == 0 && j + 1 < run->model_count; j++)
            if (strcmp(run->models[j].name, model->name) == 0)
                result = lens_fail(err, LENS_E_ARGUMENT, "model %s is named twice", model->name);
        free(canonical);
    }
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
    }
    return result;
}

/* ---- words ---- */

static bool tell_sentences(void *context, int64_t done, int64_t total)
{
    teller *self = context;
    lens_run *run = self->run;
    const lens_index_event event = {.kind = LENS_INDEX_PROGRESS, .done = done, .total = total, .seconds = lens_seconds() - self->begun};
    if (run->options->event && !run->options->event(run->options->context, &event))
        stop(run);
    return !atomic_load(&run->stop);
}

/* Captions, then what they mean: after the pictures, so that neither holds those up. */
static int index_words(lens_run *run, teller *out, lens_index_report *report, lens_error *err)
{
    int64_t encoded;
    bool mended;
    if (lens_store_texts_mend(run->store, &mended, err) != 0)
        return -1;
    if (mended)
        tell(out, LENS_INDEX_NOTE, NULL, "the index of words was not like the texts, and has been made anew");
    if (lens_run_captions(run, !report->stopped, &report->captions, err) != 0)
        return -1;
    return atomic_load(&run->stop) ? 0 : lens_sentences_refresh(run->store, run->threads, tell_sentences, out, &encoded, err);
}

/* ---- approximate search ---- */

static bool tell_building(void *context, size_t done, size_t total)
{
    teller *self = context;
    const double now = lens_seconds();
    if (now - self->last < tell_every)
        return !atomic_load(&self->run->stop);
    self->last = now;
    return tell_sentences(context, (int64_t)done, (int64_t)total);
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
static void index_approximate(lens_run *run, teller *out, const lens_index_model *model, lens_index_report *report)
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
                    tell(out, LENS_INDEX_NOTE, NULL, text);
                }
        lens_store_models_free(&known);
        return;
    }
    int64_t bytes = 0;
    const int result = lens_approximate_refresh(run->store, model->id, run->threads, tell_building, out, &made, &error);
    if (result != 0 && error.code == LENS_E_CANCELLED) {
        report->stopped = true;
    } else if (result != 0) {
        tell(out, LENS_INDEX_NOTE, NULL, error.message);
    } else if (made) {
        double recall = 0, ratio = 0;
        const int64_t covered = lens_approximate_covered(run->store, model->id, &bytes, &recall, &ratio);
        if (recall == 0)
            snprintf(text, sizeof text, "%s: made an approximate index of %lld vectors (memelens check --recall says what it finds)", model->name, (long long)covered);
        else
            snprintf(text, sizeof text, "%s: made an approximate index of %lld vectors; it finds %.1f %% of the ten best in %.2f of the time (memelens check --recall)", model->name,
                 (long long)covered, 100 * recall, ratio);
        tell(out, LENS_INDEX_NOTE, NULL, text);
    }
}

/* ---- the run ---- */

static int index_all(lens_run *run, lens_index_report *report, lens_error *err)
{
    teller out = {.run = run, .begun = lens_seconds()};
    writer self = {.run = run, .teller = &out, .last = out.begun, .report = report};
    lens_store_wait_while(run->store, wait_on, &out);
    const lens_disk_patience patience = lens_patience_set((lens_disk_patience){.goes_on = tell_waiting, .context = &out});
    int result = lens_store_seen_clear(run->store, err);
    if (result == 0)
        result = lens_run_captions_there(run, err);
    if (result == 0)
        result = open_models(run, err);
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
            tell(&out, LENS_INDEX_NOTE, run->targets[i].path, run->targets[i].absent);
    if (result == 0 && !(run->reader = lens_store_open(run->place->store, LENS_STORE_READ, run->options->wait, err)))
        result = -1;
    if (result == 0) {
        run->threads = run->options->threads > 0 ? run->options->threads : lens_processors();
        result = run_threads(run, &self);
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
        if (!run->targets[i].removed && !lens_root_present(run, run->targets[i].path))
            continue; /* went away during the run */
        result = lens_store_sweep(run->store, run->targets[i].path, &removed, err);
        report->removed += removed;
    }
    const double pictures_took = lens_seconds() - out.begun;
    if (result == 0)
        result = index_words(run, &out, report, err);
    report->stopped |= result == 0 && atomic_load(&run->stop);
    if (result == 0)
        result = lens_store_compact(run->store, false, err);
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
    run->store = lens_store_open(place, LENS_STORE_WRITE, lens_store_place_is_database(place) ? options->wait : 0, err);
    while (!run->store && err->code == LENS_E_BUSY && lens_seconds() - begun < options->wait) {
        if (options->event && !options->event(options->context, &event))
            return lens_fail(err, LENS_E_CANCELLED, "interrupted");
        event = (lens_index_event){.kind = LENS_INDEX_PROGRESS};
        run->store = lens_store_open(place, LENS_STORE_WRITE, options->wait < look_every ? options->wait : look_every, err);
    }
    return run->store ? 0 : -1;
}

int lens_index(lens_library *library, const lens_index_options *options, lens_index_report *report, lens_error *err)
{
    *report = (lens_index_report){0};
    lens_run run = {.options = options, .place = &library->place};
    lens_error why = {0};
    if (open_store(&run, &why) != 0) {
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
    lens_run_sidecars_free(&run);
    lens_id_map_free(&run.moves);
    lens_store_paths_free(&run.roots);
    lens_store_paths_free(&run.forgotten);
    pthread_mutex_destroy(&run.error_lock);
    pthread_mutex_destroy(&run.reader_lock);
    pthread_mutex_destroy(&run.store_lock);
    lens_store_close(run.store);
    return result;
}
