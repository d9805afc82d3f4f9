/* What is written about pictures, as vectors of sentences. */
#ifndef LENS_LIBRARY_SENTENCES_H
#define LENS_LIBRARY_SENTENCES_H

#include "library/internal.h"

/* The model of sentences that is used where it has been pulled. */
#define LENS_SENTENCE_MODEL "all-minilm-l6-v2"

/* Whether it is here. */
bool lens_sentence_model_here(void);

/* Encodes the texts of every content that has some and no vector of them, and keeps the mean of each content's: *ENCODED contents. Nothing is done, and
 * nothing said, where the model is not here. TELL (may be NULL) is told how it goes; false stops, and what is done is kept. 0 or -1. */
int lens_sentences_refresh(lens_store *store, int threads, bool (*tell)(void *context, int64_t done, int64_t total), void *context, int64_t *encoded,
                           lens_error *err);

#endif
