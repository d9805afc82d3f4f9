/* What takes something out of a library. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "library/internal.h"
#include "library/word_bridge.h"
#include "store/texts.h"

/* How long the short commands wait for an index run that is writing, seconds. */
static const double short_wait = 10;

static lens_store *open_existing(const lens_library *library, lens_error *err)
{
    return lens_store_open(library->place.store, LENS_STORE_CHANGE, short_wait, err);
}

/* 1 when PATH lies in a known folder or holds one, 0 when nothing is known of it, -1 on error. */
static int is_known(lens_store *store, const char *path, lens_error *err)
{
    lens_names roots;
    if (lens_store_roots(store, &roots, err) != 0)
        return -1;
    int known = 0;
    for (size_t i = 0; i < roots.count; i++)
        known |= lens_path_within(path, roots.items[i]) || lens_path_within(roots.items[i], path);
    lens_names_free(&roots);
    return known;
}

/* The room that what was forgotten took. It stays forgotten where there is none for the files that are written anew: the next index run gives it back. */
static int give_back(lens_store *store, lens_error *err)
{
    return lens_store_compact(store, false, err) == 0 ? 0 : lens_fail_in(err, "forgotten, but the room it took could not be given back");
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
        result = give_back(store, err);
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
        result = after < 0 ? -1 : give_back(store, err);
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
    return lens_file_remove(path, err);
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
