/* `memelens pull` from a hub on this machine: one that serves well, and one that cuts, stalls, lies and refuses. Whatever it does, the models
 * folder holds the whole model or none. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hub_server.h"
#include "library/checksum.h"
#include "weights.h"
#include "world.h"

#define REPOSITORY "ada/little-net"
#define FOLDER "ada--little-net"
static const char config[] = TEST_MODEL_CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.0");

typedef struct place {
    test_world *world;
    test_hub *hub;
    char *folder; /* of the model, once it is pulled */
} place;

static lens_buffer weights; /* made once for all tests */

static int make_weights(void **state)
{
    (void)state;
    char *model = test_model_new(config, 7, NULL), *path = test_path(model, "model.safetensors");
    weights = test_read(path);
    free(path);
    test_folder_remove(model);
    return 0;
}

static int drop_weights(void **state)
{
    (void)state;
    lens_buffer_free(&weights);
    return 0;
}

static int set_up(void **state)
{
    place *here = calloc(1, sizeof *here);
    assert_non_null(here);
    here->world = test_world_new();
    here->hub = test_hub_start(REPOSITORY);
    here->folder = test_path(here->world->models, FOLDER);
    test_hub_add(here->hub, "config.json", NULL, config, sizeof config - 1);
    test_hub_add(here->hub, "model.safetensors", NULL, weights.data, weights.size);
    *state = here;
    return 0;
}

static int tear_down(void **state)
{
    place *here = *state;
    test_hub_stop(here->hub);
    test_world_free(here->world);
    free(here->folder);
    free(here);
    return 0;
}

