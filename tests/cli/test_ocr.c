/* memelens ocr: what is written in pictures is read once, found by words, and kept whatever happens to the pass. Skips itself where tesseract or its
 * English is not here. */
#include <signal.h>
#include <sys/wait.h>
#include <vips/vips.h>

#include "base/clock.h"
#include "processes.h"
#include "started.h"
#include "store/texts.h"
#include "support_store.h"
#include "texts_world.h"

/* Saves white letters on grey as pictures/NAME. */
static void draw(const test_world *world, const char *name, const char *text)
{
    enum { WIDTH = 420, HEIGHT = 120, LEFT = 20, TOP = 40 };
    VipsImage *letters = NULL;
    lens_image image = {.width = WIDTH, .height = HEIGHT, .rgb = malloc(WIDTH * HEIGHT * 3)};
    size_t size = 0;
    if (vips_text(&letters, text, "font", "sans bold 40", "dpi", 72, NULL) != 0)
        fail_msg("libvips draws no text: %s", vips_error_buffer());
    unsigned char *mask = vips_image_write_to_memory(letters, &size);
    const int width = letters->Xsize, height = letters->Ysize;
    assert_true(mask && size == (size_t)width * (size_t)height && width <= WIDTH - LEFT && height <= HEIGHT - TOP);
    memset(image.rgb, 60, WIDTH * HEIGHT * 3);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            memset(image.rgb + 3 * ((y + TOP) * WIDTH + x + LEFT), 60 + 195 * mask[y * width + x] / 255, 3);
    lens_buffer file = test_png_of(&image);
    char *path = test_world_path(world, name);
    test_write(path, file.data, file.size);
    free(path);
    lens_buffer_free(&file);
    g_free(mask);
    g_object_unref(letters);
    lens_image_free(&image);
}

/* Reads the library, failing the test unless READ pictures were, WITH_TEXT of them with text. */
static void expect_reading(const test_world *world, long read, long with_text)
{
    test_run run = test_world_expect(world, 0, "ocr", "-q", "--json", NULL);
    json_t *lines = test_json_lines(&run.out);
    const json_t *report = json_array_get(lines, 0);
    if (test_json_integer(report, "read") != read || test_json_integer(report, "with_text") != with_text)
        fail_msg("expected %ld read, %ld with text: %s", read, with_text, run.out.data);
    json_decref(lines);
    test_run_free(&run);
}

/* Skips the test, saying so, where nothing can be read. */
static void need_reader(const test_world *world)
{
    texts_world_index(world, 0, NULL);
    test_run run = test_world_run(world, "ocr", "-q", NULL);
    const bool here = run.status == 0;
    if (!here && !strstr(run.err.data, "tesseract"))
        fail_msg("ocr: %d: %s", run.status, run.err.data);
    if (!here)
        printf("skipped: %s", run.err.data);
    test_run_free(&run);
    if (!here)
        skip();
}

static void test_reading(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "mute.png", TEST_PNG, 11);
    need_reader(world);
    draw(world, "one.png", "ONE DOES NOT");
    draw(world, "mordor.png", "MORDOR");
    texts_world_index(world, 0, NULL);
    expect_reading(world, 2, 2);
    texts_world_expect(world, "one.png", "one does not");
    texts_world_expect(world, "mordor.png", "mordor");
    test_run run = test_world_expect(world, 0, "search", "--by", "text", "mordor", NULL);
    assert_non_null(strstr(run.out.data, "MORDOR\n")); /* the snippet, as it is written there */
    test_run_free(&run);
    /* Once is enough, also for a copy and a picture that was moved. */
    expect_reading(world, 0, 0);
    char *from = test_world_path(world, "one.png"), *to = test_world_path(world, "moved.png");
    assert_int_equal(rename(from, to), 0);
    draw(world, "copy.png", "MORDOR");
    texts_world_index(world, 0, NULL);
    expect_reading(world, 0, 0);
    texts_world_expect(world, "moved.png", "one does not");
    texts_world_expect(world, "mordor.png copy.png", "mordor");
    /* A picture that is another one now is read again, and what it said is gone. */
    draw(world, "moved.png", "SIMPLY");
    texts_world_index(world, 0, NULL);
    texts_world_expect(world, "", "one does not");
    expect_reading(world, 1, 1);
    texts_world_expect(world, "moved.png", "simply");
    /* One that has changed since it was indexed is passed by: what is in it is not what the library has. */
    draw(world, "moved.png", "WALK INTO");
    draw(world, "copy.png", "KEYBOARD");
    texts_world_index(world, 0, NULL);
    draw(world, "copy.png", "COFFEE NOW");
    run = test_world_expect(world, 0, "ocr", NULL);
    assert_non_null(strstr(run.err.data, "1 passed by"));
    test_run_free(&run);
    texts_world_expect(world, "", "coffee");
    texts_world_index(world, 0, NULL);
    expect_reading(world, 1, 1);
    texts_world_expect(world, "copy.png", "coffee");
    run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    free(from), free(to);
}

