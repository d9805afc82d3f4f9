#include "search/scan_bytes.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "search/dot_bytes.h"

enum { RUN = 64, ZERO = 128 };
/* A thread should have so many bytes at least: half a millisecond of reading. Starting it costs a tenth of that when a processor is idle, and more when
 * none is: a server whose workers are all busy answers 5 % more queries when small libraries are not shared out. */
enum { LEAST_BYTES = 1 << 24 };

size_t lens_code_size(int dim)
{
    return ((size_t)dim + RUN - 1) / RUN * RUN;
}

static double length(const float *numbers, int dim)
{
    double squares = 0;
    for (int i = 0; i < dim; i++)
        squares += (double)numbers[i] * (double)numbers[i];
    return sqrt(squares);
}

static float largest(const float *row, int dim)
{
    float most = 0;
    for (int i = 0; i < dim; i++)
        if (!(fabsf(row[i]) <= most))
            most = fabsf(row[i]); /* a NaN too, and then for good */
    return most;
}

void lens_code_row(const float *row, int dim, uint8_t *code, lens_row_bounds *bounds)
{
    const float most = largest(row, dim), step = most / 127;
    memset(code, ZERO, lens_code_size(dim));
    *bounds = (lens_row_bounds){0};
    if (!isfinite(most) || (most > 0 && !isnormal(step))) {
        bounds->error = INFINITY;
        return;
    }
    double lost = 0, kept = 0;
    for (int i = 0; i < dim && most > 0; i++) {
        const int whole = (int)lrintf(row[i] / step);
        const double value = (double)whole * (double)step, difference = (double)row[i] - value;
        code[i] = (uint8_t)(whole + ZERO);
        lost += difference * difference;
        kept += value * value;
    }
    bounds->step = step;
    bounds->error = (float)(sqrt(lost) * (1 + 1e-6));
    bounds->norm = (float)(sqrt(kept) * (1 + 1e-6));
}

int32_t lens_code_query(const float *query, int dim, int8_t *code, lens_row_bounds *bounds)
{
    const size_t size = lens_code_size(dim);
    uint8_t *unsigned_code = (uint8_t *)code;
    lens_code_row(query, dim, unsigned_code, bounds);
    int32_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        code[i] = (int8_t)((int)unsigned_code[i] - ZERO);
        sum += code[i];
    }
    return ZERO * sum;
}

/* The query in bytes, and what its rounding can cost: |q . v - q' . v'| <= |q| |v - v'| + |q - q'| |v'|, Cauchy and Schwarz twice. */
struct question {
    int8_t *code;
    lens_row_bounds bounds;
    double norm;
    double rounding; /* of a dot product in floats, at most, of vectors of length 1 */
    int32_t zeros;   /* what the rows' zeros come to */
};

static int question_make(const float *query, int dim, struct question *question)
{
    question->code = aligned_alloc(RUN, lens_code_size(dim));
    if (!question->code)
        return -1;
    question->zeros = lens_code_query(query, dim, question->code, &question->bounds);
    question->norm = length(query, dim);
    question->rounding = (double)dim * 6e-8 + 1e-6;
    return 0;
}

struct part {
    const lens_view *view;
    const lens_bytes_view *bytes;
    const struct question *question;
    const float *query;
    lens_dot_bytes *dot;
    size_t begin, end, k;
    float *above; /* [view->count]: what each row's score cannot be above */
    float *least; /* [k] of this part's rows: the largest of what scores cannot be below; the smallest on top */
    size_t count;
    pthread_t thread;
    bool started;
};

/* Keeps the K largest. */
static void keep(struct part *p, float value)
{
    size_t at = 0;
    if (p->count < p->k) {
        for (at = p->count++; at > 0 && p->least[(at - 1) / 2] > value; at = (at - 1) / 2)
            p->least[at] = p->least[(at - 1) / 2];
        p->least[at] = value;
        return;
    }
    if (!(value > p->least[0]))
        return;
    for (size_t child; (child = 2 * at + 1) < p->count; at = child) {
        if (child + 1 < p->count && p->least[child + 1] < p->least[child])
            child++;
        if (p->least[child] >= value)
            break;
        p->least[at] = p->least[child];
    }
    p->least[at] = value;
}

static void *look(void *context)
{
    struct part *p = context;
    const lens_view *view = p->view;
    const struct question *question = p->question;
    const size_t size = lens_code_size(view->dim);
    for (size_t row = p->begin; row < p->end; row++) {
        const size_t slot = view->slots ? view->slots[row] : row;
        if (slot >= p->bytes->count) {
            const float exact = lens_dot(lens_view_row(view, row), p->query, view->dim);
            p->above[row] = exact;
            if (!isnan(exact))
                keep(p, exact);
            continue;
        }
        const lens_row_bounds *bounds = &p->bytes->bounds[slot];
        const int32_t sum = p->dot(p->bytes->codes + slot * size, question->code, size) - question->zeros;
        const double near = (double)sum * (double)bounds->step * (double)question->bounds.step;
        const double norm = (double)bounds->norm + (double)bounds->error;
        const double off = question->norm * ((double)bounds->error + norm * question->rounding) +
                           (double)question->bounds.error * (double)bounds->norm;
        p->above[row] = (float)(near + off) + 1e-6f;
        if (isfinite(off))
            keep(p, (float)(near - off) - 1e-6f);
    }
    return NULL;
}

