/* Two rows belong together when each is among the nearest of the other, and their neighbourhoods overlap; what hangs together by
 * such pairs is a group (shared nearest neighbours: Jarvis and Patrick, 1973). A threshold on the cosine alone cannot do it: a blank
 * sky and a meme with much text differ in how near their strangers are.
 *
 * The rule looks at nothing but the neighbour lists of the two rows, so a search can work out the groups of its hits alone. Rows
 * that share a slot, the same bytes, are one node. */
#include "search/fold.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "search/dot.h"
#include "search/near.h"

enum {
    NEAREST = 50, /* length of a neighbour list */
    NONE = UINT32_MAX,
};
static const float least_score = 0.8f;   /* of a neighbour */
static const float shape_apart = 0.006f; /* at most, relative: one pixel of a small picture */
static const float same = 0.985f;        /* from this score on neither shapes nor neighbourhoods need agree */
static const float twin = 0.9999f;       /* from this score on nothing but the noise of sums differs */
static const float least_shared = 0.35f; /* of two neighbourhoods, relative to all that is in either */

typedef struct neighbour {
    uint32_t node;
    float score;
} neighbour;

/* A node's neighbours, itself among them: while it grows a heap with the worst on top, then in order of node. */
typedef struct list {
    neighbour *items; /* [NEAREST + 1]; NULL until it is asked for */
    uint32_t count;
    uint32_t before, after; /* the twins next to the node in order, or NONE: of many that tie, a list holds only some, and these
                             * two chain them all together */
} list;

typedef struct graph {
    lens_view nodes;  /* the distinct slots, in order of their first row */
    float *shapes;    /* [nodes], logarithm of width / height */
    uint32_t *slots;  /* [nodes] */
    uint32_t *node_of; /* [rows] */
    uint32_t *rows_of; /* [nodes], how many rows are this node */
    list *lists;      /* [nodes] */
    int threads;
} graph;

/* ---- nodes ---- */

typedef struct slot_row {
    uint32_t slot;
    size_t row;
} slot_row;

static int no_memory(lens_error *err)
{
    return lens_fail(err, LENS_E_MEMORY, "not enough memory to fold");
}

static int by_slot(const void *a, const void *b)
{
    const slot_row *x = a, *y = b;
    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void graph_free(graph *g)
{
    for (size_t i = 0; g->lists && i < g->nodes.count; i++)
        free(g->lists[i].items);
    free(g->lists);
    free(g->shapes);
    free(g->slots);
    free(g->node_of);
    free(g->rows_of);
}

static int graph_new(graph *g, const lens_view *view, const float *shapes, int threads, lens_error *err)
{
    *g = (graph){.nodes = *view, .threads = threads < 1 ? 1 : threads};
    size_t count = view->count, nodes = 0;
    slot_row *rows = malloc((count + 1) * sizeof *rows);
    g->node_of = malloc((count + 1) * sizeof *g->node_of);
    g->shapes = malloc((count + 1) * sizeof *g->shapes);
    g->slots = malloc((count + 1) * sizeof *g->slots);
    g->rows_of = calloc(count + 1, sizeof *g->rows_of);
    g->lists = calloc(count + 1, sizeof *g->lists);
    g->nodes.count = 0;
    if (!rows || !g->node_of || !g->shapes || !g->slots || !g->rows_of || !g->lists || count >= NONE) {
        free(rows);
        graph_free(g);
        return lens_fail(err, LENS_E_MEMORY, "not enough memory to fold %zu pictures", count);
    }
    for (size_t i = 0; i < count; i++)
        rows[i] = (slot_row){view->slots ? view->slots[i] : (uint32_t)i, i};
    /* The first row of each slot, then those in order of row; the others find theirs by the slot. */
    qsort(rows, count, sizeof *rows, by_slot);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || rows[i].slot != rows[i - 1].slot)
            g->node_of[rows[i].row] = NONE; /* begins a node */
        else
            g->node_of[rows[i].row] = 0;
    for (size_t i = 0; i < count; i++) {
        if (g->node_of[i] != NONE)
            continue;
        g->slots[nodes] = view->slots ? view->slots[i] : (uint32_t)i;
        g->shapes[nodes] = logf(shapes[i]);
        g->node_of[i] = (uint32_t)nodes++;
    }
    for (size_t i = 0, first = 0; i < count; i++) {
        if (i > 0 && rows[i].slot != rows[i - 1].slot)
            first = i;
        g->node_of[rows[i].row] = g->node_of[rows[first].row];
        g->rows_of[g->node_of[rows[i].row]]++;
    }
    free(rows);
    g->nodes.slots = g->slots;
    g->nodes.ids = NULL;
    g->nodes.count = nodes;
    return 0;
}

