/* src/nn/items.c: floats as halves and bytes, and back. The file itself is part of this test, as it holds what only other processors run. */
#include <math.h>

#include "support.h"
#include "typed.h"
#include "weights.h"

#include "nn/items.c"

static float of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint16_t half_of(float value)
{
    uint16_t half;
    lens_items_store(LENS_TYPE_BF16, &value, 1, 1, &half);
    return half;
}

static void test_halves_by_hand(void **state)
{
    (void)state;
    const struct {
        uint32_t bits;
        uint16_t half;
    } cases[] = {
        {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, /* 1, and half a step more: to the even one below */
        {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81}, /* half a step above an odd one: to the even one above; and just more than half */
        {0x3f817fff, 0x3f81}, {0xbf808000, 0xbf80}, {0xbf818000, 0xbf82}, {0x00000000, 0x0000}, {0x80000000, 0x8000},
        {0x00000001, 0x0000}, {0x00008000, 0x0000}, {0x00018000, 0x0002}, /* less than the least normal number */
        {0x3fffffff, 0x4000}, {0x7f7fffff, 0x7f80}, {0xff7fffff, 0xff80}, /* up a power of two, and up to an infinity */
        {0x7f7f7fff, 0x7f7f}, {0x7f800000, 0x7f80}, {0xff800000, 0xff80},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (half_of(of_bits(cases[i].bits)) != cases[i].half)
            fail_msg("%08x becomes %04x, not %04x", cases[i].bits, half_of(of_bits(cases[i].bits)), cases[i].half);
    /* What is not a number stays so, with its sign, whatever it carries. */
    const uint32_t none[] = {0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fff8000};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        uint16_t half = half_of(of_bits(none[i]));
        if ((half & 0x7fff) <= 0x7f80 || half >> 15 != none[i] >> 31)
            fail_msg("%08x becomes %04x, which is a number", none[i], half);
    }
}

/* Every half is itself, and of two neighbours the nearer one is taken. */
static void test_halves_of_every_kind(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x7f80; half++)
        for (uint32_t sign = 0; sign <= 0x8000; sign += 0x8000) {
            const uint16_t in = (uint16_t)(half | sign);
            float value;
            lens_items_load(LENS_TYPE_BF16, &in, 1, 1, 0, &value);
            const uint32_t bits = (uint32_t)in << 16;
            assert_memory_equal(&value, &bits, sizeof bits);
            assert_int_equal(half_of(value), in);
            assert_int_equal(half_of(of_bits(bits + 0x7fff)), in);
            assert_int_equal(half_of(of_bits(bits + 0x8001)), in + 1);
            assert_int_equal(half_of(of_bits(bits + 0x8000)), in + (in & 1));
        }
}

/* Counts around whole vectors and lines of 64. */
static const size_t sizes[] = {1, 2, 15, 17, 31, 63, 64, 65, 127, 128, 130, 200, 1000};

static void test_bytes(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t count = 1; count <= 5; count += 2) {
            const size_t each = sizes[s];
            float *rows = test_some(&seed, 4, count * each);
            rows[(count - 1) * each + each / 2] = count % 3 ? 7 : -7; /* the largest of its row, wherever that is */
            void *items = test_items(LENS_TYPE_BYTES, rows, count, each);
            float *factors = lens_items_factors(items, count, each);
            assert_int_equal((size_t)((char *)factors - (char *)items) % 64, 0);
            assert_true((size_t)((char *)factors - (char *)items) >= count * each);
            assert_int_equal((char *)(factors + count) - (char *)items, lens_items_size(LENS_TYPE_BYTES, count, each));
            float *back = test_items_floats(LENS_TYPE_BYTES, items, count, each, LENS_BYTE_ZERO);
            for (size_t n = 0; n < count; n++) {
                float most = 0;
                for (size_t i = 0; i < each; i++)
                    most = fmaxf(most, fabsf(rows[n * each + i]));
                assert_true(factors[n] == most / 127);
                for (size_t i = n * each; i < (n + 1) * each; i++) {
                    const uint8_t byte = ((uint8_t *)items)[i];
                    /* To the nearest: within half a step, but for what two roundings of floats make of it. */
                    if (!(byte >= 1 && fabsf(back[i] - rows[i]) <= 0.50001f * factors[n]))
                        fail_msg("%zu of %zu: %.9g becomes %d, %.9g", i, each, (double)rows[i], byte, (double)back[i]);
                }
            }
            free(rows), free(items), free(back);
        }
}

static void test_bytes_by_hand(void **state)
{
    (void)state;
    /* A largest of 254 makes a step 2: halves go to the even one. */
    const float rows[2][6] = {{254, -254, 3, 5, -3, 1.9f}, {0, -0.0f, 0, 0, 0, 0}};
    const uint8_t expected[2][6] = {{255, 1, 130, 130, 126, 129}, {128, 128, 128, 128, 128, 128}};
    void *items = test_items(LENS_TYPE_BYTES, rows[0], 2, 6);
    assert_memory_equal(items, expected, sizeof expected);
    assert_true(lens_items_factors(items, 2, 6)[0] == 2 && lens_items_factors(items, 2, 6)[1] == 0);
    float back[2];
    *lens_items_factors(items, 1, 2) = 0.5f; /* of what are two bytes now */
    lens_items_load(LENS_TYPE_BYTES, items, 1, 2, 127.5f, back);
    assert_true(back[0] == 63.75f && back[1] == -63.25f);
    free(items);
    /* Less than the least normal number: nothing is divided by it, and nothing becomes infinite. */
    const float tiny[3] = {1e-42f, -1e-42f, 0};
    items = test_items(LENS_TYPE_BYTES, tiny, 1, 3);
    float floats[3];
    lens_items_load(LENS_TYPE_BYTES, items, 1, 3, LENS_BYTE_ZERO, floats);
    for (int i = 0; i < 3; i++)
        assert_true(fabsf(floats[i]) <= 2e-42f);
    free(items);
}

