/* A model from the Hugging Face hub. First a HEAD for each file, which gives its size and checksum and pins all of them to one commit; then
 * the files; then a note of where they came from. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/json.h"
#include "encoders/registry.h"
#include "net/download.h"
#include "net/hub.h"
#include "library/pull.h"

enum { MOST_WANTED = 512 };
#define MOST_JSON ((uint64_t)LENS_JSON_BYTES) /* a tokenizer.json of many languages has 20 MB */
#define MOST_BYTES ((uint64_t)1 << 40)

static const char weights_name[] = "model.safetensors", index_name[] = "model.safetensors.index.json";
static const char openclip_name[] = "open_clip_model.safetensors";

typedef struct wanted_file {
    char *name;
    const char *pinned; /* the catalogue's checksum, or NULL */
    char expected[LENS_SHA256_DIGITS + 1];
    char sha256[LENS_SHA256_DIGITS + 1]; /* of what came */
    char revision[LENS_COMMIT_DIGITS + 1 + 64];
    uint64_t size;
    uint64_t had; /* bytes that are here */
} wanted_file;

typedef struct hub_pull {
    const lens_pull_job *job;
    char *endpoint, *token;
    char commit[LENS_COMMIT_DIGITS + 1]; /* what the revision came to; empty where the server does not say */
    wanted_file files[MOST_WANTED];
    size_t count;
    const wanted_file *current;
    uint64_t total; /* of all files whose size is known */
} hub_pull;

/* "FILE of owner/name", for messages. */
static const char *what(const hub_pull *pull, const char *file, char *out, size_t size)
{
    snprintf(out, size, "%s of %s", file, pull->job->repository);
    return out;
}

static const char *revision_of(const hub_pull *pull)
{
    return pull->commit[0] ? pull->commit : pull->job->revision;
}

/* ---- progress ---- */

static bool progress(void *context, uint64_t done, uint64_t total)
{
    const hub_pull *pull = context;
    if (!pull->job->event)
        return true;
    lens_pull_event event = {.done = 0, .total = pull->total};
    const wanted_file *now = pull->current;
    for (const wanted_file *file = pull->files; now && file < pull->files + pull->count; file++)
        event.done += file == now ? done : file->had;
    if (now && !(done == 0 && total == LENS_SIZE_UNKNOWN)) {
        event.file = now->name;
        event.file_total = total == LENS_SIZE_UNKNOWN ? 0 : total;
    }
    return pull->job->event(pull->job->context, &event);
}

static void note(void *context, const char *words)
{
    const hub_pull *pull = context;
    lens_pull_say(pull->job, "%s", words);
}

static lens_download download_of(hub_pull *pull, const char *url, const char *name)
{
    return (lens_download){.url = url,
                           .token = pull->token,
                           .what = name,
                           .size = LENS_SIZE_UNKNOWN,
                           .limit = MOST_JSON,
                           .progress = progress,
                           .note = note,
                           .context = pull};
}

/* ---- what is there ---- */

static wanted_file *want(hub_pull *pull, const char *name, lens_error *err)
{
    if (pull->count == MOST_WANTED) {
        lens_fail(err, LENS_E_LIMIT, "%s: more than %d files", pull->job->repository, MOST_WANTED);
        return NULL;
    }
    wanted_file *file = &pull->files[pull->count];
    *file = (wanted_file){.name = strdup(name), .size = LENS_SIZE_UNKNOWN};
    if (!file->name) {
        lens_fail_memory(err);
        return NULL;
    }
    pull->count++;
    return file;
}

