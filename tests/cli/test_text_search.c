/* Words that find pictures by what is written about them, in a library whose model knows no words: how they are typed, the filters, and what is shown. */
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>

#include "base/text.h"
#include "texts_world.h"

static const char captions[] = "file\tcaption\n"
                               "mordor.png\tOne does not simply walk into Mordor\n"
                               "monday.jpg\tWhen Monday morning comes and the coffee is out\n"
                               "cats/cat.png\tThe cat sat on the keyboard. It's ÉCLAIR time!\n"
                               "cats/small.ppm\ta small cat\n"
                               "words.png\tSELECT * FROM text; DROP TABLE text; -- NEAR AND OR NOT\n"
                               "arabic.png\tهذا كَلْب كبير جدا\n"
                               "hebrew.png\tכלב גדול\n"
                               "chinese.png\t我爱表情包\n"
                               "japanese.png\tがんばって猫\n"
                               "odd.png\ta \x1b[31mred\x1b[0m word \xe2\x80\xaereversed\n";

static bool has_late_days; /* the file system: some end in 2038 */

static int setup(void **state)
{
    static const char *const names[] = {"mordor.png", "cats/cat.png", "words.png", "arabic.png", "hebrew.png", "chinese.png", "japanese.png", "odd.png", "silent.png"};
    test_world *world = test_world_new();
    char *cats = test_world_path(world, "cats"), *table = test_world_path(world, "captions.tsv"), *monday = test_world_path(world, "monday.jpg");
    lens_error err = {0};
    assert_done(lens_folder_make(cats, &err), &err);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        test_world_picture(world, names[i], TEST_PNG, 11 + i);
    test_world_picture(world, "monday.jpg", TEST_JPEG_420, 31);
    char small[20 * 10 * 3 + 32] = "P6 20 10 255\n";
    const size_t head = strlen(small);
    for (size_t i = 0; i < 600; i++)
        small[head + i] = (char)(i * 7);
    char *path = test_world_path(world, "cats/small.ppm");
    test_write(path, small, head + 600);
    /* The day as it is here. */
    struct tm day = {.tm_year = 2020 - 1900, .tm_mon = 4, .tm_mday = 17, .tm_hour = 12, .tm_isdst = -1};
    const struct timespec times[2] = {{.tv_sec = mktime(&day)}, {.tv_sec = mktime(&day)}};
    assert_int_equal(utimensat(AT_FDCWD, monday, times, 0), 0);
    /* A day that no number of nanoseconds reaches. */
    const struct timespec late[2] = {{.tv_sec = 13569465600 /* 2400 */}, {.tv_sec = 13569465600}};
    char *cat = test_world_path(world, "cats/cat.png");
    struct stat info;
    assert_int_equal(utimensat(AT_FDCWD, cat, late, 0) | stat(cat, &info), 0);
    has_late_days = info.st_mtim.tv_sec == late[0].tv_sec;
    free(cat);
    test_write(table, captions, sizeof captions - 1);
    texts_world_index(world, 10, "--captions", table, NULL);
    free(path), free(monday), free(table), free(cats);
    *state = world;
    return 0;
}

static void test_what_is_typed(void **state)
{
    const test_world *world = *state;
    texts_world_expect(world, "mordor.png", "ONE does, not simply");
    texts_world_expect(world, "cat.png small.ppm", "cat keyboard");
    texts_world_expect(world, "small.ppm cat.png", "cat");
    texts_world_expect(world, "cat.png", "its eclair");
    /* Misspelt, and one word too many. */
    texts_world_expect(world, "mordor.png", "mordoor");
    texts_world_expect(world, "monday.jpg", "munday mornings");
    texts_world_expect(world, "mordor.png", "walk into mordor quickly");
    texts_world_expect(world, "", "xylophone");
    /* Left out. */
    texts_world_expect(world, "small.ppm", "cat -keyboard");
    texts_world_expect(world, "small.ppm", "cat -key*");
    texts_world_expect(world, "small.ppm cat.png", "cat -keyboards"); /* nothing is forgiven there */
    texts_world_expect(world, "small.ppm", "cat -\"the cat\"");
    texts_world_expect(world, "small.ppm cat.png", "cat -\"cat the\"");
    texts_world_expect(world, "small.ppm", "cat -the-cat");
    texts_world_expect(world, "small.ppm", "cat -on-the-key*");
    texts_world_expect(world, "", "cat -cat");
    /* Phrases and beginnings. */
    texts_world_expect(world, "cat.png", "\"the cat sat\"");
    texts_world_expect(world, "", "\"cat the\"");
    texts_world_expect(world, "cat.png", "cat \"on the\"");
    texts_world_expect(world, "cat.png", "\"It’s eclair\"");
    texts_world_expect(world, "cat.png", "keyb*");
    texts_world_expect(world, "", "keyb");
    texts_world_expect(world, "mordor.png monday.jpg", "mo*");
    /* Two terms are two queries in one. */
    texts_world_expect(world, "mordor.png monday.jpg", "mordor", "0.5:monday");
    texts_world_expect(world, "small.ppm", "cat", "--not", "keyboard");
    texts_world_expect(world, "", "--not", "cat");
}

