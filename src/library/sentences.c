#include "library/sentences.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "library/copies.h"
#include "store/texts.h"

enum { BATCH = 512 /* contents of one transaction */, TEXTS_MOST = 32 /* of one content that count */ };

bool lens_sentence_model_here(void)
{
    char *folder = lens_model_folder(LENS_SENTENCE_MODEL, NULL);
    free(folder);
    return folder != NULL;
}

/* The texts of one content: one at least, where it is encoded. */
typedef struct written {
    char *texts[TEXTS_MOST];
    size_t count;
} written;

/* A caption is a sentence a line; what was read in a picture is one, however its lines are broken. */
static int hear(void *context, const lens_store_text *text)
{
    written *self = context;
    for (const char *at = text->text; *at && self->count < TEXTS_MOST; at += *at == '\n') {
        const size_t size = text->picture ? strcspn(at, "\n") : strlen(at);
        char *sentence = size ? strndup(at, size) : NULL;
        if (size && !sentence)
            return -2;
        if (sentence)
            self->texts[self->count++] = sentence;
        at += size;
    }
    return 0;
}

static int read_texts(lens_store *store, int64_t content, written *out, lens_error *err)
{
    const int result = lens_store_texts_of_content(store, content, hear, out, err);
    return result == -2 ? lens_fail_memory(err) : result;
}

static void forget_texts(written *self)
{
    while (self->count)
        free(self->texts[--self->count]);
}

static bool says_the_same(const written *a, const written *b)
{
    bool same = a->count == b->count;
    for (size_t t = 0; t < a->count && same; t++)
        same = strcmp(a->texts[t], b->texts[t]) == 0;
    return same;
}

typedef struct batch {
    const lens_encoder *encoder;
    written *written; /* [count] */
    float *vectors;   /* [count, dim] */
    size_t count;
    int64_t version; /* of the library, before the texts were read */
    atomic_size_t next;
    pthread_mutex_t lock; /* of what follows */
    lens_error error;
    bool failed;
} batch;

static int encode(lens_session *session, size_t dim, const written *from, float *vector, float *one, lens_error *err)
{
    double squares = 0;
    memset(vector, 0, dim * sizeof *vector);
    for (size_t t = 0; t < from->count; t++) {
        if (lens_session_run_words(session, from->texts[t], one, err) != 0)
            return -1;
        for (size_t i = 0; i < dim; i++)
            vector[i] += one[i];
    }
    for (size_t i = 0; i < dim; i++)
        squares += (double)vector[i] * (double)vector[i];
    /* Texts that say the opposite of each other could cancel: then the first one counts. */
    if (squares < 1e-6)
        return lens_session_run_words(session, from->texts[0], vector, err);
    for (size_t i = 0; i < dim; i++)
        vector[i] = (float)((double)vector[i] / sqrt(squares));
    return 0;
}

static void *work(void *argument)
{
    batch *self = argument;
    const size_t dim = (size_t)lens_encoder_about(self->encoder)->dim;
    lens_error error = {0};
    float *one = malloc(dim * sizeof *one);
    lens_session *session = one ? lens_session_new(self->encoder, 1, 1, &error) : NULL;
    int result = session ? 0 : -1;
    if (!one)
        lens_fail_memory(&error);
    for (size_t i; result == 0 && (i = atomic_fetch_add(&self->next, 1)) < self->count;)
        result = encode(session, dim, &self->written[i], self->vectors + i * dim, one, &error);
    if (result != 0) {
        atomic_store(&self->next, self->count);
        pthread_mutex_lock(&self->lock);
        if (!self->failed)
            self->error = error;
        self->failed = true;
        pthread_mutex_unlock(&self->lock);
    }
    lens_session_free(session);
    free(one);
    return NULL;
}

/* ---- writing ---- */

/* Leaves in SELF, and at the beginning of CONTENTS, those about which there is written what was encoded. */
static int keep_true(lens_store *store, batch *self, int64_t *contents, lens_error *err)
{
    const size_t dim = (size_t)lens_encoder_about(self->encoder)->dim;
    size_t kept = 0;
    int result = 0;
    for (size_t i = 0; i < self->count; i++) {
        written now = {.count = 0};
        if (result == 0)
            result = read_texts(store, contents[i], &now, err);
        if (result == 0 && !says_the_same(&now, &self->written[i])) {
            forget_texts(&self->written[i]);
        } else if (kept++ != i) {
            contents[kept - 1] = contents[i];
            self->written[kept - 1] = self->written[i];
            memcpy(self->vectors + (kept - 1) * dim, self->vectors + i * dim, dim * sizeof *self->vectors);
        }
        forget_texts(&now);
    }
    self->count = kept;
    return result;
}

/* Writes what was encoded where others write too. A text that came or went meanwhile found no vector to take away, and nobody would ever see that the one
 * that comes now does not know it: so the texts are looked at once more in our turn, if anybody has written at all. What is left out is encoded by whoever
 * wrote about it, or by the next run. */
