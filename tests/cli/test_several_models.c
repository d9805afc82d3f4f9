/* Libraries of several models, as a person sees them: each has what it can, and none takes anything from the others. */
#include <errno.h>
#include <unistd.h>

#include "weights.h"
#include "world.h"

static void test_several_models_in_one_library(void **state)
{
    const test_world *world = *state;
    test_world_five_pictures(world);
    test_world_expect_report(world, 5, 0, 0, 0, 0);
    test_run run = test_world_expect(world, 0, "index", "--json", "--model", "efficientnet-lite0@64", "--model",
                                     "efficientnet-lite0@squash", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), 5);
    json_decref(lines);
    test_run_free(&run);
    test_world_picture(world, "f.jpg", TEST_JPEG_420, 6); /* a run without --model serves all three */
    test_world_expect_report(world, 1, 5, 0, 0, 0);
    run = test_world_expect(world, 0, "status", "--json", NULL);
    lines = test_json_lines(&run.out);
    const json_t *models = json_object_get(json_array_get(lines, 0), "models");
    assert_int_equal(json_array_size(models), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(test_json_integer(json_array_get(models, i), "vectors"), 6);
    json_decref(lines);
    test_run_free(&run);
    char *query = test_world_path(world, "c.webp");
    run = test_world_expect(world, 0, "search", "--model", "efficientnet-lite0@64", "--paths", "-n1", query, NULL);
    assert_memory_equal(run.out.data, query, strlen(query));
    test_run_free(&run);
    run = test_world_expect(world, 2, "search", "--model", "efficientnet-lite0@pad", query, NULL);
    assert_non_null(strstr(run.err.data, "not indexed with efficientnet-lite0@pad"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "forget", "--model", "efficientnet-lite0@64", NULL);
    test_run_free(&run);
    run = test_world_expect(world, 2, "search", "--model", "efficientnet-lite0@64", query, NULL);
    test_run_free(&run);
    test_world_expect_no_fault(world);
    free(query);
}

/* The vectors that MODEL has, and whether it is told to be here. */
static void expect_model(const test_world *world, const char *name, long vectors, bool present)
{
    test_run run = test_world_expect(world, 0, "status", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    const json_t *model = NULL, *models = json_object_get(json_array_get(lines, 0), "models");
    for (size_t i = 0; i < json_array_size(models) && !model; i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(models, i), "model")), name) == 0)
            model = json_array_get(models, i);
    assert_non_null(model);
    assert_int_equal(test_json_integer(model, "vectors"), vectors);
    assert_int_equal(json_is_true(json_object_get(model, "present")), present);
    json_decref(lines);
    test_run_free(&run);
}

