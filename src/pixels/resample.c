/* Pillow's resize, to the last bit: libImaging/Resample.c is the reference for every rounding here.
 *
 * Each output value is a weighted sum of neighbours, along rows and along columns, with 8-bit values between the two
 * passes, so that their order shows. Up to Pillow 12 rows always came first; since 13.0 columns do in a picture that loses
 * more than twice as much height as width, and we follow that. Weights are computed in double precision, normalised to a sum of 1, and rounded to 22 bits behind the
 * point; sums are exact integers, so the order of additions does not matter and compilers may vectorise them.
 *
 * Both passes are the same loop over LANES values side by side. Down the columns those are the neighbouring bytes of a
 * row. Along the rows, RUN rows are first interleaved, pixel by pixel, so that the bytes of one column lie together. */
#include "pixels/resample.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/clones.h"

enum {
    WEIGHT_BITS = 32 - 8 - 2, /* sums of weights times 255 stay within 32 bits, negative lobes included */
    RUN = 16,
    LANES = RUN * 3,
    AHEAD = 4 * RUN, /* rows that the first pass makes beyond what the second needs at the moment */
};

/* How the outputs of one axis are weighed: output i is the sum of weights[i * most + j] * input[first[i] + j], j < taps[i]. */
typedef struct axis {
    int count, most;
    int *first, *taps;
    int32_t *weights;
} axis;

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

static void axis_free(axis *a)
{
    free(a->first);
    free(a->taps);
    free(a->weights);
    *a = (axis){0};
}

/* The weights of outputs FROM to FROM + COUNT of an axis resized from IN to OUT. */
static int axis_new(int in, int out, int from, int count, lens_filter filter, axis *result, lens_error *err)
{
    double (*weigh)(double) = filter == LENS_FILTER_BILINEAR ? triangle : filter == LENS_FILTER_BICUBIC ? cubic : lanczos;
    double support = filter == LENS_FILTER_BILINEAR ? 1 : filter == LENS_FILTER_BICUBIC ? 2 : 3;
    double scale = (double)in / out, stretch = scale < 1 ? 1 : scale; /* shrinking averages over more */
    support *= stretch;
    double narrow = 1 / stretch;
    int most = (int)ceil(support) * 2 + 1;

    axis a = {.count = count, .most = most};
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
        int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
        first = first < 0 ? 0 : first;
        end = end > in ? in : end;
        int taps = end - first;
        double sum = 0;
        for (int j = 0; j < taps; j++) {
            exact[j] = weigh((j + first - centre + 0.5) * narrow);
            sum += exact[j];
        }
        for (int j = 0; j < taps; j++) {
            double weight = (sum != 0 ? exact[j] / sum : exact[j]) * (1 << WEIGHT_BITS);
            a.weights[(size_t)i * (size_t)most + (size_t)j] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
        a.first[i] = first;
        a.taps[i] = taps;
    }
    free(exact);
    *result = a;
    return 0;
}

