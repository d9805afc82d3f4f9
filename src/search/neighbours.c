/* Every asker against every answerer, four by four; a thread takes a run of askers at a time, few enough that they stay in its cache. */
#include "search/neighbours.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "search/dot.h"

enum { RUN = 64 }; /* askers */

typedef struct task {
    const lens_view *view;
    const lens_dot_kernels *kernels;
    lens_chosen askers, answerers;
    size_t k;
    lens_neighbour *nearest;
    atomic_size_t next;
} task;

static size_t row_of(lens_chosen rows, size_t i)
{
    return rows.rows ? rows.rows[i] : i;
}

static bool better(const lens_neighbour *a, const lens_neighbour *b)
{
    return a->score > b->score || (a->score == b->score && a->row < b->row);
}

/* Puts CANDIDATE into the sorted LIST of K, when it is among the best. What is no number is further off than any: a list is full in the end, and names
 * rows only, whatever lies in a vector file. */
static void offer(lens_neighbour *list, size_t k, lens_neighbour candidate)
{
    if (isnan(candidate.score))
        candidate.score = -INFINITY;
    if (!better(&candidate, &list[k - 1]))
        return;
    size_t at = k - 1;
    for (; at > 0 && better(&candidate, &list[at - 1]); at--)
        list[at] = list[at - 1];
    list[at] = candidate;
}

/* Rows FROM to FROM + 3 of ROWS, the last one again where there are no more. */
static void four(const lens_view *view, lens_chosen rows, size_t from, size_t end, const float *out[LENS_DOT_ROWS])
{
    for (size_t i = 0; i < LENS_DOT_ROWS; i++)
        out[i] = lens_view_row(view, row_of(rows, from + i < end ? from + i : end - 1));
}

static void compare_run(const task *t, size_t begin, size_t end)
{
    const lens_view *view = t->view;
    for (size_t i = begin * t->k; i < end * t->k; i++)
        t->nearest[i] = (lens_neighbour){SIZE_MAX, -INFINITY};
    for (size_t b = 0; b < t->answerers.count; b += LENS_DOT_ROWS) {
        const float *rows[LENS_DOT_ROWS], *columns[LENS_DOT_ROWS];
        float scores[LENS_DOT_ROWS][LENS_DOT_ROWS];
        four(view, t->answerers, b, t->answerers.count, columns);
        for (size_t a = begin; a < end; a += LENS_DOT_ROWS) {
            four(view, t->askers, a, end, rows);
            t->kernels->tile(rows, columns, view->dim, scores);
            for (size_t i = 0; i < LENS_DOT_ROWS && a + i < end; i++)
                for (size_t j = 0; j < LENS_DOT_ROWS && b + j < t->answerers.count; j++) {
                    const size_t row = row_of(t->answerers, b + j);
                    const float penalty = view->penalty ? view->penalty[row] : 0;
                    if (row != row_of(t->askers, a + i))
                        offer(t->nearest + (a + i) * t->k, t->k, (lens_neighbour){row, scores[i][j] - penalty});
                }
        }
    }
}

static void *work(void *context)
{
    task *t = context;
    for (;;) {
        size_t begin = atomic_fetch_add(&t->next, RUN);
        if (begin >= t->askers.count)
            return NULL;
        compare_run(t, begin, begin + RUN < t->askers.count ? begin + RUN : t->askers.count);
    }
}

int lens_neighbours(const lens_view *view, lens_chosen askers, lens_chosen answerers, size_t k, int threads, lens_neighbour *nearest, lens_error *err)
{
    if (view->dim < 1 || k < 1 || k >= answerers.count)
        return lens_fail(err, LENS_E_ARGUMENT, "%zu neighbours among %zu rows of %d numbers", k, answerers.count, view->dim);
    task t = {.view = view, .kernels = lens_dot_best(), .askers = askers, .answerers = answerers, .k = k, .nearest = nearest};
    size_t count = threads > 1 ? (size_t)threads : 1, runs = askers.count / RUN + 1;
    count = count < runs ? count : runs;
    pthread_t *others = calloc(count + 1, sizeof *others);
    size_t started = 0;
    while (others && started + 1 < count && pthread_create(&others[started], NULL, work, &t) == 0)
        started++;
    work(&t);
    for (size_t i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    free(others);
    return 0;
}

size_t lens_chosen_spread(const lens_view *view, size_t most, size_t *rows)
{
    const size_t count = view->count < most ? view->count : most;
    for (size_t i = 0; i < count; i++)
        rows[i] = (size_t)((double)i * (double)view->count / (double)count);
    return count;
}
