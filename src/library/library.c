/* The open library, which of its models answers, and one picture of it. */
#include <stdlib.h>
#include <string.h>

#include "base/processors.h"
#include "library/internal.h"
#include "library/sentences.h"
#include "library/text_search.h"
#include "library/warm.h"
#include "library/word_bridge.h"

const char *lens_version(void)
{
    return LENS_VERSION;
}

int lens_default_threads(void)
{
    return lens_processors();
}

lens_library *lens_library_open(const char *place, lens_error *err)
{
    lens_library *library = calloc(1, sizeof *library);
    if (!library) {
        lens_fail_memory(err);
        return NULL;
    }
    if (lens_library_place_of(place, &library->place, err) != 0) {
        free(library);
        return NULL;
    }
    return library;
}

lens_library *lens_library_open_warm(lens_warm *warm, lens_error *err)
{
    lens_library *library = lens_library_open(lens_warm_place(warm)->store, err);
    if (library)
        library->warm = warm;
    return library;
}

void lens_library_close(lens_library *library)
{
    if (!library)
        return;
    lens_warm_sessions_drop(library, true);
    free(library->sessions);
    lens_word_memory_free(library->words);
    lens_word_map_free(library->map);
    lens_store_close(library->store);
    lens_library_place_free(&library->place);
    free(library);
}

lens_store *lens_library_reader(lens_library *library, lens_error *err)
{
    if (!library->warm)
        return lens_store_open(library->place.store, LENS_STORE_READ, 0, err);
    if (!library->store)
        library->store = lens_store_open(library->place.store, LENS_STORE_READ, 0, err);
    return library->store;
}

void lens_library_follow(lens_library *library)
{
    if (!library->store || !lens_store_moved(library->store))
        return;
    lens_store_close(library->store);
    lens_word_memory_free(library->words);
    lens_word_map_free(library->map);
    library->store = NULL;
    library->words = NULL;
    library->map = NULL;
}

void lens_library_reader_done(lens_library *library, lens_store *store)
{
    if (store != library->store)
        lens_store_close(store);
}

const char *lens_library_path(const lens_library *library)
{
    return library->place.shown;
}

const char *lens_library_address(const lens_library *library)
{
    return library->place.store;
}

bool lens_model_knows_words(const char *name)
{
    return lens_model_towers(name) & LENS_TOWER_WORDS;
}

/* The model of MODELS called NAME, or else the first of a folder that is called so; their count when there is none. */
static size_t named(const lens_store_models *models, const char *name)
{
    size_t at = 0;
    while (at < models->count && strcmp(models->items[at].name, name) != 0)
        at++;
    if (at < models->count || strchr(name, '/'))
        return at;
    for (at = 0; at < models->count; at++) {
        const char *slash = strrchr(models->items[at].name, '/');
        if (slash && strcmp(slash + 1, name) == 0)
            break;
    }
    return at;
}

/* Whether MODEL is known to know none, so that nothing is lost when words go other ways. */
static bool lacks_words(const char *folder, const lens_store_model *model)
{
    const int towers = lens_model_towers(model->name);
    const bool lacks = lens_model_is_weightless(model->name) || (towers && !(towers & LENS_TOWER_WORDS));
    return lacks && !(lens_word_bridge_known(folder, model) && lens_sentence_model_here());
}

bool lens_library_lacks(int64_t vectors, int64_t most)
{
    enum { FEW = 50, MANY = 10 }; /* one of FEW, and one at least of MANY or more */
    const int64_t may_lack = most / FEW;
    return vectors < most - (may_lack || most < MANY ? may_lack : 1);
}

static bool has_seen_all(const lens_store_models *models, const lens_store_model *model)
{
    bool lacks = false;
    for (size_t i = 0; i < models->count; i++)
        lacks |= lens_library_lacks(model->vectors, models->items[i].vectors);
    return !lacks;
}

/* The first of MODELS that knows words by itself, or else through a map; their count when there is none. One that has seen a part of the pictures, as while a
 * new model's first run goes on, only where no other will do: of those that it has not seen nothing would be found, be it by what is written in them. *BRIDGED: a
 * map is there, at least. */
static size_t first_with_words(const lens_store_models *models, const char *folder, bool *bridged)
{
    size_t some = models->count;
    for (size_t i = 0; i < models->count; i++) {
        if (!lens_model_knows_words(models->items[i].name))
            continue;
        if (has_seen_all(models, &models->items[i]))
            return i;
        some = some == models->count || models->items[i].vectors > models->items[some].vectors ? i : some;
    }
    for (size_t i = 0; i < models->count; i++)
        if (lens_word_bridge_known(folder, &models->items[i])) {
            *bridged = true;
            if (!lens_sentence_model_here())
                break;
            if (has_seen_all(models, &models->items[i]))
                return i;
            some = some == models->count ? i : some;
        }
    return some;
}

