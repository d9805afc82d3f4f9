/* The softmax between the two products of attention. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/clones.h"
#include "nn/backend.h"

enum { LANES = 16 };

/* e^x for x <= 0, within 2 units in the last place: x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor series to the seventh
 * power, 2^n by its bits. Below -87 it is 0. Plain enough for the compiler to vectorise, which libm's is not. */
static inline float exp_negative(float x)
{
    const float clipped = x > -87 ? x : -87;
    /* Adding 1.5 * 2^23 rounds to a whole number. */
    const float n = clipped * 1.44269504f + 12582912.0f - 12582912.0f;
    const float r = clipped - n * 0.693359375f + n * 2.12194440e-4f; /* ln 2 in two parts, the first of few bits */
    float sum = 1.0f / 5040;
    sum = sum * r + 1.0f / 720;
    sum = sum * r + 1.0f / 120;
    sum = sum * r + 1.0f / 24;
    sum = sum * r + 1.0f / 6;
    sum = sum * r + 0.5f;
    sum = sum * r + 1;
    sum = sum * r + 1;
    union {
        uint32_t bits;
        float value;
    } power = {.bits = (uint32_t)((int32_t)n + 127) << 23};
    return x > -87 ? sum * power.value : 0;
}

LENS_CLONES static void softmax_row(float *row, int columns, float scale)
{
    const int whole = columns / LANES * LANES;
    float largest[LANES], sums[LANES] = {0};
    for (int lane = 0; lane < LANES; lane++)
        largest[lane] = row[0];
    for (int c = 0; c < whole; c += LANES)
        for (int lane = 0; lane < LANES; lane++)
            largest[lane] = row[c + lane] > largest[lane] ? row[c + lane] : largest[lane];
    for (int c = whole; c < columns; c++)
        largest[0] = row[c] > largest[0] ? row[c] : largest[0];
    float top = largest[0];
    for (int lane = 1; lane < LANES; lane++)
        top = largest[lane] > top ? largest[lane] : top;
    for (int c = 0; c < columns; c++)
        row[c] = exp_negative((row[c] - top) * scale);
    for (int c = 0; c < whole; c += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += row[c + lane];
    for (int c = whole; c < columns; c++)
        sums[c - whole] += row[c];
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    const float share = 1 / sum;
    for (int c = 0; c < columns; c++)
        row[c] *= share;
}

void lens_softmax_fast(float *scores, int rows, int columns, float scale, bool causal)
{
    for (int r = 0; r < rows; r++, scores += columns) {
        int seen = causal && r + 1 < columns ? r + 1 : columns;
        softmax_row(scores, seen, scale);
        memset(scores + seen, 0, (size_t)(columns - seen) * sizeof *scores);
    }
}
