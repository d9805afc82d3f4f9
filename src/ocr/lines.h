/* Lines of text: parts that could be letters, side by side, of one height and one tone. */
#ifndef LENS_OCR_LINES_H
#define LENS_OCR_LINES_H

#include "ocr/parts.h"
#include "pixels/image.h"

enum { LENS_OCR_LINES_MOST = 200 };

typedef struct lens_ocr_line {
    int left, top, right, bottom; /* right and bottom are behind it */
    int height;                   /* a usual letter's */
    int tone;                     /* its letters' */
    int letters;
} lens_ocr_line;

typedef struct lens_ocr_lines {
    lens_ocr_line *lines; /* those of many letters first */
    size_t count;         /* at most LENS_OCR_LINES_MOST */
    uint8_t *line_at;     /* [height, width] of the plane: 1 + the line that a pixel belongs to, or 0 */
} lens_ocr_lines;

/* The lines that are written in INK with GROUND around the letters. 0, or -1 with OUT empty. Free with lens_ocr_lines_free. */
int lens_ocr_lines_find(const lens_ocr_plane *ink, const lens_ocr_plane *ground, lens_ocr_lines *out, lens_error *err);
void lens_ocr_lines_free(lens_ocr_lines *lines);

/* Line NUMBER alone, black on white and nothing of what is between its letters: letters of the height that is read best, made STRETCH times
 * as wide. OUT [height, width] is grey; the caller frees. 0 or -1. */
int lens_ocr_line_draw(const lens_ocr_lines *lines, size_t number, const lens_ocr_plane *ink, double stretch, uint8_t **out, int *width,
                       int *height, lens_error *err);

#endif
