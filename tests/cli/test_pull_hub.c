/* `memelens pull` from a hub on this machine that serves well, and what a person can set. */
#include <unistd.h>

#include "net/checksum.h"
#include "pull_place.h"

static void test_a_model_of_the_hub(void **state)
{
    const test_place *here = *state;
    test_hub_add(here->hub, "pytorch_model.bin", NULL, "pickle", 6);
    expect(test_pull(here), 0, "its checksum is right");
    assert_whole(here);
    assert_int_equal(here->hub->tokens_at_hub, 0);

    char *path = test_path(here->folder, "memelens.json");
    lens_buffer note = test_read(path);
    char sum[80];
    lens_error err;
    lens_checksum *sha256 = lens_checksum_sha256(&err);
    lens_checksum_add(sha256, test_place_weights.data, test_place_weights.size);
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
    expect(test_pull(here), 0, "is here already");
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
    const test_place *here = *state;
    here->hub->repository = "openai/clip-vit-large-patch14";
    expect(test_pull_named(here, "clip-vit-l-14", NULL), 2, "preprocessor_config.json of openai/clip-vit-large-patch14: not there");
    test_hub_add(here->hub, "preprocessor_config.json", NULL, "{}", 2);
    expect(test_pull_named(here, "clip-vit-l-14", NULL), 0, "clip-vit-l-14 is in ");
    char *path = test_path(here->world->models, "clip-vit-l-14/model.safetensors");
    assert_true(lens_file_exists(path));
    free(path);
}

static void test_weights_from_the_conversion(void **state)
{
    const test_place *here = *state;
    here->hub->files[1].revision = "refs%2Fpr%2F66";
    here->hub->discussions = "{\"discussions\":[{\"num\":71,\"isPullRequest\":true,\"status\":\"open\",\"author\":{\"name\":\"mallory\"}},"
                             "{\"num\":66,\"isPullRequest\":true,\"status\":\"open\",\"author\":{\"name\":\"SFconvertbot\"}},"
                             "{\"num\":12,\"isPullRequest\":true,\"status\":\"open\",\"author\":{\"name\":\"SFconvertbot\"}}]}";
    expect(test_pull(here), 0, "refs/pr/66");
    assert_whole(here);
    here->hub->discussions = NULL;
    lens_error err;
    assert_done(lens_folder_remove(here->folder, &err), &err);
    expect_refused(here, test_pull(here), "has no model.safetensors at revision main");
}

/* The small models of the reference data, served under the names of the large ones. */
static void test_each_family(void **state)
{
    test_place *here = *state;
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
        expect(test_pull_named(here, models[i].name, NULL), 0, " is in ");
        char *picture = test_path(folder, "picture0.png");
        test_run run = test_world_expect(here->world, 0, "embed", "--json", "--model", models[i].name, picture, NULL);
        test_run_free(&run);
        free(picture);
        free(folder);
    }
}

static void expect_file(const test_place *here, const char *name, const char *text)
{
    char *path = test_path(here->folder, "%s", name);
    lens_buffer bytes = test_read(path);
    assert_string_equal(bytes.data, text);
    lens_buffer_free(&bytes);
    free(path);
}

