/* Everything that can be wrong with what the program is given: a clear line each, and the rest goes on. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights.h"
#include "world.h"

static void write_picture_file(const test_world *world, const char *name, const void *bytes, size_t size)
{
    char *path = test_world_path(world, name);
    test_write(path, bytes, size);
    free(path);
}

/* The line of `status --failed` for NAME must hold WORDS; the run that met it first must have said so too. */
static void expect_failure(const lens_buffer *failed, const lens_buffer *said, const char *name, const char *words)
{
    const char *line = strstr(failed->data, name);
    if (!line)
        fail_msg("%s is not among the failed:\n%s", name, failed->data);
    size_t length = strcspn(line, "\n");
    char text[1024];
    snprintf(text, sizeof text, "%.*s", (int)length, line);
    if (!strstr(text, words))
        fail_msg("expected '%s' in: %s", words, text);
    if (!strstr(said->data, name))
        fail_msg("%s was not named by index:\n%s", name, said->data);
}

static void test_one_bad_file_of_each_kind(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "good.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "misnamed.png", TEST_JPEG_420, 2);     /* a JPEG all the same: it is read */
    test_world_picture(world, "no-ending", TEST_PNG, 3);             /* so is this */
    test_world_picture(world, "bad name \xff.webp", TEST_WEBP, 4);   /* and this */
    write_picture_file(world, "notes.txt", "just words", 10);        /* no picture, and promises none: no word about it */
    write_picture_file(world, "empty.jpg", "", 0);
    write_picture_file(world, "words.jpg", "just words", 10);
    lens_buffer bomb = test_png_bomb(60000, 60000);
    write_picture_file(world, "bomb.png", bomb.data, bomb.size);
    lens_buffer_free(&bomb);
    const test_kind kinds[] = {TEST_JPEG_420, TEST_PNG, TEST_WEBP, TEST_GIF, TEST_TIFF_LZW};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        lens_buffer whole = test_picture(kinds[i], 160, 120, 9);
        char name[64];
        snprintf(name, sizeof name, "cut%s", test_kind_ending(kinds[i]));
        write_picture_file(world, name, whole.data, whole.size / 2);
        lens_buffer_free(&whole);
    }
    char *loop = test_world_path(world, "loop.jpg"), *around = test_world_path(world, "around"), *fifo = test_world_path(world, "fifo.jpg"),
         *dangling = test_world_path(world, "dangling.png");
    assert_int_equal(symlink("loop.jpg", loop), 0);
    assert_int_equal(symlink(".", around), 0); /* a folder that holds itself */
    assert_int_equal(symlink("nowhere", dangling), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    test_world_picture(world, "secret.jpg", TEST_JPEG_420, 5);
    char *secret = test_world_path(world, "secret.jpg");
    assert_int_equal(chmod(secret, 0), 0);
    test_world_as_nobody(*state);

    test_run index = test_world_expect(world, 0, "index", "--json", world->pictures, NULL);
    json_t *lines = test_json_lines(&index.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), 4);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "failed"), 11);
    json_decref(lines);

    test_run failed = test_world_expect(world, 0, "status", "--failed", NULL);
    expect_failure(&failed.out, &index.err, "empty.jpg", "empty");
    expect_failure(&failed.out, &index.err, "words.jpg", "not a picture");
    expect_failure(&failed.out, &index.err, "bomb.png", "60000 x 60000");
    expect_failure(&failed.out, &index.err, "cut.jpg", "truncated");
    expect_failure(&failed.out, &index.err, "cut.png", "PNG");
    expect_failure(&failed.out, &index.err, "cut.webp", "WebP");
    expect_failure(&failed.out, &index.err, "cut.gif", "GIF");
    expect_failure(&failed.out, &index.err, "cut.tif", "TIFF");
    expect_failure(&failed.out, &index.err, "loop.jpg", "symbolic link");
    expect_failure(&failed.out, &index.err, "dangling.png", "symbolic link");
    expect_failure(&failed.out, &index.err, "secret.jpg", "Permission denied");
    assert_null(strstr(failed.out.data, "notes.txt"));
    assert_null(strstr(failed.out.data, "fifo"));
    test_run_free(&failed);
    test_run_free(&index);

    /* What failed is remembered, not tried and told again; what may pass is. */
    index = test_world_expect(world, 0, "index", "--json", NULL);
    lines = test_json_lines(&index.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "unchanged"), 4);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "failed"), 11);
    assert_null(strstr(index.err.data, "bomb.png"));
    json_decref(lines);
    test_run_free(&index);

    /* Repaired, it comes in. */
    test_world_picture(world, "cut.jpg", TEST_JPEG_420, 9);
    index = test_world_expect(world, 0, "index", "--json", NULL);
    lines = test_json_lines(&index.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), 1);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "failed"), 10);
    json_decref(lines);
    test_run_free(&index);
    test_run check = test_world_expect(world, 0, "check", NULL);
    test_run_free(&check);
    free(loop), free(around), free(fifo), free(dangling), free(secret);
}

