/* All pairs in blocks: two blocks of rows, a megabyte each, are compared four rows against four before
 * the next block is read. */
#include "search/near.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "search/dot.h"

enum { BLOCK_FLOATS = 256 * 1024, BLOCK_MAX = 256 };

typedef struct pair {
    size_t a, b;
    float score;
} pair;

typedef struct pairs {
    const lens_view *view;
    const lens_dot_kernels *kernels;
    float threshold;
    size_t block, blocks; /* rows in a block; blocks */
    lens_near_each each;
    void *context;
    pthread_mutex_t lock; /* of all that follows, and of EACH */
    size_t next_a, next_b;
    int result;
    bool starved;
} pairs;

/* Four rows from FROM on, the last one again where there are no more before END. */
static void four_rows(const lens_view *view, size_t from, size_t end, const float *out[LENS_DOT_ROWS])
{
    for (size_t i = 0; i < LENS_DOT_ROWS; i++)
        out[i] = lens_view_row(view, from + i < end ? from + i : end - 1);
}

/* Compares block A with block B (B >= A) and writes what is near to FOUND [block * block]. Returns how many. */
static size_t compare_blocks(const pairs *p, size_t block_a, size_t block_b, pair *found)
{
    const lens_view *view = p->view;
    size_t a_begin = block_a * p->block, a_end = a_begin + p->block, b_begin = block_b * p->block, b_end = b_begin + p->block;
    a_end = a_end < view->count ? a_end : view->count;
    b_end = b_end < view->count ? b_end : view->count;
    size_t count = 0;
    for (size_t a = a_begin; a < a_end; a += LENS_DOT_ROWS) {
        const float *rows[LENS_DOT_ROWS], *columns[LENS_DOT_ROWS];
        float scores[LENS_DOT_ROWS][LENS_DOT_ROWS];
        four_rows(view, a, a_end, rows);
        for (size_t b = block_a == block_b ? a : b_begin; b < b_end; b += LENS_DOT_ROWS) {
            four_rows(view, b, b_end, columns);
            p->kernels->tile(rows, columns, view->dim, scores);
            for (size_t i = 0; i < LENS_DOT_ROWS && a + i < a_end; i++)
                for (size_t j = 0; j < LENS_DOT_ROWS && b + j < b_end; j++)
                    if (scores[i][j] >= p->threshold && a + i < b + j)
                        found[count++] = (pair){a + i, b + j, scores[i][j]};
        }
    }
    return count;
}

static void *work(void *context)
{
    pairs *p = context;
    pair *found = malloc(p->block * p->block * sizeof *found);
    pthread_mutex_lock(&p->lock);
    p->starved |= !found;
    while (p->result == 0 && !p->starved && p->next_a < p->blocks) {
        size_t a = p->next_a, b = p->next_b++;
        if (p->next_b == p->blocks)
            p->next_b = ++p->next_a;
        pthread_mutex_unlock(&p->lock);
        size_t count = compare_blocks(p, a, b, found);
        pthread_mutex_lock(&p->lock);
        for (size_t i = 0; i < count && p->result == 0; i++)
            p->result = p->each(p->context, found[i].a, found[i].b, found[i].score);
    }
    pthread_mutex_unlock(&p->lock);
    free(found);
    return NULL;
}

int lens_pairs_above(const lens_view *view, float threshold, int threads, lens_near_each each, void *context, lens_error *err)
{
    if (view->dim < 1)
        return lens_fail(err, LENS_E_ARGUMENT, "rows of %d numbers cannot be compared", view->dim);
    pairs p = {.view = view, .kernels = lens_dot_best(), .threshold = threshold, .each = each, .context = context};
    p.block = BLOCK_FLOATS / (size_t)view->dim / LENS_DOT_ROWS * LENS_DOT_ROWS;
    p.block = p.block < LENS_DOT_ROWS ? LENS_DOT_ROWS : p.block > BLOCK_MAX ? BLOCK_MAX : p.block;
    p.blocks = view->count / p.block + (view->count % p.block > 0);
    pthread_mutex_init(&p.lock, NULL);
    size_t count = threads > 1 ? (size_t)threads : 1;
    count = count < p.blocks ? count : p.blocks;
    pthread_t *others = calloc(count + 1, sizeof *others);
    size_t started = 0;
    while (others && started + 1 < count && pthread_create(&others[started], NULL, work, &p) == 0)
        started++;
    work(&p);
    for (size_t i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    free(others);
    pthread_mutex_destroy(&p.lock);
    if (p.result == 0 && p.starved)
        return lens_fail(err, LENS_E_MEMORY, "not enough memory to compare %zu rows", view->count);
    return p.result;
}
