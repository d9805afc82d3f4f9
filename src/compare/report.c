/* The report: one page with everything in it. What it looks like is in report/; here its data are put in. */
#include <stdlib.h>
#include <string.h>

#include "base/built_in.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "compare/compare.h"

/* The page, its style and its program, built in. */
LENS_BUILT_IN(lens_report_html, "src/compare/report/report.html")
LENS_BUILT_IN(lens_report_css, "src/compare/report/report.css")
LENS_BUILT_IN(lens_report_js, "src/compare/report/report.js")

enum { QUALITY = 78 };

/* The longer side of the pictures, so that the page stays of a size that a browser likes. */
static int side_for(size_t count)
{
    return count <= 1500 ? 320 : count <= 6000 ? 200 : 120;
}

/* The path of PICTURE, as bytes, or NULL; what is not UTF-8 is left without its picture. */
static const char *path_of(const json_t *picture)
{
    return json_string_value(json_object_get(picture, "path"));
}

/* Adds the picture itself to PICTURE; one that cannot be read any more is shown by its name alone. */
static int add_data(json_t *picture, int side, lens_error *err)
{
    int width, height, result = 0;
    void *bytes = NULL;
    size_t size = 0;
    uint8_t *rgb = path_of(picture) ? lens_thumbnail(path_of(picture), side, 0, &width, &height, NULL) : NULL;
    if (!rgb)
        return 0;
    if (lens_jpeg(rgb, width, height, QUALITY, &bytes, &size, err) != 0)
        result = -1;
    else if (json_object_set_new(picture, "data", lens_json_data("image/jpeg", bytes, size)) != 0)
        result = lens_fail_memory(err);
    if (result == 0) {
        json_object_set_new(picture, "width", json_integer(width));
        json_object_set_new(picture, "height", json_integer(height));
    }
    free(bytes);
    free(rgb);
    return result;
}

/* The data, so that nothing in them ends the element that they are in. */
static int put_data(const json_t *data, lens_buffer *out)
{
    char *text = json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(7));
    int result = text ? 0 : -1;
    for (const char *at = text; result == 0 && *at;) {
        const size_t plain = strcspn(at, "<");
        result = lens_buffer_append(out, at, plain);
        at += plain;
        if (result == 0 && *at == '<') {
            result = lens_buffer_append(out, "\\u003c", 6);
            at++;
        }
    }
    free(text);
    return result;
}

/* The page with what belongs in place of its three marks. */
static int put_page(const json_t *data, lens_buffer *out)
{
    static const char *const marks[] = {"{{style}}", "{{data}}", "{{script}}"};
    const char *at = lens_report_html_begin;
    for (int i = 0; i < 3; i++) {
        const char *mark = strstr(at, marks[i]);
        if (!mark || lens_buffer_append(out, at, (size_t)(mark - at)) != 0)
            return -1;
        int result = i == 0   ? lens_buffer_append(out, lens_report_css_begin, (size_t)(lens_report_css_end - lens_report_css_begin))
                     : i == 1 ? put_data(data, out)
                              : lens_buffer_append(out, lens_report_js_begin, (size_t)(lens_report_js_end - lens_report_js_begin));
        if (result != 0)
            return -1;
        at = mark + strlen(marks[i]);
    }
    return lens_buffer_append(out, at, strlen(at));
}

int lens_compare_report(const json_t *found, const char *path, lens_error *err)
{
    json_t *data = json_copy((json_t *)found), *thumbs = json_deep_copy(json_object_get(found, "thumbs"));
    size_t i;
    json_t *picture;
    int result = data && thumbs ? 0 : lens_fail_memory(err);
    json_array_foreach(thumbs, i, picture) {
        if (result == 0)
            result = add_data(picture, side_for(json_array_size(thumbs)), err);
    }
    json_object_set(data, "thumbs", thumbs);
    lens_buffer page = {0};
    if (result == 0 && put_page(data, &page) != 0)
        result = lens_fail_memory(err);
    if (result == 0)
        result = lens_file_give(path, page.data, page.size, err);
    lens_buffer_free(&page);
    json_decref(thumbs);
    json_decref(data);
    return result;
}
