#include "typed.h"

#include <math.h>

#include "support.h"
#include "weights.h"

float *test_some(uint64_t *seed, float range, size_t count)
{
    float *numbers = lens_floats_new(count);
    assert_non_null(numbers);
    test_random_fill(seed, -range, range, count, numbers);
    return numbers;
}

void *test_items_room(lens_type type, size_t count, size_t each)
{
    const size_t size = lens_items_size(type, count, each);
    void *items = aligned_alloc(64, (size + 63) / 64 * 64);
    assert_non_null(items);
    return memset(items, 0xff, size); /* NaN, in bytes by their factors */
}

void *test_items(lens_type type, const float *rows, size_t count, size_t each)
{
    void *items = test_items_room(type, count, each);
    lens_items_store(type, rows, count, each, items);
    return items;
}

float *test_items_floats(lens_type type, const void *items, size_t count, size_t each, float zero)
{
    float *rows = lens_floats_new(count * each);
    assert_non_null(rows);
    lens_items_load(type, items, count, each, zero, rows);
    return rows;
}

double test_largest_difference(const float *a, const float *b, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)a[i] - (double)b[i]);
        largest = isnan(difference) ? INFINITY : fmax(largest, difference);
    }
    return largest;
}

lens_engine *test_engine(lens_backend backend)
{
    lens_error err = {0};
    lens_engine *engine = lens_engine_new(backend, &err);
    assert_done(engine ? 0 : -1, &err);
    return engine;
}

lens_stream *test_stream(lens_engine *engine, int threads)
{
    lens_error err = {0};
    lens_stream *stream = lens_stream_new(engine, threads, &err);
    assert_done(stream ? 0 : -1, &err);
    return stream;
}

void test_engine_leave(lens_engine *engine, lens_stream *stream)
{
    lens_stream_free(stream);
    lens_engine_free(engine);
}

/* The same zero for both: it takes no part in how far they are apart. */
void test_items_apart(const char *what, lens_type type, const void *a, const void *b, size_t count, size_t each, test_apart *apart)
{
    float *one = test_items_floats(type, a, count, each, LENS_BYTE_ZERO), *other = test_items_floats(type, b, count, each, LENS_BYTE_ZERO);
    const float *factors[2] = {lens_items_factors((void *)a, count, each), lens_items_factors((void *)b, count, each)};
    size_t unequal = 0;
    for (size_t n = 0; n < count; n++) {
        if (type == LENS_TYPE_BYTES) {
            double difference = 127 * fabs((double)factors[0][n] - (double)factors[1][n]);
            if (!(difference <= apart->noise + 1e-6 * 127 * (double)factors[1][n]))
                fail_msg("%s: item %zu: factors %.9g and %.9g", what, n, (double)factors[0][n], (double)factors[1][n]);
            apart->worst = fmax(apart->worst, difference);
        }
        for (size_t i = n * each; i < (n + 1) * each; i++) {
            const double difference = fabs((double)one[i] - (double)other[i]);
            /* Neighbouring halves are at most 2^-7 of the larger one apart; bytes have a factor each, and so have their steps. */
            const double larger = fmax(fabs((double)one[i]), fabs((double)other[i]));
            const double step = type == LENS_TYPE_BF16 ? larger / 128 : type == LENS_TYPE_BYTES ? 1.00001 * (double)factors[1][n] : 0;
            const double more = type == LENS_TYPE_BYTES ? 2 * apart->noise : apart->noise;
            if (!(difference <= more + step))
                fail_msg("%s: item %zu, number %zu: %.9g and %.9g", what, n, i - n * each, (double)one[i], (double)other[i]);
            if (type == LENS_TYPE_F32)
                apart->worst = fmax(apart->worst, difference);
            else if (type == LENS_TYPE_BF16) /* near 0 halves are finer than the noise */
                unequal += step > 8 * apart->noise && ((const uint16_t *)a)[i] != ((const uint16_t *)b)[i];
            else
                unequal += ((const uint8_t *)a)[i] != ((const uint8_t *)b)[i];
        }
    }
    const double share = (double)unequal / (double)(count * each);
    /* One of a few may always be on the edge. */
    if (share > apart->share && unequal > 2)
        fail_msg("%s: %zu of %zu numbers are rounded to neighbours", what, unequal, count * each);
    if (unequal > 2)
        apart->moved = fmax(apart->moved, share);
    free(one), free(other);
}

const char *test_type_name(lens_type type)
{
    return type == LENS_TYPE_F32 ? "f32" : type == LENS_TYPE_BF16 ? "bf16" : "bytes";
}

void test_need_type(lens_type type)
{
    if (lens_type_is_fast(type))
        return;
    printf("skipped: this processor has no instructions that multiply %s\n", test_type_name(type));
    fflush(stdout);
    skip();
}