/* ---- neighbour lists ---- */

static bool near(const graph *g, size_t a, size_t b, float score)
{
    return score >= same || (score >= least_score && fabsf(g->shapes[a] - g->shapes[b]) <= shape_apart);
}

/* Of two neighbours the worse; the same on every machine and in every order. */
static bool worse(neighbour a, neighbour b)
{
    return a.score != b.score ? a.score < b.score : a.node > b.node;
}

/* Room for a list, with the node itself in it. -1 when memory is short. */
static int begin_list(graph *g, uint32_t node)
{
    list *l = &g->lists[node];
    if (l->items)
        return 0;
    l->items = malloc((NEAREST + 1) * sizeof *l->items);
    l->count = 0;
    l->before = l->after = NONE;
    return l->items ? 0 : -1;
}

static void offer(graph *g, uint32_t to, neighbour candidate)
{
    list *l = &g->lists[to];
    neighbour *heap = l->items;
    if (candidate.score >= twin && candidate.node < to && (l->before == NONE || candidate.node > l->before))
        l->before = candidate.node;
    if (candidate.score >= twin && candidate.node > to && candidate.node < l->after)
        l->after = candidate.node;
    if (l->count == NEAREST && worse(candidate, heap[0]))
        return;
    size_t at;
    if (l->count < NEAREST) { /* sift up */
        at = l->count++;
        while (at > 0 && worse(candidate, heap[(at - 1) / 2])) {
            heap[at] = heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }
    } else { /* takes the worst one's place, and sifts down */
        at = 0;
        for (;;) {
            size_t child = 2 * at + 1;
            if (child >= l->count)
                break;
            if (child + 1 < l->count && worse(heap[child + 1], heap[child]))
                child++;
            if (!worse(heap[child], candidate))
                break;
            heap[at] = heap[child];
            at = child;
        }
    }
    heap[at] = candidate;
}

static int by_node(const void *a, const void *b)
{
    const neighbour *x = a, *y = b;
    return x->node < y->node ? -1 : x->node > y->node;
}

static void end_list(graph *g, uint32_t node)
{
    list *l = &g->lists[node];
    l->items[l->count++] = (neighbour){node, 1};
    qsort(l->items, l->count, sizeof *l->items, by_node);
}

static int offer_pair(void *context, size_t a, size_t b, float score)
{
    graph *g = context;
    if (!near(g, a, b, score))
        return 0;
    if (begin_list(g, (uint32_t)a) != 0 || begin_list(g, (uint32_t)b) != 0)
        return 1;
    offer(g, (uint32_t)a, (neighbour){(uint32_t)b, score});
    offer(g, (uint32_t)b, (neighbour){(uint32_t)a, score});
    return 0;
}

static int all_lists(graph *g, lens_error *err)
{
    int result = lens_pairs_above(&g->nodes, least_score, g->threads, offer_pair, g, err);
    if (result > 0)
        return no_memory(err);
    for (size_t i = 0; result == 0 && i < g->nodes.count; i++) {
        if (begin_list(g, (uint32_t)i) != 0)
            return no_memory(err);
        end_list(g, (uint32_t)i);
    }
    return result;
}

/* Some lists, four at a time on each thread. */
typedef struct some {
    graph *g;
    const lens_dot_kernels *kernels;
    const uint32_t *nodes;
    size_t count;
    atomic_size_t next;
} some;

