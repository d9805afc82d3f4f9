/* Any bytes as the two JSON files that stand beside weights: the index of shards, and the note of where a model came from. The first byte
 * says which. Of the shards that an index names two are there; what opening lets through must be readable to the last number. */
#include "fuzzing.h"
#include "memelens.h"
#include "nn/safetensors.h"

static char index_path[300], note_path[300];

/* A shard with one tensor of two numbers. */
static void put_shard(const char *name, const char *tensor)
{
    char path[400], header[128];
    uint8_t bytes[8 + sizeof header + 8] = {0};
    int length = snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", tensor);
    bytes[0] = (uint8_t)length;
    memcpy(bytes + 8, header, (size_t)length);
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    fuzz_put(path, bytes, 8 + (size_t)length + 8);
}

static void make_folder(void)
{
    if (index_path[0])
        return;
    snprintf(index_path, sizeof index_path, "%s/model.safetensors.index.json", fuzz_folder());
    snprintf(note_path, sizeof note_path, "%s/own/memelens.json", fuzz_folder());
    char own[300];
    snprintf(own, sizeof own, "%s/own", fuzz_folder());
    expect(lens_folder_make(own, NULL) == 0);
    char config[400]; /* without one it is no model */
    snprintf(config, sizeof config, "%s/config.json", own);
    fuzz_put(config, "{}", 2);
    put_shard("a.safetensors", "a");
    put_shard("b.safetensors", "b");
    setenv("MEMELENS_MODELS", fuzz_folder(), 1);
}

static void check_index(const uint8_t *data, size_t size)
{
    lens_error err = {0};
    fuzz_put(index_path, data, size);
    lens_weights *weights = lens_weights_open(index_path, &err);
    if (!weights) {
        expect(err.code != LENS_E_NONE && err.message[0]);
        return;
    }
    for (size_t i = 0; i < lens_weights_count(weights); i++) {
        const int64_t any = -1;
        float *numbers = lens_weights_read(weights, lens_weights_at(weights, i)->name, 1, &any, &err);
        expect(numbers && numbers[0] == 0 && numbers[1] == 0);
        free(numbers);
    }
    lens_weights_close(weights);
}

static void check_note(const uint8_t *data, size_t size)
{
    lens_error err = {0};
    size_t count;
    fuzz_put(note_path, data, size);
    lens_catalogue_model *models = lens_catalogue(&count, &err);
    expect(models != NULL);
    bool own = false;
    for (size_t i = 0; i < count; i++)
        own |= models[i].own && models[i].present && strcmp(models[i].name, "own") == 0 && models[i].source && models[i].revision;
    expect(own);
    lens_catalogue_free(models, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    make_folder();
    if (data[0] == '0')
        check_index(data + 1, size - 1);
    else if (data[0] == '1')
        check_note(data + 1, size - 1);
    return 0;
}