/* The environment of a pull: the world's, the hub's, and EXTRA (may be NULL). Static. */
static const char *const *environment(const place *here, const char *extra)
{
    static const char *all[24];
    static char home[4200];
    size_t count = 0;
    snprintf(home, sizeof home, "HF_HOME=%s", here->world->folder);
    for (const char *const *entry = test_world_environment(here->world); *entry; entry++)
        all[count++] = *entry;
    const char *more[] = {test_hub_endpoint(here->hub), home, "MEMELENS_PATIENCE=0.02", "HF_TOKEN=", "HF_TOKEN_PATH=", "HF_HUB_OFFLINE=",
                          "http_proxy=", "https_proxy=", "all_proxy=", "no_proxy=127.0.0.1"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        all[count++] = more[i];
    for (size_t i = 0; extra && i < count; i++)
        if (strncmp(all[i], extra, strcspn(extra, "=") + 1) == 0)
            all[i] = extra, extra = NULL;
    if (extra)
        all[count++] = extra;
    all[count] = NULL;
    return all;
}

static test_run pull_named(const place *here, const char *name, const char *extra)
{
    const char *argv[] = {test_program(), "pull", name, NULL};
    return test_run_program(argv, environment(here, extra), NULL);
}

static test_run pull(const place *here)
{
    return pull_named(here, REPOSITORY, NULL);
}

/* The model is there and answers, and nothing else is. */
static void assert_whole(const place *here)
{
    char *path = test_path(here->folder, "model.safetensors");
    lens_buffer got = test_read(path);
    assert_int_equal(got.size, weights.size);
    assert_memory_equal(got.data, weights.data, weights.size);
    lens_buffer_free(&got);
    free(path);
    path = test_path(here->world->models, FOLDER ".part");
    assert_false(lens_file_exists(path));
    free(path);
}

static void assert_none(const place *here)
{
    assert_false(lens_file_exists(here->folder));
}

/* The part that a cut pull left, or -1. */
static long part_size(const place *here)
{
    struct stat info;
    char *path = test_path(here->world->models, FOLDER ".part/model/model.safetensors.part");
    long size = stat(path, &info) == 0 ? (long)info.st_size : -1;
    free(path);
    return size;
}

static void expect(test_run run, int status, const char *words)
{
    if (run.status != status || (words && !strstr(run.err.data, words)))
        fail_msg("exit %d, and '%s' were expected, got %d and: %s", status, words ? words : "", run.status, run.err.data);
    test_run_free(&run);
}

/* Refused in one line that holds WORDS; nothing in place, no part of the weights kept. */
static void expect_refused(const place *here, test_run run, const char *words)
{
    const char *last = strstr(run.err.data, "memelens: ");
    if (!last || strchr(last, '\n') != strrchr(last, '\n'))
        fail_msg("one line was expected: %s", run.err.data);
    expect(run, 2, words);
    assert_none(here);
}

static void test_a_model_of_the_hub(void **state)
{
    const place *here = *state;
    test_hub_add(here->hub, "pytorch_model.bin", NULL, "pickle", 6);
    expect(pull(here), 0, "its checksum is right");
    assert_whole(here);
    assert_int_equal(here->hub->tokens_at_hub, 0);

    char *path = test_path(here->folder, "memelens.json");
    lens_buffer note = test_read(path);
    char sum[80];
    lens_error err;
    lens_checksum *sha256 = lens_checksum_sha256(&err);
    lens_checksum_add(sha256, weights.data, weights.size);
    snprintf(sum, sizeof sum, "%s", lens_checksum_digits(sha256));
    lens_checksum_free(sha256);
    json_t *read = json_loadb(note.data, note.size, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(read, "repository")), REPOSITORY);
    assert_string_equal(json_string_value(json_object_get(read, "commit")), TEST_HUB_COMMIT);
    assert_non_null(strstr(note.data, sum));
    json_decref(read);
    lens_buffer_free(&note);
    free(path);
    path = test_path(here->folder, "pytorch_model.bin");
    assert_false(lens_file_exists(path));
    free(path);

    /* It is a model like any other now, by the hub's name of it; and is not fetched twice. */
    int asked = here->hub->stored;
    expect(pull(here), 0, "is here already");
    assert_int_equal(here->hub->stored, asked);
    test_world_picture(here->world, "a.jpg", TEST_JPEG_420, 1);
    char *picture = test_world_path(here->world, "a.jpg");
    expect(test_world_run(here->world, "index", "--model", REPOSITORY, here->world->pictures, NULL), 0, NULL);
    expect(test_world_run(here->world, "search", "--model", REPOSITORY, picture, NULL), 0, NULL);
    free(picture);
    test_run run = test_world_expect(here->world, 0, "models", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    const json_t *last = json_array_get(lines, json_array_size(lines) - 1);
    assert_string_equal(json_string_value(json_object_get(last, "model")), REPOSITORY);
    assert_true(json_is_true(json_object_get(last, "own")));
    assert_string_equal(json_string_value(json_object_get(last, "revision")), TEST_HUB_COMMIT);
    json_decref(lines);
    test_run_free(&run);
}

static void test_a_name_of_the_catalogue(void **state)
{
    const place *here = *state;
    here->hub->repository = "openai/clip-vit-large-patch14";
    expect(pull_named(here, "clip-vit-l-14", NULL), 2, "preprocessor_config.json of openai/clip-vit-large-patch14: not there");
    test_hub_add(here->hub, "preprocessor_config.json", NULL, "{}", 2);
    expect(pull_named(here, "clip-vit-l-14", NULL), 0, "clip-vit-l-14 is in ");
    char *path = test_path(here->world->models, "clip-vit-l-14/model.safetensors");
    assert_true(lens_file_exists(path));
    free(path);
}

static void test_weights_from_the_conversion(void **state)
{
    const place *here = *state;
    here->hub->files[1].revision = "refs%2Fpr%2F66";
    here->hub->discussions = "{\"discussions\":[{\"num\":71,\"isPullRequest\":true,\"status\":\"open\",\"author\":{\"name\":\"mallory\"}},"
                             "{\"num\":66,\"isPullRequest\":true,\"status\":\"open\",\"author\":{\"name\":\"SFconvertbot\"}},"
                             "{\"num\":12,\"isPullRequest\":true,\"status\":\"open\",\"author\":{\"name\":\"SFconvertbot\"}}]}";
    expect(pull(here), 0, "refs/pr/66");
    assert_whole(here);
    here->hub->discussions = NULL;
    lens_error err;
    assert_done(lens_folder_remove(here->folder, &err), &err);
    expect_refused(here, pull(here), "has no model.safetensors at revision main");
}

/* The small models of the reference data, served under the names of the large ones. */
static void test_each_family(void **state)
{
    place *here = *state;
    static const struct {
        const char *name, *repository, *folder;
        const char *files[6];
    } models[] = {
        {"clip-vit-b-16", "openai/clip-vit-base-patch16", "golden/tiny-clip",
         {"config.json", "preprocessor_config.json", "vocab.json", "merges.txt", "model.safetensors"}},
        {"openclip-vit-b-32-datacomp", "laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K", "golden/tiny-openclip",
         {"open_clip_config.json", "open_clip_model.safetensors", "vocab.json", "merges.txt"}},
        {"ada/open-net", "ada/open-net", "golden/tiny-openclip",
         {"open_clip_config.json", "open_clip_model.safetensors", "vocab.json", "merges.txt"}},
        {"bit-r50x1", "timm/resnetv2_50x1_bit.goog_in21k", "golden/tiny-bit", {"config.json", "model.safetensors"}},
    };
    free(test_shared("golden/tiny-clip")); /* skips without */
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char *folder = test_shared(models[i].folder);
        test_hub_stop(here->hub);
        here->hub = test_hub_start(models[i].repository);
        for (size_t k = 0; k < 6 && models[i].files[k]; k++) {
            char *path = test_path(folder, "%s", models[i].files[k]);
            lens_buffer bytes = test_read(path);
            test_hub_add(here->hub, models[i].files[k], NULL, bytes.data, bytes.size);
            lens_buffer_free(&bytes);
            free(path);
        }
        expect(pull_named(here, models[i].name, NULL), 0, " is in ");
        char *picture = test_path(folder, "picture0.png");
        test_run run = test_world_expect(here->world, 0, "embed", "--json", "--model", models[i].name, picture, NULL);
        test_run_free(&run);
        free(picture);
        free(folder);
    }
}

