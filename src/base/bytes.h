/* Whole numbers out of the bytes of files, wherever they lie: the highest byte first ("big"), or the lowest ("little"). */
#ifndef LENS_BASE_BYTES_H
#define LENS_BASE_BYTES_H

#include <stdint.h>

static inline uint32_t lens_big_16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t lens_big_32(const uint8_t *p)
{
    return lens_big_16(p) << 16 | lens_big_16(p + 2);
}

static inline uint32_t lens_little_16(const uint8_t *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

static inline uint32_t lens_little_32(const uint8_t *p)
{
    return lens_little_16(p + 2) << 16 | lens_little_16(p);
}

#endif
