#include "lettering.h"

#include <math.h>
#include <string.h>

#include "memelens.h"
#include "ocr/ocr.h"
#include "support.h"

/* Each stroke is two points, "xyxy" on a grid of 4 x 6 whose y goes down. */
static const struct {
    char letter;
    const char *strokes;
} alphabet[] = {
    {'A', "0620 2046 1434"},           {'D', "0006 0020 2042 4244 4426 2606"}, {'E', "0006 0040 0333 0646"},
    {'F', "0006 0040 0333"},           {'H', "0006 4046 0343"},                {'I', "2026"},
    {'K', "0006 0440 1346"},           {'L', "0006 0646"},                     {'M', "0006 0024 2440 4046"},
    {'N', "0006 0046 4046"},           {'O', "1030 3041 4145 4536 3616 1605 0501 0110"},
    {'R', "0006 0030 3041 4142 4233 3303 2346"}, {'T', "0040 2026"},           {'W', "0016 1622 2236 3640"},
};

static lens_image new_picture(int width, int height)
{
    lens_image image;
    lens_error error = {0};
    assert_done(lens_image_new(width, height, &image, &error), &error);
    return image;
}

lens_image test_plain(int width, int height, int tone)
{
    lens_image image = new_picture(width, height);
    memset(image.rgb, tone, (size_t)width * (size_t)height * 3);
    return image;
}

lens_image test_noise(int width, int height, unsigned seed)
{
    lens_image image = new_picture(width, height);
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++) {
        state = state * 1664525u + 1013904223u;
        image.rgb[i] = (uint8_t)(state >> 24);
    }
    return image;
}

static const char *strokes_of(char letter)
{
    for (size_t i = 0; i < sizeof alphabet / sizeof *alphabet; i++)
        if (alphabet[i].letter == letter)
            return alphabet[i].strokes;
    fail_msg("no letter '%c' was drawn", letter);
    return NULL;
}

/* How far X, Y is from the nearest of STROKES, all in units of the grid. */
static double distance_to(const char *strokes, double x, double y)
{
    double nearest = 1e9;
    for (const char *s = strokes; *s; s += s[4] ? 5 : 4) {
        double ax = s[0] - '0', ay = s[1] - '0', dx = s[2] - '0' - ax, dy = s[3] - '0' - ay;
        double along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy);
        along = fmin(1, fmax(0, along));
        nearest = fmin(nearest, hypot(x - ax - along * dx, y - ay - along * dy));
    }
    return nearest;
}

static void paint(uint8_t *pixel, double share, int tone)
{
    share = fmin(1, fmax(0, share));
    for (int c = 0; c < 3; c++)
        pixel[c] = (uint8_t)(pixel[c] * (1 - share) + tone * share + 0.5);
}

static void draw(lens_image *image, const char *strokes, double left, double top, double unit, double pen, int tone)
{
    int margin = (int)pen + 2;
    for (int y = (int)top - margin; y < (int)(top + 6 * unit) + margin; y++)
        for (int x = (int)left - margin; x < (int)(left + 4 * unit) + margin; x++)
            if (x >= 0 && y >= 0 && x < image->width && y < image->height)
                paint(image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x),
                      pen + 0.5 - unit * distance_to(strokes, (x + 0.5 - left) / unit, (y + 0.5 - top) / unit), tone);
}

void test_letter(lens_image *image, const char *text, int x, int y, int height, int ink, int outline)
{
    double unit = height / 7.2, pen = 0.6 * unit;
    for (int pass = outline < 0; pass < 2; pass++) {
        double left = x + unit;
        for (const char *letter = text; *letter; left += (*letter++ == ' ' ? 3 : 5.8) * unit)
            if (*letter != ' ')
                draw(image, strokes_of(*letter), left, y + pen, unit, pass ? pen : pen + fmax(2, height / 12.0), pass ? ink : outline);
    }
}

void test_letter_file(const char *path, const char *text)
{
    lens_error error = {0};
    void *bytes;
    size_t size;
    lens_image image = test_plain(640, 200, 255);
    test_letter(&image, text, 40, 70, 48, 0, -1);
    assert_done(lens_png(image.rgb, image.width, image.height, &bytes, &size, &error), &error);
    test_write(path, bytes, size);
    lens_image_free(&image);
    free(bytes);
}

void test_need_reader(void)
{
    lens_error error = {0};
    lens_reader *reader = lens_reader_open("eng", &error);
    if (!reader) {
        assert_true(error.code == LENS_E_UNSUPPORTED || error.code == LENS_E_MISSING);
        printf("skipped: %s\n", error.message);
        skip();
    }
    lens_reader_free(reader);
}
