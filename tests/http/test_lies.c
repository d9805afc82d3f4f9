/* A library in a database that others change under a server, and under a search, to what it cannot be: each says so in one line, and goes on. */
#include <unistd.h>

#include "serving.h"

enum { SCENES = 12 };
static const char json[] = "Content-Type: application/json\r\n", query[] = "{\"terms\":[{\"id\":3}],\"n\":5}";

static test_world *world;

static int setup(void **state)
{
    (void)state;
    world = test_world_of_scenes(SCENES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_world_free(world);
    return 0;
}

static void does(const char *sql)
{
    free(store_place_ask(world->library, sql));
}

static void test_a_count_that_cannot_be(void **state)
{
    (void)state;
    static const char *const ways[] = {"--fold", "--unhub"};
    char *picture = test_world_path(world, "scene1.png");
    does("UPDATE memelens.library SET pictures = 4611686018427387905");
    for (size_t i = 0; i < 2; i++) {
        test_run run = test_world_expect(world, 2, "search", picture, ways[i], NULL);
        assert_non_null(strstr(run.err.data, "the database gives a number that cannot be: 4611686018427387905"));
        assert_ptr_equal(strchr(run.err.data, '\n') + 1, run.err.data + strlen(run.err.data));
        test_run_free(&run);
    }
    does("UPDATE memelens.library SET pictures = 12");
    test_run run = test_world_expect(world, 0, "search", picture, "--fold", NULL);
    test_run_free(&run);
    free(picture);
}

static void expect_form(const test_serving *serving, int status, const lens_buffer *form)
{
    test_reply reply = test_serving_ask(serving, "POST", "/api/search", "Content-Type: multipart/form-data; boundary=part\r\n", form->data, form->size);
    if (reply.status != status)
        fail_msg("%d: %s", reply.status, reply.body.data ? reply.body.data : "");
    test_reply_free(&reply);
}

/* What a server knows of a model is what it was. */
static void test_vectors_that_grow(void **state)
{
    (void)state;
    does("ALTER TABLE memelens.vector_1 ALTER exact TYPE vector"); /* before, as plans are kept that would know it */
    test_serving serving = test_serving_start(world, NULL);
    char *path = test_world_path(world, "scene1.png");
    lens_buffer picture = test_read(path), form = {0};
    assert_int_equal(lens_buffer_print(&form, "--part\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n"), 0);
    assert_int_equal(lens_buffer_append(&form, picture.data, picture.size) | lens_buffer_print(&form, "\r\n--part--\r\n"), 0);
    expect_form(&serving, 200, &form);
    test_serving_expect(&serving, 200, "POST", "/api/search", json, query);
    does("UPDATE memelens.vector_1 SET exact = (SELECT array_agg(0.0079::real)::vector FROM generate_series(1, 16000)); UPDATE memelens.model SET dim = 16000");
    for (int i = 0; i < 20; i++)
        test_serving_expect(&serving, 422, "POST", "/api/search", json, query);
    test_serving_expect(&serving, 422, "POST", "/api/search", json, "{\"terms\":[{\"id\":3}],\"n\":5,\"fold\":true}");
    /* The same picture once more, of which the vector is kept, after the new dimensions have come round. */
    does("UPDATE memelens.library SET change = change + 1");
    for (int i = 0; i < 5; i++, usleep(300000))
        expect_form(&serving, 422, &form);
    test_serving_expect(&serving, 200, "GET", "/healthz", "", NULL);
    test_serving_stop(&serving);
    lens_buffer_free(&picture);
    lens_buffer_free(&form);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_count_that_cannot_be), cmocka_unit_test(test_vectors_that_grow)};
    return store_place_run_server_group(tests, setup, teardown);
}
