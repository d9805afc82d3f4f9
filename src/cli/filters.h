/* What --after and --before say. */
#ifndef LENS_CLI_FILTERS_H
#define LENS_CLI_FILTERS_H

#include <stdbool.h>
#include <stdint.h>

/* The moment at which the year, month or day TEXT begins here, seconds since 1970: 0 for NULL. False after saying on stderr what is wrong. */
bool cli_date(const char *text, int64_t *moment);

#endif