/* The others go on without it; once it is back, it has what came meanwhile. */
static void test_a_model_that_is_away_stops_no_other(void **state)
{
    const test_world *world = *state;
    char *folder = test_path(world->models, "efficientnet-lite0"), *away = test_path(world->folder, "away");
    test_world_five_pictures(world);
    test_world_expect_report(world, 5, 0, 0, 0, 0);
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", NULL);
    test_run_free(&run);
    assert_int_equal(rename(folder, away), 0);
    test_world_picture(world, "f.jpg", TEST_JPEG_420, 6);
    run = test_world_expect(world, 0, "index", NULL);
    const char *note = strstr(run.err.data, "efficientnet-lite0: this model is not here");
    assert_non_null(note);
    assert_non_null(strstr(note, "memelens pull"));
    assert_non_null(strstr(note, "memelens forget --model"));
    assert_null(strstr(note + 1, "efficientnet-lite0"));
    test_run_free(&run);
    expect_model(world, "colour", 6, true);
    expect_model(world, "efficientnet-lite0", 5, false);
    run = test_world_expect(world, 0, "status", NULL);
    assert_non_null(strstr(run.out.data, "(not there now)"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "index", "--model", "efficientnet-lite0", NULL); /* who names it means it */
    assert_non_null(strstr(run.err.data, "memelens pull efficientnet-lite0"));
    test_run_free(&run);
    test_world_expect_report(world, 0, 6, 0, 0, 0);
    assert_int_equal(rename(away, folder), 0);
    test_world_expect_report(world, 1, 5, 0, 0, 0);
    expect_model(world, "colour", 6, true);
    expect_model(world, "efficientnet-lite0", 6, true);
    test_world_expect_no_fault(world);

    /* One that is here and does not open is an error. */
    char *config = test_path(folder, "config.json");
    test_write(config, "{", 1);
    run = test_world_expect(world, 2, "index", NULL);
    assert_non_null(strstr(run.err.data, config));
    test_run_free(&run);
    /* And where no other is left, there is nothing to be done. */
    assert_int_equal(rename(folder, away), 0);
    run = test_world_expect(world, 0, "forget", "--model", "colour", NULL);
    test_run_free(&run);
    run = test_world_expect(world, 2, "index", NULL);
    assert_non_null(strstr(run.err.data, "memelens pull efficientnet-lite0"));
    assert_null(strstr(run.err.data, "goes on without it"));
    test_run_free(&run);
    free(config), free(folder), free(away);
}

/* What a search by MODEL finds like the picture at QUERY, best first, must be COUNT pictures, and FIRST (NULL: any) the first of them. The id of that. */
static long expect_with_model(const test_world *world, const char *model, const char *query, const char *first, size_t count)
{
    test_run run = test_world_expect(world, 0, "search", "--model", model, "--json", query, NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), count);
    if (first)
        assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 0), "path")), first);
    const long id = test_json_integer(json_array_get(lines, 0), "id");
    json_decref(lines);
    test_run_free(&run);
    return id;
}

/* What a further model cannot have, the others keep. */
static void test_a_model_that_cannot_take_a_picture(void **state)
{
    const test_world *world = *state;
    char *large = test_world_path(world, "large.jpg"), *small = test_world_path(world, "small.jpg");
    test_picture_write(large, TEST_JPEG_420, 1200, 1000, 3);
    test_world_picture(world, "small.jpg", TEST_JPEG_420, 4);
    test_run run = test_world_expect(world, 0, "index", "--model", "colour", world->pictures, NULL);
    test_run_free(&run);
    long id = 0;
    for (int i = 0; i < 2; i++) { /* and the next run tries again */
        run = test_world_expect(world, 0, "index", "--model", "colour@crop", "--max-megapixels", "1", NULL);
        assert_non_null(strstr(run.err.data, "large.jpg"));
        test_run_free(&run);
        id = expect_with_model(world, "colour", large, large, 2);
    }
    /* So they do where it has another name, where it is copied, and where it takes the place of another picture. */
    char *moved = test_world_path(world, "moved.jpg");
    assert_int_equal(rename(large, moved), 0);
    for (int i = 0; i < 3; i++) {
        if (i > 0)
            test_picture_write(i == 1 ? large : small, TEST_JPEG_420, 1200, 1000, 3);
        run = test_world_expect(world, 0, "index", "--json", "--max-megapixels", "1", NULL);
        assert_non_null(strstr(run.err.data, i == 0 ? "moved.jpg" : i == 1 ? "large.jpg" : "small.jpg"));
        json_t *lines = test_json_lines(&run.out);
        assert_int_equal(test_json_integer(json_array_get(lines, 0), "moved"), i == 0);
        assert_int_equal(test_json_integer(json_array_get(lines, 0), "failed"), i + 1);
        assert_int_equal(test_json_integer(json_array_get(lines, 0), "removed"), 0);
        json_decref(lines);
        test_run_free(&run);
        const long found = expect_with_model(world, "colour", moved, i < 2 ? moved : NULL, i == 0 ? 2 : 3);
        assert_true(i == 2 || found == id); /* in the end all are the same */
    }
    run = test_world_expect(world, 0, "index", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), 3);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "failed"), 0);
    json_decref(lines);
    test_run_free(&run);
    expect_with_model(world, "colour@crop", moved, NULL, 3);
    test_world_expect_no_fault(world);
    free(large), free(small), free(moved);
}

