/* Pillow's resize, to the last bit: libImaging/Resample.c is the reference for every rounding here.
 *
 * Each output value is a weighted sum of neighbours, along rows and along columns, with 8-bit values between the two
 * passes, so that their order shows. Up to Pillow 12 rows always came first; since 13.0 columns do in a picture that loses
 * more than twice as much height as width, and we follow that. Weights are computed in double precision, normalised to a sum
 * of 1, and rounded to 22 bits behind the point; sums are exact integers, so the order of additions does not matter. That
 * leaves the passes free to add up as suits the processor: this file has the weights and chooses among the passes. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pixels/resample_passes.h"

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static double sinc(double x)
{
    if (x == 0)
        return 1;
    x *= M_PI;
    return sin(x) / x;
}

static double lanczos(double x)
{
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static void axis_free(lens_axis *a)
{
    free(a->first);
    free(a->taps);
    free(a->weights);
    *a = (lens_axis){0};
}

/* How far to both sides an output of an axis resized from IN to OUT looks, in inputs. */
static double support_of(int in, int out, lens_filter filter)
{
    const double support = filter == LENS_FILTER_BILINEAR ? 1 : filter == LENS_FILTER_BICUBIC ? 2 : 3;
    return in > out ? support * ((double)in / out) : support; /* shrinking averages over more */
}

/* The most inputs that an output depends on. */
static int64_t most_taps(double support)
{
    return (int64_t)ceil(support) * 2 + 1;
}