static bool hexadecimal(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

/* The ETag of a file that the hub serves itself is git's name for it. */
static void unquoted(char *out, size_t size, const char *etag)
{
    size_t length = strlen(etag);
    if (length > 1 && length < size && etag[0] == '"' && etag[length - 1] == '"')
        snprintf(out, size, "%.*s", (int)(length - 2), etag + 1);
    else
        *out = '\0';
}

/* Asks for NAME at REVISION, and fills FILE. 1 when it is there, 0 when it is not, -1. */
static int look_at(hub_pull *pull, wanted_file *file, const char *name, const char *revision, lens_error *err)
{
    char about[512], etag[128];
    char *url = lens_hub_file_url(pull->endpoint, pull->job->repository, revision, name);
    if (!url)
        return lens_fail_memory(err);
    lens_download download = download_of(pull, url, what(pull, name, about, sizeof about));
    lens_http_answer answer;
    int result = lens_download_head(&download, &answer, err);
    free(url);
    if (result != 0)
        return -1;
    bool moved = answer.status >= 300 && answer.status < 400; /* to the machine that has the bytes */
    /* A repository that is not there is no missing file. */
    if (answer.status == 404 && strcmp(answer.error_code, "RepoNotFound") != 0 && strcmp(answer.error_code, "RevisionNotFound") != 0)
        return 0;
    if (answer.status != 200 && !moved)
        return lens_http_refused(&answer, about, pull->token != NULL, err);
    if (hexadecimal(answer.commit, LENS_COMMIT_DIGITS))
        snprintf(file->revision, sizeof file->revision, "%s", answer.commit);
    else
        snprintf(file->revision, sizeof file->revision, "%s", revision);
    file->size = answer.linked_size != LENS_SIZE_UNKNOWN ? answer.linked_size : moved ? LENS_SIZE_UNKNOWN : answer.length;
    unquoted(etag, sizeof etag, moved ? "" : answer.etag);
    const char *sum = answer.linked_etag[0] ? answer.linked_etag : etag;
    if (file->pinned && hexadecimal(sum, LENS_SHA256_DIGITS) && strcmp(sum, file->pinned) != 0)
        return lens_fail(err, LENS_E_FORMAT, "%s: its SHA-256 is %s, not %s: not the file that was published", about, sum, file->pinned);
    if (file->pinned)
        sum = file->pinned;
    if (hexadecimal(sum, LENS_SHA256_DIGITS) || hexadecimal(sum, LENS_SHA1_DIGITS))
        snprintf(file->expected, sizeof file->expected, "%s", sum);
    if (file->size != LENS_SIZE_UNKNOWN && file->size > MOST_BYTES)
        return lens_fail(err, LENS_E_LIMIT, "%s: %llu bytes, more than the %llu allowed", about, (unsigned long long)file->size,
                         (unsigned long long)MOST_BYTES);
    return 1;
}

/* Adds NAME when it is there: 1, 0, -1. From the first file that is, all others come from its commit. */
static int look_for(hub_pull *pull, const char *name, const char *pinned, lens_error *err)
{
    wanted_file *file = want(pull, name, err);
    if (!file)
        return -1;
    file->pinned = pinned;
    int there = look_at(pull, file, name, revision_of(pull), err);
    if (there != 1) {
        free(file->name);
        pull->count--;
    } else if (!pull->commit[0] && hexadecimal(file->revision, LENS_COMMIT_DIGITS)) {
        snprintf(pull->commit, sizeof pull->commit, "%s", file->revision);
    }
    return there;
}

/* The weights of a repository that has them as pickles only: the hub has a robot that offers them as safetensors, in a request that
 * authors often leave open. Of OpenAI's four CLIPs three are so. */
static int look_for_conversion(hub_pull *pull, lens_error *err)
{
    char about[512], revision[64];
    char *url = lens_hub_discussions_url(pull->endpoint, pull->job->repository);
    if (!url)
        return lens_fail_memory(err);
    lens_buffer answer = {0};
    lens_error unheard = {0}; /* many repositories have no such list */
    lens_download download = download_of(pull, url, what(pull, "the list of discussions", about, sizeof about));
    long number = 0;
    if (lens_download_bytes(&download, &answer, &unheard) == 0)
        number = lens_hub_read_conversion(answer.data, answer.size, about, &unheard);
    lens_buffer_free(&answer);
    free(url);
    if (unheard.code == LENS_E_CANCELLED) {
        *err = unheard;
        return -1;
    }
    wanted_file *file = number > 0 ? want(pull, weights_name, err) : NULL;
    if (number > 0 && !file)
        return -1;
    snprintf(revision, sizeof revision, "refs/pr/%ld", number);
    int there = file ? look_at(pull, file, weights_name, revision, err) : 0;
    if (there == 1)
        lens_pull_say(pull->job, "%s has its weights as a pickle only: taking the hub's own conversion of them (%s)", pull->job->repository,
                      revision);
    if (there == 0)
        return lens_fail(err, LENS_E_MISSING,
                         "%s has no %s at revision %s, and no open conversion to it: weights in other forms are not opened, as they may "
                         "run programs%s%.400s%s",
                         pull->job->repository, weights_name, pull->job->revision, *unheard.message ? " (" : "", unheard.message, *unheard.message ? ")" : "");
    return there < 0 ? -1 : 0;
}

static int make_path(const hub_pull *pull, const char *name, char **path, lens_error *err)
{
    *path = lens_path_join(pull->job->model, name);
    return *path ? 0 : lens_fail_memory(err);
}

/* FILE is at PATH: takes its size from there, and tells. */
static int complete(hub_pull *pull, wanted_file *file, const char *path, lens_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return lens_fail_errno(err, errno, "%s", path);
    if (file->size == LENS_SIZE_UNKNOWN)
        pull->total += (uint64_t)info.st_size;
    file->size = file->had = (uint64_t)info.st_size;
    lens_pull_event event = {.file = file->name, .file_total = file->size, .complete = true,
                             .checked = file->expected[0] != '\0', .total = pull->total};
    for (size_t i = 0; i < pull->count; i++)
        event.done += pull->files[i].had;
    if (pull->job->event && !pull->job->event(pull->job->context, &event))
        return lens_fail(err, LENS_E_CANCELLED, "%s: stopped", pull->job->name);
    return 0;
}

static int make_folder_of(char *path, lens_error *err)
{
    char *slash = strrchr(path, '/');
    *slash = '\0';
    const int result = lens_folder_make(path, err);
    *slash = '/';
    return result;
}

/* Fetches FILE into the workspace's model. */
static int fetch(hub_pull *pull, wanted_file *file, uint64_t limit, lens_error *err)
{
    char about[512], *path = NULL;
    char *url = lens_hub_file_url(pull->endpoint, pull->job->repository, file->revision, file->name);
    int result = url ? make_path(pull, file->name, &path, err) : lens_fail_memory(err);
    if (result == 0)
        result = make_folder_of(path, err);
    if (result == 0) {
        lens_download download = download_of(pull, url, what(pull, file->name, about, sizeof about));
        download.path = path;
        download.size = file->size;
        download.limit = limit;
        download.expected = file->expected;
        pull->current = file;
        result = lens_download_file(&download, file->sha256, err);
        pull->current = NULL;
        if (result == 0)
            result = complete(pull, file, path, err);
    }
    free(path);
    free(url);
    return result;
}

static int read_file(const hub_pull *pull, const char *name, lens_buffer *out, lens_error *err)
{
    char *path;
    if (make_path(pull, name, &path, err) != 0)
        return -1;
    int result = lens_file_read(path, MOST_JSON, out, err);
    free(path);
    return result;
}

/* The shards that the index, the last file wanted, names. */
static int look_for_shards(hub_pull *pull, lens_error *err)
{
    char about[512];
    wanted_file *index = &pull->files[pull->count - 1];
    lens_buffer bytes = {0};
    lens_names shards = {0};
    int result = fetch(pull, index, MOST_JSON, err);
    if (result == 0)
        result = read_file(pull, index->name, &bytes, err);
    if (result == 0)
        result = lens_hub_read_index(bytes.data, bytes.size, what(pull, index->name, about, sizeof about), &shards, err);
    for (size_t i = 0; result == 0 && i < shards.count; i++) {
        int there = look_for(pull, shards.items[i], NULL, err);
        if (there == 0)
            result = lens_fail(err, LENS_E_MISSING, "%s: names %s, which is not there", about, shards.items[i]);
        else if (there < 0)
            result = -1;
    }
    lens_names_free(&shards);
    lens_buffer_free(&bytes);
    return result;
}

static int look_for_weights(hub_pull *pull, const char *pinned, lens_error *err)
{
    int there = look_for(pull, weights_name, pinned, err);
    if (there == 0) {
        there = look_for(pull, index_name, NULL, err);
        if (there == 1)
            return look_for_shards(pull, err);
    }
    return there < 0 ? -1 : there == 1 ? 0 : look_for_conversion(pull, err);
}

static int plan_catalogue(hub_pull *pull, lens_error *err)
{
    for (const lens_catalogue_file *file = pull->job->entry->files; file->name; file++) {
        if (strcmp(file->name, weights_name) == 0)
            continue; /* last, as the commit is known then */
        int there = look_for(pull, file->name, file->sha256, err);
        if (there == 0 && !file->optional)
            return lens_fail(err, LENS_E_MISSING, "%s of %s: not there (HTTP 404)", file->name, pull->job->repository);
        if (there < 0)
            return -1;
    }
    for (const lens_catalogue_file *file = pull->job->entry->files; file->name; file++)
        if (strcmp(file->name, weights_name) == 0)
            return look_for_weights(pull, file->sha256, err);
    return 0;
}

/* Of a repository that the catalogue does not know: what its listing has of the files that a model needs. */
static int plan_listing(hub_pull *pull, lens_error *err)
{
    char *url = lens_hub_listing_url(pull->endpoint, pull->job->repository, pull->job->revision);
    if (!url)
        return lens_fail_memory(err);
    lens_buffer answer = {0};
    lens_names names = {0};
    lens_download download = download_of(pull, url, pull->job->repository);
    int result = lens_download_bytes(&download, &answer, err);
    if (result == 0)
        result = lens_hub_read_listing(answer.data, answer.size, pull->job->repository, &names, pull->commit, err);
    lens_buffer_free(&answer);
    free(url);
    bool plain = lens_names_have(&names, weights_name) || lens_names_have(&names, index_name);
    bool openclip = !plain && lens_names_have(&names, openclip_name) && lens_names_have(&names, "open_clip_config.json");
    if (result == 0 && !openclip && !lens_names_have(&names, "config.json"))
        result = lens_fail(err, LENS_E_UNSUPPORTED, "%s: neither config.json nor open_clip_config.json and %s are in it: not a model that can "
                                                    "be opened here",
                           pull->job->repository, openclip_name);
    for (size_t i = 0; result == 0 && i < names.count; i++) {
        const char *name = names.items[i];
        bool other = strcmp(name, openclip ? "config.json" : "open_clip_config.json") == 0;
        if (lens_catalogue_side_file(name) && !other && look_for(pull, name, NULL, err) < 0)
            result = -1;
    }
    if (result == 0 && openclip)
        result = look_for(pull, openclip_name, NULL, err) < 0 ? -1 : 0;
    else if (result == 0)
        result = look_for_weights(pull, NULL, err);
    lens_names_free(&names);
    return result;
}

/* ---- fetching ---- */

/* In this order they come: before hundreds of megabytes it is known whether this build can open the model at all. */
typedef enum stage { CONFIG, BESIDE, WEIGHTS } stage;

static stage stage_of(const char *name)
{
    const bool config = strcmp(name, "config.json") == 0 || strcmp(name, "open_clip_config.json") == 0;
    return config ? CONFIG : lens_catalogue_side_file(name) ? BESIDE : WEIGHTS;
}

static int check_family(const hub_pull *pull, const char *name, lens_error *err)
{
    char about[512];
    lens_buffer bytes = {0};
    int result = read_file(pull, name, &bytes, err);
    json_t *config = result == 0 ? lens_json_parse_small(bytes.data, bytes.size, LENS_JSON_VALUES, what(pull, name, about, sizeof about), err) : NULL;
    lens_buffer_free(&bytes);
    if (!config)
        return -1;
    if (!json_is_object(config))
        result = lens_fail(err, LENS_E_FORMAT, "%s: not a JSON object", about);
    else if (!lens_family_for(config))
        result = lens_fail(err, LENS_E_UNSUPPORTED, "%s: no encoder of this build knows such a model", about);
    json_decref(config);
    return result;
}

/* Bytes of FILE that an earlier run brought. */
static uint64_t left_over(const hub_pull *pull, const wanted_file *file)
{
    static const char *const ends[] = {"", ".part"};
    uint64_t bytes = 0;
    for (size_t i = 0; i < 2; i++) {
        lens_buffer path = {0};
        struct stat info;
        if (lens_buffer_print(&path, "%s/%s%s", pull->job->model, file->name, ends[i]) == 0 && lstat(path.data, &info) == 0)
            bytes += (uint64_t)info.st_size;
        lens_buffer_free(&path);
    }
    return bytes < file->size ? bytes : file->size;
}

/* Told before hundreds of megabytes, not after them. */
static int check_room(const hub_pull *pull, lens_error *err)
{
    struct statvfs room;
    uint64_t need = 0;
    for (size_t i = 0; i < pull->count; i++)
        if (pull->files[i].size != LENS_SIZE_UNKNOWN)
            need += pull->files[i].size - left_over(pull, &pull->files[i]);
    if (statvfs(pull->job->workspace, &room) != 0)
        return 0; /* then writing will tell */
    uint64_t there = (uint64_t)room.f_bavail * room.f_frsize;
    if (need <= there)
        return 0;
    return lens_fail(err, LENS_E_FULL, "%s needs %.0f MB more, and the disk of %s has room for %.0f", pull->job->name, (double)need / 1e6,
                     pull->job->workspace, (double)there / 1e6);
}

/* Whether NAME is a file that is wanted, or a folder with one; with PARTS, or what came of one so far. */
static bool wanted(const hub_pull *pull, const char *name, bool parts)
{
    for (size_t i = 0; i < pull->count; i++) {
        const char *file = pull->files[i].name;
        const size_t length = strlen(file), size = strlen(name);
        if (strncmp(name, file, length) == 0 && (!name[length] || (parts && strncmp(name + length, ".part", 5) == 0)))
            return true;
        if (strncmp(file, name, size) == 0 && file[size] == '/')
            return true;
    }
    return false;
}

/* Removes what an earlier run left that is no part of this model: files that it no longer has, as of another commit, and but for PARTS what came of others. */
static int remove_others(const hub_pull *pull, bool parts, lens_error *err)
{
    DIR *dir = opendir(pull->job->model);
    if (!dir)
        return lens_fail_errno(err, errno, "%s", pull->job->model);
    int result = 0;
    for (const struct dirent *entry = readdir(dir); result == 0 && entry; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || wanted(pull, entry->d_name, parts))
            continue;
        char *path = NULL;
        result = make_path(pull, entry->d_name, &path, err);
        if (result == 0)
            result = lens_folder_remove(path, err);
        free(path);
    }
    closedir(dir);
    return result;
}

