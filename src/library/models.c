/* What there is: the catalogue, and the models folder. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "net/hub.h"
#include "library/pull.h"
#include "library/sentences.h"

void lens_catalogue_free(lens_catalogue_model *models, size_t count)
{
    for (size_t i = 0; models && i < count; i++) {
        free(models[i].name);
        free(models[i].family);
        free(models[i].license);
        free(models[i].about);
        free(models[i].source);
        free(models[i].revision);
    }
    free(models);
}

/* The note of source in FOLDER, or NULL. */
static json_t *read_note(const char *folder)
{
    char *path = lens_path_join(folder, LENS_PULL_NOTE);
    json_t *note = path && lens_file_exists(path) ? lens_json_read_small(path, NULL) : NULL;
    free(path);
    return note;
}

static const char *text_in(const json_t *note, const char *name)
{
    const char *text = json_string_value(json_object_get(note, name));
    return text ? text : "";
}

static char *printed(const char *format, const char *a, const char *b)
{
    lens_buffer text = {0};
    return lens_buffer_print(&text, format, a, b) == 0 ? text.data : NULL;
}

static int whole(const lens_catalogue_model *model, lens_error *err)
{
    if (model->name && model->family && model->license && model->about && model->source && model->revision)
        return 0;
    return lens_fail_memory(err);
}

static int fill(lens_catalogue_model *model, const lens_catalogue_entry *entry, const char *models, lens_error *err)
{
    char *folder = lens_path_join(models, entry->name);
    bool present = folder && lens_file_exists(folder);
    json_t *note = present ? read_note(folder) : NULL;
    const char *commit = text_in(note, "commit");
    *model = (lens_catalogue_model){
        .name = strdup(entry->name),
        .family = strdup(entry->family),
        .license = strdup(entry->license),
        .about = strdup(entry->about),
        .source = entry->repository ? printed("hub %s%s", entry->repository, "") : printed("PyPI %s %s", entry->package, entry->version),
        .revision = strdup(*commit ? commit : entry->revision ? entry->revision : ""),
        .bytes = entry->bytes,
        .present = present,
        .standard = strcmp(entry->name, lens_catalogue_default) == 0,
        .basic = strcmp(entry->name, lens_catalogue_default) == 0 || strcmp(entry->name, LENS_SENTENCE_MODEL) == 0,
    };
    json_decref(note);
    free(folder);
    return whole(model, err);
}

static uint64_t folder_bytes(const char *folder)
{
    uint64_t bytes = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        char *path = lens_path_join(folder, entry->d_name);
        struct stat info;
        if (path && stat(path, &info) == 0 && S_ISREG(info.st_mode))
            bytes += (uint64_t)info.st_size;
        free(path);
    }
    if (dir)
        closedir(dir);
    return bytes;
}

/* What is at FOLDER, NAME in the models folder, as a model of one's own. */
static int fill_own(lens_catalogue_model *model, const char *name, const char *folder, lens_error *err)
{
    json_t *note = read_note(folder);
    const char *repository = text_in(note, "repository");
    char *as_folder = lens_hub_repository(repository) ? lens_hub_folder_name(repository) : NULL;
    bool named = as_folder && strcmp(as_folder, name) == 0;
    *model = (lens_catalogue_model){
        .name = strdup(named ? repository : name),
        .family = strdup(""),
        .license = strdup(""),
        .about = strdup("your own"),
        .source = *repository ? printed("hub %s%s", repository, "") : strdup(""),
        .revision = strdup(text_in(note, "commit")),
        .bytes = folder_bytes(folder),
        .present = true,
        .own = true,
    };
    free(as_folder);
    json_decref(note);
    return whole(model, err);
}

static bool is_model_name(const char *name)
{
    const char *end = strrchr(name, '.');
    return name[0] != '.' && !(end && strcmp(end, ".part") == 0) && !lens_catalogue_find(name);
}

static bool has_config(const char *folder)
{
    static const char *const names[] = {"config.json", "open_clip_config.json"};
    bool there = false;
    for (size_t i = 0; i < 2; i++) {
        char *path = lens_path_join(folder, names[i]);
        there = there || (path && lens_file_exists(path));
        free(path);
    }
    return there;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const lens_catalogue_model *)a)->name, ((const lens_catalogue_model *)b)->name);
}

lens_catalogue_model *lens_catalogue(size_t *count, lens_error *err)
{
    *count = 0;
    char *folder = lens_models_folder(err);
    if (!folder)
        return NULL;
    size_t known = lens_catalogue_count();
    lens_catalogue_model *models = calloc(known, sizeof *models);
    int result = models ? 0 : lens_fail_memory(err);
    for (size_t i = 0; result == 0 && i < known; i++)
        result = fill(&models[(*count)++], lens_catalogue_at(i), folder, err);
    DIR *dir = result == 0 ? opendir(folder) : NULL;
    for (const struct dirent *entry = dir ? readdir(dir) : NULL; result == 0 && entry; entry = readdir(dir)) {
        char *path = is_model_name(entry->d_name) ? lens_path_join(folder, entry->d_name) : NULL;
        if (path && has_config(path)) {
            lens_catalogue_model *more = realloc(models, (*count + 1) * sizeof *models);
            if (more) {
                models = more;
                result = fill_own(&models[(*count)++], entry->d_name, path, err);
            } else {
                result = lens_fail_memory(err);
            }
        }
        free(path);
    }
    if (dir)
        closedir(dir);
    free(folder);
    if (result != 0) {
        lens_catalogue_free(models, *count);
        *count = 0;
        return NULL;
    }
    if (*count > known)
        qsort(models + known, *count - known, sizeof *models, by_name);
    return models;
}
