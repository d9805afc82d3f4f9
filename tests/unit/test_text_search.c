/* src/library/text_search.c, by lens_search: libraries made by hand, of more texts than a test of the command line has. */
#include <math.h>

#include "memelens.h"
#include "support_texts.h"

enum { MANY = 700 };

/* A library of pictures /a/N.jpg, which all say "dog", and one /b/last.jpg, which says it in many words. Its model has no words. */
static int setup(void **state)
{
    texts_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    lens_error err = {0};
    f->place = store_place("search");
    f->store = test_store(f->place, LENS_STORE_WRITE);
    f->model = test_model(f->store, "colour", TEXTS_DIM);
    assert_done(test_write_pictures(f->store, f->model, TEXTS_DIM, "/a", 1, MANY, &err), &err);
    lens_store_caption *captions = calloc(MANY + 1, sizeof *captions);
    assert_non_null(captions);
    for (unsigned i = 0; i < MANY; i++) {
        char path[32];
        snprintf(path, sizeof path, "/a/%05u.jpg", i + 1);
        captions[i] = (lens_store_caption){test_id(f->store, path), "Dog", "dog"};
    }
    captions[MANY] = (lens_store_caption){texts_picture(f, "/b/last.jpg", MANY + 1), "A dog, of which much is told", "a dog of which much is told"};
    assert_done(lens_store_captions_write(f->store, texts_source(f, "/c.tsv"), 1, 1, captions, MANY + 1, true, NULL, &err), &err);
    free(captions);
    *state = f;
    return 0;
}

/* How many pictures QUERY finds in LIBRARY, and the path of the first into FIRST [64]. */
static size_t search(lens_library *library, const char *query, const lens_search_options *options, char *first)
{
    lens_error err = {0};
    const lens_term term = {.kind = LENS_TERM_WORDS, .text = query, .weight = 1};
    lens_results *results = lens_search(library, &term, 1, options, &err);
    if (!results)
        fail_msg("%s: %s", query, err.message);
    const size_t count = results->count;
    snprintf(first, 64, "%s", count ? results->items[0].path : "");
    lens_results_free(results);
    return count;
}

/* The best texts may all be of pictures that a filter keeps out: then the others are looked at. */
static void test_filters_with_many_texts(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    lens_library *library = lens_library_open(f->place, &err);
    lens_search_options options = lens_search_options_default();
    char first[64];
    static const char *const queries[] = {"dog", "\"dog\"", "do*", "doog"};
    static const char *const in[] = {"/b"}, *const labels[] = {"b"};
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
        assert_int_equal(search(library, queries[q], &options, first), options.n);
        options.in = in, options.in_count = 1;
        assert_int_equal(search(library, queries[q], &options, first), 1);
        assert_string_equal(first, "/b/last.jpg");
        options.in_count = 0;
        options.labels = labels, options.label_count = 1;
        assert_int_equal(search(library, queries[q], &options, first), 1);
        options.label_count = 0;
        options.path = "*last*";
        assert_int_equal(search(library, queries[q], &options, first), 1);
        options.path = NULL;
    }
    options.n = 1000;
    assert_int_equal(search(library, "dog -\"which much\"", &options, first), 700); /* all, as so many are asked for */
    assert_int_equal(search(library, "told -dog", &options, first), 0);
    lens_library_close(library);
}

/* Words that come while a library is open are found: by the next query where it is opened anew for each, and where it is kept warm as soon as the
 * query has one of them. */
static void test_words_that_come_later(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    lens_search_options options = lens_search_options_default();
    const int64_t source = texts_source(f, "/later.tsv"), last = test_id(f->store, "/b/last.jpg");
    lens_warm *warm = lens_warm_new(f->place, &err);
    assert_non_null(warm);
    lens_library *libraries[] = {lens_library_open(f->place, &err), lens_library_open_warm(warm, &err)};
    char first[64], word[16];
    for (int i = 0; i < 6; i++) {
        snprintf(word, sizeof word, "word%c", 'p' + i);
        for (size_t l = 0; l < 2; l++)
            assert_int_equal(search(libraries[l], "told xylophone", &options, first), 1); /* it has its list of words now */
        texts_say(f, source, true, last, word, 0, NULL);
        for (size_t l = 0; l < 2; l++) {
            assert_int_equal(search(libraries[l], word, &options, first), 1);
            assert_string_equal(first, "/b/last.jpg");
        }
    }
    for (size_t l = 0; l < 2; l++)
        lens_library_close(libraries[l]);
    lens_warm_free(warm);
}

