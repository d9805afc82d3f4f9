/* The warm: shared by threads under one lock, which no one holds while encoding or scanning. A thread of its own asks five times a second
 * whether another connection wrote to the library, and exchanges the views; whoever searches meanwhile goes on with the old ones. What is kept is of one library, and
 * given only to who reads the same: another one may be put in its place at any time. */
#include "library/warm.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/patience.h"
#include "library/copies.h"
#include "library/view.h"

enum { TERMS = 512, VIEWS_MOST = 64 };
enum { COPIES_LEAST = 1 << 18 }; /* numbers: with a scan a query, bytes pay much earlier than for one search */
static const double lock_every = 0.005, look_every = 0.2, rest_factor = 4; /* seconds; exchanging takes at most a fifth of one core's time */
static const double refresh_most = 3600; /* then a database is asked anew, on a connection of its own */

typedef struct warm_term {
    lens_hash key;
    float *vector; /* NULL: free place */
    uint64_t used;
} warm_term;

struct lens_warm {
    lens_library_place place;
    pthread_mutex_t lock;         /* of all below but the store */
    pthread_mutex_t refresh_lock; /* of the store and of exchanging */
    pthread_cond_t ended;
    bool ends;
    pthread_t refresher;
    bool has_refresher;
    lens_store *store;
    int64_t version;
    lens_store_file file; /* of the library that the models are of */
    lens_store_models models;
    bool models_known;
    lens_warm_view *views[VIEWS_MOST];
    size_t view_count;
    lens_warm_encoders *encoders;
    warm_term terms[TERMS];
    uint64_t clock;
};

const lens_library_place *lens_warm_place(const lens_warm *warm)
{
    return &warm->place;
}

/* ---- views ---- */

void lens_warm_view_release(lens_warm_view *view)
{
    if (!view || atomic_fetch_sub(&view->users, 1) != 1)
        return;
    lens_approximate_close(view->approximate);
    lens_slot_rows_free(&view->rows);
    lens_packed_close(view->copies);
    lens_store_vectors_free(&view->vectors);
    free(view->shapes);
    free(view);
}

/* A view of MODEL as the store has it now, with one user. */
static lens_warm_view *load_view(lens_store *store, int64_t model, lens_error *err)
{
    lens_warm_view *view = calloc(1, sizeof *view);
    if (!view) {
        lens_fail_memory(err);
        return NULL;
    }
    atomic_init(&view->users, 1);
    view->file = lens_store_file_of(store);
    view->model = model;
    lens_copies_refresh(store, model, COPIES_LEAST);
    int result = lens_store_vectors_open(store, model, NULL, 0, &view->vectors, err);
    if (result == 0) {
        view->copies = lens_copies_open(&view->vectors, &view->bytes);
        view->cells_stamp = lens_approximate_stamp(&view->vectors);
        view->approximate = lens_approximate_open(&view->vectors, &view->bytes);
        const lens_view rows = lens_vectors_view(&view->vectors);
        if (view->approximate)
            result = lens_slot_rows_make(&rows, view->vectors.committed, &view->rows, err);
    }
    if (result == 0) {
        view->shapes = malloc((view->vectors.count + 1) * sizeof *view->shapes);
        result = view->shapes ? lens_store_vectors_shapes(store, &view->vectors, view->shapes, err) : lens_fail_memory(err);
    }
    if (result == 0)
        return view;
    lens_warm_view_release(view);
    return NULL;
}

/* Reads the models as they are at *VERSION or later. Under refresh_lock. */
static int read_models(lens_warm *warm, int64_t *version, lens_error *err)
{
    lens_store_models models = {0};
    if (lens_store_version(warm->store, version, err) != 0 || lens_store_models_list(warm->store, &models, err) != 0)
        return -1;
    pthread_mutex_lock(&warm->lock);
    lens_store_models_free(&warm->models);
    warm->models = models;
    warm->models_known = true;
    warm->file = lens_store_file_of(warm->store);
    pthread_mutex_unlock(&warm->lock);
    return 0;
}