static void test_shards(void **state)
{
    const place *here = *state;
    /* One of a sharded model's files holds everything here; the index names it for each tensor. */
    here->hub->files[1].name = "model-00001-of-00001.safetensors";
    uint64_t length = 0;
    memcpy(&length, weights.data, sizeof length);
    json_t *header = json_loadb(weights.data + sizeof length, length, 0, NULL), *map = json_object(), *value;
    const char *tensor;
    json_object_foreach(header, tensor, value)
        json_object_set_new(map, tensor, json_string("model-00001-of-00001.safetensors"));
    json_t *index = json_pack("{so}", "weight_map", map);
    char *text = json_dumps(index, 0);
    test_hub_add(here->hub, "model.safetensors.index.json", NULL, text, strlen(text));
    free(text);
    json_decref(index);
    json_decref(header);
    expect(pull(here), 0, "model-00001-of-00001.safetensors");
    lens_buffer_free(&here->hub->files[2].bytes);
    const char *out = "{\"weight_map\":{\"a\":\"../../../evil.safetensors\"}}";
    assert_int_equal(lens_buffer_append(&here->hub->files[2].bytes, out, strlen(out)), 0);
    lens_error ignored;
    lens_folder_remove(here->folder, &ignored);
    expect_refused(here, pull(here), "a shard whose name is not a file's");
}

static void test_a_plain_mirror(void **state)
{
    const place *here = *state;
    here->hub->no_commit = true;
    expect(pull(here), 0, "no checksum to hold it against");
    assert_whole(here);
}

static void test_a_cut_is_continued(void **state)
{
    const place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 2, .cut = true};
    expect(pull(here), 0, "trying again");
    assert_whole(here);
    char range[64];
    snprintf(range, sizeof range, "bytes=%zu-", weights.size / 2 + (weights.size - weights.size / 2) / 2);
    assert_string_equal(here->hub->range, range);
    assert_string_equal(here->hub->if_range, "\"store-0\"");
    assert_int_equal(here->hub->stored, 3);
}

