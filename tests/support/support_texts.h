/* Libraries with texts: what is said about made-up pictures (support_store.h), what was read in them, and what is found. */
#ifndef LENS_TESTS_SUPPORT_TEXTS_H
#define LENS_TESTS_SUPPORT_TEXTS_H

#include "store/texts.h"
#include "support_store.h"

enum { TEXTS_DIM = 4 };

typedef struct texts_fixture {
    char *place;
    lens_store *store; /* to write */
    int64_t model;
} texts_fixture;

/* cmocka's fixture: *STATE is an empty library with a model. */
int texts_setup(void **state);
int texts_teardown(void **state);

int64_t texts_picture(texts_fixture *f, const char *path, uint64_t content); /* its id */
int64_t texts_content(texts_fixture *f, uint64_t content);                   /* the id of what test_hash made of it */
int64_t texts_source(texts_fixture *f, const char *path);

/* SOURCE says from now on what follows: pictures (int64_t) and texts, ended by an id that is 0. How many changed. */
int64_t texts_say(texts_fixture *f, int64_t source, int whole, ...);

/* VERSION reads what follows: contents (int, as texts_picture has them) and texts, ended by 0. */
void texts_read(texts_fixture *f, const char *version, ...);

/* The texts that MATCH finds, in order of their ids, are EXPECTED: "text;text;". */
void texts_expect_in(lens_store *store, const char *match, const char *expected);
void texts_expect(texts_fixture *f, const char *match, const char *expected);

/* The contents (int, ended by 0) that have texts and no vector of MODEL are those that follow; and gives some of them one. */
void texts_expect_missing(texts_fixture *f, int64_t model, ...);
void texts_encode(texts_fixture *f, int64_t model, ...);

/* Fails unless the index of the library at PLACE is in order and like the texts, which is looked at without our code, and nothing is due. How many texts there
 * are. */
int64_t texts_sound_in(const char *place);
void texts_sound(texts_fixture *f);

/* Runs SQL on the database of the library in FOLDER, behind the store's back. */
void texts_damage(const char *folder, const char *sql);

/* Makes the library in FOLDER, which nobody has open, one of schema version 1, as it was before there were words. */
void texts_make_old(const char *folder);

#endif
