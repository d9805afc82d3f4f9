/* A worker of an index run: reads, hashes, decodes, prepares and encodes, with sessions of its own. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "captions/captions.h"
#include "library/index_run.h"

/* A larger file is read when nothing else is in hand: memory is for one such for each worker, not for three. */
static const int64_t ahead_most = (int64_t)64 << 20; /* bytes */

/* Prepared pictures that wait for one model. */
typedef struct pending {
    lens_session *session;
    float *pixels; /* [LENS_INDEX_BATCH, size, size, 3] */
    float *vectors; /* [LENS_INDEX_BATCH, dim] */
    lens_job *jobs[LENS_INDEX_BATCH];
    int count;
} pending;

/* A picture from its bytes to its pixels, which a process decodes (pixels/apart.h) while the worker does other things. */
typedef struct opened {
    lens_job *job; /* NULL: none */
    lens_buffer file;
    bool *needed; /* [run->model_count] */
    lens_decoding decoding;
} opened;

typedef struct worker {
    lens_run *run;
    pending *models; /* [run->model_count] */
    opened hands[2]; /* the next picture's, and the one before's, which is being decoded */
    int next;
    lens_job *ahead; /* whose file is being read; NULL: none's */
    lens_file_reading *reading; /* NULL: it could not begin, because of WHY_NOT */
    lens_error why_not;
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
    job->retry |= error->code == LENS_E_SYSTEM || error->code == LENS_E_MEMORY || error->code == LENS_E_SILENT; /* for any of the models */
    free(job->reason);
    job->reason = strdup(lens_error_without(error->message, job->path)); /* which is told beside it */
}

/* Encodes what waits for model M. A batch fails as a whole, so then each picture is tried by itself: one that gives no vector
 * (LENS_E_FORMAT) fails alone, which FAILED [LENS_INDEX_BATCH] says; with SEVERAL models it is said of which. -1 ends the run. */
static int run_batch(pending *waiting, const lens_index_model *model, bool several, bool *failed, lens_error *err)
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
        if (several)
            lens_fail_in(&why, model->name);
        fail_job(waiting->jobs[i], &why);
        failed[i] = true;
    }
    return 0;
}

/* Encodes what waits for model M and passes on the jobs that have all the vectors that they can have. -1 ends the run. */
static int encode(worker *self, size_t m)
{
    lens_run *run = self->run;
    const lens_index_model *model = &run->models[m];
    pending *waiting = &self->models[m];
    lens_error error = {0};
    bool failed[LENS_INDEX_BATCH] = {false};
    if (waiting->count == 0)
        return 0;
    int result = run_batch(waiting, model, run->model_count > 1, failed, &error);
    size_t dim = (size_t)model->dim;
    for (int i = 0; i < waiting->count; i++) {
        lens_job *job = waiting->jobs[i];
        if (result == 0 && !failed[i] && !(job->vectors[m] = malloc(dim * sizeof(float))))
            result = lens_fail_memory(&error);
        if (result == 0 && !failed[i])
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
            lens_may_have_moved(run, picture.path)) {
            job->moved_from = picture.id;
            job->outcome = LENS_OUTCOME_MOVED;
        }
        lens_store_picture_free(&picture);
    }
    if (job->outcome != LENS_OUTCOME_MOVED && found < 0)
        return -1;
    return lens_id_map_put(&run->moves, content, after) == 0 ? 0 : lens_fail_memory(err);
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
    job->held = true;
    job->same = job->known_id && content == job->known_content;
    if (job->same && job->pending == 0)
        job->outcome = LENS_OUTCOME_UNCHANGED;
    if (job->known_id)
        return 0;
    return look_for_old_name(run, job, content, err);
}

/* Puts IMAGE before every model that needs it and can have it: what one cannot have fails for that one alone. The job is passed on by whichever encodes it
 * last, or here where none does. */
