/* Small pictures, to be shown. */
#include "library/internal.h"
#include "pixels/resample.h"
#include "pixels/sniff.h"

int lens_shrink(const lens_image *image, int side, lens_image *small, lens_error *err)
{
    double scale = (double)side / (image->width > image->height ? image->width : image->height);
    scale = scale < 1 ? scale : 1;
    lens_window all = {0, 0, (int)(image->width * scale + 0.5), (int)(image->height * scale + 0.5)};
    all.width += all.width == 0;
    all.height += all.height == 0;
    return lens_resample(image, all.width, all.height, all, LENS_FILTER_BICUBIC, small, err);
}

uint8_t *lens_thumbnail(const char *path, int side, uint64_t max_pixels, int *width, int *height, lens_error *err)
{
    const lens_term term = {.kind = LENS_TERM_FILE, .text = path};
    lens_image image = {0}, small = {0};
    if (lens_decode_term(&term, max_pixels, &image, err) != 0)
        return NULL;
    int result = lens_shrink(&image, side, &small, err);
    lens_image_free(&image);
    if (result != 0)
        return NULL;
    *width = small.width;
    *height = small.height;
    return small.rgb;
}

const char *lens_picture_kind(const void *bytes, size_t size)
{
    const lens_format format = lens_sniff(bytes, size);
    return format == LENS_FORMAT_NONE ? NULL : lens_format_name(format);
}

int lens_picture_size(const lens_term *term, uint64_t max_pixels, int *width, int *height, lens_error *err)
{
    lens_image image = {0};
    if (lens_decode_term(term, max_pixels, &image, err) != 0)
        return -1;
    *width = image.width;
    *height = image.height;
    lens_image_free(&image);
    return 0;
}
