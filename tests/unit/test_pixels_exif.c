/* Which way up: src/pixels/exif.c, and the turning in src/pixels/image.c. */
#include "pixels/exif.h"
#include "pixels/image.h"
#include "support.h"

static void put(lens_buffer *out, uint32_t value, int bytes, bool big)
{
    for (int i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * (big ? bytes - 1 - i : i));
        assert_int_equal(lens_buffer_append(out, &byte, 1), 0);
    }
}

/* A TIFF block whose IFD0 begins at OFFSET and has BEFORE other tags ahead of the orientation. */
static lens_buffer block_of(bool big, uint32_t offset, unsigned before, unsigned type, uint32_t orientation)
{
    lens_buffer out = {0};
    lens_buffer_append(&out, big ? "MM" : "II", 2);
    put(&out, 42, 2, big);
    put(&out, offset, 4, big);
    while (out.size < offset)
        put(&out, 0, 1, big);
    put(&out, before + 1, 2, big);
    for (unsigned i = 0; i <= before; i++) {
        put(&out, i < before ? 0x100 + i : 0x112, 2, big);
        put(&out, i < before ? 4 : type, 2, big);
        put(&out, 1, 4, big);
        put(&out, i < before ? 77 : orientation, type == 3 && i == before ? 2 : 4, big);
        if (type == 3 && i == before)
            put(&out, 0, 2, big);
    }
    return out;
}

static int orientation_of(const lens_buffer *block)
{
    return lens_exif_orientation((const uint8_t *)block->data, block->size);
}

static void test_blocks_of_either_order(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++) {
        for (unsigned type = 3; type <= 4; type++) {
            for (uint32_t orientation = 0; orientation <= 10; orientation++) {
                lens_buffer block = block_of(big, 8 + 5 * orientation, orientation, type, orientation);
                assert_int_equal(orientation_of(&block), orientation >= 1 && orientation <= 8 ? (int)orientation : 1);
                lens_buffer_free(&block);
            }
        }
    }
}

static void test_broken_blocks_lie_as_they_are(void **state)
{
    (void)state;
    lens_buffer block = block_of(true, 8, 3, 3, 6);
    for (size_t size = 0; size < block.size; size++) {
        uint8_t *exact = malloc(size ? size : 1);
        assert_non_null(exact);
        memcpy(exact, block.data, size);
        assert_int_equal(lens_exif_orientation(exact, size), 1);
        free(exact);
    }
    assert_int_equal(orientation_of(&block), 6);
    block.data[1] = 'I';
    assert_int_equal(orientation_of(&block), 1);
    lens_buffer_free(&block);

    block = block_of(false, 8, 0, 2, 6); /* text, of all types */
    assert_int_equal(orientation_of(&block), 1);
    lens_buffer_free(&block);
    uint8_t far[] = "II*\0\xff\xff\xff\xff";
    assert_int_equal(lens_exif_orientation(far, 8), 1);
    uint8_t many[] = "II*\0\x08\0\0\0\xff\xff";
    assert_int_equal(lens_exif_orientation(many, 10), 1);
}

static void test_the_segment_is_found_in_a_jpeg(void **state)
{
    (void)state;
    lens_buffer block = block_of(false, 8, 0, 3, 8), jpeg = {0};
    lens_buffer_append(&jpeg, "\xff\xd8\xff\xe0\0\x07JFIF\0", 11);
    lens_buffer_append(&jpeg, "\xff\xe1\0\x08http:/", 10); /* XMP lies in an APP1 too */
    lens_buffer_append(&jpeg, "\xff\xff\xff\xe1", 4);      /* filled up */
    put(&jpeg, (uint32_t)block.size + 8, 2, true);
    lens_buffer_append(&jpeg, "Exif\0\0", 6);
    lens_buffer_append(&jpeg, block.data, block.size);
    for (size_t size = 2; size <= jpeg.size; size++) {
        uint8_t *exact = malloc(size);
        assert_non_null(exact);
        memcpy(exact, jpeg.data, size);
        assert_int_equal(lens_exif_orientation_of_jpeg(exact, size), size == jpeg.size ? 8 : 1);
        free(exact);
    }
    memcpy(jpeg.data + 2, "\xff\xda", 2); /* behind the pixels' beginning nothing is looked at */
    assert_int_equal(lens_exif_orientation_of_jpeg((uint8_t *)jpeg.data, jpeg.size), 1);
    lens_buffer_free(&jpeg);
    lens_buffer_free(&block);
}