static void drop_view(lens_warm *warm, size_t at)
{
    lens_warm_view *old = warm->views[at];
    warm->views[at] = warm->views[--warm->view_count];
    lens_warm_view_release(old);
}

static void drop_terms(lens_warm *warm)
{
    for (size_t i = 0; i < TERMS; i++) {
        free(warm->terms[i].vector);
        warm->terms[i] = (warm_term){0};
    }
}

/* Drops all that is of a library that lies at its place no more; whoever is in the middle of it goes on with what they have. Under refresh_lock. */
static void leave_moved(lens_warm *warm)
{
    if (!warm->store || !lens_store_moved(warm->store))
        return;
    pthread_mutex_lock(&warm->lock);
    while (warm->view_count)
        drop_view(warm, 0);
    lens_store_models_free(&warm->models);
    warm->models_known = false;
    drop_terms(warm);
    pthread_mutex_unlock(&warm->lock);
    lens_store_close(warm->store);
    warm->store = NULL;
}

/* Opens the store and reads its models, if that was not done yet, for one who reads what ASKER does. Under refresh_lock. */
static int need_store(lens_warm *warm, const lens_store *asker, lens_error *err)
{
    leave_moved(warm);
    if (!warm->store)
        warm->store = lens_store_open(warm->place.store, LENS_STORE_READ, 0, err);
    if (!warm->store || (!warm->models_known && read_models(warm, &warm->version, err) != 0))
        return -1;
    return lens_store_file_same(lens_store_file_of(warm->store), lens_store_file_of(asker))
               ? 0 : lens_fail(err, LENS_E_AWAY, "%s: another library was put here just now: please ask again", warm->place.shown);
}

/* Whether an approximate index was made, or removed, since VIEW was loaded: that writes nothing into the database. */
static bool cells_changed(const lens_warm_view *view)
{
    return lens_approximate_stamp(&view->vectors) != view->cells_stamp;
}

static bool any_cells_changed(const lens_warm *warm)
{
    bool changed = false;
    for (size_t i = 0; i < warm->view_count; i++) /* under refresh_lock none goes, and none comes */
        changed |= cells_changed(warm->views[i]);
    return changed;
}

/* How whoever reads for all waits: for as long as that takes, but for an end. */
typedef struct refreshing {
    lens_warm *warm;
    double begun;
} refreshing;

static bool goes_on(void *context)
{
    const refreshing *self = context;
    pthread_mutex_lock(&self->warm->lock);
    const bool ends = self->warm->ends;
    pthread_mutex_unlock(&self->warm->lock);
    return !ends && lens_seconds() - self->begun < refresh_most;
}

/* Takes refresh_lock, under which a database is asked: who waits for that waits no longer than it would for the answer. 0 or -1. */
static int lock_refresh(lens_warm *warm, lens_error *err)
{
    while (pthread_mutex_trylock(&warm->refresh_lock) != 0) { /* with a time limit the clock would be one that can be set back */
        if (lens_patience_ended())
            return lens_fail(err, LENS_E_CANCELLED, "interrupted while the library was being read");
        lens_sleep(lock_every);
    }
    return 0;
}

void lens_warm_refresh(lens_warm *warm)
{
    lens_error ignored = {0};
    int64_t version;
    if (lock_refresh(warm, &ignored) != 0)
        return;
    leave_moved(warm);
    if (warm->store && warm->models_known && lens_store_version(warm->store, &version, &ignored) == 0 && (version != warm->version || any_cells_changed(warm)) &&
        read_models(warm, &version, &ignored) == 0) {
        for (size_t i = warm->view_count; i-- > 0;) { /* only this function takes views away, and refresh_lock is held */
            lens_warm_view *fresh = load_view(warm->store, warm->views[i]->model, &ignored), *old = warm->views[i];
            pthread_mutex_lock(&warm->lock);
            if (fresh)
                warm->views[i] = fresh;
            else
                drop_view(warm, i); /* the model was forgotten; if not, whoever asks next is told why */
            pthread_mutex_unlock(&warm->lock);
            if (fresh)
                lens_warm_view_release(old);
        }
        warm->version = version; /* not before all is exchanged: who fails on the way has to look again */
    }
    pthread_mutex_unlock(&warm->refresh_lock);
}

