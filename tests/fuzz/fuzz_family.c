/* Any bytes as the configuration of a model without weights, and as the files that sentence-transformers puts beside one: whatever they
 * say, opening must end in an error with words. The first byte says which file it is. */
#include <jansson.h>

#include "base/json.h"
#include "encoders/registry.h"
#include "fuzzing.h"

static const char *const names[] = {"config.json", "sentence_bert_config.json", "1_Pooling/config.json", "modules.json",
                                    "tokenizer_config.json", "config_sentence_transformers.json"};
enum { NAMES = sizeof names / sizeof *names };

static void make_folder(void)
{
    static bool made;
    if (made)
        return;
    char *pooling = lens_path_join(fuzz_folder(), "1_Pooling");
    expect(pooling && lens_folder_make(pooling, NULL) == 0);
    free(pooling);
    made = true;
}

/* A sound file of weights, in which there is nothing. */
static lens_weights *no_weights(void)
{
    static const uint8_t nothing[] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    lens_weights *weights = lens_weights_view(nothing, sizeof nothing, "weights", NULL);
    expect(weights != NULL);
    return weights;
}

static void check_open(const json_t *config)
{
    const lens_family *family = lens_family_for(config);
    if (!family)
        return;
    lens_error err = {0};
    lens_weights *weights = no_weights();
    lens_engine *engine = lens_engine_new(LENS_BACKEND_PLAIN, NULL);
    expect(engine != NULL);
    lens_model_facts facts = {.slice = 1, .threads = 1};
    const lens_model_source source = {fuzz_folder(), "config", config, weights, LENS_TOWER_BOTH, (lens_precision)(1 + json_object_size(config) % 3)};
    void *model = family->open(&source, engine, &facts, &err);
    expect(!model && err.code != LENS_E_NONE && err.message[0]);
    lens_buffer_free(&facts.description);
    lens_engine_free(engine);
    lens_weights_close(weights);
    if (family->tokenizer) { /* there is no vocabulary */
        err = (lens_error){0};
        expect(!family->tokenizer(&source, &err) && err.code != LENS_E_NONE && err.message[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || data[0] - '0' < 0 || data[0] - '0' >= NAMES)
        return 0;
    make_folder();
    const char *text = (const char *)data + 1, *name = names[data[0] - '0'];
    bool beside = data[0] != '0';
    static const char bert[] = "{\"model_type\":\"bert\"}";
    json_t *config = beside ? lens_json_parse(bert, sizeof bert - 1, "config", NULL) : lens_json_parse(text, size - 1, "config", NULL);
    char *path = lens_path_join(fuzz_folder(), name);
    expect(path != NULL);
    if (beside)
        fuzz_put(path, text, size - 1);
    if (json_is_object(config))
        check_open(config);
    if (beside)
        unlink(path);
    free(path);
    json_decref(config);
    return 0;
}
