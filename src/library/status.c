/* lens_status_get: what is in a library. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/patience.h"
#include "library/approximate.h"
#include "library/internal.h"
#include "library/sentences.h"
#include "library/warm.h"
#include "library/word_bridge.h"
#include "store/texts.h"

static const double answer_within = 2; /* seconds: what is on a disk that is silent for longer is shown as not there */

/* -2 when memory is short. */
static int keep_failure(void *context, const lens_store_picture *picture)
{
    lens_status *status = context;
    void *grown = realloc(status->failures, (status->failure_count + 1) * sizeof *status->failures);
    if (!grown)
        return -2;
    status->failures = grown;
    struct lens_status_failure *failure = &status->failures[status->failure_count++];
    failure->path = strdup(picture->path);
    failure->reason = strdup(picture->reason ? picture->reason : "");
    return failure->path && failure->reason ? 0 : -2;
}

/* What follows up to fill_status reads the library; looking at anything else waits until it is let go. */
static int list_caption_files(lens_status *status, lens_store *store, lens_error *err)
{
    lens_store_sources sources;
    if (lens_store_sources_list(store, LENS_SOURCE_FILE, &sources, err) != 0)
        return -1;
    status->caption_files = calloc(sources.count + 1, sizeof *status->caption_files);
    for (size_t i = 0; status->caption_files && i < sources.count; i++) {
        status->caption_files[status->caption_file_count++] = sources.items[i].path; /* goes over to the status */
        sources.items[i].path = NULL;
    }
    lens_store_sources_free(&sources);
    return status->caption_files ? 0 : lens_fail_memory(err);
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
    return status->workers ? 0 : lens_fail_memory(err);
}

/* What its approximate index covers. A warm has it at hand; else the vectors are looked into, which takes a moment where there are many. */
static void tell_approximate(lens_library *library, lens_store *store, const lens_store_model *model, struct lens_status_model *out)
{
    lens_warm_view *view = library->warm && !lens_store_searches(store) ? lens_warm_view_of(library->warm, store, model->id, NULL) : NULL;
    double recall, ratio;
    if (!view)
        out->approximate = lens_approximate_covered(store, model->id, &out->approximate_bytes, &recall, &ratio);
    else if (view->approximate)
        out->approximate = lens_approximate_size(view->approximate, &view->vectors, &out->approximate_bytes);
    lens_warm_view_release(view);
}

static int list_rules(lens_status *status, lens_store *store, lens_error *err)
{
    lens_names roots = {0}, forgotten = {0};
    if (lens_store_roots(store, &roots, err) != 0)
        return -1;
    status->folders = roots.items; /* the list's own memory goes over to the status */
    status->folder_count = roots.count;
    if (lens_store_forgotten(store, &forgotten, err) != 0)
        return -1;
    status->forgotten = forgotten.items;
    status->forgotten_count = forgotten.count;
    return 0;
}

static int count_texts(lens_status *status, lens_store *store, lens_store_models *sentences, lens_error *err)
{
    status->captions = lens_store_caption_count(store, err);
    return status->captions >= 0 && lens_store_readings_count(store, NULL, &status->read, &status->with_text, err) == 0 &&
           lens_store_sentence_models(store, sentences, err) == 0 ? 0 : -1;
}

static int read_failures(lens_status *status, lens_store *store, lens_error *err)
{
    const int result = lens_store_pictures_of(store, 0, keep_failure, status, err);
    return result == -2 ? lens_fail_memory(err) : result;
}

/* All of one moment: a library that another process is changing is told as it was before or as it is after. */
static int read_library(lens_status *status, lens_store *store, lens_store_models *models, lens_store_models *sentences, lens_error *err)
{
    lens_store_counts counts = {0};
    if (lens_store_moment_begin(store, err) != 0)
        return -1;
    const bool all = list_workers(status, store, err) == 0 && lens_store_count(store, &counts, err) == 0 && count_texts(status, store, sentences, err) == 0 &&
                     lens_store_models_list(store, models, err) == 0 && list_rules(status, store, err) == 0 && list_caption_files(status, store, err) == 0 &&
                     read_failures(status, store, err) == 0;
    lens_store_moment_end(store);
    status->pictures = counts.pictures;
    status->contents = counts.contents;
    status->failed = counts.failed;
    status->bytes = counts.bytes;
    return all ? 0 : -1;
}

static int tell_models(lens_status *status, lens_library *library, lens_store *store, const lens_store_models *models, lens_error *err)
{
    const char *folder = library->place.folder;
    status->models = calloc(models->count + 1, sizeof *status->models);
    bool enough = status->models != NULL;
    const bool approximate = lens_approximate_wanted(store, folder);
    for (size_t i = 0; enough && i < models->count; i++) {
        const lens_store_model *model = &models->items[i];
        struct lens_status_model *out = &status->models[status->model_count++];
        *out = (struct lens_status_model){.name = strdup(model->name), .dim = model->dim, .vectors = model->vectors, .bytes = model->file_bytes};
        out->present = lens_model_present(model->name);
        out->words = lens_model_knows_words(model->name) || (lens_word_bridge_known(folder, model) && lens_sentence_model_here());
        if (approximate)
            tell_approximate(library, store, model, out);
        enough = out->name != NULL;
    }
    return enough ? 0 : lens_fail_memory(err);
}

static void tell_sentences(lens_status *status, const lens_store_models *sentences)
{
    for (size_t i = 0; i < sentences->count; i++) {
        char *folder = lens_model_folder(sentences->items[i].name, NULL); /* without it nothing is found by them */
        status->sentences += folder ? sentences->items[i].vectors : 0;
        free(folder);
    }
}

static int tell_present(lens_status *status, lens_error *err)
{
    status->folder_present = calloc(status->folder_count + 1, sizeof *status->folder_present);
    status->caption_file_present = calloc(status->caption_file_count + 1, sizeof *status->caption_file_present);
    if (!status->folder_present || !status->caption_file_present)
        return lens_fail_memory(err);
    const lens_disk_patience patience = lens_patience_set((lens_disk_patience){.seconds = answer_within});
    for (size_t i = 0; i < status->folder_count; i++)
        status->folder_present[i] = lens_file_exists(status->folders[i]);
    for (size_t i = 0; i < status->caption_file_count; i++)
        status->caption_file_present[i] = lens_file_exists(status->caption_files[i]);
    lens_patience_set(patience);
    return 0;
}

static int fill_status(lens_status *status, lens_library *library, lens_store *store, lens_error *err)
{
    lens_store_models models = {0}, sentences = {0};
    int result = read_library(status, store, &models, &sentences, err);
    if (result == 0)
        result = tell_models(status, library, store, &models, err);
    if (result == 0)
        result = tell_present(status, err);
    tell_sentences(status, &sentences);
    lens_store_models_free(&models);
    lens_store_models_free(&sentences);
    return result;
}

lens_status *lens_status_get(lens_library *library, lens_error *err)
{
    lens_store *store = lens_library_reader(library, err);
    if (!store)
        return NULL;
    lens_status *status = calloc(1, sizeof *status);
    if (!status || !(status->library = strdup(library->place.shown))) {
        lens_fail_memory(err);
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
