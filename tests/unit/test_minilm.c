/* src/encoders/minilm.c on random weights: the whole pass against one that is written here from docs/MODELS.md, in double precision,
 * and every way its folder can lie. tests/golden/test_minilm.c has the real weights. */
#include <math.h>
#include <sys/stat.h>

#include "encoders/family.h"
#include "encoders.h"
#include "random_minilm.h"
#include "support.h"

enum { WIDTH = MINILM_WIDTH, HEADS = 3, EACH = WIDTH / HEADS, INNER = MINILM_INNER, LAYERS = MINILM_LAYERS, POSITIONS = MINILM_POSITIONS };

static const double epsilon = 0.002;

static const char good_config[] = MINILM_GOOD_CONFIG;

static void write_file(const char *folder, const char *name, const char *text)
{
    char *path = test_path(folder, "%s", name);
    test_write(path, text, strlen(text));
    free(path);
}

/* ---- the documented pass ----------------------------------------------------------------------------------------- */

/* The tensor NAME, [rows, columns], or [rows] when COLUMNS is 0. The caller frees. */
static float *tensor(const lens_weights *file, const char *name, int64_t rows, int64_t columns)
{
    lens_error err = {0};
    float *numbers = lens_weights_read(file, name, columns ? 2 : 1, (int64_t[]){rows, columns}, &err);
    assert_done(numbers ? 0 : -1, &err);
    return numbers;
}

/* OUT [out] = weight IN [in] + bias, of encoder.layer.LAYER.NAME. */
static void linear(const lens_weights *file, int layer, const char *name, int count, const double *in, int in_width, double *out,
                   int out_width)
{
    char full[96];
    snprintf(full, sizeof full, "encoder.layer.%d.%s.weight", layer, name);
    float *weight = tensor(file, full, out_width, in_width);
    snprintf(full, sizeof full, "encoder.layer.%d.%s.bias", layer, name);
    float *bias = tensor(file, full, out_width, 0);
    for (int t = 0; t < count; t++)
        for (int o = 0; o < out_width; o++) {
            double sum = (double)bias[o];
            for (int i = 0; i < in_width; i++)
                sum += (double)weight[o * in_width + i] * in[t * in_width + i];
            out[t * out_width + o] = sum;
        }
    free(weight), free(bias);
}

static void layer_norm(const lens_weights *file, const char *name, int count, double *rows)
{
    char full[96];
    snprintf(full, sizeof full, "%s.weight", name);
    float *gamma = tensor(file, full, WIDTH, 0);
    snprintf(full, sizeof full, "%s.bias", name);
    float *beta = tensor(file, full, WIDTH, 0);
    for (double *row = rows; row < rows + count * WIDTH; row += WIDTH) {
        double mean = 0, variance = 0;
        for (int i = 0; i < WIDTH; i++)
            mean += row[i] / WIDTH;
        for (int i = 0; i < WIDTH; i++)
            variance += (row[i] - mean) * (row[i] - mean) / WIDTH;
        for (int i = 0; i < WIDTH; i++)
            row[i] = (row[i] - mean) / sqrt(variance + epsilon) * (double)gamma[i] + (double)beta[i];
    }
    free(gamma), free(beta);
}

/* Every head for itself: Q, K, V [count, WIDTH] -> OUT [count, WIDTH]. */
static void attend(int count, const double *q, const double *k, const double *v, double *out)
{
    for (int head = 0; head < HEADS; head++)
        for (int t = 0; t < count; t++) {
            double weights[POSITIONS], sum = 0;
            for (int s = 0; s < count; s++) {
                double score = 0;
                for (int i = head * EACH; i < (head + 1) * EACH; i++)
                    score += q[t * WIDTH + i] * k[s * WIDTH + i];
                sum += weights[s] = exp(score / sqrt(EACH));
            }
            for (int i = head * EACH; i < (head + 1) * EACH; i++) {
                out[t * WIDTH + i] = 0;
                for (int s = 0; s < count; s++)
                    out[t * WIDTH + i] += weights[s] / sum * v[s * WIDTH + i];
            }
        }
}

