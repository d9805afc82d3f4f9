#include "bitmaps.h"

#include "support.h"

static lens_buffer dib_of(const test_bitmap *b)
{
    lens_buffer out = {0};
    test_put_number(&out, (uint32_t)b->header, 4);
    if (b->header == 12) {
        test_put_number(&out, (uint32_t)b->width, 2);
        test_put_number(&out, (uint32_t)b->height, 2);
        test_put_number(&out, 1, 2);
        test_put_number(&out, (uint32_t)b->bits, 2);
    } else {
        test_put_number(&out, (uint32_t)b->width, 4);
        test_put_number(&out, (uint32_t)(b->icon ? 2 * b->height : b->height), 4);
        test_put_number(&out, 1, 2);
        test_put_number(&out, (uint32_t)b->bits, 2);
        test_put_number(&out, (uint32_t)b->compression, 4);
        test_put_number(&out, 0, 4);
        test_put_number(&out, 0, 4);
        test_put_number(&out, 0, 4);
        test_put_number(&out, (uint32_t)b->colours, 4);
        test_put_number(&out, 0, 4);
        int masks = b->compression == 6 || b->header >= 56 ? 4 : b->compression == 3 ? 3 : 0;
        for (int i = 0; i < masks; i++)
            test_put_number(&out, b->masks ? b->masks[i] : 0, 4);
    }
    for (int i = 0; i < b->colours; i++)
        lens_buffer_append(&out, b->palette + 4 * i, b->header == 12 ? 3 : 4);
    return out;
}

lens_buffer test_bmp(const test_bitmap *b)
{
    lens_buffer dib = dib_of(b), out = {0};
    lens_buffer_append(&out, "BM", 2);
    test_put_number(&out, (uint32_t)(14 + dib.size + b->size), 4);
    test_put_number(&out, 0, 4);
    test_put_number(&out, (uint32_t)(14 + dib.size), 4);
    lens_buffer_append(&out, dib.data, dib.size);
    assert_int_equal(lens_buffer_append(&out, b->rows, b->size), 0);
    lens_buffer_free(&dib);
    return out;
}

lens_buffer test_ico(const test_bitmap *b, const char *mask, size_t mask_size)
{
    lens_buffer dib = dib_of(b), out = {0};
    size_t size = dib.size + b->size + mask_size;
    test_put_number(&out, 0x10000, 4);
    test_put_number(&out, 2, 2);
    for (int i = 0; i < 2; i++) {
        test_put_number(&out, i ? (uint32_t)b->width : 1, 1);
        test_put_number(&out, i ? (uint32_t)b->height : 1, 1);
        test_put_number(&out, 0, 2);
        test_put_number(&out, 1, 2);
        test_put_number(&out, (uint32_t)b->bits, 2);
        test_put_number(&out, i ? (uint32_t)size : 7, 4);
        test_put_number(&out, 6 + 32, 4);
    }
    lens_buffer_append(&out, dib.data, dib.size);
    lens_buffer_append(&out, b->rows, b->size);
    assert_int_equal(lens_buffer_append(&out, mask, mask_size), 0);
    lens_buffer_free(&dib);
    return out;
}
