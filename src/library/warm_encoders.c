#include "library/warm_encoders.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* A model whose files did not make the vectors is not opened for every query that comes by. */
static const double again_seconds = 10;

/* Where one encoder has its place. */
typedef struct slot {
    struct slot *next;
    char *name, *precision;
    lens_tower towers;
    pthread_mutex_t lock; /* of what is below, and while it is being opened */
    lens_warm_encoder *now;
    lens_hash opened_for; /* the fingerprint that was asked for then */
    double opened;
} slot;

struct lens_warm_encoders {
    pthread_mutex_t lock; /* of the list */
    slot *slots;
    slot explaining;
};

void lens_warm_encoder_release(lens_warm_encoder *encoder)
{
    if (!encoder || atomic_fetch_sub(&encoder->users, 1) != 1)
        return;
    lens_encoder_close(encoder->encoder);
    free(encoder);
}

static void empty(slot *at)
{
    if (at->now)
        atomic_store(&at->now->stale, true);
    lens_warm_encoder_release(at->now);
    at->now = NULL;
}

/* Opens what AT is for. Under its lock. */
static int open_slot(slot *at, const lens_store_model *model, lens_error *err)
{
    lens_warm_encoder *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return lens_fail_memory(err);
    at->opened = lens_seconds();
    at->opened_for = model->fingerprint;
    atomic_init(&fresh->users, 1);
    atomic_init(&fresh->stale, false);
    fresh->encoder = lens_model_encoder(at->name, at->precision, at->towers, err);
    if (!fresh->encoder) {
        free(fresh);
        return -1;
    }
    empty(at);
    at->now = fresh;
    return 0;
}

/* The encoder of AT, if it is or can be made MODEL's. Under its lock. */
static lens_warm_encoder *take(slot *at, const lens_store_model *model, lens_error *err)
{
    const bool same = memcmp(&at->opened_for, &model->fingerprint, sizeof at->opened_for) == 0;
    if (!at->now || (lens_library_model_matches(model, at->now->encoder, NULL) != 0 && (!same || lens_seconds() - at->opened > again_seconds)))
        if (open_slot(at, model, err) != 0)
            return NULL;
    if (lens_library_model_matches(model, at->now->encoder, err) != 0)
        return NULL;
    atomic_fetch_add(&at->now->users, 1);
    return at->now;
}

static void free_slot(slot *at)
{
    empty(at);
    pthread_mutex_destroy(&at->lock);
    free(at->name);
    free(at->precision);
}

/* The place for an encoder of NAME, which may be empty. It stays. NULL: memory is short. */
static slot *slot_of(lens_warm_encoders *self, const char *name, const char *precision, lens_tower towers)
{
    pthread_mutex_lock(&self->lock);
    slot *at = self->slots;
    while (at && (at->towers != towers || strcmp(at->name, name) != 0 || strcmp(at->precision, precision) != 0))
        at = at->next;
    if (!at && (at = calloc(1, sizeof *at))) {
        pthread_mutex_init(&at->lock, NULL);
        at->name = strdup(name);
        at->precision = strdup(precision);
        at->towers = towers;
        at->next = self->slots;
        if (at->name && at->precision) {
            self->slots = at;
        } else {
            free_slot(at);
            free(at);
            at = NULL;
        }
    }
    pthread_mutex_unlock(&self->lock);
    return at;
}

lens_warm_encoder *lens_warm_encoders_get(lens_warm_encoders *self, const lens_store_model *model, const char *precision, lens_tower towers,
                                          lens_error *err)
{
    slot *at = slot_of(self, model->name, precision ? precision : "auto", towers);
    if (!at) {
        lens_fail_memory(err);
        return NULL;
    }
    pthread_mutex_lock(&at->lock);
    lens_warm_encoder *encoder = take(at, model, err);
    pthread_mutex_unlock(&at->lock);
    return encoder;
}

lens_warm_encoder *lens_warm_encoders_explaining(lens_warm_encoders *self, const lens_store_model *model, lens_tower towers, lens_error *err)
{
    slot *at = &self->explaining;
    lens_warm_encoder *encoder = NULL;
    pthread_mutex_lock(&at->lock);
    const bool same = at->name && strcmp(at->name, model->name) == 0;
    if (!same || (towers & ~at->towers)) {
        char *name = strdup(model->name);
        empty(at); /* before the next one is opened: two are not to be held for longer than someone uses them */
        free(at->name);
        at->name = name;
        at->towers = same ? (lens_tower)(at->towers | towers) : towers;
    }
    if (!at->precision)
        at->precision = strdup("f32");
    if (at->name && at->precision)
        encoder = take(at, model, err);
    else
        lens_fail_memory(err);
    pthread_mutex_unlock(&at->lock);
    return encoder;
}

lens_session *lens_warm_session(lens_library *library, lens_warm_encoder *encoder, lens_error *err)
{
    for (size_t i = 0; i < library->session_count; i++)
        if (library->sessions[i].encoder == encoder)
            return library->sessions[i].session;
    void *grown = realloc(library->sessions, (library->session_count + 1) * sizeof *library->sessions);
    if (!grown) {
        lens_fail_memory(err);
        return NULL;
    }
    library->sessions = grown;
    /* One thread each: those who ask are many, and every core has its own. */
    lens_session *session = lens_session_new(encoder->encoder, 1, 1, err);
    if (session) {
        atomic_fetch_add(&encoder->users, 1);
        library->sessions[library->session_count++] = (struct lens_library_session){encoder, session};
    }
    return session;
}

void lens_warm_sessions_drop(lens_library *library, bool all)
{
    for (size_t i = library->session_count; i-- > 0;)
        if (all || atomic_load(&library->sessions[i].encoder->stale)) {
            lens_session_free(library->sessions[i].session);
            lens_warm_encoder_release(library->sessions[i].encoder);
            library->sessions[i] = library->sessions[--library->session_count];
        }
}

lens_warm_encoders *lens_warm_encoders_new(void)
{
    lens_warm_encoders *self = calloc(1, sizeof *self);
    if (self) {
        pthread_mutex_init(&self->lock, NULL);
        pthread_mutex_init(&self->explaining.lock, NULL);
    }
    return self;
}

void lens_warm_encoders_free(lens_warm_encoders *self)
{
    if (!self)
        return;
    while (self->slots) {
        slot *at = self->slots;
        self->slots = at->next;
        free_slot(at);
        free(at);
    }
    free_slot(&self->explaining);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