/* A row with an infinity, or with what is not a number, must not come back as numbers; its neighbours do. */
static void test_what_is_no_number_shows_in_bytes(void **state)
{
    (void)state;
    const float odd[] = {INFINITY, -INFINITY, NAN, -NAN};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t o = 0; o < sizeof odd / sizeof *odd; o++)
            for (size_t at = 0; at < sizes[s]; at += 1 + sizes[s] / 5) {
                const size_t each = sizes[s];
                uint64_t seed = s;
                float *rows = test_some(&seed, 4, 3 * each);
                rows[each + at] = odd[o];
                void *items = test_items(LENS_TYPE_BYTES, rows, 3, each);
                float *back = test_items_floats(LENS_TYPE_BYTES, items, 3, each, LENS_BYTE_ZERO);
                for (size_t i = 0; i < 3 * each; i++)
                    if (isfinite(back[i]) != (i / each != 1))
                        fail_msg("%g at %zu of %zu: number %zu of row %zu is %g", (double)odd[o], at, each, i % each, i / each,
                                 (double)back[i]);
                free(rows), free(items), free(back);
            }
}

static void test_copies(void **state)
{
    (void)state;
    enum { COUNT = 5, TO = 3 };
    for (int type = LENS_TYPE_F32; type <= LENS_TYPE_BYTES; type++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const size_t each = sizes[s], order[TO] = {4, 0, 2};
            uint64_t seed = s;
            float *rows = test_some(&seed, 4, COUNT * each), *chosen = lens_floats_new(TO * each);
            void *items = test_items((lens_type)type, rows, COUNT, each), *some = test_items_room((lens_type)type, TO, each);
            for (size_t n = 0; n < TO; n++) {
                memcpy(chosen + n * each, rows + order[n] * each, each * sizeof *rows);
                lens_items_copy((lens_type)type, each, items, COUNT, order[n], some, TO, n);
            }
            void *expected = test_items((lens_type)type, chosen, TO, each);
            /* One after the other too. */
            void *single = test_items_room((lens_type)type, TO, each);
            for (size_t n = 0; n < TO; n++)
                lens_items_store_one((lens_type)type, chosen + n * each, each, single, TO, n);
            assert_memory_equal(some, expected, lens_items_size((lens_type)type, TO, each));
            assert_memory_equal(single, expected, lens_items_size((lens_type)type, TO, each));
            free(rows), free(chosen), free(items), free(some), free(expected), free(single);
        }
}

typedef void to_bytes(size_t rows, int channels, const float *steps, float zero, const float *in, uint8_t *out);

static void check_channels(const char *name, to_bytes *convert)
{
    const float zeros[] = {0, LENS_BYTE_ZERO, 127.5f};
    size_t edges = 0, all = 0;
    for (int channels = 1; channels <= 70; channels += channels < 35 ? 1 : 5)
        for (int z = 0; z < 3; z++) {
            enum { ROWS = 3 };
            const size_t count = ROWS * (size_t)channels;
            uint64_t seed = (uint64_t)channels;
            float *steps = lens_floats_new((size_t)channels), *in = test_some(&seed, 3, count);
            test_random_fill(&seed, 1, 90, (size_t)channels, steps);
            in[0] = 1e30f, in[count - 1] = -1e30f, in[count / 2] = NAN;
            uint8_t *out = malloc(count + 1);
            out[count] = 77;
            convert(ROWS, channels, steps, zeros[z], in, out);
            assert_int_equal(out[count], 77);
            for (size_t i = 0; i < count; i++) {
                const double value = (double)in[i] * (double)steps[i % (size_t)channels] + (double)zeros[z];
                const double expected = isnan(value) ? 0 : floor(fmin(fmax(value, 0), 255) + 0.5);
                /* Floats have 16 bits behind the point of a byte: nearer to the edge than that either side is right. */
                const bool edge = fabs(value - floor(value) - 0.5) < 1e-4;
                if (out[i] != expected && !(edge && fabs(out[i] - expected) == 1))
                    fail_msg("%s: %d channels: %.9g becomes %d", name, channels, value, out[i]);
                edges += edge, all++;
            }
            free(steps), free(in), free(out);
        }
    assert_true(edges * 100 < all);
    /* To the nearest, what is in the middle upwards. */
    const float steps[] = {2, 2, 2, 2, 2, 2}, in[] = {0.25f, 0.75f, -0.25f, 127.25f, 127.5f, 64.2f};
    const uint8_t plain[] = {1, 2, 0, 255, 255, 128}, middle[] = {128, 129, 127, 255, 255, 255};
    uint8_t out[6];
    convert(1, 6, steps, 0, in, out);
    assert_memory_equal(out, plain, 6);
    convert(1, 6, steps, 127.5f, in, out);
    assert_memory_equal(out, middle, 6);
}

static void test_channels_to_bytes(void **state)
{
    (void)state;
    check_channels("the one for this processor", lens_channels_to_bytes);
    check_channels("the one for any", channels_plainly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves_by_hand), cmocka_unit_test(test_halves_of_every_kind),
        cmocka_unit_test(test_bytes),          cmocka_unit_test(test_bytes_by_hand),
        cmocka_unit_test(test_copies),         cmocka_unit_test(test_what_is_no_number_shows_in_bytes),
        cmocka_unit_test(test_channels_to_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
