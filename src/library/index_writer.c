#include "library/index_writer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "library/index_captions.h"

enum { WRITE_MOST = 256 };                /* entries of one transaction */
static const double write_every = 1.0;    /* seconds: what a power cut may cost */
static const double tell_every = 0.1;     /* seconds between progress events */
static const double stopped_patience = 2; /* seconds: with others who write, once the caller wants it to stop */

/* ---- telling ---- */

void lens_tell(lens_teller *self, lens_index_event_kind kind, const char *path, const char *reason)
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
        lens_run_stop(run);
}

bool lens_tell_waiting_to_write(void *context)
{
    lens_teller *self = context;
    lens_tell(self, LENS_INDEX_PROGRESS, NULL, NULL);
    if (!atomic_load(&self->run->stop))
        return true;
    const double now = lens_seconds();
    self->stopped = self->stopped > 0 ? self->stopped : now;
    return now - self->stopped < stopped_patience;
}

bool lens_tell_waiting(void *context)
{
    lens_teller *self = context;
    lens_tell(self, LENS_INDEX_PROGRESS, NULL, NULL);
    return lens_run_goes_on(self->run);
}

bool lens_tell_progress(void *context, int64_t done, int64_t total)
{
    lens_teller *self = context;
    lens_run *run = self->run;
    const lens_index_event event = {.kind = LENS_INDEX_PROGRESS, .done = done, .total = total, .seconds = lens_seconds() - self->begun};
    if (run->options->event && !run->options->event(run->options->context, &event))
        lens_run_stop(run);
    return lens_run_goes_on(run);
}

/* ---- writing ---- */

/* Why it failed. Where there was no memory for the words, that is the reason. */
static const char *reason_of(const lens_job *job)
{
    return job->reason ? job->reason : "not enough memory";
}

/* Whether a model has a vector of it since this run. */
static bool is_encoded(const lens_run *run, const lens_job *job)
{
    bool encoded = false;
    for (size_t m = 0; m < run->model_count; m++)
        encoded |= job->vectors[m] != NULL;
    return encoded;
}

/* Whether it is no picture of the library: no model has it. What one of several cannot have, the others keep, and the next run tries once more. */
static bool is_failure(const lens_run *run, const lens_job *job)
{
    return job->outcome == LENS_OUTCOME_FAILED && !job->held && !is_encoded(run, job);
}

typedef struct writer {
    lens_run *run;
    lens_teller *teller;
    lens_job *jobs[WRITE_MOST];
    size_t count;
    double last;
    lens_index_report *report;
} writer;

/* The jobs that wait as entries; VECTORS [count * models] is where theirs are listed. */
static void fill_entries(const writer *self, lens_store_entry *entries, struct lens_store_vector *vectors)
{
    const lens_run *run = self->run;
    for (size_t i = 0; i < self->count; i++) {
        const lens_job *job = self->jobs[i];
        const bool failure = is_failure(run, job);
        entries[i] = (lens_store_entry){
            .path = job->path,
            .size = job->size,
            .mtime_ns = failure && job->retry ? INT64_MIN : job->mtime_ns, /* no file's: so it is looked at again */
            .reason = failure ? reason_of(job) : NULL,
            .hash = job->hash,
            .width = job->width,
            .height = job->height,
            .format = lens_format_name(job->format),
            .moved_from = job->moved_from,
            .vectors = vectors,
        };
        for (size_t m = 0; m < run->model_count; m++)
            if (job->vectors[m])
                *vectors++ = (struct lens_store_vector){run->models[m].id, job->vectors[m]};
        entries[i].vector_count = (size_t)(vectors - entries[i].vectors);
    }
}

/* IDS [count]: of the pictures; 0: it was forgotten meanwhile, or is work once more. */
static int put(const writer *self, lens_store_entry *entries, int64_t *ids, lens_error *err)
{
    lens_run *run = self->run;
    pthread_mutex_lock(&run->store_lock);
    int result = lens_run_embedded(run, entries, (const lens_job *const *)self->jobs, self->count, err);
    if (result == 0)
        result = lens_store_write(run->store, entries, self->count, ids, err);
    for (size_t i = 0; result == 0 && i < self->count; i++)
        if (ids[i])
            result = lens_store_met_mark(run->store, ids[i], err);
    pthread_mutex_unlock(&run->store_lock);
    return result;
}

static void write_waiting(writer *self)
{
    lens_run *run = self->run;
    if (self->count == 0)
        return;
    lens_error error = {0};
    int result = -1;
    lens_store_entry *entries = calloc(self->count, sizeof *entries);
    struct lens_store_vector *vectors = calloc(self->count * run->model_count + 1, sizeof *vectors);
    int64_t *ids = calloc(self->count, sizeof *ids);
    if (!entries || !vectors || !ids) {
        lens_fail_memory(&error);
    } else {
        fill_entries(self, entries, vectors);
        result = put(self, entries, ids, &error);
    }
    if (result != 0)
        lens_run_fail(run, &error);
    for (size_t i = 0; i < self->count; i++) {
        const lens_job *job = self->jobs[i];
        if (result == 0 && ids[i]) {
            const bool failed = job->outcome == LENS_OUTCOME_FAILED; /* for one model, be it: then it counts as what it is to the others, too */
            self->report->indexed += job->outcome == LENS_OUTCOME_INDEXED || (failed && !job->moved_from && is_encoded(run, job));
            self->report->unchanged += job->outcome == LENS_OUTCOME_UNCHANGED;
            self->report->moved += job->outcome == LENS_OUTCOME_MOVED || (failed && job->moved_from);
            self->report->failed += failed;
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
}

static void keep_known(writer *self, const lens_job *job)
{
    lens_error error = {0};
    pthread_mutex_lock(&self->run->store_lock);
    int result = lens_store_met_mark(self->run->store, job->known_id, &error);
    pthread_mutex_unlock(&self->run->store_lock);
    if (result != 0)
        lens_run_fail(self->run, &error);
}

static void receive(writer *self, lens_job *job)
{
    lens_run *run = self->run;
    if (job->outcome == LENS_OUTCOME_NOTE) {
        lens_tell(self->teller, LENS_INDEX_NOTE, job->path, reason_of(job));
        lens_job_free(run, job);
        return;
    }
    self->teller->done++;
    if (job->outcome == LENS_OUTCOME_FAILED)
        lens_tell(self->teller, LENS_INDEX_FAILED, job->path, reason_of(job));
    /* What is known of a picture outlives a failure that may pass, one that a further model has with the same bytes, and a disk that went away during the run. */
    const bool news = is_encoded(run, job) || (job->held && !job->same); /* which is to be written, whatever else failed */
    const bool passing = job->outcome == LENS_OUTCOME_FAILED && (job->retry || job->same) && job->known_content && !news;
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

void lens_index_write_all(lens_run *run, lens_teller *teller, lens_index_report *report)
{
    writer self = {.run = run, .teller = teller, .last = teller->begun, .report = report};
    for (;;) {
        void *job;
        const double now = lens_seconds();
        if (now - teller->last >= tell_every) {
            teller->last = now;
            lens_tell(teller, LENS_INDEX_PROGRESS, NULL, NULL);
        }
        if (now - self.last >= write_every)
            write_waiting(&self);
        const bool ended = atomic_load(&run->workers_left) == 0; /* asked first: then all that they finished is in the queue */
        if (lens_queue_pop_within(run->done, &job, ended ? 0 : tell_every))
            receive(&self, job);
        else if (ended)
            break;
    }
    write_waiting(&self);
    lens_tell(teller, LENS_INDEX_PROGRESS, NULL, NULL);
}
