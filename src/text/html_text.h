/* Character references of HTML, as Python's html.unescape resolves them. */
#ifndef LENS_TEXT_HTML_TEXT_H
#define LENS_TEXT_HTML_TEXT_H

#include "text/unicode_text.h"

/* Resolves every reference of POINTS once. 0, or -1 when memory is short. */
int lens_html_unescape(lens_points *points);

/* What the name [LENGTH] ("amp", without "&" and ";") stands for: up to two code points. BARE: only names that may do without the
 * semicolon. Their count, or 0. */
int lens_html_entity(const char *name, size_t length, bool bare, int32_t points[2]);

/* The character of the number in "&#NUMBER;": *POINT, and 1; 0 when it stands for nothing. */
int lens_html_number(uint32_t number, int32_t *point);

/* The names of HTML 5, in the order of their bytes, made by tools/html_entities.py: "Aacute!C1 Abreve=102 …": "!" instead of "=" marks a name that may
 * do without the semicolon; a second code point follows "+". Blanks separate the entries. */
extern const char lens_html_entities[];
extern const size_t lens_html_entities_size;

#endif