static void test_a_good_picture_that_turns_bad_leaves_the_results(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    test_world_picture(world, "b.jpg", TEST_JPEG_420, 2);
    json_decref(test_world_index(world));
    write_picture_file(world, "a.jpg", "gone", 4);
    json_decref(test_world_index(world));
    char *b = test_world_path(world, "b.jpg");
    test_run run = test_world_expect(world, 0, "search", "--paths", b, NULL);
    assert_int_equal(run.out.size, strlen(b) + 1);
    test_run_free(&run);
    free(b);
}

/* Every model fault is one line on stderr that names the file and what is wrong. */
static void expect_model_error(const test_world *world, const char *file, const char *words)
{
    test_run run = test_world_expect(world, 2, "index", world->pictures, NULL);
    if (!strstr(run.err.data, file) || !strstr(run.err.data, words))
        fail_msg("expected '%s' and '%s' in: %s", file, words, run.err.data);
    size_t lines = 0;
    for (size_t i = 0; i < run.err.size; i++)
        lines += run.err.data[i] == '\n';
    assert_int_equal(lines, 1);
    test_run_free(&run);
}

static void test_models_that_are_not_whole(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    char *weights = test_path(world->models, "efficientnet-lite0/model.safetensors");
    char *config = test_path(world->models, "efficientnet-lite0/config.json");
    lens_buffer whole = test_read(weights), text = test_read(config);

    test_write(weights, whole.data, whole.size - 1000);
    expect_model_error(world, "model.safetensors", "");
    const test_faults missing = {.omit = "conv_head.weight"}, bent = {.reshape = "blocks.2.1.conv_dw.weight"},
                      broken = {.nan_in = "bn2.running_mean"};
    test_efficientnet_write(weights, 1, &missing);
    expect_model_error(world, "model.safetensors", "conv_head.weight");
    test_efficientnet_write(weights, 1, &bent);
    expect_model_error(world, "model.safetensors", "blocks.2.1.conv_dw.weight");
    test_efficientnet_write(weights, 1, &broken);
    expect_model_error(world, "model.safetensors", "bn2.running_mean");
    /* A header that lies about where a tensor is. */
    char *offset = strstr(whole.data + 8, "\"data_offsets\":[");
    assert_non_null(offset);
    offset[strcspn(offset, "[") + 1] ^= 1;
    test_write(weights, whole.data, whole.size);
    expect_model_error(world, "model.safetensors", "");
    offset[strcspn(offset, "[") + 1] ^= 1;
    test_write(weights, whole.data, whole.size);
    /* A configuration that contradicts the weights. */
    char *architecture = strstr(text.data, "lite0");
    assert_non_null(architecture);
    architecture[4] = '2';
    test_write(config, text.data, text.size);
    expect_model_error(world, "model.safetensors", "blocks.");
    test_write(config, "{", 1);
    expect_model_error(world, "config.json", "");
    assert_int_equal(unlink(config), 0);
    expect_model_error(world, "config.json", "");

    test_run run = test_world_expect(world, 2, "index", "--model", "clip-vit-z", world->pictures, NULL);
    assert_non_null(strstr(run.err.data, "not in the catalogue"));
    test_run_free(&run);
    lens_buffer_free(&whole), lens_buffer_free(&text);
    free(weights), free(config);
}