static void test_the_chunk_is_found_in_a_png(void **state)
{
    (void)state;
    lens_buffer block = block_of(true, 8, 0, 3, 5), png = {0};
    lens_buffer_append(&png, "\x89PNG\r\n\x1a\n", 8);
    lens_buffer_append(&png, "\0\0\0\x02tEXtab....", 14);
    put(&png, (uint32_t)block.size, 4, true);
    lens_buffer_append(&png, "eXIf", 4);
    lens_buffer_append(&png, block.data, block.size);
    lens_buffer_append(&png, "....", 4);
    for (size_t size = 8; size <= png.size; size++) {
        uint8_t *exact = malloc(size);
        assert_non_null(exact);
        memcpy(exact, png.data, size);
        assert_int_equal(lens_exif_orientation_of_png(exact, size), size == png.size ? 5 : 1);
        free(exact);
    }
    lens_buffer_free(&png);
    lens_buffer_free(&block);
}

/* EXIF's own words: where the stored row 0 and column 0 are in the upright picture. */
static void test_pictures_are_turned_as_exif_says(void **state)
{
    (void)state;
    const struct {
        const char *row, *column;
    } sides[9] = {{0}, {"top", "left"}, {"top", "right"}, {"bottom", "right"}, {"bottom", "left"},
                  {"left", "top"}, {"right", "top"}, {"right", "bottom"}, {"left", "bottom"}};
    for (int orientation = 1; orientation <= 8; orientation++) {
        /* Larger than the squares that turning goes by, and no multiple of them. */
        const int width = 71, height = 45;
        lens_error err = {0};
        lens_image image;
        assert_done(lens_image_new(width, height, &image, &err), &err);
        for (int i = 0; i < width * height; i++) {
            image.rgb[3 * i] = (uint8_t)(i % width);
            image.rgb[3 * i + 1] = (uint8_t)(i / width);
            image.rgb[3 * i + 2] = 200;
        }
        assert_done(lens_image_turn_upright(&image, orientation, &err), &err);
        const char *row = sides[orientation].row, *column = sides[orientation].column;
        bool swapped = strcmp(row, "left") == 0 || strcmp(row, "right") == 0;
        assert_int_equal(image.width, swapped ? height : width);
        assert_int_equal(image.height, swapped ? width : height);
        for (int y = 0; y < image.height; y++) {
            for (int x = 0; x < image.width; x++) {
                const uint8_t *pixel = image.rgb + 3 * (y * image.width + x);
                int stored_row = pixel[1], stored_column = pixel[0];
                int along_row = strcmp(row, "top") == 0 ? y : strcmp(row, "bottom") == 0 ? height - 1 - y : strcmp(row, "left") == 0 ? x : height - 1 - x;
                int along_column = strcmp(column, "left") == 0 ? x : strcmp(column, "right") == 0 ? width - 1 - x : strcmp(column, "top") == 0 ? y : width - 1 - y;
                if (stored_row != along_row || stored_column != along_column || pixel[2] != 200)
                    fail_msg("orientation %d at %d, %d", orientation, x, y);
            }
        }
        lens_image_free(&image);
    }
}

static void test_images_of_no_size_are_refused(void **state)
{
    (void)state;
    lens_image image = {1, 1, NULL};
    lens_error err = {0};
    assert_int_equal(lens_image_new(0, 5, &image, &err), -1);
    assert_null(image.rgb);
    assert_int_equal(lens_image_new(5, -1, &image, &err), -1);
    assert_int_equal(err.code, LENS_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_of_either_order),
        cmocka_unit_test(test_broken_blocks_lie_as_they_are),
        cmocka_unit_test(test_the_segment_is_found_in_a_jpeg),
        cmocka_unit_test(test_the_chunk_is_found_in_a_png),
        cmocka_unit_test(test_pictures_are_turned_as_exif_says),
        cmocka_unit_test(test_images_of_no_size_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