static inline uint8_t narrow(int32_t sum)
{
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* LANES weighted sums at once: sum over t < TAPS of weights[t] * in[t * step + l]. Values wait in 16 bits, because widening
 * from those to the 32 of the sums is one step for a vector, and from 8 it is two. */
static inline __attribute__((always_inline)) void sum_lanes(const uint16_t *restrict in, size_t step, const int32_t *restrict weights,
                                                            int taps, int32_t *restrict sums)
{
    for (int l = 0; l < LANES; l++)
        sums[l] = 1 << (WEIGHT_BITS - 1);
    for (int t = 0; t < taps; t++, in += step)
        for (int l = 0; l < LANES; l++)
            sums[l] += weights[t] * in[l];
}

LENS_CLONES static void weigh_to_16(const uint16_t *restrict in, size_t step, const int32_t *restrict weights, int taps, uint16_t *restrict out)
{
    int32_t sums[LANES];
    sum_lanes(in, step, weights, taps, sums);
    for (int l = 0; l < LANES; l++)
        out[l] = narrow(sums[l]);
}

LENS_CLONES static void weigh_to_8(const uint16_t *restrict in, size_t step, const int32_t *restrict weights, int taps, uint8_t *restrict out)
{
    int32_t sums[LANES];
    sum_lanes(in, step, weights, taps, sums);
    for (int l = 0; l < LANES; l++)
        out[l] = narrow(sums[l]);
}

/* Four bytes, each in 16 bits. */
static inline void widen_4(const uint8_t *in, uint16_t *out)
{
#ifdef __SSE2__
    int bytes;
    memcpy(&bytes, in, sizeof bytes);
    _mm_storel_epi64((__m128i *)(void *)out, _mm_unpacklo_epi8(_mm_cvtsi32_si128(bytes), _mm_setzero_si128()));
#else
    for (int c = 0; c < 4; c++)
        out[c] = in[c];
#endif
}

/* Interleaves COUNT rows from IN on, ROW bytes apart, of COLUMNS pixels each. A pixel is moved as four values, of which the
 * last is overwritten by the next. */
static void mix(const uint8_t *restrict in, size_t row, int columns, int count, uint16_t *restrict out)
{
    for (int x = 0; x < columns - 1; x++, in += 3) {
        const uint8_t *at = in;
        for (int i = 0; i < count; i++, out += 3, at += row)
            widen_4(at, out);
    }
    for (int i = 0; i < count; i++, out += 3)
        for (int c = 0; c < 3; c++)
            out[c] = in[(size_t)i * row + (size_t)c];
}

/* The pass along rows. */
typedef struct across {
    const axis *axis;
    int low, columns; /* the input's columns that the window depends on */
    uint16_t *mixed;  /* [columns, rows at a time, 3], and LANES more that may be read */
} across;

/* Resizes COUNT rows, at most RUN, from IN on, ROW bytes apart, which begin with column LOW. They get [axis->count, 3] and
 * one value more that means nothing, STRIDE apart from TO on. */
static void resize_rows(const across *a, const uint8_t *in, size_t row, int count, uint16_t *to, size_t stride)
{
    mix(in, row, a->columns, count, a->mixed);
    size_t step = (size_t)count * 3; /* with fewer rows than RUN the last lanes hold the next column, and are dropped */
    for (int x = 0; x < a->axis->count; x++) {
        uint16_t lanes[LANES + 1];
        lanes[LANES] = 0; /* moved with the last row's pixel, behind the line's end */
        weigh_to_16(a->mixed + (size_t)(a->axis->first[x] - a->low) * step, step, a->axis->weights + (size_t)x * (size_t)a->axis->most,
                    a->axis->taps[x], lanes);
        for (int i = 0; i < count; i++)
            memcpy(to + (size_t)i * stride + 3 * (size_t)x, lanes + 3 * i, 4 * sizeof *to);
    }
}

/* The rows that the pass along columns works on, a few at a time: the source's, resized already or as they are. */
typedef struct rows {
    const lens_image *source;
    const across *resized; /* NULL: columns from LEFT on are taken as they are */
    int left, width;       /* of the rows, pixels */
    size_t stride;         /* values from row to row: whole LANES, and at least one more than a row has */
    uint16_t *lines;       /* rows BASE to BASE + COUNT, each [width, 3] */
    int base, count, capacity, last; /* LAST: the end of the rows that the window depends on */
} rows;

/* Makes rows Y to Y + COUNT, at most RUN, at TO. */
static void make_rows(const rows *r, int y, int count, uint16_t *to)
{
    size_t row = (size_t)r->source->width * 3;
    const uint8_t *in = r->source->rgb + (size_t)y * row + 3 * (size_t)(r->resized ? r->resized->low : r->left);
    if (r->resized) {
        resize_rows(r->resized, in, row, count, to, r->stride);
        return;
    }
    for (int i = 0; i < count; i++, in += row, to += r->stride)
        for (size_t x = 0; x < (size_t)r->width * 3; x++)
            to[x] = in[x];
}

/* Row FIRST, followed by those up to END, made where they are not there yet. FIRST never falls from call to call. */
static const uint16_t *get_rows(rows *r, int first, int end)
{
    if (end > r->base + r->count) {
        int keep = first < r->base + r->count ? r->base + r->count - first : 0;
        if (keep)
            memmove(r->lines, r->lines + (size_t)(first - r->base) * r->stride, (size_t)keep * r->stride * sizeof *r->lines);
        r->base = first;
        r->count = keep;
        while (r->count < r->capacity && r->base + r->count < r->last) {
            int more = r->capacity - r->count, left = r->last - r->base - r->count;
            more = more < RUN ? more : RUN;
            more = more < left ? more : left;
            make_rows(r, r->base + r->count, more, r->lines + (size_t)r->count * r->stride);
            r->count += more;
        }
    }
    return r->lines + (size_t)(first - r->base) * r->stride;
}

/* The pass along columns: the window's row Y, or row TOP + Y as it is where the height stays (DOWN is NULL), to the bytes
 * [width, 3] at TO. */
static void resize_down(rows *r, const axis *down, int top, int y, uint8_t *to)
{
    size_t width = (size_t)r->width * 3;
    if (!down) {
        const uint16_t *in = get_rows(r, top + y, top + y + 1);
        for (size_t x = 0; x < width; x++)
            to[x] = (uint8_t)in[x];
        return;
    }
    int first = down->first[y], taps = down->taps[y];
    const uint16_t *in = get_rows(r, first, first + taps);
    const int32_t *weights = down->weights + (size_t)y * (size_t)down->most;
    size_t x = 0;
    for (; x + LANES <= width; x += LANES)
        weigh_to_8(in + x, r->stride, weights, taps, to + x);
    if (x < width) {
        uint8_t rest[LANES];
        weigh_to_8(in + x, r->stride, weights, taps, rest);
        memcpy(to + x, rest, width - x);
    }
}

/* What of its input an axis' outputs depend on, and how many of it the neediest; A is NULL for one that keeps its size. */
static void needed(const axis *a, int from, int count, int *low, int *high, int *most)
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

static size_t stride_of(int width)
{
    return ((size_t)width * 3 / LANES + 1) * LANES;
}

/* Rows from above downwards into OUT: those of the source are resized first, then columns. */
static void across_first(rows *r, const axis *down, int top, lens_image *out)
{
    for (int y = 0; y < out->height; y++)
        resize_down(r, down, top, y, out->rgb + (size_t)y * (size_t)out->width * 3);
}

/* The other way round: RUN rows of the window are made from the source's columns, and resized then. STRIP: room for those
 * rows, before and after. */
static void down_first(rows *r, const axis *down, const across *a, uint8_t *strip, uint16_t *resized, lens_image *out)
{
    size_t row = (size_t)r->width * 3, width = (size_t)out->width * 3, stride = stride_of(out->width);
    for (int y = 0; y < out->height; y += RUN) {
        int count = out->height - y < RUN ? out->height - y : RUN;
        for (int i = 0; i < count; i++)
            resize_down(r, down, 0, y + i, strip + (size_t)i * row);
        resize_rows(a, strip, row, count, resized, stride);
        for (int i = 0; i < count; i++)
            for (size_t x = 0; x < width; x++)
                out->rgb[(size_t)(y + i) * width + x] = (uint8_t)resized[(size_t)i * stride + x];
    }
}

static int convolve(const lens_image *source, const axis *horizontal, const axis *vertical, bool columns_first, lens_window window,
                    lens_image *out, lens_error *err)
{
    across a = {.axis = horizontal};
    rows r = {.source = source, .resized = horizontal && !columns_first ? &a : NULL};
    int high, most;
    needed(vertical, window.y, window.height, &r.base, &r.last, &most);
    r.capacity = r.last - r.base - most < AHEAD ? r.last - r.base : most + AHEAD;
    needed(horizontal, window.x, window.width, &a.low, &high, &most);
    a.columns = high - a.low;
    r.left = a.low;
    r.width = columns_first ? a.columns : window.width;
    r.stride = stride_of(r.width);

    r.lines = calloc((size_t)r.capacity, r.stride * sizeof *r.lines);
    a.mixed = horizontal ? calloc((size_t)a.columns + 1, LANES * sizeof *a.mixed) : NULL;
    uint8_t *strip = columns_first ? malloc(RUN * (size_t)r.width * 3) : NULL;
    uint16_t *resized = columns_first ? malloc(RUN * stride_of(window.width) * sizeof *resized) : NULL;
    int result = 0;
    if (!r.lines || (horizontal && !a.mixed) || (columns_first && (!strip || !resized)))
        result = lens_fail(err, LENS_E_MEMORY, "not enough memory to resize %d x %d pixels", source->width, source->height);
    else if (columns_first)
        down_first(&r, vertical, &a, strip, resized, out);
    else
        across_first(&r, vertical, window.y, out);
    free(r.lines);
    free(a.mixed);
    free(strip);
    free(resized);
    return result;
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

int lens_resample(const lens_image *source, int width, int height, lens_window window, lens_filter filter, lens_image *out,
                  lens_error *err)
{
    *out = (lens_image){0};
    if (check(source, width, height, window, err) != 0 || lens_image_new(window.width, window.height, out, err) != 0)
        return -1;
    axis horizontal = {0}, vertical = {0};
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
            result = convolve(source, wider ? &horizontal : NULL, taller ? &vertical : NULL, columns_first, window, out, err);
    }
    axis_free(&horizontal);
    axis_free(&vertical);
    if (result != 0)
        lens_image_free(out);
    return result;
}
