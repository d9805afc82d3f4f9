/* Any bytes as a map from words to pictures. The hash at its end is put right first, so that what it guards is reached: a map that is taken must be
 * fit to use, and to go on from. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "encoders/word_fit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const lens_word_map *map)
{
    float *sentence = calloc((size_t)map->words, sizeof *sentence), *query = malloc((size_t)map->dim * sizeof *query);
    if (!sentence || !query)
        abort();
    sentence[0] = 1;
    if (lens_word_map_apply(map, sentence, query, NULL) == 0) {
        double square = 0;
        for (int i = 0; i < map->dim; i++)
            square += (double)query[i] * (double)query[i];
        if (!(fabs(square - 1) < 1e-3))
            abort();
    }
    free(sentence);
    free(query);
    lens_word_fit *fit = map->words < 64 && map->dim < 4096 ? lens_word_fit_new(map->words, map->dim, NULL) : NULL;
    if (fit && lens_word_fit_add_map(fit, map, 1, NULL) == 0)
        lens_word_map_free(lens_word_fit_solve(fit, &map->about, NULL));
    lens_word_fit_free(fit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    if (size >= sizeof(lens_hash)) {
        lens_hash hash = lens_hash_of(copy, size - sizeof hash);
        memcpy(copy + size - sizeof hash, &hash, sizeof hash);
    }
    lens_word_map *map = lens_word_map_view(copy, size, "fuzz", NULL);
    free(copy); /* the map has copies of all it needs */
    if (map)
        use(map);
    lens_word_map_free(map);
    return 0;
}
