#include "library/terms.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/processors.h"
#include "library/warm.h"
#include "library/word_bridge.h"

typedef struct resolver {
    const lens_terms_place *place;
    int64_t *own;
    size_t own_count;
    struct tower {
        lens_encoder *opened; /* by us; NULL: the warm's */
        lens_warm_encoder *shared;
        const lens_encoder *encoder;
        lens_session *session;
    } pictures, words;
    const lens_word_map *bridge; /* the map that the library has for this model, or the built-in one; NULL: none */
    lens_store_model key;        /* under which is kept what words came to */
    const lens_word_map *map; /* from what WORDS gives to the model's vectors; NULL: it gives those itself */
    float *sentence;          /* [map->words] */
} resolver;

/* The vector of picture ID as it is stored: 1 and VECTOR filled, or 0 when this model has none of it. -1 on error. */
static int stored_vector(resolver *self, int64_t id, float *vector, lens_error *err)
{
    lens_store_vectors all = {0};
    const lens_store_vectors *from = self->place->vectors;
    if (lens_store_searches(self->place->store)) {
        const lens_store_scope any = {0};
        if (lens_store_vectors_of(self->place->store, self->place->model->id, &id, 1, &any, &all, err) != 0)
            return -1;
        from = &all;
    } else if (self->place->partly) { /* the picture asked for need not lie where results may */
        if (lens_store_vectors_open(self->place->store, self->place->model->id, NULL, 0, &all, err) != 0)
            return -1;
        from = &all;
    }
    size_t row;
    int found = lens_store_vectors_row(from, id, &row);
    if (found && lens_store_vectors_fit(from, self->place->model->dim, err) != 0) /* asked for later than the model, or of another connection */
        found = -1;
    if (found > 0) {
        memcpy(vector, from->data + (size_t)from->slots[row] * (size_t)from->dim, (size_t)from->dim * sizeof *vector);
        self->own[self->own_count++] = id;
    }
    lens_store_vectors_free(&all);
    return found;
}

/* The same for a file that the library knows and that has not changed since. */
static int known_file(resolver *self, const char *path, float *vector, lens_error *err)
{
    char *absolute = lens_path_absolute(path, err);
    if (!absolute)
        return -1;
    lens_store_picture picture;
    int found = lens_store_picture_by_path(self->place->store, absolute, &picture, err);
    if (found == 1) {
        const bool same = picture.content && lens_file_is(absolute, picture.size, picture.mtime_ns);
        found = same ? stored_vector(self, picture.id, vector, err) : 0;
        if (found == 0) /* it changed since, but it is still the same picture of the library */
            self->own[self->own_count++] = picture.id;
        lens_store_picture_free(&picture);
    }
    free(absolute);
    return found;
}

/* Once for a query: another process may fit another map at any time, and asking for it frees the one that the library has had. What a term came to is kept for the
 * model, and of words also for a map that was fitted on the library: another one gives something else. */
static void choose_bridge(resolver *self)
{
    lens_library *library = self->place->library;
    self->bridge = lens_word_bridge(library, self->place->model);
    if (!self->bridge || self->bridge != library->map)
        return;
    const uint64_t file = (uint64_t)library->map_number ^ ((uint64_t)library->map_time << 20);
    for (size_t i = 0; i < sizeof file; i++)
        self->key.fingerprint.bytes[i] ^= (uint8_t)(file >> (8 * i));
}

static const lens_store_model *key_of(const resolver *self, const lens_term *term)
{
    return term->kind == LENS_TERM_WORDS ? &self->key : self->place->model;
}

static bool recall(const resolver *self, const lens_term *term, float *vector)
{
    lens_warm *warm = self->place->library->warm;
    return warm && lens_warm_recall(warm, key_of(self, term), term, vector);
}

static void remember(const resolver *self, const lens_term *term, const float *vector)
{
    lens_warm *warm = self->place->library->warm;
    if (warm && term->kind != LENS_TERM_FILE)
        lens_warm_remember(warm, key_of(self, term), term, vector);
}

/* What the library knows of TERM: 1 and VECTOR filled, or 0 when it has to be encoded. -1 on error. */
static int look_up(resolver *self, const lens_term *term, float *vector, lens_error *err)
{
    int found = 0;
    switch (term->kind) {
    case LENS_TERM_ID:
        found = stored_vector(self, term->id, vector, err);
        if (found == 0)
            return lens_fail(err, LENS_E_MISSING, "id:%lld: no such picture in this library", (long long)term->id);
        return found;
    case LENS_TERM_FILE:
        return known_file(self, term->text, vector, err);
    case LENS_TERM_WORDS:
    case LENS_TERM_BYTES:
        return recall(self, term, vector);
    }
    return lens_fail(err, LENS_E_ARGUMENT, "unknown kind of term");
}