/* A picture that is too wide for a model that crops from so large a side. The path; the caller frees. */
static const char narrow_config[] = TEST_MODEL_CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":0.015");
static char *strip_picture(const test_world *world)
{
    enum { WIDE = 600000 }; /* pixels: resized to a side of 4066, it would be more than 2^31 wide */
    char *strip = test_world_path(world, "strip.ppm");
    lens_buffer bytes = {0};
    assert_int_equal(lens_buffer_print(&bytes, "P6\n%d 1\n255\n", (int)WIDE), 0);
    for (int i = 0; i < 3 * WIDE; i++)
        assert_int_equal(lens_buffer_append(&bytes, &(char){(char)(i / 9000)}, 1), 0);
    test_write(strip, bytes.data, bytes.size);
    lens_buffer_free(&bytes);
    return strip;
}

/* What failed for the first model is tried with a further one. */
static void test_a_model_that_can_take_what_failed(void **state)
{
    const test_world *world = *state;
    char *narrow = test_model_new(narrow_config, 1, NULL), *small = test_world_path(world, "small.jpg"), *strip = strip_picture(world);
    test_world_picture(world, "small.jpg", TEST_JPEG_420, 4);
    test_run run = test_world_expect(world, 0, "index", "--model", narrow, world->pictures, NULL);
    test_run_free(&run);
    assert_int_equal(test_world_status(world, "failed"), 1);
    for (int i = 0; i < 2; i++) {
        run = test_world_expect(world, 0, "index", "--model", "colour", NULL);
        test_run_free(&run);
        assert_int_equal(test_world_status(world, "failed"), 0);
        expect_with_model(world, "colour", strip, strip, 2);
        expect_with_model(world, narrow, small, small, 1);
    }
    test_world_expect_no_fault(world);
    test_folder_remove(narrow);
    free(small), free(strip);
}

/* Nor does it matter in which order they came: of a picture that is new to all, each has what it can. */
static void test_models_that_cannot_take_new_pictures(void **state)
{
    const test_world *world = *state;
    char *narrow = test_model_new(narrow_config, 1, NULL), *never = test_model_new(narrow_config, 2, &(test_faults){.zero = "bn2."});
    char *small = test_world_path(world, "small.jpg"), *strip = strip_picture(world);
    test_world_picture(world, "small.jpg", TEST_JPEG_420, 4);
    for (int i = 0; i < 2; i++) { /* and the next run tries again */
        test_run run = test_world_expect(world, 0, "index", "--json", "--model", never, "--model", "colour", "--model", narrow, world->pictures, NULL);
        json_t *lines = test_json_lines(&run.out);
        assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), i == 0 ? 2 : 0); /* by one model at least */
        assert_int_equal(test_json_integer(json_array_get(lines, 0), "failed"), 2);
        json_decref(lines);
        assert_non_null(strstr(run.err.data, "strip.ppm"));
        assert_non_null(strstr(run.err.data, "zero or not finite"));
        test_run_free(&run);
        assert_int_equal(test_world_status(world, "failed"), 0);
        expect_with_model(world, "colour", strip, strip, 2);
        expect_with_model(world, narrow, small, small, 1);
    }
    test_world_expect_no_fault(world);
    test_folder_remove(narrow), test_folder_remove(never);
    free(small), free(strip);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, test_world_setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_several_models_in_one_library),
        WORLD_TEST(test_a_model_that_is_away_stops_no_other),
        WORLD_TEST(test_a_model_that_cannot_take_a_picture),
        WORLD_TEST(test_a_model_that_can_take_what_failed),
        WORLD_TEST(test_models_that_cannot_take_new_pictures),
    };
    return store_place_run(tests);
}