int lens_library_choose(const lens_store_models *models, const lens_library_place *library, const char *wanted, bool words, lens_store_model *out, lens_error *err)
{
    char *name = NULL;
    int result = -1;
    bool bridged = false;
    size_t at = wanted ? named(models, wanted) : words ? first_with_words(models, library->folder, &bridged) : 0;
    if (wanted && at == models->count) {
        if (!(name = lens_model_canonical_name(wanted, err)))
            return -1;
        at = named(models, name);
    }
    if (at < models->count && wanted && words && lacks_words(library->folder, &models->items[at])) {
        lens_fail(err, LENS_E_UNSUPPORTED, "%s knows pictures, not words: leave out --model, or name one that does, as clip-vit-b-32", models->items[at].name);
    } else if (at < models->count) {
        *out = models->items[at];
        out->name = strdup(out->name);
        result = out->name ? 0 : lens_fail_memory(err);
    } else if (models->count == 0) {
        lens_fail(err, LENS_E_MISSING, "%s: nothing is indexed yet: run `memelens index FOLDER`", library->shown);
    } else if (name) {
        lens_fail(err, LENS_E_MISSING, "%s: not indexed with %s (but with %s): run `memelens index --model %s`", library->shown, name,
                  models->items[0].name, name);
    } else if (bridged) {
        lens_fail(err, LENS_E_UNSUPPORTED, "words need a model of sentences beside %s: run `memelens pull " LENS_SENTENCE_MODEL "`", models->items[0].name);
    } else {
        lens_fail(err, LENS_E_UNSUPPORTED,
                  "%s knows pictures, not words: run `memelens pull clip-vit-b-32`, then `memelens index --model clip-vit-b-32`",
                  models->items[0].name);
    }
    free(name);
    return result;
}

int lens_library_model(lens_store *store, const lens_library_place *library, const char *wanted, bool words, lens_store_model *out, lens_error *err)
{
    lens_store_models models = {0};
    if (lens_store_models_list(store, &models, err) != 0)
        return -1;
    int result = lens_library_choose(&models, library, wanted, words, out, err);
    lens_store_models_free(&models);
    return result;
}

int lens_library_model_matches(const lens_store_model *model, const lens_encoder *encoder, lens_error *err)
{
    const lens_encoder_info *about = lens_encoder_about(encoder);
    if (about->dim == model->dim && memcmp(about->fingerprint.bytes, model->fingerprint.bytes, sizeof model->fingerprint.bytes) == 0)
        return 0;
    return lens_fail(err, LENS_E_FORMAT,
                     "%s: its files have changed since this library was indexed, so their vectors cannot be compared: "
                     "run `memelens forget --model %s`, then `memelens index --model %s`",
                     model->name, model->name, model->name);
}

int lens_picture_get(lens_library *library, int64_t id, lens_picture *out, lens_error *err)
{
    *out = (lens_picture){0};
    lens_store *store = lens_library_reader(library, err);
    lens_store_picture picture = {0};
    const int known = store ? lens_store_picture_by_id(store, id, &picture, err) : -1;
    lens_library_reader_done(library, store);
    if (known == 0)
        lens_fail(err, LENS_E_MISSING, "id:%lld: no such picture in this library", (long long)id);
    if (known != 1)
        return -1;
    *out = (lens_picture){picture.id, picture.path, picture.size, lens_store_seconds(picture.mtime_ns), picture.width, picture.height, picture.format, picture.reason};
    return 0;
}

void lens_picture_free(lens_picture *picture)
{
    free(picture->path);
    free(picture->format);
    free(picture->reason);
    *picture = (lens_picture){0};
}

int lens_picture_some(lens_library *library, int64_t *ids, int count, lens_error *err)
{
    lens_store *store = lens_library_reader(library, err);
    int found = store ? lens_store_pictures_some(store, ids, count, err) : -1;
    lens_library_reader_done(library, store);
    return found;
}

int lens_library_model_of(lens_library *library, lens_store *store, const char *wanted, bool words, lens_store_model *out, lens_error *err)
{
    lens_store *own = store ? NULL : lens_library_reader(library, err), *from = store ? store : own;
    int result = -1;
    if (from && library->warm)
        result = lens_warm_model(library->warm, from, wanted, words, out, err);
    else if (from)
        result = lens_library_model(from, &library->place, wanted, words, out, err);
    lens_library_reader_done(library, own);
    return result;
}

char *lens_library_model_name(lens_library *library, const char *wanted, bool words, lens_error *err)
{
    lens_store_model model = {0};
    return lens_library_model_of(library, NULL, wanted, words, &model, err) == 0 ? model.name : NULL;
}
