#include "search/fuse.h"

#include <stdlib.h>

static int by_id(const void *a, const void *b)
{
    const lens_fused *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_score(const void *a, const void *b)
{
    const lens_fused *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score ? 1 : by_id(a, b);
}

int lens_fuse(const lens_ranking *rankings, size_t count, double k, lens_fused **fused, size_t *fused_count, lens_error *err)
{
    size_t total = 0, kept = 0;
    double best = 0;
    for (size_t r = 0; r < count; r++) {
        total += rankings[r].count;
        if (rankings[r].weight > 0)
            best += rankings[r].weight / (k + 1);
    }
    lens_fused *all = calloc(total + 1, sizeof *all);
    *fused = NULL;
    *fused_count = 0;
    if (!all)
        return lens_fail_memory(err);
    for (size_t r = 0, at = 0; r < count; r++)
        for (size_t i = 0; i < rankings[r].count; i++)
            all[at++] = (lens_fused){rankings[r].ids[i], rankings[r].weight * (rankings[r].sure ? rankings[r].sure[i] : 1) / (k + (double)i + 1)};
    qsort(all, total, sizeof *all, by_id);
    for (size_t i = 0; i < total; i++) {
        if (kept && all[kept - 1].id == all[i].id)
            all[kept - 1].score += all[i].score;
        else
            all[kept++] = all[i];
    }
    for (size_t i = 0; i < kept && best > 0; i++)
        all[i].score /= best;
    qsort(all, kept, sizeof *all, by_score);
    *fused = all;
    *fused_count = kept;
    return 0;
}
