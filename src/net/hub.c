#include "net/hub.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

enum { LONGEST_PART = 96, LONGEST_FILE = 128, MOST_FILES = 10000, LONGEST_TOKEN = 1024 };

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

static bool name_part(const char *text, size_t length)
{
    if (length == 0 || length > LONGEST_PART || strchr("-.", text[0]) || strchr("-.", text[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!plain(text[i]) || (i && text[i] == text[i - 1] && strchr("-.", text[i])))
            return false;
    return true;
}

bool lens_hub_repository(const char *text)
{
    const char *slash = strchr(text, '/');
    return slash && name_part(text, (size_t)(slash - text)) && name_part(slash + 1, strlen(slash + 1));
}

char *lens_hub_folder_name(const char *repository)
{
    lens_buffer name = {0};
    int owner = (int)strcspn(repository, "/");
    if (lens_buffer_print(&name, "%.*s--%s", owner, repository, repository + owner + (repository[owner] == '/')) != 0)
        return NULL;
    return name.data;
}

bool lens_hub_file_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > LONGEST_FILE || name[0] == '.')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!plain(name[i]))
            return false;
    return true;
}

bool lens_hub_file_path(const char *name)
{
    char folder[LONGEST_FILE + 1];
    const char *slash = strchr(name, '/');
    if (!slash)
        return lens_hub_file_name(name);
    if (name[0] < '0' || name[0] > '9' || name[1] != '_' || (size_t)(slash - name) >= sizeof folder)
        return false;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - name), name);
    return lens_hub_file_name(folder) && lens_hub_file_name(slash + 1);
}

char *lens_hub_endpoint(lens_error *err)
{
    const char *set = getenv("HF_ENDPOINT");
    if (!set || !*set)
        set = "https://huggingface.co";
    size_t length = strlen(set);
    while (length && set[length - 1] == '/')
        length--;
    if (!lens_is_url(set) || strpbrk(set, " \t\r\n?#")) {
        lens_fail(err, LENS_E_ARGUMENT, "HF_ENDPOINT is no address of http or https");
        return NULL;
    }
    char *endpoint = strndup(set, length);
    if (!endpoint)
        lens_fail_memory(err);
    return endpoint;
}

static char *token_path(void)
{
    const char *path = getenv("HF_TOKEN_PATH"), *hub = getenv("HF_HOME"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    lens_buffer out = {0};
    if (path && *path)
        lens_buffer_print(&out, "%s", path);
    else if (hub && *hub)
        lens_buffer_print(&out, "%s/token", hub);
    else if (cache && *cache)
        lens_buffer_print(&out, "%s/huggingface/token", cache);
    else if (home && *home)
        lens_buffer_print(&out, "%s/.cache/huggingface/token", home);
    return out.data;
}

int lens_hub_token(char **token, lens_error *err)
{
    *token = NULL;
    lens_buffer file = {0};
    const char *text = getenv("HF_TOKEN"), *where = "HF_TOKEN";
    if (!text || !*text) {
        char *path = token_path();
        where = "the token of the Hugging Face hub";
        if (path && lens_file_exists(path))
            lens_file_read(path, 1 << 16, &file, NULL);
        free(path);
        text = file.data ? file.data : "";
    }
    text += strspn(text, " \t\r\n");
    size_t length = strcspn(text, " \t\r\n");
    int result = 0;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f)
            result = -1;
    if (result != 0 || length > LONGEST_TOKEN || text[length + strspn(text + length, " \t\r\n")])
        result = lens_fail(err, LENS_E_ARGUMENT, "%s is no token: one word of printable characters was expected", where);
    else if (length && !(*token = strndup(text, length)))
        result = lens_fail_memory(err);
    lens_buffer_free(&file);
    return result;
}

bool lens_hub_offline(void)
{
    const char *set = getenv("HF_HUB_OFFLINE");
    return set && (strcmp(set, "1") == 0 || strcasecmp(set, "true") == 0 || strcasecmp(set, "yes") == 0 || strcasecmp(set, "on") == 0);
}

/* Appends TEXT as one part of a path: "refs/pr/1" is a revision, and its slashes are not the address's. */
static int print_part(lens_buffer *url, const char *text)
{
    int result = 0;
    for (; *text && result == 0; text++)
        result = lens_buffer_print(url, plain(*text) ? "%c" : "%%%02X", (unsigned char)*text);
    return result;
}

char *lens_hub_file_url(const char *endpoint, const char *repository, const char *revision, const char *file)
{
    lens_buffer url = {0};
    const char *slash = strchr(file, '/'), *last = slash ? slash + 1 : file;
    if (lens_buffer_print(&url, "%s/%s/resolve/", endpoint, repository) == 0 && print_part(&url, revision) == 0 &&
        lens_buffer_print(&url, "/%.*s", (int)(last - file), file) == 0 && print_part(&url, last) == 0)
        return url.data;
    lens_buffer_free(&url);
    return NULL;
}

