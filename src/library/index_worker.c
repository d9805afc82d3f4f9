/* A worker of an index run: reads, hashes, decodes, prepares and encodes, with sessions of its own. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "captions/captions.h"
#include "library/index_run.h"

/* Prepared pictures that wait for one model. */
typedef struct pending {
    lens_session *session;
    float *pixels; /* [LENS_INDEX_BATCH, size, size, 3] */
    float *vectors; /* [LENS_INDEX_BATCH, dim] */
    lens_job *jobs[LENS_INDEX_BATCH];
    int count;
} pending;

typedef struct worker {
    lens_run *run;
    pending *models; /* [run->model_count] */
} worker;

static size_t pixel_count(const lens_index_model *model)
{
    size_t side = (size_t)lens_encoder_about(model->encoder)->preparation.size;
    return side * side * 3;
}

static void finish(lens_run *run, lens_job *job)
{
    if (!lens_queue_push(run->done, job))
        lens_job_free(run, job);
}

static void fail_job(lens_job *job, const lens_error *error)
{
    job->outcome = LENS_OUTCOME_FAILED;
    job->retry = error->code == LENS_E_SYSTEM || error->code == LENS_E_MEMORY || error->code == LENS_E_SILENT;
    free(job->reason);
    job->reason = strdup(error->message);
}

/* Encodes what waits for model M. A batch fails as a whole, so then each picture is tried by itself: one that gives no vector
 * (LENS_E_FORMAT) fails alone. -1 ends the run. */
static int run_batch(pending *waiting, const lens_index_model *model, lens_error *err)
{
    if (lens_session_run(waiting->session, waiting->pixels, waiting->count, waiting->vectors, err) == 0)
        return 0;
    for (int i = 0; i < waiting->count; i++) {
        lens_error why = {0};
        const float *pixels = waiting->pixels + (size_t)i * pixel_count(model);
        if (lens_session_run(waiting->session, pixels, 1, waiting->vectors + (size_t)i * (size_t)model->dim, &why) == 0)
            continue;
        if (why.code != LENS_E_FORMAT) {
            *err = why;
            return -1;
        }
        fail_job(waiting->jobs[i], &why);
    }
    return 0;
}

/* Encodes what waits for model M and passes on the jobs that have all their vectors. -1 ends the run. */
static int encode(worker *self, size_t m)
{
    lens_run *run = self->run;
    const lens_index_model *model = &run->models[m];
    pending *waiting = &self->models[m];
    lens_error error = {0};
    if (waiting->count == 0)
        return 0;
    int result = run_batch(waiting, model, &error);
    size_t dim = (size_t)model->dim;
    for (int i = 0; i < waiting->count; i++) {
        lens_job *job = waiting->jobs[i];
        bool wanted = job->outcome != LENS_OUTCOME_FAILED;
        if (result == 0 && wanted && !(job->vectors[m] = malloc(dim * sizeof(float))))
            result = lens_fail(&error, LENS_E_MEMORY, "not enough memory");
        if (result == 0 && wanted)
            memcpy(job->vectors[m], waiting->vectors + (size_t)i * dim, dim * sizeof(float));
        if (--job->pending == 0) {
            if (result == 0)
                finish(run, job);
            else
                lens_job_free(run, job);
        }
    }
    waiting->count = 0;
    if (result != 0)
        lens_run_fail(run, &error);
    return result;
}

/* Looks for a picture of CONTENT whose file is not there any more, and which this job's file may so be. Each of its pictures is looked at once in a run, as
 * all of them may be new names of the same bytes: ten thousand links would be looked at fifty million times. -1 on error. */
static int look_for_old_name(lens_run *run, lens_job *job, int64_t content, lens_error *err)
{
    int64_t after = lens_id_map_get(&run->moves, content, 0);
    lens_store_picture picture;
    int found = 0;
    while (job->outcome != LENS_OUTCOME_MOVED && (found = lens_store_picture_next(run->reader, content, after, &picture, err)) > 0) {
        struct stat info;
        lens_error why = {0};
        after = picture.id;
        if (strcmp(picture.path, job->path) != 0 && lens_file_look_at_link(picture.path, &info, &why) != 0 && why.code == LENS_E_MISSING &&
            lens_root_present(run, picture.path)) {
            job->moved_from = picture.id;
            job->outcome = LENS_OUTCOME_MOVED;
        }
        lens_store_picture_free(&picture);
    }
    if (job->outcome != LENS_OUTCOME_MOVED && found < 0)
        return -1;
    return lens_id_map_put(&run->moves, content, after) == 0 ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory");
}

