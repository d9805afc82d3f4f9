/* The passes for x86-64 processors with AVX-512 VNNI and VBMI (Intel since Ice Lake, AMD since Zen 4). VPDPBUSD adds the products
 * of four unsigned bytes and four signed ones to each of 16 sums of 32 bits: pixels are the former, and a weight is taken apart
 * into three of the latter, w = d0 + 2^8 d1 + 2^16 d2, each from -128 to 127.
 *
 * Exact: the instruction and all that follows it compute modulo 2^32, where the three sums of digits put together are the sum of
 * weights, however many taps there are and whatever the sums of digits overflow; and the sum of weights fits 32 bits (that is how
 * Pillow chose the 22 bits). Only the weights must fit the digits, that is lie within 1.99: they do by far, and are checked.
 *
 * Four taps at once want four neighbours side by side. Along the rows, one permutation picks them for the 16 values of a block from
 * 64 bytes of the row (21 pixels); which ones is worked out once for all rows, in steps. Rows are resized four at a time and put
 * down as quads, the four bytes of a column side by side, as the columns want them: so columns are weighed in groups of four
 * rows that begin at multiples of four, with weights of 0 at the ends. */
#include "pixels/resample_passes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")))

enum {
    QUAD = 4,
    BLOCK = 16,         /* values of a row that one register sums up */
    BLOCK_PIXELS = 6,   /* that they belong to, at most */
    WIDE = 4 * BLOCK,   /* values of a row that the pass down the columns sums up at once */
    AHEAD = 8,          /* groups of rows made beyond those that are needed at the moment */
    TAPS_MOST = 512,    /* more (a picture a hundred times too large) are left to the plain loops: steps would take much memory */
};

/* The digits of four taps' weights: of the first digit those of all four, of the second, and of the third. */
typedef struct digits {
    uint32_t of[4]; /* the last is 0 */
} digits;

/* An axis' weights in groups of four taps. */
typedef struct packed {
    int count, most;
    int *first, *groups; /* [count]: the first tap's input, and how many groups */
    digits *digits;      /* [count, most] */
} packed;

static void packed_free(packed *p)
{
    free(p->first);
    free(p->groups);
    free(p->digits);
}

/* The digits of the weights that are loaded for LANES, among the four from AT on. With 128 added to each digit, digits are bytes:
 * so they come by adding 0x808080, and flipping their highest bits takes the 128 away again. Bits of the fourth byte in BEYOND mean a
 * weight that does not fit. */
VNNI static inline digits digits_of(const int32_t *at, unsigned lanes, uint32_t *beyond)
{
    const __m128i bias = _mm_set1_epi32(0x808080);
    const __m128i by_digit = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m128i weights = _mm_xor_si128(_mm_add_epi32(_mm_maskz_loadu_epi32((__mmask8)lanes, at), bias), bias);
    digits result;
    _mm_storeu_si128((__m128i *)(void *)result.of, _mm_shuffle_epi8(weights, by_digit));
    *beyond |= result.of[3];
    return result;
}

/* Groups begin at an output's first tap, or, ALIGNED, at multiples of four inputs from LOW on. 1; 0 when weights do not fit; -1
 * when memory is short. */
VNNI static int pack(const lens_axis *axis, int low, bool aligned, packed *out)
{
    int most = (axis->most + 2 * (QUAD - 1)) / QUAD;
    *out = (packed){.count = axis->count, .most = most};
    out->first = malloc((size_t)axis->count * sizeof *out->first);
    out->groups = malloc((size_t)axis->count * sizeof *out->groups);
    out->digits = malloc((size_t)axis->count * (size_t)most * sizeof *out->digits);
    if (!out->first || !out->groups || !out->digits)
        return -1;
    uint32_t beyond = 0;
    for (int i = 0; i < axis->count; i++) {
        int shift = aligned ? (axis->first[i] - low) % QUAD : 0, taps = axis->taps[i];
        out->first[i] = axis->first[i] - shift;
        out->groups[i] = (shift + taps + QUAD - 1) / QUAD;
        const int32_t *weights = axis->weights + (size_t)i * (size_t)axis->most;
        for (int g = 0; g < out->groups[i]; g++) {
            unsigned lanes = 0;
            for (int j = 0; j < QUAD; j++)
                lanes |= (unsigned)(QUAD * g + j >= shift && QUAD * g + j < shift + taps) << j;
            /* The address of a lane that is not loaded may lie outside. */
            const int32_t *at = (const int32_t *)((uintptr_t)weights + (uintptr_t)(QUAD * g - shift) * sizeof *weights);
            out->digits[(size_t)i * (size_t)most + (size_t)g] = digits_of(at, lanes, &beyond);
        }
    }
    return beyond == 0;
}

