#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
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

/* "[####....] TEXT", the bar DONE of TOTAL long. What does not fit in a line is left out: the next one would not be drawn over it. */
static void draw(double done, double total, const char *text)
{
    const int width = terminal_width(), most = width > 1 ? width - 1 : 1;
    const int whole = (int)strlen(text), room = width - whole - 4;
    int length = whole < most ? whole : most;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) /* no half of a letter */
        length--;
    int bar = room > 40 ? 40 : room;
    int full = total > 0 ? (int)((double)bar * (done < total ? done / total : 1)) : 0;
    fputs("\r\x1b[K", stderr);
    if (bar > 4) {
        fputc('[', stderr);
        for (int i = 0; i < bar; i++)
            fputc(i < full ? '#' : '.', stderr);
        fputc(']', stderr);
    }
    fwrite(text, 1, (size_t)length, stderr);
    fflush(stderr);
    drawn = true;
}

static void draw_index(const lens_index_event *event)
{
    double rate = event->seconds > 0 ? (double)event->done / event->seconds : 0;
    char left[32] = "", text[128];
    if (!event->counting && rate > 0) {
        char time[24];
        time_text(time, sizeof time, (double)(event->total - event->done) / rate);
        snprintf(left, sizeof left, "  %s left", time);
    }
    snprintf(text, sizeof text, " %s of %s%s  %.0f/s%s", cli_count_text(event->done), cli_count_text(event->total),
             event->counting ? "+" : "", rate, left);
    draw((double)event->done, (double)event->total, text);
}

static bool on_terminal(void)
{
    const char *term = getenv("TERM");
    return !cli_quiet && isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

bool cli_progress_pull(void *context, const lens_pull_event *event)
{
    static double next, since;
    static uint64_t had;
    (void)context;
    if (event->step) {
        cli_progress_end();
        cli_note("%s", event->step);
    } else if (event->file && event->complete && !on_terminal()) {
        cli_note("%s: %s, %s", event->file, cli_bytes_text((int64_t)event->file_total),
                 event->checked ? "its checksum is right" : "whole; the server gives no checksum to hold it against");
    } else if (event->file && on_terminal() && (lens_seconds() >= next || event->complete)) {
        char text[256], rate[48] = "";
        double now = lens_seconds();
        if (since == 0 || event->done < had) {
            since = now; /* what an earlier run fetched is nothing that this one was fast at */
            had = event->done;
        } else if (now - since > 1) {
            double speed = (double)(event->done - had) / (now - since);
            char time[24];
            time_text(time, sizeof time, speed > 0 && event->total > event->done ? (double)(event->total - event->done) / speed : 0);
            snprintf(rate, sizeof rate, "  %s/s  %s left", cli_bytes_text((int64_t)speed), time);
        }
        snprintf(text, sizeof text, " %s of %s%s  %.40s", cli_bytes_text((int64_t)event->done), cli_bytes_text((int64_t)event->total), rate,
                 event->file);
        draw((double)event->done, (double)event->total, text);
        next = now + 0.1;
    }
    return !cli_interrupted();
}

bool cli_progress_copy(void *context, const lens_copy_event *event)
{
    static double next;
    (void)context;
    if (event->total > 0 && on_terminal() && lens_seconds() >= next) {
        char text[160];
        const double part = (double)event->done / (double)event->total;
        snprintf(text, sizeof text, " %3.0f%%  %.100s", part < 1 ? 100 * part : 100, event->step);
        draw((double)event->done, (double)event->total, text);
        next = lens_seconds() + 0.1;
    }
    return !cli_interrupted();
}

void cli_progress_queries(size_t done, size_t total)
{
    static double next;
    if (done >= total)
        cli_progress_end();
    if (!on_terminal() || lens_seconds() < next || done >= total)
        return;
    char text[64];
    snprintf(text, sizeof text, " %s of %s queries", cli_count_text((int64_t)done), cli_count_text((int64_t)total));
    draw((double)done, (double)total, text);
    next = lens_seconds() + 0.1;
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
    switch (event->kind) {
    case LENS_INDEX_PROGRESS:
        if (event->total > 0 && on_terminal())
            draw_index(event);
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