/* The same for the first words of all. */
static void test_the_first_words(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    texts_picture(f, "/a/00001.jpg", 1);
    lens_warm *warm = lens_warm_new(f->place, &err);
    assert_non_null(warm);
    lens_library *libraries[] = {lens_library_open(f->place, &err), lens_library_open_warm(warm, &err)};
    lens_search_options options = lens_search_options_default();
    options.by = LENS_BY_TEXT;
    const lens_term term = {.kind = LENS_TERM_WORDS, .text = "dog", .weight = 1};
    for (size_t l = 0; l < 2; l++) {
        assert_null(lens_search(libraries[l], &term, 1, &options, &err));
        assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    }
    texts_say(f, texts_source(f, "/c.tsv"), true, test_id(f->store, "/a/00001.jpg"), "dog", 0, NULL);
    char first[64];
    for (size_t l = 0; l < 2; l++) {
        assert_int_equal(search(libraries[l], "dog", &options, first), 1);
        lens_library_close(libraries[l]);
    }
    lens_warm_free(warm);
}

/* A picture that the model of the look has not seen yet, as while a run goes on, has no place beside others in one answer. */
static void test_pictures_without_a_look(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    const int64_t first = texts_picture(f, "/a/00001.jpg", 1), second = texts_picture(f, "/a/00002.jpg", 2), other = test_model(f->store, "other", TEXTS_DIM);
    const int64_t unseen = test_write_picture(f->store, other, TEXTS_DIM, "/a/00003.jpg", 3, 0);
    texts_say(f, texts_source(f, "/c.tsv"), true, second, "a dog", unseen, "a dog", 0, NULL);
    lens_library *library = lens_library_open(f->place, &err);
    lens_search_options options = lens_search_options_default();
    options.model = "colour";
    const lens_term terms[] = {{.kind = LENS_TERM_WORDS, .text = "dog", .weight = 1}, {.kind = LENS_TERM_ID, .id = first, .weight = 1}};
    lens_results *results = lens_search(library, terms, 2, &options, &err);
    if (!results)
        fail_msg("%s", err.message);
    assert_int_equal(results->count, 2);
    for (size_t i = 0; i < results->count; i++)
        assert_int_not_equal(results->items[i].id, unseen);
    lens_results_free(results);
    lens_library_close(library);
}

/* Each of many terms counts. */
static void test_many_terms(void **state)
{
    enum { TERMS = 70 };
    texts_fixture *f = *state;
    lens_error err = {0};
    texts_say(f, texts_source(f, "/c.tsv"), true, texts_picture(f, "/a/00001.jpg", 1), "dog", 0, NULL);
    lens_library *library = lens_library_open(f->place, &err);
    lens_search_options options = lens_search_options_default();
    lens_term terms[TERMS];
    for (size_t t = 0; t < TERMS; t++)
        terms[t] = (lens_term){.kind = LENS_TERM_WORDS, .text = t + 1 < TERMS ? "xylophone" : "dog", .weight = 1};
    lens_results *results = lens_search(library, terms, TERMS, &options, &err);
    if (!results)
        fail_msg("%s", err.message);
    assert_int_equal(results->count, 1);
    lens_results_free(results);
    lens_library_close(library);
}

/* What is like picture ID by the look alone, with WORDS that only sift: the first N of the pictures below WANTED, as they stand in the answer without words. */
static void expect_by_look(lens_library *library, int64_t id, const char *words, bool unhub, size_t n, const char *wanted)
{
    lens_error err = {0};
    lens_search_options options = lens_search_options_default();
    const lens_term terms[] = {{.kind = LENS_TERM_ID, .text = "id", .id = id, .weight = 1}, {.kind = LENS_TERM_WORDS, .text = words, .weight = 1}};
    options.by = LENS_BY_LOOK;
    options.unhub = unhub;
    options.n = 1000;
    lens_results *all = lens_search(library, terms, 1, &options, &err);
    options.n = n;
    lens_results *some = all ? lens_search(library, terms, 2, &options, &err) : NULL;
    if (!some)
        fail_msg("%s: %s", words, err.message);
    size_t found = 0, there = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (strncmp(all->items[i].path, wanted, strlen(wanted)) != 0)
            continue;
        there++;
        if (found == n)
            continue;
        assert_true(found < some->count);
        assert_string_equal(some->items[found].path, all->items[i].path);
        assert_true(fabs(some->items[found].score - all->items[i].score) < 1e-6);
        found++;
    }
    assert_int_equal(some->count, found);
    assert_true(some->more == (there > n));
    lens_results_free(some);
    lens_results_free(all);
}