static void test_parts_that_cannot_be_told_apart(void **state)
{
    const place *here = *state;
    here->hub->no_commit = true; /* a mirror that says neither a checksum nor an ETag */
    here->hub->fault = (test_hub_fault){.where = "GET /" REPOSITORY "/resolve/" TEST_HUB_COMMIT "/model.", .times = 1, .cut = true};
    expect(pull(here), 0, "trying again");
    assert_whole(here);
}

static void test_a_server_without_ranges(void **state)
{
    const place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 1, .cut = true};
    here->hub->ignore_range = true;
    expect(pull(here), 0, NULL);
    assert_whole(here);
    assert_int_equal(here->hub->ranges, 1);
}

static void test_a_file_that_changes_starts_anew(void **state)
{
    const place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 1, .cut = true};
    here->hub->other_etag = true;
    expect(pull(here), 0, NULL);
    assert_whole(here);
    assert_string_equal(here->hub->if_range, "\"store-1\"");
}

static void test_silence_is_not_waited_out(void **state)
{
    const place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 1, .hang = true};
    expect(pull(here), 0, "silent");
    assert_whole(here);
    assert_int_equal(here->hub->ranges, 1);
}

static void test_cuts_for_ever_keep_the_part(void **state)
{
    const place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = TEST_HUB_FOREVER, .cut = true};
    test_run run = pull(here);
    assert_int_equal(run.status, 2);
    test_run_free(&run);
    assert_none(here);
    long kept = part_size(here);
    assert_true(kept > 0);
    here->hub->fault.times = 0;
    expect(pull(here), 0, NULL);
    assert_whole(here);
    assert_int_equal(strtol(here->hub->range + strlen("bytes="), NULL, 10), kept);
}

static void test_lies_about_length(void **state)
{
    const place *here = *state;
    here->hub->length_lie = -1000;
    expect_refused(here, pull(here), "where it should be");
    here->hub->length_lie = 1000;
    expect_refused(here, pull(here), "where it should be");
    here->hub->length_lie = 0;
    here->hub->linked_lie = 1000;
    expect_refused(here, pull(here), "where it should be");
    here->hub->linked_lie = 0;
    here->hub->no_length = true;
    here->hub->more = 100;
    expect_refused(here, pull(here), "sends more than");
    assert_int_equal(part_size(here), -1);
    here->hub->more = 0;
    expect(pull(here), 0, NULL);
    assert_whole(here);
}

static void test_a_wrong_file(void **state)
{
    const place *here = *state;
    here->hub->other_bytes = true;
    expect_refused(here, pull(here), "not the file that was published");
    assert_int_equal(part_size(here), -1);
    here->hub->other_bytes = false;
    expect(pull(here), 0, NULL);
    assert_whole(here);
}

static void test_a_part_of_another_file(void **state)
{
    const place *here = *state;
    /* What lies there from before has the right name and the wrong bytes. */
    here->hub->other_bytes = true;
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = TEST_HUB_FOREVER, .cut = true};
    test_run run = pull(here);
    assert_int_equal(run.status, 2);
    test_run_free(&run);
    assert_true(part_size(here) > 0);
    here->hub->other_bytes = false;
    here->hub->fault.times = 0;
    expect_refused(here, pull(here), "not the file that was published");
    expect(pull(here), 0, NULL);
    assert_whole(here);
}

