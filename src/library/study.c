/* memelens_study.h: a library as one model sees it. */
#include "memelens_study.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/processors.h"
#include "library/internal.h"
#include "library/nearness.h"
#include "library/view.h"
#include "search/neighbours.h"

struct lens_study {
    lens_store *store;
    lens_store_model model;
    lens_store_vectors vectors;
    char **paths; /* [vectors.count] */
    float *penalties;
    lens_model encoder;
    lens_study_info info;
};

static int read_paths(lens_study *study, lens_error *err)
{
    study->paths = calloc(study->vectors.count + 1, sizeof *study->paths);
    if (!study->paths)
        return lens_fail_memory(err);
    for (size_t row = 0; row < study->vectors.count; row++) {
        lens_store_picture picture;
        int known = lens_store_picture_by_id(study->store, study->vectors.ids[row], &picture, err);
        if (known != 1)
            return known < 0 ? -1 : lens_fail(err, LENS_E_BUSY, "the library changed while it was opened");
        study->paths[row] = picture.path;
        picture.path = NULL;
        lens_store_picture_free(&picture);
    }
    return 0;
}

struct row {
    char *path;
    uint32_t slot;
    int64_t id;
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->path, ((const struct row *)b)->path);
}

/* Puts the rows in order of their paths: ids come as workers finished, and what ties must not depend on that. */
static int sort_rows(lens_study *study, lens_error *err)
{
    const size_t count = study->vectors.count;
    struct row *rows = malloc((count + 1) * sizeof *rows);
    if (!rows)
        return lens_fail_memory(err);
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct row){study->paths[i], study->vectors.slots[i], study->vectors.ids[i]};
    qsort(rows, count, sizeof *rows, by_path);
    for (size_t i = 0; i < count; i++) {
        study->paths[i] = rows[i].path;
        study->vectors.slots[i] = rows[i].slot;
        study->vectors.ids[i] = rows[i].id;
    }
    free(rows);
    return 0;
}

static int open_encoder(lens_study *study, const char *precision, lens_error *err)
{
    study->encoder.encoder = lens_model_encoder(study->model.name, precision, LENS_TOWER_BOTH, err);
    if (!study->encoder.encoder || lens_library_model_matches(&study->model, study->encoder.encoder, err) != 0)
        return -1;
    const lens_encoder_info *about = lens_encoder_about(study->encoder.encoder);
    lens_study_info *info = &study->info;
    info->model = study->model.name;
    info->precision = lens_precision_name(about->precision);
    info->dim = about->dim;
    info->words = about->words;
    info->count = study->vectors.count;
    lens_hash_hex(&about->fingerprint, sizeof about->fingerprint.bytes, info->fingerprint);
    return 0;
}

lens_study *lens_study_open(lens_library *library, const char *model, const char *precision, lens_error *err)
{
    lens_study *study = calloc(1, sizeof *study);
    if (!study) {
        lens_fail_memory(err);
        return NULL;
    }
    if ((study->store = lens_store_open(library->place.store, LENS_STORE_READ, 0, err)) &&
        lens_library_model(study->store, &library->place, model, false, &study->model, err) == 0 &&
        lens_store_vectors_open(study->store, study->model.id, NULL, 0, &study->vectors, err) == 0 &&
        lens_store_vectors_fit(&study->vectors, study->model.dim, err) == 0 && read_paths(study, err) == 0 && sort_rows(study, err) == 0 &&
        open_encoder(study, precision, err) == 0)
        return study;
    lens_study_close(study);
    return NULL;
}

void lens_study_close(lens_study *study)
{
    if (!study)
        return;
    for (size_t row = 0; study->paths && row < study->vectors.count; row++)
        free(study->paths[row]);
    free(study->paths);
    free(study->penalties);
    lens_session_free(study->encoder.session);
    lens_encoder_close(study->encoder.encoder);
    lens_store_vectors_free(&study->vectors);
    free(study->model.name);
    lens_store_close(study->store);
    free(study);
}

const lens_study_info *lens_study_about(const lens_study *study)
{
    return &study->info;
}

const char *lens_study_path(const lens_study *study, size_t row)
{
    return study->paths[row];
}

int lens_study_encode(lens_study *study, const lens_term *query, uint64_t max_pixels, float *vector, lens_error *err)
{
    if (query->kind == LENS_TERM_ID)
        return lens_fail(err, LENS_E_ARGUMENT, "a query of a study is a picture or words");
    return lens_model_embed(&study->encoder, query, max_pixels, vector, err);
}

void lens_study_scores(const lens_study *study, const float *vector, float *scores)
{
    const lens_view view = lens_vectors_view(&study->vectors);
    for (size_t row = 0; row < view.count; row++)
        scores[row] = lens_dot(lens_view_row(&view, row), vector, view.dim);
}

const float *lens_study_penalties(lens_study *study, lens_error *err)
{
    if (!study->penalties)
        study->penalties = lens_nearness_penalties(&study->vectors, lens_processors(), err);
    return study->penalties;
}

int lens_study_hubs(lens_study *study, size_t k, bool unhub, uint32_t *listed, size_t *asked, lens_error *err)
{
    lens_view view = lens_vectors_view(&study->vectors);
    if (unhub && !(view.penalty = lens_study_penalties(study, err)))
        return -1;
    const size_t most = view.count < LENS_NEARNESS_MOST ? view.count : LENS_NEARNESS_MOST;
    size_t *askers = malloc((most + 1) * sizeof *askers);
    lens_neighbour *nearest = malloc((most * k + 1) * sizeof *nearest);
    int result = -1;
    *asked = 0;
    if (!askers || !nearest) {
        lens_fail_memory(err);
    } else {
        *asked = lens_chosen_spread(&view, most, askers);
        result = lens_neighbours(&view, (lens_chosen){askers, *asked}, (lens_chosen){NULL, view.count}, k, lens_processors(), nearest, err);
    }
    memset(listed, 0, view.count * sizeof *listed);
    for (size_t i = 0; result == 0 && i < *asked * k; i++)
        listed[nearest[i].row]++;
    free(nearest);
    free(askers);
    return result;
}