static void *refresh_always(void *context)
{
    lens_warm *warm = context;
    refreshing self = {.warm = warm};
    double rest = look_every;
    lens_patience_set((lens_disk_patience){.goes_on = goes_on, .context = &self});
    pthread_mutex_lock(&warm->lock);
    while (!warm->ends) {
        if (lens_cond_wait(&warm->ended, &warm->lock, lens_seconds() + rest))
            continue;
        pthread_mutex_unlock(&warm->lock);
        self.begun = lens_seconds();
        lens_warm_refresh(warm);
        const double took = (lens_seconds() - self.begun) * rest_factor;
        rest = took > look_every ? took : look_every;
        pthread_mutex_lock(&warm->lock);
    }
    pthread_mutex_unlock(&warm->lock);
    return NULL;
}

static lens_warm_view *held_view(lens_warm *warm, const lens_store *store, int64_t model)
{
    const lens_store_file file = lens_store_file_of(store);
    lens_warm_view *view = NULL;
    pthread_mutex_lock(&warm->lock);
    for (size_t i = 0; i < warm->view_count && !view; i++)
        if (warm->views[i]->model == model && lens_store_file_same(warm->views[i]->file, file))
            view = warm->views[i];
    if (view)
        atomic_fetch_add(&view->users, 1);
    pthread_mutex_unlock(&warm->lock);
    return view;
}

lens_warm_view *lens_warm_view_of(lens_warm *warm, const lens_store *store, int64_t model, lens_error *err)
{
    lens_warm_view *view = held_view(warm, store, model);
    if (view)
        return view;
    if (lock_refresh(warm, err) != 0)
        return NULL;
    view = held_view(warm, store, model); /* another thread may have been faster */
    /* All requests want it, and of a large library it takes longer than any of them has. */
    refreshing own = {.warm = warm, .begun = lens_seconds()};
    const lens_disk_patience before = lens_patience_set((lens_disk_patience){.goes_on = goes_on, .context = &own});
    if (!view && need_store(warm, store, err) == 0 && (view = load_view(warm->store, model, err))) {
        pthread_mutex_lock(&warm->lock);
        if (warm->view_count < VIEWS_MOST) {
            warm->views[warm->view_count++] = view;
            atomic_fetch_add(&view->users, 1);
        }
        pthread_mutex_unlock(&warm->lock);
    }
    lens_patience_set(before);
    pthread_mutex_unlock(&warm->refresh_lock);
    return view;
}

/* lens_library_choose, where the models that are known are those of the library that STORE reads; *RESULT is what it came to. */
static bool choose_known(lens_warm *warm, const lens_store *store, const char *wanted, bool words, lens_store_model *out, int *result, lens_error *err)
{
    pthread_mutex_lock(&warm->lock);
    const bool known = warm->models_known && lens_store_file_same(warm->file, lens_store_file_of(store));
    if (known)
        *result = lens_library_choose(&warm->models, &warm->place, wanted, words, out, err);
    pthread_mutex_unlock(&warm->lock);
    return known;
}

int lens_warm_model(lens_warm *warm, const lens_store *store, const char *wanted, bool words, lens_store_model *out, lens_error *err)
{
    int result = -1;
    if (choose_known(warm, store, wanted, words, out, &result, err) || lock_refresh(warm, err) != 0)
        return result;
    if (need_store(warm, store, err) == 0)
        choose_known(warm, store, wanted, words, out, &result, err);
    pthread_mutex_unlock(&warm->refresh_lock);
    return result;
}

lens_warm_encoders *lens_warm_encoders_of(lens_warm *warm)
{
    return warm->encoders;
}

/* ---- terms ---- */

static lens_hash key_of(const lens_store_model *model, const lens_term *term)
{
    const bool words = term->kind == LENS_TERM_WORDS;
    const lens_hash own = words ? lens_hash_of(term->text, strlen(term->text)) : lens_hash_of(term->bytes, term->size);
    uint8_t text[sizeof own + sizeof model->fingerprint + sizeof model->dim + 1];
    memcpy(text, &own, sizeof own);
    memcpy(text + sizeof own, &model->fingerprint, sizeof model->fingerprint);
    memcpy(text + sizeof own + sizeof model->fingerprint, &model->dim, sizeof model->dim); /* a database may say another from one day to the next */
    text[sizeof text - 1] = words;
    return lens_hash_of(text, sizeof text);
}