static void *make_lists(void *context)
{
    some *s = context;
    graph *g = s->g;
    for (;;) {
        size_t from = atomic_fetch_add(&s->next, LENS_DOT_ROWS);
        if (from >= s->count)
            return NULL;
        size_t mine = s->count - from < LENS_DOT_ROWS ? s->count - from : LENS_DOT_ROWS;
        const float *rows[LENS_DOT_ROWS], *columns[LENS_DOT_ROWS];
        float scores[LENS_DOT_ROWS][LENS_DOT_ROWS];
        for (size_t i = 0; i < LENS_DOT_ROWS; i++)
            rows[i] = lens_view_row(&g->nodes, s->nodes[from + (i < mine ? i : 0)]);
        for (size_t b = 0; b < g->nodes.count; b += LENS_DOT_ROWS) {
            size_t width = g->nodes.count - b < LENS_DOT_ROWS ? g->nodes.count - b : LENS_DOT_ROWS;
            for (size_t j = 0; j < LENS_DOT_ROWS; j++)
                columns[j] = lens_view_row(&g->nodes, b + (j < width ? j : 0));
            s->kernels->tile(rows, columns, g->nodes.dim, scores);
            for (size_t i = 0; i < mine; i++)
                for (size_t j = 0; j < width; j++)
                    if (b + j != s->nodes[from + i] && near(g, s->nodes[from + i], b + j, scores[i][j]))
                        offer(g, s->nodes[from + i], (neighbour){(uint32_t)(b + j), scores[i][j]});
        }
        for (size_t i = 0; i < mine; i++)
            end_list(g, s->nodes[from + i]);
    }
}

