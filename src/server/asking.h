/* From what a request asks for to the library's answer: uploads are looked up, addresses fetched, files read where that is allowed. */
#ifndef LENS_SERVER_ASKING_H
#define LENS_SERVER_ASKING_H

#include "server/query.h"
#include "server/server.h"

/* Turns ASKED into a TERM, which lives as long as ASKED. 0; -1 with an answer filled in; or -1 without one when this worker is too quick for it: the
 * exchange is then to be left to a slow one. */
int lens_asked_term(lens_exchange *exchange, lens_asked *asked, lens_term *term);

/* Searches. NULL: an answer is filled in, or ERR, or neither when it is for a slow worker. */
lens_results *lens_asking(lens_exchange *exchange, lens_query *query, lens_error *err);

/* Reads the body of EXCHANGE, a form: fields "image" and "text" are terms, the others options. 0, or -1 with ERR. */
int lens_query_form(lens_exchange *exchange, lens_query *query, lens_error *err);

/* The picture that the body is, or the form field "image" in it: *BYTES (the caller frees) and *SIZE. 0, or -1 with an answer. */
int lens_upload_body(lens_exchange *exchange, void **bytes, size_t *size);

#endif