/* What SQL and FTS5 would take for their own are words, or nothing. */
static void test_syntax_of_others(void **state)
{
    const test_world *world = *state;
    texts_world_expect(world, "words.png", "SELECT * FROM text; DROP TABLE text; --");
    texts_world_expect(world, "words.png", "NEAR(and, or)");
    texts_world_expect(world, "words.png", "near AND or NOT");
    static const char *const queries[] = {"'",      "''",       "\"",       "\"\"",     "\\\"",        "^cat",  "cat^2",  "folded:cat", "{folded}: cat", "cat*",        "cat**",
                                          "c*t",    "(cat",     "cat)",     "cat + sat", "cat NEAR/3", "%",     "_",      "?1",         ":1",            "cat;",        "cat\" OR \"",
                                          "- cat",  "cat -",    "cat --",   "-\"",       "*",          "**",    "!!!",    "cat AND",    "OR",            "NOT NOT NOT", "\xff\xfe",
                                          "cat\n-", "\x01\x02", "\t\n"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        for (int by = 0; by < 2; by++) {
            char term[64];
            snprintf(term, sizeof term, " %s", queries[i]);
            test_run run = test_world_run(world, "search", "-q", by ? "--by=text" : "--by=all", "--json", term, NULL);
            if (run.status > 2 || (run.status == 2 && !strstr(run.err.data, "nothing to search for")))
                fail_msg("%s: %d: %s", queries[i], run.status, run.err.data);
            json_decref(test_json_lines(&run.out));
            if (strstr(queries[i], "cat") && !strstr(queries[i], "NEAR") && run.status != 0)
                fail_msg("%s finds no cat", queries[i]);
            test_run_free(&run);
        }
    /* Many words, and long ones. */
    char many[4000] = "cat";
    for (int i = 0; i < 400; i++)
        strcat(many, i % 2 ? " keyboard" : " the");
    texts_world_expect(world, "cat.png", many);
    memset(many, 'x', sizeof many - 1);
    texts_world_expect(world, "", many);
    test_run run = test_world_expect(world, 2, "search", "--by", "text", " -cat", NULL);
    assert_non_null(strstr(run.err.data, "nothing to search for: the words are only to be left out"));
    test_run_free(&run);
}

static void test_scripts(void **state)
{
    const test_world *world = *state;
    texts_world_expect(world, "arabic.png", "كلب"); /* whose vowels were not typed */
    texts_world_expect(world, "arabic.png", "\"كلب كبير\"");
    texts_world_expect(world, "hebrew.png", "כלב");
    texts_world_expect(world, "chinese.png", "表情");
    texts_world_expect(world, "chinese.png", "\"爱表情\"");
    texts_world_expect(world, "", "\"情表\"");
    texts_world_expect(world, "japanese.png", "猫");
    texts_world_expect(world, "japanese.png", "が");
    texts_world_expect(world, "", "か");
    texts_world_expect(world, "japanese.png", "猫 -表");
}

/* The one line that a search prints. */
static void expect_line(const test_world *world, const char *query, const char *name, const char *snippet)
{
    test_run run = test_world_expect(world, 0, "search", "--by", "text", "-n1", query, NULL);
    char *path = test_world_path(world, name);
    lens_buffer expected = {0};
    lens_buffer_print(&expected, "\t%s\t%s\n", path, snippet);
    const char *tab = strchr(run.out.data, '\t');
    assert_non_null(tab);
    if (strcmp(tab, expected.data) != 0)
        fail_msg("expected '%s' in: %s", expected.data, run.out.data);
    const double score = strtod(run.out.data, NULL);
    assert_true(score > 0 && score <= 1);
    lens_buffer_free(&expected);
    free(path);
    test_run_free(&run);
}

static void test_what_is_shown(void **state)
{
    const test_world *world = *state;
    expect_line(world, "mordor", "mordor.png", "One does not simply walk into Mordor");
    expect_line(world, "eclair", "cats/cat.png", "The cat sat on the keyboard. It's ÉCLAIR time!");
    expect_line(world, "كلب", "arabic.png", "هذا كَلْب كبير جدا"); /* as it is written: the terminal turns it */
    expect_line(world, "表情", "chinese.png", "我爱表情包");
    /* A caption cannot write on the terminal. */
    test_run run = test_world_expect(world, 0, "search", "--by", "text", "reversed", NULL);
    assert_null(strchr(run.out.data, '\x1b'));
    assert_non_null(strstr(run.out.data, "\ta \\x1b[31mred\\x1b[0m word"));
    test_run_free(&run);
    /* As JSON it is the text itself, and tells how it was found. */
    run = test_world_expect(world, 0, "search", "--json", "--by", "text", "one does not simply", NULL);
    json_t *lines = test_json_lines(&run.out), *first = json_array_get(lines, 0), *by = json_object_get(first, "found_by");
    assert_string_equal(json_string_value(json_object_get(first, "snippet")), "One does not simply walk into Mordor");
    assert_int_equal(json_object_size(by), 1);
    assert_int_equal(test_json_integer(json_object_get(by, "text"), "rank"), 1);
    assert_true(fabs(json_number_value(json_object_get(json_object_get(by, "text"), "score")) - json_number_value(json_object_get(first, "score"))) < 1e-9);
    json_decref(lines);
    test_run_free(&run);
    run = test_world_expect(world, 0, "search", "--paths", "mordor", NULL);
    char *path = test_world_path(world, "mordor.png");
    assert_int_equal(run.out.size, strlen(path) + 1);
    free(path);
    test_run_free(&run);
    /* A picture of no words has neither. */
    path = test_world_path(world, "silent.png");
    run = test_world_expect(world, 0, "search", "--json", path, NULL);
    lines = test_json_lines(&run.out);
    assert_null(json_object_get(json_array_get(lines, 0), "snippet"));
    assert_null(json_object_get(json_array_get(lines, 0), "found_by"));
    json_decref(lines);
    test_run_free(&run);
    free(path);
}

/* Words together with a picture: its look and their text. */
static void test_ways(void **state)
{
    const test_world *world = *state;
    char *silent = test_world_path(world, "silent.png");
    static const char *const by[] = {"all", "text"};
    for (size_t i = 0; i < 2; i++) {
        test_run run = test_world_expect(world, 0, "search", "--json", "-n", "100", "--by", by[i], silent, "mordor", NULL);
        json_t *lines = test_json_lines(&run.out);
        assert_int_equal(json_array_size(lines), 11); /* pictures go by their look whatever --by says of words */
        size_t both = 0;
        for (size_t r = 0; r < 11; r++) {
            const json_t *ways = json_object_get(json_array_get(lines, r), "found_by");
            assert_non_null(json_object_get(ways, "look"));
            both += json_object_get(ways, "text") != NULL;
        }
        assert_int_equal(both, 1);
        json_decref(lines);
        test_run_free(&run);
    }
    test_run run = test_world_expect(world, 0, "search", "--json", "-n", "100", silent, "-1:mordor", " cat -small", NULL);
    json_t *lines = test_json_lines(&run.out);
    for (size_t r = 0; r < json_array_size(lines); r++) {
        assert_null(strstr(json_string_value(json_object_get(json_array_get(lines, r), "path")), "small")); /* left out, however it was found */
        assert_true(r + 1 == json_array_size(lines) || !strstr(json_string_value(json_object_get(json_array_get(lines, r), "path")), "mordor"));
    }
    json_decref(lines);
    test_run_free(&run);
    run = test_world_expect(world, 2, "search", "--by", "meaning", "mordor", NULL);
    assert_non_null(strstr(run.err.data, "memelens pull all-minilm-l6-v2"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "search", "--by", "look", "mordor", NULL);
    assert_non_null(strstr(run.err.data, "memelens pull clip"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "search", "--by", "smell", "mordor", NULL);
    assert_non_null(strstr(run.err.data, "smell: words find pictures by look, text, meaning or all"));
    test_run_free(&run);
    free(silent);
}

static void test_filters(void **state)
{
    const test_world *world = *state;
    texts_world_expect(world, "small.ppm", "cat", "--size", "..100");
    texts_world_expect(world, "cat.png", "cat", "--size", "21..");
    texts_world_expect(world, "cat.png", "cat", "--size", "21");
    texts_world_expect(world, "small.ppm cat.png", "cat", "--size", "20..160");
    texts_world_expect(world, "", "cat", "--size", "21..159");
    texts_world_expect(world, "small.ppm", "cat", "--type", "pnm");
    texts_world_expect(world, "small.ppm", "cat", "--type", "PPM");
    texts_world_expect(world, "small.ppm cat.png", "cat", "--type", "pnm", "--type", "png");
    texts_world_expect(world, "monday.jpg", "mo*", "--type", "jpg");
    texts_world_expect(world, "", "cat", "--type", "gif");
    texts_world_expect(world, "small.ppm cat.png", "cat", "--label", "Cats");
    texts_world_expect(world, "", "mordor", "--label", "cats");
    texts_world_expect(world, "mordor.png", "mordor", "--label", "cats", "--label", "pictures");
    texts_world_expect(world, "small.ppm", "cat", "--path", "*SMALL*");
    texts_world_expect(world, "monday.jpg", "mo*", "--before", "2020-06");
    texts_world_expect(world, "mordor.png", "mo*", "--after", "2021");
    texts_world_expect(world, "monday.jpg", "mo*", "--after", "2020-05-17", "--before", "2020-05-18");
    texts_world_expect(world, "", "mo*", "--after", "2020-05-18", "--before", "2021");
    texts_world_expect(world, "", "mo*", "--before", "1950");
    if (has_late_days) {
        texts_world_expect(world, "cat.png", "cat", "--after", "2200");
        texts_world_expect(world, "small.ppm", "cat", "--before", "2200");
    } else {
        printf("skipped: a file of the year 2400: this file system holds no such day\n");
    }
    char *cats = test_world_path(world, "cats");
    test_run run = test_world_expect(world, 0, "search", "-q", "--paths", "--model", "colour", "--in", cats, "cat", NULL);
    assert_non_null(strstr(run.out.data, "small.ppm"));
    test_run_free(&run);
    free(cats);
}

static void test_wrong_filters(void **state)
{
    const test_world *world = *state;
    static const struct {
        const char *option, *value, *says;
    } wrong[] = {
        {"--size", "", "expected pixels"},        {"--size", "..", "expected pixels"},       {"--size", "big", "expected pixels"},
        {"--size", "0..5", "expected pixels"},    {"--size", "-5", "expected pixels"},       {"--size", "5..3", "expected pixels"},
        {"--size", "5...9", "expected pixels"},   {"--size", "5..9px", "expected pixels"},   {"--size", " 5", "expected pixels"},
        {"--size", "5.. 9", "expected pixels"},   {"--size", "99999999999999999999", "expected pixels"},
        {"--after", "", "expected a date"},       {"--after", "yesterday", "expected a date"}, {"--after", "2024-13", "expected a date"},
        {"--after", "2024-02-30", "expected a date"}, {"--after", "2024-00", "expected a date"}, {"--before", "2024-05-", "expected a date"},
        {"--before", "2024-5-1x", "expected a date"}, {"--before", "20240517", "expected a date"}, {"--before", " 2024", "expected a date"},
        {"--before", "2024- 5", "expected a date"}, {"--before", "2024--5", "expected a date"}, {"--before", "812", "expected a date"},
        {"--type", "mp4", "mp4: no type of pictures"}, {"--type", "", "no type of pictures"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char option[64];
        snprintf(option, sizeof option, "%s=%s", wrong[i].option, wrong[i].value);
        test_run run = test_world_run(world, "search", option, "cat", NULL);
        if (run.status != 2 || !strstr(run.err.data, wrong[i].says))
            fail_msg("%s: %d: %s", option, run.status, run.err.data);
        test_run_free(&run);
    }
}

/* A library without any words says what to do. */
static void test_nothing_written(void **state)
{
    (void)state;
    test_world *world = test_world_new();
    test_world_picture(world, "a.png", TEST_PNG, 11);
    texts_world_index(world, 0, NULL);
    test_run run = test_world_expect(world, 2, "search", "--by", "text", "cat", NULL);
    assert_non_null(strstr(run.err.data, "memelens ocr"));
    assert_non_null(strstr(run.err.data, "--captions"));
    test_run_free(&run);
    run = test_world_expect(world, 2, "search", "cat", NULL);
    assert_non_null(strstr(run.err.data, "memelens pull clip"));
    test_run_free(&run);
    test_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_typed), cmocka_unit_test(test_syntax_of_others), cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_what_is_shown), cmocka_unit_test(test_ways),             cmocka_unit_test(test_filters),
        cmocka_unit_test(test_wrong_filters), cmocka_unit_test(test_nothing_written),
    };
    return store_place_run_group(tests, setup, test_world_teardown);
}
