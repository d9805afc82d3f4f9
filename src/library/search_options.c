/* What a search may be asked for, and the words for it. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "library/internal.h"

static const char *const way_names[LENS_WAYS] = {"look", "text", "meaning"};

lens_search_options lens_search_options_default(void)
{
    return (lens_search_options){.n = 10, .precision = "auto", .min_score = -2, .max_pixels = lens_decode_limits_default().max_pixels};
}

const char *lens_way_name(lens_way way)
{
    return way_names[way];
}

int lens_by_parse(const char *name, int *by, lens_error *err)
{
    *by = LENS_BY_ALL;
    if (strcmp(name, "all") == 0)
        return 0;
    for (int way = 0; way < LENS_WAYS; way++)
        if (strcmp(name, way_names[way]) == 0) {
            *by = 1 << way;
            return 0;
        }
    return lens_fail(err, LENS_E_ARGUMENT, "%s: words find pictures by look, text, meaning or all", name);
}

/* A number at *TEXT, which moves behind it: digits alone. */
static bool pixels(const char **text, int64_t *out)
{
    char *end;
    errno = 0;
    const long long value = strtoll(*text, &end, 10);
    if (end == *text || errno || value < 1 || !isdigit((unsigned char)**text))
        return false;
    *out = value;
    *text = end;
    return true;
}

int lens_size_parse(const char *text, int64_t *least, int64_t *most, lens_error *err)
{
    *least = *most = 0;
    const char *at = text;
    const bool from = strncmp(at, "..", 2) != 0;
    bool right = !from || pixels(&at, least);
    if (right && *at) {
        right = strncmp(at, "..", 2) == 0;
        at += right ? 2 : 0;
        right = right && (*at ? pixels(&at, most) && !*at : from);
    }
    right = right && (!*most || *most >= *least);
    return right ? 0 : lens_fail(err, LENS_E_ARGUMENT, "%s: expected pixels of the longer side: 800.., ..400 or 400..800", text);
}
