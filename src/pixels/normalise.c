/* (value / 255 - mean) / std for each of a picture's 150,000 values, rounded as those two divisions are.
 *
 * There are only 256 values, so a table would do; but a table's look-ups go one by one. Division by a number that is known is
 * faster done as a multiplication with its reciprocal and one correction by what that leaves: with fused multiply-add, whose remainder
 * is exact, this is the correctly rounded quotient (P. W. Markstein, IBM Journal of Research and Development 34(1), 1990), for
 * all but a few strange divisors. Whether it is for these is not assumed: all 256 values are tried against the table first, and
 * where one differs the table is used. */
#include <string.h>

#include "pixels/prepare.h"

enum { VALUES = 256, PERIOD = 48 }; /* values until the three channels meet the start of a vector again, for vectors of up to 16 */

typedef struct divisors {
    float mean[PERIOD], std[PERIOD], reciprocal[PERIOD]; /* of std */
} divisors;

/* Whole periods of COUNT values. */
typedef void normaliser(const uint8_t *in, size_t count, const divisors *by, float *out);

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))
#define AVX2 __attribute__((target("avx2,fma")))

AVX512 static inline __m512 divide16(__m512 a, __m512 b, __m512 reciprocal)
{
    __m512 quotient = _mm512_mul_ps(a, reciprocal);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(quotient, b, a), reciprocal, quotient);
}

AVX512 static void avx512(const uint8_t *in, size_t count, const divisors *by, float *out)
{
    const __m512 white = _mm512_set1_ps(255.0f), of_white = _mm512_set1_ps(1 / 255.0f);
    for (size_t i = 0; i + PERIOD <= count; i += PERIOD)
        for (int j = 0; j < PERIOD; j += 16) {
            __m512 value = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(in + i + j))));
            __m512 above = _mm512_sub_ps(divide16(value, white, of_white), _mm512_loadu_ps(by->mean + j));
            _mm512_storeu_ps(out + i + j, divide16(above, _mm512_loadu_ps(by->std + j), _mm512_loadu_ps(by->reciprocal + j)));
        }
}

AVX2 static inline __m256 divide8(__m256 a, __m256 b, __m256 reciprocal)
{
    __m256 quotient = _mm256_mul_ps(a, reciprocal);
    return _mm256_fmadd_ps(_mm256_fnmadd_ps(quotient, b, a), reciprocal, quotient);
}

AVX2 static void avx2(const uint8_t *in, size_t count, const divisors *by, float *out)
{
    const __m256 white = _mm256_set1_ps(255.0f), of_white = _mm256_set1_ps(1 / 255.0f);
    for (size_t i = 0; i + PERIOD <= count; i += PERIOD)
        for (int j = 0; j < PERIOD; j += 8) {
            __m256 value = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(in + i + j))));
            __m256 above = _mm256_sub_ps(divide8(value, white, of_white), _mm256_loadu_ps(by->mean + j));
            _mm256_storeu_ps(out + i + j, divide8(above, _mm256_loadu_ps(by->std + j), _mm256_loadu_ps(by->reciprocal + j)));
        }
}

static normaliser *choose(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return avx512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? avx2 : NULL;
}
#else
static normaliser *choose(void)
{
    return NULL;
}
#endif

void lens_prepare_pixels(const lens_image *seen, const lens_preparation *preparation, float *pixels)
{
    const lens_preparation *p = preparation;
    float table[VALUES][3];
    for (int v = 0; v < VALUES; v++)
        for (int c = 0; c < 3; c++)
            table[v][c] = ((float)v / 255.0f - p->mean[c]) / p->std[c];
    size_t count = 3 * (size_t)seen->width * (size_t)seen->height;

    size_t done = 0;
    normaliser *vectors = choose();
    if (vectors) {
        divisors by;
        for (int j = 0; j < PERIOD; j++) {
            by.mean[j] = p->mean[j % 3];
            by.std[j] = p->std[j % 3];
            by.reciprocal[j] = 1 / p->std[j % 3];
        }
        uint8_t values[VALUES][3];
        float tried[VALUES][3];
        for (int v = 0; v < VALUES; v++)
            memset(values[v], v, sizeof values[v]);
        vectors(values[0], sizeof values, &by, tried[0]);
        if (memcmp(tried, table, sizeof table) == 0) {
            vectors(seen->rgb, count, &by, pixels);
            done = count / PERIOD * PERIOD;
        }
    }
    for (size_t i = done; i < count; i += 3)
        for (size_t c = 0; c < 3; c++)
            pixels[i + c] = table[seen->rgb[i + c]][c];
}