static void place(worker *self, lens_job *job, const lens_image *image, const bool *needed)
{
    lens_run *run = self->run;
    for (size_t m = 0; m < run->model_count; m++) {
        if (!needed[m])
            continue;
        const lens_preparation *preparation = &lens_encoder_about(run->models[m].encoder)->preparation;
        pending *waiting = &self->models[m];
        lens_image seen = {0};
        lens_error why = {0};
        if (lens_prepare_picture(image, preparation, &seen, &why) != 0) {
            if (run->model_count > 1)
                lens_fail_in(&why, run->models[m].name);
            fail_job(job, &why);
            job->pending--;
            continue;
        }
        lens_prepare_pixels(&seen, preparation, waiting->pixels + (size_t)waiting->count * pixel_count(&run->models[m]));
        lens_image_free(&seen);
        waiting->jobs[waiting->count++] = job;
    }
    if (job->pending == 0)
        finish(run, job);
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

/* Takes the pixels of the picture that is being decoded, if there is one, and has NEXT's decoded (may be NULL) while it goes before the models. Then encodes
 * what there is a batch of. -1 ends the run. */
static int take_pixels(worker *self, opened *next)
{
    lens_decode_limits limits = lens_decode_limits_default();
    if (self->run->options->max_pixels)
        limits.max_pixels = self->run->options->max_pixels;
    opened *before = &self->hands[!self->next];
    lens_job *job = before->job;
    lens_error error = {0};
    lens_image image = {0};
    const bool decoded = job && lens_decode_end(&before->decoding, &image, &error) == 0;
    const bool large = (int64_t)image.width * image.height > LENS_LARGE_PIXELS; /* then it is done with before the next one takes memory */
    if (next && !large)
        lens_decode_begin(&next->decoding, next->file.data, next->file.size, &limits);
    if (job) {
        lens_buffer_free(&before->file); /* before preparing: one picture's bytes less */
        before->job = NULL;
        job->format = before->decoding.format;
        job->width = image.width;
        job->height = image.height;
        if (!decoded && error.code == LENS_E_CANCELLED) { /* a stop, while its decoder gave no answer */
            lens_job_free(self->run, job);
        } else if (!decoded) {
            fail_job(job, &error);
            finish(self->run, job);
        } else {
            place(self, job, &image, before->needed);
        }
        lens_image_free(&image);
    }
    if (next && large)
        lens_decode_begin(&next->decoding, next->file.data, next->file.size, &limits);
    if (next)
        self->next = !self->next;
    return encode_full(self, LENS_INDEX_BATCH);
}

/* Encodes all that is in hand. -1 ends the run. */
static int encode_all(worker *self)
{
    return take_pixels(self, NULL) == 0 ? encode_full(self, 1) : -1;
}

static void begin_reading(worker *self, lens_job *job)
{
    self->ahead = job;
    self->why_not = (lens_error){0};
    self->reading = job ? lens_file_read_begin(job->path, LENS_MAX_FILE_BYTES, &self->why_not) : NULL;
}

/* Reads the file of JOB into FILE, and begins with that of AFTER (may be NULL). */
static int read_file(worker *self, lens_job *job, lens_job *after, lens_buffer *file, lens_error *err)
{
    if (self->ahead != job || !self->reading) /* what could not begin then may now */
        begin_reading(self, job);
    *err = self->why_not;
    const int result = self->reading ? lens_file_read_end(self->reading, file, err) : -1;
    begin_reading(self, after && after->size <= ahead_most ? after : NULL);
    return result;
}

/* Why JOB's file could not be read. */
static void fail_to_read(worker *self, lens_job *job, const lens_error *error)
{
    if (error->code == LENS_E_CANCELLED) { /* a stop, while the disk gave no answer */
        lens_job_free(self->run, job);
        return;
    }
    if (error->code == LENS_E_MISSING)
        job->outcome = LENS_OUTCOME_GONE;
    else
        fail_job(job, error);
    finish(self->run, job);
}

/* Reads JOB's file, asks what is known of its bytes, and has them decoded where a model needs them; AFTER (may be NULL) is the job that comes next. -1 ends the
 * run; JOB is passed on, or waits in a hand or a batch. */
static int process(worker *self, lens_job *job, lens_job *after)
{
    lens_run *run = self->run;
    opened *next = &self->hands[self->next];
    lens_error error = {0};
    if (job->size > ahead_most && take_pixels(self, NULL) != 0) {
        lens_job_free(run, job);
        return -1;
    }
    if (read_file(self, job, job->size > ahead_most ? NULL : after, &next->file, &error) != 0) {
        fail_to_read(self, job, &error);
        return 0;
    }
    job->hash = lens_hash_of(next->file.data, next->file.size);
    lens_buffer embedded = {0};
    if (lens_captions_embedded(next->file.data, next->file.size, &embedded, NULL) == 0 && lens_buffer_append(&embedded, "", 0) == 0)
        job->embedded = embedded.data ? embedded.data : calloc(1, 1);
    else
        lens_buffer_free(&embedded);
    memset(next->needed, 0, run->model_count * sizeof *next->needed);
    pthread_mutex_lock(&run->reader_lock);
    const int result = ask_store(run, job, next->needed, &error);
    pthread_mutex_unlock(&run->reader_lock);
    if (result == 0 && job->pending > 0) {
        next->job = job;
        return take_pixels(self, next);
    }
    lens_buffer_free(&next->file);
    if (result != 0) {
        lens_run_fail(run, &error);
        lens_job_free(run, job);
    } else {
        finish(run, job);
    }
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
        return lens_fail_memory(err);
    for (int i = 0; i < 2; i++)
        if (!(self->hands[i].needed = calloc(run->model_count, sizeof *self->hands[i].needed)))
            return lens_fail_memory(err);
    for (size_t m = 0; m < run->model_count; m++) {
        pending *waiting = &self->models[m];
        waiting->pixels = malloc(LENS_INDEX_BATCH * pixel_count(&run->models[m]) * sizeof *waiting->pixels);
        waiting->vectors = malloc(LENS_INDEX_BATCH * (size_t)run->models[m].dim * sizeof *waiting->vectors);
        if (!waiting->pixels || !waiting->vectors)
            return lens_fail_memory(err);
    }
    return 0;
}

static void work(worker *self)
{
    lens_run *run = self->run;
    void *next[LENS_INDEX_BATCH];
    bool ended = false;
    while (!ended) {
        size_t count = 0;
        /* Others wait for what is in hand here, and more may not come before they have it: nobody waits with something in hand. */
        if (run->shares && (count = lens_queue_take_share(run->jobs, next, LENS_INDEX_BATCH, (size_t)run->threads)) == 0 && encode_all(self) != 0)
            break;
        if (count == 0 && (count = lens_queue_pop_share(run->jobs, next, LENS_INDEX_BATCH, (size_t)run->threads)) == 0)
            break;
        /* The last pictures are shared out evenly, so what waits must not be left to the end: another worker may have nothing. */
        const bool last = count < LENS_INDEX_BATCH && !atomic_load(&run->walking);
        if (last && encode_all(self) != 0)
            ended = true;
        read_ahead(next + 1, count - 1);
        for (size_t i = 0; i < count; i++) {
            if (ended || atomic_load(&run->stop)) {
                lens_job_free(run, next[i]);
                ended = true;
            } else {
                ended = process(self, next[i], i + 1 < count ? next[i + 1] : NULL) != 0;
            }
        }
        if (!ended && last && encode_all(self) != 0)
            ended = true;
    }
    if (!atomic_load(&run->stop))
        encode_all(self);
}

/* What a stop left in hand. */
static void drop(worker *self)
{
    lens_run *run = self->run;
    lens_buffer file = {0};
    lens_error error;
    if (self->reading && lens_file_read_end(self->reading, &file, &error) == 0)
        lens_buffer_free(&file);
    for (int i = 0; i < 2; i++) {
        opened *hand = &self->hands[i];
        if (hand->job)
            lens_decode_drop(&hand->decoding);
        lens_job_free(run, hand->job);
        lens_buffer_free(&hand->file);
        free(hand->needed);
    }
    for (size_t m = 0; self->models && m < run->model_count; m++) {
        pending *waiting = &self->models[m];
        for (int i = 0; i < waiting->count; i++) /* the last model that holds it frees it */
            if (--waiting->jobs[i]->pending == 0)
                lens_job_free(run, waiting->jobs[i]);
        lens_session_free(waiting->session);
        free(waiting->vectors);
        free(waiting->pixels);
    }
    free(self->models);
}

void *lens_index_worker(void *argument)
{
    worker self = {.run = argument};
    lens_run *run = self.run;
    lens_error error = {0};
    lens_patience_set((lens_disk_patience){.goes_on = lens_run_goes_on, .context = run});
    if (start(&self, &error) != 0)
        lens_run_fail(run, &error);
    else
        work(&self);
    drop(&self);
    /* The last worker to leave ends the stream of finished jobs. */
    if (atomic_fetch_sub(&run->workers_left, 1) == 1)
        lens_queue_close(run->done);
    return NULL;
}
