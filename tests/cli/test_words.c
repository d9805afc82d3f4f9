/* Words as terms, embed --text and label, on a small random CLIP model: what adds up, what is chosen, and what is refused. What they
 * find is compared with PyTorch in tests/golden/test_words.c. */
#include <math.h>

#include "random_clip.h"
#include "world.h"

enum { PICTURES = 3 };

/* The end of a text is the token with the largest id, as in OpenAI's configurations. */
static const char config[] = CLIP_CONFIG("12", CLIP_VISION("20", "6", "3", "3"), CLIP_TEXT("527", "2"));

/* A world with three pictures indexed with a CLIP model. */
typedef struct words_world {
    test_world *world;
    char *model;
} words_world;

static words_world *words_new(void)
{
    words_world *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->world = test_world_new();
    self->model = test_clip_folder(config, CLIP_GOOD_PROCESSOR, NULL);
    test_clip_write_vocabulary(self->model, "");
    const char *const names[PICTURES] = {"a.png", "b.png", "c.png"};
    for (unsigned i = 0; i < PICTURES; i++)
        test_world_picture(self->world, names[i], TEST_PNG, 11 + i);
    return self;
}

static int setup(void **state)
{
    test_clip_draw(NULL);
    *state = words_new();
    return 0;
}

static int teardown(void **state)
{
    words_world *self = *state;
    test_folder_remove(self->model);
    test_world_free(self->world);
    free(self);
    test_clip_forget(NULL);
    return 0;
}

static void index_with(const words_world *self, const char *model)
{
    test_run run = test_world_expect(self->world, 0, "index", "-q", "--model", model, self->world->pictures, NULL);
    test_run_free(&run);
}

static double number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* The vector of WORDS, [CLIP_DIM]. */
static void embed(const words_world *self, const char *words, double *vector)
{
    test_run run = test_world_expect(self->world, 0, "embed", "--json", "--model", self->model, "--text", words, NULL);
    json_t *lines = test_json_lines(&run.out);
    const json_t *numbers = json_object_get(json_array_get(lines, 0), "vector");
    assert_int_equal(json_array_size(numbers), CLIP_DIM);
    double length = 0;
    for (size_t i = 0; i < CLIP_DIM; i++) {
        vector[i] = json_number_value(json_array_get(numbers, i));
        length += vector[i] * vector[i];
    }
    assert_true(fabs(length - 1) < 1e-6);
    json_decref(lines);
    test_run_free(&run);
}

static void test_shares_add_up(void **state)
{
    const words_world *self = *state;
    index_with(self, self->model);
    char *picture = test_world_path(self->world, "b.png");
    test_run run = test_world_expect(self->world, 0, "search", "--json", picture, "+cat's hat", "-0.5:hello", "--not", "id:1", NULL);
    json_t *lines = test_json_lines(&run.out);
    const char *const names[] = {picture, "cat's hat", "hello", "id:1"};
    const double weights[] = {1, 1, -0.5, -1};
    assert_int_equal(json_array_size(lines), PICTURES);
    for (size_t i = 0; i < PICTURES; i++) {
        const json_t *result = json_array_get(lines, i), *terms = json_object_get(result, "terms");
        assert_int_equal(json_array_size(terms), 4);
        double shares = 0;
        for (size_t t = 0; t < 4; t++) {
            const json_t *term = json_array_get(terms, t);
            assert_string_equal(json_string_value(json_object_get(term, "term")), names[t]);
            assert_true(number(term, "weight") == weights[t]);
            assert_true(fabs(number(term, "cosine")) < 1.000001);
            shares += number(term, "share");
        }
        assert_true(fabs(shares - number(result, "score")) < 1e-6);
        bool own = strcmp(json_string_value(json_object_get(result, "path")), picture) == 0;
        assert_true(own == (fabs(number(json_array_get(terms, 0), "cosine") - 1) < 1e-6));
    }
    json_decref(lines);
    test_run_free(&run);
    /* Two words that are one and the same cancel. */
    run = test_world_expect(self->world, 2, "search", "hello", "--not", "hello", NULL);
    assert_non_null(strstr(run.err.data, "cancel each other out"));
    test_run_free(&run);
    free(picture);
}

/* Words that look like other things, and other things that look like words. */
static void test_what_words_are(void **state)
{
    const words_world *self = *state;
    index_with(self, self->model);
    /* The tests run where the source lies: "src" is a folder there. */
    const char *const words[] = {"he/she", "cat", "src", "a.b", "see what I did in cat.jpg", "\"cat.jpg\"", "cat.jpg -dog", "\xff"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        test_run run = test_world_expect(self->world, 0, "search", "--paths", words[i], NULL);
        test_run_free(&run);
    }
    const char *const missing[] = {"cat.jpg", "./cat", "/nothing/cat", "cats/cat.png"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        test_run run = test_world_expect(self->world, 2, "search", missing[i], NULL);
        if (!strstr(run.err.data, missing[i]) || !(strstr(run.err.data, "no such file") || strstr(run.err.data, "No such file")))
            fail_msg("%s: %s", missing[i], run.err.data);
        test_run_free(&run);
    }
}

