/* The real all-MiniLM-L6-v2 against vectors that sentence-transformers gave: needs ../shared and the fetched model. */
#include <jansson.h>
#include <math.h>

#include "golden.h"
#include "npy.h"
#include "support.h"

enum { CONTEXT = 256 };

/* Row N of texts.json: its ids to IDS [CONTEXT]. Returns how many. */
static int ids_of(const json_t *texts, size_t n, int32_t *ids)
{
    const json_t *list = json_object_get(json_array_get(texts, n), "ids");
    size_t count = json_array_size(list);
    assert_in_range(count, 2, CONTEXT);
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return (int)count;
}

static void test_vectors_of_tokens(void **state)
{
    (void)state;
    test_need_model("all-minilm-l6-v2");
    char *golden = test_shared("golden/minilm");
    char *folder = test_real_model("all-minilm-l6-v2");
    char *texts_path = test_path(golden, "texts.json"), *path = test_path(golden, "text_embeds.npy");
    json_t *texts = json_load_file(texts_path, 0, NULL);
    assert_non_null(texts);
    test_npy expected = test_npy_read(path);
    size_t dim = expected.shape[1];
    assert_int_equal(json_array_size(texts), expected.shape[0]);
    float *vector = lens_floats_new(dim);

    test_words words = test_words_open(folder, LENS_BACKEND_ONEDNN);
    assert_string_equal(words.family->name, "minilm");
    assert_int_equal(words.facts.dim, dim);
    assert_int_equal(words.facts.vocabulary, 30522);
    test_closeness worst = {1, 0};
    int longest = 0;
    for (size_t n = 0; n < expected.shape[0]; n++) {
        int32_t ids[CONTEXT];
        int count = ids_of(texts, n, ids);
        test_words_run(&words, ids, count, vector);
        double length = 0;
        for (size_t i = 0; i < dim; i++)
            length += (double)vector[i] * (double)vector[i];
        for (size_t i = 0; i < dim; i++)
            vector[i] = (float)((double)vector[i] / sqrt(length));
        test_golden_row(n, vector, expected.data + n * dim, dim, 0.99999, 1e-5, &worst);
        longest = count > longest ? count : longest;
    }
    printf("measured: MiniLM on given tokens (up to %d): cosine at least %.9f, numbers at most %.2g apart\n", longest, worst.cosine,
           worst.difference);
    test_words_close(&words);
    free(vector), free(texts_path), free(path), free(folder), free(golden);
    json_decref(texts);
    test_npy_free(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_of_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
