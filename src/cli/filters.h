/* What --size, --after and --before say. */
#ifndef LENS_CLI_FILTERS_H
#define LENS_CLI_FILTERS_H

#include <stdbool.h>
#include <stdint.h>

/* "800..", "..400", "400..800" or "800" (at least) -> pixels, 0 for no bound. False after saying on stderr what is wrong; NULL is no bound. */
bool cli_size_range(const char *text, int64_t *least, int64_t *most);

/* The moment at which the year, month or day TEXT begins here, seconds since 1970: 0 for NULL. */
bool cli_date(const char *text, int64_t *moment);

#endif
