/* What the body of a request is, when it is no JSON: a form, or a picture. */
#ifndef LENS_SERVER_FORM_H
#define LENS_SERVER_FORM_H

#include "server/query.h"
#include "server/server.h"

/* Reads the body of EXCHANGE, a form: fields "image" and "text" are terms, the others options. 0, or -1 with ERR. */
int lens_query_form(lens_exchange *exchange, lens_query *query, lens_error *err);

/* The picture that the body is, or the form field "image" in it: *BYTES (the caller frees) and *SIZE. 0, or -1 with an answer. */
int lens_upload_body(lens_exchange *exchange, void **bytes, size_t *size);

#endif
