/* The open library, and what it knows about itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/patience.h"
#include "base/processors.h"
#include "library/approximate.h"
#include "library/internal.h"
#include "library/sentences.h"
#include "library/text_search.h"
#include "library/warm.h"
#include "library/word_bridge.h"
#include "store/texts.h"

const char *lens_version(void)
{
    return LENS_VERSION;
}

int lens_default_threads(void)
{
    return lens_processors();
}

lens_library *lens_library_open(const char *folder, lens_error *err)
{
    lens_library *library = calloc(1, sizeof *library);
    if (!library) {
        lens_fail(err, LENS_E_MEMORY, "not enough memory");
        return NULL;
    }
    if (lens_library_place_of(folder, &library->place, err) != 0) {
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
    lens_tower towers = 0;
    char *folder = lens_model_folder(name, NULL);
    bool known = folder && lens_encoder_kinds(folder, &towers, NULL) == 0;
    free(folder);
    return known && (towers & LENS_TOWER_WORDS);
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
    lens_tower towers = 0;
    char *base = strndup(model->name, strcspn(model->name, "@")), *weights = lens_model_folder(model->name, NULL);
    const bool lacks = (base && lens_encoder_is_weightless(base)) || (weights && lens_encoder_kinds(weights, &towers, NULL) == 0 && !(towers & LENS_TOWER_WORDS));
    free(weights);
    free(base);
    return lacks && !(lens_word_bridge_known(folder, model) && lens_sentence_model_here());
}

/* The first of MODELS that knows words by itself, or else through a map; their count when there is none. *BRIDGED: a map is there, at least. */
static size_t first_with_words(const lens_store_models *models, const char *folder, bool *bridged)
{
    for (size_t i = 0; i < models->count; i++)
        if (lens_model_knows_words(models->items[i].name))
            return i;
    for (size_t i = 0; i < models->count && !*bridged; i++)
        if ((*bridged = lens_word_bridge_known(folder, &models->items[i])) && lens_sentence_model_here())
            return i;
    return models->count;
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
        result = out->name ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory");
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

int lens_library_model_of(lens_library *library, const char *wanted, bool words, lens_store_model *out, lens_error *err)
{
    if (library->warm)
        return lens_warm_model(library->warm, wanted, words, out, err);
    lens_store *store = lens_library_reader(library, err);
    const int result = store ? lens_library_model(store, &library->place, wanted, words, out, err) : -1;
    lens_library_reader_done(library, store);
    return result;
}

char *lens_library_model_name(lens_library *library, const char *wanted, bool words, lens_error *err)
{
    lens_store_model model = {0};
    return lens_library_model_of(library, wanted, words, &model, err) == 0 ? model.name : NULL;
}

/* ---- status ---- */

static const double answer_within = 2; /* seconds: a folder on a disk that is silent for longer is shown as one that is not there */

static int keep_failure(void *context, const lens_store_picture *picture)
{
    lens_status *status = context;
    void *grown = realloc(status->failures, (status->failure_count + 1) * sizeof *status->failures);
    if (!grown)
        return -1;
    status->failures = grown;
    struct lens_status_failure *failure = &status->failures[status->failure_count++];
    failure->path = strdup(picture->path);
    failure->reason = strdup(picture->reason ? picture->reason : "");
    return failure->path && failure->reason ? 0 : -1;
}

static int list_caption_files(lens_status *status, lens_store *store, lens_error *err)
{
    lens_store_sources sources;
    if (lens_store_sources_list(store, LENS_SOURCE_FILE, &sources, err) != 0)
        return -1;
    status->caption_files = calloc(sources.count + 1, sizeof *status->caption_files);
    status->caption_file_present = calloc(sources.count + 1, sizeof *status->caption_file_present);
    const bool enough = status->caption_files && status->caption_file_present;
    for (size_t i = 0; enough && i < sources.count; i++) {
        status->caption_files[i] = sources.items[i].path; /* goes over to the status */
        status->caption_file_present[i] = lens_file_exists(sources.items[i].path);
        sources.items[i].path = NULL;
        status->caption_file_count++;
    }
    lens_store_sources_free(&sources);
    return enough ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory");
}

static int list_workers(lens_status *status, lens_store *store, lens_error *err)
{
    lens_store_workers workers = {0};
    if (!lens_store_shares_work(store))
        return 0;
    if (lens_store_workers_list(store, &workers, err) != 0)
        return -1;
    status->workers = calloc(workers.count + 1, sizeof *status->workers);
    for (size_t i = 0; status->workers && i < workers.count; i++) {
        lens_store_worker *worker = &workers.items[i];
        status->workers[status->worker_count++] = (struct lens_status_worker){worker->name, worker->taken, worker->written,
                                                                              worker->seconds > 0 ? (double)worker->written / worker->seconds : 0, worker->heard, worker->lost};
        worker->name = NULL; /* goes over to the status */
    }
    status->waiting = workers.free;
    lens_store_workers_free(&workers);
    return status->workers ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory");
}

/* What its approximate index covers. A warm has it at hand; else the vectors are looked into, which takes a moment where there are many. */
static void tell_approximate(lens_library *library, lens_store *store, const lens_store_model *model, struct lens_status_model *out)
{
    lens_warm_view *view = library->warm && !lens_store_searches(store) ? lens_warm_view_of(library->warm, model->id, NULL) : NULL;
    double recall, ratio;
    if (!view)
        out->approximate = lens_approximate_covered(store, model->id, &out->approximate_bytes, &recall, &ratio);
    else if (view->approximate)
        out->approximate = lens_approximate_size(view->approximate, &view->vectors, &out->approximate_bytes);
    lens_warm_view_release(view);
}

static int fill_status(lens_status *status, lens_library *library, lens_store *store, lens_error *err)
{
    if (list_workers(status, store, err) != 0)
        return -1;
    lens_store_counts counts;
    lens_store_paths roots = {0}, forgotten = {0};
    lens_store_models models = {0};
    if (lens_store_count(store, &counts, err) != 0 || lens_store_roots(store, &roots, err) != 0)
        return -1;
    status->pictures = counts.pictures;
    status->contents = counts.contents;
    status->failed = counts.failed;
    status->bytes = counts.bytes;
    status->folders = roots.items; /* the list's own memory goes over to the status */
    status->folder_count = roots.count;
    lens_store_models sentences = {0};
    status->captions = lens_store_caption_count(store, err);
    if (status->captions < 0 || lens_store_readings_count(store, NULL, &status->read, &status->with_text, err) != 0 ||
        lens_store_sentence_models(store, &sentences, err) != 0)
        return -1;
    for (size_t i = 0; i < sentences.count; i++) {
        char *folder = lens_model_folder(sentences.items[i].name, NULL); /* without it nothing is found by them */
        status->sentences += folder ? sentences.items[i].vectors : 0;
        free(folder);
    }
    lens_store_models_free(&sentences);
    if (list_caption_files(status, store, err) != 0 || lens_store_forgotten(store, &forgotten, err) != 0)
        return -1;
    status->forgotten = forgotten.items;
    status->forgotten_count = forgotten.count;
    if (lens_store_models_list(store, &models, err) != 0)
        return -1;
    status->folder_present = calloc(roots.count + 1, sizeof *status->folder_present);
    status->models = calloc(models.count + 1, sizeof *status->models);
    bool enough = status->folder_present && status->models;
    const bool approximate = lens_approximate_wanted(store, library->place.folder);
    const lens_disk_patience patience = lens_patience_set((lens_disk_patience){.seconds = answer_within});
    for (size_t i = 0; enough && i < roots.count; i++)
        status->folder_present[i] = lens_file_exists(roots.items[i]);
    lens_patience_set(patience);
    for (size_t i = 0; enough && i < models.count; i++) {
        const lens_store_model *model = &models.items[i];
        status->models[i] = (struct lens_status_model){strdup(model->name), model->dim, model->vectors, model->file_bytes,
                                                            lens_model_knows_words(model->name) || (lens_word_bridge_known(library->place.folder, model) && lens_sentence_model_here()), 0, 0};
        status->model_count = i + 1;
        if (approximate)
            tell_approximate(library, store, model, &status->models[i]);
        enough = status->models[i].name != NULL;
    }
    lens_store_models_free(&models);
    if (!enough)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory");
    int result = lens_store_pictures_of(store, 0, keep_failure, status, err);
    if (result != 0 && status->failure_count)
        lens_fail(err, LENS_E_MEMORY, "not enough memory");
    return result;
}

lens_status *lens_status_get(lens_library *library, lens_error *err)
{
    lens_store *store = lens_library_reader(library, err);
    if (!store)
        return NULL;
    lens_status *status = calloc(1, sizeof *status);
    if (!status || !(status->library = strdup(library->place.shown))) {
        lens_fail(err, LENS_E_MEMORY, "not enough memory");
        lens_status_free(status);
        status = NULL;
    } else if (fill_status(status, library, store, err) != 0) {
        lens_status_free(status);
        status = NULL;
    }
    lens_library_reader_done(library, store);
    return status;
}

static void free_strings(char **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(items[i]);
    free(items);
}

void lens_status_free(lens_status *status)
{
    if (!status)
        return;
    free(status->library);
    free_strings(status->folders, status->folder_count);
    free_strings(status->forgotten, status->forgotten_count);
    free(status->folder_present);
    free_strings(status->caption_files, status->caption_file_count);
    free(status->caption_file_present);
    for (size_t i = 0; i < status->model_count; i++)
        free(status->models[i].name);
    free(status->models);
    for (size_t i = 0; i < status->failure_count; i++) {
        free(status->failures[i].path);
        free(status->failures[i].reason);
    }
    for (size_t i = 0; i < status->worker_count; i++)
        free(status->workers[i].name);
    free(status->workers);
    free(status->failures);
    free(status);
}

/* ---- forget, check ---- */

/* How long the short commands wait for an index run that is writing, seconds. */
static const double short_wait = 10;

/* A writer for a library that must be there: LENS_STORE_WRITE would make one. */
static lens_store *open_existing(const lens_library *library, lens_error *err)
{
    lens_store *reader = lens_store_open(library->place.store, LENS_STORE_READ, 0, err);
    if (!reader)
        return NULL;
    lens_store_close(reader);
    return lens_store_open(library->place.store, LENS_STORE_WRITE, short_wait, err);
}

/* 1 when PATH lies in a known folder or holds one, 0 when nothing is known of it, -1 on error. */
static int is_known(lens_store *store, const char *path, lens_error *err)
{
    lens_store_paths roots;
    if (lens_store_roots(store, &roots, err) != 0)
        return -1;
    int known = 0;
    for (size_t i = 0; i < roots.count; i++)
        known |= lens_path_within(path, roots.items[i]) || lens_path_within(roots.items[i], path);
    lens_store_paths_free(&roots);
    return known;
}

int lens_forget_path(lens_library *library, const char *path, int64_t *removed, lens_error *err)
{
    *removed = 0;
    char *absolute = lens_path_absolute(path, err);
    lens_store *store = absolute ? open_existing(library, err) : NULL;
    int known = store ? is_known(store, absolute, err) : -1;
    int result = known > 0 ? lens_store_forget(store, absolute, removed, err) : -1;
    if (known == 0)
        lens_fail(err, LENS_E_MISSING, "%s: not in the library", absolute);
    if (result == 0)
        result = lens_store_compact(store, false, err);
    lens_store_close(store);
    free(absolute);
    return result;
}

int lens_forget_model(lens_library *library, const char *model, lens_error *err)
{
    char *name = lens_model_canonical_name(model, err);
    lens_store *store = name ? open_existing(library, err) : NULL;
    int result = store ? lens_store_forget_model(store, name, err) : -1;
    lens_store_close(store);
    free(name);
    return result;
}

/* The id of the file of captions at PATH; 0: there is none, -1 on error. */
static int64_t caption_file(lens_store *store, const char *path, lens_error *err)
{
    lens_store_sources sources;
    int64_t id = 0;
    if (lens_store_sources_list(store, LENS_SOURCE_FILE, &sources, err) != 0)
        return -1;
    for (size_t i = 0; i < sources.count; i++)
        if (strcmp(sources.items[i].path, path) == 0)
            id = sources.items[i].id;
    lens_store_sources_free(&sources);
    return id;
}

int lens_forget_captions(lens_library *library, const char *path, int64_t *removed, lens_error *err)
{
    *removed = 0;
    char *absolute = lens_path_absolute(path, err);
    lens_store *store = absolute ? open_existing(library, err) : NULL;
    const int64_t id = store ? caption_file(store, absolute, err) : -1, before = id > 0 ? lens_store_caption_count(store, err) : 0;
    int result = id > 0 && before >= 0 ? lens_store_source_remove(store, id, err) : -1;
    if (id == 0)
        lens_fail(err, LENS_E_MISSING, "%s: no file of captions that this library knows; memelens status lists them", absolute);
    const int64_t after = result == 0 ? lens_store_caption_count(store, err) : before;
    *removed = before - after;
    if (result == 0)
        result = after < 0 ? -1 : lens_store_compact(store, false, err);
    lens_store_close(store);
    free(absolute);
    return result;
}

static int forget_models(lens_store *store, int (*list)(lens_store *, lens_store_models *, lens_error *), lens_error *err)
{
    lens_store_models models = {0};
    int result = list(store, &models, err);
    for (size_t i = 0; result == 0 && i < models.count; i++)
        result = lens_store_forget_model(store, models.items[i].name, err);
    lens_store_models_free(&models);
    return result;
}

static int remove_map(void *context, const char *path, lens_error *err)
{
    (void)context;
    return unlink(path) == 0 ? 0 : lens_fail_errno(err, errno, "%s", path);
}

int lens_forget_all(lens_library *library, int64_t *removed, lens_error *err)
{
    *removed = 0;
    lens_store *store = open_existing(library, err);
    if (!store)
        return -1;
    int result = forget_models(store, lens_store_models_list, err);
    if (result == 0)
        result = forget_models(store, lens_store_sentence_models, err);
    if (result == 0)
        result = lens_store_forget(store, "/", removed, err); /* with every rule, and leaving none */
    if (result == 0)
        result = lens_word_bridge_each(library->place.folder, remove_map, NULL, err); /* what was learnt from the captions of these pictures */
    lens_store_close(store);
    return result;
}

typedef struct map_check {
    void (*fault)(void *context, const char *line);
    void *context;
    int faults;
} map_check;

static int check_map(void *context, const char *path, lens_error *err)
{
    map_check *self = context;
    lens_error reason = {0};
    lens_buffer line = {0};
    lens_word_map *map = lens_word_map_read(path, &reason);
    if (!map && reason.code == LENS_E_MEMORY)
        return lens_fail(err, LENS_E_MEMORY, "%s: not enough memory", path);
    if (!map) {
        self->faults++;
        if (self->fault && lens_buffer_print(&line, "%s; memelens fit makes it anew", reason.message) == 0)
            self->fault(self->context, line.data);
    }
    lens_buffer_free(&line);
    lens_word_map_free(map);
    return 0;
}

int lens_check(lens_library *library, void (*fault)(void *context, const char *line), void *context, lens_error *err)
{
    lens_store *store = lens_store_open(library->place.store, LENS_STORE_READ, 0, err);
    if (!store)
        return -1;
    int faults = lens_store_check(store, fault, context, err);
    lens_store_close(store);
    map_check maps = {fault, context, 0};
    if (faults >= 0 && lens_word_bridge_each(library->place.folder, check_map, &maps, err) != 0)
        return -1;
    return faults < 0 ? -1 : faults + maps.faults;
}