static warm_term *find_term(lens_warm *warm, const lens_hash *key)
{
    for (size_t i = 0; i < TERMS; i++)
        if (warm->terms[i].vector && memcmp(&warm->terms[i].key, key, sizeof *key) == 0)
            return &warm->terms[i];
    return NULL;
}

bool lens_warm_recall(lens_warm *warm, const lens_store_model *model, const lens_term *term, float *vector)
{
    const lens_hash key = key_of(model, term);
    pthread_mutex_lock(&warm->lock);
    warm_term *at = find_term(warm, &key);
    if (at) {
        memcpy(vector, at->vector, (size_t)model->dim * sizeof *vector);
        at->used = ++warm->clock;
    }
    pthread_mutex_unlock(&warm->lock);
    return at != NULL;
}

void lens_warm_remember(lens_warm *warm, const lens_store_model *model, const lens_term *term, const float *vector)
{
    const lens_hash key = key_of(model, term);
    float *copy = malloc((size_t)model->dim * sizeof *copy);
    if (!copy)
        return;
    memcpy(copy, vector, (size_t)model->dim * sizeof *copy);
    pthread_mutex_lock(&warm->lock);
    warm_term *at = find_term(warm, &key), *oldest = &warm->terms[0];
    for (size_t i = 0; i < TERMS && !at; i++)
        if (warm->terms[i].used < oldest->used)
            oldest = &warm->terms[i];
    at = at ? at : oldest;
    free(at->vector);
    *at = (warm_term){key, copy, ++warm->clock};
    pthread_mutex_unlock(&warm->lock);
}

/* ---- the whole ---- */

lens_warm *lens_warm_new(const char *name, lens_error *err)
{
    lens_library_place place;
    if (lens_library_place_of(name, &place, err) != 0)
        return NULL;
    lens_warm *warm = calloc(1, sizeof *warm);
    if (!warm) {
        lens_fail_memory(err);
        lens_library_place_free(&place);
        return NULL;
    }
    warm->place = place;
    lens_cond_init(&warm->ended);
    pthread_mutex_init(&warm->lock, NULL);
    pthread_mutex_init(&warm->refresh_lock, NULL);
    /* What keeps it from being opened now may pass, and is told to who asks; a library of a newer version stays one. */
    lens_error why = {0};
    warm->store = lens_store_open(place.store, LENS_STORE_READ, 0, &why);
    if (!warm->store && why.code == LENS_E_VERSION) {
        if (err)
            *err = why;
        lens_warm_free(warm);
        return NULL;
    }
    warm->encoders = lens_warm_encoders_new();
    const int errnum = warm->encoders ? pthread_create(&warm->refresher, NULL, refresh_always, warm) : ENOMEM;
    warm->has_refresher = errnum == 0;
    if (warm->has_refresher)
        return warm;
    lens_fail_errno(err, errnum, "cannot start a thread");
    lens_warm_free(warm);
    return NULL;
}

void lens_warm_end(lens_warm *warm)
{
    pthread_mutex_lock(&warm->lock);
    warm->ends = true;
    pthread_cond_signal(&warm->ended);
    pthread_mutex_unlock(&warm->lock);
}

void lens_warm_free(lens_warm *warm)
{
    if (!warm)
        return;
    if (warm->has_refresher) {
        lens_warm_end(warm);
        pthread_join(warm->refresher, NULL);
    }
    while (warm->view_count)
        drop_view(warm, 0);
    lens_store_models_free(&warm->models);
    lens_store_close(warm->store);
    lens_warm_encoders_free(warm->encoders);
    drop_terms(warm);
    pthread_cond_destroy(&warm->ended);
    pthread_mutex_destroy(&warm->refresh_lock);
    pthread_mutex_destroy(&warm->lock);
    lens_library_place_free(&warm->place);
    free(warm);
}
