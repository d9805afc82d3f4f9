/* A model by itself, without a library. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/processors.h"
#include "encoders/catalogue.h"
#include "net/http.h"
#include "library/internal.h"

/* The first model of the catalogue that is here and knows pictures and words. NULL on failure. */
static const char *first_with_words(lens_error *err)
{
    for (size_t i = 0; i < lens_catalogue_count(); i++) {
        const char *name = lens_catalogue_at(i)->name;
        if (lens_model_towers(name) == LENS_TOWER_BOTH)
            return name;
    }
    lens_fail(err, LENS_E_MISSING, "no model here knows words and pictures: run `memelens pull clip-vit-b-32`, or name one with --model");
    return NULL;
}

lens_model *lens_model_open(const char *name, const char *precision, int knows, lens_error *err)
{
    if (!name)
        name = knows & LENS_WORDS ? first_with_words(err) : lens_catalogue_default;
    lens_model *model = name ? calloc(1, sizeof *model) : NULL;
    if (!model) {
        if (name)
            lens_fail_memory(err);
        return NULL;
    }
    _Static_assert((int)LENS_PICTURES == (int)LENS_TOWER_PICTURES && (int)LENS_WORDS == (int)LENS_TOWER_WORDS, "a tower for each kind of what a model knows");
    model->encoder = lens_model_encoder(name, precision, (lens_tower)knows, err);
    if (!model->encoder) {
        free(model);
        return NULL;
    }
    return model;
}

void lens_model_close(lens_model *model)
{
    if (!model)
        return;
    lens_session_free(model->session);
    lens_encoder_close(model->encoder);
    free(model->labels);
    free(model);
}

const char *lens_model_name(const lens_model *model)
{
    return lens_encoder_about(model->encoder)->variant;
}

const char *lens_model_precision(const lens_model *model)
{
    return lens_precision_name(lens_encoder_about(model->encoder)->precision);
}

int lens_model_dim(const lens_model *model)
{
    return lens_encoder_about(model->encoder)->dim;
}

int lens_decode_term(const lens_term *term, uint64_t max_pixels, lens_image *image, lens_error *err)
{
    lens_decode_limits limits = lens_decode_limits_default();
    if (max_pixels)
        limits.max_pixels = max_pixels;
    lens_buffer file = {0};
    const void *bytes = term->bytes;
    size_t size = term->size;
    char plain[512];
    const char *name = term->kind == LENS_TERM_FILE ? term->text : "the given picture";
    if (term->kind == LENS_TERM_BYTES && term->text && strstr(term->text, "://"))
        name = lens_url_plain(term->text, plain, sizeof plain);
    if (term->kind == LENS_TERM_FILE) {
        if (lens_file_read(term->text, LENS_MAX_FILE_BYTES, &file, err) != 0)
            return -1;
        bytes = file.data;
        size = file.size;
    }
    int result = lens_decode(bytes, size, &limits, image, NULL, err);
    if (result != 0)
        lens_fail_in(err, name);
    lens_buffer_free(&file);
    return result;
}

int lens_encode_image(const lens_encoder *encoder, lens_session *session, const lens_image *image, float *vector, lens_error *err)
{
    const lens_preparation *preparation = &lens_encoder_about(encoder)->preparation;
    lens_image seen = {0};
    if (lens_prepare_picture(image, preparation, &seen, err) != 0)
        return -1;
    float *pixels = malloc((size_t)preparation->size * (size_t)preparation->size * 3 * sizeof *pixels);
    int result;
    if (!pixels) {
        result = lens_fail_memory(err);
    } else {
        lens_prepare_pixels(&seen, preparation, pixels);
        result = lens_session_run(session, pixels, 1, vector, err);
    }
    free(pixels);
    lens_image_free(&seen);
    return result;
}

static int open_session(lens_model *model, lens_error *err)
{
    if (!model->session)
        model->session = lens_session_new(model->encoder, 1, lens_processors(), err);
    return model->session ? 0 : -1;
}

int lens_model_embed(lens_model *model, const lens_term *term, uint64_t max_pixels, float *vector, lens_error *err)
{
    if (open_session(model, err) != 0)
        return -1;
    if (term->kind == LENS_TERM_WORDS)
        return lens_session_run_words(model->session, term->text, vector, err);
    lens_image image = {0};
    if (lens_decode_term(term, max_pixels, &image, err) != 0)
        return -1;
    int result = lens_encode_image(model->encoder, model->session, &image, vector, err);
    lens_image_free(&image);
    return result;
}
