/* The encoders of a warm: opened at the first need, shared, and opened again when a model's files and vectors have become others. */
#ifndef LENS_LIBRARY_WARM_ENCODERS_H
#define LENS_LIBRARY_WARM_ENCODERS_H

#include <stdatomic.h>

#include "library/internal.h"

/* An encoder with its users. */
typedef struct lens_warm_encoder {
    lens_encoder *encoder;
    atomic_int users;
    atomic_bool stale; /* another one has taken its place */
} lens_warm_encoder;

void lens_warm_encoder_release(lens_warm_encoder *encoder); /* may be NULL */

/* May be shared by threads. Free it when nobody uses its encoders any more. NULL: memory was short. */
typedef struct lens_warm_encoders lens_warm_encoders;
lens_warm_encoders *lens_warm_encoders_new(void);
void lens_warm_encoders_free(lens_warm_encoders *encoders);

/* The encoder that made MODEL's vectors, for TOWERS, with a user more: give it back with lens_warm_encoder_release. NULL on failure: LENS_E_FORMAT
 * when what is in the model's folder now made no such vectors. */
lens_warm_encoder *lens_warm_encoders_get(lens_warm_encoders *encoders, const lens_store_model *model, const char *precision, lens_tower towers,
                                          lens_error *err);

/* The same in f32, for explaining, and perhaps for more towers. Only the last one is kept: it is large and seldom asked for. */
lens_warm_encoder *lens_warm_encoders_explaining(lens_warm_encoders *encoders, const lens_store_model *model, lens_tower towers, lens_error *err);

/* LIBRARY's session on ENCODER, made at the first call; it holds ENCODER, and lives as long as LIBRARY. NULL on failure. */
lens_session *lens_warm_session(lens_library *library, lens_warm_encoder *encoder, lens_error *err);

/* Lets go of LIBRARY's sessions on encoders that are stale (ALL: of all of them). None may be in use. */
void lens_warm_sessions_drop(lens_library *library, bool all);

#endif
