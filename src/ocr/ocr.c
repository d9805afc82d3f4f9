#include "ocr/ocr.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ocr/engine.h"
#include "pixels/resample.h"

/* Raised when other text comes out of the same picture. */
enum { PREPARATION = 1 };

struct lens_reader {
    lens_ocr_engine *engine;
    char version[256];
};

lens_reader *lens_reader_open(const char *languages, lens_error *err)
{
    lens_ocr_engine *engine = lens_ocr_engine_open(languages, err);
    lens_reader *reader = engine ? calloc(1, sizeof *reader) : NULL;
    if (!reader) {
        if (engine)
            lens_fail(err, LENS_E_MEMORY, "not enough memory for a reader");
        lens_ocr_engine_free(engine);
        return NULL;
    }
    reader->engine = engine;
    snprintf(reader->version, sizeof reader->version, "tesseract %s %s %d", lens_ocr_engine_version(), languages, PREPARATION);
    return reader;
}

void lens_reader_free(lens_reader *reader)
{
    if (!reader)
        return;
    lens_ocr_engine_free(reader->engine);
    free(reader);
}

const char *lens_reader_version(const lens_reader *reader)
{
    return reader->version;
}

int lens_reader_read(lens_reader *reader, const lens_image *image, lens_buffer *text, float *confidence, lens_error *err)
{
    double scale = fmin(2, sqrt(1.5e6 / ((double)image->width * image->height)));
    scale = fmin(scale, 4000.0 / fmax(image->width, image->height));
    int width = (int)fmax(1, image->width * scale + 0.5), height = (int)fmax(1, image->height * scale + 0.5);
    lens_image sized;
    if (lens_resample(image, width, height, (lens_window){0, 0, width, height}, LENS_FILTER_BICUBIC, &sized, err) != 0)
        return -1;
    uint8_t *grey = sized.rgb; /* in place */
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++) {
        const uint8_t *p = sized.rgb + 3 * i;
        grey[i] = p[0] > 235 && p[1] > 235 && p[2] > 235 ? 0 : 255;
    }
    lens_ocr_words words = {0};
    int result = lens_ocr_engine_read(reader->engine, grey, width, height, LENS_OCR_SPARSE, &words, err);
    lens_image_free(&sized);
    float sum = 0, sure = 0;
    const char *before = "";
    for (size_t i = 0; i < words.count && result == 0; i++) {
        if (words.words[i].confidence >= 0.3f) {
            if (lens_buffer_print(text, "%s%s", before, words.words[i].text) != 0)
                result = lens_fail(err, LENS_E_MEMORY, "not enough memory for the text of a picture");
            sum += words.words[i].confidence;
            sure++;
            before = " ";
        }
        if (words.words[i].ends_line && *before)
            before = "\n";
    }
    if (confidence)
        *confidence = sure ? sum / sure : 0;
    lens_ocr_words_free(&words);
    return result;
}
