/* What only a terminal sees: the progress bar and pictures; and what else is run by hand: bench, plain duplicates, status. */
#include <unistd.h>

#include "world.h"

/* Runs WORDS, a shell command, on a terminal of TERM's kind; its output and errors come as one. */
static test_run on_terminal(const test_world *world, const char *term, const char *words)
{
    char command[8192], kind[64];
    snprintf(command, sizeof command, "exec script -qec \"\\\"\\${MEMELENS_PROGRAM:-build/memelens}\\\" %s\" /dev/null", words);
    snprintf(kind, sizeof kind, "TERM=%s", term);
    const char *environment[16];
    size_t count = 0;
    for (const char *const *entry = test_world_environment(world); *entry; entry++)
        if (strncmp(*entry, "TERM=", 5) != 0)
            environment[count++] = *entry;
    environment[count++] = kind;
    environment[count] = NULL;
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    return test_run_program(argv, environment, NULL);
}

static void test_a_progress_bar_on_a_terminal_only(void **state)
{
    const test_world *world = *state;
    test_need_terminal();
    for (unsigned i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "%02u.jpg", i);
        test_world_picture(world, name, TEST_JPEG_420, i);
    }
    char words[4200];
    snprintf(words, sizeof words, "index '%s'", world->pictures);
    test_run run = on_terminal(world, "xterm", words);
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out.data, " of 40"));
    assert_non_null(strstr(run.out.data, "40 indexed"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "forget", "--all", NULL);
    test_run_free(&run);
    run = test_world_expect(world, 0, "index", world->pictures, NULL);
    assert_null(strstr(run.err.data, " of 40"));
    assert_null(strchr(run.err.data, '\x1b'));
    test_run_free(&run);
    /* A line that is longer than the terminal is wide goes on in the next, and is not cleared: each step would stay. */
    run = test_world_expect(world, 0, "forget", "--all", NULL);
    test_run_free(&run);
    snprintf(words, sizeof words, "--version; stty cols 20; \\\"\\${MEMELENS_PROGRAM:-build/memelens}\\\" index '%s'", world->pictures);
    run = on_terminal(world, "xterm", words);
    assert_int_equal(run.status, 0);
    int steps = 0;
    for (const char *at = run.out.data; (at = strstr(at, "\x1b[K")); at += 3)
        if (at[3] == ' ') {
            steps++;
            assert_in_range(strcspn(at + 3, "\r\n"), 1, 19);
        }
    assert_true(steps > 0);
    test_run_free(&run);
}

static void test_previews(void **state)
{
    const test_world *world = *state;
    test_need_terminal();
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    json_decref(test_world_index(world));
    test_run run = on_terminal(world, "xterm-256color", "search --preview id:1");
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out.data, "\x1b["));
    assert_non_null(strstr(run.out.data, "a.jpg"));
    test_run_free(&run);
    run = on_terminal(world, "dumb", "search --preview id:1");
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out.data, "a.jpg"));
    assert_null(strchr(run.out.data, '\x1b'));
    test_run_free(&run);
    run = test_world_expect(world, 0, "search", "--preview", "id:1", NULL); /* into a pipe */
    assert_null(strchr(run.out.data, '\x1b'));
    test_run_free(&run);
}

static void test_a_path_cannot_steer_the_terminal(void **state)
{
    const test_world *world = *state;
    test_need_terminal();
    test_world_picture(world, "red \x1b[31m.jpg", TEST_JPEG_420, 1);
    json_decref(test_world_index(world));
    test_run run = on_terminal(world, "xterm", "search --paths id:1");
    assert_null(strchr(run.out.data, '\x1b'));
    assert_non_null(strstr(run.out.data, "\\x1b[31m"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "search", "--paths", "id:1", NULL); /* a pipe gets the bytes */
    assert_non_null(strchr(run.out.data, '\x1b'));
    test_run_free(&run);
}

static void test_labels_cannot_steer_the_terminal(void **state)
{
    const test_world *world = *state;
    test_need_terminal();
    char *folder = test_world_path(world, "red \x1b[31m"), *queries = test_path(world->folder, "q.tsv"), words[4096];
    assert_int_equal(lens_folder_make(folder, NULL), 0);
    test_world_picture(world, "red \x1b[31m/a.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "red \x1b[31m/b.jpg", TEST_JPEG_420, 2);
    static const char table[] = "query\texpected\npictures/red \x1b[31m/a.jpg\tred \x1b[31m\n";
    test_write(queries, table, sizeof table - 1);
    snprintf(words, sizeof words, "compare --quiet --markdown '%s' --pictures '%s' --model colour --work '%s/work'", queries, world->pictures, world->folder);
    test_run run = on_terminal(world, "xterm", words);
    assert_null(strstr(run.out.data, "\x1b[31m"));
    assert_non_null(strstr(run.out.data, "\\x1b[31m"));
    test_run_free(&run);
    free(folder);
    free(queries);
}

static void test_bench_and_plain_answers(void **state)
{
    const test_world *world = *state;
    test_run run = test_world_expect(world, 0, "bench", "--json", "--precision", "f32", "--seconds", "0.1", "--batch", "3", "--threads", "2", NULL);
    json_t *lines = test_json_lines(&run.out);
    const json_t *line = json_array_get(lines, 0);
    assert_int_equal(test_json_integer(line, "batch"), 3);
    assert_int_equal(test_json_integer(line, "threads"), 2);
    assert_string_equal(json_string_value(json_object_get(line, "precision")), "f32");
    assert_true(json_real_value(json_object_get(line, "pictures_per_second")) > 0);
    json_decref(lines);
    test_run_free(&run);

    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 1);
    char *broken = test_world_path(world, "broken.jpg");
    test_write(broken, "no", 2);
    json_decref(test_world_index(world));
    run = test_world_expect(world, 0, "duplicates", NULL);
    assert_non_null(strstr(run.out.data, "the same file: 2 pictures"));
    assert_non_null(strstr(run.out.data, "160x120"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "status", NULL);
    assert_non_null(strstr(run.out.data, "1 that could not be read"));
    test_run_free(&run);
    run = test_world_expect(world, 0, "status", "--failed", "--json", NULL);
    lines = test_json_lines(&run.out);
    assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 0), "path")), broken);
    json_decref(lines);
    test_run_free(&run);
    free(broken);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, test_world_setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_progress_bar_on_a_terminal_only),
        WORLD_TEST(test_previews),
        WORLD_TEST(test_a_path_cannot_steer_the_terminal),
        WORLD_TEST(test_labels_cannot_steer_the_terminal),
        WORLD_TEST(test_bench_and_plain_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