static void test_refusals(void **state)
{
    const place *here = *state;
    static const struct {
        const char *where, *status, *headers, *words;
    } cases[] = {
        {"HEAD /" REPOSITORY "/resolve/", "403 Forbidden", NULL, "HTTP 403"},
        {"HEAD /" REPOSITORY "/resolve/", "401 Unauthorized", "X-Error-Code: GatedRepo\r\nContent-Length: 0\r\n", "agreed to its terms"},
        {"GET /store/", "404 Not Found", NULL, "model.safetensors of " REPOSITORY ": not there"},
        {"GET /store/", "403 Forbidden", NULL, "HTTP 403"},
        {"HEAD /", "429 Too Many Requests", "Retry-After: 3\r\nContent-Length: 0\r\n", "HTTP 429, too many requests"},
        {"GET /store/", "500 Internal Server Error", NULL, "HTTP 500"},
        {"GET /store/", "302 Found", "Location: /store/model.safetensors\r\nContent-Length: 0\r\n", "redirects more than"},
        {"GET /store/", "302 Found", "Location: file:///etc/passwd\r\nContent-Length: 0\r\n", "not http or https"},
        {"GET /" REPOSITORY, "302 Found", "Location: file:///etc/passwd\r\nContent-Length: 0\r\n", "not http or https"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        here->hub->fault = (test_hub_fault){.where = cases[i].where, .times = TEST_HUB_FOREVER, .status = cases[i].status,
                                            .headers = cases[i].headers};
        expect_refused(here, pull(here), cases[i].words);
    }
    here->hub->fault.times = 0;
    expect_refused(here, pull_named(here, "ada/no-such", NULL), "there is no such repository, or it is private");
    expect(pull(here), 0, NULL);
    assert_whole(here);
}

static void test_waiting_helps(void **state)
{
    const place *here = *state;
    here->hub->fault = (test_hub_fault){.where = "HEAD /", .times = 2, .status = "429 Too Many Requests",
                                        .headers = "Retry-After: 7\r\nContent-Length: 0\r\n"};
    expect(pull(here), 0, "trying again in 7 s");
    assert_whole(here);
    lens_error err;
    assert_done(lens_folder_remove(here->folder, &err), &err);
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 2, .status = "503 Service Unavailable"};
    expect(pull(here), 0, "HTTP 503");
    assert_whole(here);
}

static void test_files_that_are_no_model(void **state)
{
    const place *here = *state;
    lens_buffer *served = &here->hub->files[1].bytes;
    lens_buffer_free(served);
    static const char page[] = "<!doctype html><title>Sign in</title>";
    assert_int_equal(lens_buffer_append(served, page, sizeof page - 1), 0);
    expect_refused(here, pull(here), "model.safetensors");
    lens_buffer_free(served);
    assert_int_equal(lens_buffer_append(served, weights.data, weights.size / 2), 0);
    expect_refused(here, pull(here), "model.safetensors");
    lens_buffer_free(&here->hub->files[0].bytes);
    static const char other[] = "{\"model_type\":\"wav2vec2\"}";
    assert_int_equal(lens_buffer_append(&here->hub->files[0].bytes, other, sizeof other - 1), 0);
    int stored = here->hub->stored;
    expect_refused(here, pull(here), "no encoder of this build knows");
    assert_int_equal(here->hub->stored, stored); /* before its weights came */
    here->hub->listing = "[1,2";
    expect_refused(here, pull(here), "bad JSON");
    here->hub->listing = "{\"siblings\":[{\"rfilename\":\"pytorch_model.bin\"}]}";
    expect_refused(here, pull(here), "neither config.json nor");
}

static void test_what_is_there_stays_until_the_new_one_opens(void **state)
{
    const place *here = *state;
    lens_error err = {0};
    assert_done(lens_folder_make(here->folder, &err), &err);
    char *path = test_path(here->folder, "config.json");
    test_write(path, "{", 1);
    here->hub->other_bytes = true;
    expect(pull(here), 2, "not the file that was published");
    assert_true(lens_file_exists(path));
    here->hub->other_bytes = false;
    expect(pull(here), 0, NULL);
    assert_whole(here);
    free(path);
    /* What is not ours is not replaced. */
    path = test_path(here->folder, "thesis.odt");
    test_write(path, "years of work", 13);
    char *weights_path = test_path(here->folder, "model.safetensors");
    test_write(weights_path, "", 0);
    expect(pull(here), 2, "thesis.odt");
    assert_true(lens_file_exists(path));
    free(weights_path);
    free(path);
}

