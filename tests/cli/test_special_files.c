/* What is no ordinary file, wherever a file can be named: never waited for, and said in one line. And names of every kind. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serving.h"

/* Runs the program, which must end by itself, with 2 and one line that says WORDS. */
#define expect_refusal(world, words, ...) \
    do { \
        test_run run = test_world_run(world, __VA_ARGS__, NULL); \
        const char *end = strchr(run.err.data, '\n'); \
        if (run.status != 2 || !strstr(run.err.data, words) || !end || end[1]) \
            fail_msg("expected 2 and '%s': %d, %s", words, run.status, run.err.data); \
        test_run_free(&run); \
    } while (0)

static void test_in_the_tree(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "good.png", TEST_PNG, 1);
    char *fifo = test_world_path(world, "fifo.jpg"), *bare = test_world_path(world, "fifo"), *socket_path = test_world_path(world, "socket.jpg"),
         *link = test_world_path(world, "link.jpg"), *zero = test_world_path(world, "zero.jpg"), *endless = test_world_path(world, "endless.png");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(mkfifo(bare, 0600), 0);
    test_socket_make(socket_path);
    assert_int_equal(symlink("fifo", link), 0);
    assert_int_equal(symlink("/dev/zero", endless), 0);
    if (mknod(zero, S_IFCHR | 0600, makedev(1, 5)) != 0)
        printf("not root: without a device in the tree\n");
    test_run index = test_world_expect(world, 0, "index", "--json", "--model", "colour", world->pictures, NULL);
    json_t *lines = test_json_lines(&index.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), 1);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "failed"), 0); /* none of them is a file, whatever its name */
    json_decref(lines);
    test_run_free(&index);
    /* A picture that became a FIFO is gone. */
    char *good = test_world_path(world, "good.png");
    assert_int_equal(unlink(good) | mkfifo(good, 0600), 0);
    index = test_world_expect(world, 0, "index", "--json", NULL);
    lines = test_json_lines(&index.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "removed"), 1);
    json_decref(lines);
    test_run_free(&index);
    free(fifo), free(bare), free(socket_path), free(link), free(zero), free(endless), free(good);
}

static void test_named(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "good.png", TEST_PNG, 1);
    test_world_picture(world, "other.png", TEST_PNG, 2);
    char *good = test_world_path(world, "good.png"), *fifo = test_world_path(world, "fifo.jpg"), *listening = test_world_path(world, "socket.jpg");
    test_run index = test_world_expect(world, 0, "index", "-q", "--model", "colour", world->pictures, NULL);
    test_run_free(&index);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    test_socket_make(listening);
    static const char not_regular[] = "not a regular file";
    expect_refusal(world, not_regular, "search", fifo);
    expect_refusal(world, not_regular, "search", "/dev/zero");
    expect_refusal(world, not_regular, "embed", fifo, "--model", "colour");
    expect_refusal(world, not_regular, "embed", "/dev/zero", "--model", "colour");
    expect_refusal(world, "socket.jpg", "embed", listening, "--model", "colour");
    expect_refusal(world, "neither a folder nor a regular file", "index", fifo);
    /* Captions are refused before pictures are encoded. */
    test_world_picture(world, "late.png", TEST_PNG, 3);
    expect_refusal(world, not_regular, "index", "--captions", fifo);
    expect_refusal(world, not_regular, "index", "--captions", "/dev/zero");
    expect_refusal(world, "is a folder", "index", "--captions", world->pictures);
    index = test_world_expect(world, 0, "index", "-q", "--json", NULL);
    json_t *reports = test_json_lines(&index.out);
    assert_int_equal(test_json_integer(json_array_get(reports, 0), "indexed"), 1);
    json_decref(reports);
    test_run_free(&index);
    expect_refusal(world, not_regular, "compare", fifo, "--pictures", world->pictures, "--model", "colour");
    expect_refusal(world, "fifo.jpg", "status", "--library", fifo);
    expect_refusal(world, "fifo.jpg", "serve", "--token-file", fifo);
    expect_refusal(world, "fifo.jpg", "embed", good, "--model", fifo);
    /* A model with a FIFO where its configuration, or its weights, should be. */
    char *config = test_path(world->models, "efficientnet-lite0/config.json"), *weights = test_path(world->models, "efficientnet-lite0/model.safetensors"),
         *kept = test_path(world->folder, "kept.json");
    assert_int_equal(rename(config, kept) | mkfifo(config, 0600), 0);
    expect_refusal(world, "config.json: not a regular file", "embed", good, "--model", "efficientnet-lite0");
    assert_int_equal(rename(kept, config) | unlink(weights) | mkfifo(weights, 0600), 0);
    expect_refusal(world, "model.safetensors: not a regular file", "embed", good, "--model", "efficientnet-lite0");
    /* Captions beside a picture that are none. */
    char *beside = test_world_path(world, "good.png.txt");
    assert_int_equal(mkfifo(beside, 0600), 0);
    index = test_world_expect(world, 0, "index", "-q", NULL);
    test_run_free(&index);
    free(good), free(fifo), free(listening), free(config), free(weights), free(kept), free(beside);
}