/* Asks the store what is known of the job's bytes. With the reader's lock held. *NEEDED[m]: whether model m has to encode them. */
static int ask_store(lens_run *run, lens_job *job, bool *needed, lens_error *err)
{
    int64_t content = 0;
    int known = lens_store_content_by_hash(run->reader, job->hash, &content, err);
    if (known < 0)
        return -1;
    for (size_t m = 0; m < run->model_count; m++) {
        int has = known ? lens_store_has_vector(run->reader, run->models[m].id, content, err) : 0;
        if (has < 0)
            return -1;
        needed[m] = !has;
        job->pending += !has;
    }
    if (!known)
        return 0;
    if (job->known_id && content == job->known_content && job->pending == 0)
        job->outcome = LENS_OUTCOME_UNCHANGED;
    if (job->known_id)
        return 0;
    return look_for_old_name(run, job, content, err);
}

/* Puts IMAGE before every model that needs it. The job is passed on by whichever encodes it last. */
static int place(worker *self, lens_job *job, const lens_image *image, const bool *needed, lens_error *err)
{
    lens_run *run = self->run;
    for (size_t m = 0; m < run->model_count; m++) {
        if (!needed[m])
            continue;
        const lens_preparation *preparation = &lens_encoder_about(run->models[m].encoder)->preparation;
        pending *waiting = &self->models[m];
        lens_image seen = {0};
        if (lens_prepare_picture(image, preparation, &seen, err) != 0)
            return -1;
        lens_prepare_pixels(&seen, preparation, waiting->pixels + (size_t)waiting->count * pixel_count(&run->models[m]));
        lens_image_free(&seen);
        waiting->jobs[waiting->count] = job;
    }
    /* Only now that nothing can fail any more is the job in the batches. */
    for (size_t m = 0; m < run->model_count; m++)
        self->models[m].count += needed[m];
    return 0;
}

/* Does all of JOB but the encoding. -1 ends the run; the job is passed on or waits in a batch. */
static int process(worker *self, lens_job *job, bool *needed)
{
    lens_run *run = self->run;
    lens_error error = {0};
    lens_buffer file = {0};
    lens_image image = {0};
    int result = 0;
    if (lens_file_read(job->path, LENS_MAX_FILE_BYTES, &file, &error) != 0) {
        if (error.code == LENS_E_CANCELLED) { /* a stop, while the disk gave no answer */
            lens_job_free(run, job);
            return 0;
        }
        if (error.code == LENS_E_MISSING) {
            job->outcome = LENS_OUTCOME_GONE;
        } else {
            /* The path stands beside the reason already. */
            size_t length = strlen(job->path);
            if (strncmp(error.message, job->path, length) == 0 && strncmp(error.message + length, ": ", 2) == 0)
                memmove(error.message, error.message + length + 2, strlen(error.message + length + 2) + 1);
            fail_job(job, &error);
        }
        finish(run, job);
        return 0;
    }
    job->hash = lens_hash_of(file.data, file.size);
    lens_buffer embedded = {0};
    if (lens_captions_embedded(file.data, file.size, &embedded, NULL) == 0 && lens_buffer_append(&embedded, "", 0) == 0)
        job->embedded = embedded.data ? embedded.data : calloc(1, 1);
    else
        lens_buffer_free(&embedded);
    pthread_mutex_lock(&run->reader_lock);
    result = ask_store(run, job, needed, &error);
    pthread_mutex_unlock(&run->reader_lock);
    if (result != 0) {
        lens_run_fail(run, &error);
        lens_job_free(run, job);
    } else if (job->pending == 0) {
        finish(run, job);
    } else {
        lens_decode_limits limits = {run->options->max_pixels};
        bool decoded = lens_decode(file.data, file.size, &limits, &image, &job->format, &error) == 0;
        lens_buffer_free(&file); /* before preparing: one picture's bytes less */
        job->width = image.width;
        job->height = image.height;
        if (!decoded || place(self, job, &image, needed, &error) != 0) {
            fail_job(job, &error);
            finish(run, job);
        }
    }
    lens_image_free(&image);
    lens_buffer_free(&file);
    return result;
}

/* Paths, one behind the other. */
typedef struct ahead {
    lens_errand errand; /* first */
    lens_buffer paths;
} ahead;