char *lens_hub_listing_url(const char *endpoint, const char *repository, const char *revision)
{
    lens_buffer url = {0};
    if (lens_buffer_print(&url, "%s/api/models/%s/revision/", endpoint, repository) == 0 && print_part(&url, revision) == 0)
        return url.data;
    lens_buffer_free(&url);
    return NULL;
}

char *lens_hub_discussions_url(const char *endpoint, const char *repository)
{
    lens_buffer url = {0};
    if (lens_buffer_print(&url, "%s/api/models/%s/discussions?p=0&type=pull_request&status=open&author=SFconvertbot", endpoint, repository) == 0)
        return url.data;
    lens_buffer_free(&url);
    return NULL;
}

/* Adds a copy of NAME, if it is not there yet. */
static int add_name(lens_names *names, const char *name, const char *what, lens_error *err)
{
    if (lens_names_have(names, name))
        return 0;
    if (names->count == MOST_FILES)
        return lens_fail(err, LENS_E_LIMIT, "%s: names more than %d files", what, MOST_FILES);
    return lens_names_add(names, strdup(name)) == 0 ? 0 : lens_fail_memory_for(err, what);
}

/* A JSON string without a NUL in it, or NULL. */
static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static bool is_commit(const char *text)
{
    return text && strlen(text) == LENS_COMMIT_DIGITS && strspn(text, "0123456789abcdef") == LENS_COMMIT_DIGITS;
}

int lens_hub_read_listing(const char *bytes, size_t size, const char *what, lens_names *files, char *commit, lens_error *err)
{
    *files = (lens_names){0};
    *commit = '\0';
    json_t *listing = lens_json_parse_small(bytes, size, LENS_JSON_VALUES, what, err);
    if (!listing)
        return -1;
    const json_t *siblings = json_object_get(listing, "siblings");
    const char *sha = text_of(json_object_get(listing, "sha"));
    int result = json_is_array(siblings) ? 0 : lens_fail(err, LENS_E_FORMAT, "%s: no list of files (\"siblings\")", what);
    if (is_commit(sha))
        memcpy(commit, sha, LENS_COMMIT_DIGITS + 1);
    for (size_t i = 0; result == 0 && i < json_array_size(siblings); i++) {
        const char *name = text_of(json_object_get(json_array_get(siblings, i), "rfilename"));
        if (name && lens_hub_file_path(name))
            result = add_name(files, name, what, err);
    }
    json_decref(listing);
    if (result != 0)
        lens_names_free(files);
    return result;
}

int lens_hub_read_index(const char *bytes, size_t size, const char *what, lens_names *shards, lens_error *err)
{
    *shards = (lens_names){0};
    json_t *index = lens_json_parse_small(bytes, size, LENS_JSON_VALUES, what, err);
    if (!index)
        return -1;
    json_t *map = json_object_get(index, "weight_map"), *value;
    const char *tensor;
    int result = json_object_size(map) ? 0 : lens_fail(err, LENS_E_FORMAT, "%s: no tensors in its \"weight_map\"", what);
    json_object_foreach(map, tensor, value) {
        const char *name = text_of(value);
        if (result == 0 && (!name || !lens_hub_file_name(name)))
            result = lens_fail(err, LENS_E_FORMAT, "%s: a shard whose name is not a file's: %.64s", what, name ? name : "(no text)");
        if (result == 0)
            result = add_name(shards, name, what, err);
    }
    json_decref(index);
    if (result != 0)
        lens_names_free(shards);
    return result;
}

long lens_hub_read_conversion(const char *bytes, size_t size, const char *what, lens_error *err)
{
    json_t *answer = lens_json_parse_small(bytes, size, LENS_JSON_VALUES, what, err);
    if (!answer)
        return -1;
    const json_t *list = json_object_get(answer, "discussions");
    long newest = json_is_array(list) ? 0 : (lens_fail(err, LENS_E_FORMAT, "%s: no list of discussions", what), -1);
    for (size_t i = 0; newest >= 0 && i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i), *number = json_object_get(one, "num");
        const char *author = text_of(json_object_get(json_object_get(one, "author"), "name"));
        const char *status = text_of(json_object_get(one, "status"));
        json_int_t num = json_integer_value(number);
        if (json_is_true(json_object_get(one, "isPullRequest")) && author && strcmp(author, "SFconvertbot") == 0 &&
            status && strcmp(status, "open") == 0 && num > newest && num < 1000000000)
            newest = (long)num;
    }
    json_decref(answer);
    return newest;
}
