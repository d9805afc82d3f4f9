/* memelens tokenize: on a model folder without weights. */
#include "vocabulary.h"
#include "world.h"

/* A folder with a configuration and a vocabulary of CLIP's kind, and nothing more. */
static char *model_of(const test_world *world)
{
    static const char config[] = "{\"model_type\":\"clip\",\"projection_dim\":8,\"text_config\":{\"vocab_size\":527,\"max_position_embeddings\":9},"
                                 "\"vision_config\":{}}";
    char *folder = test_path(world->folder, "words");
    lens_error err = {0};
    assert_done(lens_folder_make(folder, &err), &err);
    lens_buffer vocabulary = test_clip_vocabulary(), merges = test_clip_merges();
    const struct {
        const char *name, *bytes;
        size_t size;
    } files[] = {{"config.json", config, sizeof config - 1},
                 {"vocab.json", vocabulary.data, vocabulary.size},
                 {"merges.txt", merges.data, merges.size}};
    for (size_t i = 0; i < 3; i++) {
        char *path = test_path(folder, "%s", files[i].name);
        test_write(path, files[i].bytes, files[i].size);
        free(path);
    }
    lens_buffer_free(&vocabulary);
    lens_buffer_free(&merges);
    return folder;
}

static void expect_output(test_run run, const char *out)
{
    assert_string_equal(run.out.data ? run.out.data : "", out);
    test_run_free(&run);
}

static void test_ids_of_strings(void **state)
{
    test_world *world = *state;
    char *model = model_of(world);
    expect_output(test_world_expect(world, 0, "tokenize", "--model", model, "--", "cat's hat", "", "-", NULL), "525 513 522 515 526\n525 526\n525 301 526\n");
    expect_output(test_world_expect(world, 0, "tokenize", "--json", "-m", model, "CAT \xe2\x80\x9c", NULL),
                  "{\"text\":\"CAT \xe2\x80\x9c\",\"ids\":[525,513,226,128,412,526]}\n");
    expect_output(test_world_expect(world, 0, "tokenize", "--json", "-m", model, "\xff", NULL), "{\"text_base64\":\"/w==\",\"ids\":[525,239,191,445,526]}\n");
    /* Cut at the configuration's nine. */
    expect_output(test_world_expect(world, 0, "tokenize", "-m", model, "1 1 1 1 1 1 1 1", NULL), "525 305 305 305 305 305 305 305 526\n");
    free(model);
}

static void test_ids_of_lines(void **state)
{
    test_world *world = *state;
    char *model = model_of(world);
    const char *argv[] = {test_program(), "tokenize", "--model", model, "--lines", NULL};
    lens_buffer input = {"cat\n\nhat", 8, 9};
    test_run run = test_run_program(argv, test_world_environment(world), &input);
    assert_int_equal(run.status, 0);
    expect_output(run, "525 513 526\n525 526\n525 515 526\n");
    lens_buffer with_nul = {"c\0t\nhat", 7, 8};
    run = test_run_program(argv, test_world_environment(world), &with_nul);
    assert_int_equal(run.status, 2);
    assert_non_null(strstr(run.err.data, "line 1 of standard input holds a NUL"));
    expect_output(run, "525 515 526\n");
    free(model);
}

static void test_mistakes(void **state)
{
    test_world *world = *state;
    char *model = model_of(world);
    static const char *const said[] = {"what? Name a text", "which tokenizer?", "efficientnet-lite0", "merges.txt: line 2"};
    test_run runs[4];
    runs[0] = test_world_expect(world, 2, "tokenize", "--model", model, NULL);
    runs[1] = test_world_expect(world, 2, "tokenize", "cat", NULL);
    runs[2] = test_world_expect(world, 2, "tokenize", "--model", "efficientnet-lite0", "cat", NULL);
    char *merges = test_path(model, "merges.txt");
    test_write(merges, "#version: 0.2\nc\n", 16);
    runs[3] = test_world_expect(world, 2, "tokenize", "--model", model, "cat", NULL);
    for (size_t i = 0; i < 4; i++) {
        if (!strstr(runs[i].err.data, said[i]))
            fail_msg("expected '%s' in: %s", said[i], runs[i].err.data);
        assert_ptr_equal(strchr(runs[i].err.data, '\n'), runs[i].err.data + runs[i].err.size - 1);
        assert_int_equal(runs[i].out.size, 0);
        test_run_free(&runs[i]);
    }
    free(merges);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ids_of_strings, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_ids_of_lines, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_mistakes, test_world_setup, test_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
