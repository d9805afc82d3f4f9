#include "world.h"

#include <unistd.h>

#include "weights.h"

/* The default model's folder, its weights drawn by lot. */
static void test_model_write(const char *folder)
{
    static const char config[] = "{\"architecture\": \"tf_efficientnet_lite0\", \"num_classes\": 0, \"num_features\": 1280,\n"
                                 " \"pretrained_cfg\": {\"input_size\": [3, 224, 224], \"interpolation\": \"bicubic\", \"crop_pct\": 1.0,\n"
                                 "  \"mean\": [0.5, 0.5, 0.5], \"std\": [0.5, 0.5, 0.5]}}\n";
    char *path = test_path(folder, "config.json");
    test_write(path, config, sizeof config - 1);
    free(path);
    path = test_path(folder, "model.safetensors");
    test_efficientnet_write(path, 1, NULL);
    free(path);
}

test_world *test_world_new(void)
{
    test_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    lens_error err = {0};
    world->folder = test_folder_new();
    world->pictures = test_path(world->folder, "pictures");
    world->library = store_place_is_folder() ? test_path(world->folder, "library") : store_place("world");
    world->models = test_path(world->folder, "models");
    char *model = test_path(world->models, "efficientnet-lite0");
    assert_done(lens_folder_make(world->pictures, &err), &err);
    assert_done(lens_folder_make(model, &err), &err);
    test_model_write(model);
    free(model);
    return world;
}

void test_world_free(test_world *world)
{
    free(world->pictures);
    if (store_place_is_folder())
        free(world->library); /* which goes with the folder */
    else
        store_place_remove(world->library);
    free(world->models);
    test_folder_remove(world->folder);
    free(world);
}

int test_world_setup(void **state)
{
    *state = test_world_new();
    return 0;
}

int test_world_teardown(void **state)
{
    test_world_free(*state);
    return 0;
}

const char *const *test_world_environment(const test_world *world)
{
    static char library[4200], models[4200], home[4200], data[4200];
    static const char *environment[] = {library, models, home, data, "TERM=dumb", NULL};
    snprintf(library, sizeof library, "MEMELENS_LIBRARY=%s", world->library);
    snprintf(models, sizeof models, "MEMELENS_MODELS=%s", world->models);
    snprintf(home, sizeof home, "HOME=%s", world->folder);
    snprintf(data, sizeof data, "XDG_DATA_HOME=%s/data", world->folder);
    return environment;
}

#define AS_NOBODY "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"

void test_world_as_nobody(test_world *world)
{
    if (geteuid() != 0)
        return;
    const char *may[] = {AS_NOBODY, test_program(), "--version", NULL};
    test_run run = test_run_program(may, NULL, NULL);
    bool able = run.status == 0;
    test_run_free(&run);
    if (!able) {
        printf("skipped: root here, and the program cannot be run by anybody else\n");
        fflush(stdout);
        skip();
    }
    const char *give[] = {"/bin/chown", "-RhP", "65534:65534", world->folder, NULL};
    run = test_run_program(give, NULL, NULL);
    assert_int_equal(run.status, 0);
    test_run_free(&run);
    world->nobody = true;
}

static test_run run_words(const test_world *world, const char *first, va_list words)
{
    const char *argv[64] = {AS_NOBODY};
    size_t count = world->nobody ? 4 : 0;
    argv[count++] = test_program();
    argv[count++] = first;
    while (count + 1 < sizeof argv / sizeof *argv && (argv[count] = va_arg(words, const char *)))
        count++;
    assert_null(argv[count]);
    return test_run_program(argv, test_world_environment(world), NULL);
}

test_run test_world_run(const test_world *world, const char *first, ...)
{
    va_list words;
    va_start(words, first);
    test_run run = run_words(world, first, words);
    va_end(words);
    return run;
}

test_run test_world_expect(const test_world *world, int status, const char *first, ...)
{
    va_list words;
    va_start(words, first);
    test_run run = run_words(world, first, words);
    va_end(words);
    if (run.status != status)
        fail_msg("memelens %s: expected exit %d, got %d\n%s%s", first, status, run.status, run.out.data, run.err.data);
    return run;
}

