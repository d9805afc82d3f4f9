#include "pictures.h"

#include "support.h"

#include <math.h>
#include <vips/vips.h>

typedef struct kind_info {
    const char *name, *ending;
    lens_format format;
    double tolerance;
} kind_info;

/* Twice what these encoders lose on the scenes: a decoder that swaps channels, turns the picture or forgets a transfer
 * curve is off by ten times that. */
static const kind_info kinds[TEST_KINDS] = {
    [TEST_JPEG_444] = {"jpeg_444", ".jpg", LENS_FORMAT_JPEG, 6},
    [TEST_JPEG_420] = {"jpeg_420", ".jpg", LENS_FORMAT_JPEG, 6},
    [TEST_JPEG_PROGRESSIVE] = {"jpeg_progressive", ".jpeg", LENS_FORMAT_JPEG, 6},
    [TEST_JPEG_GREY] = {"jpeg_grey", ".jpg", LENS_FORMAT_JPEG, 6},
    [TEST_JPEG_CMYK] = {"jpeg_cmyk", ".jpg", LENS_FORMAT_JPEG, 6},
    [TEST_PNG] = {"png", ".png", LENS_FORMAT_PNG, 0},
    [TEST_PNG_ALPHA] = {"png_alpha", ".png", LENS_FORMAT_PNG, 0},
    [TEST_PNG_PALETTE] = {"png_palette", ".png", LENS_FORMAT_PNG, 0},
    [TEST_PNG_GREY] = {"png_grey", ".png", LENS_FORMAT_PNG, 0},
    [TEST_PNG_GREY_ALPHA] = {"png_grey_alpha", ".png", LENS_FORMAT_PNG, 0},
    [TEST_PNG_16] = {"png_16", ".png", LENS_FORMAT_PNG, 0},
    [TEST_PNG_INTERLACED] = {"png_interlaced", ".png", LENS_FORMAT_PNG, 0},
    [TEST_GIF] = {"gif", ".gif", LENS_FORMAT_GIF, 0},
    [TEST_GIF_ANIMATED] = {"gif_animated", ".gif", LENS_FORMAT_GIF, 0},
    [TEST_WEBP] = {"webp", ".webp", LENS_FORMAT_WEBP, 6},
    [TEST_WEBP_LOSSLESS] = {"webp_lossless", ".webp", LENS_FORMAT_WEBP, 0},
    [TEST_WEBP_ALPHA] = {"webp_alpha", ".webp", LENS_FORMAT_WEBP, 0},
    [TEST_WEBP_ANIMATED] = {"webp_animated", ".webp", LENS_FORMAT_WEBP, 6},
    [TEST_HEIC] = {"heic", ".heic", LENS_FORMAT_HEIC, 6},
    [TEST_AVIF] = {"avif", ".avif", LENS_FORMAT_AVIF, 6},
    [TEST_TIFF] = {"tiff", ".tif", LENS_FORMAT_TIFF, 0},
    [TEST_TIFF_LZW] = {"tiff_lzw", ".tiff", LENS_FORMAT_TIFF, 0},
    [TEST_TIFF_16] = {"tiff_16", ".tif", LENS_FORMAT_TIFF, 0},
    [TEST_TIFF_FLOAT] = {"tiff_float", ".tif", LENS_FORMAT_TIFF, 0},
    [TEST_TIFF_CMYK] = {"tiff_cmyk", ".tif", LENS_FORMAT_TIFF, 1},
    [TEST_JXL] = {"jxl", ".jxl", LENS_FORMAT_JXL, 6},
    [TEST_JXL_LOSSLESS] = {"jxl_lossless", ".jxl", LENS_FORMAT_JXL, 0},
    [TEST_BMP] = {"bmp", ".bmp", LENS_FORMAT_BMP, 0},
    [TEST_SVG] = {"svg", ".svg", LENS_FORMAT_SVG, -1},
    [TEST_JP2] = {"jp2", ".jp2", LENS_FORMAT_JP2, 0},
    [TEST_PPM] = {"ppm", ".ppm", LENS_FORMAT_PNM, 0},
    [TEST_PGM] = {"pgm", ".pgm", LENS_FORMAT_PNM, 0},
    [TEST_ICO] = {"ico", ".ico", LENS_FORMAT_ICO, 0},
};

const char *test_kind_name(test_kind kind)
{
    return kinds[kind].name;
}

const char *test_kind_ending(test_kind kind)
{
    return kinds[kind].ending;
}

