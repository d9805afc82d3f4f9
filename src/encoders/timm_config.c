#include "encoders/timm_config.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "encoders/fields.h"

const char *lens_timm_architecture(const json_t *config)
{
    return json_string_value(json_object_get(config, "architecture"));
}

int lens_timm_check(const lens_model_source *source, int features, lens_error *err)
{
    const json_t *config = source->config, *count = json_object_get(config, "num_features"), *pool = json_object_get(config, "global_pool");
    if (count && json_integer_value(count) != features)
        return lens_fail(err, LENS_E_FORMAT, "%s: num_features is not the %d of %s", source->config_path, features, lens_timm_architecture(config));
    if (json_is_string(pool) && strcmp(json_string_value(pool), "avg") != 0)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: global_pool is '%.32s', not avg", source->config_path, json_string_value(pool));
    if (json_object_size(json_object_get(config, "model_args")) > 0)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: model_args are not supported", source->config_path);
    return 0;
}

int lens_timm_check_end(const lens_model_source *source, const char *name, lens_error *err)
{
    if (!lens_weights_find(source->weights, name))
        return 0;
    return lens_fail(err, LENS_E_FORMAT, "%s: tensor %s is in the weights, but the configuration ends before it", source->config_path, name);
}

/* KEY, which must be there, and be a list: one number for all colours is nothing that timm writes. */
static int read_colour(const json_t *from, const char *key, bool positive, const char *path, float *out, lens_error *err)
{
    const lens_fields fields = {from, path, "pretrained_cfg."};
    if (!json_is_array(lens_field(&fields, key)))
        return lens_field_fail(&fields, key, LENS_E_FORMAT, "is not a list of three numbers", err);
    return lens_field_colour(&fields, key, positive, out, err);
}

/* [3, side, side] -> the side. */
static int read_size(const json_t *from, const char *path, int *size, lens_error *err)
{
    const json_t *list = json_object_get(from, "input_size");
    json_int_t sides[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        const json_t *side = json_array_get(list, i);
        if (json_array_size(list) != 3 || !json_is_integer(side))
            return lens_fail(err, LENS_E_FORMAT, "%s: input_size is not a list of three whole numbers", path);
        sides[i] = json_integer_value(side);
    }
    if (sides[0] != 3 || sides[1] != sides[2] || sides[1] < 1 || sides[1] > LENS_PREPARE_MOST)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: input_size is [%lld, %lld, %lld], not three colours of a square up to %d",
                         path, (long long)sides[0], (long long)sides[1], (long long)sides[2], (int)LENS_PREPARE_MOST);
    *size = (int)sides[1];
    return 0;
}

static int read_filter(const json_t *from, const char *path, lens_filter *filter, lens_error *err)
{
    static const struct {
        const char *name;
        lens_filter filter;
    } filters[] = {{"bicubic", LENS_FILTER_BICUBIC},
                   {"bilinear", LENS_FILTER_BILINEAR},
                   {"lanczos", LENS_FILTER_LANCZOS},
                   {"nearest", LENS_FILTER_NEAREST}};
    const char *name = json_string_value(json_object_get(from, "interpolation"));
    for (size_t i = 0; name && i < sizeof filters / sizeof *filters; i++)
        if (strcmp(name, filters[i].name) == 0) {
            *filter = filters[i].filter;
            return 0;
        }
    return lens_fail(err, name ? LENS_E_UNSUPPORTED : LENS_E_FORMAT,
                     "%s: interpolation is not bicubic, bilinear, lanczos or nearest", path);
}

int lens_timm_preparation(const json_t *config, const char *path, lens_preparation *preparation, lens_error *err)
{
    const json_t *from = json_object_get(config, "pretrained_cfg");
    if (!json_is_object(from))
        return lens_fail(err, LENS_E_FORMAT, "%s: no pretrained_cfg", path);
    *preparation = (lens_preparation){.corner = LENS_CORNER_ROUND, .fit = LENS_FIT_CROP};
    if (read_size(from, path, &preparation->size, err) != 0 || read_filter(from, path, &preparation->filter, err) != 0 ||
        read_colour(from, "mean", false, path, preparation->mean, err) != 0 ||
        read_colour(from, "std", true, path, preparation->std, err) != 0)
        return -1;

    const json_t *share = json_object_get(from, "crop_pct");
    double crop = json_number_value(share);
    if (!json_is_number(share) || !(crop > 0) || crop > 1)
        return lens_fail(err, LENS_E_FORMAT, "%s: crop_pct is not a number above 0 and up to 1", path);
    if (floor(preparation->size / crop) > LENS_PREPARE_MOST)
        return lens_fail(err, LENS_E_LIMIT, "%s: crop_pct: pictures would be resized to more than %d pixels before the crop", path,
                         (int)LENS_PREPARE_MOST);
    preparation->resize = (int)floor(preparation->size / crop);

    const json_t *mode = json_object_get(from, "crop_mode");
    const char *name = mode ? json_string_value(mode) : "center";
    if (name && strcmp(name, "squash") == 0 && preparation->resize == preparation->size)
        preparation->fit = LENS_FIT_SQUASH;
    else if (!name || strcmp(name, "center") != 0)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: this crop_mode is not supported", path);
    return 0;
}