/* IDS [count] -> FEATURES [WIDTH]. */
static void reference_features(const lens_weights *file, const int32_t *ids, int count, double *features)
{
    enum { ROWS = POSITIONS * WIDTH };
    double x[ROWS], q[ROWS], k[ROWS], v[ROWS], mixed[ROWS], more[ROWS], wide[POSITIONS * INNER];
    float *word = tensor(file, "embeddings.word_embeddings.weight", MINILM_VOCABULARY, WIDTH);
    float *position = tensor(file, "embeddings.position_embeddings.weight", POSITIONS, WIDTH);
    float *type = tensor(file, "embeddings.token_type_embeddings.weight", 2, WIDTH);
    for (int t = 0; t < count; t++)
        for (int i = 0; i < WIDTH; i++)
            x[t * WIDTH + i] = (double)word[ids[t] * WIDTH + i] + (double)position[t * WIDTH + i] + (double)type[i];
    free(word), free(position), free(type);
    layer_norm(file, "embeddings.LayerNorm", count, x);
    for (int layer = 0; layer < LAYERS; layer++) {
        char norm[64];
        linear(file, layer, "attention.self.query", count, x, WIDTH, q, WIDTH);
        linear(file, layer, "attention.self.key", count, x, WIDTH, k, WIDTH);
        linear(file, layer, "attention.self.value", count, x, WIDTH, v, WIDTH);
        attend(count, q, k, v, mixed);
        linear(file, layer, "attention.output.dense", count, mixed, WIDTH, more, WIDTH);
        for (int i = 0; i < count * WIDTH; i++)
            x[i] += more[i];
        snprintf(norm, sizeof norm, "encoder.layer.%d.attention.output.LayerNorm", layer);
        layer_norm(file, norm, count, x);
        linear(file, layer, "intermediate.dense", count, x, WIDTH, wide, INNER);
        for (int i = 0; i < count * INNER; i++)
            wide[i] = wide[i] * (1 + erf(wide[i] / sqrt(2))) / 2;
        linear(file, layer, "output.dense", count, wide, INNER, more, WIDTH);
        for (int i = 0; i < count * WIDTH; i++)
            x[i] += more[i];
        snprintf(norm, sizeof norm, "encoder.layer.%d.output.LayerNorm", layer);
        layer_norm(file, norm, count, x);
    }
    for (int i = 0; i < WIDTH; i++) {
        features[i] = 0;
        for (int t = 0; t < count; t++)
            features[i] += x[t * WIDTH + i] / count;
    }
}

static const int32_t texts[][POSITIONS] = {{2, 3}, {2, 6, 7, 3}, {2, 5, 6, 7, 1, 5, 8, 6, 0, 8, 7, 3}};
static const int counts[] = {2, 4, POSITIONS};

static lens_encoder *open_on(const char *folder, lens_backend backend)
{
    return test_encoder(folder, "random", LENS_TOWER_WORDS, backend);
}

static void test_the_pass_is_the_documented_one(void **state)
{
    (void)state;
    lens_error err = {0};
    char *folder = test_minilm_folder(good_config, "", NULL), *prefixed = test_minilm_folder(good_config, "bert.", NULL);
    char *path = test_path(folder, "model.safetensors");
    lens_weights *file = lens_weights_open(path, &err);
    assert_done(file ? 0 : -1, &err);
    double expected[3][WIDTH], worst = 0;
    for (size_t n = 0; n < 3; n++)
        reference_features(file, texts[n], counts[n], expected[n]);
    for (int way = 0; way < 3; way++) {
        lens_encoder *encoder = open_on(way == 2 ? prefixed : folder, way == 1 ? LENS_BACKEND_PLAIN : LENS_BACKEND_ONEDNN);
        const lens_encoder_info *info = lens_encoder_about(encoder);
        assert_string_equal(info->family, "minilm");
        assert_int_equal(info->dim, WIDTH);
        assert_true(info->words && !info->pictures);
        lens_session *session = test_session(encoder, 1, 1);
        for (size_t n = 0; n < 3; n++) {
            float features[WIDTH];
            assert_done(lens_session_word_features(session, texts[n], counts[n], features, &err), &err);
            double largest = 0;
            for (int i = 0; i < WIDTH; i++) {
                double apart = fabs((double)features[i] - expected[n][i]);
                if (!(apart < 5e-6))
                    fail_msg("text %zu, way %d: number %d is %g, not %g", n, way, i, (double)features[i], expected[n][i]);
                worst = fmax(worst, apart);
                largest = fmax(largest, fabs(expected[n][i]));
            }
            assert_true(largest > 0.5);
        }
        lens_session_free(session);
        lens_encoder_close(encoder);
    }
    printf("measured: MiniLM's features are at most %.2g from a pass in double precision\n", worst);
    lens_weights_close(file);
    free(path);
    test_folder_remove(folder), test_folder_remove(prefixed);
}

