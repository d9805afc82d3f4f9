#include "library/nearness.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/packed.h"
#include "library/view.h"
#include "search/neighbours.h"

/* Raised when what is in the file means something else. */
enum { FORMAT = 1 };

static const char run_name[] = "penalties";

/* The last of the vectors that are in use. NULL: there is none. */
static const float *last_row(const lens_store_vectors *vectors)
{
    uint32_t last = 0;
    for (size_t i = 0; i < vectors->count; i++)
        last = vectors->slots[i] > last ? vectors->slots[i] : last;
    return vectors->count ? vectors->data + (size_t)last * (size_t)vectors->dim : NULL;
}

/* What the penalties depend on: the vector file, and which slots of it are pictures. Beside the database of a backup slots are written anew; who does that
 * removes what is kept (store/folder/write.c). An older memelens did not, so the last of them is looked at too. */
static int key_of(const lens_store_vectors *vectors, lens_hash *key, lens_error *err)
{
    const uint64_t format = FORMAT;
    const float *last = last_row(vectors);
    lens_buffer text = {0};
    int result = 0;
    if (lens_buffer_append(&text, &vectors->identity, sizeof vectors->identity) != 0 || lens_buffer_append(&text, &format, sizeof format) != 0 ||
        lens_buffer_append(&text, vectors->slots, vectors->count * sizeof *vectors->slots) != 0 ||
        (last && lens_buffer_append(&text, last, (size_t)vectors->dim * sizeof *last) != 0))
        result = lens_fail_memory(err);
    else
        *key = lens_hash_of(text.data, text.size);
    lens_buffer_free(&text);
    return result;
}

static int work_out(const lens_store_vectors *vectors, int threads, float *penalties, lens_error *err)
{
    const lens_view view = lens_vectors_view(vectors);
    const size_t most = view.count < LENS_NEARNESS_MOST ? view.count : LENS_NEARNESS_MOST;
    size_t *others = malloc((most + 1) * sizeof *others);
    const size_t count = others ? lens_chosen_spread(&view, most, others) : 0;
    const size_t k = count > LENS_NEARNESS_K ? LENS_NEARNESS_K : count > 1 ? count - 1 : 0;
    lens_neighbour *nearest = malloc((view.count * k + 1) * sizeof *nearest);
    int result = 0;
    if (!others || !nearest)
        result = lens_fail_memory(err);
    else if (k > 0)
        result = lens_neighbours(&view, (lens_chosen){NULL, view.count}, (lens_chosen){others, count}, k, threads, nearest, err);
    for (size_t row = 0; result == 0 && row < view.count; row++) {
        double sum = 0;
        for (size_t i = 0; i < k; i++)
            sum += (double)nearest[row * k + i].score;
        penalties[row] = k ? (float)(sum / (double)k / 2) : 0;
    }
    free(nearest);
    free(others);
    return result;
}

/* What keeps them from being kept costs the next search time, and is not said. */
static void keep(const lens_store_vectors *vectors, const lens_hash *key, const float *penalties)
{
    lens_error ignored = {0};
    lens_packing *packing = lens_packing_new();
    if (packing && lens_packing_add(packing, run_name, penalties, vectors->count * sizeof *penalties, &ignored) == 0)
        lens_packing_write(packing, vectors->near, key, &ignored);
    lens_packing_free(packing);
}

float *lens_nearness_penalties(const lens_store_vectors *vectors, int threads, lens_error *err)
{
    const size_t size = vectors->count * sizeof(float);
    lens_hash key;
    if (key_of(vectors, &key, err) != 0)
        return NULL;
    float *penalties = malloc(size + 1);
    if (!penalties) {
        lens_fail_memory(err);
        return NULL;
    }
    lens_error ignored = {0};
    lens_packed *packed = vectors->near ? lens_packed_open(vectors->near, &key, &ignored) : NULL;
    const float *kept = packed ? lens_packed_find(packed, run_name, size, &ignored) : NULL;
    if (kept) {
        memcpy(penalties, kept, size);
    } else if (work_out(vectors, threads, penalties, err) != 0) {
        free(penalties);
        penalties = NULL;
    } else if (vectors->count && vectors->near) {
        keep(vectors, &key, penalties);
    }
    lens_packed_close(packed);
    return penalties;
}

float *lens_nearness_of_some(lens_store *store, int64_t model, const lens_store_vectors *some, int threads, lens_error *err)
{
    lens_store_vectors all;
    if (lens_store_vectors_open(store, model, NULL, 0, &all, err) != 0)
        return NULL;
    float *penalties = lens_nearness_penalties(&all, threads, err), *chosen = penalties ? malloc((some->count + 1) * sizeof *chosen) : NULL;
    if (penalties && !chosen)
        lens_fail_memory(err);
    for (size_t i = 0, at = 0; chosen && i < some->count; i++) { /* both are in order of id */
        while (at < all.count && all.ids[at] < some->ids[i])
            at++;
        chosen[i] = at < all.count && all.ids[at] == some->ids[i] ? penalties[at] : 0;
    }
    free(penalties);
    lens_store_vectors_free(&all);
    return chosen;
}
