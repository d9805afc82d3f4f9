/* What an encoder saw of a picture, and where in it a score comes from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/processors.h"
#include "library/warm.h"
#include "library/word_bridge.h"
#include "pixels/encode.h"

enum { SHOWN = 512 }; /* pixels of the longer side of a whole picture */

/* IMAGE as PREPARATION makes it, with where it comes from. */
static int see(const lens_preparation *preparation, const lens_image *image, lens_seen *seen, lens_error *err)
{
    lens_image prepared = {0}, small = {0};
    *seen = (lens_seen){.side = preparation->size, .width = image->width, .height = image->height};
    seen->share = lens_preparation_window(preparation, image->width, image->height, seen->window);
    if (lens_prepare_picture(image, preparation, &prepared, err) != 0)
        return -1;
    seen->rgb = prepared.rgb;
    if (lens_shrink(image, SHOWN, &small, err) != 0) {
        lens_seen_free(seen);
        return -1;
    }
    seen->picture = small.rgb;
    seen->shown_width = small.width;
    seen->shown_height = small.height;
    return 0;
}

static int decode_and_see(const lens_preparation *preparation, const lens_term *term, uint64_t max_pixels, lens_seen *seen, lens_error *err)
{
    lens_image image = {0};
    if (lens_decode_term(term, max_pixels, &image, err) != 0)
        return -1;
    int result = see(preparation, &image, seen, err);
    lens_image_free(&image);
    return result;
}

int lens_model_seen(const lens_model *model, const lens_term *term, uint64_t max_pixels, lens_seen *seen, lens_error *err)
{
    *seen = (lens_seen){0};
    if (!lens_encoder_about(model->encoder)->pictures)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s encodes words, not pictures", lens_model_name(model));
    return decode_and_see(&lens_encoder_about(model->encoder)->preparation, term, max_pixels, seen, err);
}

int lens_seen_by(const char *name, const lens_term *term, uint64_t max_pixels, lens_seen *seen, lens_error *err)
{
    lens_preparation preparation;
    *seen = (lens_seen){0};
    return lens_model_preparation(name, &preparation, err) == 0 ? decode_and_see(&preparation, term, max_pixels, seen, err) : -1;
}

void lens_seen_free(lens_seen *seen)
{
    free(seen->rgb);
    free(seen->picture);
    *seen = (lens_seen){0};
}

/* One side of an explanation in the making. */
struct side {
    float *parts;    /* [grid * grid + 1, dim]; NULL: words */
    double *whole;   /* [dim], the vector, not yet of length 1 */
    double length;
};

static int take_picture(lens_model *model, const lens_term *term, uint64_t max_pixels, struct side *side, lens_explained *out, lens_error *err)
{
    const lens_encoder_info *about = lens_encoder_about(model->encoder);
    const size_t dim = (size_t)about->dim, positions = (size_t)about->grid * (size_t)about->grid + 1;
    const size_t size = (size_t)about->preparation.size;
    if (lens_model_seen(model, term, max_pixels, &out->seen, err) != 0)
        return -1;
    float *pixels = malloc(size * size * 3 * sizeof *pixels);
    side->parts = malloc(positions * dim * sizeof *side->parts);
    side->whole = calloc(dim, sizeof *side->whole);
    out->grid = about->grid;
    out->parts = calloc(positions, sizeof *out->parts);
    int result = -1;
    if (!pixels || !side->parts || !side->whole || !out->parts) {
        lens_fail_memory(err);
    } else {
        const lens_image seen = {(int)size, (int)size, out->seen.rgb};
        lens_prepare_pixels(&seen, &about->preparation, pixels);
        result = lens_session_parts(model->session, pixels, side->parts, err);
    }
    for (size_t p = 0; result == 0 && p < positions; p++)
        for (size_t d = 0; d < dim; d++)
            side->whole[d] += (double)side->parts[p * dim + d];
    free(pixels);
    return result;
}

