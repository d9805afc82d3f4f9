#include "pixels/encode.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>
#include <vips/vips.h>

#include "base/dynamic.h"
#include "pixels/decoders.h"

/* libvips is opened at run time: decode_vips.c says why. */
#define FUNCTIONS(X) X(vips_image_new_from_memory) X(vips_pngsave_buffer) X(vips_thread_shutdown) X(vips_error_clear) X(g_object_unref) X(g_free)

static struct {
    FUNCTIONS(LENS_DYNAMIC_SLOT)
} lib;
static const lens_dynamic_symbol symbols[] = {FUNCTIONS(LENS_DYNAMIC_SYMBOL)};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char cannot_open[256]; /* why libvips is not there; empty when it is */

static void open_library(void)
{
    const char *why;
    if (!lens_vips_ready(&why))
        snprintf(cannot_open, sizeof cannot_open, "%s", why);
    else
        lens_dynamic_open("libvips.so.42", symbols, sizeof symbols / sizeof *symbols, cannot_open, sizeof cannot_open);
}

/* SIZE bytes that the caller frees with free(). NULL when memory is short. */
static void *copy_of(const void *bytes, size_t size)
{
    void *copy = malloc(size + 1);
    if (copy)
        memcpy(copy, bytes, size);
    return copy;
}

int lens_encode_jpeg(const lens_image *image, int quality, void **bytes, size_t *size, lens_error *err)
{
    tjhandle handle = tjInitCompress();
    if (!handle)
        return lens_fail(err, LENS_E_MEMORY, "TurboJPEG: %s", tjGetErrorStr2(NULL));
    unsigned char *out = NULL;
    unsigned long length = 0;
    int result = 0;
    if (tjCompress2(handle, image->rgb, image->width, 0, image->height, TJPF_RGB, &out, &length, TJSAMP_420, quality, TJFLAG_ACCURATEDCT) != 0)
        result = lens_fail(err, LENS_E_ARGUMENT, "TurboJPEG: %s", tjGetErrorStr2(handle));
    else if (!(*bytes = copy_of(out, length)))
        result = lens_fail_memory(err);
    *size = length;
    tjFree(out);
    tjDestroy(handle);
    return result;
}

int lens_encode_png(const lens_image *image, void **bytes, size_t *size, lens_error *err)
{
    pthread_once(&once, open_library);
    if (cannot_open[0])
        return lens_fail(err, LENS_E_UNSUPPORTED, "PNG needs libvips: %s", cannot_open);
    const size_t length = (size_t)image->width * (size_t)image->height * 3;
    VipsImage *memory = lib.vips_image_new_from_memory(image->rgb, length, image->width, image->height, 3, VIPS_FORMAT_UCHAR);
    void *out = NULL;
    int result = memory ? lib.vips_pngsave_buffer(memory, &out, size, NULL) : -1;
    if (result != 0) {
        lib.vips_error_clear();
        lens_fail(err, LENS_E_MEMORY, "a PNG of %d x %d pixels could not be made", image->width, image->height);
    } else if (!(*bytes = copy_of(out, *size))) {
        result = lens_fail_memory(err);
    }
    if (out)
        lib.g_free(out);
    if (memory)
        lib.g_object_unref(memory);
    lib.vips_thread_shutdown();
    return result;
}