/* What words leave out, or a phrase lets in, may stand behind all that the look is asked for at first; and it keeps its place and its score. */
static void test_words_sift_what_is_like_a_picture(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    assert_done(test_write_pictures(f->store, f->model, TEXTS_DIM, "/b", MANY + 2, 30, &err), &err);
    lens_store_caption captions[30];
    for (unsigned i = 0; i < 30; i++) {
        char path[32];
        snprintf(path, sizeof path, "/b/%05u.jpg", MANY + 2 + i);
        captions[i] = (lens_store_caption){test_id(f->store, path), "a house on fire", "a house on fire"};
    }
    assert_done(lens_store_captions_write(f->store, texts_source(f, "/d.tsv"), 1, 1, captions, 30, true, NULL, &err), &err);
    lens_library *library = lens_library_open(f->place, &err);
    const int64_t id = test_id(f->store, "/a/00001.jpg");
    for (int unhub = 0; unhub < 2; unhub++) {
        static const size_t counts[] = {1, 10, 29, 30, 1000};
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            expect_by_look(library, id, "-dog", unhub, counts[i], "/b/0");
            expect_by_look(library, id, "-xylophone", unhub, counts[i], "/");
        }
    }
    lens_library_close(library);
}

/* The pages of an answer are of one order: nothing is on two of them, or on none. */
static void expect_pages(lens_library *library, const lens_term *terms, size_t count, lens_search_options options)
{
    lens_error err = {0};
    options.n = 1000;
    options.offset = 0;
    lens_results *all = lens_search(library, terms, count, &options, &err);
    assert_done(all ? 0 : -1, &err);
    assert_false(all->more);
    assert_true(all->count > 200);
    options.n = 10;
    for (bool more = true; more; options.offset += options.n) {
        lens_results *page = lens_search(library, terms, count, &options, &err);
        assert_done(page ? 0 : -1, &err);
        more = options.offset + options.n < all->count;
        assert_true(page->more == more);
        assert_int_equal(page->count, more ? options.n : all->count - options.offset);
        for (size_t i = 0; i < page->count; i++)
            assert_int_equal(page->items[i].id, all->items[options.offset + i].id);
        lens_results_free(page);
    }
    lens_results_free(all);
}

static void test_pages(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    const int64_t source = texts_source(f, "/d.tsv");
    lens_store_caption captions[300];
    for (unsigned i = 0; i < 300; i++) { /* these say it less well the further on they are, and look like it in another order */
        static const char *const texts[] = {"cat", "a cat", "a cat on a mat"};
        char path[32];
        snprintf(path, sizeof path, "/a/%05u.jpg", i * 2 + 1);
        captions[i] = (lens_store_caption){test_id(f->store, path), texts[i % 3], texts[i % 3]};
    }
    assert_done(lens_store_captions_write(f->store, source, 1, 1, captions, 300, true, NULL, &err), &err);
    lens_library *library = lens_library_open(f->place, &err);
    static const char *const words[] = {"cat", "cat -mat", "cat -xylophone"};
    const int64_t id = test_id(f->store, "/a/00007.jpg");
    for (size_t q = 0; q < sizeof words / sizeof *words; q++)
        for (int how = 0; how < 3; how++) {
            const lens_term terms[] = {{.kind = LENS_TERM_ID, .text = "id", .id = id, .weight = 1}, {.kind = LENS_TERM_WORDS, .text = words[q], .weight = 1}};
            lens_search_options options = lens_search_options_default();
            options.unhub = how == 1;
            options.path = how == 2 ? "/a/*" : NULL;
            expect_pages(library, terms, 2, options);
        }
    lens_library_close(library);
}