/* ---- along the rows ---------------------------------------------------------------------------------------------- */

/* A part of a block's sums: bytes of the row, from some place on, for the 16 sums, and their weights. */
typedef struct step {
    uint8_t pick[4 * BLOCK];
    uint32_t digits[3][BLOCK];
} step;

typedef struct plan {
    int blocks;
    size_t row;   /* bytes of the row that may be read */
    size_t *ends; /* [blocks]: of their steps */
    size_t *at;   /* [steps]: of the row's bytes that are picked from */
    step *steps;
} plan;

static void plan_free(plan *p)
{
    free(p->ends);
    free(p->at);
    free(p->steps);
}

/* The pixels of a block: of which outputs, and how many groups of each have been taken. */
typedef struct taken {
    int first, count;
    int groups[BLOCK_PIXELS];
} taken;

static taken block_of(const packed *p, int block)
{
    taken t = {.first = block * BLOCK / 3};
    int end = (block * BLOCK + BLOCK - 1) / 3 + 1;
    t.count = (end < p->count ? end : p->count) - t.first;
    return t;
}

/* Chooses the next step of a block: from where on the row is read, and in PARTS the pixels (bits) whose next groups lie within. Some
 * do as long as there are any left; false when there are none. */
static bool choose(const packed *p, const lens_axis *axis, int low, size_t row, const taken *t, size_t *at, unsigned *parts)
{
    size_t begins[BLOCK_PIXELS], ends[BLOCK_PIXELS], first = SIZE_MAX;
    for (int i = 0; i < t->count; i++) {
        int x = t->first + i, tap = QUAD * t->groups[i], end = tap + QUAD < axis->taps[x] ? tap + QUAD : axis->taps[x];
        begins[i] = 3 * (size_t)(p->first[x] - low + tap);
        ends[i] = 3 * (size_t)(p->first[x] - low + end);
        if (t->groups[i] < p->groups[x] && begins[i] < first)
            first = begins[i];
    }
    if (first == SIZE_MAX)
        return false;
    size_t last = row > sizeof(__m512i) ? row - sizeof(__m512i) : 0; /* nothing is read behind the row */
    *at = first < last ? first : last;
    *parts = 0;
    for (int i = 0; i < t->count; i++)
        *parts |= (unsigned)(t->groups[i] < p->groups[t->first + i] && ends[i] <= *at + sizeof(__m512i)) << i;
    return true;
}

VNNI static void fill(const packed *p, int low, int block, const taken *t, size_t at, unsigned parts, step *out)
{
    /* What lane L of a block, value L + PHASE of its first pixel, picks from its pixel's place on. */
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i bytes = _mm512_set1_epi32(0x01010101);
    int phase = block * BLOCK % 3;
    __m512i value = _mm512_add_epi32(lanes, _mm512_set1_epi32(phase));
    __m512i pick = _mm512_setzero_si512(), d0 = pick, d1 = pick, d2 = pick;
    for (int i = 0; i < t->count; i++) {
        if (!(parts >> i & 1))
            continue;
        int x = t->first + i, g = t->groups[i];
        size_t place = 3 * (size_t)(p->first[x] - low + QUAD * g) - at;
        const digits *d = &p->digits[(size_t)x * (size_t)p->most + (size_t)g];
        __mmask16 own = (__mmask16)((7u << 3 * i) >> phase);
        __m512i colour = _mm512_sub_epi32(value, _mm512_set1_epi32(3 * i));
        __m512i from = _mm512_add_epi32(_mm512_set1_epi32((int)((uint32_t)place * 0x01010101u + 0x09060300u)),
                                        _mm512_mullo_epi32(colour, bytes));
        pick = _mm512_mask_mov_epi32(pick, own, from);
        d0 = _mm512_mask_set1_epi32(d0, own, (int)d->of[0]);
        d1 = _mm512_mask_set1_epi32(d1, own, (int)d->of[1]);
        d2 = _mm512_mask_set1_epi32(d2, own, (int)d->of[2]);
    }
    _mm512_storeu_si512(out->pick, pick);
    _mm512_storeu_si512(out->digits[0], d0);
    _mm512_storeu_si512(out->digits[1], d1);
    _mm512_storeu_si512(out->digits[2], d2);
}

