/* Any bytes as the grey pixels of a picture with writing in it. The first byte is its width; lines that are found lie within it, and can be drawn. */
#include "fuzzing.h"
#include "ocr/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int width = size ? data[0] : 0;
    if (width < 1 || size - 1 < (size_t)width)
        return 0;
    const int height = (int)((size - 1) / (size_t)width);
    const size_t area = (size_t)width * (size_t)height;
    uint8_t *dark = malloc(area), *light = malloc(area);
    expect(dark && light);
    memcpy(light, data + 1, area);
    for (size_t i = 0; i < area; i++)
        dark[i] = (uint8_t)(255 - light[i]);
    const lens_ocr_plane ink = {width, height, dark}, ground = {width, height, light};
    lens_ocr_lines lines;
    lens_error err = {0};
    expect_done(lens_ocr_lines_find(&ink, &ground, &lines, &err) == 0, &err);
    expect(lines.count <= LENS_OCR_LINES_MOST);
    for (size_t i = 0; i < lines.count; i++) {
        const lens_ocr_line *line = &lines.lines[i];
        expect(line->left >= 0 && line->left < line->right && line->right <= width && line->top >= 0 && line->top < line->bottom && line->bottom <= height);
        uint8_t *drawn;
        int drawn_width, drawn_height;
        if (i < 3 && lens_ocr_line_draw(&lines, i, &ink, i ? 1.3 : 1, &drawn, &drawn_width, &drawn_height, &err) == 0)
            free(drawn);
    }
    lens_ocr_lines_free(&lines);
    free(light);
    free(dark);
    return 0;
}
