/* `memelens embed` on a picture of every format: the same scene gives nearly the same vector, whatever it was saved as. */
#include "world.h"

static float *embed(const test_world *world, const char *path)
{
    test_run run = test_world_expect(world, 0, "embed", "--precision", "f32", "--json", path, NULL);
    json_t *lines = test_json_lines(&run.out);
    const json_t *vector = json_object_get(json_array_get(lines, 0), "vector");
    size_t dim = json_array_size(vector);
    float *values = calloc(dim + 1, sizeof *values);
    assert_non_null(values);
    assert_int_equal(dim, 1280);
    for (size_t i = 0; i < dim; i++)
        values[i] = (float)json_number_value(json_array_get(vector, i));
    json_decref(lines);
    test_run_free(&run);
    return values;
}

static double cosine(const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < 1280; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static bool is_grey(test_kind kind)
{
    return kind == TEST_JPEG_GREY || kind == TEST_PNG_GREY || kind == TEST_PGM || kind == TEST_PNG_GREY_ALPHA;
}

static void test_every_format(void **state)
{
    const test_world *world = *state;
    char *plain = test_path(world->folder, "plain.png");
    for (int kind = 0; kind < TEST_KINDS; kind++) {
        /* What the decoder ought to make of it, as a PNG: where colours, alpha or loss are part of the format, so are they there. */
        lens_image scene = test_scene_of((test_kind)kind, 160, 120, 5);
        lens_buffer png = test_png_of(&scene);
        test_write(plain, png.data, png.size);
        float *expected = embed(world, plain);
        char name[64];
        snprintf(name, sizeof name, "%s.dat", test_kind_name((test_kind)kind)); /* an ending that tells nothing */
        char *path = test_path(world->folder, "%s", name);
        test_picture_write(path, (test_kind)kind, 160, 120, 5);
        float *vector = embed(world, path);
        double found = cosine(vector, expected);
        /* Random weights make other pictures' vectors alike too, so this asks for much. */
        double least = test_kind_tolerance((test_kind)kind) == 0 ? 0.9999999 : is_grey((test_kind)kind) ? 0.999 : 0.99;
        if (!(found >= least))
            fail_msg("%s: cosine %.7f to the scene, expected %.7f", test_kind_name((test_kind)kind), found, least);
        free(vector), free(expected), free(path);
        lens_buffer_free(&png);
        lens_image_free(&scene);
    }
    printf("measured: %d forms of picture embedded\n", TEST_KINDS);
    free(plain);
}

static void test_orientation_is_applied(void **state)
{
    const test_world *world = *state;
    char *upright = test_path(world->folder, "upright.jpg"), *turned = test_path(world->folder, "turned.jpg");
    lens_buffer bytes = test_picture(TEST_JPEG_444, 160, 120, 5);
    test_write(upright, bytes.data, bytes.size);
    float *expected = embed(world, upright);
    for (int orientation = 2; orientation <= 8; orientation++) {
        lens_buffer other = test_picture_turned(TEST_JPEG_444, 160, 120, 5, orientation);
        test_write(turned, other.data, other.size);
        float *vector = embed(world, turned);
        assert_true(cosine(vector, expected) > 0.999);
        free(vector);
        lens_buffer_free(&other);
    }
    lens_buffer_free(&bytes);
    free(expected), free(upright), free(turned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_format),
        cmocka_unit_test(test_orientation_is_applied),
    };
    return cmocka_run_group_tests(tests, test_world_setup, test_world_teardown);
}