/* The steps of all blocks. Without room for them they are only counted. */
static size_t lay(const packed *p, const lens_axis *axis, int low, plan *out)
{
    size_t count = 0;
    for (int b = 0; b < out->blocks; b++) {
        taken t = block_of(p, b);
        size_t at;
        unsigned parts;
        for (; choose(p, axis, low, out->row, &t, &at, &parts); count++) {
            if (out->steps) {
                out->at[count] = at;
                fill(p, low, b, &t, at, parts, &out->steps[count]);
            }
            for (int i = 0; i < t.count; i++)
                t.groups[i] += parts >> i & 1;
        }
        out->ends[b] = count;
    }
    return count;
}

/* For rows of COLUMNS pixels, whose first is the input's LOW. As pack(). */
static int plan_new(const lens_axis *axis, int low, int columns, plan *out)
{
    *out = (plan){.blocks = (axis->count * 3 + BLOCK - 1) / BLOCK, .row = 3 * (size_t)columns};
    packed p;
    int result = pack(axis, low, false, &p);
    out->ends = malloc((size_t)out->blocks * sizeof *out->ends);
    if (result > 0 && out->ends) {
        size_t steps = lay(&p, axis, low, out);
        out->at = malloc(steps * sizeof *out->at);
        out->steps = out->at ? aligned_alloc(sizeof(__m512i), steps * sizeof *out->steps) : NULL;
        if (out->steps)
            lay(&p, axis, low, out);
    }
    if (result > 0 && !out->steps)
        result = -1;
    packed_free(&p);
    return result;
}

/* The sums of weights, from those of the digits, the first of which began with a half: without the bits behind the point. */
VNNI static inline __m512i whole(__m512i d0, __m512i d1, __m512i d2)
{
    __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(_mm512_add_epi32(_mm512_slli_epi32(d2, 8), d1), 8), d0);
    return _mm512_srai_epi32(sum, LENS_WEIGHT_BITS);
}

/* Four registers of 32 bits as bytes, cut to 0 to 255: of each four lanes those of A, B, C and D. */
VNNI static inline __m512i narrow(__m512i a, __m512i b, __m512i c, __m512i d)
{
    return _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
}

/* Resizes four rows at once, into quads. */
VNNI static void across(const plan *p, const uint8_t *const in[QUAD], uint8_t *restrict out)
{
    const __mmask64 readable = p->row < 64 ? ((__mmask64)1 << p->row) - 1 : ~(__mmask64)0;
    const __m512i half = _mm512_set1_epi32(1 << (LENS_WEIGHT_BITS - 1));
    const __m512i by_column = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    size_t s = 0;
    for (int b = 0; b < p->blocks; b++, out += QUAD * BLOCK) {
        __m512i sums[QUAD][3];
        for (int r = 0; r < QUAD; r++) {
            sums[r][0] = half;
            sums[r][1] = sums[r][2] = _mm512_setzero_si512();
        }
        for (; s < p->ends[b]; s++) {
            const step *now = &p->steps[s];
            __m512i pick = _mm512_load_si512(now->pick), d0 = _mm512_load_si512(now->digits[0]);
            __m512i d1 = _mm512_load_si512(now->digits[1]), d2 = _mm512_load_si512(now->digits[2]);
            for (int r = 0; r < QUAD; r++) {
                __m512i bytes = _mm512_permutexvar_epi8(pick, _mm512_maskz_loadu_epi8(readable, in[r] + p->at[s]));
                sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], bytes, d0);
                sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], bytes, d1);
                sums[r][2] = _mm512_dpbusd_epi32(sums[r][2], bytes, d2);
            }
        }
        __m512i rows[QUAD];
        for (int r = 0; r < QUAD; r++)
            rows[r] = whole(sums[r][0], sums[r][1], sums[r][2]);
        _mm512_storeu_si512(out, _mm512_shuffle_epi8(narrow(rows[0], rows[1], rows[2], rows[3]), by_column));
    }
}

