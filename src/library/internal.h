/* What the files of src/library share: the open library, and how names become models. */
#ifndef LENS_LIBRARY_INTERNAL_H
#define LENS_LIBRARY_INTERNAL_H

#include <sys/types.h>
#include <time.h>

#include "encoders/encoder.h"
#include "memelens.h"
#include "pixels/decode.h"
#include "store/store.h"

struct lens_word_memory;
struct lens_word_map;

/* Where a library is. */
typedef struct lens_library_place {
    char *store;  /* as lens_store_open takes it; may hold a password */
    char *shown;  /* the same as it may be shown */
    char *folder; /* for what belongs to it and is no part of the store: its own, or for a database one of this user's, which need not be there */
} lens_library_place;
int lens_library_place_of(const char *name /* NULL: the default */, lens_library_place *out, lens_error *err);
void lens_library_place_free(lens_library_place *place);

struct lens_library {
    lens_library_place place;
    lens_warm *warm; /* NULL: nothing is kept between calls, and nothing below is used */
    lens_store *store;
    struct lens_library_session { /* of the warm's encoders, which one thread may use */
        struct lens_warm_encoder *encoder;
        lens_session *session;
    } *sessions;
    size_t session_count;
    struct lens_word_memory *words; /* what lens_text_search keeps; NULL: nothing yet */
    struct lens_word_map *map;      /* what lens_word_bridge keeps of a file of its own number and time; NULL: nothing yet */
    ino_t map_number;
    time_t map_time;
};

/* A store to read LIBRARY with: the warm library's own, which stays open, or a new one. NULL on failure. Give it back. */
lens_store *lens_library_reader(lens_library *library, lens_error *err);
void lens_library_reader_done(lens_library *library, lens_store *store);

struct lens_model {
    lens_encoder *encoder;
    lens_session *session; /* of one picture or text, made on first use */
    float *labels;         /* [label_count, dim], of the texts at LABELS_OF */
    const char *const *labels_of;
    size_t label_count;
};

/* A picture file larger than this is not read: 512 MiB. */
#define LENS_MAX_FILE_BYTES ((size_t)512 << 20)

/* $MEMELENS_MODELS, else $XDG_DATA_HOME/memelens/models, else ~/.local/share/memelens/models. NULL on failure. The caller frees. */
char *lens_models_folder(lens_error *err);

/* The folder of model NAME ("efficientnet-lite0", "./folder", either with "@PREP"): the models folder's, or the path itself. When it is
 * not there: LENS_E_MISSING, and how to get it. NULL on failure. The caller frees. */
char *lens_model_folder(const char *name, lens_error *err);

/* Whether NAME, also with "@PREP", is an encoder that has no weights, and so no folder. */
bool lens_model_is_weightless(const char *name);

/* Whether there is such a folder, or NAME is a model that needs none. */
bool lens_model_present(const char *name);

/* What the model NAME can encode, as lens_encoder_towers tells; 0 too when it is not there. */
int lens_model_towers(const char *name);

/* NAME as the library keeps it: plain for the models folder, absolute for a path. NULL on failure. The caller frees. */
char *lens_model_canonical_name(const char *name, lens_error *err);

/* Opens the encoder of NAME for TOWERS. PRECISION: "auto", "f32", … or NULL for auto. */
lens_encoder *lens_model_encoder(const char *name, const char *precision, lens_tower towers, lens_error *err);

/* The model that answers in STORE: WANTED, or when it is NULL the first one that knows words where WORDS asks for it. A copy in *OUT:
 * free its name. LENS_E_MISSING when the library has none, or not this one; LENS_E_UNSUPPORTED when none, or not this one,
 * knows words. */
int lens_library_model(lens_store *store, const lens_library_place *library, const char *wanted, bool words, lens_store_model *out, lens_error *err);

/* The same for LIBRARY, out of its warm where it has one. STORE: its reader, or NULL. */
int lens_library_model_of(lens_library *library, lens_store *store, const char *wanted, bool words, lens_store_model *out, lens_error *err);

/* The same out of MODELS. */
int lens_library_choose(const lens_store_models *models, const lens_library_place *library, const char *wanted, bool words, lens_store_model *out, lens_error *err);

/* Whether a model that has seen VECTORS contents lacks more of MOST than the few that it may not have been able to take. */
bool lens_library_lacks(int64_t vectors, int64_t most);

/* How the model NAME prepares pictures, without opening its weights. LENS_E_UNSUPPORTED when it knows words only. */
int lens_model_preparation(const char *name, lens_preparation *preparation, lens_error *err);

/* Whether model NAME knows words by itself, as far as its files are here to say so. */
bool lens_model_knows_words(const char *name);

/* "PATH: the vectors of MODEL here were made by other weights…" -> -1 when ENCODER is not what made MODEL's vectors. */
int lens_library_model_matches(const lens_store_model *model, const lens_encoder *encoder, lens_error *err);

/* Whether the file at PATH is expected to be a picture: by its name, or else by its first bytes. A file that cannot be opened is none here:
 * only names that promise a picture are worth a complaint, and those are not sniffed. */
bool lens_is_picture_file(const char *path);

/* Encodes one decoded picture. VECTOR [dim]. */
int lens_encode_image(const lens_encoder *encoder, lens_session *session, const lens_image *image, float *vector, lens_error *err);

/* IMAGE within SIDE x SIDE, not enlarged. The caller frees SMALL. */
int lens_shrink(const lens_image *image, int side, lens_image *small, lens_error *err);

/* Reads and decodes a term that is a file or bytes. The message names it. The caller frees IMAGE. */
int lens_decode_term(const lens_term *term, uint64_t max_pixels, lens_image *image, lens_error *err);

#endif
