#include "search/dot_bytes.h"

static int32_t plain(const uint8_t *row, const int8_t *query, size_t size)
{
    int32_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += (int32_t)row[i] * query[i];
    return sum;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Pairs of 16 bits: of the 8-bit products that AVX2 has, two may not fit into 16. */
__attribute__((target("avx2"))) static int32_t avx2(const uint8_t *row, const int8_t *query, size_t size)
{
    __m256i sums = _mm256_setzero_si256();
    for (size_t i = 0; i < size; i += 16) {
        const __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(row + i)));
        const __m256i b = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(query + i)));
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
    }
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

/* Two sums under way, as one would wait for itself. */
__attribute__((target("avx512f,avx512bw,avx512vnni"))) static int32_t avx512(const uint8_t *row, const int8_t *query, size_t size)
{
    __m512i even = _mm512_setzero_si512(), odd = even;
    size_t i = 0;
    for (; i + 128 <= size; i += 128) {
        even = _mm512_dpbusd_epi32(even, _mm512_loadu_si512(row + i), _mm512_loadu_si512(query + i));
        odd = _mm512_dpbusd_epi32(odd, _mm512_loadu_si512(row + i + 64), _mm512_loadu_si512(query + i + 64));
    }
    if (i < size)
        even = _mm512_dpbusd_epi32(even, _mm512_loadu_si512(row + i), _mm512_loadu_si512(query + i));
    return _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd));
}
#elif defined(__aarch64__)
#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

/* A byte minus 128, as a signed one: its highest bit flipped. So both factors are signed, and 128 times the query is added to the sum again. */
static inline int8x16_t signed_of(const uint8_t *row)
{
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row), vdupq_n_u8(128)));
}

/* A product of two signed bytes fits into 16 bits, and the sum of two of them into no fewer than 32. */
static int32_t neon(const uint8_t *row, const int8_t *query, size_t size)
{
    int32x4_t low = vdupq_n_s32(0), high = low, whole = low;
    for (size_t i = 0; i < size; i += 16) {
        const int8x16_t a = signed_of(row + i), b = vld1q_s8(query + i);
        low = vpadalq_s16(low, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
        high = vpadalq_s16(high, vmull_high_s8(a, b));
        whole = vpadalq_s16(whole, vpaddlq_s8(b));
    }
    return vaddvq_s32(vaddq_s32(vaddq_s32(low, high), vshlq_n_s32(whole, 7)));
}

/* Before its 16th release clang knows these instructions only where a whole file is compiled for them. */
#if !defined(__clang__) || __clang_major__ >= 16
#define SDOT 1
__attribute__((target("+dotprod"))) static int32_t sdot(const uint8_t *row, const int8_t *query, size_t size)
{
    const int8x16_t less = vdupq_n_s8(-128);
    int32x4_t even = vdupq_n_s32(0), odd = even, whole = even; /* WHOLE: -128 times the query */
    for (size_t i = 0; i < size; i += 32) {
        const int8x16_t first = vld1q_s8(query + i), second = vld1q_s8(query + i + 16);
        even = vdotq_s32(even, signed_of(row + i), first);
        odd = vdotq_s32(odd, signed_of(row + i + 16), second);
        whole = vdotq_s32(vdotq_s32(whole, first, less), second, less);
    }
    return vaddvq_s32(vsubq_s32(vaddq_s32(even, odd), whole));
}
#else
#define SDOT 0
#endif
#endif

lens_dot_bytes *lens_dot_bytes_nth(size_t n)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni") && n-- == 0)
        return avx512;
    if (__builtin_cpu_supports("avx2") && n-- == 0)
        return avx2;
#elif defined(__aarch64__)
#if SDOT
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP && n-- == 0)
        return sdot;
#endif
    if (n-- == 0)
        return neon;
#endif
    return n == 0 ? plain : NULL;
}