/* ---- down the columns -------------------------------------------------------------------------------------------- */

/* One row of WIDTH values from GROUPS lines of quads, STRIDE apart. */
VNNI static void down(const uint8_t *restrict quads, size_t stride, const digits *weights, int groups, size_t width, uint8_t *restrict out)
{
    const __m512i half = _mm512_set1_epi32(1 << (LENS_WEIGHT_BITS - 1));
    const __m512i in_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (size_t x = 0; x < width; x += WIDE, quads += QUAD * WIDE) {
        __m512i sums[4][3];
        for (int i = 0; i < 4; i++) {
            sums[i][0] = half;
            sums[i][1] = sums[i][2] = _mm512_setzero_si512();
        }
        const uint8_t *at = quads;
        for (int g = 0; g < groups; g++, at += stride) {
            __m512i d0 = _mm512_set1_epi32((int)weights[g].of[0]), d1 = _mm512_set1_epi32((int)weights[g].of[1]);
            __m512i d2 = _mm512_set1_epi32((int)weights[g].of[2]);
            for (int i = 0; i < 4; i++) {
                __m512i bytes = _mm512_loadu_si512(at + 64 * i);
                sums[i][0] = _mm512_dpbusd_epi32(sums[i][0], bytes, d0);
                sums[i][1] = _mm512_dpbusd_epi32(sums[i][1], bytes, d1);
                sums[i][2] = _mm512_dpbusd_epi32(sums[i][2], bytes, d2);
            }
        }
        __m512i parts[4];
        for (int i = 0; i < 4; i++)
            parts[i] = whole(sums[i][0], sums[i][1], sums[i][2]);
        __m512i row = _mm512_permutexvar_epi32(in_order, narrow(parts[0], parts[1], parts[2], parts[3]));
        __mmask64 there = width - x < WIDE ? ((__mmask64)1 << (width - x)) - 1 : ~(__mmask64)0;
        _mm512_mask_storeu_epi8(out + x, there, row);
    }
}

/* Quads of four rows as they are. */
static void interleave(const uint8_t *const in[QUAD], size_t width, uint8_t *restrict out)
{
    const uint8_t *restrict a = in[0], *restrict b = in[1], *restrict c = in[2], *restrict d = in[3];
    for (size_t x = 0; x < width; x++) {
        out[QUAD * x] = a[x];
        out[QUAD * x + 1] = b[x];
        out[QUAD * x + 2] = c[x];
        out[QUAD * x + 3] = d[x];
    }
}

/* Row I of the four. */
static void take_row(const uint8_t *restrict quads, int i, size_t width, uint8_t *restrict out)
{
    for (size_t x = 0; x < width; x++)
        out[x] = quads[QUAD * x + (size_t)i];
}

/* ---- both ---------------------------------------------------------------------------------------------------------- */

/* Bytes of a line of quads. */
static size_t stride_of(size_t width)
{
    return (width / WIDE + 1) * WIDE * QUAD;
}

/* The lines of quads that the pass down the columns works on, a few at a time: the source's rows, resized already or as they are. */
typedef struct lines {
    const lens_image *source;
    const plan *plan; /* NULL: columns from LEFT on are taken as they are */
    int left;         /* pixels */
    int low, high;    /* the source's rows that the window depends on: line 0 begins with LOW */
    size_t width, stride;
    uint8_t *quads;
    int base, count, capacity, all; /* lines BASE to BASE + COUNT are there, of ALL */
} lines;

static void make_line(const lines *l, int line, uint8_t *to)
{
    const uint8_t *in[QUAD];
    for (int i = 0; i < QUAD; i++) {
        int y = l->low + QUAD * line + i; /* behind the last row nothing is weighed */
        in[i] = l->source->rgb + 3 * ((size_t)(y < l->high ? y : l->high - 1) * (size_t)l->source->width + (size_t)l->left);
    }
    if (l->plan)
        across(l->plan, in, to);
    else
        interleave(in, l->width, to);
}

