/* The baseline: no network at all, but a picture's colours on a grid of 8 x 8, so that it is seen what a network adds. In the manner of the
 * colour layout descriptor of MPEG-7 (Kasutani and Yamada, 2001), without its transform, which keeps distances anyhow.
 *
 * A vector is the grid's RGB values between -1 and 1, and a 1, which gives also a picture of middle grey a direction. */
#include <stdlib.h>
#include <string.h>

#include "encoders/family.h"

enum { GRID = 8, VALUES = GRID * GRID * 3 };

static const char architecture[] = "colour";

static bool claims(const json_t *config)
{
    const char *name = json_string_value(json_object_get(config, "architecture"));
    return name && strcmp(name, architecture) == 0;
}

static int preparation(const lens_model_source *source, lens_preparation *out, lens_error *err)
{
    (void)source;
    (void)err;
    *out = (lens_preparation){.size = GRID, .resize = GRID, .fit = LENS_FIT_SQUASH, .filter = LENS_FILTER_BILINEAR,
                              .mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}};
    return 0;
}

static void *model_open(const lens_model_source *source, lens_engine *engine, lens_model_facts *facts, lens_error *err)
{
    (void)engine;
    preparation(source, &facts->preparation, err);
    facts->dim = VALUES + 1;
    facts->pictures = true;
    facts->slice = 8;
    facts->grid = GRID;
    facts->method = "values of positions";
    if (lens_buffer_print(&facts->description, "%s %d", architecture, (int)GRID) == 0) {
        char *model = strdup(architecture);
        if (model)
            return model;
    }
    lens_fail_memory_for(err, source->folder);
    return NULL;
}

static int run(const void *model, lens_stream *stream, void *workspace, const float *pixels, int count, float *features, lens_error *err)
{
    (void)model, (void)stream, (void)workspace, (void)err;
    for (int n = 0; n < count; n++, pixels += VALUES, features += VALUES + 1) {
        memcpy(features, pixels, VALUES * sizeof *features);
        features[VALUES] = 1;
    }
    return 0;
}

/* A position's part are its own three values; the 1 belongs to none. */
static int parts(const void *model, lens_stream *stream, void *workspace, const float *pixels, float *out, lens_error *err)
{
    (void)model, (void)stream, (void)workspace, (void)err;
    const size_t dim = VALUES + 1;
    memset(out, 0, (GRID * GRID + 1) * dim * sizeof *out);
    for (size_t i = 0; i < VALUES; i++)
        out[i / 3 * dim + i] = pixels[i];
    out[GRID * GRID * dim + VALUES] = 1;
    return 0;
}

const lens_family lens_family_colour = {
    .name = architecture, .quickest = LENS_PRECISION_F32, .weightless = true, .claims = claims, .preparation = preparation,
    .open = model_open, .close = free, .run = run, .parts = parts,
};
