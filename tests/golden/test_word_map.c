/* The map from words to pictures with real models and photos: needs ../shared and both fetched models. */
#include <math.h>

#include "../../tools/word_pairs.h"
#include "support.h"

static lens_word_pairs pairs;

static int setup(void **state)
{
    (void)state;
    const char *source = getenv("MEMELENS_SOURCE"), *shared = getenv("MEMELENS_SHARED");
    char *words = test_real_model("all-minilm-l6-v2"), *pictures = test_real_model("efficientnet-lite0");
    char *captions = test_path(shared ? shared : "../shared", "photos/captions.tsv");
    char *classes = test_path(source ? source : ".", "src/encoders/word_map/imagenet_classes.txt");
    lens_error err = {0};
    int result = 0;
    if (lens_file_exists(words) && lens_file_exists(pictures) && lens_file_exists(captions)) /* else the tests skip themselves */
        result = lens_word_pairs_read(captions, classes, words, pictures, "auto", &pairs, &err);
    if (result != 0)
        printf("%s\n", err.message);
    free(words), free(pictures), free(captions), free(classes);
    return result;
}

static int teardown(void **state)
{
    (void)state;
    lens_word_pairs_free(&pairs);
    return 0;
}

static void need_pairs(void)
{
    test_need_model("all-minilm-l6-v2");
    test_need_model("efficientnet-lite0");
    free(test_shared("photos/captions.tsv"));
    assert_true(pairs.set.picture_count > 0);
}

/* The figures of docs/MODELS.md: captions of pictures that the map was not fitted on. */
static void test_unseen_pictures_are_found(void **state)
{
    (void)state;
    need_pairs();
    lens_error err = {0};
    lens_word_recall after;
    assert_done(lens_word_cross(&pairs.set, &pairs.classes, NULL, 1, 1, NULL, &after, &err), &err);
    printf("measured: captions among %zu unseen pictures, fitted without them: R@1 %.3f, R@5 %.3f, R@10 %.3f\n", after.gallery, after.at_1,
           after.at_5, after.at_10);
    assert_true(after.at_10 >= 0.8);
}

/* The one that is built in is what comes of these photos, captions and classes, and belongs to these models. */
static void test_the_map_built_in_is_this_one(void **state)
{
    (void)state;
    need_pairs();
    lens_error err = {0};
    lens_word_map *built_in = lens_word_map_built_in(&err);
    assert_done(built_in ? 0 : -1, &err);
    assert_memory_equal(&built_in->about.words_print, &pairs.words_print, sizeof pairs.words_print);
    assert_memory_equal(&built_in->about.pictures_print, &pairs.pictures_print, sizeof pairs.pictures_print);
    lens_word_map *again = lens_word_fit_set(&pairs.set, &pairs.classes, NULL, 1, &built_in->about, &err);
    assert_done(again ? 0 : -1, &err);
    assert_true(again->words == built_in->words && again->dim == built_in->dim && again->weight == built_in->weight);
    float *one = malloc((size_t)again->dim * sizeof *one), *other = malloc((size_t)again->dim * sizeof *other);
    assert_true(one && other);
    double least = 1;
    for (size_t s = 0; s < pairs.set.sentence_count; s++) {
        const float *sentence = pairs.set.sentences + s * (size_t)pairs.set.words;
        double cosine = 0;
        assert_done(lens_word_map_apply(built_in, sentence, one, &err), &err);
        assert_done(lens_word_map_apply(again, sentence, other, &err), &err);
        for (int d = 0; d < again->dim; d++)
            cosine += (double)one[d] * (double)other[d];
        least = fmin(least, cosine);
    }
    printf("measured: queries of the built-in map and of one fitted here at this precision: cosine at least %.5f\n", least);
    assert_true(least > 0.98); /* it was fitted at f32 */
    free(one), free(other);
    lens_word_map_free(built_in);
    lens_word_map_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unseen_pictures_are_found),
        cmocka_unit_test(test_the_map_built_in_is_this_one),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