/* The weights of outputs FROM to FROM + COUNT of an axis resized from IN to OUT. */
static int axis_new(int in, int out, int from, int count, lens_filter filter, lens_axis *result, lens_error *err)
{
    double (*weigh)(double) = filter == LENS_FILTER_BILINEAR ? triangle : filter == LENS_FILTER_BICUBIC ? cubic : lanczos;
    double scale = (double)in / out, support = support_of(in, out, filter), narrow = scale < 1 ? 1 : 1 / scale;
    if (most_taps(support) > INT_MAX)
        return lens_fail(err, LENS_E_LIMIT, "%d pixels are too many to be resized to %d", in, out);
    int most = (int)most_taps(support);

    lens_axis a = {.count = count, .most = most};
    double *exact = calloc((size_t)most, sizeof *exact);
    a.first = calloc((size_t)count, sizeof *a.first);
    a.taps = calloc((size_t)count, sizeof *a.taps);
    a.weights = calloc((size_t)count, (size_t)most * sizeof *a.weights);
    if (!exact || !a.first || !a.taps || !a.weights) {
        free(exact);
        axis_free(&a);
        return lens_fail(err, LENS_E_MEMORY, "not enough memory to resize from %d to %d pixels", in, out);
    }
    for (int i = 0; i < count; i++) {
        double centre = (from + i + 0.5) * scale;
        double begin = centre - support + 0.5, limit = centre + support + 0.5;
        int first = begin < 0 ? 0 : (int)begin, end = limit > in ? in : (int)limit;
        int taps = end - first;
        double sum = 0;
        for (int j = 0; j < taps; j++) {
            exact[j] = weigh((j + first - centre + 0.5) * narrow);
            sum += exact[j];
        }
        for (int j = 0; j < taps; j++) {
            double weight = (sum != 0 ? exact[j] / sum : exact[j]) * (1 << LENS_WEIGHT_BITS);
            a.weights[(size_t)i * (size_t)most + (size_t)j] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
        a.first[i] = first;
        a.taps[i] = taps;
    }
    free(exact);
    *result = a;
    return 0;
}

/* What of its input an axis' outputs depend on, and how many of it the neediest; A is NULL for one that keeps its size. */
void lens_axis_needs(const lens_axis *a, int from, int count, int *low, int *high, int *most)
{
    *low = a ? a->first[0] : from;
    *high = a ? a->first[0] + a->taps[0] : from + count;
    *most = 1;
    for (int i = 0; a && i < a->count; i++) {
        if (a->first[i] + a->taps[i] > *high)
            *high = a->first[i] + a->taps[i];
        if (a->taps[i] > *most)
            *most = a->taps[i];
    }
}

static int check(const lens_image *source, int width, int height, lens_window window, lens_error *err)
{
    if (width < 1 || height < 1 || window.x < 0 || window.y < 0 || window.width < 1 || window.height < 1 ||
        window.width > width - window.x || window.height > height - window.y)
        return lens_fail(err, LENS_E_ARGUMENT, "a window of %d x %d at %d, %d in a picture of %d x %d", window.width, window.height,
                         window.x, window.y, width, height);
    if (source->width < 1 || source->height < 1 || !source->rgb)
        return lens_fail(err, LENS_E_ARGUMENT, "a picture without pixels");
    return 0;
}

/* Positions are summed up step by step, as Pillow does it: the last digits of a double decide between neighbours. */
static int nearest(const lens_image *source, int width, int height, lens_window window, lens_image *out, lens_error *err)
{
    int *columns = malloc((size_t)window.width * sizeof *columns);
    if (!columns)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory to resize to %d pixels", width);
    double step = (double)source->width / width, at = step * 0.5;
    for (int x = 0; x < window.x + window.width; x++, at += step)
        if (x >= window.x)
            columns[x - window.x] = (int)at < source->width ? (int)at : source->width - 1;
    step = (double)source->height / height;
    at = step * 0.5;
    for (int y = 0; y < window.y + window.height; y++, at += step) {
        if (y < window.y)
            continue;
        int line = (int)at < source->height ? (int)at : source->height - 1;
        const uint8_t *in = source->rgb + 3 * (size_t)line * (size_t)source->width;
        uint8_t *to = out->rgb + 3 * (size_t)(y - window.y) * (size_t)window.width;
        for (int x = 0; x < window.width; x++)
            memcpy(to + 3 * (size_t)x, in + 3 * (size_t)columns[x], 3);
    }
    free(columns);
    return 0;
}

const lens_resampler *lens_resampler_nth(size_t n)
{
    static const lens_resampler plain = {"plain", lens_passes_plain};
#if defined(__x86_64__)
    static const lens_resampler vnni = {"avx512_vnni", lens_passes_vnni};
    __builtin_cpu_init();
    bool has = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
               __builtin_cpu_supports("avx512vnni");
    if (has && n-- == 0)
        return &vnni;
#endif
    return n == 0 ? &plain : NULL;
}

/* WINDOW of SOURCE resized to WIDTH x HEIGHT, into OUT, which has its size. 0 or -1. */
static int resize(const lens_resampler *with, const lens_image *source, int width, int height, lens_window window, lens_filter filter, lens_image *out,
                  lens_error *err)
{
    lens_axis horizontal = {0}, vertical = {0};
    bool wider = width != source->width, taller = height != source->height;
    int64_t narrowed = (int64_t)source->width - width, lowered = (int64_t)source->height - height;
    bool columns_first = wider && taller && lowered > 0 && lowered > 2 * narrowed;
    int result = 0;
    if (filter == LENS_FILTER_NEAREST) {
        result = nearest(source, width, height, window, out, err);
    } else {
        if (wider)
            result = axis_new(source->width, width, window.x, window.width, filter, &horizontal, err);
        if (taller && result == 0)
            result = axis_new(source->height, height, window.y, window.height, filter, &vertical, err);
        if (result == 0)
            result = with->passes(source, wider ? &horizontal : NULL, taller ? &vertical : NULL, columns_first, window, out, err);
    }
    axis_free(&horizontal);
    axis_free(&vertical);
    return result;
}

/* The same of a BAND of WINDOW, which may reach beyond it, into its place in OUT. */
static int resize_band(const lens_resampler *with, const lens_image *source, int width, int height, lens_window window, lens_window band, lens_filter filter,
                       lens_image *out, lens_error *err)
{
    lens_image part;
    const int right = window.width - band.x, below = window.height - band.y;
    band.width = band.width < right ? band.width : right;
    band.height = band.height < below ? band.height : below;
    if (lens_image_new(band.width, band.height, &part, err) != 0)
        return -1;
    const lens_window own = {window.x + band.x, window.y + band.y, band.width, band.height};
    const int result = resize(with, source, width, height, own, filter, &part, err);
    const size_t line = 3 * (size_t)band.width;
    for (size_t y = 0; y < (size_t)band.height && result == 0; y++)
        memcpy(out->rgb + 3 * (((size_t)band.y + y) * (size_t)window.width + (size_t)band.x), part.rgb + y * line, line);
    lens_image_free(&part);
    return result;
}

/* How many of COUNT outputs of an axis are weighed at once: fewer where each depends on so much that their weights would take more memory than the picture. */
static int band_of(int in, int out, int count, lens_filter filter)
{
    enum { WEIGHTS_MOST = 1 << 22 };
    const int64_t fit = WEIGHTS_MOST / most_taps(support_of(in, out, filter));
    return in == out || filter == LENS_FILTER_NEAREST || fit >= count ? count : fit < 1 ? 1 : (int)fit;
}

int lens_resample_with(const lens_resampler *with, const lens_image *source, int width, int height, lens_window window,
                       lens_filter filter, lens_image *out, lens_error *err)
{
    *out = (lens_image){0};
    if (check(source, width, height, window, err) != 0 || lens_image_new(window.width, window.height, out, err) != 0)
        return -1;
    const int columns = band_of(source->width, width, window.width, filter), rows = band_of(source->height, height, window.height, filter);
    int result = 0;
    if (columns == window.width && rows == window.height)
        result = resize(with, source, width, height, window, filter, out, err);
    else
        for (int y = 0; y < window.height && result == 0; y += rows)
            for (int x = 0; x < window.width && result == 0; x += columns)
                result = resize_band(with, source, width, height, window, (lens_window){x, y, columns, rows}, filter, out, err);
    if (result != 0)
        lens_image_free(out);
    return result;
}

int lens_resample(const lens_image *source, int width, int height, lens_window window, lens_filter filter, lens_image *out,
                  lens_error *err)
{
    return lens_resample_with(lens_resampler_nth(0), source, width, height, window, filter, out, err);
}
