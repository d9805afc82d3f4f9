#include "pixels/prepare.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_LEAST = 8, JINA_RESIZE = 256 };

/* "64" -> 64; -1 for anything but digits, or a number outside SIDE_LEAST..MOST. */
static int side_of(const char *digits, int most)
{
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 4 || digits[length] != '\0' || digits[0] == '0')
        return -1;
    int side = atoi(digits);
    return side >= SIDE_LEAST && side <= most ? side : -1;
}

int lens_preparation_override(lens_preparation *preparation, const char *name, lens_error *err)
{
    lens_preparation changed = *preparation;
    changed.before = changed.jina = 0;
    int side;
    if (strcmp(name, "crop") == 0) {
        changed.fit = LENS_FIT_CROP;
        if (changed.resize < changed.size)
            changed.resize = changed.size;
    } else if (strcmp(name, "squash") == 0) {
        changed.fit = LENS_FIT_SQUASH;
    } else if (strcmp(name, "pad") == 0) {
        changed.fit = LENS_FIT_PAD;
    } else if ((side = side_of(name, LENS_PREPARE_MOST)) > 0) {
        changed.before = side;
    } else if (strncmp(name, "jina", 4) == 0 && (side = side_of(name + 4, JINA_RESIZE)) > 0) {
        changed.jina = side;
    } else {
        return lens_fail(err, LENS_E_ARGUMENT,
                         "no preparation is called '%s': crop, squash, pad, a side from %d to %d, or jina and a side from %d to %d", name,
                         SIDE_LEAST, LENS_PREPARE_MOST, SIDE_LEAST, JINA_RESIZE);
    }
    *preparation = changed;
    return 0;
}

static const char *filter_name(lens_filter filter)
{
    switch (filter) {
    case LENS_FILTER_NEAREST: return "nearest";
    case LENS_FILTER_BILINEAR: return "bilinear";
    case LENS_FILTER_BICUBIC: return "bicubic";
    default: return "lanczos";
    }
}

int lens_preparation_describe(const lens_preparation *preparation, lens_buffer *out)
{
    const lens_preparation *p = preparation;
    size_t before = out->size;
    uint32_t numbers[6]; /* as bits: exact, and no locale gets a say in how a fraction is written */
    memcpy(numbers, p->mean, sizeof p->mean);
    memcpy(numbers + 3, p->std, sizeof p->std);
    int result = lens_buffer_print(out, "size %d filter %s normal", p->size, filter_name(p->filter));
    for (int i = 0; i < 6 && result == 0; i++)
        result = lens_buffer_print(out, " %08x", (unsigned)numbers[i]);
    /* Only what has a say: how a crop lies does not matter to a picture that is squashed. */
    if (result == 0 && p->jina)
        result = lens_buffer_print(out, " jina %d", p->jina);
    else if (result == 0 && p->before)
        result = lens_buffer_print(out, " before %d", p->before);
    else if (result == 0 && p->fit == LENS_FIT_CROP)
        result = lens_buffer_print(out, " crop %d %s", p->resize, p->corner == LENS_CORNER_ROUND ? "round" : "floor");
    else if (result == 0)
        result = lens_buffer_print(out, "%s", p->fit == LENS_FIT_PAD ? " pad" : " squash");
    if (result == 0)
        result = lens_buffer_print(out, "\n");
    if (result != 0 && out->data) {
        out->size = before;
        out->data[before] = '\0';
    }
    return result;
}

static int whole(const lens_image *image, int width, int height, lens_filter filter, lens_image *out, lens_error *err)
{
    return lens_resample(image, width, height, (lens_window){0, 0, width, height}, filter, out, err);
}

/* Where a window of SIZE begins in the middle of SIDE. */
static int corner_of(int side, int size, lens_corner corner)
{
    int room = side - size;
    if (corner == LENS_CORNER_FLOOR || room % 2 == 0)
        return room / 2;
    return room / 2 + room / 2 % 2; /* Python's round() goes to the even one of the two neighbours of a half */
}

static int crop(const lens_image *image, int width, int height, int size, lens_corner corner, lens_filter filter, lens_image *out,
                lens_error *err)
{
    lens_window window = {corner_of(width, size, corner), corner_of(height, size, corner), size, size};
    return lens_resample(image, width, height, window, filter, out, err);
}

static int too_narrow(const lens_image *image, lens_error *err)
{
    return lens_fail(err, LENS_E_LIMIT, "%d x %d pixels: too narrow to be resized by its shortest side", image->width, image->height);
}

/* What a picture of WIDTH x HEIGHT is resized to before the crop: as torchvision, timm and transformers, the long side is cut, not rounded, to
 * whole pixels. */
static void frame_of_crop(const lens_preparation *p, int width, int height, int64_t *out_width, int64_t *out_height)
{
    const bool upright = width < height;
    const int64_t most = (int64_t)p->resize * (upright ? height : width) / (upright ? width : height);
    *out_width = upright ? p->resize : most;
    *out_height = upright ? most : p->resize;
}

static int fit_crop(const lens_image *image, const lens_preparation *p, lens_image *seen, lens_error *err)
{
    if (p->resize < p->size)
        return lens_fail(err, LENS_E_ARGUMENT, "a crop of %d pixels from a side of %d", p->size, p->resize);
    int64_t width, height;
    frame_of_crop(p, image->width, image->height, &width, &height);
    if (width > INT_MAX || height > INT_MAX)
        return too_narrow(image, err);
    return crop(image, (int)width, (int)height, p->size, p->corner, p->filter, seen, err);
}

