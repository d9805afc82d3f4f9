/* All formats but JPEG, BMP, ICO and PNM, through libvips: its loader for the sniffed format, pulled strip by strip into
 * our own conversion to 8 bits, so that only the picture and one strip are in memory (and what the loader itself keeps).
 *
 * libvips is opened at the first need and not linked: it and its hundred libraries cost a program about 20 ms to start
 * and its set-up as much again, which a program that only meets JPEGs never pays. */
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

#include "base/dynamic.h"
#include "pixels/cut_short.h"
#include "pixels/decoders.h"
#include "pixels/exif.h"
#include "pixels/segments.h"

/* Every function of libvips and GLib that we call; the compiler checks each call against the library's own prototype. */
#define FUNCTIONS(X) \
    X(vips_init) X(vips_thread_shutdown) X(vips_error_buffer) X(vips_error_clear) X(vips_concurrency_set) \
    X(vips_cache_set_max) X(vips_cache_set_max_mem) X(vips_cache_set_max_files) X(vips_block_untrusted_set) \
    X(vips_operation_block_set) X(vips_jpegload_buffer) X(vips_pngload_buffer) X(vips_gifload_buffer) \
    X(vips_webpload_buffer) X(vips_heifload_buffer) X(vips_tiffload_buffer) X(vips_jxlload_buffer) X(vips_svgload_buffer) \
    X(vips_jp2kload_buffer) X(vips_colourspace) X(vips_image_get_orientation) X(vips_region_new) X(vips_region_prepare) \
    X(g_object_unref) X(g_log_set_handler)

static struct {
    FUNCTIONS(LENS_DYNAMIC_SLOT)
} lib;
static const lens_dynamic_symbol symbols[] = {FUNCTIONS(LENS_DYNAMIC_SYMBOL)};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char cannot_open[256]; /* why libvips is not there; empty when it is */

/* libvips has one buffer of messages for all threads. Decoding holds this lock for reading; a decode that failed is done
 * once more under the write lock, alone, so that the message read then is its own. */
static pthread_rwlock_t messages; /* made by open_library */

/* What is logged in this thread while it decodes under the write lock. libpng's reasons come that way only. */
static _Thread_local bool listening;
static char overheard[256];

/* Nothing is ever printed; what the libraries would print is lost, or overheard. */
static void listen_silently(const char *domain, GLogLevelFlags level, const char *message, void *data)
{
    (void)domain, (void)data;
    if (listening && !overheard[0] && (level & (G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL)))
        snprintf(overheard, sizeof overheard, "%s", message);
}

