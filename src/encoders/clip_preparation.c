/* How pictures are prepared for a CLIP model. A wrong detail would not fail, only find worse: what is not understood to the last field is
 * refused. */
#include <math.h>
#include <string.h>

#include "encoders/clip_config.h"
#include "encoders/fields.h"

/* OpenAI's, of the pictures that the first CLIP was trained on: the default of both forms. */
static const float openai_mean[3] = {0.48145466f, 0.4578275f, 0.40821073f}, openai_std[3] = {0.26862954f, 0.26130258f, 0.27577711f};

static lens_preparation defaults(int size, lens_corner corner)
{
    lens_preparation preparation = {.size = size, .resize = size, .fit = LENS_FIT_CROP, .filter = LENS_FILTER_BICUBIC, .corner = corner};
    memcpy(preparation.mean, openai_mean, sizeof openai_mean);
    memcpy(preparation.std, openai_std, sizeof openai_std);
    return preparation;
}

static int not_square(const lens_fields *fields, const char *key, lens_error *err)
{
    return lens_field_fail(fields, key, LENS_E_UNSUPPORTED, "is not a square", err);
}

/* {"height": N, "width": N} -> N; unchanged when neither is there. */
static int read_height_width(const lens_fields *size, int *side, bool *there, lens_error *err)
{
    int height = 0, width = 0;
    if (lens_field_whole(size, "height", 1, LENS_PREPARE_MOST, &height, err) != 0 ||
        lens_field_whole(size, "width", 1, LENS_PREPARE_MOST, &width, err) != 0)
        return -1;
    *there = height || width;
    if (height != width)
        return not_square(size, height ? "width" : "height", err);
    *side = height ? height : *side;
    return 0;
}

/* What pictures are resized to: a number or {"shortest_edge"} is the shortest side; {"height", "width"} and a list are both sides. */
static int read_resize(const lens_fields *fields, int *side, bool *squash, lens_error *err)
{
    const json_t *field = lens_field(fields, "size");
    *squash = json_is_array(field);
    if (!json_is_object(field))
        return lens_field_side(fields, "size", side, err);
    lens_fields size;
    if (lens_field_section(fields, "size", "size.", &size, err) != 0 || lens_field_refuse(&size, "longest_edge", err) != 0 ||
        lens_field_refuse(&size, "max_height", err) != 0 || lens_field_refuse(&size, "max_width", err) != 0)
        return -1;
    /* transformers looks at the shortest edge first. */
    if (lens_field(&size, "shortest_edge"))
        return lens_field_whole(&size, "shortest_edge", 1, LENS_PREPARE_MOST, side, err);
    if (read_height_width(&size, side, squash, err) != 0)
        return -1;
    return *squash ? 0 : lens_field_fail(fields, "size", LENS_E_FORMAT, "names no side", err);
}

static int read_crop(const lens_fields *fields, int *side, lens_error *err)
{
    if (!json_is_object(lens_field(fields, "crop_size")))
        return lens_field_side(fields, "crop_size", side, err);
    lens_fields crop;
    bool there;
    if (lens_field_section(fields, "crop_size", "crop_size.", &crop, err) != 0 || read_height_width(&crop, side, &there, err) != 0)
        return -1;
    return there ? 0 : lens_field_fail(fields, "crop_size", LENS_E_FORMAT, "names no side", err);
}