/* What a family only looks at to refuse a model comes with it too: without it the model would open, and give other vectors than it should. */
static void test_what_refuses_a_model(void **state)
{
    const test_place *here = *state;
    static const char cls[] = "{\"pooling_mode_cls_token\":true}", modules[] = "[]", bert[] = "{\"model_type\":\"bert\"}",
                      vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n";
    test_hub_add(here->hub, "1_Pooling/config.json", NULL, cls, sizeof cls - 1);
    test_hub_add(here->hub, "modules.json", NULL, modules, sizeof modules - 1);
    test_hub_add(here->hub, "processor_config.json", NULL, "{}", 2);
    test_hub_add(here->hub, "onnx/config.json", NULL, "{}", 2);
    expect(test_pull(here), 0, " is in ");
    assert_whole(here);
    expect_file(here, "1_Pooling/config.json", cls);
    expect_file(here, "modules.json", modules);
    expect_file(here, "processor_config.json", "{}");
    char *path = test_path(here->folder, "onnx");
    assert_false(lens_file_exists(path));
    free(path);

    lens_error err = {0};
    assert_done(lens_folder_remove(here->folder, &err), &err);
    lens_buffer_free(&here->hub->files[0].bytes);
    assert_int_equal(lens_buffer_append(&here->hub->files[0].bytes, bert, sizeof bert - 1), 0);
    const int stored = here->hub->stored;
    expect_refused(here, test_pull(here), "1_Pooling/config.json: pooling_mode_cls_token is true: only the mean over tokens is supported");
    assert_int_equal(here->hub->stored, stored); /* before its weights came */
    path = test_path(here->world->models, FOLDER ".part");
    assert_false(lens_file_exists(path));
    free(path);
    /* What an earlier try left is no part of a model that no longer has it: the weights come, and are not such a model's. */
    assert_string_equal(here->hub->files[2].name, "1_Pooling/config.json");
    here->hub->files[2].name = "other.json";
    test_hub_add(here->hub, "vocab.txt", NULL, vocabulary, sizeof vocabulary - 1);
    path = test_path(here->world->models, FOLDER ".part/model/1_Pooling");
    assert_done(lens_folder_make(path, &err), &err);
    free(path);
    path = test_path(here->world->models, FOLDER ".part/model/1_Pooling/config.json");
    test_write(path, cls, sizeof cls - 1);
    free(path);
    expect_refused(here, test_pull(here), "embeddings");
    assert_true(here->hub->stored > stored);
}

/* One of a sharded model's files, NAME, holds everything here; the index names it for each tensor. */
static void serve_shard(const test_place *here, const char *name)
{
    here->hub->files[1].name = name;
    uint64_t length = 0;
    memcpy(&length, test_place_weights.data, sizeof length);
    json_t *header = json_loadb(test_place_weights.data + sizeof length, length, 0, NULL), *map = json_object(), *value;
    const char *tensor;
    json_object_foreach(header, tensor, value)
        json_object_set_new(map, tensor, json_string(name));
    json_t *index = json_pack("{so}", "weight_map", map);
    char *text = json_dumps(index, 0);
    test_hub_add(here->hub, "model.safetensors.index.json", NULL, text, strlen(text));
    free(text);
    json_decref(index);
    json_decref(header);
}

static void test_shards(void **state)
{
    const test_place *here = *state;
    serve_shard(here, "model-00001-of-00001.safetensors");
    expect(test_pull(here), 0, "model-00001-of-00001.safetensors");
    lens_buffer_free(&here->hub->files[2].bytes);
    const char *out = "{\"weight_map\":{\"a\":\"../../../evil.safetensors\"}}";
    assert_int_equal(lens_buffer_append(&here->hub->files[2].bytes, out, strlen(out)), 0);
    lens_error ignored;
    lens_folder_remove(here->folder, &ignored);
    expect_refused(here, test_pull(here), "a shard whose name is not a file's");
}

/* What came of it is gone on with, whatever it is called. */
static void test_a_shard_called_like_a_part(void **state)
{
    const test_place *here = *state;
    serve_shard(here, "model.part1-of-1.safetensors");
    here->hub->fault = (test_hub_fault){.where = "GET /store/", .times = TEST_HUB_FOREVER, .cut = true};
    expect(test_pull(here), 2, "trying again");
    here->hub->fault = (test_hub_fault){0};
    const int ranges = here->hub->ranges, stored = here->hub->stored;
    expect(test_pull(here), 0, " is in ");
    assert_int_equal(here->hub->ranges, ranges + 1);
    assert_int_equal(here->hub->stored, stored + 1);
}

static void test_a_plain_mirror(void **state)
{
    const test_place *here = *state;
    here->hub->no_commit = true;
    expect(test_pull(here), 0, "no checksum to hold it against");
    assert_whole(here);
}

