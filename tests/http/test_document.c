/* The examples of docs/SERVER.md do what they say. */
#include <unistd.h>

#include "memelens.h"
#include "random_clip.h"
#include "serving.h"

static test_world *world;
static test_serving serving;
static char *model; /* which knows words */

/* One of the examples asks for a large meme by what is written in it. */
static void add_meme(void)
{
    enum { WIDTH = 900, HEIGHT = 600 };
    lens_error err = {0};
    void *bytes;
    size_t size;
    uint8_t *pixels = calloc(WIDTH * HEIGHT, 3);
    char *folder = test_world_path(world, "memes"), *picture = test_world_path(world, "memes/boromir.png"), *words = test_world_path(world, "memes/boromir.png.txt");
    assert_done(lens_folder_make(folder, &err), &err);
    assert_done(lens_png(pixels, WIDTH, HEIGHT, &bytes, &size, &err), &err);
    test_write(picture, bytes, size);
    test_write(words, "One does not simply walk", 24);
    free(bytes), free(pixels), free(folder), free(picture), free(words);
}

static int setup(void **state)
{
    if (test_clip_draw(state) != 0)
        return -1;
    world = test_world_new();
    for (unsigned i = 0; i < 18; i++) { /* one of the examples asks for picture 17 */
        char name[32];
        snprintf(name, sizeof name, "scene%u.png", i);
        test_world_picture(world, name, TEST_PNG, i);
    }
    add_meme();
    model = test_clip_folder(CLIP_GOOD_CONFIG, CLIP_GOOD_PROCESSOR, &(test_clip_faults){0});
    test_clip_write_vocabulary(model, "");
    test_run run = test_world_expect(world, 0, "index", "--model", model, world->pictures, NULL);
    test_run_free(&run);
    serving = test_serving_start(world, NULL);
    return 0;
}

static int teardown(void **state)
{
    test_serving_stop(&serving);
    test_folder_remove(model);
    test_world_free(world);
    return test_clip_forget(state);
}

/* LINE of the document as a shell command that asks our server, in the folder of the pictures, and fails where the answer is an error. */
static char *command(const char *line, size_t length)
{
    static const char theirs[] = "http://127.0.0.1:8080/";
    lens_buffer out = {0};
    lens_buffer_print(&out, "cd '%s' && cp scene1.png query.jpg && curl --silent --show-error --fail-with-body --max-time 60 ", world->pictures);
    for (size_t at = strlen("curl"); at < length; at++)
        if (strncmp(line + at, theirs, strlen(theirs)) == 0) {
            lens_buffer_print(&out, "http://127.0.0.1:%d/", serving.port);
            at += strlen(theirs) - 1;
        } else {
            lens_buffer_append(&out, line + at, 1);
        }
    return out.data;
}

static void the_examples_find_pictures(void **state)
{
    (void)state;
    char *path = test_path(getenv("MEMELENS_SOURCE"), "docs/SERVER.md");
    lens_buffer document = test_read(path);
    int count = 0;
    lens_buffer_append(&document, "", 1);
    for (const char *at = document.data; (at = strstr(at, "\n    curl "));) {
        at += strlen("\n    ");
        char *line = command(at, strcspn(at, "\n"));
        const char *const argv[] = {"/bin/sh", "-c", line, NULL};
        test_run run = test_run_program(argv, NULL, NULL);
        json_t *answer = run.out.data ? json_loads(run.out.data, 0, NULL) : NULL;
        if (run.status != 0 || (json_array_size(json_object_get(answer, "results")) == 0 && !json_object_get(answer, "run")))
            fail_msg("%s: exit %d: %s%s", line, run.status, run.out.data ? run.out.data : "", run.err.data ? run.err.data : "");
        count++;
        json_decref(answer);
        test_run_free(&run);
        free(line);
    }
    assert_true(count >= 3);
    lens_buffer_free(&document);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_examples_find_pictures)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