static void test_a_model_that_is_not_here_says_how_to_get_it(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    char *away = test_path(world->folder, "away");
    assert_int_equal(rename(world->models, away), 0);
    test_run run = test_world_expect(world, 2, "index", world->pictures, NULL);
    assert_non_null(strstr(run.err.data, "memelens pull efficientnet-lite0"));
    test_run_free(&run);
    assert_int_equal(rename(away, world->models), 0);
    free(away);
}

static void test_libraries_that_cannot_be_used(void **state)
{
    const test_world *world = *state;
    test_run run = test_world_expect(world, 2, "search", "id:1", NULL);
    assert_non_null(strstr(run.err.data, world->library));
    test_run_free(&run);

    test_world_picture(world, "a.jpg", TEST_JPEG_420, 1);
    json_decref(test_world_index(world));
    char *database = test_path(world->library, "library.db");
    sqlite3 *db;
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 9999", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    run = test_world_expect(world, 2, "search", "id:1", NULL);
    assert_non_null(strstr(run.err.data, "9999"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "index", NULL);
    assert_non_null(strstr(run.err.data, "9999"));
    test_run_free(&run);

    test_write(database, "this is no database, however long one looks at it", 50);
    run = test_world_expect(world, 2, "status", NULL);
    assert_non_null(strstr(run.err.data, "library.db"));
    test_run_free(&run);
    free(database);
}

/* A disk of its own, where one can be made, that has room for the first pictures only; and then for all. */
static void test_a_full_disk_keeps_what_was_done(void **state)
{
    enum { DONE = 12, MORE = 100 };
    static const char script[] = "mount -t tmpfs -o size=600k none \"$MEMELENS_LIBRARY\" || exit 77; cd \"$1\"; shift\n"
                                 "\"$@\" index -q 0*.jpg || exit 3\n"
                                 "\"$@\" index .; [ $? -eq 2 ] || exit 4\n"
                                 "\"$@\" search --paths -n1 000.jpg | grep -q /000.jpg || exit 5\n"
                                 "\"$@\" check || exit 6\n"
                                 "mount -o remount,size=8m none \"$MEMELENS_LIBRARY\"\n"
                                 "\"$@\" index --json . && \"$@\" check || exit 7\n";
    const test_world *world = *state;
    lens_error err = {0};
    test_world_pictures(world, 0, DONE);
    test_world_pictures(world, 100, MORE);
    assert_done(lens_folder_make(world->library, &err), &err);
    const char *argv[] = {"/bin/sh", "-c", "exec unshare -m sh -c \"$@\"", "sh", script, "sh", world->pictures, test_program(), NULL};
    test_run run = test_run_program(argv, test_world_environment(world), NULL);
    if (run.status == 77 || (run.status != 0 && strstr(run.err.data, "unshare: "))) {
        test_run_free(&run);
        printf("skipped: no small disk can be made here\n");
        fflush(stdout);
        skip();
    }
    if (run.status != 0 || !strstr(run.err.data, world->library))
        fail_msg("exit %d: %s%s", run.status, run.out.data, run.err.data);
    json_t *lines = test_json_lines(&run.out);
    const json_t *report = json_array_get(lines, 0);
    assert_true(test_json_integer(report, "unchanged") >= DONE);
    assert_true(test_json_integer(report, "indexed") > 0);
    assert_int_equal(test_json_integer(report, "indexed") + test_json_integer(report, "unchanged"), DONE + MORE);
    json_decref(lines);
    test_run_free(&run);
}

static void test_paths_that_are_not_there(void **state)
{
    const test_world *world = *state;
    test_run run = test_world_expect(world, 2, "index", "/no/such/folder", NULL);
    assert_non_null(strstr(run.err.data, "/no/such/folder: no such file or folder"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "index", NULL);
    assert_non_null(strstr(run.err.data, "no folder is known yet"));
    test_run_free(&run);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, test_world_setup, test_world_teardown)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_one_bad_file_of_each_kind),
        WORLD_TEST(test_a_good_picture_that_turns_bad_leaves_the_results),
        WORLD_TEST(test_models_that_are_not_whole),
        WORLD_TEST(test_a_model_that_is_not_here_says_how_to_get_it),
        WORLD_TEST(test_libraries_that_cannot_be_used),
        WORLD_TEST(test_a_full_disk_keeps_what_was_done),
        WORLD_TEST(test_paths_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