static void test_words_go_through_the_tokenizer(void **state)
{
    (void)state;
    lens_error err = {0};
    char *folder = test_minilm_folder(good_config, "", NULL);
    lens_encoder *encoder = open_on(folder, LENS_BACKEND_ONEDNN);
    lens_session *session = test_session(encoder, 1, 1);
    float vector[WIDTH], features[WIDTH];
    assert_done(lens_session_run_words(session, "CATS", vector, &err), &err);
    assert_done(lens_session_word_features(session, texts[1], counts[1], features, &err), &err);
    double length = 0;
    for (int i = 0; i < WIDTH; i++)
        length += (double)features[i] * (double)features[i];
    for (int i = 0; i < WIDTH; i++)
        assert_true(fabs((double)vector[i] - (double)features[i] / sqrt(length)) < 1e-6);
    float pixels[3] = {0};
    assert_int_equal(lens_session_run(session, pixels, 1, vector, &err), -1);
    assert_int_equal(err.code, LENS_E_UNSUPPORTED);
    lens_session_free(session);
    lens_encoder_close(encoder);
    test_folder_remove(folder);
}

/* What stands beside the model says how long a text may be. */
static void test_context(void **state)
{
    (void)state;
    const struct {
        const char *config, *sentence_bert_config, *tokenizer_config;
        int context;
    } cases[] = {
        {good_config, NULL, NULL, POSITIONS},
        {good_config, "{\"max_seq_length\":7,\"do_lower_case\":false}", "{\"model_max_length\":9}", 7},
        {good_config, "{\"max_seq_length\":null}", NULL, POSITIONS},
        /* sentence-transformers' 256 where there is room; the weights are not looked at. */
        {MINILM_CONFIG("24", "3", "2", "40", "512", ""), NULL, NULL, 256},
        {MINILM_CONFIG("24", "3", "2", "40", "512", ""), NULL, "{\"do_lower_case\":true}", 256},
        {MINILM_CONFIG("24", "3", "2", "40", "512", ""), "{\"max_seq_length\":512}", NULL, 512},
        /* Its later releases say it in the tokenizer's file only. */
        {MINILM_CONFIG("24", "3", "2", "40", "512", ""), "{\"transformer_task\":\"feature-extraction\",\"module_output_name\":\"token_embeddings\"}",
         "{\"model_max_length\":128}", 128},
        {MINILM_CONFIG("24", "3", "2", "40", "512", ""), NULL, "{\"model_max_length\":1000000000000000019884624838656}", 512},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_error err = {0};
        char *folder = test_minilm_folder(cases[i].config, "", NULL);
        if (cases[i].sentence_bert_config)
            write_file(folder, "sentence_bert_config.json", cases[i].sentence_bert_config);
        if (cases[i].tokenizer_config)
            write_file(folder, "tokenizer_config.json", cases[i].tokenizer_config);
        lens_tokenizer *tokenizer = lens_encoder_tokenizer(folder, &err);
        assert_done(tokenizer ? 0 : -1, &err);
        assert_int_equal(lens_tokenizer_context(tokenizer), cases[i].context);
        lens_tokenizer_close(tokenizer);
        test_folder_remove(folder);
    }
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void test_lying_weights(void **state)
{
    (void)state;
    const struct {
        test_faults faults;
        const char *words;
    } cases[] = {
        {{.omit = "embeddings.word_embeddings.weight"}, "model.safetensors: no tensor embeddings.word_embeddings.weight"},
        {{.omit = "embeddings.token_type_embeddings.weight"}, "model.safetensors: no tensor embeddings.token_type_embeddings.weight"},
        {{.omit = "encoder.layer.1.attention.self.key.bias"}, "model.safetensors: no tensor encoder.layer.1.attention.self.key.bias"},
        {{.omit = "encoder.layer.0.output.LayerNorm.weight"}, "model.safetensors: no tensor encoder.layer.0.output.LayerNorm.weight"},
        {{.reshape = "encoder.layer.1.intermediate.dense.weight"},
         "model.safetensors: tensor encoder.layer.1.intermediate.dense.weight is [40, 25], not [40, 24]"},
        {{.reshape = "embeddings.position_embeddings.weight"},
         "model.safetensors: tensor embeddings.position_embeddings.weight is [12, 25], not [12, 24]"},
        {{.nan_in = "embeddings.word_embeddings.weight"},
         "model.safetensors: tensor embeddings.word_embeddings.weight holds a number that is not finite"},
        {{.nan_in = "encoder.layer.0.attention.output.dense.bias"},
         "model.safetensors: tensor encoder.layer.0.attention.output.dense.bias holds a number that is not finite"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = test_minilm_folder(good_config, "", &cases[i].faults);
        test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_WORDS, LENS_E_FORMAT, cases[i].words);
        test_folder_remove(folder);
    }
    char *folder = test_minilm_folder(good_config, "", NULL), *path = test_path(folder, "model.safetensors");
    lens_buffer file = test_read(path);
    test_write(path, file.data, file.size / 2);
    test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_WORDS, LENS_E_FORMAT, "model.safetensors: ");
    lens_buffer_free(&file);
    free(path);
    test_folder_remove(folder);
}

