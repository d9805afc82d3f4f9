/* What one source says about pictures, as texts; and a run that is stopped while it reads captions. */
#include "base/clock.h"
#include "captions/captions.h"
#include "library/caption_texts.h"
#include "memelens.h"
#include "support_store.h"

static void hear_left_out(void *context, int64_t picture, size_t count)
{
    lens_buffer_print(context, "%lld:%zu;", (long long)picture, count);
}

/* The texts of SAID are EXPECTED, "1=text;2=text;", and of what is LEFT_OUT, "1:count;". */
static void expect(lens_said *said, size_t count, const char *expected, const char *left_out)
{
    lens_buffer line = {0}, without = {0};
    lens_caption_texts texts;
    lens_buffer_append(&without, "", 0);
    assert_int_equal(lens_caption_texts_make(said, count, &texts, hear_left_out, &without), 0);
    for (size_t i = 0; i < texts.count; i++)
        lens_buffer_print(&line, "%lld=%s;", (long long)texts.items[i].picture, texts.items[i].text);
    assert_string_equal(line.data, expected);
    assert_string_equal(without.data, left_out);
    lens_caption_texts_free(&texts);
    lens_buffer_free(&without);
    lens_buffer_free(&line);
}

static void captions_become_lines_each_once(void **state)
{
    (void)state;
    lens_said said[] = {{2, 0, "dog"}, {1, 1, "concatenate"}, {2, 2, "cat\nmouse"}, {1, 3, "cat"}, {2, 4, "dog"}, {2, 5, "mouse"}, {2, 6, "cat\nmouse"}, {1, 7, "mouse"}};
    expect(said, 8, "1=concatenate\ncat\nmouse;2=dog\ncat\nmouse;", "");
}

static void a_text_has_bounds(void **state)
{
    (void)state;
    enum { LINES = LENS_CAPTION_LINES_MOST + 500 };
    static char words[LINES][16];
    static lens_said said[LINES + 2];
    lens_buffer expected = {0};
    lens_buffer_print(&expected, "1=");
    for (size_t i = 0; i < LINES; i++) {
        snprintf(words[i], sizeof words[i], "line %zu", i);
        said[i] = (lens_said){1, i, words[i]};
        if (i < LENS_CAPTION_LINES_MOST)
            lens_buffer_print(&expected, "%s%s", i ? "\n" : "", words[i]);
    }
    said[LINES] = (lens_said){1, LINES, words[7]}; /* which is there */
    said[LINES + 1] = (lens_said){2, 0, "dog"};
    lens_buffer_print(&expected, ";2=dog;");
    expect(said, LINES + 2, expected.data, "1:500;");
    /* Bytes are bounded too; what still has room is taken. */
    char *large = malloc(LENS_CAPTION_MOST), *whole = malloc(LENS_CAPTION_MOST + 16);
    memset(large, 'a', LENS_CAPTION_MOST - 5);
    large[LENS_CAPTION_MOST - 5] = '\0';
    lens_said few[] = {{1, 0, large}, {1, 1, "mouse"}, {1, 2, "dog"}};
    snprintf(whole, LENS_CAPTION_MOST + 16, "1=%s\ndog;", large);
    expect(few, 3, whole, "1:1;");
    free(whole);
    free(large);
    lens_buffer_free(&expected);
}

/* Stops a run that has begun to read captions; before that it is slow enough to be told of them. */
static bool stop_among_captions(void *context, const lens_index_event *event)
{
    (void)context;
    if (event->counting && event->done >= 1024)
        return false;
    lens_sleep(0.15);
    return true;
}

/* Many lines by FORMAT, and one that is a caption. */
static void expect_stop(const char *format)
{
    char *folder = test_folder_new(), *place = store_place("captions"), *pictures = test_path(folder, "pictures"), *table = test_path(folder, "many.tsv");
    char *picture = test_path(folder, "pictures/a.ppm");
    lens_error error = {0};
    lens_buffer text = {0};
    assert_done(lens_folder_make(pictures, &error), &error);
    test_write(picture, "P6 1 1 255\nabc", 14);
    lens_buffer_print(&text, "file\tcaption\n");
    for (int i = 0; i < 5000; i++)
        lens_buffer_print(&text, format, i);
    lens_buffer_print(&text, "a.ppm\tthe last\n");
    test_write(table, text.data, text.size);
    static const char *const models[] = {"colour"};
    lens_library *library = lens_library_open(place, &error);
    lens_index_options options = lens_index_options_default();
    lens_index_report report;
    options.paths = (const char *const *)&pictures;
    options.path_count = 1;
    options.models = models;
    options.model_count = 1;
    options.captions = (const char *const *)&table;
    options.caption_count = 1;
    options.event = stop_among_captions;
    assert_done(lens_index(library, &options, &report, &error), &error);
    assert_true(report.stopped && report.indexed == 1 && report.captions == 0);
    options.event = NULL;
    assert_done(lens_index(library, &options, &report, &error), &error);
    assert_true(!report.stopped && report.captions == 1);
    lens_library_close(library);
    lens_buffer_free(&text);
    test_folder_remove(folder);
    free(picture), free(table), free(pictures);
    store_place_remove(place);
}

static void a_run_stops_among_captions(void **state)
{
    (void)state;
    expect_stop("a.ppm\tline %d\n");
}

static void a_run_stops_among_what_is_none(void **state)
{
    (void)state;
    expect_stop("\tof no picture, line %d\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(captions_become_lines_each_once), cmocka_unit_test(a_text_has_bounds),
                                       cmocka_unit_test(a_run_stops_among_captions), cmocka_unit_test(a_run_stops_among_what_is_none)};
    return store_place_run(tests);
}
