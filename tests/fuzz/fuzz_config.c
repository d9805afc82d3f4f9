/* Any bytes as a CLIP model's configuration, in each of the three files: what is let through must be fit to be worked with. */
#include <jansson.h>
#include <math.h>

#include "base/json.h"
#include "encoders/clip_config.h"
#include "fuzzing.h"

/* A failure has a code and a word. */
static bool done(int result, const lens_error *err)
{
    expect(result == 0 || (err->code != LENS_E_NONE && err->message[0]));
    return result == 0;
}

static void check_tower(const lens_clip_tower *tower)
{
    expect(tower->width > 0 && tower->layers > 0 && tower->heads > 0 && tower->mlp > 0 && tower->width % tower->heads == 0);
    expect(tower->epsilon >= 0 && tower->epsilon <= 1);
    expect(tower->activation == LENS_ACTIVATION_GELU || tower->activation == LENS_ACTIVATION_QUICK_GELU);
}

static void check_preparation(const lens_preparation *preparation)
{
    expect(preparation->size > 0 && (preparation->fit == LENS_FIT_SQUASH || preparation->resize >= preparation->size));
    for (int c = 0; c < 3; c++)
        expect(isfinite(preparation->mean[c]) && isfinite(preparation->std[c]) && preparation->std[c] > 0);
    /* One that can be used: on a picture as small as they come, where the network's is not too large for a quick test. */
    uint8_t rgb[3 * 2 * 3] = {0};
    lens_image seen;
    lens_error err = {0};
    if (preparation->resize > 256)
        return;
    expect(done(lens_prepare_picture(&(lens_image){.width = 2, .height = 3, .rgb = rgb}, preparation, &seen, &err), &err));
    lens_image_free(&seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lens_error err = {0};
    json_t *json = lens_json_parse((const char *)data, size, "input", &err);
    if (!json_is_object(json)) {
        json_decref(json);
        return 0;
    }
    lens_clip_config config = {.size = 224};
    lens_preparation preparation;
    lens_clip_claims(json);
    if (done(lens_clip_config_read(json, "input", &config, &err), &err)) {
        check_tower(&config.pictures);
        check_tower(&config.words);
        expect(config.dim > 0 && config.context >= 2 && config.vocabulary > 0 && config.end >= -1 && lens_clip_grid(&config) > 0);
        if (config.open && done(lens_clip_open_preparation(json, "input", config.size, &preparation, &err), &err))
            check_preparation(&preparation);
    }
    if (done(lens_clip_preparation(json, "input", 224, &preparation, &err), &err))
        check_preparation(&preparation);
    json_decref(json);
    return 0;
}