/* Deals the rows out and looks at them all. 0 or -1. */
static int look_all(struct part *parts, size_t count, const struct part *whole)
{
    const size_t rows = whole->view->count;
    int result = 0;
    for (size_t i = 0; i < count; i++) {
        parts[i] = *whole;
        parts[i].begin = rows / count * i;
        parts[i].end = i + 1 < count ? rows / count * (i + 1) : rows;
        parts[i].least = malloc((whole->k + 1) * sizeof *parts[i].least);
        if (!parts[i].least)
            result = -1;
    }
    for (size_t i = 1; result == 0 && i < count; i++)
        parts[i].started = pthread_create(&parts[i].thread, NULL, look, &parts[i]) == 0;
    if (result == 0)
        look(&parts[0]);
    for (size_t i = 1; result == 0 && i < count; i++) {
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
        else
            look(&parts[i]);
    }
    return result;
}

/* What the K-th best score of all parts cannot be below: no other row that cannot reach it is among the best. */
static float threshold(struct part *parts, size_t count)
{
    struct part all = {.k = parts[0].k, .least = parts[0].least, .count = parts[0].count};
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < parts[i].count; j++)
            keep(&all, parts[i].least[j]);
    return all.count == all.k ? all.least[0] : -INFINITY;
}

/* The rows of VIEW that can reach LEAST, compared as lens_scan does it. 0 or -1. */
static int compare(const lens_view *view, const float *above, float least, const float *query, size_t k, float min_score, int threads,
                   lens_hit *hits, size_t *found, size_t *compared, lens_error *err)
{
    size_t count = 0;
    for (size_t row = 0; row < view->count; row++)
        count += !(above[row] < least);
    uint32_t *slots = malloc((count + 1) * sizeof *slots);
    int64_t *ids = malloc((count + 1) * sizeof *ids);
    size_t *rows = malloc((count + 1) * sizeof *rows);
    int result = slots && ids && rows ? 0 : lens_fail(err, LENS_E_MEMORY, "not enough memory to search %zu rows", view->count);
    size_t at = 0;
    for (size_t row = 0; result == 0 && row < view->count; row++) {
        if (above[row] < least)
            continue;
        slots[at] = view->slots ? view->slots[row] : (uint32_t)row;
        ids[at] = view->ids[row];
        rows[at++] = row;
    }
    const lens_view few = {view->data, slots, ids, count, view->dim, NULL};
    if (result == 0)
        result = lens_scan(&few, query, k, min_score, threads, hits, found, err);
    for (size_t i = 0; result == 0 && i < *found; i++)
        hits[i].row = rows[hits[i].row];
    if (compared)
        *compared = count;
    free(slots);
    free(ids);
    free(rows);
    return result;
}

int lens_scan_bytes(const lens_view *view, const lens_bytes_view *bytes, const float *query, size_t k, float min_score, int threads,
                    lens_hit *hits, size_t *found, size_t *compared, lens_error *err)
{
    if (view->count == 0 || k == 0 || view->dim < 1 || view->dim > LENS_DOT_BYTES_MOST || bytes->count == 0 || view->count > UINT32_MAX ||
        view->penalty) {
        if (compared)
            *compared = view->count;
        return lens_scan(view, query, k, min_score, threads, hits, found, err);
    }
    *found = 0;
    const size_t most = view->count * lens_code_size(view->dim) / LEAST_BYTES + 1, wanted = threads > 1 ? (size_t)threads : 1, count = wanted < most ? wanted : most;
    struct question question = {0};
    struct part *parts = calloc(count, sizeof *parts);
    float *above = malloc(view->count * sizeof *above);
    struct part whole = {.view = view, .bytes = bytes, .question = &question, .query = query, .dot = lens_dot_bytes_nth(0),
                         .k = k < view->count ? k : view->count, .above = above};
    int result = parts && above && question_make(query, view->dim, &question) == 0 ? look_all(parts, count, &whole) : -1;
    if (result == 0) {
        const float least = threshold(parts, count);
        result = compare(view, above, least > min_score ? least : min_score, query, k, min_score, threads, hits, found, compared, err);
    } else {
        lens_fail(err, LENS_E_MEMORY, "not enough memory to search %zu rows", view->count);
    }
    for (size_t i = 0; parts && i < count; i++)
        free(parts[i].least);
    free(parts);
    free(above);
    free(question.code);
    return result;
}