/* Line FIRST, followed by those up to END, made where they are not there yet. FIRST never falls from call to call. */
static const uint8_t *get_lines(lines *l, int first, int end)
{
    if (end > l->base + l->count) {
        int keep = first < l->base + l->count ? l->base + l->count - first : 0;
        if (keep)
            memmove(l->quads, l->quads + (size_t)(first - l->base) * l->stride, (size_t)keep * l->stride);
        l->base = first;
        for (l->count = keep; l->count < l->capacity && l->base + l->count < l->all; l->count++)
            make_line(l, l->base + l->count, l->quads + (size_t)l->count * l->stride);
    }
    return l->quads + (size_t)(first - l->base) * l->stride;
}

/* The window's row Y, or the source's row LOW + Y where the height stays (VERTICAL's count is 0). */
static void make_row(lines *l, const packed *vertical, int y, uint8_t *to)
{
    if (vertical->count == 0) {
        take_row(get_lines(l, y / QUAD, y / QUAD + 1), y % QUAD, l->width, to);
        return;
    }
    int first = (vertical->first[y] - l->low) / QUAD, groups = vertical->groups[y];
    down(get_lines(l, first, first + groups), l->stride, vertical->digits + (size_t)y * (size_t)vertical->most, groups, l->width, to);
}

static void across_first(lines *l, const packed *vertical, lens_image *out)
{
    for (int y = 0; y < out->height; y++)
        make_row(l, vertical, y, out->rgb + (size_t)y * (size_t)out->width * 3);
}

/* The other way round: four rows of the window are made from the source's columns, and resized then. STRIP: room for them, LINE:
 * for their quads. */
static void down_first(lines *l, const packed *vertical, const plan *rows, uint8_t *strip, uint8_t *line, lens_image *out)
{
    size_t width = (size_t)out->width * 3;
    for (int y = 0; y < out->height; y += QUAD) {
        const uint8_t *in[QUAD];
        int count = out->height - y < QUAD ? out->height - y : QUAD;
        for (int i = 0; i < QUAD; i++)
            in[i] = strip + (size_t)(i < count ? i : 0) * l->width;
        for (int i = 0; i < count; i++)
            make_row(l, vertical, y + i, strip + (size_t)i * l->width);
        across(rows, in, line);
        for (int i = 0; i < count; i++)
            take_row(line, i, width, out->rgb + (size_t)(y + i) * width);
    }
}

int lens_passes_vnni(const lens_image *source, const lens_axis *horizontal, const lens_axis *vertical, bool columns_first,
                     lens_window window, lens_image *out, lens_error *err)
{
    int low, high, across_most, down_most;
    lines l = {.source = source};
    lens_axis_needs(horizontal, window.x, window.width, &low, &high, &across_most);
    lens_axis_needs(vertical, window.y, window.height, &l.low, &l.high, &down_most);
    if (across_most > TAPS_MOST || down_most > TAPS_MOST)
        return lens_passes_plain(source, horizontal, vertical, columns_first, window, out, err);

    plan rows = {0};
    packed columns = {0};
    uint8_t *strip = NULL, *line = NULL;
    int fits = horizontal ? plan_new(horizontal, low, high - low, &rows) : 1;
    if (fits > 0 && vertical)
        fits = pack(vertical, l.low, true, &columns);
    l.left = low;
    l.plan = horizontal && !columns_first ? &rows : NULL;
    l.width = 3 * (size_t)(l.plan ? window.width : high - low);
    l.stride = stride_of(l.width);
    l.all = (l.high - l.low + QUAD - 1) / QUAD;
    l.capacity = (down_most + 2 * (QUAD - 1)) / QUAD + AHEAD;
    l.capacity = l.capacity < l.all ? l.capacity : l.all;
    if (fits > 0) {
        l.quads = calloc((size_t)l.capacity, l.stride);
        strip = columns_first ? malloc(QUAD * l.width) : NULL;
        line = columns_first ? malloc(stride_of(3 * (size_t)window.width)) : NULL;
        if (!l.quads || (columns_first && (!strip || !line)))
            fits = -1;
    }
    int result = 0;
    if (fits == 0)
        result = lens_passes_plain(source, horizontal, vertical, columns_first, window, out, err);
    else if (fits < 0)
        result = lens_fail(err, LENS_E_MEMORY, "not enough memory to resize %d x %d pixels", source->width, source->height);
    else if (columns_first)
        down_first(&l, &columns, &rows, strip, line, out);
    else
        across_first(&l, &columns, out);
    free(line);
    free(strip);
    free(l.quads);
    packed_free(&columns);
    plan_free(&rows);
    return result;
}
#endif
