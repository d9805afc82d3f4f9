/* Where libraries and models are, and how a name becomes a model. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "encoders/catalogue.h"
#include "net/hub.h"
#include "library/internal.h"

static char *data_folder(const char *variable, const char *name, lens_error *err)
{
    const char *named = variable ? getenv(variable) : NULL;
    if (named && *named)
        return lens_path_absolute(named, err);
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    lens_buffer path = {0};
    int result;
    if (data && data[0] == '/') { /* the specification: a relative one is to be ignored */
        result = lens_buffer_print(&path, "%s/memelens/%s", data, name);
    } else if (home && *home) {
        result = lens_buffer_print(&path, "%s/.local/share/memelens/%s", home, name);
    } else {
        lens_fail(err, LENS_E_ARGUMENT, "neither %s%sXDG_DATA_HOME nor HOME is set: where should it be?", variable ? variable : "", variable ? ", " : "");
        return NULL;
    }
    if (result != 0) {
        lens_fail_memory(err);
        return NULL;
    }
    return path.data;
}

static char *default_library(lens_error *err)
{
    static const char variable[] = "MEMELENS_LIBRARY";
    const char *named = getenv(variable);
    char *place = named && lens_store_place_is_database(named) ? strdup(named) : data_folder(variable, "library", err);
    if (!place && named && lens_store_place_is_database(named))
        lens_fail_memory(err);
    return place;
}

int lens_library_place_of(const char *name, lens_library_place *out, lens_error *err)
{
    char *chosen = name ? strdup(name) : default_library(err);
    *out = (lens_library_place){0};
    if (!chosen)
        return name ? lens_fail_memory(err) : -1;
    if (lens_store_place_is_database(chosen)) {
        out->store = chosen;
        out->shown = lens_store_place_shown(chosen);
        lens_buffer folder = {0};
        char *beside = out->shown ? data_folder(NULL, "databases", err) : NULL;
        if (out->shown && !beside) {
            lens_library_place_free(out);
            return -1;
        }
        const lens_hash own = out->shown ? lens_hash_of(out->shown, strlen(out->shown)) : (lens_hash){0};
        char digits[2 * 8 + 1];
        lens_hash_hex(&own, 8, digits);
        const int result = beside ? lens_buffer_print(&folder, "%s/%s", beside, digits) : -1;
        free(beside);
        out->folder = folder.data;
        if (result == 0)
            return 0;
    } else {
        out->store = lens_path_absolute(chosen, err);
        free(chosen);
        out->shown = out->store ? strdup(out->store) : NULL;
        out->folder = out->store ? strdup(out->store) : NULL;
        if (out->shown && out->folder)
            return 0;
    }
    const bool told = !out->store;
    lens_library_place_free(out);
    return told ? -1 : lens_fail_memory(err);
}

void lens_library_place_free(lens_library_place *place)
{
    free(place->store);
    free(place->shown);
    free(place->folder);
    *place = (lens_library_place){0};
}

char *lens_models_folder(lens_error *err)
{
    return data_folder("MEMELENS_MODELS", "models", err);
}

static bool is_path(const char *name)
{
    return strchr(name, '/') != NULL || name[0] == '.';
}

/* "owner--name", or with its "@PREP", for the NAME "owner/name" of a repository that was pulled: unless such a folder is right here. NULL for
 * any other name. The caller frees. */
static char *pulled_name(const char *name)
{
    char *base = strndup(name, lens_model_base_length(name)), *models = lens_models_folder(NULL), *folder = NULL, *path = NULL;
    lens_buffer out = {0};
    if (base && models && lens_hub_repository(base) && !lens_file_exists(base) && (folder = lens_hub_folder_name(base)) &&
        (path = lens_path_join(models, folder)) && lens_file_exists(path))
        lens_buffer_print(&out, "%s%s", folder, name + strlen(base));
    free(path);
    free(folder);
    free(models);
    free(base);
    return out.data;
}

char *lens_model_canonical_name(const char *name, lens_error *err)
{
    char *pulled = pulled_name(name);
    if (pulled)
        return pulled;
    char *copy = is_path(name) ? lens_path_absolute(name, err) : strdup(name);
    if (!copy && !is_path(name))
        lens_fail_memory(err);
    return copy;
}

char *lens_model_folder(const char *name, lens_error *err)
{
    char *pulled = pulled_name(name);
    char *base = pulled ? strndup(pulled, lens_model_base_length(pulled)) : strndup(name, lens_model_base_length(name));
    free(pulled);
    char *models = lens_models_folder(err);
    char *folder = NULL;
    if (!base || !models) {
        if (!base)
            lens_fail_memory(err);
    } else if (is_path(base)) {
        folder = lens_path_absolute(base, err);
        if (folder && !lens_file_exists(folder)) {
            if (lens_hub_repository(base))
                lens_fail(err, LENS_E_MISSING, "%s: no such model folder; if the Hugging Face hub's is meant, run `memelens pull %s`", folder, base);
            else
                lens_fail(err, LENS_E_MISSING, "%s: no such model folder", folder);
            free(folder);
            folder = NULL;
        }
    } else if (!(folder = lens_path_join(models, base))) {
        lens_fail_memory(err);
    } else if (!lens_file_exists(folder)) {
        if (lens_catalogue_find(base))
            lens_fail(err, LENS_E_MISSING, "model %s is not here yet: run `memelens pull %s`", base, base);
        else
            lens_fail(err, LENS_E_MISSING, "model %s: not in the catalogue (`memelens models` shows it), and there is no folder %s",
                      base, folder);
        free(folder);
        folder = NULL;
    }
    free(models);
    free(base);
    return folder;
}

bool lens_model_is_weightless(const char *name)
{
    char *base = strndup(name, lens_model_base_length(name));
    const bool is = base && lens_encoder_is_weightless(base);
    free(base);
    return is;
}

bool lens_model_present(const char *name)
{
    if (lens_model_is_weightless(name))
        return true;
    char *folder = lens_model_folder(name, NULL);
    free(folder);
    return folder != NULL;
}

int lens_model_towers(const char *name)
{
    char *folder = lens_model_folder(name, NULL);
    const int towers = folder ? lens_encoder_towers(folder) : 0;
    free(folder);
    return towers;
}

int lens_model_preparation(const char *name, lens_preparation *preparation, lens_error *err)
{
    const size_t length = lens_model_base_length(name);
    const char *way = name[length] ? name + length + 1 : NULL;
    char *base = strndup(name, length);
    if (!base)
        return lens_fail_memory(err);
    int result = -1;
    if (lens_encoder_is_weightless(base)) {
        result = lens_encoder_preparation_weightless(base, way, preparation, err);
    } else {
        char *folder = lens_model_folder(name, err);
        result = folder ? lens_encoder_preparation(folder, way, preparation, err) : -1;
        free(folder);
    }
    free(base);
    return result;
}

lens_encoder *lens_model_encoder(const char *name, const char *precision, lens_tower towers, lens_error *err)
{
    lens_precision wanted = LENS_PRECISION_AUTO;
    if (precision && lens_precision_parse(precision, &wanted, err) != 0)
        return NULL;
    if (lens_model_is_weightless(name))
        return lens_encoder_open_weightless(name, towers, err);
    char *folder = lens_model_folder(name, err);
    if (!folder)
        return NULL;
    lens_encoder *encoder = lens_encoder_open(folder, name, wanted, towers, err);
    free(folder);
    return encoder;
}