/* Files of the kernel say a size of 0 and have contents, and some have no end. */
static void test_files_of_the_kernel(void **state)
{
    const test_world *world = *state;
    expect_refusal(world, "/proc/cpuinfo: not a picture", "embed", "--model", "colour", "/proc/cpuinfo");
    expect_refusal(world, "/proc/self/mem", "embed", "--model", "colour", "/proc/self/mem");
    char *sparse = test_world_path(world, "sparse.jpg");
    test_write(sparse, "\xff\xd8\xff", 3);
    assert_int_equal(truncate(sparse, (off_t)1 << 40), 0);
    expect_refusal(world, "more than the", "embed", "--model", "colour", sparse);
    free(sparse);
}

static void test_names(void **state)
{
    const test_world *world = *state;
    char longest[256], japanese[256] = "", invalid[256];
    memset(longest, 'a', 255);
    memcpy(longest + 251, ".png", 5);
    for (int i = 0; i < 83; i++)
        strcat(japanese, "\xe3\x81\x82");
    strcat(japanese, "ab.png");
    memset(invalid, 0xff, 255);
    memcpy(invalid + 251, ".png", 5);
    const char *names[] = {longest, japanese, invalid, "new\nline.png", "tab\there.png", "--help.png", "-0.png", "\x1b[2Jclears\x07.png", "\xc2\x9b" "31m.png", " .png", "id:1.png"};
    enum { NAMES = sizeof names / sizeof *names };
    for (unsigned i = 0; i < NAMES; i++)
        test_world_picture(world, names[i], TEST_PNG, i);
    char *broken = test_world_path(world, "\x1b[31mbroken\n.png");
    test_write(broken, "none", 4);
    test_run index = test_world_expect(world, 0, "index", "--json", "--model", "colour", world->pictures, NULL);
    json_t *lines = test_json_lines(&index.out);
    assert_int_equal(test_json_integer(json_array_get(lines, 0), "indexed"), NAMES);
    json_decref(lines);
    assert_null(memchr(index.err.data, '\x1b', index.err.size)); /* nothing that a terminal would obey */
    test_run_free(&index);
    for (unsigned i = 0; i < NAMES; i++) {
        char *path = test_world_path(world, names[i]);
        test_run run = test_world_expect(world, 0, "search", "--json", "-n", "1", path, NULL);
        lines = test_json_lines(&run.out);
        const json_t *found = json_array_get(lines, 0);
        if (names[i] == invalid)
            assert_non_null(json_object_get(found, "path_base64"));
        else
            assert_string_equal(json_string_value(json_object_get(found, "path")), path);
        json_decref(lines);
        test_run_free(&run);
        run = test_world_expect(world, 0, "search", "-0", "-n", "1", path, NULL); /* for xargs: the bytes themselves */
        assert_int_equal(run.out.size, strlen(path) + 1);
        assert_memory_equal(run.out.data, path, run.out.size);
        test_run_free(&run);
        free(path);
    }
    free(broken);
}

/* The vectors are mapped: what is cut off is missed only when it is looked at. */
static void test_a_library_cut_short_in_use(void **state)
{
    const test_world *world = *state;
    for (unsigned i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "%u.png", i);
        test_world_picture(world, name, TEST_PNG, i);
    }
    test_run index = test_world_expect(world, 0, "index", "-q", "--model", "colour", world->pictures, NULL);
    test_run_free(&index);
    test_serving serving = test_serving_start(world, NULL);
    test_serving_expect(&serving, 200, "GET", "/api/pictures/1/similar", "", NULL);
    char *vectors = test_path(world->library, "colour-1.vectors");
    assert_int_equal(truncate(vectors, 0), 0);
    test_reply reply = test_serving_ask(&serving, "GET", "/api/pictures/2/similar", "", NULL, 0);
    assert_int_equal(reply.status, 0);
    test_reply_free(&reply);
    int status;
    assert_int_equal(waitpid(serving.pid, &status, 0), serving.pid);
    char said[4096];
    const ssize_t size = read(serving.out, said, sizeof said - 1);
    said[size > 0 ? size : 0] = '\0';
    close(serving.out);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 2 || !strstr(said, "colour-1.vectors: was cut short while it was in use"))
        fail_msg("it ended with %x: %s", status, said);
    free(vectors);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, test_world_setup, test_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_in_the_tree),
        WORLD_TEST(test_named),
        WORLD_TEST(test_files_of_the_kernel),
        WORLD_TEST(test_names),
        WORLD_TEST(test_a_library_cut_short_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
