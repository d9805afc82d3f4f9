/* The real all-MiniLM-L6-v2 against vectors that sentence-transformers gave: needs ../shared and the fetched model. */
#include <jansson.h>
#include <math.h>

#include "encoders.h"
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

static void test_tokens_and_vectors(void **state)
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

    lens_error err = {0};
    lens_encoder *encoder = test_encoder(folder, "all-minilm-l6-v2", LENS_TOWER_WORDS, LENS_BACKEND_ONEDNN);
    const lens_encoder_info *info = lens_encoder_about(encoder);
    assert_string_equal(info->family, "minilm");
    assert_true(info->words && !info->pictures);
    assert_int_equal(info->dim, dim);
    lens_session *session = test_session(encoder, 1, 1);
    lens_tokenizer *tokenizer = lens_encoder_tokenizer(folder, &err);
    assert_done(tokenizer ? 0 : -1, &err);
    assert_int_equal(lens_tokenizer_context(tokenizer), CONTEXT);

    test_closeness worst = {1, 0};
    float *vector = lens_floats_new(dim), *features = lens_floats_new(dim);
    int longest = 0;
    for (size_t n = 0; n < expected.shape[0]; n++) {
        const char *text = json_string_value(json_object_get(json_array_get(texts, n), "text"));
        int32_t ids[CONTEXT], own[CONTEXT];
        int count = ids_of(texts, n, ids), own_count;
        assert_done(lens_tokenizer_run(tokenizer, text, own, &own_count, &err), &err);
        assert_int_equal(own_count, count);
        assert_memory_equal(own, ids, (size_t)count * sizeof *ids);

        assert_done(lens_session_run_words(session, text, vector, &err), &err);
        test_golden_row(n, vector, expected.data + n * dim, dim, 0.99999, 1e-5, &worst);
        assert_done(lens_session_word_features(session, ids, count, features, &err), &err);
        double length = 0;
        for (size_t i = 0; i < dim; i++)
            length += (double)features[i] * (double)features[i];
        for (size_t i = 0; i < dim; i++)
            features[i] = (float)((double)features[i] / sqrt(length));
        test_golden_row(n, features, expected.data + n * dim, dim, 0.99999, 1e-5, &worst);
        longest = count > longest ? count : longest;
    }
    printf("measured: MiniLM's tokens of %zu texts (up to %d each) are equal; cosine at least %.9f, numbers at most %.2g apart\n",
           expected.shape[0], longest, worst.cosine, worst.difference);
    free(vector), free(features), free(texts_path), free(path), free(folder), free(golden);
    lens_tokenizer_close(tokenizer);
    lens_session_free(session);
    lens_encoder_close(encoder);
    json_decref(texts);
    test_npy_free(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_and_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