static void test_what_is_there_stays_until_the_new_one_opens(void **state)
{
    const test_place *here = *state;
    lens_error err = {0};
    assert_done(lens_folder_make(here->folder, &err), &err);
    char *path = test_path(here->folder, "config.json");
    test_write(path, "{", 1);
    here->hub->other_bytes = true;
    expect(test_pull(here), 2, "not the file that was published");
    assert_true(lens_file_exists(path));
    here->hub->other_bytes = false;
    expect(test_pull(here), 0, NULL);
    assert_whole(here);
    free(path);
    /* What is not ours is not replaced. */
    path = test_path(here->folder, "thesis.odt");
    test_write(path, "years of work", 13);
    char *weights_path = test_path(here->folder, "model.safetensors");
    test_write(weights_path, "", 0);
    expect(test_pull(here), 2, "thesis.odt");
    assert_true(lens_file_exists(path));
    free(weights_path);
    free(path);
}

/* What a use leaves in a model's folder is no reason to keep a damaged one. */
static void test_a_model_that_was_used_and_is_damaged(void **state)
{
    const test_place *here = *state;
    char *weights = test_path(here->folder, "model.safetensors"), *packed = test_path(here->folder, "packed-pictures-f32.bin");
    char *part = test_path(here->folder, "packed-pictures-f32.bin.999999999-0.memelens.part"), *lunch = test_path(here->folder, "packed-lunch.bin");
    expect(test_pull(here), 0, NULL);
    test_world_picture(here->world, "a.jpg", TEST_JPEG_420, 1);
    expect(test_world_run(here->world, "index", "--model", REPOSITORY, "--precision", "f32", here->world->pictures, NULL), 0, NULL);
    assert_true(lens_file_exists(packed));
    test_write(part, "", 0); /* of a run that was killed */
    test_write(weights, test_place_weights.data, test_place_weights.size / 2);
    test_write(lunch, "", 0);
    expect(test_pull(here), 2, "packed-lunch.bin");
    assert_int_equal(unlink(lunch), 0);
    expect(test_pull(here), 0, " is in ");
    assert_whole(here);
    assert_false(lens_file_exists(packed));
    assert_false(lens_file_exists(part));
    free(weights), free(packed), free(part), free(lunch);
}

static void test_weights_of_ones_own_are_not_replaced(void **state)
{
    const test_place *here = *state;
    lens_error err = {0};
    assert_done(lens_folder_make(here->folder, &err), &err);
    char *path = test_path(here->folder, "model.safetensors");
    test_write(path, "tuned for weeks", 15);
    expect(test_pull(here), 2, "were not brought by a pull");
    lens_buffer bytes = test_read(path);
    assert_int_equal(bytes.size, 15);
    lens_buffer_free(&bytes);
    assert_done(lens_folder_remove(here->folder, &err), &err);
    assert_int_equal(symlink("/nowhere/at/all", here->folder), 0);
    expect(test_pull(here), 2, "a link to nothing");
    assert_int_equal(here->hub->stored, 0); /* before its weights came */
    free(path);
}

static void test_what_killed_runs_left(void **state)
{
    const test_place *here = *state;
    static const char *const names[] = {"model.safetensors.index.json", "model-00001-of-00002.safetensors.part", "vocab.json",
                                        "model-00001-of-00002.safetensors.part.of.123.part"};
    char *part = test_path(here->world->models, FOLDER ".part"), *model = test_path(part, "model");
    lens_error err = {0};
    assert_done(lens_folder_make(model, &err), &err);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = test_path(model, "%s", names[i]);
        test_write(path, "{}", 2);
        free(path);
    }
    expect(test_pull(here), 0, " is in ");
    assert_whole(here);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = test_path(here->folder, "%s", names[i]);
        assert_false(lens_file_exists(path));
        free(path);
    }
    /* The old model, which one that was killed after the exchange had not removed yet. */
    assert_done(lens_folder_make(model, &err), &err);
    expect(test_pull(here), 0, "is here already");
    assert_whole(here);
    free(model);
    free(part);
}

