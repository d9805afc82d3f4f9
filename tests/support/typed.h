/* Numbers of every type that layers take and give, and how far two lots of them may be apart. */
#ifndef LENS_TESTS_TYPED_H
#define LENS_TESTS_TYPED_H

#include "nn/layers.h"

/* COUNT floats that repeat with SEED (which moves on), from -RANGE to RANGE. The caller frees. */
float *test_some(uint64_t *seed, float range, size_t count);

/* ROWS [count, each] as items of TYPE. The caller frees. */
void *test_items(lens_type type, const float *rows, size_t count, size_t each);

/* Room for such items, filled with what is not a number in any type: a layer that leaves some of it as it is then shows. The caller frees. */
void *test_items_room(lens_type type, size_t count, size_t each);

/* ITEMS as floats, ZERO being the byte that stands for 0. The caller frees. */
float *test_items_floats(lens_type type, const void *items, size_t count, size_t each, float zero);

/* The largest difference of numbers in the same place; infinite where one of them is none, in whatever place. */
double test_largest_difference(const float *a, const float *b, size_t count);

/* Engines and streams, or the test fails. */
lens_engine *test_engine(lens_backend backend);
lens_stream *test_stream(lens_engine *engine, int threads);
void test_engine_leave(lens_engine *engine, lens_stream *stream);

/* What two lots of items may differ by, and what they did. */
typedef struct test_apart {
    double noise;  /* before they are rounded to their type: absolute */
    double share;  /* of those that rounding then makes neighbours: 0 to 1 */
    double worst;  /* out: the largest difference of floats, or of what is not rounded in bytes: their factors times 127 */
    double moved;  /* out: the largest share of neighbours */
} test_apart;

/* Fails the test, naming WHAT, where items A and B [count, each] of TYPE are further apart than NOISE and one step of their type, or where too
 * many are not equal. */
void test_items_apart(const char *what, lens_type type, const void *a, const void *b, size_t count, size_t each, test_apart *apart);

const char *test_type_name(lens_type type);

/* Skips the test, saying so, where this processor does not multiply TYPE: before anything is allocated. */
void test_need_type(lens_type type);

#endif