/* Also where more texts have all words than are held against them word by word for the first page. */
static void test_pages_of_many_texts(void **state)
{
    enum { SAY = MANY };
    texts_fixture *f = *state;
    lens_error err = {0};
    lens_store_caption *captions = calloc(SAY, sizeof *captions);
    char(*texts)[32] = calloc(SAY, sizeof *texts);
    assert_true(captions && texts);
    for (unsigned i = 0; i < SAY; i++) { /* those that come last say it best */
        char path[32];
        snprintf(path, sizeof path, "/a/%05u.jpg", i + 1);
        snprintf(texts[i], sizeof texts[i], i < SAY / 2 ? "mat and cat w%u" : "cat mat and w%u", i);
        captions[i] = (lens_store_caption){test_id(f->store, path), texts[i], texts[i]};
    }
    assert_done(lens_store_captions_write(f->store, texts_source(f, "/d.tsv"), 1, 1, captions, SAY, true, NULL, &err), &err);
    lens_library *library = lens_library_open(f->place, &err);
    const lens_term terms[] = {{.kind = LENS_TERM_WORDS, .text = "cat mat", .weight = 1},
                               {.kind = LENS_TERM_ID, .text = "id", .id = test_id(f->store, "/a/00007.jpg"), .weight = 1}};
    lens_search_options options = lens_search_options_default();
    options.path = "/a/00*";
    for (size_t count = 1; count <= 2; count++) {
        options.by = count == 1 ? LENS_BY_TEXT : LENS_BY_ALL;
        expect_pages(library, terms, count, options);
    }
    lens_library_close(library);
    free(captions), free(texts);
}

/* A picture stands out of all there are, and not of the few that a filter lets in: of one alone none would. */
static void test_one_picture_that_a_filter_lets_in(void **state)
{
    static const char *const labels[] = {"b"}, *const in[] = {"/b"};
    texts_fixture *f = *state;
    lens_error err = {0};
    lens_library *library = lens_library_open(f->place, &err);
    const lens_term terms[] = {{.kind = LENS_TERM_ID, .text = "id", .id = test_id(f->store, "/b/last.jpg"), .weight = 1},
                               {.kind = LENS_TERM_WORDS, .text = "xylophone", .weight = 1}};
    for (int i = 0; i < 4; i++) {
        lens_search_options options = lens_search_options_default();
        options.labels = labels, options.label_count = i % 2 == 0;
        options.in = in, options.in_count = i % 2 == 1;
        options.unhub = i > 1;
        lens_results *results = lens_search(library, terms, 2, &options, &err);
        if (!results)
            fail_msg("%s", err.message);
        assert_int_equal(results->count, 1);
        assert_true(results->items[0].score > 0.1);
        lens_results_free(results);
    }
    lens_library_close(library);
}

/* What has a phrase is found, and not left out, however many other words there are that it lacks. */
static void test_a_phrase_and_words_that_are_elsewhere(void **state)
{
    texts_fixture *f = *state;
    lens_error err = {0};
    const int64_t fire = texts_picture(f, "/a/00001.jpg", 1), dog = texts_picture(f, "/a/00002.jpg", 2);
    texts_say(f, texts_source(f, "/c.tsv"), true, fire, "the house is on fire", dog, "a dog a cat a horse and snow on mountains", 0, NULL);
    lens_library *library = lens_library_open(f->place, &err);
    const lens_search_options options = lens_search_options_default();
    static const char *const queries[] = {"\"on fire\"", "\"on fire\" dog", "\"on fire\" dog cat", "dog cat \"on fire\" horse mountains snow",
                                          "\"on fire\" dog cat -mountain"};
    char first[64];
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
        assert_int_equal(search(library, queries[q], &options, first), 1);
        assert_string_equal(first, "/a/00001.jpg");
    }
    lens_library_close(library);
}

static int setup_small(void **state)
{
    const int result = texts_setup(state);
    texts_fixture *f = *state;
    lens_error err = {0};
    assert_done(lens_store_forget_model(f->store, "m", &err), &err);
    f->model = test_model(f->store, "colour", TEXTS_DIM);
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_filters_with_many_texts, setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_words_that_come_later, setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_the_first_words, setup_small, texts_teardown),
        cmocka_unit_test_setup_teardown(test_pictures_without_a_look, setup_small, texts_teardown),
        cmocka_unit_test_setup_teardown(test_many_terms, setup_small, texts_teardown),
        cmocka_unit_test_setup_teardown(test_words_sift_what_is_like_a_picture, setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_pages, setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_pages_of_many_texts, setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_one_picture_that_a_filter_lets_in, setup, texts_teardown),
        cmocka_unit_test_setup_teardown(test_a_phrase_and_words_that_are_elsewhere, setup_small, texts_teardown),
    };
    return store_place_run(tests);
}