static void test_words_go_to_the_model_that_knows_them(void **state)
{
    const words_world *self = *state;
    index_with(self, "efficientnet-lite0");
    test_run run = test_world_expect(self->world, 2, "search", "a cat", NULL);
    assert_non_null(strstr(run.err.data, "efficientnet-lite0 knows pictures, not words"));
    assert_non_null(strstr(run.err.data, "memelens pull clip-vit-b-32"));
    test_run_free(&run);
    index_with(self, self->model);
    run = test_world_expect(self->world, 0, "search", "--paths", "a cat", NULL);
    test_run_free(&run);
    run = test_world_expect(self->world, 2, "search", "--model", "efficientnet-lite0", "a cat", NULL);
    assert_non_null(strstr(run.err.data, "efficientnet-lite0 knows pictures, not words"));
    test_run_free(&run);
}

static void test_embed_names_what_it_got(void **state)
{
    const words_world *self = *state;
    double cat[CLIP_DIM], again[CLIP_DIM], hat[CLIP_DIM];
    embed(self, "cat", cat);
    embed(self, " CAT ", again); /* the same tokens */
    embed(self, "hat", hat);
    assert_memory_equal(cat, again, sizeof cat);
    assert_memory_not_equal(cat, hat, sizeof cat);
    test_run run = test_world_expect(self->world, 2, "embed", "--text", "cat", NULL);
    assert_non_null(strstr(run.err.data, "no model here knows words"));
    test_run_free(&run);
    run = test_world_expect(self->world, 2, "embed", "--model", "efficientnet-lite0", "--text", "cat", NULL);
    assert_non_null(strstr(run.err.data, "efficientnet-lite0 encodes pictures, not words"));
    test_run_free(&run);
}

static void test_label(void **state)
{
    const words_world *self = *state;
    char *picture = test_world_path(self->world, "a.png"), *missing = test_world_path(self->world, "z.png");
    test_run run = test_world_expect(self->world, 2, "label", "--json", "--model", self->model, missing, picture, "--labels", "cat,, hat ,",
                                     "--label", "hello, cat", NULL);
    assert_non_null(strstr(run.err.data, "z.png: No such file"));
    json_t *lines = test_json_lines(&run.out);
    assert_int_equal(json_array_size(lines), 1);
    const json_t *labels = json_object_get(json_array_get(lines, 0), "labels");
    assert_int_equal(json_array_size(labels), 3);
    double sum = 0;
    bool whole = false;
    for (size_t i = 0; i < 3; i++) {
        const json_t *label = json_array_get(labels, i);
        sum += number(label, "probability");
        whole |= strcmp(json_string_value(json_object_get(label, "label")), "hello, cat") == 0;
        assert_true(i == 0 || number(label, "cosine") <= number(json_array_get(labels, i - 1), "cosine"));
    }
    assert_true(whole && fabs(sum - 1) < 1e-7);
    json_decref(lines);
    test_run_free(&run);

    run = test_world_expect(self->world, 0, "label", "-n1", "--model", self->model, picture, "-l", "cat,hat", NULL);
    const char *tab = strchr(run.out.data, '\t');
    assert_non_null(tab);
    assert_true(strncmp(tab, "\tcat\t", 5) == 0 || strncmp(tab, "\that\t", 5) == 0);
    assert_memory_equal(strrchr(run.out.data, '\t') + 1, picture, strlen(picture));
    assert_true(strtod(run.out.data, NULL) >= 0.5);
    test_run_free(&run);

    run = test_world_expect(self->world, 2, "label", "--model", self->model, picture, "--labels", "cat, ", NULL);
    assert_non_null(strstr(run.err.data, "At least two"));
    test_run_free(&run);
    run = test_world_expect(self->world, 2, "label", "--model", "efficientnet-lite0", picture, "--labels", "cat,hat", NULL);
    assert_non_null(strstr(run.err.data, "efficientnet-lite0 encodes pictures, not words"));
    test_run_free(&run);
    free(picture), free(missing);
}

/* What the words WALRUS find with OPTION: so many pictures. */
static size_t found(const words_world *self, const char *option)
{
    test_run run = test_world_run(self->world, "search", "--json", option, "hungry walrus", NULL);
    json_t *lines = test_json_lines(&run.out);
    const size_t count = json_array_size(lines);
    json_decref(lines);
    test_run_free(&run);
    return count;
}

/* As while the first run of a further model goes on, or after one of a part of the folders. */
static void test_a_model_that_has_seen_a_part(void **state)
{
    const words_world *self = *state;
    char *one = test_world_path(self->world, "a.png"), *captions = test_path(self->world->folder, "captions.tsv");
    static const char said[] = "b.png\ta hungry walrus\nc.png\tthe walrus is hungry\n";
    test_write(captions, said, sizeof said - 1);
    test_run run = test_world_expect(self->world, 0, "index", "-q", "--model", "colour", "--captions", captions, self->world->pictures, NULL);
    test_run_free(&run);
    assert_int_equal(found(self, "--by=all"), 2);
    run = test_world_expect(self->world, 0, "index", "-q", "--model", self->model, one, NULL);
    test_run_free(&run);
    assert_int_equal(found(self, "--by=all"), 2);
    assert_int_equal(found(self, "--by=text"), 2);
    assert_int_equal(found(self, "--by=look"), 1); /* there is no other way */
    run = test_world_expect(self->world, 0, "index", "-q", NULL);
    test_run_free(&run);
    assert_int_equal(found(self, "--by=all"), PICTURES);
    free(one), free(captions);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_shares_add_up),           TEST(test_what_words_are), TEST(test_words_go_to_the_model_that_knows_them),
        TEST(test_embed_names_what_it_got), TEST(test_label),
        TEST(test_a_model_that_has_seen_a_part),
    };
    return store_place_run(tests);
}