static void run_ahead(lens_errand *errand)
{
    const lens_buffer *paths = &((ahead *)errand)->paths;
    for (size_t at = 0; at < paths->size; at += strlen(paths->data + at) + 1) {
        const int fd = open(paths->data + at, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
            continue;
        posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
        close(fd);
    }
}

static void end_ahead(lens_errand *errand)
{
    lens_buffer_free(&((ahead *)errand)->paths);
    free(errand);
}

/* Lets the kernel read ahead what this worker will read next, so that a slow disk does not leave the core idle. Nobody waits for it. */
static void read_ahead(void *const *jobs, size_t count)
{
    ahead *self = count ? calloc(1, sizeof *self) : NULL;
    if (!self)
        return;
    self->errand = (lens_errand){.run = run_ahead, .end = end_ahead};
    for (size_t i = 0; i < count; i++) {
        const char *path = ((const lens_job *)jobs[i])->path;
        if (lens_buffer_append(&self->paths, path, strlen(path) + 1) != 0)
            break;
    }
    lens_errand_send(&self->errand);
}

static int start(worker *self, lens_error *err)
{
    lens_run *run = self->run;
    self->models = calloc(run->model_count, sizeof *self->models);
    if (!self->models)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    for (size_t m = 0; m < run->model_count; m++) {
        pending *waiting = &self->models[m];
        waiting->pixels = malloc(LENS_INDEX_BATCH * pixel_count(&run->models[m]) * sizeof *waiting->pixels);
        waiting->vectors = malloc(LENS_INDEX_BATCH * (size_t)run->models[m].dim * sizeof *waiting->vectors);
        if (!waiting->pixels || !waiting->vectors)
            return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    }
    return 0;
}

/* Sessions are made when the first picture needs them: a run with nothing new makes none. */
static int encode_full(worker *self, size_t at_least)
{
    lens_run *run = self->run;
    for (size_t m = 0; m < run->model_count; m++) {
        pending *waiting = &self->models[m];
        if ((size_t)waiting->count < at_least)
            continue;
        lens_error error = {0};
        if (!waiting->session && !(waiting->session = lens_session_new(run->models[m].encoder, LENS_INDEX_BATCH, 1, &error))) {
            lens_run_fail(run, &error);
            return -1;
        }
        if (encode(self, m) != 0)
            return -1;
    }
    return 0;
}

static void work(worker *self, bool *needed)
{
    lens_run *run = self->run;
    void *next[LENS_INDEX_BATCH];
    bool ended = false;
    while (!ended) {
        size_t count = 0;
        /* Others wait for what is in hand here, and more may not come before they have it: nobody waits with something in hand. */
        if (run->shares && (count = lens_queue_take_share(run->jobs, next, LENS_INDEX_BATCH, (size_t)run->threads)) == 0 && encode_full(self, 1) != 0)
            break;
        if (count == 0 && (count = lens_queue_pop_share(run->jobs, next, LENS_INDEX_BATCH, (size_t)run->threads)) == 0)
            break;
        /* The last pictures are shared out evenly, so what waits must not be left to the end: another worker may have nothing. */
        size_t at_least = count < LENS_INDEX_BATCH && !atomic_load(&run->walking) ? 1 : LENS_INDEX_BATCH;
        if (at_least == 1 && encode_full(self, 1) != 0)
            ended = true;
        read_ahead(next + 1, count - 1);
        for (size_t i = 0; i < count; i++) {
            memset(needed, 0, run->model_count * sizeof *needed);
            if (ended || atomic_load(&run->stop)) {
                lens_job_free(run, next[i]);
                ended = true;
            } else if (process(self, next[i], needed) != 0 || encode_full(self, LENS_INDEX_BATCH) != 0) {
                ended = true;
            }
        }
        if (!ended && at_least == 1 && encode_full(self, 1) != 0)
            ended = true;
    }
    if (!atomic_load(&run->stop))
        encode_full(self, 1);
}

void *lens_index_worker(void *argument)
{
    worker self = {.run = argument};
    lens_run *run = self.run;
    lens_error error = {0};
    bool *needed = calloc(run->model_count, sizeof *needed);
    lens_patience_set((lens_disk_patience){.goes_on = lens_run_goes_on, .context = run});
    if (!needed)
        lens_fail(&error, LENS_E_MEMORY, "not enough memory");
    if (!needed || start(&self, &error) != 0)
        lens_run_fail(run, &error);
    else
        work(&self, needed);
    for (size_t m = 0; self.models && m < run->model_count; m++) {
        pending *waiting = &self.models[m];
        for (int i = 0; i < waiting->count; i++) /* left over by a stop; the last model that holds it frees it */
            if (--waiting->jobs[i]->pending == 0)
                lens_job_free(run, waiting->jobs[i]);
        lens_session_free(waiting->session);
        free(waiting->vectors);
        free(waiting->pixels);
    }
    free(self.models);
    free(needed);
    /* The last worker to leave ends the stream of finished jobs. */
    if (atomic_fetch_sub(&run->workers_left, 1) == 1)
        lens_queue_close(run->done);
    return NULL;
}