static void test_the_token(void **state)
{
    const place *here = *state;
    test_run run = pull_named(here, REPOSITORY, "HF_TOKEN=hf_secretsecret");
    assert_int_equal(run.status, 0);
    assert_null(strstr(run.err.data, "secret"));
    assert_null(strstr(run.out.data, "secret"));
    test_run_free(&run);
    assert_true(here->hub->tokens_at_hub > 0);
    assert_string_equal(here->hub->token, "Bearer hf_secretsecret");
    assert_true(here->hub->stored > 0);
    assert_int_equal(here->hub->tokens_at_store, 0);

    lens_error err;
    assert_done(lens_folder_remove(here->folder, &err), &err);
    char *path = test_path(here->world->folder, "token"); /* HF_HOME */
    test_write(path, "hf_fromfile\n", 12);
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = TEST_HUB_FOREVER, .status = "403 Forbidden"};
    run = pull(here);
    assert_null(strstr(run.err.data, "fromfile"));
    expect_refused(here, run, "HF_TOKEN is wrong or may not see it");
    assert_string_equal(here->hub->token, "Bearer hf_fromfile");
    free(path);
    expect_refused(here, pull_named(here, REPOSITORY, "HF_TOKEN=two words"), "is no token");
}

static void test_settings(void **state)
{
    const place *here = *state;
    expect_refused(here, pull_named(here, REPOSITORY, "HF_HUB_OFFLINE=1"), "HF_HUB_OFFLINE is set");
    expect_refused(here, pull_named(here, REPOSITORY, "HF_ENDPOINT=ftp://127.0.0.1"), "HF_ENDPOINT is no address");
    expect_refused(here, pull_named(here, REPOSITORY, "HF_ENDPOINT=http://127.0.0.1:1"), "By hand: put");
    expect_refused(here, pull_named(here, "clip-vit-b-32", "HF_ENDPOINT=http://ada:lovelace@127.0.0.1:1"), "vocab.json");
    test_run run = pull_named(here, "clip-vit-b-32", "HF_ENDPOINT=http://ada:lovelace@127.0.0.1:1");
    assert_null(strstr(run.err.data, "lovelace"));
    test_run_free(&run);
    /* A proxy is asked where one is set: nobody is at this one. */
    const char *proxied[] = {test_program(), "pull", REPOSITORY, NULL};
    const char *const *all = environment(here, "http_proxy=http://127.0.0.1:1");
    const char *without[32];
    size_t count = 0;
    for (; *all; all++)
        without[count++] = strncmp(*all, "no_proxy=", 9) == 0 ? "no_proxy=" : *all;
    without[count] = NULL;
    expect_refused(here, test_run_program(proxied, without, NULL), "127.0.0.1");
    assert_int_equal(here->hub->stored, 0);
    const char *names[] = {"nothing", "../escape", "a/b/c", "a/..", "-/b", "a--b/c", "/etc/passwd"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect(pull_named(here, names[i], NULL), 2, names[i][0] == '-' ? NULL : "not in the catalogue");
}

/* Starts a pull that does not end by itself. */
static pid_t pull_in_background(const place *here)
{
    const char *const *all = environment(here, "MEMELENS_PATIENCE=100");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (; *all; all++)
            putenv((char *)*all);
        FILE *nowhere = freopen("/dev/null", "w", stderr);
        execl(test_program(), test_program(), "pull", REPOSITORY, (char *)NULL);
        _exit(nowhere ? 127 : 126);
    }
    return child;
}

/* Until half of the weights has come. */
static void wait_for_half(const place *here)
{
    for (int i = 0; i < 6000 && part_size(here) < (long)weights.size / 2; i++)
        usleep(10000);
    assert_int_equal(part_size(here), weights.size / 2);
}

static void stop_and_go_on(const place *here, int number, int expected)
{
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = 1, .hang = true};
    pid_t child = pull_in_background(here);
    wait_for_half(here);
    assert_int_equal(kill(child, number), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), expected);
    assert_none(here);
    assert_int_equal(part_size(here), weights.size / 2);
    expect(pull(here), 0, NULL);
    assert_whole(here);
    char range[64];
    snprintf(range, sizeof range, "bytes=%zu-", weights.size / 2);
    assert_string_equal(here->hub->range, range);
}

static void test_killed_in_the_middle(void **state)
{
    stop_and_go_on(*state, SIGKILL, 128 + SIGKILL);
}

static void test_interrupted_in_the_middle(void **state)
{
    stop_and_go_on(*state, SIGINT, 130);
}