static void test_lying_configurations(void **state)
{
    (void)state;
    const struct {
        const char *config;
        lens_error_code code;
        const char *words;
    } cases[] = {
        {MINILM_CONFIG("24", "3", "3", "40", "12", ""), LENS_E_FORMAT, "no tensor encoder.layer.2.attention.self.query.weight"},
        {MINILM_CONFIG("24", "3", "1", "40", "12", ""), LENS_E_FORMAT,
         "config.json: tensor encoder.layer.1.attention.self.query.weight is in the weights, but num_hidden_layers is 1"},
        {MINILM_CONFIG("24", "5", "2", "40", "12", ""), LENS_E_FORMAT, "config.json: hidden_size 24 cannot be cut into num_attention_heads 5"},
        {MINILM_CONFIG("48", "3", "2", "40", "12", ""), LENS_E_FORMAT,
         "tensor embeddings.word_embeddings.weight is [9, 24], not [9, 48]"},
        {MINILM_CONFIG("24", "3", "2", "96", "12", ""), LENS_E_FORMAT,
         "tensor encoder.layer.0.intermediate.dense.weight is [40, 24], not [96, 24]"},
        {MINILM_CONFIG("24", "3", "2", "40", "13", ""), LENS_E_FORMAT,
         "tensor embeddings.position_embeddings.weight is [12, 24], not [13, 24]"},
        /* What a configuration leaves out is BERT's. */
        {"{\"model_type\":\"bert\"}", LENS_E_FORMAT, "tensor embeddings.word_embeddings.weight is [9, 24], not [30522, 768]"},
        {MINILM_CONFIG("24", "0", "2", "40", "12", ""), LENS_E_FORMAT, "config.json: num_attention_heads is not a whole number"},
        {MINILM_CONFIG("24", "3", "\"2\"", "40", "12", ""), LENS_E_FORMAT, "config.json: num_hidden_layers is not a whole number"},
        {MINILM_CONFIG("24", "3", "2", "40", "12", ",\"hidden_act\":\"gelu_new\""), LENS_E_UNSUPPORTED,
         "config.json: hidden_act is 'gelu_new', not gelu"},
        {MINILM_CONFIG("24", "3", "2", "40", "12", ",\"position_embedding_type\":\"relative_key\""), LENS_E_UNSUPPORTED,
         "config.json: position_embedding_type is 'relative_key', not absolute"},
        {MINILM_CONFIG("24", "3", "2", "40", "12", ",\"is_decoder\":true"), LENS_E_UNSUPPORTED, "config.json: is_decoder is not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = test_minilm_folder(cases[i].config, "", NULL);
        test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_WORDS, cases[i].code, cases[i].words);
        test_folder_remove(folder);
    }
}

