#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "search/cells.h"

enum {
    SHARE = 64,    /* slots a leader */
    CELLS = 2,     /* of each slot: in one alone, those at a border are missed from the other side */
    EFFORT = 24,   /* of finding a slot's leaders */
    IN_A_ROW = 256 /* slots that a thread takes at once */
};

/* What the threads share. */
struct dealing {
    const lens_bytes_view *bytes;
    const lens_cells *cells;
    size_t count;
    int dim;
    uint32_t *nearest; /* [count, CELLS]: leaders, then NONE */
    atomic_size_t next, done, left;
    atomic_bool stopped, failed;
};

static void *deal(void *context)
{
    struct dealing *all = context;
    const size_t size = lens_code_size(all->dim);
    float *numbers = malloc((size_t)all->dim * sizeof *numbers);
    bool enough = numbers != NULL;
    for (size_t from; enough && !all->stopped && (from = atomic_fetch_add(&all->next, IN_A_ROW)) < all->count;) {
        const size_t end = from + IN_A_ROW < all->count ? from + IN_A_ROW : all->count;
        for (size_t slot = from; enough && slot < end; slot++) {
            uint32_t leaders[EFFORT];
            size_t found = 0;
            for (int i = 0; i < all->dim; i++)
                numbers[i] = (float)((int)all->bytes->codes[slot * size + (size_t)i] - 128);
            enough = lens_graph_search(&all->cells->graph, &all->cells->leaders, numbers, all->dim, EFFORT, leaders, &found, NULL) == 0;
            for (size_t i = 0; i < CELLS; i++)
                all->nearest[slot * CELLS + i] = i < found ? leaders[i] : LENS_GRAPH_NONE;
        }
        atomic_fetch_add(&all->done, end - from);
    }
    if (!enough)
        all->failed = all->stopped = true;
    free(numbers);
    atomic_fetch_sub(&all->left, 1);
    return NULL;
}

/* On THREADS threads, and this one looks after them. 0 or -1. */
static int deal_all(struct dealing *all, int threads, lens_graph_go_on *go_on, void *context, lens_error *err)
{
    const size_t wanted = threads > 1 ? (size_t)threads : 1;
    pthread_t *others = calloc(wanted, sizeof *others);
    size_t started = 0;
    if (!others)
        return lens_fail_memory(err);
    all->left = wanted;
    while (started < wanted && pthread_create(&others[started], NULL, deal, all) == 0)
        started++;
    atomic_fetch_sub(&all->left, wanted - started);
    if (!started) {
        all->left = 1;
        deal(all);
    }
    while (all->left > 0) {
        nanosleep(&(struct timespec){0, all->count < 20000 ? 1000000 : 20000000}, NULL);
        if (!all->stopped && go_on && !go_on(context, all->done, all->count))
            all->stopped = true;
    }
    for (size_t i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    free(others);
    if (all->failed)
        return lens_fail_memory(err);
    return all->stopped ? lens_fail(err, LENS_E_CANCELLED, "the building of the approximate index was stopped") : 0;
}

/* The leaders: one, by lot, out of every SHARE slots. 0 or -1. */
static int choose(const lens_bytes_view *bytes, size_t count, int dim, lens_bytes_view *leaders, lens_error *err)
{
    const size_t size = lens_code_size(dim), many = count / SHARE ? count / SHARE : 1;
    uint8_t *codes = aligned_alloc(64, many * size);
    lens_row_bounds *bounds = malloc(many * sizeof *bounds);
    uint64_t lot = 1;
    *leaders = (lens_bytes_view){codes, bounds, many};
    if (!codes || !bounds)
        return lens_fail_memory(err);
    for (size_t i = 0; i < many; i++) {
        const size_t begin = i * SHARE, end = i + 1 < many ? begin + SHARE : count, slot = begin + (size_t)lens_random_below(&lot, end - begin);
        memcpy(codes + i * size, bytes->codes + slot * size, size);
        bounds[i] = bytes->bounds[slot];
    }
    return 0;
}

/* Who lies in which cell, the other way round. 0 or -1. */
static int turn_round(const uint32_t *nearest, size_t count, lens_cells *out, lens_error *err)
{
    const size_t leaders = out->leaders.count;
    uint32_t *begins = calloc(leaders + 2, sizeof *begins), *slots = malloc((count * CELLS + 1) * sizeof *slots);
    out->begins = begins;
    out->slots = slots;
    if (!begins || !slots || count > UINT32_MAX / CELLS)
        return lens_fail_memory(err);
    for (size_t i = 0; i < count * CELLS; i++)
        if (nearest[i] != LENS_GRAPH_NONE)
            begins[nearest[i] + 2]++;
    for (size_t i = 2; i < leaders + 2; i++)
        begins[i] += begins[i - 1];
    for (size_t i = 0; i < count * CELLS; i++)
        if (nearest[i] != LENS_GRAPH_NONE)
            slots[begins[nearest[i] + 1]++] = (uint32_t)(i / CELLS);
    out->slot_count = begins[leaders];
    return 0;
}

int lens_cells_build(const lens_bytes_view *bytes, size_t count, int dim, int threads, lens_graph_go_on *go_on, void *context, lens_cells *out, lens_error *err)
{
    *out = (lens_cells){.count = count};
    if (count < 1 || count > bytes->count || dim < 1)
        return lens_fail(err, LENS_E_ARGUMENT, "there are no cells of %zu slots of %d numbers", count, dim);
    struct dealing all = {.bytes = bytes, .cells = out, .count = count, .dim = dim, .nearest = malloc(count * CELLS * sizeof *all.nearest)};
    int result = all.nearest ? choose(bytes, count, dim, &out->leaders, err) : lens_fail_memory(err);
    if (result == 0)
        result = lens_graph_build(&out->leaders, out->leaders.count, dim, threads, NULL, NULL, &out->graph, err);
    if (result == 0)
        result = deal_all(&all, threads, go_on, context, err);
    if (result == 0)
        result = turn_round(all.nearest, count, out, err);
    free(all.nearest);
    if (result != 0)
        lens_cells_free(out);
    return result;
}