char *test_world_path(const test_world *world, const char *name)
{
    return test_path(world->pictures, "%s", name);
}

void test_world_picture(const test_world *world, const char *name, test_kind kind, unsigned seed)
{
    char *path = test_world_path(world, name);
    test_picture_write(path, kind, 160, 120, seed);
    free(path);
}

void test_world_dear_drawing(const test_world *world, const char *name)
{
    static const char drawing[] = TEST_DEAR_DRAWING;
    char *path = test_world_path(world, name);
    test_write(path, drawing, sizeof drawing - 1);
    free(path);
}

json_t *test_json_lines(const lens_buffer *text)
{
    json_t *lines = json_array();
    for (const char *at = text->data; at && *at;) {
        size_t length = strcspn(at, "\n");
        json_error_t error;
        json_t *object = json_loadb(at, length, 0, &error);
        if (!object)
            fail_msg("not JSON (%s): %.*s", error.text, (int)length, at);
        json_array_append_new(lines, object);
        at += length + (at[length] == '\n');
    }
    return lines;
}

long test_json_integer(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value))
        fail_msg("no integer \"%s\"", name);
    return (long)json_integer_value(value);
}

long test_world_status(const test_world *world, const char *name)
{
    test_run run = test_world_expect(world, 0, "status", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    const long number = test_json_integer(json_array_get(lines, 0), name);
    json_decref(lines);
    test_run_free(&run);
    return number;
}

json_t *test_world_index(const test_world *world)
{
    test_run run = test_world_expect(world, 0, "index", "--json", world->pictures, NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), 1);
    json_t *report = json_incref(json_array_get(lines, 0));
    json_decref(lines);
    test_run_free(&run);
    return report;
}

json_t *test_world_search(const test_world *world, const char *query)
{
    test_run run = test_world_expect(world, 0, "search", "--json", query, NULL);
    json_t *lines = test_json_lines(&run.out), *paths = json_array();
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        assert_int_equal(test_json_integer(line, "rank"), (long)i + 1);
        assert_true(json_is_real(json_object_get(line, "score")));
        json_array_append(paths, json_object_get(line, "path"));
    }
    json_decref(lines);
    test_run_free(&run);
    return paths;
}

void test_world_pictures(const test_world *world, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%03u.jpg", i);
        test_world_picture(world, name, TEST_JPEG_420, i);
    }
}

test_world *test_world_of_scenes(unsigned count)
{
    test_world *world = test_world_new();
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "scene%u.png", i);
        test_world_picture(world, name, TEST_PNG, i);
    }
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
    test_run_free(&run);
    return world;
}

void test_world_expect_report(const test_world *world, long indexed, long unchanged, long moved, long removed, long failed)
{
    json_t *report = test_world_index(world);
    assert_int_equal(test_json_integer(report, "indexed"), indexed);
    assert_int_equal(test_json_integer(report, "unchanged"), unchanged);
    assert_int_equal(test_json_integer(report, "moved"), moved);
    assert_int_equal(test_json_integer(report, "removed"), removed);
    assert_int_equal(test_json_integer(report, "failed"), failed);
    json_decref(report);
}

void test_world_expect_no_fault(const test_world *world)
{
    test_run run = test_world_expect(world, 0, "check", NULL);
    assert_int_equal(run.out.size, 0);
    test_run_free(&run);
}

void test_world_five_pictures(const test_world *world)
{
    const char *names[] = {"a.jpg", "b.png", "c.webp", "d.jpg", "e.jpg"};
    const test_kind kinds[] = {TEST_JPEG_420, TEST_PNG, TEST_WEBP, TEST_JPEG_PROGRESSIVE, TEST_JPEG_444};
    for (unsigned i = 0; i < 5; i++)
        test_world_picture(world, names[i], kinds[i], i + 1);
}

void test_world_remove(const test_world *world, const char *name)
{
    char *path = test_world_path(world, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

void test_world_move(const test_world *world, const char *from, const char *to)
{
    char *old = test_world_path(world, from), *new = test_world_path(world, to);
    assert_int_equal(rename(old, new), 0);
    free(old), free(new);
}
