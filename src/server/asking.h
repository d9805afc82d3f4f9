/* From what a request asks for to the library's answer: uploads are looked up, addresses fetched, files read where that is allowed. */
#ifndef LENS_SERVER_ASKING_H
#define LENS_SERVER_ASKING_H

#include "server/query.h"
#include "server/server.h"

/* Turns ASKED into a TERM, which lives as long as ASKED. 0; -1 with an answer filled in; or -1 without one when this worker is too quick for it: the
 * exchange is then to be left to a slow one. */
int lens_asked_term(lens_exchange *exchange, lens_asked *asked, lens_term *term);

/* Whether a request may name MODEL (NULL: none): one of a folder by its path only where paths are told, else a guess at one would be proven. 0, or -1 with an answer. */
int lens_asked_model(lens_exchange *exchange, const char *model);

/* Searches. NULL: an answer is filled in, or ERR, or neither when it is for a slow worker. */
lens_results *lens_asking(lens_exchange *exchange, lens_query *query, lens_error *err);

#endif
