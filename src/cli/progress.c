#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/say.h"

static bool drawn;

static int terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void time_text(char *out, size_t size, double seconds)
{
    long whole = (long)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(out, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(out, size, "%ld:%02ld", whole / 60, whole % 60);
}

static void draw(const lens_index_event *event)
{
    double rate = event->seconds > 0 ? (double)event->done / event->seconds : 0;
    char left[32] = "", text[128];
    if (!event->counting && rate > 0) {
        char time[24];
        time_text(time, sizeof time, (double)(event->total - event->done) / rate);
        snprintf(left, sizeof left, "  %s left", time);
    }
    int length = snprintf(text, sizeof text, " %s of %s%s  %.0f/s%s", cli_count_text(event->done), cli_count_text(event->total),
                          event->counting ? "+" : "", rate, left);
    int room = terminal_width() - length - 4;
    int bar = room > 40 ? 40 : room;
    int full = event->total > 0 ? (int)((double)bar * (double)event->done / (double)event->total) : 0;
    fputs("\r\x1b[K", stderr);
    if (bar > 4) {
        fputc('[', stderr);
        for (int i = 0; i < bar; i++)
            fputc(i < full ? '#' : '.', stderr);
        fputc(']', stderr);
    }
    fputs(text, stderr);
    fflush(stderr);
    drawn = true;
}

void cli_progress_end(void)
{
    if (drawn)
        fputs("\r\x1b[K", stderr);
    drawn = false;
}

bool cli_progress_event(void *context, const lens_index_event *event)
{
    (void)context;
    const char *term = getenv("TERM");
    bool bar = !cli_quiet && isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
    switch (event->kind) {
    case LENS_INDEX_PROGRESS:
        if (bar && event->total > 0)
            draw(event);
        break;
    case LENS_INDEX_FAILED:
        cli_progress_end();
        cli_fail("%s: %s", event->path, event->reason);
        break;
    case LENS_INDEX_NOTE:
        cli_progress_end();
        if (event->path)
            cli_note("memelens: %s: %s", event->path, event->reason);
        else
            cli_note("memelens: %s", event->reason);
        break;
    }
    return !cli_interrupted();
}