static int write_note(const hub_pull *pull, lens_error *err)
{
    json_t *files = json_array();
    bool whole = files != NULL;
    for (size_t i = 0; i < pull->count && whole; i++) {
        const wanted_file *file = &pull->files[i];
        const char *commit = strcmp(file->revision, revision_of(pull)) != 0 ? file->revision : NULL;
        json_t *one = json_pack("{ss ss ss*}", "name", file->name, "sha256", file->sha256, "commit", commit);
        whole = json_array_append_new(files, one) == 0;
    }
    if (!whole) {
        json_decref(files);
        return lens_fail_memory(err);
    }
    json_t *about = json_pack("{ss ss ss so}", "repository", pull->job->repository, "revision", pull->job->revision, "commit", pull->commit,
                              "files", files);
    char *path = NULL;
    int result = make_path(pull, LENS_PULL_NOTE, &path, err);
    if (result == 0)
        result = lens_json_write(path, about, JSON_INDENT(2), err);
    json_decref(about);
    free(path);
    return result;
}

/* RESULT, of a look at what came; *REFUSED where another one would find the same. */
static int refuse(int result, bool *refused, const lens_error *err)
{
    *refused = result != 0 && (err->code == LENS_E_UNSUPPORTED || err->code == LENS_E_FORMAT || err->code == LENS_E_LIMIT || err->code == LENS_E_MISSING);
    return result;
}