/* Pillow's numbers. */
static int read_resample(const lens_fields *fields, lens_filter *filter, lens_error *err)
{
    static const struct {
        int number;
        lens_filter filter;
    } filters[] = {{0, LENS_FILTER_NEAREST}, {1, LENS_FILTER_LANCZOS}, {2, LENS_FILTER_BILINEAR}, {3, LENS_FILTER_BICUBIC}};
    int number = 3;
    if (lens_field_whole(fields, "resample", 0, 100, &number, err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (number == filters[i].number) {
            *filter = filters[i].filter;
            return 0;
        }
    return lens_field_fail(fields, "resample", LENS_E_UNSUPPORTED, "is none of 0 (nearest), 1 (Lanczos), 2 (bilinear), 3 (bicubic)", err);
}

/* (value * factor - mean) / std, in the units of ours, which always divides by 255 first. */
static int read_colours(const lens_fields *fields, lens_preparation *out, lens_error *err)
{
    bool rescale = true, normalise = true;
    double factor = 1.0 / 255;
    if (lens_field_flag(fields, "do_rescale", &rescale, err) != 0 || lens_field_flag(fields, "do_normalize", &normalise, err) != 0 ||
        lens_field_number(fields, "rescale_factor", 1e-6, 1e6, &factor, err) != 0 ||
        lens_field_colour(fields, "image_mean", false, out->mean, err) != 0 ||
        lens_field_colour(fields, "image_std", true, out->std, err) != 0)
        return -1;
    double scale = 255 * (rescale ? factor : 1);
    for (int c = 0; c < 3; c++) {
        if (!normalise)
            out->mean[c] = 0, out->std[c] = 1;
        if (fabs(scale - 1) < 1e-6)
            continue;
        out->mean[c] = (float)((double)out->mean[c] / scale);
        out->std[c] = (float)((double)out->std[c] / scale);
        if (!isfinite(out->mean[c]) || !isfinite(out->std[c]) || out->std[c] <= 0)
            return lens_field_fail(fields, "image_std", LENS_E_FORMAT, "is out of range", err);
    }
    return 0;
}

/* Only CLIP's own processor has the defaults and the corner that are assumed here. */
static int check_type(const lens_fields *fields, const char *key, lens_error *err)
{
    static const char *const known[] = {"CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil", "CLIPFeatureExtractor"};
    const char *type = NULL;
    if (lens_field_text(fields, key, &type, err) != 0)
        return -1;
    for (size_t i = 0; type && i < sizeof known / sizeof *known; i++)
        if (strcmp(type, known[i]) == 0)
            return 0;
    return type ? lens_field_fail(fields, key, LENS_E_UNSUPPORTED, "is not CLIP's", err) : 0;
}

int lens_clip_preparation(const json_t *processor, const char *path, int size, lens_preparation *out, lens_error *err)
{
    const lens_fields fields = {processor, path, ""};
    bool resize = true, crop = true, squash = false;
    int side = 224, middle = 224; /* CLIPImageProcessor's */
    *out = defaults(size, LENS_CORNER_FLOOR);
    if (check_type(&fields, "image_processor_type", err) != 0 || check_type(&fields, "feature_extractor_type", err) != 0 ||
        lens_field_flag(&fields, "do_resize", &resize, err) != 0 || lens_field_flag(&fields, "do_center_crop", &crop, err) != 0 ||
        lens_field_refuse(&fields, "do_pad", err) != 0 || read_resize(&fields, &side, &squash, err) != 0 ||
        read_crop(&fields, &middle, err) != 0 || read_resample(&fields, &out->filter, err) != 0 || read_colours(&fields, out, err) != 0)
        return -1;
    if (!resize)
        return lens_field_fail(&fields, "do_resize", LENS_E_UNSUPPORTED, "is false: pictures come in all sizes", err);
    if (!crop && !squash)
        return lens_field_fail(&fields, "do_center_crop", LENS_E_UNSUPPORTED, "is false: pictures would not become square", err);
    if (crop ? middle != size : side != size)
        return lens_fail(err, LENS_E_FORMAT, "%s: %s of %d pixels, but the network sees %d", path, crop ? "crop_size" : "size",
                         crop ? middle : side, size);
    /* A crop larger than what it is cut from would be filled with black. */
    if (crop && side < middle)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: crop_size: %d pixels of pictures resized to %d", path, middle, side);
    if (crop && squash && side != middle)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s: size: a height and a width of %d pixels, then crop_size %d", path, side, middle);
    out->fit = squash ? LENS_FIT_SQUASH : LENS_FIT_CROP;
    out->resize = side;
    return 0;
}

int lens_clip_open_preparation(const json_t *config, const char *path, int size, lens_preparation *out, lens_error *err)
{
    const lens_fields top = {config, path, ""};
    lens_fields fields;
    const char *filter = "bicubic", *mode = "shortest", *colours = "RGB";
    int side = size, fill = 0;
    *out = defaults(size, LENS_CORNER_ROUND);
    if (lens_field_section(&top, "preprocess_cfg", "preprocess_cfg.", &fields, err) != 0 ||
        lens_field_colour(&fields, "mean", false, out->mean, err) != 0 || lens_field_colour(&fields, "std", true, out->std, err) != 0 ||
        lens_field_text(&fields, "interpolation", &filter, err) != 0 || lens_field_text(&fields, "resize_mode", &mode, err) != 0 ||
        lens_field_text(&fields, "mode", &colours, err) != 0 || lens_field_side(&fields, "size", &side, err) != 0 ||
        lens_field_whole(&fields, "fill_color", 0, 255, &fill, err) != 0)
        return -1;
    if (strcmp(filter, "bilinear") == 0)
        out->filter = LENS_FILTER_BILINEAR;
    else if (strcmp(filter, "bicubic") != 0)
        return lens_field_fail(&fields, "interpolation", LENS_E_UNSUPPORTED, "is neither bicubic nor bilinear", err);
    if (strcmp(mode, "squash") == 0)
        out->fit = LENS_FIT_SQUASH;
    else if (strcmp(mode, "shortest") != 0)
        return lens_field_fail(&fields, "resize_mode", LENS_E_UNSUPPORTED, "is neither shortest nor squash", err);
    if (strcmp(colours, "RGB") != 0)
        return lens_field_fail(&fields, "mode", LENS_E_UNSUPPORTED, "is not RGB", err);
    if (side != size)
        return lens_fail(err, LENS_E_FORMAT, "%s: preprocess_cfg.size of %d pixels, but the network sees %d", path, side, size);
    return 0;
}