static void test_what_cannot_be_read(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "mute.png", TEST_PNG, 11);
    need_reader(world);
    test_run run = test_world_expect(world, 2, "ocr", "--ocr-lang", "xyz", NULL);
    assert_non_null(strstr(run.err.data, "xyz"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "ocr", "somewhere", NULL);
    assert_non_null(strstr(run.err.data, "takes no paths"));
    test_run_free(&run);
    test_world *empty = test_world_new();
    run = test_world_expect(empty, 2, "ocr", NULL);
    assert_non_null(strstr(run.err.data, "there is no library here"));
    test_run_free(&run);
    test_world_free(empty);
}

/* The languages of what was read last are those of the next reading that names none. */
static void test_languages_are_remembered(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "mute.png", TEST_PNG, 11);
    need_reader(world);
    expect_reading(world, 0, 0);
    test_run run = test_world_expect(world, 0, "ocr", "--ocr-lang", "eng+eng", NULL);
    assert_non_null(strstr(run.err.data, "1 pictures read"));
    test_run_free(&run);
    expect_reading(world, 0, 0);
    texts_world_index(world, 0, "--ocr", NULL);
    run = test_world_expect(world, 0, "ocr", "--ocr-lang", "eng+eng", NULL);
    assert_non_null(strstr(run.err.data, "nothing that was not read before"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "index", "--ocr-lang", "eng", NULL);
    assert_non_null(strstr(run.err.data, "without --ocr"));
    test_run_free(&run);
}

static void test_index_reads_too(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "mute.png", TEST_PNG, 11);
    need_reader(world);
    draw(world, "mordor.png", "MORDOR");
    texts_world_index(world, 0, "--ocr", NULL);
    texts_world_expect(world, "mordor.png", "mordor");
}

static void expect_said(const char *words, test_run run)
{
    if (!strstr(run.err.data, words))
        fail_msg("expected '%s' in: %s", words, run.err.data);
    test_run_free(&run);
}

static void test_pictures_of_any_size_that_is_let_in(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "mute.png", TEST_PNG, 11);
    need_reader(world);
    lens_buffer large = test_picture(TEST_PNG, 1200, 1000, 5);
    char *path = test_world_path(world, "large.png");
    test_write(path, large.data, large.size);
    texts_world_index(world, 0, NULL);
    expect_said("1 passed by, as their files have changed, are larger than --max-megapixels", test_world_expect(world, 0, "ocr", "--max-megapixels", "1", NULL));
    expect_said("1 passed by, as their files have changed, are larger than --max-megapixels", test_world_expect(world, 0, "index", "--ocr", "--max-megapixels", "1", NULL));
    expect_reading(world, 1, 0);
    lens_buffer_free(&large);
    free(path);
}

/* ---- a pass that is killed ---- */

enum { PICTURES = 192 /* some seconds of reading */ };

/* Draws PICTURES more and indexes them, TIME by time. */
static void draw_many(const test_world *world, unsigned time)
{
    for (unsigned i = 0; i < PICTURES; i++) {
        char name[32], text[32];
        snprintf(name, sizeof name, "%u%03u.png", time, i);
        snprintf(text, sizeof text, "NUMBER %c%c%c%c", 'A' + i / 16, 'H' + i / 4 % 4, 'M' + i % 4, 'R' + time);
        draw(world, name, text);
    }
    texts_world_index(world, 0, NULL);
}

/* With one thread: a quick machine reads a hundred of these in a second, which is as often as a pass keeps what it read. */
static test_started start_reading(const test_world *world)
{
    return test_start(world, "ocr", "-q", "-t1");
}

/* How many contents were read, of how many. */
static int64_t count_read(const test_world *world, int64_t *contents)
{
    lens_error err = {0};
    int64_t read, with_text;
    lens_store_counts counts;
    lens_store *store = test_store(world->library, LENS_STORE_READ);
    assert_done(lens_store_readings_count(store, NULL, &read, &with_text, &err), &err);
    assert_done(lens_store_count(store, &counts, &err), &err);
    lens_store_close(store);
    *contents = counts.contents;
    return read;
}