lens_format test_kind_format(test_kind kind)
{
    return kinds[kind].format;
}

double test_kind_tolerance(test_kind kind)
{
    return kinds[kind].tolerance;
}

double test_difference(const lens_image *a, const lens_image *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    size_t count = (size_t)a->width * (size_t)a->height * 3;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += abs(a->rgb[i] - b->rgb[i]);
    return sum / (double)count;
}

bool test_kind_turns(test_kind kind)
{
    lens_format format = kinds[kind].format;
    return format == LENS_FORMAT_JPEG || format == LENS_FORMAT_PNG || format == LENS_FORMAT_TIFF ||
           (format == LENS_FORMAT_WEBP && kind != TEST_WEBP_ANIMATED);
}

/* Asked for by the leak sanitizer: x265, which writes the HEICs, and fontconfig, by which text is drawn, keep a little for ever. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libx265\nleak:libfontconfig\n";
}

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

static bool is_grey(test_kind kind)
{
    return kind == TEST_JPEG_GREY || kind == TEST_PNG_GREY || kind == TEST_PNG_GREY_ALPHA || kind == TEST_PGM;
}

static bool has_alpha(test_kind kind)
{
    return kind == TEST_PNG_ALPHA || kind == TEST_PNG_GREY_ALPHA || kind == TEST_WEBP_ALPHA;
}

static bool is_palette(test_kind kind)
{
    return kind == TEST_PNG_PALETTE || kind == TEST_GIF || kind == TEST_GIF_ANIMATED;
}

static lens_image new_image(int width, int height)
{
    lens_image image = {width, height, malloc((size_t)width * (size_t)height * 3)};
    assert_non_null(image.rgb);
    return image;
}

/* xorshift: the same scene on every machine. */
static unsigned next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state >> 8;
}

typedef struct shape {
    double x, y, rx, ry; /* in shares of the sides */
    bool round;
    uint8_t colour[3];
} shape;

lens_image test_scene(int width, int height, unsigned seed)
{
    enum { SHAPES = 7 };
    uint32_t state = 2463534242u ^ (seed + 1) * 2654435761u;
    for (int i = 0; i < 8; i++)
        next_random(&state);
    uint8_t ground[2][3];
    for (int i = 0; i < 6; i++)
        ground[i / 3][i % 3] = (uint8_t)(next_random(&state) % 256);
    shape shapes[SHAPES];
    for (int i = 0; i < SHAPES; i++) {
        shape *s = &shapes[i];
        s->x = next_random(&state) % 1000 / 1000.0;
        s->y = next_random(&state) % 1000 / 1000.0;
        s->rx = 0.05 + next_random(&state) % 200 / 1000.0;
        s->ry = 0.05 + next_random(&state) % 200 / 1000.0;
        s->round = next_random(&state) % 2;
        for (int c = 0; c < 3; c++)
            s->colour[c] = (uint8_t)(next_random(&state) % 256);
    }
    lens_image image = new_image(width, height);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            double u = (x + 0.5) / width, v = (y + 0.5) / height, t = (u + v) / 2;
            uint8_t *pixel = image.rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);
            for (int c = 0; c < 3; c++)
                pixel[c] = (uint8_t)(ground[0][c] * (1 - t) + ground[1][c] * t + 0.5);
            for (int i = 0; i < SHAPES; i++) {
                const shape *s = &shapes[i];
                double du = fabs(u - s->x) / s->rx, dv = fabs(v - s->y) / s->ry;
                if (s->round ? du * du + dv * dv < 1 : du < 1 && dv < 1)
                    memcpy(pixel, s->colour, 3);
            }
        }
    }
    return image;
}

