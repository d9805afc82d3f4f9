/* What one source says about pictures, as texts; and a run that is stopped while it reads captions. */
#include <sys/resource.h>

#include "base/clock.h"
#include "captions/captions.h"
#include "library/caption_texts.h"
#include "memelens.h"
#include "support_store.h"

static void hear_left_out(void *context, int64_t picture, size_t count)
{
    lens_buffer_print(context, "%lld:%zu;", (long long)picture, count);
}

typedef struct said {
    int64_t picture;
    const char *text;
} said;

/* The texts of what was added to TEXTS are EXPECTED, "1=text;2=text;", and of what is LEFT_OUT, "1:count;". */
static void expect_texts(lens_caption_texts texts, const char *expected, const char *left_out)
{
    lens_buffer line = {0}, without = {0};
    lens_buffer_append(&without, "", 0);
    assert_int_equal(lens_caption_texts_make(&texts, hear_left_out, &without), 0);
    for (size_t i = 0; i < texts.count; i++)
        lens_buffer_print(&line, "%lld=%s;", (long long)texts.items[i].picture, texts.items[i].text);
    assert_string_equal(line.data, expected);
    assert_string_equal(without.data, left_out);
    lens_caption_texts_free(&texts);
    lens_buffer_free(&without);
    lens_buffer_free(&line);
}

static void expect(const said *all, size_t count, const char *expected, const char *left_out)
{
    lens_caption_texts texts = {0};
    for (size_t i = 0; i < count; i++)
        assert_int_equal(lens_caption_texts_add(&texts, &all[i].picture, 1, all[i].text), 0);
    expect_texts(texts, expected, left_out);
}

static void captions_become_lines_each_once(void **state)
{
    (void)state;
    const said all[] = {{2, "dog"}, {1, "concatenate"}, {2, "cat\nmouse"}, {1, "cat"}, {2, "dog"}, {2, "mouse"}, {2, "cat\nmouse"}, {1, "mouse"}};
    expect(all, 8, "1=concatenate\ncat\nmouse;2=dog\ncat\nmouse;", "");
}

static void a_text_has_bounds(void **state)
{
    (void)state;
    enum { LINES = LENS_CAPTION_LINES_MOST + 500 };
    static char words[LINES][16];
    static said all[LINES + 2];
    lens_buffer expected = {0};
    lens_buffer_print(&expected, "1=");
    for (size_t i = 0; i < LINES; i++) {
        snprintf(words[i], sizeof words[i], "line %zu", i);
        all[i] = (said){1, words[i]};
        if (i < LENS_CAPTION_LINES_MOST)
            lens_buffer_print(&expected, "%s%s", i ? "\n" : "", words[i]);
    }
    all[LINES] = (said){1, words[7]}; /* which is there */
    all[LINES + 1] = (said){2, "dog"};
    lens_buffer_print(&expected, ";2=dog;");
    expect(all, LINES + 2, expected.data, "1:500;");
    /* Bytes are bounded too; what still has room is taken. */
    char *large = malloc(LENS_CAPTION_MOST), *whole = malloc(LENS_CAPTION_MOST + 16);
    memset(large, 'a', LENS_CAPTION_MOST - 5);
    large[LENS_CAPTION_MOST - 5] = '\0';
    const said few[] = {{1, large}, {1, "mouse"}, {1, "dog"}};
    snprintf(whole, LENS_CAPTION_MOST + 16, "1=%s\ndog;", large);
    expect(few, 3, whole, "1:1;");
    free(whole);
    free(large);
    lens_buffer_free(&expected);
}

/* Captions of several pictures, some of which have others beside. */
static void pictures_share_what_is_said(void **state)
{
    (void)state;
    lens_caption_texts texts = {0};
    static const int64_t all[] = {5, 3, 9}, some[] = {9, 5, 7}, one = 3;
    assert_int_equal(lens_caption_texts_add(&texts, all, 3, "dog"), 0);
    assert_int_equal(lens_caption_texts_add(&texts, all, 3, "cat"), 0);
    assert_int_equal(texts.group_count, 1);
    assert_int_equal(lens_caption_texts_add(&texts, some, 3, "mouse"), 0); /* one is new, one is not among them */
    assert_int_equal(texts.group_count, 3);
    assert_int_equal(lens_caption_texts_add(&texts, all, 3, "cat"), 0);
    assert_int_equal(lens_caption_texts_add(&texts, some, 3, "cat"), 0);
    assert_int_equal(lens_caption_texts_add(&texts, all, 0, "of none"), 0);
    assert_int_equal(lens_caption_texts_add(&texts, &one, 1, "horse\nsheep"), 0);
    assert_int_equal(lens_caption_texts_add(&texts, all, 3, "sheep"), 0);
    assert_int_equal(texts.group_count, 3);
    expect_texts(texts, "3=dog\ncat\nhorse\nsheep;5=dog\ncat\nmouse\nsheep;7=mouse\ncat;9=dog\ncat\nmouse\nsheep;", "");
}

/* Captions times copies: neither is kept as often as there are of the other, nor what there is no room for. */
static void many_captions_of_many_copies(void **state)
{
    (void)state;
    enum { COPIES = 1000, CAPTIONS = 20000, LARGE = 100 };
    static int64_t pictures[COPIES];
    for (int i = 0; i < COPIES; i++)
        pictures[i] = i + 1;
    lens_caption_texts texts = {0};
    lens_buffer text = {0};
    for (int i = 0; i < CAPTIONS; i++) {
        text.size = 0;
        lens_buffer_print(&text, "caption %d", i);
        assert_int_equal(lens_caption_texts_add(&texts, pictures, COPIES, text.data), 0);
    }
    assert_int_equal(texts.group_count, 1);
    assert_int_equal(texts.groups[0].left_out, CAPTIONS - LENS_CAPTION_LINES_MOST);
    assert_true(texts.groups[0].text.capacity < 64 << 10);
    lens_caption_texts_free(&texts);
    char *large = malloc(LENS_CAPTION_MOST + 1);
    assert_non_null(large);
    memset(large, 'x', LENS_CAPTION_MOST);
    large[LENS_CAPTION_MOST] = '\0';
    for (int i = 0; i < LARGE; i++) {
        large[i] = 'y';
        assert_int_equal(lens_caption_texts_add(&texts, pictures, COPIES, large), 0);
    }
    lens_buffer without = {0};
    assert_int_equal(lens_caption_texts_make(&texts, hear_left_out, &without), 0);
    assert_int_equal(texts.count, COPIES);
    assert_ptr_equal(texts.items[0].text, texts.items[COPIES - 1].text);
    assert_true(strncmp(without.data, "1:99;2:99;", 10) == 0);
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    assert_true(usage.ru_maxrss < 200 << 10); /* of kB */
    lens_caption_texts_free(&texts);
    lens_buffer_free(&without);
    lens_buffer_free(&text);
    free(large);
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
                                       cmocka_unit_test(pictures_share_what_is_said), cmocka_unit_test(many_captions_of_many_copies),
                                       cmocka_unit_test(a_run_stops_among_captions), cmocka_unit_test(a_run_stops_among_what_is_none)};
    return store_place_run(tests);
}
