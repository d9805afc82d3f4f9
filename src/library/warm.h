/* What a warm library's handles share: encoders, one view of each model's vectors, and what terms came to. */
#ifndef LENS_LIBRARY_WARM_H
#define LENS_LIBRARY_WARM_H

#include <stdatomic.h>

#include "base/packed.h"
#include "library/approximate.h"
#include "library/warm_encoders.h"
#include "search/scan_bytes.h"

/* A model's vectors as they were at one moment. */
typedef struct lens_warm_view {
    lens_store_file file; /* of the library that it is of */
    int64_t model;
    lens_store_vectors vectors; /* of all pictures */
    lens_packed *copies;        /* of BYTES; NULL: none */
    lens_bytes_view bytes;
    lens_approximate *approximate; /* NULL: none */
    lens_slot_rows rows;        /* with it: of VECTORS */
    int64_t cells_stamp;        /* of its file when it was looked for */
    float *shapes; /* [vectors.count] */
    atomic_int users;
} lens_warm_view;

const lens_library_place *lens_warm_place(const lens_warm *warm);

/* Here and below, STORE is the asker's: LENS_E_AWAY when it has another library open than lies at the place now. */

/* lens_library_model, out of what is known already. */
int lens_warm_model(lens_warm *warm, const lens_store *store, const char *wanted, bool words, lens_store_model *out, lens_error *err);

/* The newest view of MODEL's vectors, or NULL. Give it back with lens_warm_view_release (NULL allowed). */
lens_warm_view *lens_warm_view_of(lens_warm *warm, const lens_store *store, int64_t model, lens_error *err);
void lens_warm_view_release(lens_warm_view *view);

/* Lives as long as WARM. */
lens_warm_encoders *lens_warm_encoders_of(lens_warm *warm);

/* What TERM (words or bytes) came to before, as MODEL sees it: true and VECTOR [dim] filled. The last few hundred are kept. */
bool lens_warm_recall(lens_warm *warm, const lens_store_model *model, const lens_term *term, float *vector);
void lens_warm_remember(lens_warm *warm, const lens_store_model *model, const lens_term *term, const float *vector);

#endif