/* The sides that a picture of WIDTH x HEIGHT has inside of its padding. */
static void frame_of_pad(const lens_preparation *p, int width, int height, int *out_width, int *out_height)
{
    const bool upright = width < height;
    const int64_t least = upright ? width : height, most = upright ? height : width;
    int other = (int)((2 * p->size * least + most) / (2 * most)); /* rounded */
    other = other < 1 ? 1 : other;
    *out_width = upright ? other : p->size;
    *out_height = upright ? p->size : other;
}

static int fit_pad(const lens_image *image, const lens_preparation *p, lens_image *seen, lens_error *err)
{
    int width, height;
    lens_image inner;
    frame_of_pad(p, image->width, image->height, &width, &height);
    if (whole(image, width, height, p->filter, &inner, err) != 0)
        return -1;
    if (lens_image_new(p->size, p->size, seen, err) != 0) {
        lens_image_free(&inner);
        return -1;
    }
    uint8_t ground[3];
    for (int c = 0; c < 3; c++) {
        float mean = p->mean[c] * 255;
        ground[c] = (uint8_t)(mean <= 0 ? 0 : mean >= 255 ? 255 : mean + 0.5f);
    }
    size_t count = (size_t)p->size * (size_t)p->size;
    for (size_t i = 0; i < count; i++)
        memcpy(seen->rgb + 3 * i, ground, 3);
    int left = (p->size - inner.width) / 2, top = (p->size - inner.height) / 2;
    for (int y = 0; y < inner.height; y++)
        memcpy(seen->rgb + 3 * ((size_t)(top + y) * (size_t)p->size + (size_t)left), inner.rgb + 3 * (size_t)y * (size_t)inner.width,
               3 * (size_t)inner.width);
    lens_image_free(&inner);
    return 0;
}

/* What the ImageNormalizer of Jina's executors (jinahub, 2021) does, then enlarged: there both sides are rounded, half to
 * even, after a division of its own, and the corner is cut. */
static void frame_of_jina(int width, int height, double *out_width, double *out_height)
{
    const double percent = (double)JINA_RESIZE / (width < height ? width : height);
    *out_width = nearbyint(width * percent);
    *out_height = nearbyint(height * percent);
}

static int jina(const lens_image *image, const lens_preparation *p, lens_image *inner, lens_error *err)
{
    double width, height;
    frame_of_jina(image->width, image->height, &width, &height);
    if (width > INT_MAX || height > INT_MAX)
        return too_narrow(image, err);
    return crop(image, (int)width, (int)height, p->jina, LENS_CORNER_FLOOR, LENS_FILTER_LANCZOS, inner, err);
}

int lens_prepare_picture(const lens_image *image, const lens_preparation *preparation, lens_image *seen, lens_error *err)
{
    const lens_preparation *p = preparation;
    *seen = (lens_image){0};
    if (p->size < 1 || p->size > LENS_PREPARE_MOST || p->resize > LENS_PREPARE_MOST || p->before < 0 || p->before > LENS_PREPARE_MOST || p->jina < 0 ||
        p->jina > JINA_RESIZE)
        return lens_fail(err, LENS_E_ARGUMENT, "a preparation for %d pixels (resized to %d, before %d, jina %d)", p->size, p->resize,
                         p->before, p->jina);
    if (image->width < 1 || image->height < 1 || !image->rgb)
        return lens_fail(err, LENS_E_ARGUMENT, "a picture without pixels");
    if (p->before || p->jina) {
        lens_image small;
        if ((p->jina ? jina(image, p, &small, err) : whole(image, p->before, p->before, p->filter, &small, err)) != 0)
            return -1;
        int result = whole(&small, p->size, p->size, p->filter, seen, err);
        lens_image_free(&small);
        return result;
    }
    switch (p->fit) {
    case LENS_FIT_CROP: return fit_crop(image, p, seen, err);
    case LENS_FIT_PAD: return fit_pad(image, p, seen, err);
    default: return whole(image, p->size, p->size, p->filter, seen, err);
    }
}

/* A window of SIDE in the middle of a frame of WIDTH x HEIGHT, in units of the frame. */
static void centre(double width, double height, double x, double y, double side, double window[4])
{
    window[0] = x / width;
    window[1] = y / height;
    window[2] = side / width;
    window[3] = side / height;
}

double lens_preparation_window(const lens_preparation *preparation, int width, int height, double window[4])
{
    const lens_preparation *p = preparation;
    window[0] = window[1] = 0;
    window[2] = window[3] = 1;
    if (p->jina) {
        double w, h;
        frame_of_jina(width, height, &w, &h);
        centre(w, h, floor((w - p->jina) / 2), floor((h - p->jina) / 2), p->jina, window);
    } else if (!p->before && p->fit == LENS_FIT_CROP) {
        int64_t w, h;
        frame_of_crop(p, width, height, &w, &h);
        if (w <= INT_MAX && h <= INT_MAX)
            centre((double)w, (double)h, corner_of((int)w, p->size, p->corner), corner_of((int)h, p->size, p->corner), p->size, window);
    } else if (!p->before && p->fit == LENS_FIT_PAD) {
        int w, h;
        frame_of_pad(p, width, height, &w, &h);
        centre(w, h, -((p->size - w) / 2), -((p->size - h) / 2), p->size, window);
    }
    const double inside[2] = {fmin(1, window[0] + window[2]) - fmax(0, window[0]), fmin(1, window[1] + window[3]) - fmax(0, window[1])};
    return fmax(0, inside[0]) * fmax(0, inside[1]);
}
