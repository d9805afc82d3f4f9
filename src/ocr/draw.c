#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ocr/lines.h"
#include "pixels/resample.h"

/* Tesseract scales any line to 36 pixels, its margins included: what is drawn higher is drawn with more grey values, and a wide margin
 * would make letters small. */
enum { LETTER_HEIGHT = 40, MARGIN = 4, WIDTH_MOST = 8000, REACH = 1 };

/* Whether a pixel of line NUMBER is at most REACH from X, Y: so that soft edges are kept, and nothing else. */
static bool is_near(const lens_ocr_lines *lines, size_t number, const lens_ocr_plane *ink, int x, int y)
{
    for (int v = y - REACH; v <= y + REACH; v++)
        for (int u = x - REACH; u <= x + REACH; u++)
            if (u >= 0 && v >= 0 && u < ink->width && v < ink->height && lines->line_at[(size_t)v * (size_t)ink->width + (size_t)u] == number + 1)
                return true;
    return false;
}

/* The line as it is in the picture, black on white. */
static void cut_out(const lens_ocr_lines *lines, size_t number, const lens_ocr_plane *ink, lens_image *out)
{
    const lens_ocr_line *line = &lines->lines[number];
    int floor = line->tone * 3 / 10; /* below this it is the outline */
    uint8_t *rgb = out->rgb;
    for (int y = line->top - REACH; y < line->bottom + REACH; y++) {
        for (int x = line->left - REACH; x < line->right + REACH; x++, rgb += 3) {
            int value = 0;
            if (x >= 0 && y >= 0 && x < ink->width && y < ink->height && is_near(lines, number, ink, x, y))
                value = (ink->at[(size_t)y * (size_t)ink->width + (size_t)x] - floor) * 255 / (line->tone - floor);
            memset(rgb, value < 0 ? 255 : value > 255 ? 0 : 255 - value, 3);
        }
    }
}

int lens_ocr_line_draw(const lens_ocr_lines *lines, size_t number, const lens_ocr_plane *ink, double stretch, uint8_t **out, int *width,
                       int *height, lens_error *err)
{
    *out = NULL;
    const lens_ocr_line *line = &lines->lines[number];
    lens_image cut, sized = {0};
    if (lens_image_new(line->right - line->left + 2 * REACH, line->bottom - line->top + 2 * REACH, &cut, err) != 0)
        return -1;
    cut_out(lines, number, ink, &cut);
    double scale = (double)LETTER_HEIGHT / line->height;
    int across = (int)(cut.width * scale * stretch) + 1, down = (int)(cut.height * scale) + 1;
    if (across > WIDTH_MOST)
        across = WIDTH_MOST;
    int result = lens_resample(&cut, across, down, (lens_window){0, 0, across, down}, LENS_FILTER_BICUBIC, &sized, err);
    lens_image_free(&cut);
    if (result != 0)
        return -1;
    *width = across + 2 * MARGIN;
    *height = down + 2 * MARGIN;
    size_t size = (size_t)*width * (size_t)*height;
    *out = malloc(size);
    if (*out) {
        memset(*out, 255, size);
        for (int y = 0; y < down; y++)
            for (int x = 0; x < across; x++)
                (*out)[(size_t)(y + MARGIN) * (size_t)*width + (size_t)(x + MARGIN)] = sized.rgb[((size_t)y * (size_t)across + (size_t)x) * 3];
    }
    lens_image_free(&sized);
    return *out ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory for a line of %d x %d pixels", *width, *height);
}