static void test_two_at_once(void **state)
{
    const place *here = *state;
    pid_t first = pull_in_background(here), second = pull_in_background(here);
    int status;
    assert_int_equal(waitpid(first, &status, 0), first);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(second, &status, 0), second);
    assert_int_equal(status, 0);
    assert_whole(here);
    assert_int_equal(here->hub->stored, 1); /* the second found it there */
}

static void test_a_full_disk(void **state)
{
    const place *here = *state;
    lens_error err;
    char command[8400];
    /* A disk of 8 MB in a name space of its own, where that can be had. */
    snprintf(command, sizeof command,
             "exec unshare -m sh -c 'mount -t tmpfs -o size=8m none \"$MEMELENS_MODELS\" || exit 77; \"%s\" pull " REPOSITORY
             "; status=$?; ls \"$MEMELENS_MODELS\"; exit $status'",
             test_program());
    assert_done(lens_folder_make(here->world->models, &err), &err);
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    here->hub->no_commit = true; /* no lengths before the bytes: else it is told beforehand */
    here->hub->files[1].name = "model.safetensors";
    test_run run = test_run_program(argv, environment(here, NULL), NULL);
    if (run.status != 2 && !strstr(run.err.data, "memelens: ")) {
        test_run_free(&run);
        printf("skipped: no small disk can be made here\n");
        fflush(stdout);
        skip();
    }
    assert_int_equal(run.status, 2);
    if (!strstr(run.err.data, "has room for") && !strstr(run.err.data, "No space left"))
        fail_msg("%s", run.err.data);
    test_run_free(&run);
}

static void test_a_bar_on_a_terminal(void **state)
{
    const place *here = *state;
    char command[4200];
    const char *try[] = {"/bin/sh", "-c", "exec script -qec true /dev/null", NULL};
    test_run run = test_run_program(try, NULL, NULL);
    bool able = run.status == 0;
    test_run_free(&run);
    if (!able) {
        printf("skipped: script(1) can make no terminal here\n");
        fflush(stdout);
        skip();
    }
    snprintf(command, sizeof command, "exec script -qec \"'%s' pull " REPOSITORY "\" /dev/null", test_program());
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    run = test_run_program(argv, environment(here, "TERM=xterm"), NULL);
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out.data, "[####"));
    assert_non_null(strstr(run.out.data, "13.7 MB of 13.7 MB"));
    assert_null(strstr(run.out.data, "checksum is right"));
    test_run_free(&run);
    assert_whole(here);
}

int main(void)
{
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_a_model_of_the_hub),
        PLACE_TEST(test_a_name_of_the_catalogue),
        PLACE_TEST(test_weights_from_the_conversion),
        PLACE_TEST(test_each_family),
        PLACE_TEST(test_shards),
        PLACE_TEST(test_a_plain_mirror),
        PLACE_TEST(test_a_cut_is_continued),
        PLACE_TEST(test_parts_that_cannot_be_told_apart),
        PLACE_TEST(test_a_server_without_ranges),
        PLACE_TEST(test_a_file_that_changes_starts_anew),
        PLACE_TEST(test_silence_is_not_waited_out),
        PLACE_TEST(test_cuts_for_ever_keep_the_part),
        PLACE_TEST(test_lies_about_length),
        PLACE_TEST(test_a_wrong_file),
        PLACE_TEST(test_a_part_of_another_file),
        PLACE_TEST(test_refusals),
        PLACE_TEST(test_waiting_helps),
        PLACE_TEST(test_files_that_are_no_model),
        PLACE_TEST(test_what_is_there_stays_until_the_new_one_opens),
        PLACE_TEST(test_the_token),
        PLACE_TEST(test_settings),
        PLACE_TEST(test_killed_in_the_middle),
        PLACE_TEST(test_interrupted_in_the_middle),
        PLACE_TEST(test_two_at_once),
        PLACE_TEST(test_a_full_disk),
        PLACE_TEST(test_a_bar_on_a_terminal),
    };
    return cmocka_run_group_tests(tests, make_weights, drop_weights);
}