static void test_the_token(void **state)
{
    const test_place *here = *state;
    test_run run = test_pull_named(here, REPOSITORY, "HF_TOKEN=hf_secretsecret");
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
    run = test_pull(here);
    assert_null(strstr(run.err.data, "fromfile"));
    expect_refused(here, run, "HF_TOKEN is wrong or may not see it");
    assert_string_equal(here->hub->token, "Bearer hf_fromfile");
    free(path);
    expect_refused(here, test_pull_named(here, REPOSITORY, "HF_TOKEN=two words"), "is no token");
}

static void test_settings(void **state)
{
    const test_place *here = *state;
    expect_refused(here, test_pull_named(here, REPOSITORY, "HF_HUB_OFFLINE=1"), "HF_HUB_OFFLINE is set");
    expect_refused(here, test_pull_named(here, REPOSITORY, "HF_ENDPOINT=ftp://127.0.0.1"), "HF_ENDPOINT is no address");
    expect_refused(here, test_pull_named(here, REPOSITORY, "HF_ENDPOINT=http://127.0.0.1:1"), "By hand: put");
    expect_refused(here, test_pull_named(here, "clip-vit-b-32", "HF_ENDPOINT=http://ada:lovelace@127.0.0.1:1"), "vocab.json");
    test_run run = test_pull_named(here, "clip-vit-b-32", "HF_ENDPOINT=http://ada:lovelace@127.0.0.1:1");
    assert_null(strstr(run.err.data, "lovelace"));
    test_run_free(&run);
    /* A proxy is asked where one is set: nobody is at this one. */
    const char *proxied[] = {test_program(), "pull", REPOSITORY, NULL};
    const char *const *all = test_place_environment(here, "http_proxy=http://127.0.0.1:1");
    const char *without[32];
    size_t count = 0;
    for (; *all; all++)
        without[count++] = strncmp(*all, "no_proxy=", 9) == 0 ? "no_proxy=" : *all;
    without[count] = NULL;
    expect_refused(here, test_run_program(proxied, without, NULL), "127.0.0.1");
    assert_int_equal(here->hub->stored, 0);
    const char *names[] = {"nothing", "../escape", "a/b/c", "a/..", "-/b", "a--b/c", "/etc/passwd"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect(test_pull_named(here, names[i], NULL), 2, names[i][0] == '-' ? NULL : "not in the catalogue");
    expect(test_pull_named(here, REPOSITORY ".part", NULL), 2, "a workspace's"); /* and not a model that the next pull would remove */
}

static void test_a_bar_on_a_terminal(void **state)
{
    const test_place *here = *state;
    test_need_terminal();
    const char *argv[] = {"/bin/sh", "-c", "exec script -qec '\"${MEMELENS_PROGRAM:-build/memelens}\" pull " REPOSITORY "' /dev/null", NULL};
    test_run run = test_run_program(argv, test_place_environment(here, "TERM=xterm"), NULL);
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out.data, "[####"));
    assert_non_null(strstr(run.out.data, "13.7 MB of 13.7 MB"));
    assert_null(strstr(run.out.data, "checksum is right"));
    test_run_free(&run);
    assert_whole(here);
}

int main(void)
{
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, test_place_setup, test_place_teardown)
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_a_model_of_the_hub),
        PLACE_TEST(test_a_name_of_the_catalogue),
        PLACE_TEST(test_weights_from_the_conversion),
        PLACE_TEST(test_each_family),
        PLACE_TEST(test_what_refuses_a_model),
        PLACE_TEST(test_shards),
        PLACE_TEST(test_a_shard_called_like_a_part),
        PLACE_TEST(test_a_plain_mirror),
        PLACE_TEST(test_what_is_there_stays_until_the_new_one_opens),
        PLACE_TEST(test_a_model_that_was_used_and_is_damaged),
        PLACE_TEST(test_weights_of_ones_own_are_not_replaced),
        PLACE_TEST(test_what_killed_runs_left),
        PLACE_TEST(test_the_token),
        PLACE_TEST(test_settings),
        PLACE_TEST(test_a_bar_on_a_terminal),
    };
    return cmocka_run_group_tests(tests, test_place_make_weights, test_place_drop_weights);
}
