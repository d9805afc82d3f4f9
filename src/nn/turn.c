/* Turning keys, so that one step of attention's products takes a run of neighbouring tokens: rows of 32-bit words, be they floats or pairs of
 * halves, to columns. */
#include <string.h>

#include "nn/attention.h"

enum { LANES = LENS_LANES };

/* The words FIRST to COUNT of each row. */
static void turn_plainly(int tokens, int first, int count, const char *rows, size_t row, uint32_t *out, size_t step)
{
    for (int t = 0; t < tokens; t++)
        for (int w = first; w < count; w++)
            memcpy(out + (size_t)w * step + t, rows + (size_t)t * row + (size_t)w * sizeof *out, sizeof *out);
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))

/* 16 tokens' 16 words, a row each -> for each word the tokens' ones, rows STEP apart. */
AVX512 static inline void turn_block(__m512i r[LANES], uint32_t *out, size_t step)
{
    __m512i t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) { /* words i, i + 4, i + 8 and i + 12 of each four tokens */
        const __m512i a = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88), b = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        const __m512i c = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd), d = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
        _mm512_storeu_si512(out + (size_t)i * step, _mm512_shuffle_i32x4(a, b, 0x88));
        _mm512_storeu_si512(out + (size_t)(i + 4) * step, _mm512_shuffle_i32x4(c, d, 0x88));
        _mm512_storeu_si512(out + (size_t)(i + 8) * step, _mm512_shuffle_i32x4(a, b, 0xdd));
        _mm512_storeu_si512(out + (size_t)(i + 12) * step, _mm512_shuffle_i32x4(c, d, 0xdd));
    }
}

AVX512 static void turn_by_16(int tokens, int words, const char *rows, size_t row, uint32_t *out, size_t step)
{
    const int whole = words / LANES * LANES;
    for (int t = 0; t < tokens; t += LANES)
        for (int w = 0; w < whole; w += LANES) {
            __m512i block[LANES];
            for (int i = 0; i < LANES; i++)
                block[i] = t + i < tokens ? _mm512_loadu_si512(rows + (size_t)(t + i) * row + (size_t)w * sizeof *out) : _mm512_setzero_si512();
            turn_block(block, out + (size_t)w * step + t, step);
        }
    turn_plainly(tokens, whole, words, rows, row, out, step);
}
#endif

void lens_turn(int tokens, int words, const void *rows, size_t row, uint32_t *out, size_t step)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx512f")) {
        turn_by_16(tokens, words, rows, row, out, step);
        return;
    }
#endif
    turn_plainly(tokens, 0, words, rows, row, out, step);
}
