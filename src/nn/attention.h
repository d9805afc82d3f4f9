/* What the two files of attention share. For no one else. */
#ifndef LENS_NN_ATTENTION_H
#define LENS_NN_ATTENTION_H

#include "nn/backend.h"

/* Tiles are so many rows, at most, and columns; sums of a row are kept in LENS_LANES parts, as the compiler may not reorder them. */
enum { LENS_ATTENTION_ROWS = 6, LENS_ATTENTION_COLUMNS = 32, LENS_LANES = 16 };

static inline size_t lens_attention_padded(int count)
{
    return ((size_t)count + LENS_ATTENTION_COLUMNS - 1) / LENS_ATTENTION_COLUMNS * LENS_ATTENTION_COLUMNS;
}

/* softmax(scale * row) in place. */
static inline __attribute__((always_inline)) void lens_softmax(float *row, int columns, float scale)
{
    const int whole = columns / LENS_LANES * LENS_LANES;
    float largest[LENS_LANES], sums[LENS_LANES] = {0};
    for (int lane = 0; lane < LENS_LANES; lane++)
        largest[lane] = row[0];
    for (int c = 0; c < whole; c += LENS_LANES)
        for (int lane = 0; lane < LENS_LANES; lane++)
            largest[lane] = row[c + lane] > largest[lane] ? row[c + lane] : largest[lane];
    for (int c = whole; c < columns; c++)
        largest[0] = row[c] > largest[0] ? row[c] : largest[0];
    float top = largest[0];
    for (int lane = 1; lane < LENS_LANES; lane++)
        top = largest[lane] > top ? largest[lane] : top;
    for (int c = 0; c < columns; c++)
        row[c] = lens_exp_negative((row[c] - top) * scale);
    for (int c = 0; c < whole; c += LENS_LANES)
        for (int lane = 0; lane < LENS_LANES; lane++)
            sums[lane] += row[c + lane];
    for (int c = whole; c < columns; c++)
        sums[c - whole] += row[c];
    float sum = 0;
    for (int lane = 0; lane < LENS_LANES; lane++)
        sum += sums[lane];
    const float share = 1 / sum;
    for (int c = 0; c < columns; c++)
        row[c] *= share;
}

/* TOKENS rows of WORDS 32-bit words, ROW bytes apart -> OUT [words, tokens], rows STEP words apart, a multiple of 16 that holds them: what is
 * behind the last token may be written with zeros. */
void lens_turn(int tokens, int words, const void *rows, size_t row, uint32_t *out, size_t step);

/* One head with instructions that multiply pairs of halves, on processors that lens_type_is_fast(LENS_TYPE_BF16) says have them: the rows
 * at QKV are ROW halves apart, keys and values PART and 2 * PART behind the queries -> OUT, rows PART floats apart. SCRATCH is zeros at
 * first, and this function's own between the heads of one layer. */
void lens_attend_halves(const lens_attention_spec *spec, int tokens, const void *qkv, size_t row, size_t part, float *scratch, float *out);

#endif