static bool has_ended(pid_t child)
{
    siginfo_t ended = {0};
    assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
    return ended.si_pid != 0;
}

/* Waits until more than BEFORE contents are kept as read, or CHILD ended; fails the test when that takes five minutes. */
static void wait_for_more(const test_world *world, pid_t child, int64_t before)
{
    int64_t contents;
    for (const double begun = lens_seconds(); count_read(world, &contents) <= before; lens_sleep(0.02)) {
        if (has_ended(child))
            return;
        if (lens_seconds() - begun > 300)
            fail_msg("no more than %lld pictures are read, and the pass goes on", (long long)before);
    }
}

static void test_kills(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "mute.png", TEST_PNG, 11);
    need_reader(world);
    draw_many(world, 0);
    int64_t kept = 1, contents = PICTURES + 1;
    unsigned times = 1;
    int kills = 0;
    for (; kills < 3 || kept == contents; kills++) {
        if (kept == contents) { /* this test was held up, and the pass was through before it was killed: again with more */
            assert_true(times < 8);
            draw_many(world, times++);
        }
        test_started pass = start_reading(world);
        wait_for_more(world, pass.pid, kept);
        lens_sleep(0.05 * kills);
        /* What reads is behind a front, and may be about to keep something; so may the server of a database. */
        pid_t worker = 0;
        const int workers = test_processes_below(pass.pid, TEST_ALIVE, &worker, 1);
        kill(pass.pid, SIGKILL);
        test_run run = test_started_wait(&pass);
        test_run_free(&run);
        if (workers > 0)
            test_process_wait_end(worker);
        store_place_settle(world->library);
        const int64_t now = count_read(world, &contents);
        assert_true(now >= kept); /* nothing is lost */
        kept = now;
    }
    assert_int_equal(contents, times * PICTURES + 1);
    printf("measured: %lld of %lld pictures were kept by %d passes that were killed\n", (long long)kept, (long long)contents, kills);
    assert_in_range(kept, 2, contents - 1);
    /* What was kept is not read again, and all the rest is. */
    expect_reading(world, (long)(contents - kept), (long)(contents - kept));
    assert_int_equal(count_read(world, &contents), contents);
    expect_reading(world, 0, 0);
    texts_world_expect(world, "0000.png", "\"number AHMR\"");
    test_run run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
}

/* While a pass reads, which may take hours, pictures are indexed and looked for. */
static void test_index_beside_a_pass(void **state)
{
    const test_world *world = *state;
    test_world_picture(world, "mute.png", TEST_PNG, 11);
    need_reader(world);
    char *table = test_path(world->folder, "late.tsv");
    lens_buffer captions = {0};
    int64_t contents;
    unsigned times = 0, late = 0;
    for (bool beside = false; !beside; late++) {
        char name[32], words[32];
        for (unsigned more = times + 1; more > 0; more--) { /* twice as many where this test was held up, and the pass was through before it was looked for */
            assert_true(times < 8);
            draw_many(world, times++);
        }
        const int64_t before = count_read(world, &contents);
        test_started pass = start_reading(world);
        wait_for_more(world, pass.pid, before);
        snprintf(name, sizeof name, "late%u.png", late);
        snprintf(words, sizeof words, "LATE %c", 'A' + late);
        draw(world, name, words);
        snprintf(words, sizeof words, "\"at moment %c\"", 'A' + late);
        assert_int_equal(lens_buffer_print(&captions, "%s\t%.*s\n", name, (int)strlen(words) - 2, words + 1), 0);
        test_write(table, captions.data, captions.size);
        texts_world_index(world, 1, "--captions", table, NULL);
        texts_world_expect(world, name, words);
        beside = !has_ended(pass.pid);
        test_run run = test_started_expect(&pass, 0); /* nor was the pass disturbed */
        test_run_free(&run);
    }
    test_run run = test_world_expect(world, 0, "ocr", "-q", NULL); /* had it listed all before the last one came */
    test_run_free(&run);
    assert_int_equal(count_read(world, &contents), times * PICTURES + 1 + late);
    run = test_world_expect(world, 0, "check", NULL);
    test_run_free(&run);
    lens_buffer_free(&captions);
    free(table);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (VIPS_INIT(argv[0]) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reading, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_languages_are_remembered, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_index_reads_too, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_pictures_of_any_size_that_is_let_in, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_kills, test_world_setup, test_world_teardown),
        cmocka_unit_test_setup_teardown(test_index_beside_a_pass, test_world_setup, test_world_teardown),
    };
    return store_place_run(tests);
}
