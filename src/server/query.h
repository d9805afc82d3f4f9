/* What is asked for, out of JSON, a form or an address: the terms and the options of a search. The reading is apart from the server, so that it
 * can be fuzzed. */
#ifndef LENS_SERVER_QUERY_H
#define LENS_SERVER_QUERY_H

#include <jansson.h>

#include "memelens.h"
#include "server/cache.h"

enum {
    LENS_QUERY_TERMS = 32,
    LENS_QUERY_RESULTS = 1000, /* at once */
    LENS_QUERY_NAMES = 32,     /* types, and labels */
};

typedef enum lens_asked_kind { LENS_ASKED_TEXT, LENS_ASKED_IMAGE, LENS_ASKED_ID, LENS_ASKED_UPLOAD, LENS_ASKED_URL, LENS_ASKED_FILE } lens_asked_kind;

typedef struct lens_asked {
    lens_asked_kind kind;
    char *text;  /* words, an upload's key, an address, a path */
    void *bytes; /* of an image */
    size_t size;
    int64_t id;
    double weight;
    const lens_blob *blob; /* of an upload, while it is held */
} lens_asked;

typedef struct lens_query {
    lens_asked terms[LENS_QUERY_TERMS];
    size_t count;
    lens_search_options options; /* N is set */
    char *model, *path;          /* the options' own */
    char *types[LENS_QUERY_NAMES], *labels[LENS_QUERY_NAMES];
} lens_query;

void lens_query_init(lens_query *query);
void lens_query_free(lens_query *query);

/* Reads the SIZE bytes of TEXT, as POST /api/search takes them. 0, or -1: LENS_E_ARGUMENT says what is wrong. Free QUERY in any case. */
int lens_query_json(lens_query *query, const char *text, size_t size, lens_error *err);

/* The same for the original client's POST /search: each of its documents is a term. */
int lens_query_jina(lens_query *query, const char *text, size_t size, lens_error *err);

/* The names of the options as text, ended by NULL. */
extern const char *const lens_query_options[];

/* One option NAME with its value as text; a type or a label comes to those there are. 1, 0 when there is no such option, -1 when VALUE is none for
 * it. */
int lens_query_option(lens_query *query, const char *name, const char *value, lens_error *err);

/* One more term. TEXT (may be NULL) is copied, BYTES are taken over in any case. */
int lens_query_add(lens_query *query, lens_asked_kind kind, const char *text, void *bytes, size_t size, int64_t id, double weight, lens_error *err);

#endif
