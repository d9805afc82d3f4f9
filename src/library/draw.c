/* lens_explanation_draw: an explanation as one picture. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "library/internal.h"
#include "pixels/resample.h"

enum { GAP = 12, GROUND = 250 }; /* pixels between pictures; the grey behind them */

static const double dimmed = 0.25;          /* what was not seen */
static const double muted = 0.55;           /* what was seen and has no part */
static const double strongest = 0.8;        /* of the map's colour over the picture */
static const double warm[3] = {255, 150, 0}, cold[3] = {40, 110, 255};

/* The map at (X, Y) in 0..1, linear between the middles of positions. */
static double map_at(const lens_explained *side, double x, double y)
{
    const int grid = side->grid;
    const double gx = fmin(fmax(x * grid - 0.5, 0), grid - 1), gy = fmin(fmax(y * grid - 0.5, 0), grid - 1);
    const int x0 = (int)gx, y0 = (int)gy, x1 = x0 + 1 < grid ? x0 + 1 : x0, y1 = y0 + 1 < grid ? y0 + 1 : y0;
    const double fx = gx - x0, fy = gy - y0;
    const double top = side->parts[y0 * grid + x0] * (1 - fx) + side->parts[y0 * grid + x1] * fx;
    const double bottom = side->parts[y1 * grid + x0] * (1 - fx) + side->parts[y1 * grid + x1] * fx;
    return top * (1 - fy) + bottom * fy;
}

static double largest(const lens_explained *side)
{
    double most = 0;
    for (int i = 0; i < side->grid * side->grid; i++)
        most = fmax(most, fabs(side->parts[i]));
    return most > 0 ? most : 1;
}

/* The map's colour over a pixel; X and Y are its place in the picture, 0..1. */
static void paint(const lens_explained *side, double most, double x, double y, uint8_t *rgb)
{
    const double *window = side->seen.window;
    const double u = (x - window[0]) / window[2], v = (y - window[1]) / window[3];
    if (u < 0 || u > 1 || v < 0 || v > 1) {
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(rgb[c] * dimmed);
        return;
    }
    const double part = map_at(side, u, v) / most, strength = fabs(part), *colour = part >= 0 ? warm : cold;
    for (int c = 0; c < 3; c++) {
        const double ground = rgb[c] * (muted + (1 - muted) * strength), over = strongest * strength * strength;
        rgb[c] = (uint8_t)(ground * (1 - over) + colour[c] * over + 0.5);
    }
}

/* Puts IMAGE into the SIDE x SIDE square at (X, Y) of CANVAS, WIDTH wide. */
static void place(const lens_image *image, int side, uint8_t *canvas, int width, int x, int y)
{
    x += (side - image->width) / 2;
    y += (side - image->height) / 2;
    for (int row = 0; row < image->height; row++)
        memcpy(canvas + 3 * ((size_t)(y + row) * (size_t)width + (size_t)x), image->rgb + 3 * (size_t)row * (size_t)image->width,
               3 * (size_t)image->width);
}

/* IMAGE in the middle of a SIDE x SIDE square, as large as fits. */
static int fit(const lens_image *image, int side, lens_filter filter, lens_image *out, lens_error *err)
{
    const double scale = (double)side / (image->width > image->height ? image->width : image->height);
    lens_window all = {0, 0, (int)fmax(1, fmin(side, image->width * scale + 0.5)), (int)fmax(1, fmin(side, image->height * scale + 0.5))};
    return lens_resample(image, all.width, all.height, all, filter, out, err);
}

static int draw_side(const lens_explained *side, int square, uint8_t *canvas, int width, int x, lens_error *err)
{
    const lens_image picture = {side->seen.shown_width, side->seen.shown_height, side->seen.picture};
    const lens_image seen = {side->seen.side, side->seen.side, side->seen.rgb};
    lens_image shown = {0}, prepared = {0};
    if (fit(&picture, square, LENS_FILTER_BICUBIC, &shown, err) != 0)
        return -1;
    const double most = largest(side);
    for (int row = 0; row < shown.height; row++)
        for (int column = 0; column < shown.width; column++)
            paint(side, most, (column + 0.5) / shown.width, (row + 0.5) / shown.height,
                  shown.rgb + 3 * ((size_t)row * (size_t)shown.width + (size_t)column));
    place(&shown, square, canvas, width, x, GAP);
    lens_image_free(&shown);
    /* Pixels as pixels: what the network gets is shown as coarse as it is. */
    if (fit(&seen, square, LENS_FILTER_NEAREST, &prepared, err) != 0)
        return -1;
    place(&prepared, square, canvas, width, x, 2 * GAP + square);
    lens_image_free(&prepared);
    return 0;
}

uint8_t *lens_explanation_draw(const lens_explanation *explanation, int side, int *width, int *height, lens_error *err)
{
    enum { MOST = 4096 };
    if (side < 8 || side > MOST) {
        lens_fail(err, LENS_E_ARGUMENT, "pictures of %d pixels; 8 to %d can be drawn", side, (int)MOST);
        return NULL;
    }
    const bool both = explanation->query.grid > 0;
    *width = GAP + (both ? 2 : 1) * (side + GAP);
    *height = GAP + 2 * (side + GAP);
    const size_t size = 3 * (size_t)*width * (size_t)*height;
    uint8_t *canvas = malloc(size);
    if (!canvas) {
        lens_fail_memory(err);
        return NULL;
    }
    memset(canvas, GROUND, size);
    if ((both && draw_side(&explanation->query, side, canvas, *width, GAP, err) != 0) ||
        draw_side(&explanation->picture, side, canvas, *width, both ? 2 * GAP + side : GAP, err) != 0) {
        free(canvas);
        return NULL;
    }
    return canvas;
}