/* What sentence-transformers would do besides, and we would not. */
static void test_lying_neighbours(void **state)
{
    (void)state;
    const struct {
        const char *file, *text;
        lens_error_code code;
        const char *words; /* NULL: it opens */
    } cases[] = {
        {"1_Pooling/config.json", "{\"word_embedding_dimension\":24,\"pooling_mode_cls_token\":false,\"pooling_mode_mean_tokens\":true}",
         LENS_E_NONE, NULL},
        {"1_Pooling/config.json", "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}", LENS_E_UNSUPPORTED,
         "1_Pooling/config.json: pooling_mode_cls_token is true: only the mean over tokens is supported"},
        {"1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":true,\"pooling_mode_max_tokens\":true}", LENS_E_UNSUPPORTED,
         "1_Pooling/config.json: pooling_mode_max_tokens is true"},
        {"1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":false}", LENS_E_UNSUPPORTED,
         "1_Pooling/config.json: pooling_mode_mean_tokens is not true"},
        {"1_Pooling/config.json", "{\"pooling_mode\":\"cls\"}", LENS_E_UNSUPPORTED,
         "1_Pooling/config.json: pooling_mode is 'cls', not mean"},
        {"1_Pooling/config.json", "{\"pooling_mode\":", LENS_E_FORMAT, "1_Pooling/config.json"},
        {"modules.json", "[{\"idx\":0,\"type\":\"sentence_transformers.models.Transformer\"},"
                         "{\"idx\":1,\"type\":\"sentence_transformers.models.Pooling\"},"
                         "{\"idx\":2,\"type\":\"sentence_transformers.models.Normalize\"}]",
         LENS_E_NONE, NULL},
        {"modules.json", "[{\"idx\":2,\"type\":\"sentence_transformers.models.Dense\"}]", LENS_E_UNSUPPORTED,
         "modules.json: the module Dense is not supported"},
        {"config_sentence_transformers.json", "{\"prompts\":{\"query\":\"query: \"},\"default_prompt_name\":null}", LENS_E_NONE, NULL},
        {"config_sentence_transformers.json", "{\"prompts\":{\"query\":\"query: \"},\"default_prompt_name\":\"query\"}", LENS_E_UNSUPPORTED,
         "config_sentence_transformers.json: default_prompt_name is not supported"},
        {"sentence_bert_config.json", "{\"max_seq_length\":13}", LENS_E_LIMIT, "sentence_bert_config.json: max_seq_length is not a whole"},
        {"sentence_bert_config.json", "{\"max_seq_length\":1}", LENS_E_FORMAT, "sentence_bert_config.json: max_seq_length is not a whole"},
        {"sentence_bert_config.json", "{\"transformer_task\":\"fill-mask\"}", LENS_E_UNSUPPORTED,
         "sentence_bert_config.json: transformer_task is 'fill-mask', not feature-extraction"},
        {"sentence_bert_config.json", "{\"module_output_name\":\"sentence_embedding\"}", LENS_E_UNSUPPORTED,
         "sentence_bert_config.json: module_output_name is 'sentence_embedding', not token_embeddings"},
        {"sentence_bert_config.json", "{\"processing_kwargs\":{\"text\":{\"add_special_tokens\":false}}}", LENS_E_UNSUPPORTED,
         "sentence_bert_config.json: processing_kwargs is not supported"},
        {"tokenizer_config.json", "{\"model_max_length\":1}", LENS_E_FORMAT, "tokenizer_config.json: model_max_length is not a number from 2"},
        {"tokenizer_config.json", "{\"do_lower_case\":true,\"strip_accents\":null}", LENS_E_NONE, NULL},
        {"tokenizer_config.json", "{\"do_lower_case\":true,\"model_max_length\":1000000000000000019884624838656}", LENS_E_NONE, NULL},
        {"tokenizer_config.json", "{\"truncation_side\":\"left\"}", LENS_E_UNSUPPORTED, "tokenizer_config.json: truncation_side is 'left', not right"},
        {"tokenizer_config.json", "{\"do_lower_case\":false}", LENS_E_UNSUPPORTED, "tokenizer_config.json: do_lower_case is false"},
        {"vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nred\n", LENS_E_FORMAT,
         "vocab.txt: has 6 tokens, but tensor embeddings.word_embeddings.weight in "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = test_minilm_folder(good_config, "", NULL), *pooling = test_path(folder, "1_Pooling");
        assert_int_equal(mkdir(pooling, 0700), 0);
        write_file(folder, cases[i].file, cases[i].text);
        if (cases[i].words)
            test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_WORDS, cases[i].code, cases[i].words);
        else
            lens_encoder_close(open_on(folder, LENS_BACKEND_ONEDNN));
        free(pooling);
        test_folder_remove(folder);
    }
    char *folder = test_minilm_folder(good_config, "", NULL), *vocabulary = test_path(folder, "vocab.txt");
    test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_PICTURES, LENS_E_UNSUPPORTED, "liar encodes words, not pictures");
    lens_error err = {0};
    assert_null(lens_encoder_open(folder, "liar@64", LENS_PRECISION_F32, LENS_TOWER_WORDS, &err));
    assert_says(&err, "liar@64: '@64' prepares pictures, but this model encodes words only");
    assert_int_equal(remove(vocabulary), 0);
    test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_WORDS, LENS_E_MISSING, folder);
    test_encoder_refused(folder, "liar", LENS_PRECISION_F32, LENS_TOWER_WORDS, LENS_E_MISSING, "no vocabulary: neither vocab.txt nor tokenizer.json");
    free(vocabulary);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_pass_is_the_documented_one),
        cmocka_unit_test(test_words_go_through_the_tokenizer),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_lying_weights),
        cmocka_unit_test(test_lying_configurations),
        cmocka_unit_test(test_lying_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
