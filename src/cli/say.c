#include "cli/say.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/text.h"

bool cli_quiet;

static void say(const char *prefix, const char *format, va_list args)
{
    char message[8192]; /* a path of 4,096 bytes and a reason of 1,024 */
    vsnprintf(message, sizeof message, format, args);
    lens_buffer clean = {0};
    bool ok = lens_text_printable(message, strlen(message), &clean) == 0;
    fprintf(stderr, "%s%s\n", prefix, ok && clean.data ? clean.data : message);
    lens_buffer_free(&clean);
}

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("memelens: ", format, args);
    va_end(args);
    return CLI_ERROR;
}

int cli_fail_with(const lens_error *error)
{
    return cli_fail("%s", error->message);
}

void cli_note(const char *format, ...)
{
    if (cli_quiet)
        return;
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
}

static bool json_lost;

/* TEXT, which is JSON, as a line of stdout. Jansson leaves U+007F to U+009F as they are, and a terminal may take them for commands; they stand in strings
 * alone, where a number means the same. */
static void put_json(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text, *from = at;; at++) {
        const bool two = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0;
        if (*at && *at != 0x7f && !two)
            continue;
        fwrite(from, 1, (size_t)(at - from), stdout);
        if (!*at)
            break;
        printf("\\u%04x", two ? at[1] : at[0]);
        at += two;
        from = at + 1;
    }
    putchar('\n');
}

void cli_json(json_t *object)
{
    /* Nine digits carry a 32-bit float there and back. */
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_lost |= !text;
    if (text)
        put_json(text);
    free(text);
    json_decref(object);
}

void cli_put_path(const char *path)
{
    lens_buffer clean = {0};
    if (isatty(STDOUT_FILENO) && lens_text_printable(path, strlen(path), &clean) == 0 && clean.data)
        path = clean.data;
    fputs(path, stdout);
    lens_buffer_free(&clean);
}

static char *next_text(void)
{
    static char texts[8][32];
    static unsigned next;
    return texts[next++ % 8];
}

const char *cli_count_text(int64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, count);
    char *text = next_text(), *at = text;
    for (int i = 0; i < length; i++) {
        *at++ = digits[i];
        int left = length - 1 - i;
        if (left && left % 3 == 0 && digits[i] != '-')
            *at++ = ',';
    }
    *at = '\0';
    return text;
}

const char *cli_bytes_text(int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    char *text = next_text();
    snprintf(text, 32, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

int cli_finish(int status)
{
    if (json_lost)
        return cli_fail("not all results could be written as JSON: not enough memory");
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_fail("the results could not be written: %s", strerror(errno));
    return status;
}

int cli_spare(const char *output, const char *input)
{
    struct stat out, in;
    if (!output || !input || lens_file_look(output, &out, NULL) != 0 || lens_file_look(input, &in, NULL) != 0 || out.st_dev != in.st_dev || out.st_ino != in.st_ino)
        return CLI_DONE;
    return cli_fail("--output %s: that is %s itself, and would be lost", output, input);
}
