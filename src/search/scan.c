#include "search/scan.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "search/dot.h"

/* What a thread should have to do at least, in floats: some 0.2 ms of reading, several times what starting it costs. */
enum { PART_FLOATS = 1 << 20 };

typedef struct part {
    const lens_view *view;
    const float *query;
    const lens_dot_kernels *kernels;
    size_t begin, end; /* rows */
    size_t k;
    float min_score;
    lens_hit *heap; /* [k], the worst on top */
    size_t count;
    pthread_t thread;
    bool started;
} part;

/* A total order, so that the best K are the same however the rows are dealt out. */
static bool better(const lens_hit *a, const lens_hit *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    if (a->id != b->id)
        return a->id < b->id;
    return a->row < b->row;
}

static int compare(const void *a, const void *b)
{
    return better(a, b) ? -1 : better(b, a);
}

static void sift_down(lens_hit *heap, size_t count, lens_hit hit)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && better(&heap[child], &heap[child + 1]))
            child++;
        if (better(&heap[child], &hit))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = hit;
}

static void sift_up(lens_hit *heap, size_t at, lens_hit hit)
{
    while (at > 0 && better(&heap[(at - 1) / 2], &hit)) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = hit;
}

static void offer(part *p, size_t row, float cosine)
{
    if (!(cosine >= p->min_score)) /* nor is a NaN */
        return;
    lens_hit hit = {p->view->ids[row], row, p->view->penalty ? cosine - p->view->penalty[row] : cosine};
    if (p->count < p->k)
        sift_up(p->heap, p->count++, hit);
    else if (better(&hit, &p->heap[0]))
        sift_down(p->heap, p->count, hit);
}

static void *scan_part(void *context)
{
    part *p = context;
    const lens_view *view = p->view;
    for (size_t row = p->begin; row < p->end; row++)
        offer(p, row, p->kernels->one(lens_view_row(view, row), p->query, view->dim));
    return NULL;
}

/* Gives every part its share of the rows and room for its best. 0 or -1. */
static int deal_out(part *parts, size_t count, const part *whole)
{
    size_t rows = whole->view->count;
    for (size_t i = 0; i < count; i++) {
        parts[i] = *whole;
        parts[i].begin = rows / count * i + (i < rows % count ? i : rows % count);
        parts[i].end = parts[i].begin + rows / count + (i < rows % count);
        size_t mine = parts[i].end - parts[i].begin;
        parts[i].k = whole->k < mine ? whole->k : mine;
        parts[i].heap = calloc(parts[i].k + 1, sizeof *parts[i].heap);
        if (!parts[i].heap)
            return -1;
    }
    return 0;
}

static void run(part *parts, size_t count)
{
    for (size_t i = 1; i < count; i++)
        parts[i].started = pthread_create(&parts[i].thread, NULL, scan_part, &parts[i]) == 0;
    scan_part(&parts[0]);
    for (size_t i = 1; i < count; i++) {
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
        else
            scan_part(&parts[i]);
    }
}

/* The best K of all parts to HITS. 0 or -1. */
static int merge(const part *parts, size_t count, size_t k, lens_hit *hits, size_t *found)
{
    size_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += parts[i].count;
    lens_hit *together = calloc(all + 1, sizeof *together);
    if (!together)
        return -1;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(together + at, parts[i].heap, parts[i].count * sizeof *together);
        at += parts[i].count;
    }
    qsort(together, all, sizeof *together, compare);
    *found = all < k ? all : k;
    if (*found > 0)
        memcpy(hits, together, *found * sizeof *hits);
    free(together);
    return 0;
}

int lens_scan(const lens_view *view, const float *query, size_t k, float min_score, int threads, lens_hit *hits,
              size_t *found, lens_error *err)
{
    *found = 0;
    if (view->dim < 1 || view->count > SIZE_MAX / sizeof(lens_hit) / 2)
        return lens_fail(err, LENS_E_ARGUMENT, "a view of %zu rows of %d numbers cannot be searched", view->count, view->dim);
    if (view->count == 0 || k == 0)
        return 0;
    size_t count = threads > 1 ? (size_t)threads : 1, enough = view->count / (PART_FLOATS / (size_t)view->dim + 1) + 1;
    count = count < enough ? count : enough;
    part whole = {.view = view, .query = query, .kernels = lens_dot_best(), .k = k, .min_score = min_score};
    part *parts = calloc(count, sizeof *parts);
    int result = parts ? deal_out(parts, count, &whole) : -1;
    if (result == 0) {
        run(parts, count);
        result = merge(parts, count, k, hits, found);
    }
    for (size_t i = 0; parts && i < count; i++)
        free(parts[i].heap);
    free(parts);
    return result == 0 ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory to search %zu rows", view->count);
}