static int fetch_all(hub_pull *pull, bool *refused, lens_error *err)
{
    int result = check_room(pull, err);
    pull->total = 0;
    for (size_t i = 0; i < pull->count; i++)
        if (pull->files[i].size != LENS_SIZE_UNKNOWN)
            pull->total += pull->files[i].size;
    if (result == 0)
        lens_pull_say(pull->job, "fetching %s: %zu files, %.1f MB, from %s", pull->job->name, pull->count, (double)pull->total / 1e6,
                      pull->job->repository);
    for (stage now = CONFIG; now <= WEIGHTS; now++) {
        if (result == 0 && now == WEIGHTS && (result = remove_others(pull, true, err)) == 0)
            result = refuse(lens_encoder_check(pull->job->model, err), refused, err);
        for (size_t i = 0; result == 0 && i < pull->count; i++) {
            bool here = pull->files[i].sha256[0]; /* an index, read for its shards */
            if (here || stage_of(pull->files[i].name) != now)
                continue;
            result = fetch(pull, &pull->files[i], now == WEIGHTS ? MOST_BYTES : MOST_JSON, err);
            if (result == 0 && now == CONFIG)
                result = refuse(check_family(pull, pull->files[i].name, err), refused, err);
        }
    }
    if (result == 0)
        result = remove_others(pull, false, err);
    return result == 0 ? write_note(pull, err) : -1;
}

