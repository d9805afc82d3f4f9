#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "mixture.h"

enum { LOW = 24, POOLS = 40, TOPICS = 100, RECENT = 512 };

static float even(uint64_t *lot)
{
    return (float)((double)(lens_random_next(lot) >> 11) / 4503599627370496.0 - 1) * 1.7320508f; /* of variance 1 */
}

static float normal(uint64_t *lot)
{
    return (even(lot) + even(lot) + even(lot) + even(lot)) / 2;
}

static void unit(float *row, size_t dim)
{
    double squares = 0;
    for (size_t i = 0; i < dim; i++)
        squares += (double)row[i] * (double)row[i];
    for (size_t i = 0; i < dim; i++)
        row[i] = (float)((double)row[i] / sqrt(squares));
}

mixture mixture_new(size_t dim, size_t clusters)
{
    mixture m = {dim, clusters, 0, malloc(clusters * dim * sizeof(float)), malloc((size_t)POOLS * LOW * dim * sizeof(float)), calloc(RECENT * dim, sizeof(float)),
                 malloc(clusters * sizeof(double)), 1};
    float *topics = malloc(TOPICS * dim * sizeof *topics);
    double sum = 0;
    for (size_t i = 0; i < TOPICS * dim; i++)
        topics[i] = normal(&m.lot);
    for (size_t i = 0; i < (size_t)POOLS * LOW * dim; i++)
        m.pools[i] = normal(&m.lot) / sqrtf((float)dim);
    for (size_t c = 0; c < clusters; c++) {
        const float *topic = topics + lens_random_below(&m.lot, TOPICS) * dim;
        for (size_t i = 0; i < dim; i++)
            m.centres[c * dim + i] = topic[i] + 0.9f * normal(&m.lot);
        unit(m.centres + c * dim, dim);
        m.upto[c] = sum += -log(((double)lens_random_below(&m.lot, 1000000) + 1) / 1e6);
    }
    for (size_t c = 0; c < clusters; c++)
        m.upto[c] /= sum;
    free(topics);
    return m;
}

void mixture_free(mixture *self)
{
    free(self->centres);
    free(self->pools);
    free(self->recent);
    free(self->upto);
}

/* The next row, of length 1, into ROW [dim]. */
static void draw(mixture *self, float *row)
{
    const size_t at = self->drawn++, dim = self->dim;
    uint64_t *lot = &self->lot;
    if (at > RECENT && lens_random_below(lot, 20) == 0) {
        const float *twin = self->recent + lens_random_below(lot, RECENT) * dim;
        for (size_t i = 0; i < dim; i++)
            row[i] = twin[i] + 0.05f * even(lot) / sqrtf((float)dim);
    } else {
        const double where = (double)lens_random_below(lot, 1000000000) / 1e9;
        size_t low = 0, high = self->clusters - 1;
        while (low < high)
            *(self->upto[(low + high) / 2] < where ? &low : &high) = (low + high) / 2 + (self->upto[(low + high) / 2] < where);
        memcpy(row, self->centres + low * dim, dim * sizeof *row);
        for (size_t j = 0; j < LOW; j++) {
            const float *direction = self->pools + (low % POOLS * LOW + j) * dim, by = 0.15f * normal(lot);
            for (size_t i = 0; i < dim; i++)
                row[i] += by * direction[i];
        }
        for (size_t i = 0; i < dim; i++)
            row[i] += 0.35f * even(lot) / sqrtf((float)dim);
    }
    unit(row, dim);
    memcpy(self->recent + at % RECENT * dim, row, dim * sizeof *row);
}

made_batch made_batch_new(size_t most, size_t dim)
{
    return (made_batch){most, malloc(most * dim * sizeof(float)), calloc(most, sizeof(lens_store_entry)), calloc(most, sizeof(struct lens_store_vector)), calloc(most, 32)};
}

void made_batch_free(made_batch *self)
{
    free(self->vectors);
    free(self->entries);
    free(self->made);
    free(self->paths);
}

void made_batch_draw(made_batch *self, mixture *from_mixture, int64_t model, size_t from, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        float *vector = self->vectors + i * from_mixture->dim;
        char *path = self->paths[i];
        snprintf(path, sizeof self->paths[i], "/drawn/%08zu.jpg", from + i);
        draw(from_mixture, vector);
        self->made[i] = (struct lens_store_vector){model, vector};
        self->entries[i] = (lens_store_entry){.path = path, .size = 1, .mtime_ns = 1, .hash = lens_hash_of(path, strlen(path)), .width = 400, .height = 400, .format = "JPEG",
                                              .vector_count = 1, .vectors = &self->made[i]};
    }
}

lens_store *made_library_open(const char *place, size_t dim, int64_t *model, lens_error *err)
{
    lens_store *store = lens_store_open(place, LENS_STORE_WRITE, 0, err);
    if (!store || lens_store_add_root(store, "/drawn", err) != 0 || lens_store_add_model(store, "drawn", (int)dim, lens_hash_of("drawn", 5), model, err) != 0)
        return NULL;
    return store;
}