static void open_library(void)
{
    if (!lens_dynamic_open("libvips.so.42", symbols, sizeof symbols / sizeof *symbols, cannot_open, sizeof cannot_open))
        return;
    static const char *const domains[] = {"VIPS", "librsvg", "Rsvg", "GLib", "GLib-GObject", "GLib-GIO"};
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        lib.g_log_set_handler(domains[i], G_LOG_LEVEL_MASK, listen_silently, NULL);
    if (lib.vips_init("memelens") != 0) {
        snprintf(cannot_open, sizeof cannot_open, "%s", lib.vips_error_buffer());
        return;
    }
    /* The workers are our threads, and no picture is decoded twice. */
    lib.vips_concurrency_set(1);
    lib.vips_cache_set_max(0);
    lib.vips_cache_set_max_mem(0);
    lib.vips_cache_set_max_files(0);
    /* Of the loaders that libvips does not trust with strangers' files, those that we ask for. */
    lib.vips_block_untrusted_set(TRUE);
    lib.vips_operation_block_set("VipsForeignLoadSvg", FALSE);
    lib.vips_operation_block_set("VipsForeignLoadJp2k", FALSE);
    lib.vips_operation_block_set("VipsForeignLoadJxl", FALSE);
    /* Readers come and go all the time: a writer must not wait for a moment without any. */
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&messages, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

/* Opens BYTES for FORMAT: the header is read, pixels are not yet. SCALE matters to an SVG only. */
static VipsImage *open_image(const uint8_t *bytes, size_t size, lens_format format, double scale)
{
    void *data = (void *)bytes; /* libvips reads only */
    VipsImage *image = NULL;
    int result = -1;
#define OPTIONS "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED
    switch (format) {
    case LENS_FORMAT_JPEG: result = lib.vips_jpegload_buffer(data, size, &image, OPTIONS, NULL); break;
    case LENS_FORMAT_PNG: result = lib.vips_pngload_buffer(data, size, &image, OPTIONS, NULL); break;
    case LENS_FORMAT_GIF: result = lib.vips_gifload_buffer(data, size, &image, OPTIONS, NULL); break;
    case LENS_FORMAT_WEBP: result = lib.vips_webpload_buffer(data, size, &image, OPTIONS, NULL); break;
    case LENS_FORMAT_HEIC:
    case LENS_FORMAT_AVIF: result = lib.vips_heifload_buffer(data, size, &image, OPTIONS, NULL); break;
    case LENS_FORMAT_TIFF: result = lib.vips_tiffload_buffer(data, size, &image, OPTIONS, NULL); break;
    case LENS_FORMAT_JXL: result = lib.vips_jxlload_buffer(data, size, &image, OPTIONS, NULL); break;
    case LENS_FORMAT_SVG: result = lib.vips_svgload_buffer(data, size, &image, OPTIONS, "scale", scale, NULL); break;
    case LENS_FORMAT_JP2: /* OpenJPEG's complaints count as errors from this level on */
        result = lib.vips_jp2kload_buffer(data, size, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
        break;
    default: break;
    }
#undef OPTIONS
    return result == 0 ? image : NULL;
}

static void unref(void *object)
{
    if (object)
        lib.g_object_unref(object);
}

/* How an SVG is scaled: its shortest side to at least 512 pixels, unless its longest then passed 4096; but nothing is
 * scaled away altogether. */
static double svg_scale(const VipsImage *image)
{
    double least = image->Xsize < image->Ysize ? image->Xsize : image->Ysize;
    double most = image->Xsize < image->Ysize ? image->Ysize : image->Xsize;
    double scale = least < 512 ? 512 / least : 1;
    if (most * scale > 4096)
        scale = 4096 / most;
    if (least * scale < 1)
        scale = 1 / least;
    return scale < 0.001 ? 0.001 : scale; /* the least that libvips takes */
}

/* What the bands of an image are. */
typedef struct layout {
    int bands, colours; /* colours: 1 grey, 3 RGB, 4 CMYK */
    bool alpha;         /* in the band behind the colours */
    bool premultiplied; /* the colours are multiplied by it already */
    VipsBandFormat format;
    int bits;     /* of each 8-bit value so many are the picture's, the upper ones */
    double white; /* of the wide formats */
    bool linear;
    bool ycc; /* the three colours are luma and two chromas */
} layout;

/* Formats whose greatest value says nothing about where white is: 16-bit pictures are often stored in 32 bits. */
static bool is_wide(VipsBandFormat format)
{
    return format == VIPS_FORMAT_FLOAT || format == VIPS_FORMAT_INT || format == VIPS_FORMAT_UINT;
}

static int look(const VipsImage *image, layout *out, lens_error *err)
{
    *out = (layout){.bands = image->Bands, .format = image->BandFmt, .bits = 8, .white = 255};
    if (image->Coding != VIPS_CODING_NONE || image->Bands < 1 || image->BandFmt < VIPS_FORMAT_UCHAR ||
        image->BandFmt > VIPS_FORMAT_FLOAT)
        return lens_fail(err, LENS_E_UNSUPPORTED, "pixels of an unusual kind");
    bool inks = image->Type == VIPS_INTERPRETATION_CMYK && image->Bands >= 4;
    out->colours = inks ? 4 : image->Bands >= 3 ? 3 : 1;
    /* More bands than one behind the colours are a satellite's, say, and none of them is alpha. */
    out->alpha = image->Bands == out->colours + 1;
    return 0;
}

/* What libvips does not say of a TIFF. */
static void look_at_tiff(const uint8_t *bytes, size_t size, layout *form)
{
    enum { COMPRESSION = 259, OLD_JPEG = 6, JPEG = 7, PHOTOMETRIC = 262, YCC = 6, EXTRA_SAMPLES = 338, UNSPECIFIED = 0, ASSOCIATED = 1 };
    /* A mask that Photoshop kept, or infrared light. */
    if (lens_exif_number(bytes, size, EXTRA_SAMPLES, ASSOCIATED) == UNSPECIFIED)
        form->alpha = false;
    const uint32_t compression = lens_exif_number(bytes, size, COMPRESSION, 1);
    form->ycc = form->bands == 3 && form->colours == 3 && form->format == VIPS_FORMAT_UCHAR && compression != OLD_JPEG &&
                compression != JPEG && lens_exif_number(bytes, size, PHOTOMETRIC, 2) == YCC; /* of a JPEG libtiff makes RGB */
}

/* What libvips does not say of the JPEG 2000 codestream BYTES, whose first components are COMPONENTS. */
static void look_at_jp2(const uint8_t *bytes, size_t size, lens_components components, layout *form)
{
    enum { DEPTH = 42, EACH = 3, APART = 1 }; /* of each component its bits, less 1, the highest bit for a sign, and then how far its values are apart */
    if (size < DEPTH + 3 * EACH)
        return;
    /* Of values of fewer than 8 bits libvips hands on the upper ones of 8, where white is not 255. */
    const int bits = (bytes[DEPTH] & 0x7f) + 1;
    form->bits = bits < 8 ? bits : 8;
    const uint8_t *blue = bytes + DEPTH + EACH + APART, *red = blue + EACH;
    /* Three like these libvips takes for luma and chromas by itself. */
    const bool done = form->bands == 3 && blue[0] > 1 && blue[1] > 1 && red[0] > 1 && red[1] > 1;
    form->ycc = components == LENS_COMPONENTS_LUMA && form->colours == 3 && !done;
    if (components == LENS_COMPONENTS_INKS && form->bands >= 4) {
        form->colours = 4;
        form->alpha = form->bands == 5;
    }
}

/* Whether a HEIC or AVIF has a reference that says so ("prem", ISO/IEC 23008-12, 6.10.1.1), from its colours to its coverage: libheif
 * knows, and libvips does not ask. */
static bool is_premultiplied(const uint8_t *bytes, size_t size)
{
    enum { VERSION = 4 }; /* bytes before the boxes in these two */
    lens_segment meta, references, one;
    for (size_t at = 0; lens_segment_of_boxes(bytes, size, &at, &meta);)
        for (size_t in = VERSION; lens_segment_is(&meta, "meta") && lens_segment_of_boxes(meta.body, meta.size, &in, &references);)
            for (size_t i = VERSION; lens_segment_is(&references, "iref") && lens_segment_of_boxes(references.body, references.size, &i, &one);)
                if (lens_segment_is(&one, "prem"))
                    return true;
    return false;
}

/* The value at INDEX of ROW, whose FORMAT is wide. */
static inline double wide_at(const void *row, VipsBandFormat format, size_t index)
{
    switch (format) {
    case VIPS_FORMAT_INT: return ((const int32_t *)row)[index];
    case VIPS_FORMAT_UINT: return ((const uint32_t *)row)[index];
    default: return isfinite(((const float *)row)[index]) ? (double)((const float *)row)[index] : 0;
    }
}

/* sRGB's curve from linear light, both 0..1 (IEC 61966-2-1). */
static double from_linear(double light)
{
    return light <= 0.0031308 ? light * 12.92 : 1.055 * pow(light, 1 / 2.4) - 0.055;
}

static uint8_t clip(double value)
{
    return (uint8_t)(value <= 0 ? 0 : value >= 255 ? 255 : value + 0.5);
}

/* COUNT values of one row, any format, to 8 bits. */
static void row_to_8_bits(const void *row, const layout *form, size_t count, uint8_t *out)
{
    switch (form->format) {
    case VIPS_FORMAT_UCHAR: memcpy(out, row, count); break;
    case VIPS_FORMAT_CHAR:
        for (size_t i = 0; i < count; i++)
            out[i] = (uint8_t)(((const int8_t *)row)[i] + 128);
        break;
    case VIPS_FORMAT_USHORT:
        for (size_t i = 0; i < count; i++)
            out[i] = (uint8_t)((((const uint16_t *)row)[i] + 128u) / 257);
        break;
    case VIPS_FORMAT_SHORT:
        for (size_t i = 0; i < count; i++)
            out[i] = (uint8_t)((((const int16_t *)row)[i] + 32768u + 128) / 257);
        break;
    default:
        for (size_t i = 0; i < count; i++) {
            double value = wide_at(row, form->format, i) / form->white;
            bool alpha = form->alpha && i % (size_t)form->bands == (size_t)form->colours;
            if (form->linear && !alpha)
                value = from_linear(value);
            out[i] = clip(value * 255);
        }
    }
}

/* Spreads COUNT values, of which the upper BITS count, over 0..255. */
static void spread(uint8_t *values, size_t count, int bits)
{
    const unsigned most = (1U << bits) - 1;
    for (size_t i = 0; i < count; i++)
        values[i] = (uint8_t)(((unsigned)(values[i] >> (8 - bits)) * 255 + most / 2) / most);
}

/* VALUE, multiplied by its coverage ALPHA already, on white. */
static uint8_t added_to_white(unsigned value, unsigned alpha)
{
    const unsigned sum = value + 255 - alpha;
    return (uint8_t)(sum < 255 ? sum : 255);
}

/* WIDTH pixels of VALUES (8 bits) to RGB. */
static void row_to_rgb(const uint8_t *values, const layout *form, int width, uint8_t *rgb)
{
    for (int x = 0; x < width; x++, values += form->bands, rgb += 3) {
        if (form->colours == 1)
            rgb[0] = rgb[1] = rgb[2] = values[0];
        else if (form->ycc)
            lens_from_luma(values, rgb);
        else if (form->colours == 3)
            rgb[0] = values[0], rgb[1] = values[1], rgb[2] = values[2];
        else
            for (int c = 0; c < 3; c++)
                rgb[c] = lens_light_of_ink(values[c], values[3]);
        if (form->alpha)
            for (int c = 0; c < 3; c++)
                rgb[c] = form->premultiplied ? added_to_white(rgb[c], values[form->colours]) : lens_on_white(rgb[c], values[form->colours]);
    }
}

static size_t value_bytes(VipsBandFormat format)
{
    switch (format) {
    case VIPS_FORMAT_UCHAR:
    case VIPS_FORMAT_CHAR: return 1;
    case VIPS_FORMAT_USHORT:
    case VIPS_FORMAT_SHORT: return 2;
    default: return 4;
    }
}

/* Pulls IMAGE from top to bottom and hands each row to DO_ROW. */
static int for_each_row(VipsImage *image, void (*do_row)(const void *row, int y, void *data), void *data)
{
    /* Few rows: libvips keeps them in lists that it searches from end to end. */
    enum { STRIP_BYTES = 1 << 20, STRIP_ROWS = 32 };
    size_t row = (size_t)image->Xsize * (size_t)image->Bands * value_bytes(image->BandFmt);
    int rows = row < STRIP_BYTES / STRIP_ROWS ? STRIP_ROWS : row < STRIP_BYTES ? (int)(STRIP_BYTES / row) : 1;
    VipsRegion *region = lib.vips_region_new(image);
    if (!region)
        return -1;
    int result = 0;
    for (int top = 0; top < image->Ysize && result == 0; top += rows) {
        if (rows > image->Ysize - top)
            rows = image->Ysize - top;
        VipsRect strip = {0, top, image->Xsize, rows};
        result = lib.vips_region_prepare(region, &strip);
        for (int y = top; y < top + rows && result == 0; y++)
            do_row(region->data + (size_t)(y - region->valid.top) * (size_t)region->bpl, y, data);
    }
    unref(region);
    return result;
}

typedef struct conversion {
    const layout *form;
    lens_image *out;
    uint8_t *values; /* one row, 8 bits a value */
} conversion;

static void convert_row(const void *row, int y, void *data)
{
    conversion *to = data;
    size_t width = (size_t)to->out->width;
    uint8_t *rgb = to->out->rgb + (size_t)y * width * 3;
    const bool as_it_is = to->form->format == VIPS_FORMAT_UCHAR && to->form->bits == 8;
    if (as_it_is && to->form->bands == 3 && !to->form->ycc) {
        memcpy(rgb, row, width * 3);
        return;
    }
    const uint8_t *values = row;
    if (!as_it_is) {
        row_to_8_bits(row, to->form, width * (size_t)to->form->bands, to->values);
        values = to->values;
    }
    if (to->form->bits < 8)
        spread(to->values, width * (size_t)to->form->bands, to->form->bits);
    row_to_rgb(values, to->form, to->out->width, rgb);
}

typedef struct sum {
    const layout *form;
    size_t count; /* of values in a row */
    double total;
} sum;

static void add_row(const void *row, int y, void *data)
{
    (void)y;
    sum *to = data;
    double total = 0;
    for (size_t i = 0; i < to->count; i++)
        if (!to->form->alpha || i % (size_t)to->form->bands != (size_t)to->form->colours)
            total += wide_at(row, to->form->format, i);
    to->total += total;
}

/* Finds what white is in a picture of a wide format: it is read to its end, so another must be opened for its pixels. */
static int find_white(VipsImage *image, layout *form)
{
    sum all = {form, (size_t)image->Xsize * (size_t)form->bands, 0};
    if (for_each_row(image, add_row, &all) != 0)
        return -1;
    double pixels = (double)image->Xsize * image->Ysize;
    double mean = all.total / (pixels * (form->alpha ? form->bands - 1 : form->bands));
    bool whole = form->format == VIPS_FORMAT_INT || form->format == VIPS_FORMAT_UINT;
    form->white = mean <= 1 && !whole ? 1 : mean <= 255 ? 255 : mean <= 65535 ? 65535 : UINT32_MAX;
    form->linear = form->white == 1;
    return 0;
}

static bool needs_colourspace(const VipsImage *image)
{
    switch (image->Type) {
    case VIPS_INTERPRETATION_XYZ:
    case VIPS_INTERPRETATION_LAB:
    case VIPS_INTERPRETATION_LABQ:
    case VIPS_INTERPRETATION_LABS:
    case VIPS_INTERPRETATION_CMC:
    case VIPS_INTERPRETATION_LCH:
    case VIPS_INTERPRETATION_YXY:
    case VIPS_INTERPRETATION_HSV: return true;
    default: return false;
    }
}

/* Opens the picture ready for its pixels: an SVG at its scale, odd colours turned to sRGB. NULL with ERR filled; its code
 * is LENS_E_NONE when the reason is in libvips' buffer. */
static VipsImage *open_for_pixels(const uint8_t *bytes, size_t size, lens_format format, const lens_decode_limits *limits,
                                  lens_error *err)
{
    VipsImage *image = open_image(bytes, size, format, 1);
    if (image && format == LENS_FORMAT_SVG) {
        double scale = svg_scale(image);
        unref(image);
        image = open_image(bytes, size, format, scale);
    }
    if (!image)
        return NULL;
    /* libvips makes one pixel of an SVG whose size passes what it can count; any other was scaled up. */
    bool absurd = format == LENS_FORMAT_SVG && image->Xsize == 1 && image->Ysize == 1;
    if (absurd)
        lens_fail(err, LENS_E_LIMIT, "declares a size that cannot be drawn");
    if (absurd || lens_decode_check_size(image->Xsize, image->Ysize, limits, err) != 0) {
        unref(image);
        return NULL;
    }
    if (needs_colourspace(image)) {
        VipsImage *converted = NULL;
        if (lib.vips_colourspace(image, &converted, VIPS_INTERPRETATION_sRGB, NULL) != 0)
            converted = NULL;
        unref(image);
        image = converted;
    }
    return image;
}

static int decode(const uint8_t *bytes, size_t size, lens_format format, lens_components components, const lens_decode_limits *limits,
                  lens_image *out, int *orientation, lens_error *err)
{
    VipsImage *image = open_for_pixels(bytes, size, format, limits, err);
    conversion to = {.out = out};
    layout form;
    int result = image ? look(image, &form, err) : -1;
    if (result == 0 && format == LENS_FORMAT_TIFF)
        look_at_tiff(bytes, size, &form);
    if (result == 0 && format == LENS_FORMAT_JP2)
        look_at_jp2(bytes, size, components, &form);
    if (result == 0 && (format == LENS_FORMAT_HEIC || format == LENS_FORMAT_AVIF))
        form.premultiplied = is_premultiplied(bytes, size);
    if (result == 0 && is_wide(form.format)) {
        result = find_white(image, &form);
        unref(image);
        image = result == 0 ? open_for_pixels(bytes, size, format, limits, err) : NULL;
        result = image ? 0 : -1;
    }
    if (result == 0) {
        to.form = &form;
        to.values = malloc((size_t)image->Xsize * (size_t)form.bands);
        if (!to.values)
            result = lens_fail(err, LENS_E_MEMORY, "not enough memory for a row of %d pixels", image->Xsize);
    }
    if (result == 0)
        result = lens_image_new(image->Xsize, image->Ysize, out, err);
    if (result == 0)
        result = for_each_row(image, convert_row, &to);
    /* libheif and libjxl have turned the picture already, by the file's own structure, which goes before EXIF. */
    bool turned = format == LENS_FORMAT_HEIC || format == LENS_FORMAT_AVIF || format == LENS_FORMAT_JXL;
    *orientation = image && !turned ? lib.vips_image_get_orientation(image) : 1;
    free(to.values);
    unref(image);
    if (result != 0)
        lens_image_free(out);
    return result;
}

/* Appends LINE to WORDS, of 512 bytes, with "; " between two. */
static void add_line(char *words, const char *line, size_t length)
{
    size_t used = strlen(words);
    snprintf(words + used, 512 - used, "%s%.*s", used ? "; " : "", (int)(length < 400 ? length : 400), line);
}

static bool has_one(const char *words, const char *const *signs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(words, signs[i]))
            return true;
    return false;
}

/* The reason out of libvips' messages, one a line with repetitions, and of what was overheard. */
static void take_reason(const uint8_t *bytes, size_t size, lens_format format, lens_error *err)
{
    char words[512] = "";
    const char *last = "";
    size_t last_length = 0;
    if (overheard[0])
        add_line(words, overheard, strcspn(overheard, "\n"));
    for (const char *line = lib.vips_error_buffer(); *line;) {
        size_t length = strcspn(line, "\n");
        if (length && (length != last_length || memcmp(line, last, length) != 0))
            add_line(words, line, length);
        last = line;
        last_length = length;
        line += length + (line[length] == '\n');
    }
    static const char *const signs[] = {"Unexpected end", "end of file",   "Seek error", "Can not read TIFF directory",
                                        "Stream too short", "Premature end", "truncated",  " bytes, expected "};
    /* Legal pictures that libvips, or a library behind it, has no code for: few bits, half floats, a codec that is not there. */
    static const char *const refusals[] = {"not supported",  "nsupported",        "not implemented", "not configured",    "not a whole number of bytes",
                                           "components differ", "samples out of range", "not photometric", "bits per sample"};
    const bool cut = lens_cut_short(format, bytes, size) || has_one(words, signs, sizeof signs / sizeof *signs);
    if (!cut && has_one(words, refusals, sizeof refusals / sizeof *refusals))
        lens_fail(err, LENS_E_UNSUPPORTED, "%s of a kind that is not supported: %s", lens_format_name(format), words);
    else
        lens_fail(err, LENS_E_FORMAT, "%s %s: %s", cut ? "truncated" : "damaged", lens_format_name(format), words[0] ? words : "cannot be decoded");
    lib.vips_error_clear();
}

bool lens_vips_ready(const char **why)
{
    pthread_once(&once, open_library);
    *why = cannot_open;
    return !cannot_open[0];
}

/* As lens_decode_vips; COMPONENTS are a JPEG 2000's. */
static int decode_and_tell(const uint8_t *bytes, size_t size, lens_format format, lens_components components, const lens_decode_limits *limits,
                           lens_image *out, int *orientation, lens_error *err)
{
    *out = (lens_image){0};
    *orientation = 1;
    pthread_once(&once, open_library);
    if (cannot_open[0])
        return lens_fail(err, LENS_E_UNSUPPORTED, "%s needs libvips: %s", lens_format_name(format), cannot_open);
    lens_error own = {0};
    pthread_rwlock_rdlock(&messages);
    int result = decode(bytes, size, format, components, limits, out, orientation, &own);
    pthread_rwlock_unlock(&messages);
    if (result != 0 && own.code == LENS_E_NONE && format == LENS_FORMAT_JXL) {
        /* libjxl gives no reason to its callers. It prints one, to standard error, in Debian's builds, and nothing but
         * taking that away from the whole process would stop it: once is enough. */
        lens_fail(&own, LENS_E_FORMAT, "%s JPEG XL", lens_cut_short(format, bytes, size) ? "truncated" : "damaged or truncated");
    } else if (result != 0 && own.code == LENS_E_NONE) {
        pthread_rwlock_wrlock(&messages);
        lib.vips_error_clear();
        overheard[0] = '\0';
        listening = true;
        result = decode(bytes, size, format, components, limits, out, orientation, &own);
        listening = false;
        if (result != 0 && own.code == LENS_E_NONE)
            take_reason(bytes, size, format, &own);
        pthread_rwlock_unlock(&messages);
    }
    /* Whatever libvips keeps for each thread that called it: ours come and go without its knowledge. */
    lib.vips_thread_shutdown();
    if (result != 0 && err)
        *err = own;
    return result;
}

int lens_decode_vips(const uint8_t *bytes, size_t size, lens_format format, const lens_decode_limits *limits, lens_image *out,
                     int *orientation, lens_error *err)
{
    return decode_and_tell(bytes, size, format, LENS_COMPONENTS_LIGHT, limits, out, orientation, err);
}

int lens_decode_vips_codestream(const uint8_t *bytes, size_t size, lens_components components, const lens_decode_limits *limits, lens_image *out,
                                lens_error *err)
{
    int orientation;
    return decode_and_tell(bytes, size, LENS_FORMAT_JP2, components, limits, out, &orientation, err);
}

void lens_vips_warm(void)
{
    /* libheif has its codecs in files of their own; all others come with libvips' loaders. It is no picture, but libheif gets ready to look at it. */
    static const uint8_t nothing[64];
    const lens_decode_limits limits = lens_decode_limits_default();
    lens_image image;
    int orientation;
    if (lens_decode_vips(nothing, sizeof nothing, LENS_FORMAT_HEIC, &limits, &image, &orientation, NULL) == 0)
        lens_image_free(&image);
}
