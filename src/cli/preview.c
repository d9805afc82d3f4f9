#include "cli/preview.h"

#include <chafa.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/say.h"

extern char **environ;

enum { COLUMNS = 36, ROWS = 14, SIDE = 320 };

/* Pixels of one character cell, as far as the terminal tells. */
static void cell_size(int *width, int *height)
{
    struct winsize size;
    *width = 8;
    *height = 16;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row && size.ws_xpixel >= size.ws_col && size.ws_ypixel >= size.ws_row) {
        *width = size.ws_xpixel / size.ws_col;
        *height = size.ws_ypixel / size.ws_row;
    }
}

static void draw(const unsigned char *rgb, int width, int height)
{
    ChafaTermDb *database = chafa_term_db_get_default();
    ChafaTermInfo *terminal = chafa_term_db_detect(database, environ);
    ChafaCanvasConfig *config = chafa_canvas_config_new();
    ChafaSymbolMap *symbols = chafa_symbol_map_new();
    int columns = COLUMNS, rows = ROWS, cell_width, cell_height;
    cell_size(&cell_width, &cell_height);
    chafa_symbol_map_add_by_tags(symbols, CHAFA_SYMBOL_TAG_BLOCK | CHAFA_SYMBOL_TAG_SPACE);
    chafa_canvas_config_set_symbol_map(config, symbols);
    chafa_calc_canvas_geometry(width, height, &columns, &rows, (float)cell_width / (float)cell_height, FALSE, FALSE);
    chafa_canvas_config_set_geometry(config, columns, rows);
    chafa_canvas_config_set_cell_geometry(config, cell_width, cell_height);
    const char *no_color = getenv("NO_COLOR");
    ChafaPixelMode mode = CHAFA_PIXEL_MODE_SYMBOLS;
    ChafaCanvasMode colours = CHAFA_CANVAS_MODE_INDEXED_240;
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_BEGIN_KITTY_IMMEDIATE_IMAGE_V1))
        mode = CHAFA_PIXEL_MODE_KITTY;
    else if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_BEGIN_SIXELS))
        mode = CHAFA_PIXEL_MODE_SIXELS;
    else if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_BEGIN_ITERM2_IMAGE))
        mode = CHAFA_PIXEL_MODE_ITERM2;
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_SET_COLOR_FGBG_DIRECT))
        colours = CHAFA_CANVAS_MODE_TRUECOLOR;
    if (no_color && *no_color) {
        mode = CHAFA_PIXEL_MODE_SYMBOLS;
        colours = CHAFA_CANVAS_MODE_FGBG;
    }
    chafa_canvas_config_set_pixel_mode(config, mode);
    chafa_canvas_config_set_canvas_mode(config, colours);
    ChafaCanvas *canvas = chafa_canvas_new(config);
    chafa_canvas_draw_all_pixels(canvas, CHAFA_PIXEL_RGB8, rgb, width, height, width * 3);
    GString *text = chafa_canvas_print(canvas, terminal);
    fwrite(text->str, 1, text->len, stdout);
    putchar('\n');
    g_string_free(text, TRUE);
    chafa_canvas_unref(canvas);
    chafa_symbol_map_unref(symbols);
    chafa_canvas_config_unref(config);
    chafa_term_info_unref(terminal);
}

bool cli_can_preview(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

void cli_preview(const char *path)
{
    int width, height;
    unsigned char *rgb = lens_thumbnail(path, SIDE, 0, &width, &height, NULL);
    if (rgb)
        draw(rgb, width, height);
    free(rgb);
}

int cli_open_viewer(const char *path)
{
    char *argv[] = {"xdg-open", (char *)path, NULL};
    pid_t child = 0;
    int status = 0;
    if (!lens_viewer_sees_picture(path)) /* it is a picture by its content, and may be a program as well: a GIF with a jar behind it */
        return cli_fail("--open: %s is not called as a picture is, and the desktop goes by names: it is not opened", path), -1;
    posix_spawn_file_actions_t actions; /* it tells at length of every viewer that it did not find */
    int errnum = posix_spawn_file_actions_init(&actions);
    if (errnum == 0) {
        errnum = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        if (errnum == 0)
            errnum = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    if (errnum != 0)
        return cli_fail("--open: xdg-open: %s (package xdg-utils)", strerror(errnum)), -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return cli_fail("--open: xdg-open could not show %s", path), -1;
    return 0;
}
