/* The passes as plain loops that compilers vectorise, for any processor.
 *
 * Both passes are the same loop over LANES values side by side. Down the columns those are the neighbouring bytes of a
 * row. Along the rows, RUN rows are first interleaved, pixel by pixel, so that the bytes of one column lie together. */
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/clones.h"
#include "pixels/resample_passes.h"

enum {
    RUN = 16,
    LANES = RUN * 3,
    AHEAD = 4 * RUN, /* rows that the first pass makes beyond what the second needs at the moment */
    ROWS_MOST = 1024, /* that it makes for one output of the second, which sums up more of them bit by bit: there may be millions */
};

static inline uint8_t narrow(int32_t sum)
{
    sum >>= LENS_WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static inline __attribute__((always_inline)) void begin_lanes(int32_t *sums)
{
    for (int l = 0; l < LANES; l++)
        sums[l] = 1 << (LENS_WEIGHT_BITS - 1); /* rounds */
}

/* LANES weighted sums at once: sum over t < TAPS of weights[t] * in[t * step + l]. Values wait in 16 bits, because widening
 * from those to the 32 of the sums is one step for a vector, and from 8 it is two. */
static inline __attribute__((always_inline)) void sum_lanes(const uint16_t *restrict in, size_t step, const int32_t *restrict weights,
                                                            int taps, int32_t *restrict sums)
{
    for (int t = 0; t < taps; t++, in += step)
        for (int l = 0; l < LANES; l++)
            sums[l] += weights[t] * in[l];
}

LENS_CLONES static void weigh_to_16(const uint16_t *restrict in, size_t step, const int32_t *restrict weights, int taps,
                                    uint16_t *restrict out)
{
    int32_t sums[LANES];
    begin_lanes(sums);
    sum_lanes(in, step, weights, taps, sums);
    for (int l = 0; l < LANES; l++)
        out[l] = narrow(sums[l]);
}

LENS_CLONES static void weigh_to_8(const uint16_t *restrict in, size_t step, const int32_t *restrict weights, int taps,
                                   uint8_t *restrict out)
{
    int32_t sums[LANES];
    begin_lanes(sums);
    sum_lanes(in, step, weights, taps, sums);
    for (int l = 0; l < LANES; l++)
        out[l] = narrow(sums[l]);
}

LENS_CLONES static void weigh_more(const uint16_t *restrict in, size_t step, const int32_t *restrict weights, int taps, int32_t *restrict out)
{
    int32_t sums[LANES];
    memcpy(sums, out, sizeof sums);
    sum_lanes(in, step, weights, taps, sums);
    memcpy(out, sums, sizeof sums);
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
    const lens_axis *axis;
    int low, columns; /* the input's columns that the window depends on */
    uint16_t *mixed;  /* [columns, rows at a time, 3], and LANES more that may be read; at a time are RUN at most, or all */
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
    int32_t *sums;         /* [stride]; NULL where no output depends on more than ROWS_MOST rows */
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

/* Row FIRST, followed by those up to END, made where they are not there yet. FIRST falls from call to call only behind an output of more than ROWS_MOST. */
static const uint16_t *get_rows(rows *r, int first, int end)
{
    if (first < r->base)
        r->base = first, r->count = 0;
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

/* Bytes TO [width] of an output that depends on more rows than are made at a time. */
static void sum_up_down(rows *r, int first, int taps, const int32_t *weights, size_t width, uint8_t *to)
{
    for (size_t x = 0; x < r->stride; x += LANES)
        begin_lanes(r->sums + x);
    for (int t = 0; t < taps; t += ROWS_MOST) {
        const int some = taps - t < ROWS_MOST ? taps - t : ROWS_MOST;
        const uint16_t *in = get_rows(r, first + t, first + t + some);
        for (size_t x = 0; x < width; x += LANES)
            weigh_more(in + x, r->stride, weights + t, some, r->sums + x);
    }
    for (size_t x = 0; x < width; x++)
        to[x] = narrow(r->sums[x]);
}

/* The pass along columns: the window's row Y, or row TOP + Y as it is where the height stays (DOWN is NULL), to the bytes
 * [width, 3] at TO. */
static void resize_down(rows *r, const lens_axis *down, int top, int y, uint8_t *to)
{
    size_t width = (size_t)r->width * 3;
    if (!down) {
        const uint16_t *in = get_rows(r, top + y, top + y + 1);
        for (size_t x = 0; x < width; x++)
            to[x] = (uint8_t)in[x];
        return;
    }
    int first = down->first[y], taps = down->taps[y];
    const int32_t *weights = down->weights + (size_t)y * (size_t)down->most;
    if (taps > ROWS_MOST) {
        sum_up_down(r, first, taps, weights, width, to);
        return;
    }
    const uint16_t *in = get_rows(r, first, first + taps);
    size_t x = 0;
    for (; x + LANES <= width; x += LANES)
        weigh_to_8(in + x, r->stride, weights, taps, to + x);
    if (x < width) {
        uint8_t rest[LANES];
        weigh_to_8(in + x, r->stride, weights, taps, rest);
        memcpy(to + x, rest, width - x);
    }
}

static size_t stride_of(int width)
{
    return ((size_t)width * 3 / LANES + 1) * LANES;
}

/* Rows from above downwards into OUT: those of the source are resized first, then columns. */
static void across_first(rows *r, const lens_axis *down, int top, lens_image *out)
{
    for (int y = 0; y < out->height; y++)
        resize_down(r, down, top, y, out->rgb + (size_t)y * (size_t)out->width * 3);
}

/* The other way round: RUN rows of the window are made from the source's columns, and resized then. STRIP: room for those
 * rows, before and after. */
static void down_first(rows *r, const lens_axis *down, const across *a, uint8_t *strip, uint16_t *resized, lens_image *out)
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

int lens_passes_plain(const lens_image *source, const lens_axis *horizontal, const lens_axis *vertical, bool columns_first,
                      lens_window window, lens_image *out, lens_error *err)
{
    across a = {.axis = horizontal};
    rows r = {.source = source, .resized = horizontal && !columns_first ? &a : NULL};
    int high, most;
    lens_axis_needs(vertical, window.y, window.height, &r.base, &r.last, &most);
    const bool far = most > ROWS_MOST;
    most = far ? ROWS_MOST : most;
    r.capacity = r.last - r.base - most < AHEAD ? r.last - r.base : most + AHEAD;
    lens_axis_needs(horizontal, window.x, window.width, &a.low, &high, &most);
    a.columns = high - a.low;
    r.left = a.low;
    r.width = columns_first ? a.columns : window.width;
    r.stride = stride_of(r.width);

    r.lines = calloc((size_t)r.capacity, r.stride * sizeof *r.lines);
    r.sums = far ? malloc(r.stride * sizeof *r.sums) : NULL;
    const int resized_rows = columns_first ? out->height : r.last - r.base, at_once = resized_rows < RUN ? resized_rows : RUN;
    a.mixed = horizontal ? calloc((size_t)a.columns * (size_t)at_once * 3 + LANES, sizeof *a.mixed) : NULL;
    uint8_t *strip = columns_first ? malloc(RUN * (size_t)r.width * 3) : NULL;
    uint16_t *resized = columns_first ? malloc(RUN * stride_of(window.width) * sizeof *resized) : NULL;
    int result = 0;
    if (!r.lines || (far && !r.sums) || (horizontal && !a.mixed) || (columns_first && (!strip || !resized)))
        result = lens_fail(err, LENS_E_MEMORY, "not enough memory to resize %d x %d pixels", source->width, source->height);
    else if (columns_first)
        down_first(&r, vertical, &a, strip, resized, out);
    else
        across_first(&r, vertical, window.y, out);
    free(r.lines);
    free(r.sums);
    free(a.mixed);
    free(strip);
    free(resized);
    return result;
}