static uint8_t grey_of(const uint8_t *rgb)
{
    return (uint8_t)((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
}

/* How much of the scene shows at column X: a few columns all and none of it, so that both ends are seen. */
static uint8_t alpha_at(int x, int width)
{
    int alpha = 300 - 350 * x / width;
    return (uint8_t)(alpha > 255 ? 255 : alpha < 0 ? 0 : alpha);
}

/* The scene as it is stored: in grey, or in few enough colours for a palette; transparency not yet applied. */
static lens_image stored_scene(test_kind kind, int width, int height, unsigned seed)
{
    lens_image image = test_scene(width, height, seed);
    size_t count = (size_t)width * (size_t)height;
    for (size_t i = 0; i < count; i++) {
        uint8_t *pixel = image.rgb + 3 * i;
        if (is_grey(kind))
            memset(pixel, grey_of(pixel), 3);
        for (int c = 0; c < 3 && is_palette(kind); c++)
            pixel[c] = (uint8_t)(pixel[c] / 64 * 85);
    }
    return image;
}

lens_image test_scene_of(test_kind kind, int width, int height, unsigned seed)
{
    lens_image image = stored_scene(kind, width, height, seed);
    size_t count = (size_t)width * (size_t)height;
    for (size_t i = 0; i < count && has_alpha(kind); i++) {
        int alpha = alpha_at((int)(i % (size_t)width), width);
        for (int c = 0; c < 3; c++)
            image.rgb[3 * i + (size_t)c] = (uint8_t)((image.rgb[3 * i + (size_t)c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    return image;
}

/* As EXIF words it: the side of the upright picture where the stored row 0 lies, and where column 0 does. */
static const struct {
    bool swapped, row_far, column_far; /* rows stand upright; row 0 is right or at the bottom; column 0 likewise */
} turns[9] = {
    [1] = {false, false, false}, [2] = {false, false, true}, [3] = {false, true, true}, [4] = {false, true, false},
    [5] = {true, false, false},  [6] = {true, true, false},  [7] = {true, true, true},  [8] = {true, false, true},
};

static uint8_t *turn(const uint8_t *upright, int width, int height, size_t pixel, int orientation)
{
    uint8_t *stored = malloc((size_t)width * (size_t)height * pixel);
    assert_non_null(stored);
    int stride = turns[orientation].swapped ? height : width;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            int row = turns[orientation].swapped ? x : y, column = turns[orientation].swapped ? y : x;
            if (turns[orientation].row_far)
                row = (turns[orientation].swapped ? width : height) - 1 - row;
            if (turns[orientation].column_far)
                column = stride - 1 - column;
            memcpy(stored + ((size_t)row * (size_t)stride + (size_t)column) * pixel,
                   upright + ((size_t)y * (size_t)width + (size_t)x) * pixel, pixel);
        }
    }
    return stored;
}

static void need_vips(void)
{
    static bool ready;
    if (!ready && vips_init("memelens-tests") != 0)
        fail_msg("libvips: %s", vips_error_buffer());
    ready = true;
    /* The decoder blocks what libvips calls untrusted. */
    vips_operation_block_set("VipsForeignSaveJxl", FALSE);
}

static void need(int result)
{
    if (result != 0)
        fail_msg("libvips: %s", vips_error_buffer());
}

static double to_linear(uint8_t value)
{
    double v = value / 255.0; /* IEC 61966-2-1 */
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

/* One pixel of KIND at column X: its bytes into OUT, their number returned. */
static size_t store_pixel(test_kind kind, const uint8_t *rgb, int x, int width, void *out)
{
    uint8_t *bytes = out;
    if (kind == TEST_PNG_16 || kind == TEST_TIFF_16) {
        uint16_t values[3] = {(uint16_t)(rgb[0] * 257), (uint16_t)(rgb[1] * 257), (uint16_t)(rgb[2] * 257)};
        memcpy(out, values, sizeof values);
        return sizeof values;
    }
    if (kind == TEST_TIFF_FLOAT) {
        float values[3] = {(float)to_linear(rgb[0]), (float)to_linear(rgb[1]), (float)to_linear(rgb[2])};
        memcpy(out, values, sizeof values);
        return sizeof values;
    }
    if (kind == TEST_JPEG_CMYK || kind == TEST_TIFF_CMYK) {
        int most = rgb[0] > rgb[1] ? rgb[0] : rgb[1];
        most = most > rgb[2] ? most : rgb[2];
        for (int c = 0; c < 3; c++)
            bytes[c] = (uint8_t)(most ? (255 * (most - rgb[c]) + most / 2) / most : 0);
        bytes[3] = (uint8_t)(255 - most);
        return 4;
    }
    size_t count = is_grey(kind) ? 1 : 3;
    memcpy(bytes, rgb, count);
    if (has_alpha(kind))
        bytes[count++] = alpha_at(x, width);
    return count;
}

/* The stored scene as a libvips picture, turned for ORIENTATION. */
static VipsImage *vips_scene(test_kind kind, int width, int height, unsigned seed, int orientation)
{
    lens_image scene = stored_scene(kind, width, height, seed);
    uint8_t pixel[16];
    size_t each = store_pixel(kind, scene.rgb, 0, width, pixel), count = (size_t)width * (size_t)height;
    uint8_t *upright = malloc(count * each);
    assert_non_null(upright);
    for (size_t i = 0; i < count; i++)
        store_pixel(kind, scene.rgb + 3 * i, (int)(i % (size_t)width), width, upright + i * each);
    lens_image_free(&scene);
    uint8_t *stored = turn(upright, width, height, each, orientation);
    free(upright);

    VipsBandFormat format = VIPS_FORMAT_UCHAR;
    VipsInterpretation meaning = is_grey(kind) ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
    int bands = (int)each;
    if (kind == TEST_PNG_16 || kind == TEST_TIFF_16) {
        format = VIPS_FORMAT_USHORT, meaning = VIPS_INTERPRETATION_RGB16, bands = 3;
    } else if (kind == TEST_TIFF_FLOAT) {
        format = VIPS_FORMAT_FLOAT, meaning = VIPS_INTERPRETATION_scRGB, bands = 3;
    } else if (kind == TEST_JPEG_CMYK || kind == TEST_TIFF_CMYK) {
        meaning = VIPS_INTERPRETATION_CMYK;
    }
    bool swapped = turns[orientation].swapped;
    VipsImage *raw = vips_image_new_from_memory_copy(stored, count * each, swapped ? height : width, swapped ? width : height,
                                                     bands, format);
    free(stored);
    need(raw ? 0 : -1);
    VipsImage *image;
    need(vips_copy(raw, &image, "interpretation", meaning, NULL));
    g_object_unref(raw);
    if (orientation != 1)
        vips_image_set_int(image, VIPS_META_ORIENTATION, orientation);
    return image;
}

/* Three scenes below each other, as libvips wants an animation. */
static VipsImage *vips_animation(test_kind kind, int width, int height, unsigned seed)
{
    VipsImage *frames[3], *joined, *image;
    for (unsigned i = 0; i < 3; i++)
        frames[i] = vips_scene(kind, width, height, seed + i, 1);
    need(vips_arrayjoin(frames, &joined, 3, "across", 1, NULL));
    need(vips_copy(joined, &image, NULL));
    g_object_unref(joined);
    for (int i = 0; i < 3; i++)
        g_object_unref(frames[i]);
    vips_image_set_int(image, VIPS_META_PAGE_HEIGHT, height);
    int delays[3] = {100, 100, 100};
    vips_image_set_array_int(image, "delay", delays, 3);
    return image;
}

static void put16(lens_buffer *out, unsigned value)
{
    uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    assert_int_equal(lens_buffer_append(out, bytes, sizeof bytes), 0);
}

static void put32(lens_buffer *out, uint32_t value)
{
    put16(out, value & 0xffff);
    put16(out, value >> 16);
}

static lens_buffer bmp_of(const lens_image *image)
{
    lens_buffer out = {0};
    size_t row = ((size_t)image->width * 3 + 3) / 4 * 4, size = row * (size_t)image->height;
    lens_buffer_append(&out, "BM", 2);
    put32(&out, (uint32_t)(54 + size));
    put32(&out, 0);
    put32(&out, 54);
    put32(&out, 40);
    put32(&out, (uint32_t)image->width);
    put32(&out, (uint32_t)image->height);
    put16(&out, 1);
    put16(&out, 24);
    for (int i = 0; i < 6; i++)
        put32(&out, 0);
    for (int y = image->height - 1; y >= 0; y--) {
        for (int x = 0; x < image->width; x++) {
            const uint8_t *rgb = image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
            uint8_t bgr[3] = {rgb[2], rgb[1], rgb[0]};
            assert_int_equal(lens_buffer_append(&out, bgr, 3), 0);
        }
        assert_int_equal(lens_buffer_append(&out, "\0\0\0", row - (size_t)image->width * 3), 0);
    }
    return out;
}

static lens_buffer ico_of(const lens_image *image)
{
    assert_true(image->width <= 256 && image->height <= 256);
    lens_buffer out = {0}, png = test_png_of(image);
    put16(&out, 0);
    put16(&out, 1);
    put16(&out, 1);
    uint8_t sides[4] = {(uint8_t)image->width, (uint8_t)image->height, 0, 0}; /* 256 is written as 0 */
    lens_buffer_append(&out, sides, 4);
    put16(&out, 1);
    put16(&out, 32);
    put32(&out, (uint32_t)png.size);
    put32(&out, 22);
    assert_int_equal(lens_buffer_append(&out, png.data, png.size), 0);
    lens_buffer_free(&png);
    return out;
}

static lens_buffer pnm_of(const lens_image *image, bool grey)
{
    lens_buffer out = {0};
    size_t count = (size_t)image->width * (size_t)image->height;
    lens_buffer_print(&out, "%s\n%d %d\n255\n", grey ? "P5" : "P6", image->width, image->height);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(lens_buffer_append(&out, image->rgb + 3 * i, grey ? 1 : 3), 0);
    return out;
}

static lens_buffer svg_of(const lens_image *image)
{
    enum { FIELDS = 16 };
    lens_buffer out = {0};
    lens_buffer_print(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- drawn by the tests -->\n"
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 16 16\" "
                      "preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\">\n", image->width, image->height);
    for (int y = 0; y < FIELDS; y++) {
        for (int x = 0; x < FIELDS; x++) {
            size_t column = (size_t)((2 * x + 1) * image->width / (2 * FIELDS)), row = (size_t)((2 * y + 1) * image->height / (2 * FIELDS));
            const uint8_t *rgb = image->rgb + 3 * (row * (size_t)image->width + column);
            lens_buffer_print(&out, "<rect x=\"%d\" y=\"%d\" width=\"1\" height=\"1\" fill=\"#%02x%02x%02x\"/>\n", x, y, rgb[0], rgb[1], rgb[2]);
        }
    }
    assert_int_equal(lens_buffer_print(&out, "</svg>\n"), 0);
    return out;
}

/* The formats that libvips does not write. False when it does. */
static bool write_by_hand(test_kind kind, int width, int height, unsigned seed, lens_buffer *out)
{
    if (kind != TEST_BMP && kind != TEST_ICO && kind != TEST_PPM && kind != TEST_PGM && kind != TEST_SVG)
        return false;
    lens_image scene = stored_scene(kind, width, height, seed);
    *out = kind == TEST_BMP ? bmp_of(&scene)
         : kind == TEST_ICO ? ico_of(&scene)
         : kind == TEST_SVG ? svg_of(&scene)
                            : pnm_of(&scene, kind == TEST_PGM);
    lens_image_free(&scene);
    return true;
}

static int save(test_kind kind, VipsImage *image, void **bytes, size_t *size)
{
    switch (kind) {
    case TEST_JPEG_444:
    case TEST_JPEG_GREY:
    case TEST_JPEG_CMYK: return vips_jpegsave_buffer(image, bytes, size, "Q", 95, "subsample_mode", VIPS_FOREIGN_SUBSAMPLE_OFF, NULL);
    case TEST_JPEG_420: return vips_jpegsave_buffer(image, bytes, size, "Q", 95, "subsample_mode", VIPS_FOREIGN_SUBSAMPLE_ON, NULL);
    case TEST_JPEG_PROGRESSIVE:
        return vips_jpegsave_buffer(image, bytes, size, "Q", 95, "subsample_mode", VIPS_FOREIGN_SUBSAMPLE_ON, "interlace", TRUE, NULL);
    case TEST_PNG_PALETTE: return vips_pngsave_buffer(image, bytes, size, "palette", TRUE, "dither", 0.0, NULL);
    case TEST_PNG_INTERLACED: return vips_pngsave_buffer(image, bytes, size, "interlace", TRUE, NULL);
    case TEST_GIF:
    case TEST_GIF_ANIMATED: return vips_gifsave_buffer(image, bytes, size, "dither", 0.0, "effort", 10, NULL);
    case TEST_WEBP:
    case TEST_WEBP_ANIMATED: return vips_webpsave_buffer(image, bytes, size, "Q", 90, NULL);
    case TEST_WEBP_LOSSLESS:
    case TEST_WEBP_ALPHA: return vips_webpsave_buffer(image, bytes, size, "lossless", TRUE, NULL);
    case TEST_HEIC: return vips_heifsave_buffer(image, bytes, size, "Q", 90, "bitdepth", 8, "effort", 0, NULL);
    case TEST_AVIF:
        return vips_heifsave_buffer(image, bytes, size, "Q", 90, "bitdepth", 8, "effort", 0, "compression",
                                    VIPS_FOREIGN_HEIF_COMPRESSION_AV1, NULL);
    case TEST_TIFF_LZW: return vips_tiffsave_buffer(image, bytes, size, "compression", VIPS_FOREIGN_TIFF_COMPRESSION_LZW, NULL);
    case TEST_TIFF:
    case TEST_TIFF_16:
    case TEST_TIFF_FLOAT:
    case TEST_TIFF_CMYK: return vips_tiffsave_buffer(image, bytes, size, NULL);
    case TEST_JXL: return vips_jxlsave_buffer(image, bytes, size, "distance", 0.5, "effort", 3, NULL);
    case TEST_JXL_LOSSLESS: return vips_jxlsave_buffer(image, bytes, size, "lossless", TRUE, "effort", 3, NULL);
    case TEST_JP2: return vips_jp2ksave_buffer(image, bytes, size, "lossless", TRUE, NULL);
    default: return vips_pngsave_buffer(image, bytes, size, NULL);
    }
}

static lens_buffer take(void *bytes, size_t size)
{
    lens_buffer out = {0};
    assert_int_equal(lens_buffer_append(&out, bytes, size), 0);
    g_free(bytes);
    return out;
}

static void put_big32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* One chunk of a PNG, with its check sum. */
static void put_chunk(lens_buffer *out, const char *type, const void *data, size_t size)
{
    uint8_t number[4];
    put_big32(number, (uint32_t)size);
    lens_buffer_append(out, number, 4);
    size_t from = out->size;
    lens_buffer_append(out, type, 4);
    assert_int_equal(lens_buffer_append(out, data, size), 0);
    uint32_t crc = 0xffffffffu;
    for (size_t i = from; i < out->size; i++) {
        crc ^= (uint8_t)out->data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    put_big32(number, ~crc);
    assert_int_equal(lens_buffer_append(out, number, 4), 0);
}

/* What libvips 8.14 does not write: EXIF in a PNG, behind its first chunk. */
static lens_buffer tag_png(lens_buffer png, int orientation)
{
    const size_t header = 8 + 12 + 13;
    uint8_t exif[26] = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01";
    exif[19] = (uint8_t)orientation;
    lens_buffer out = {0};
    lens_buffer_append(&out, png.data, header);
    put_chunk(&out, "eXIf", exif, sizeof exif);
    assert_int_equal(lens_buffer_append(&out, png.data + header, png.size - header), 0);
    lens_buffer_free(&png);
    return out;
}

lens_buffer test_picture_turned(test_kind kind, int width, int height, unsigned seed, int orientation)
{
    assert_true(orientation >= 1 && orientation <= 8);
    assert_true(orientation == 1 || test_kind_turns(kind));
    need_vips();
    lens_buffer out = {0};
    if (write_by_hand(kind, width, height, seed, &out))
        return out;
    bool animated = kind == TEST_GIF_ANIMATED || kind == TEST_WEBP_ANIMATED;
    VipsImage *image = animated ? vips_animation(kind, width, height, seed) : vips_scene(kind, width, height, seed, orientation);
    void *bytes = NULL;
    size_t size = 0;
    need(save(kind, image, &bytes, &size));
    g_object_unref(image);
    out = take(bytes, size);
    return kinds[kind].format == LENS_FORMAT_PNG && orientation != 1 ? tag_png(out, orientation) : out;
}

lens_buffer test_picture(test_kind kind, int width, int height, unsigned seed)
{
    return test_picture_turned(kind, width, height, seed, 1);
}

void test_picture_write(const char *path, test_kind kind, int width, int height, unsigned seed)
{
    lens_buffer bytes = test_picture(kind, width, height, seed);
    test_write(path, bytes.data, bytes.size);
    lens_buffer_free(&bytes);
}

static VipsImage *vips_of(const lens_image *image)
{
    need_vips();
    VipsImage *raw = vips_image_new_from_memory_copy(image->rgb, (size_t)image->width * (size_t)image->height * 3, image->width,
                                                     image->height, 3, VIPS_FORMAT_UCHAR), *out;
    need(raw ? 0 : -1);
    need(vips_copy(raw, &out, "interpretation", VIPS_INTERPRETATION_sRGB, NULL));
    g_object_unref(raw);
    return out;
}

lens_buffer test_png_of(const lens_image *image)
{
    VipsImage *from = vips_of(image);
    void *bytes = NULL;
    size_t size = 0;
    need(vips_pngsave_buffer(from, &bytes, &size, NULL));
    g_object_unref(from);
    return take(bytes, size);
}

lens_buffer test_png_bomb(uint32_t width, uint32_t height)
{
    lens_buffer out = {0};
    uint8_t header[13] = {[8] = 8};
    put_big32(header, width);
    put_big32(header + 4, height);
    lens_buffer_append(&out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&out, "IHDR", header, sizeof header);
    put_chunk(&out, "IDAT", "\x78\x9c\x63\x60\x60\x60\0\0\0\x04\0\x01", 12); /* zlib: four zeros */
    put_chunk(&out, "IEND", "", 0);
    return out;
}
