/* Dates as people and JSON write them (ISO 8601), of the Gregorian calendar. */
#ifndef LENS_BASE_DATE_H
#define LENS_BASE_DATE_H

#include <stdbool.h>
#include <stdint.h>

enum { LENS_DATE_SIZE = 32 };

/* The moment at which the day, month or year TEXT begins, "2024-05-17", "2024-05" or "2024", as seconds since 1970; never 0, which means "none" to those
 * who ask: a second earlier then. LOCAL: in the zone of this machine, and behind the hour that is left out where clocks go forward at midnight; else in
 * UTC. False: there is no such date. */
bool lens_date_read(const char *text, bool local, int64_t *seconds);

/* SECONDS since 1970 as "2024-05-17T08:30:00Z"; "" when no calendar reaches there. */
void lens_date_write(int64_t seconds, char out[LENS_DATE_SIZE]);

#endif
