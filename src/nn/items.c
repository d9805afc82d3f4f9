/* Items of activations (a row, a picture) between floats and the smaller types. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/clones.h"
#include "nn/backend.h"

enum { BOUNDARY = 64, LANES = 64 };

static size_t factors_offset(size_t count, size_t each)
{
    return (count * each + BOUNDARY - 1) / BOUNDARY * BOUNDARY;
}

size_t lens_items_size(lens_type type, size_t count, size_t each)
{
    switch (type) {
    case LENS_TYPE_BF16:
        return count * each * sizeof(uint16_t);
    case LENS_TYPE_BYTES:
        return factors_offset(count, each) + count * sizeof(float);
    case LENS_TYPE_F32:
        break;
    }
    return count * each * sizeof(float);
}

float *lens_items_factors(void *items, size_t count, size_t each)
{
    return (float *)(void *)((char *)items + factors_offset(count, each));
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

LENS_CLONES static float largest_magnitude(const float *row, size_t count)
{
    float most[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            most[lane] = fabsf(row[i + (size_t)lane]) > most[lane] ? fabsf(row[i + (size_t)lane]) : most[lane];
    for (; i < count; i++)
        most[0] = fabsf(row[i]) > most[0] ? fabsf(row[i]) : most[0];
    for (int lane = 1; lane < LANES; lane++)
        most[0] = most[lane] > most[0] ? most[lane] : most[0];
    return most[0];
}

/* round(value) + ZERO as a byte. Adding 1.5 * 2^23 rounds to a whole number, to even, and leaves it in the low bits. */
static inline uint8_t to_byte(float value, int32_t zero)
{
    union {
        float value;
        int32_t bits;
    } sum = {.value = (value < -512 ? -512 : value > 512 ? 512 : value) + 12582912.0f};
    int32_t whole = sum.bits - 0x4b400000 + zero;
    return (uint8_t)(whole < 0 ? 0 : whole > 255 ? 255 : whole);
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

float lens_bytes_store(const float *row, size_t each, uint8_t *bytes)
{
    const float most = largest_magnitude(row, each), steps = most > 0 ? 127 / most : 0;
    row_to_bytes(row, each, isfinite(steps) ? steps : 0, bytes);
    return most / 127; /* of a row with an infinity an infinity, which shows in whatever is made of it */
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
            lens_items_factors(items, count, each)[n] = lens_bytes_store(rows + n * each, each, (uint8_t *)items + n * each);
        break;
    }
}

void lens_items_load(lens_type type, const void *items, size_t count, size_t each, int zero, float *rows)
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
                rows[n * each + i] = (float)((int)bytes[i] - zero) * factor;
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

LENS_CLONES static void channels_to_bytes(int positions, int channels, const float *steps, int zero, const float *in, uint8_t *out)
{
    for (int p = 0; p < positions; p++, in += channels, out += channels)
        for (int c = 0; c < channels; c++)
            out[c] = to_byte(in[c] * steps[c], zero);
}

LENS_CLONES static void half_channels_to_bytes(int positions, int channels, const float *steps, int zero, const uint16_t *in, uint8_t *out)
{
    for (int p = 0; p < positions; p++, in += channels, out += channels)
        for (int c = 0; c < channels; c++) {
            uint32_t bits = (uint32_t)in[c] << 16;
            float value;
            memcpy(&value, &bits, sizeof value);
            out[c] = to_byte(value * steps[c], zero);
        }
}

void lens_items_store_channels(int count, int positions, int channels, const float *steps, int zero, lens_type type, const void *in,
                               void *out)
{
    const int all = count * positions;
    if (type == LENS_TYPE_BF16)
        half_channels_to_bytes(all, channels, steps, zero, in, out);
    else
        channels_to_bytes(all, channels, steps, zero, in, out);
    for (int n = 0; n < count; n++)
        lens_items_factors(out, (size_t)count, (size_t)positions * (size_t)channels)[n] = 1;
}