static int write_beside_others(lens_store *store, int64_t model, batch *self, int64_t *contents, lens_error *err)
{
    int64_t version = 0;
    if (lens_store_batch_begin(store, err) != 0)
        return -1;
    int result = lens_store_version(store, &version, err);
    if (result == 0 && version != self->version)
        result = keep_true(store, self, contents, err);
    if (result == 0 && self->count)
        result = lens_store_sentences_write(store, model, contents, self->vectors, self->count, err);
    return lens_store_batch_end(store, result, err);
}

static int write_all(lens_store *store, int64_t model, batch *self, int64_t *contents, lens_error *err)
{
    lens_error error = {0};
    if (!lens_store_shares_work(store))
        return lens_store_sentences_write(store, model, contents, self->vectors, self->count, err);
    int result = write_beside_others(store, model, self, contents, &error);
    if (result != 0 && error.code == LENS_E_AWAY) /* the same twice says the same */
        result = write_beside_others(store, model, self, contents, &error);
    if (result != 0 && err)
        *err = error;
    return result;
}

/* Encodes the COUNT contents and writes them. How many were written, and are at the beginning of CONTENTS now; -1 on failure. */
static int run_batch(lens_store *store, int64_t model, const lens_encoder *encoder, int threads, int64_t *contents, size_t count, lens_error *err)
{
    batch self = {.encoder = encoder};
    const size_t dim = (size_t)lens_encoder_about(encoder)->dim;
    pthread_t *others = calloc((size_t)threads, sizeof *others);
    int started = 0, result;
    self.written = calloc(count, sizeof *self.written);
    self.vectors = malloc(count * dim * sizeof *self.vectors);
    pthread_mutex_init(&self.lock, NULL);
    result = others && self.written && self.vectors ? lens_store_version(store, &self.version, err) : lens_fail_memory(err);
    for (size_t i = 0; i < count && result == 0; i++) {
        written *now = &self.written[self.count];
        result = read_texts(store, contents[i], now, err);
        if (now->count) /* else another run has taken its texts out meanwhile */
            contents[self.count++] = contents[i];
    }
    if (result == 0 && self.count) {
        while (started + 1 < threads && pthread_create(&others[started], NULL, work, &self) == 0)
            started++;
        work(&self);
        for (int i = 0; i < started; i++)
            pthread_join(others[i], NULL);
        if (self.failed && err)
            *err = self.error;
        result = self.failed ? -1 : write_all(store, model, &self, contents, err);
    }
    for (size_t i = 0; i < self.count; i++)
        forget_texts(&self.written[i]);
    pthread_mutex_destroy(&self.lock);
    free(self.written);
    free(self.vectors);
    free(others);
    return result == 0 ? (int)self.count : -1;
}

static int refresh_with(lens_store *store, const lens_encoder *encoder, int threads, bool (*tell)(void *context, int64_t done, int64_t total), void *context,
                        int64_t *encoded, lens_error *err)
{
    const lens_encoder_info *about = lens_encoder_about(encoder);
    int64_t model, contents[BATCH], last = 0, texts = lens_store_text_count(store, err);
    if (texts < 0 || lens_store_add_sentence_model(store, LENS_SENTENCE_MODEL, about->dim, about->fingerprint, &model, err) != 0 ||
        lens_copies_drop_untrue(store, model, err) != 0)
        return -1;
    for (;;) {
        const int count = lens_store_sentences_missing(store, model, last, contents, BATCH, err);
        if (count <= 0)
            return count;
        last = contents[count - 1];
        const int done = run_batch(store, model, encoder, threads, contents, (size_t)count, err);
        if (done < 0)
            return -1;
        *encoded += done;
        if (tell && !tell(context, *encoded, texts > *encoded ? texts : *encoded))
            return 0;
    }
}

/* Whether there is anything to encode, before a model is opened for it. */
static int is_due(lens_store *store, lens_error *err)
{
    lens_store_models models = {0};
    int64_t content;
    const int64_t texts = lens_store_text_count(store, err);
    if (texts <= 0 || !lens_sentence_model_here())
        return texts < 0 ? -1 : 0;
    if (lens_store_sentence_models(store, &models, err) != 0)
        return -1;
    int due = 1;
    for (size_t i = 0; i < models.count; i++)
        if (strcmp(models.items[i].name, LENS_SENTENCE_MODEL) == 0)
            due = lens_store_sentences_missing(store, models.items[i].id, 0, &content, 1, err);
    lens_store_models_free(&models);
    return due;
}

int lens_sentences_refresh(lens_store *store, int threads, bool (*tell)(void *context, int64_t done, int64_t total), void *context, int64_t *encoded,
                           lens_error *err)
{
    *encoded = 0;
    const int due = is_due(store, err);
    if (due <= 0)
        return due;
    lens_encoder *encoder = lens_model_encoder(LENS_SENTENCE_MODEL, "auto", LENS_TOWER_WORDS, err);
    const int result = encoder ? refresh_with(store, encoder, threads > 0 ? threads : 1, tell, context, encoded, err) : -1;
    lens_encoder_close(encoder);
    return result;
}