static int take_words(lens_model *model, const lens_term *term, struct side *side, lens_error *err)
{
    const size_t dim = (size_t)lens_model_dim(model);
    float *vector = malloc(dim * sizeof *vector);
    side->whole = calloc(dim, sizeof *side->whole);
    int result = vector && side->whole ? lens_model_embed(model, term, 0, vector, err) : lens_fail_memory(err);
    for (size_t d = 0; result == 0 && d < dim; d++)
        side->whole[d] = (double)vector[d];
    free(vector);
    return result;
}

static int measure(struct side *side, size_t dim, lens_error *err)
{
    double squares = 0;
    for (size_t d = 0; d < dim; d++)
        squares += side->whole[d] * side->whole[d];
    side->length = sqrt(squares);
    if (side->length > 0 && isfinite(side->length))
        return 0;
    return lens_fail(err, LENS_E_FORMAT, "the model gives a vector that is zero or not finite");
}

/* Each of SIDE's parts times OTHER's direction, over both lengths: they add up to the cosine. */
static void split(const struct side *side, const struct side *other, size_t dim, lens_explained *out)
{
    const size_t positions = (size_t)out->grid * (size_t)out->grid;
    for (size_t p = 0; side->parts && p <= positions; p++) {
        double sum = 0;
        for (size_t d = 0; d < dim; d++)
            sum += (double)side->parts[p * dim + d] * other->whole[d];
        sum /= side->length * other->length;
        if (p < positions)
            out->parts[p] = sum;
        else
            out->rest = sum;
    }
}

static int explain(lens_model *model, const lens_term *query, const lens_term *picture, uint64_t max_pixels, struct side sides[2],
                   lens_explanation *out, lens_error *err)
{
    const size_t dim = (size_t)lens_model_dim(model);
    if ((query->kind == LENS_TERM_WORDS ? take_words(model, query, &sides[0], err) : take_picture(model, query, max_pixels, &sides[0], &out->query, err)) != 0 ||
        take_picture(model, picture, max_pixels, &sides[1], &out->picture, err) != 0 || measure(&sides[0], dim, err) != 0 ||
        measure(&sides[1], dim, err) != 0)
        return -1;
    for (size_t d = 0; d < dim; d++)
        out->score += sides[0].whole[d] * sides[1].whole[d];
    out->score /= sides[0].length * sides[1].length;
    split(&sides[0], &sides[1], dim, &out->query);
    split(&sides[1], &sides[0], dim, &out->picture);
    return 0;
}

lens_explanation *lens_model_explain(lens_model *model, const lens_term *query, const lens_term *picture, uint64_t max_pixels, lens_error *err)
{
    const lens_encoder_info *about = lens_encoder_about(model->encoder);
    if (about->precision != LENS_PRECISION_F32 || !about->grid) {
        lens_fail(err, LENS_E_UNSUPPORTED, "%s: %s", about->variant, about->grid ? "scores are explained in f32 only" : "it has no map of where its vectors come from");
        return NULL;
    }
    if (query->kind == LENS_TERM_ID || picture->kind == LENS_TERM_ID || picture->kind == LENS_TERM_WORDS) {
        lens_fail(err, LENS_E_ARGUMENT, "what is explained is the score of a picture");
        return NULL;
    }
    if (!model->session && !(model->session = lens_session_new(model->encoder, 1, lens_processors(), err)))
        return NULL;
    lens_explanation *out = calloc(1, sizeof *out);
    struct side sides[2] = {{0}, {0}};
    int result = out ? explain(model, query, picture, max_pixels, sides, out, err) : lens_fail_memory(err);
    for (int i = 0; i < 2; i++) {
        free(sides[i].parts);
        free(sides[i].whole);
    }
    if (result == 0) {
        out->method = about->method;
        return out;
    }
    lens_explanation_free(out);
    return NULL;
}