/* Fills the lists of NODES, which have begun. */
static void some_lists(graph *g, const uint32_t *nodes, size_t count)
{
    some s = {.g = g, .kernels = lens_dot_best(), .nodes = nodes, .count = count};
    pthread_t *others = calloc((size_t)g->threads, sizeof *others);
    int started = 0;
    while (others && started + 1 < g->threads && (size_t)(started + 1) * LENS_DOT_ROWS < count &&
           pthread_create(&others[started], NULL, make_lists, &s) == 0)
        started++;
    make_lists(&s);
    for (int i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    free(others);
}

/* ---- the rule ---- */

/* Whether A and B, whose lists are made and of which B is in A's, belong together. */
static bool together(const graph *g, uint32_t a, uint32_t b)
{
    const list *x = &g->lists[a], *y = &g->lists[b];
    neighbour key = {a, 0}, *back = bsearch(&key, y->items, y->count, sizeof key, by_node);
    if (!back)
        return false;
    if (back->score >= same)
        return true;
    uint32_t shared = 0;
    for (uint32_t i = 0, j = 0; i < x->count && j < y->count;) {
        uint32_t n = x->items[i].node, m = y->items[j].node;
        shared += n == m;
        i += n <= m;
        j += m <= n;
    }
    return (float)shared >= least_shared * (float)(x->count + y->count - shared);
}

/* ---- all groups ---- */

static uint32_t root_of(uint32_t *parents, uint32_t node)
{
    while (parents[node] != node)
        node = parents[node] = parents[parents[node]];
    return node;
}

int lens_fold_groups(const lens_view *view, const float *shapes, int threads, size_t *groups, lens_error *err)
{
    graph g;
    if (graph_new(&g, view, shapes, threads, err) != 0)
        return -1;
    uint32_t *parents = malloc((g.nodes.count + 1) * sizeof *parents);
    size_t *first = malloc((g.nodes.count + 1) * sizeof *first);
    int result = parents && first ? all_lists(&g, err) : no_memory(err);
    if (result == 0) {
        for (uint32_t a = 0; a < g.nodes.count; a++) {
            parents[a] = a;
            first[a] = SIZE_MAX;
        }
        for (uint32_t a = 0; a < g.nodes.count; a++) {
            for (uint32_t i = 0; i < g.lists[a].count; i++) {
                uint32_t b = g.lists[a].items[i].node;
                if (b > a && together(&g, a, b))
                    parents[root_of(parents, a)] = root_of(parents, b);
            }
            if (g.lists[a].after != NONE)
                parents[root_of(parents, a)] = root_of(parents, g.lists[a].after);
        }
        for (size_t row = 0; row < view->count; row++) {
            uint32_t root = root_of(parents, g.node_of[row]);
            if (first[root] == SIZE_MAX)
                first[root] = row;
            groups[row] = first[root];
        }
    }
    free(first);
    free(parents);
    graph_free(&g);
    return result;
}

/* ---- the groups of some hits ---- */

typedef struct walk {
    graph *g;
    bool *reached;   /* [nodes] */
    uint32_t *queue; /* [nodes], the group in the order in which it was reached */
    uint32_t *wanted; /* [nodes], lists to be made */
    size_t count;
} walk;

/* Adds NODE to the WANTED lists unless it has one, or is among them: both show in its items. -1 when memory is short. */
static int want(walk *w, uint32_t node, size_t *wanted)
{
    if (w->g->lists[node].items)
        return 0;
    if (begin_list(w->g, node) != 0)
        return -1;
    w->wanted[(*wanted)++] = node;
    return 0;
}

/* Makes the lists of nodes QUEUE[from..count), and then those of all their neighbours. */
static int prepare(walk *w, size_t from, lens_error *err)
{
    graph *g = w->g;
    size_t wanted = 0;
    for (size_t i = from; i < w->count; i++)
        if (want(w, w->queue[i], &wanted) != 0)
            return no_memory(err);
    some_lists(g, w->wanted, wanted);
    wanted = 0;
    for (size_t i = from; i < w->count; i++) {
        const list *l = &g->lists[w->queue[i]];
        for (uint32_t j = 0; j < l->count; j++)
            if (want(w, l->items[j].node, &wanted) != 0)
                return no_memory(err);
    }
    some_lists(g, w->wanted, wanted);
    return 0;
}

static void reach(walk *w, uint32_t node)
{
    if (node == NONE || w->reached[node])
        return;
    w->reached[node] = true;
    w->queue[w->count++] = node;
}

/* Everything that belongs together with NODE: how many rows, or -1. */
static int64_t gather(walk *w, uint32_t node, lens_error *err)
{
    graph *g = w->g;
    int64_t rows = 0;
    w->count = 0;
    reach(w, node);
    for (size_t done = 0; done < w->count;) {
        size_t end = w->count;
        if (prepare(w, done, err) != 0)
            return -1;
        for (; done < end; done++) {
            uint32_t a = w->queue[done];
            rows += g->rows_of[a];
            for (uint32_t i = 0; i < g->lists[a].count; i++) {
                uint32_t b = g->lists[a].items[i].node;
                if (!w->reached[b] && together(g, a, b))
                    reach(w, b);
            }
            reach(w, g->lists[a].before);
            reach(w, g->lists[a].after);
        }
    }
    return rows;
}

static int fold_hits(walk *w, const lens_hit *scanned, size_t count, size_t k, lens_fold_hit *hits, size_t *found, lens_error *err)
{
    for (size_t i = 0; i < count && *found < k; i++) {
        uint32_t node = w->g->node_of[scanned[i].row];
        if (w->reached[node])
            continue;
        int64_t rows = gather(w, node, err);
        if (rows < 0)
            return -1;
        hits[(*found)++] = (lens_fold_hit){scanned[i].id, scanned[i].row, scanned[i].score, rows};
    }
    return 0;
}

static int walk_new(walk *w, graph *g, lens_error *err)
{
    const size_t nodes = g->nodes.count + 1;
    *w = (walk){g, calloc(nodes, sizeof *w->reached), malloc(nodes * sizeof *w->queue), malloc(nodes * sizeof *w->wanted), 0};
    return w->reached && w->queue && w->wanted ? 0 : no_memory(err);
}

static void walk_free(walk *w)
{
    free(w->wanted);
    free(w->queue);
    free(w->reached);
}

int lens_fold_ranked(const lens_view *view, const float *shapes, const lens_hit *ranked, size_t count, size_t k, int threads, lens_fold_hit *hits,
                     size_t *found, lens_error *err)
{
    *found = 0;
    graph g;
    walk w;
    if (graph_new(&g, view, shapes, threads, err) != 0)
        return -1;
    int result = walk_new(&w, &g, err);
    if (result == 0)
        result = fold_hits(&w, ranked, count, k, hits, found, err);
    walk_free(&w);
    graph_free(&g);
    return result;
}

int lens_fold_scan(const lens_view *view, const float *shapes, const float *query, size_t k, float min_score, int threads,
                   lens_fold_hit *hits, size_t *found, lens_error *err)
{
    *found = 0;
    graph g;
    walk w;
    if (graph_new(&g, view, shapes, threads, err) != 0)
        return -1;
    int result = walk_new(&w, &g, err);
    /* How far down the ranking the Kth group begins is not known before: look twice as far each time. */
    for (size_t depth = 16 * k + 64, last = 0; result == 0 && *found < k; depth *= 2) {
        depth = depth < view->count ? depth : view->count;
        lens_hit *scanned = malloc((depth + 1) * sizeof *scanned);
        size_t count = 0;
        result = scanned ? lens_scan(view, query, depth, min_score, threads, scanned, &count, err) : no_memory(err);
        if (result == 0)
            result = fold_hits(&w, scanned + last, count - last, k, hits, found, err);
        free(scanned);
        if (count < depth || depth == view->count)
            break;
        last = count;
    }
    walk_free(&w);
    graph_free(&g);
    return result;
}
