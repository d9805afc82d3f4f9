#include "texts_world.h"

#include <unistd.h>

int texts_world_setup(void **state)
{
    test_world *world = test_world_new();
    char *sub = test_world_path(world, "sub");
    lens_error err = {0};
    assert_done(lens_folder_make(sub, &err), &err);
    free(sub);
    test_world_picture(world, "a.png", TEST_PNG, 11);
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 12);
    test_world_picture(world, "sub/c.png", TEST_PNG, 13);
    *state = world;
    return 0;
}

void texts_world_write(const test_world *world, const char *name, const char *text)
{
    char *path = test_world_path(world, name);
    test_write(path, text, strlen(text));
    free(path);
}

enum { WORDS_MOST = 24 };

static test_run run_list(const test_world *world, const char *const *head, va_list list)
{
    const char *argv[WORDS_MOST + 1] = {test_program()};
    size_t count = 1;
    while (*head)
        argv[count++] = *head++;
    for (const char *word; (word = va_arg(list, const char *));) {
        assert_true(count < WORDS_MOST);
        argv[count++] = word;
    }
    argv[count] = NULL;
    return test_run_program(argv, test_world_environment(world), NULL);
}

void texts_world_index(const test_world *world, long captions, ...)
{
    va_list list;
    va_start(list, captions);
    test_run run = run_list(world, (const char *[]){"index", "--json", "-q", "--model", "colour", world->pictures, NULL}, list);
    va_end(list);
    if (run.status != 0)
        fail_msg("index: %d: %s", run.status, run.err.data);
    json_t *lines = test_json_lines(&run.out);
    if (test_json_integer(json_array_get(lines, 0), "captions") != captions)
        fail_msg("%ld captions instead of %ld: %s", test_json_integer(json_array_get(lines, 0), "captions"), captions, run.err.data ? run.err.data : "");
    json_decref(lines);
    test_run_free(&run);
}

char *texts_world_found(const test_world *world, const char *first, ...)
{
    va_list list;
    va_start(list, first);
    test_run run = run_list(world, (const char *[]){"search", "-q", "--json", "--by", "text", first, NULL}, list);
    va_end(list);
    if (run.status > 1)
        fail_msg("search %s: %d: %s", first, run.status, run.err.data);
    json_t *lines = test_json_lines(&run.out);
    lens_buffer names = {0};
    lens_buffer_append(&names, "", 0);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const char *path = json_string_value(json_object_get(json_array_get(lines, i), "path"));
        assert_non_null(path);
        lens_buffer_print(&names, "%s%s", i ? " " : "", strrchr(path, '/') + 1);
    }
    assert_int_equal(run.status == 0, json_array_size(lines) > 0);
    json_decref(lines);
    test_run_free(&run);
    return names.data;
}

void texts_world_same(char *found, const char *names, const char *query)
{
    if (strcmp(found, names) != 0)
        fail_msg("%s finds '%s' instead of '%s'", query, found, names);
    free(found);
}

void texts_world_captions(const test_world *world, const char *name, const char *captions)
{
    char *path = test_world_path(world, name);
    test_run run = test_world_expect(world, 0, "status", "--texts", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    lens_buffer got = {0};
    lens_buffer_append(&got, "", 0);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        if (strcmp(json_string_value(json_object_get(line, "path")), path) == 0)
            lens_buffer_print(&got, "%s", json_string_value(json_object_get(line, "captions")));
    }
    for (char *at = got.data; *at; at++)
        if (*at == '\n')
            *at = '|';
    if (strcmp(got.data, captions) != 0)
        fail_msg("%s has '%s' instead of '%s'", path, got.data, captions);
    lens_buffer_free(&got);
    json_decref(lines);
    test_run_free(&run);
    free(path);
}
