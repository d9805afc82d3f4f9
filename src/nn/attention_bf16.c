/* Attention by the dot products of AVX-512 BF16: each step of a tile multiplies two neighbouring halves of a row by two of each column, so
 * keys and values are laid out in pairs. */
#include "nn/attention.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#define BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

enum { ROWS = LENS_ATTENTION_ROWS, COLUMNS = LENS_ATTENTION_COLUMNS, LANES = LENS_LANES };

/* C [ROWS, COLUMNS], rows C_STEP apart = A [ROWS, 2 * pairs], a pointer a row, times B [pairs, COLUMNS], each a pair, rows B_STEP apart. */
BF16 static inline __attribute__((always_inline)) void multiply(const uint16_t *const a[ROWS], const uint32_t *b, size_t b_step, int pairs,
                                                                float *c, size_t c_step)
{
    __m512 left[ROWS], right[ROWS];
    for (int r = 0; r < ROWS; r++)
        left[r] = right[r] = _mm512_setzero_ps();
    for (int p = 0; p < pairs; p++, b += b_step) {
        const __m512bh x = (__m512bh)_mm512_loadu_si512(b), y = (__m512bh)_mm512_loadu_si512(b + LANES);
        for (int r = 0; r < ROWS; r++) {
            int pair;
            memcpy(&pair, a[r] + 2 * p, sizeof pair);
            const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
            left[r] = _mm512_dpbf16_ps(left[r], both, x);
            right[r] = _mm512_dpbf16_ps(right[r], both, y);
        }
    }
    for (int r = 0; r < ROWS; r++) {
        _mm512_storeu_ps(c + (size_t)r * c_step, left[r]);
        _mm512_storeu_ps(c + (size_t)r * c_step + LANES, right[r]);
    }
}

/* A row of COUNT floats, a multiple of 16, to halves. */
BF16 static inline void to_halves(const float *row, size_t count, uint16_t *out)
{
    for (size_t i = 0; i < count; i += LANES) {
        const __m256bh halves = _mm512_cvtneps_pbh(_mm512_loadu_ps(row + i));
        memcpy(out + i, &halves, sizeof halves);
    }
}

/* Token T's value goes into the lower halves of pair T / 2 for an even T, else into the upper ones. */
BF16 static void take_values(int tokens, int width, const uint16_t *rows, size_t row, uint16_t *values)
{
    enum { HALVES = 2 * LANES };
    const size_t step = 2 * lens_attention_padded(width);
    const int whole = width / HALVES * HALVES;
    uint16_t order[2][HALVES];
    for (int i = 0; i < HALVES; i++) { /* half i of the first token, half i of the second, half i + 1 of the first... */
        order[0][i] = (uint16_t)(i / 2 + i % 2 * HALVES);
        order[1][i] = (uint16_t)(order[0][i] + LANES);
    }
    const __m512i low = _mm512_loadu_si512(order[0]), high = _mm512_loadu_si512(order[1]);
    for (int t = 0; t < tokens; t += 2, values += step) {
        const uint16_t *first = rows + (size_t)t * row, *second = first + row;
        const bool pair = t + 1 < tokens;
        for (int i = 0; i < whole; i += HALVES) {
            const __m512i a = _mm512_loadu_si512(first + i), b = pair ? _mm512_loadu_si512(second + i) : _mm512_setzero_si512();
            _mm512_storeu_si512(values + 2 * i, _mm512_permutex2var_epi16(a, low, b));
            _mm512_storeu_si512(values + 2 * i + HALVES, _mm512_permutex2var_epi16(a, high, b));
        }
        for (int i = whole; i < width; i++) {
            values[2 * i] = first[i];
            values[2 * i + 1] = pair ? second[i] : 0;
        }
    }
}

BF16 void lens_attend_halves(const lens_attention_spec *spec, int tokens, const void *qkv, size_t row, size_t part, float *scratch, float *out)
{
    const int width = spec->width;
    const size_t key_step = lens_attention_padded(tokens), value_step = lens_attention_padded(width);
    const float scale = 1 / sqrtf((float)width);
    float *scores = scratch;                                                    /* [ROWS, tokens padded] */
    uint16_t *shares = (uint16_t *)(scores + ROWS * key_step);                  /* the same as halves */
    uint32_t *keys = (uint32_t *)(void *)(shares + ROWS * key_step);            /* [width / 2, tokens padded] pairs */
    uint16_t *values = (uint16_t *)(keys + (size_t)(width / 2) * key_step);     /* [(tokens + 1) / 2, width padded] pairs */
    lens_turn(tokens, width / 2, (const uint16_t *)qkv + part, row * sizeof(uint16_t), keys, key_step);
    take_values(tokens, width, (const uint16_t *)qkv + 2 * part, row, values);
    for (int first = 0; first < tokens; first += ROWS) {
        const int last = first + ROWS < tokens ? first + ROWS : tokens, seen = spec->causal ? last : tokens;
        const uint16_t *rows[ROWS];
        for (int r = 0; r < ROWS; r++) /* behind the last the last again */
            rows[r] = (const uint16_t *)qkv + (size_t)(first + r < last ? first + r : last - 1) * row;
        for (int t = 0; t < seen; t += COLUMNS)
            multiply(rows, keys + t, key_step, width / 2, scores + t, key_step);
        for (int r = 0; r < ROWS; r++) {
            float *mine = scores + (size_t)r * key_step;
            const int sees = spec->causal && first + r + 1 < seen ? first + r + 1 : seen;
            lens_softmax(mine, sees, scale);
            memset(mine + sees, 0, (key_step - (size_t)sees) * sizeof *mine);
            to_halves(mine, key_step, shares + (size_t)r * key_step);
            rows[r] = shares + (size_t)r * key_step;
        }
        for (int i = 0; i < width; i += COLUMNS) {
            float tile[ROWS * COLUMNS];
            multiply(rows, (const uint32_t *)(const void *)values + i, value_step, (seen + 1) / 2, tile, COLUMNS);
            const size_t count = (size_t)(width - i < COLUMNS ? width - i : COLUMNS);
            for (int r = first; r < last; r++)
                memcpy(out + (size_t)r * part + i, tile + (r - first) * COLUMNS, count * sizeof *out);
        }
    }
}
#else
void lens_attend_halves(const lens_attention_spec *spec, int tokens, const void *qkv, size_t row, size_t part, float *scratch, float *out)
{
    (void)spec, (void)tokens, (void)qkv, (void)row, (void)part, (void)scratch, (void)out; /* no such processor */
}
#endif
