/* Naming pictures by words, zero-shot. */
#include <math.h>
#include <stdlib.h>

#include "library/internal.h"

/* Fills MODEL's label vectors [count, dim]. */
static int encode_labels(lens_model *model, const char *const *labels, size_t count, lens_error *err)
{
    const size_t dim = (size_t)lens_model_dim(model);
    float *vectors = calloc(count, dim * sizeof *vectors);
    int result = vectors ? 0 : lens_fail_memory(err);
    for (size_t i = 0; i < count && result == 0; i++) {
        const lens_term words = {.kind = LENS_TERM_WORDS, .text = labels[i], .weight = 1};
        result = lens_model_embed(model, &words, 0, vectors + i * dim, err);
    }
    if (result != 0) {
        free(vectors);
        return -1;
    }
    free(model->labels);
    model->labels = vectors;
    model->labels_of = labels;
    model->label_count = count;
    return 0;
}

/* PROBABILITIES = softmax(temperature * COSINES). */
static void softmax(const double *cosines, size_t count, double temperature, double *probabilities)
{
    double top = cosines[0], sum = 0;
    for (size_t i = 1; i < count; i++)
        top = fmax(top, cosines[i]);
    for (size_t i = 0; i < count; i++)
        sum += probabilities[i] = exp(temperature * (cosines[i] - top));
    for (size_t i = 0; i < count; i++)
        probabilities[i] /= sum;
}

int lens_model_label(lens_model *model, const lens_term *term, const char *const *labels, size_t count, uint64_t max_pixels, double *cosines,
                     double *probabilities, lens_error *err)
{
    if (count == 0)
        return lens_fail(err, LENS_E_ARGUMENT, "no labels");
    const lens_encoder_info *about = lens_encoder_about(model->encoder);
    if (!about->pictures || !about->words)
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s encodes %s", about->name, about->words ? "words, not pictures" : "pictures, not words");
    if ((model->labels_of != labels || model->label_count != count) && encode_labels(model, labels, count, err) != 0)
        return -1;
    const size_t dim = (size_t)about->dim;
    float *picture = malloc(dim * sizeof *picture);
    int result = picture ? lens_model_embed(model, term, max_pixels, picture, err) : lens_fail_memory(err);
    for (size_t i = 0; i < count && result == 0; i++) {
        cosines[i] = 0;
        for (size_t d = 0; d < dim; d++)
            cosines[i] += (double)picture[d] * (double)model->labels[i * dim + d];
    }
    if (result == 0)
        softmax(cosines, count, about->logit_scale, probabilities);
    free(picture);
    return result;
}