static lens_tower tower_of(const lens_term *term)
{
    return term->kind == LENS_TERM_WORDS ? LENS_TOWER_WORDS : LENS_TOWER_PICTURES;
}

static int open_tower(const lens_terms_place *place, const lens_store_model *model, lens_tower tower, struct tower *out, lens_error *err)
{
    lens_warm *warm = place->library->warm;
    if (warm) {
        out->shared = lens_warm_encoders_get(lens_warm_encoders_of(warm), model, place->precision, tower, err);
        out->encoder = out->shared ? out->shared->encoder : NULL;
        out->session = out->shared ? lens_warm_session(place->library, out->shared, err) : NULL;
    } else {
        out->encoder = out->opened = lens_model_encoder(model->name, place->precision, tower, err);
        if (!out->encoder || lens_library_model_matches(model, out->encoder, err) != 0)
            return -1;
        out->session = lens_session_new(out->encoder, 1, lens_processors(), err);
    }
    return out->session ? 0 : -1;
}

static void close_tower(struct tower *tower)
{
    lens_warm_encoder_release(tower->shared);
    if (!tower->opened)
        return;
    lens_session_free(tower->session);
    lens_encoder_close(tower->opened);
}

/* Opens what encodes words: the model itself, or, where it knows pictures only, the model of sentences from which a map leads to it. */
static int open_words(resolver *self, lens_error *err)
{
    const lens_terms_place *place = self->place;
    if (!lens_model_knows_words(place->model->name))
        self->map = self->bridge;
    if (!self->map)
        return open_tower(place, place->model, LENS_TOWER_WORDS, &self->words, err);
    const lens_store_model sentences = {.name = (char *)self->map->about.words_model, .dim = self->map->words, .fingerprint = self->map->about.words_print};
    self->sentence = malloc((size_t)self->map->words * sizeof *self->sentence);
    if (!self->sentence)
        return lens_fail_memory(err);
    lens_error why = {0};
    const int result = open_tower(place, &sentences, LENS_TOWER_WORDS, &self->words, &why);
    if (result != 0 && why.code == LENS_E_FORMAT)
        return lens_fail(err, LENS_E_FORMAT, "%s is not the one that words were fitted with: run `memelens pull %s`, or `memelens fit`", sentences.name, sentences.name);
    if (result != 0 && err)
        *err = why;
    return result;
}

/* Opens what encodes those of the terms that are not KNOWN. */
static int open_towers(resolver *self, const lens_term *terms, size_t count, const bool *known, lens_error *err)
{
    int wanted = 0;
    for (size_t t = 0; t < count; t++)
        wanted |= known[t] ? 0 : (int)tower_of(&terms[t]);
    if ((wanted & LENS_TOWER_WORDS) && open_words(self, err) != 0)
        return -1;
    return wanted & LENS_TOWER_PICTURES ? open_tower(self->place, self->place->model, LENS_TOWER_PICTURES, &self->pictures, err) : 0;
}

static int encode(resolver *self, const lens_term *term, float *vector, lens_error *err)
{
    if (term->kind == LENS_TERM_WORDS) {
        if (lens_session_run_words(self->words.session, term->text, self->map ? self->sentence : vector, err) != 0 ||
            (self->map && lens_word_map_apply(self->map, self->sentence, vector, err) != 0))
            return lens_fail_in(err, term->text);
        return 0;
    }
    lens_image image = {0};
    if (lens_decode_term(term, self->place->max_pixels, &image, err) != 0)
        return -1;
    int result = lens_encode_image(self->pictures.encoder, self->pictures.session, &image, vector, err);
    lens_image_free(&image);
    return result;
}

int lens_terms_vectors(const lens_terms_place *place, const lens_term *terms, size_t count, float *vectors, int64_t *own,
                       size_t *own_count, lens_error *err)
{
    resolver self = {.place = place, .own = own, .key = *place->model};
    const size_t dim = (size_t)place->model->dim;
    bool *known = calloc(count + 1, sizeof *known);
    int result = known ? 0 : lens_fail_memory(err);
    lens_warm_sessions_drop(place->library, false);
    bool words = false;
    for (size_t t = 0; t < count; t++)
        words |= terms[t].kind == LENS_TERM_WORDS;
    if (words)
        choose_bridge(&self);
    for (size_t t = 0; t < count && result == 0; t++) {
        int found = look_up(&self, &terms[t], vectors + t * dim, err);
        known[t] = found == 1;
        result = found < 0 ? -1 : 0;
    }
    if (result == 0)
        result = open_towers(&self, terms, count, known, err);
    for (size_t t = 0; t < count && result == 0; t++)
        if (!known[t] && (result = encode(&self, &terms[t], vectors + t * dim, err)) == 0)
            remember(&self, &terms[t], vectors + t * dim);
    *own_count = self.own_count;
    free(known);
    free(self.sentence);
    close_tower(&self.words);
    close_tower(&self.pictures);
    return result;
}
