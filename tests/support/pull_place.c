#include "pull_place.h"

#include <sys/stat.h>

#include "weights.h"

static const char config[] = TEST_MODEL_CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.0");

lens_buffer test_place_weights;

int test_place_make_weights(void **state)
{
    (void)state;
    char *model = test_model_new(config, 7, NULL), *path = test_path(model, "model.safetensors");
    test_place_weights = test_read(path);
    free(path);
    test_folder_remove(model);
    return 0;
}

int test_place_drop_weights(void **state)
{
    (void)state;
    lens_buffer_free(&test_place_weights);
    return 0;
}

int test_place_setup(void **state)
{
    test_place *here = calloc(1, sizeof *here);
    assert_non_null(here);
    here->world = test_world_new();
    here->hub = test_hub_start(REPOSITORY);
    here->folder = test_path(here->world->models, FOLDER);
    here->patience = "MEMELENS_PATIENCE=0.1";
    test_hub_add(here->hub, "config.json", NULL, config, sizeof config - 1);
    test_hub_add(here->hub, "model.safetensors", NULL, test_place_weights.data, test_place_weights.size);
    *state = here;
    return 0;
}

int test_place_teardown(void **state)
{
    test_place *here = *state;
    test_hub_stop(here->hub);
    test_world_free(here->world);
    free(here->folder);
    free(here);
    return 0;
}

const char *const *test_place_environment(const test_place *here, const char *extra)
{
    static const char *all[24];
    static char home[4200];
    size_t count = 0;
    snprintf(home, sizeof home, "HF_HOME=%s", here->world->folder);
    for (const char *const *entry = test_world_environment(here->world); *entry; entry++)
        all[count++] = *entry;
    const char *more[] = {test_hub_endpoint(here->hub), home, here->patience, "HF_TOKEN=", "HF_TOKEN_PATH=", "HF_HUB_OFFLINE=",
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

test_run test_pull_named(const test_place *here, const char *name, const char *extra)
{
    const char *argv[] = {test_program(), "pull", name, NULL};
    return test_run_program(argv, test_place_environment(here, extra), NULL);
}

test_run test_pull(const test_place *here)
{
    return test_pull_named(here, REPOSITORY, NULL);
}

void assert_whole(const test_place *here)
{
    char *path = test_path(here->folder, "model.safetensors");
    lens_buffer got = test_read(path);
    assert_int_equal(got.size, test_place_weights.size);
    assert_memory_equal(got.data, test_place_weights.data, test_place_weights.size);
    lens_buffer_free(&got);
    free(path);
    path = test_path(here->world->models, FOLDER ".part");
    assert_false(lens_file_exists(path));
    free(path);
}

void assert_none(const test_place *here)
{
    assert_false(lens_file_exists(here->folder));
}

long test_part_size(const test_place *here)
{
    struct stat info;
    char *path = test_path(here->world->models, FOLDER ".part/model/model.safetensors.part");
    long size = stat(path, &info) == 0 ? (long)info.st_size : -1;
    free(path);
    return size;
}

void expect(test_run run, int status, const char *words)
{
    if (run.status != status || (words && !strstr(run.err.data, words)))
        fail_msg("exit %d, and '%s' were expected, got %d and: %s", status, words ? words : "", run.status, run.err.data);
    test_run_free(&run);
}

void expect_refused(const test_place *here, test_run run, const char *words)
{
    const char *last = strstr(run.err.data, "memelens: ");
    if (!last || strchr(last, '\n') != strrchr(last, '\n'))
        fail_msg("one line was expected: %s", run.err.data);
    expect(run, 2, words);
    assert_none(here);
}
