#include "base/date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

bool lens_date_read(const char *text, bool local, int64_t *seconds)
{
    int year = 0, month = 1, day = 1, length = 0;
    /* sscanf passes blanks and signs by. */
    const bool plain = strspn(text, "0123456789") == 4 && strspn(text, "0123456789-") == strlen(text) && !strstr(text, "--");
    if (!plain || sscanf(text, "%4d%n-%2d%n-%2d%n", &year, &length, &month, &length, &day, &length) < 1 || text[length] || year < 1)
        return false;
    struct tm asked = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_isdst = local ? -1 : 0};
    const int64_t found = (int64_t)(local ? mktime(&asked) : timegm(&asked)); /* which turn the 31st of February into the 3rd of March */
    if (asked.tm_mon != month - 1 || asked.tm_mday != day)
        return false;
    *seconds = found ? found : -1; /* files out of archives are often of that very second: they are on its side */
    return true;
}

void lens_date_write(int64_t seconds, char out[LENS_DATE_SIZE])
{
    const time_t moment = (time_t)seconds;
    struct tm utc;
    if (!gmtime_r(&moment, &utc) || strftime(out, LENS_DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        *out = '\0';
}