/* The model that made MODEL's vectors in f32, on the warm's encoder *SHARED where there is one, else on one of its own. NULL on failure. */
static lens_model *open_explaining(lens_library *library, const lens_store_model *model, bool words, lens_warm_encoder **shared, lens_error *err)
{
    const lens_tower towers = words ? LENS_TOWER_BOTH : LENS_TOWER_PICTURES;
    lens_encoder *encoder;
    *shared = library->warm ? lens_warm_encoders_explaining(lens_warm_encoders_of(library->warm), model, towers, err) : NULL;
    if (library->warm)
        encoder = *shared ? (*shared)->encoder : NULL;
    else if ((encoder = lens_model_encoder(model->name, "f32", towers, err)) && lens_library_model_matches(model, encoder, err) != 0) {
        lens_encoder_close(encoder);
        encoder = NULL;
    }
    lens_model *opened = encoder ? calloc(1, sizeof *opened) : NULL;
    if (encoder && !opened) {
        lens_fail_memory(err);
        if (*shared)
            lens_warm_encoder_release(*shared);
        else
            lens_encoder_close(encoder);
    }
    if (opened)
        opened->encoder = encoder;
    return opened;
}

lens_explanation *lens_explain(lens_library *library, const char *name, const lens_term *query, const lens_term *picture, uint64_t max_pixels, lens_error *err)
{
    const bool words = query->kind == LENS_TERM_WORDS;
    lens_store_model model = {0};
    lens_warm_encoder *shared = NULL;
    lens_explanation *out = NULL;
    if (lens_library_model_of(library, NULL, name, words, &model, err) != 0)
        return NULL;
    const bool mapped = words && !lens_model_knows_words(model.name) && lens_word_bridge_known(library->place.folder, &model);
    if (mapped)
        lens_fail(err, LENS_E_UNSUPPORTED, "%s knows words by a map, which says nothing of places in a picture: for that run `memelens pull clip-vit-b-32`, "
                  "then `memelens index --model clip-vit-b-32`", model.name);
    lens_model *opened = mapped ? NULL : open_explaining(library, &model, words, &shared, err);
    free(model.name);
    if (opened)
        out = lens_model_explain(opened, query, picture, max_pixels, err);
    if (opened && shared) {
        lens_session_free(opened->session);
        free(opened);
        lens_warm_encoder_release(shared);
    } else {
        lens_model_close(opened);
    }
    return out;
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

const char *lens_explained_place(const lens_explained *side, double *sum)
{
    static const char *const places[3][3] = {{"at the upper left", "at the top", "at the upper right"},
                                               {"at the left", "in the middle", "at the right"},
                                               {"at the lower left", "at the bottom", "at the lower right"}};
    const int count = side->grid * side->grid, best = (count + 3) / 4;
    double *sorted = calloc((size_t)count + 1, sizeof *sorted), weight = 0, x = 0, y = 0;
    *sum = 0;
    if (!sorted)
        return NULL;
    memcpy(sorted, side->parts, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, descending);
    for (int i = 0; i < best; i++)
        *sum += sorted[i];
    for (int i = 0; i < count; i++)
        if (side->parts[i] >= sorted[best - 1] && side->parts[i] > 0) {
            weight += side->parts[i];
            x += side->parts[i] * (i % side->grid + 0.5) / side->grid;
            y += side->parts[i] * (i / side->grid + 0.5) / side->grid;
        }
    free(sorted);
    if (!(weight > 0))
        return NULL;
    x /= weight;
    y /= weight;
    return places[y < 1.0 / 3 ? 0 : y < 2.0 / 3 ? 1 : 2][x < 1.0 / 3 ? 0 : x < 2.0 / 3 ? 1 : 2];
}

void lens_explanation_free(lens_explanation *explanation)
{
    if (!explanation)
        return;
    lens_explained *sides[2] = {&explanation->query, &explanation->picture};
    for (int i = 0; i < 2; i++) {
        free(sides[i]->parts);
        lens_seen_free(&sides[i]->seen);
    }
    free(explanation);
}

int lens_png(const uint8_t *rgb, int width, int height, void **bytes, size_t *size, lens_error *err)
{
    return lens_encode_png(&(lens_image){width, height, (uint8_t *)rgb}, bytes, size, err);
}

int lens_jpeg(const uint8_t *rgb, int width, int height, int quality, void **bytes, size_t *size, lens_error *err)
{
    return lens_encode_jpeg(&(lens_image){width, height, (uint8_t *)rgb}, quality, bytes, size, err);
}
