/* Items of activations (a row, a picture) between floats and the smaller types. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/clones.h"
#include "nn/backend.h"

enum { LANES = 64 };

size_t lens_items_size(lens_type type, size_t count, size_t each)
{
    switch (type) {
    case LENS_TYPE_BF16:
        return count * each * sizeof(uint16_t);
    case LENS_TYPE_BYTES:
        return lens_aligned(count * each) + count * sizeof(float);
    case LENS_TYPE_F32:
        break;
    }
    return count * each * sizeof(float);
}

float *lens_items_factors(void *items, size_t count, size_t each)
{
    return (float *)(void *)((char *)items + lens_aligned(count * each));
}

LENS_CLONES static void to_halves(const float *row, size_t count, uint16_t *out)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &row[i], sizeof bits);
        /* What is not a number stays so: rounding could carry it over into infinity. */
        uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1), quiet = bits | 0x400000;
        out[i] = (uint16_t)(((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded) >> 16);
    }
}

LENS_CLONES static void from_halves(const uint16_t *in, size_t count, float *row)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)in[i] << 16;
        memcpy(&row[i], &bits, sizeof bits);
    }
}

/* By their bits, which are in the order of the magnitudes, and behind an infinity's are those of what is not a number: it comes out. */
LENS_CLONES static float largest_magnitude(const float *row, size_t count)
{
    int32_t most[LANES] = {0}, bits;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++) {
            memcpy(&bits, row + i + lane, sizeof bits);
            bits &= INT32_MAX;
            most[lane] = bits > most[lane] ? bits : most[lane];
        }
    for (; i < count; i++) {
        memcpy(&bits, row + i, sizeof bits);
        bits &= INT32_MAX;
        most[0] = bits > most[0] ? bits : most[0];
    }
    for (int lane = 1; lane < LANES; lane++)
        most[0] = most[lane] > most[0] ? most[lane] : most[0];
    float largest;
    memcpy(&largest, most, sizeof largest);
    return largest;
}

/* Of numbers that are -127 to 127 then: nothing to clip, which is half of the work. */
LENS_CLONES static void row_to_bytes(const float *restrict row, size_t count, float steps, uint8_t *restrict out)
{
    for (size_t i = 0; i < count; i++) {
        union {
            float value;
            uint32_t bits;
        } sum = {.value = row[i] * steps + 12582912.0f};
        out[i] = (uint8_t)(sum.bits ^ LENS_BYTE_ZERO);
    }
}

/* ROW [each] -> BYTES [each]; returns their factor. */
static float store_bytes(const float *row, size_t each, uint8_t *bytes)
{
    const float most = largest_magnitude(row, each), steps = most > 0 ? 127 / most : 0;
    row_to_bytes(row, each, isfinite(steps) ? steps : 0, bytes);
    return most / 127; /* of a row with an infinity or no number at all the same, which shows in whatever is made of it */
}

void lens_items_store(lens_type type, const float *rows, size_t count, size_t each, void *items)
{
    switch (type) {
    case LENS_TYPE_F32:
        memcpy(items, rows, count * each * sizeof *rows);
        break;
    case LENS_TYPE_BF16:
        to_halves(rows, count * each, items);
        break;
    case LENS_TYPE_BYTES:
        for (size_t n = 0; n < count; n++)
            lens_items_factors(items, count, each)[n] = store_bytes(rows + n * each, each, (uint8_t *)items + n * each);
        break;
    }
}

void lens_items_store_one(lens_type type, const float *row, size_t each, void *items, size_t count, size_t at)
{
    if (type == LENS_TYPE_BYTES)
        lens_items_factors(items, count, each)[at] = store_bytes(row, each, (uint8_t *)items + at * each);
    else if (type == LENS_TYPE_BF16)
        to_halves(row, each, (uint16_t *)items + at * each);
    else if (row != (float *)items + at * each)
        memcpy((float *)items + at * each, row, each * sizeof *row);
}

void lens_items_load(lens_type type, const void *items, size_t count, size_t each, float zero, float *rows)
{
    switch (type) {
    case LENS_TYPE_F32:
        memcpy(rows, items, count * each * sizeof *rows);
        break;
    case LENS_TYPE_BF16:
        from_halves(items, count * each, rows);
        break;
    case LENS_TYPE_BYTES:
        for (size_t n = 0; n < count; n++) {
            const uint8_t *bytes = (const uint8_t *)items + n * each;
            const float factor = lens_items_factors((void *)items, count, each)[n];
            for (size_t i = 0; i < each; i++)
                rows[n * each + i] = ((float)bytes[i] - zero) * factor;
        }
        break;
    }
}

void lens_items_copy(lens_type type, size_t each, const void *items, size_t count, size_t at, void *to, size_t to_count, size_t to_at)
{
    const size_t size = type == LENS_TYPE_BYTES ? each : lens_items_size(type, 1, each);
    memcpy((char *)to + to_at * size, (const char *)items + at * size, size);
    if (type == LENS_TYPE_BYTES)
        lens_items_factors(to, to_count, each)[to_at] = lens_items_factors((void *)items, count, each)[at];
}

/* Half is added before the number is cut off, as what is below 0 becomes 0. */
static void channels_plainly(size_t rows, int channels, const float *steps, float zero, const float *in, uint8_t *out)
{
    for (size_t r = 0; r < rows; r++, in += channels, out += channels)
        for (int c = 0; c < channels; c++) {
            float value = in[c] * steps[c] + (zero + 0.5f);
            out[c] = (uint8_t)(int)(value > 0 ? value < 255 ? value : 255 : 0);
        }
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* The compiler finds no short way from floats to bytes. */
__attribute__((target("avx512f"))) static void channels_by_16(size_t rows, int channels, const float *steps, float zero, const float *in,
                                                              uint8_t *out)
{
    enum { WIDE = 16 };
    const __m512 base = _mm512_set1_ps(zero + 0.5f), none = _mm512_setzero_ps();
    for (size_t r = 0; r < rows; r++, in += channels, out += channels)
        for (int c = 0; c < channels; c += WIDE) {
            const __mmask16 mask = channels - c >= WIDE ? 0xffff : (__mmask16)((1 << (channels - c)) - 1);
            const __m512 value = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, in + c), _mm512_maskz_loadu_ps(mask, steps + c), base);
            _mm512_mask_cvtusepi32_storeu_epi8(out + c, mask, _mm512_cvttps_epi32(_mm512_max_ps(value, none)));
        }
}

void lens_channels_to_bytes(size_t rows, int channels, const float *steps, float zero, const float *in, uint8_t *out)
{
    (__builtin_cpu_supports("avx512f") ? channels_by_16 : channels_plainly)(rows, channels, steps, zero, in, out);
}
#else
void lens_channels_to_bytes(size_t rows, int channels, const float *steps, float zero, const float *in, uint8_t *out)
{
    channels_plainly(rows, channels, steps, zero, in, out);
}
#endif
