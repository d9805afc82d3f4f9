#include "ocr/parts.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/list.h"

enum {
    INK_LEAST = 200,    /* white is hardly ever less, once a picture was a JPEG */
    GROUND_LEAST = 100, /* an outline of two pixels is never black, once it was */
    FRAME_REACH = 3     /* an edge is blurred for so many pixels */
};

/* The tree's root that run I belongs to, shortening the way for the next time. */
static int root_of(lens_ocr_run *runs, int i)
{
    while (runs[i].part != i)
        i = runs[i].part = runs[runs[i].part].part;
    return i;
}

/* Joins the runs FIRST to END of a row with those of the row above, ABOVE to FIRST, that they touch, corners too. */
static void join_rows(lens_ocr_run *runs, int above, int first, int end)
{
    for (int i = first; i < end; i++) {
        while (above < first && runs[above].right < runs[i].left)
            above++;
        for (int k = above; k < first && runs[k].left <= runs[i].right; k++) {
            int a = root_of(runs, k), b = root_of(runs, i);
            runs[a > b ? a : b].part = a < b ? a : b;
        }
    }
}

/* Fills the runs of OUT; the part of each is a run of it that comes no later. 0, or -1 when memory is short. */
static int find_runs(const lens_ocr_plane *ink, lens_ocr_parts *out)
{
    size_t capacity = 0, above = 0;
    for (int y = 0; y < ink->height; y++) {
        const uint8_t *row = ink->at + (size_t)y * (size_t)ink->width;
        size_t first = out->run_count;
        for (int x = 0; x < ink->width; x++) {
            if (row[x] < INK_LEAST)
                continue;
            lens_ocr_run *runs = lens_list_room(out->runs, out->run_count, &capacity, sizeof *runs);
            if (!runs)
                return -1;
            out->runs = runs;
            int left = x;
            while (x < ink->width && row[x] >= INK_LEAST)
                x++;
            out->runs[out->run_count] = (lens_ocr_run){y, left, x, (int)out->run_count};
            out->run_count++;
        }
        join_rows(out->runs, (int)above, (int)first, (int)out->run_count);
        above = first;
    }
    return 0;
}

/* Which pixels have GROUND within FRAME_REACH. The caller frees. NULL when memory is short. */
static uint8_t *near_ground(const lens_ocr_plane *ground)
{
    size_t width = (size_t)ground->width, height = (size_t)ground->height;
    uint8_t *across = calloc(width * height, 1), *near = calloc(width * height, 1);
    for (size_t y = 0; across && near && y < height; y++) {
        const uint8_t *row = ground->at + y * width;
        int until = -1; /* where the last ground ceases to be near, FRAME_REACH further to the right */
        for (int x = 0; x < ground->width + FRAME_REACH; x++) {
            if (x < ground->width && row[x] >= GROUND_LEAST)
                until = x + 2 * FRAME_REACH;
            if (x >= FRAME_REACH && x <= until)
                across[y * width + (size_t)(x - FRAME_REACH)] = 1;
        }
    }
    for (int y = 0; across && near && y < ground->height; y++)
        for (int from = y - FRAME_REACH; from <= y + FRAME_REACH; from++)
            for (size_t x = 0; from >= 0 && from < ground->height && x < width; x++)
                near[(size_t)y * width + x] |= across[(size_t)from * width + x];
    bool made = across && near;
    free(across);
    if (!made)
        free(near);
    return made ? near : NULL;
}

/* What is summed up of a part while its runs go by. */
typedef struct sums {
    int64_t inner_tone;
    int edge, framed, most;
} sums;

static void add_run(const lens_ocr_run *run, const lens_ocr_plane *ink, const uint8_t *near, lens_ocr_part *part, sums *sum)
{
    if (part->area == 0)
        *part = (lens_ocr_part){.left = run->left, .top = run->y, .right = run->right};
    part->left = run->left < part->left ? run->left : part->left;
    part->right = run->right > part->right ? run->right : part->right;
    part->bottom = run->y + 1;
    part->area += run->right - run->left;
    const uint8_t *row = ink->at + (size_t)run->y * (size_t)ink->width;
    bool outer = run->y == 0 || run->y == ink->height - 1;
    for (int x = run->left; x < run->right; x++) {
        if (row[x] > sum->most)
            sum->most = row[x];
        if (outer || x == run->left || x == run->right - 1 || row[x - ink->width] < INK_LEAST || row[x + ink->width] < INK_LEAST) {
            sum->edge++;
            sum->framed += near[(size_t)run->y * (size_t)ink->width + (size_t)x];
        } else {
            sum->inner_tone += row[x];
        }
    }
}

/* Numbers the parts, and gathers what is known of each. 0, or -1 when memory is short. */
static int gather(const lens_ocr_plane *ink, const uint8_t *near, lens_ocr_parts *out)
{
    for (size_t i = 0; i < out->run_count; i++)
        out->count += out->runs[i].part == (int)i;
    out->parts = calloc(out->count + 1, sizeof *out->parts);
    sums *all = calloc(out->count + 1, sizeof *all);
    if (!out->parts || !all) {
        free(all);
        return -1;
    }
    int next = 0;
    for (size_t i = 0; i < out->run_count; i++) {
        lens_ocr_run *run = &out->runs[i];
        /* What a run points to comes before it and so has its number already. */
        run->part = run->part == (int)i ? next++ : out->runs[run->part].part;
        add_run(run, ink, near, &out->parts[run->part], &all[run->part]);
    }
    for (size_t i = 0; i < out->count; i++) {
        int inner = out->parts[i].area - all[i].edge;
        out->parts[i].tone = inner > 3 ? (int)(all[i].inner_tone / inner) : all[i].most;
        out->parts[i].framed = (float)all[i].framed / (float)all[i].edge;
    }
    free(all);
    return 0;
}

int lens_ocr_parts_find(const lens_ocr_plane *ink, const lens_ocr_plane *ground, lens_ocr_parts *out, lens_error *err)
{
    *out = (lens_ocr_parts){0};
    uint8_t *near = near_ground(ground);
    int result = near && find_runs(ink, out) == 0 ? gather(ink, near, out) : -1;
    free(near);
    if (result != 0) {
        lens_ocr_parts_free(out);
        return lens_fail(err, LENS_E_MEMORY, "not enough memory to look for text in %d x %d pixels", ink->width, ink->height);
    }
    return 0;
}

void lens_ocr_parts_free(lens_ocr_parts *parts)
{
    free(parts->parts);
    free(parts->runs);
    *parts = (lens_ocr_parts){0};
}
