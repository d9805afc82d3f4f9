#include "cli/filters.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/say.h"

bool cli_date(const char *text, int64_t *moment)
{
    *moment = 0;
    if (!text)
        return true;
    int year = 0, month = 1, day = 1, length = 0;
    /* sscanf passes blanks and signs by. */
    const bool plain = strspn(text, "0123456789-") == strlen(text) && !strstr(text, "--");
    const int parts = !plain ? 0 : sscanf(text, "%4d%n-%2d%n-%2d%n", &year, &length, &month, &length, &day, &length);
    struct tm asked = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_isdst = -1};
    const time_t seconds = mktime(&asked); /* which turns the 31st of February into the 3rd of March */
    if (parts >= 1 && !text[length] && year >= 1900 && seconds != (time_t)-1 && asked.tm_mon == month - 1 && asked.tm_mday == day) {
        *moment = (int64_t)seconds ? (int64_t)seconds : 1;
        return true;
    }
    cli_fail("%s: expected a date: 2024, 2024-05 or 2024-05-17", text);
    return false;
}