/* What to say where no one answers: how to do without. */
static int explain_by_hand(const hub_pull *pull, lens_error *err)
{
    if (err->code != LENS_E_SYSTEM)
        return -1;
    lens_buffer names = {0};
    const lens_catalogue_entry *entry = pull->job->entry;
    for (const lens_catalogue_file *file = entry ? entry->files : NULL; file && file->name; file++)
        lens_buffer_print(&names, "%s%s%s", names.size ? ", " : "", file->name, file->optional ? " (if there)" : "");
    size_t folder = strlen(pull->job->workspace) - strlen(".part");
    lens_error said = *err;
    lens_fail(err, said.code, "%.500s. By hand: put %s of https://huggingface.co/%s into %.*s", said.message,
              names.size ? names.data : "config.json, model.safetensors and, if there, preprocessor_config.json, the tokenizer's files, and of a model of "
                                        "sentences modules.json, config_sentence_transformers.json and " LENS_CATALOGUE_POOLING "/config.json",
              pull->job->repository, (int)folder, pull->job->workspace);
    lens_buffer_free(&names);
    return -1;
}

int lens_pull_hub(const lens_pull_job *job, bool *refused, lens_error *err)
{
    lens_error own = {0};
    if (!err)
        err = &own;
    if (lens_hub_offline())
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: HF_HUB_OFFLINE is set, so the hub is not asked", job->name);
    hub_pull *pull = calloc(1, sizeof *pull);
    if (!pull)
        return lens_fail_memory(err);
    pull->job = job;
    int result = -1;
    if ((pull->endpoint = lens_hub_endpoint(err)) && lens_hub_token(&pull->token, err) == 0 && lens_folder_make(job->model, err) == 0)
        result = job->entry ? plan_catalogue(pull, err) : plan_listing(pull, err);
    if (result == 0)
        result = fetch_all(pull, refused, err);
    if (result != 0)
        explain_by_hand(pull, err);
    for (size_t i = 0; i < pull->count; i++)
        free(pull->files[i].name);
    free(pull->endpoint);
    free(pull->token);
    free(pull);
    return result;
}
