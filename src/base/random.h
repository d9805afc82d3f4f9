/* Numbers drawn by lot that are the same for the same seed everywhere: splitmix64 (Steele, Lea and Flood, 2014). */
#ifndef LENS_BASE_RANDOM_H
#define LENS_BASE_RANDOM_H

#include <stdint.h>

static inline uint64_t lens_random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 to BOUND - 1, each as likely but for one part in 2^32 where BOUND is below that. */
static inline uint64_t lens_random_below(uint64_t *state, uint64_t bound)
{
    return bound < (uint64_t)1 << 32 ? ((lens_random_next(state) >> 32) * bound) >> 32 : lens_random_next(state) % bound;
}

#endif
