/* What stores of every kind give out, and take. */
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "store/texts.h"

void lens_store_models_free(lens_store_models *models)
{
    for (size_t i = 0; i < models->count; i++)
        free(models->items[i].name);
    free(models->items);
    *models = (lens_store_models){0};
}

void lens_store_picture_free(lens_store_picture *picture)
{
    free(picture->path);
    free(picture->format);
    free(picture->reason);
    *picture = (lens_store_picture){0};
}

void lens_store_sources_free(lens_store_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        free(sources->items[i].path);
        free(sources->items[i].settings);
    }
    free(sources->items);
    *sources = (lens_store_sources){0};
}

bool lens_store_vectors_row(const lens_store_vectors *vectors, int64_t id, size_t *row)
{
    size_t low = 0, high = vectors->count; /* ids are in order */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (vectors->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    *row = low;
    return low < vectors->count && vectors->ids[low] == id;
}

int lens_store_vectors_fit(const lens_store_vectors *vectors, int dim, lens_error *err)
{
    return vectors->dim == dim ? 0 : lens_fail(err, LENS_E_FORMAT, "the library's vectors have %d numbers and their model %d: it was changed meanwhile, or is damaged",
                                               vectors->dim, dim);
}

float *lens_store_vectors_room(lens_store_vectors *vectors, size_t rows)
{
    if (vectors->dim <= 0 || rows > UINT32_MAX || (rows ? rows : 1) > SIZE_MAX / sizeof(float) / (size_t)vectors->dim) /* a slot has 32 bits */
        return NULL;
    vectors->map_size = (rows ? rows : 1) * (size_t)vectors->dim * sizeof(float);
    void *map = mmap(NULL, vectors->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    vectors->map = map == MAP_FAILED ? NULL : map;
    vectors->data = vectors->map;
    vectors->ids = malloc((rows + 1) * sizeof *vectors->ids);
    vectors->slots = malloc((rows + 1) * sizeof *vectors->slots);
    if (vectors->map && vectors->ids && vectors->slots)
        return map;
    lens_store_vectors_free(vectors);
    return NULL;
}

void lens_store_vectors_free(lens_store_vectors *vectors)
{
    free(vectors->slots);
    free(vectors->ids);
    free(vectors->copy);
    free(vectors->near);
    free(vectors->cells);
    if (vectors->map)
        munmap((void *)vectors->map, vectors->map_size);
    *vectors = (lens_store_vectors){0};
}

void lens_store_work_free(lens_store_work *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(items[i].path);
}

void lens_store_workers_free(lens_store_workers *workers)
{
    for (size_t i = 0; i < workers->count; i++)
        free(workers->items[i].name);
    free(workers->items);
    *workers = (lens_store_workers){0};
}

bool lens_store_is_unit(const float *values, int dim)
{
    enum { LANES = 8 };
    double sums[LANES] = {0};
    int i = 0;
    for (; i + LANES <= dim; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += (double)values[i + lane] * values[i + lane];
    for (; i < dim; i++)
        sums[0] += (double)values[i] * values[i];
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    /* False for whatever is not finite. The bound only has to tell a vector that nobody normalised. */
    return fabs(sum - 1) <= 1e-3;
}
