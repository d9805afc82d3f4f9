/* An HTTP server of a test's own, on 127.0.0.1. */
#ifndef LENS_TESTS_SERVER_H
#define LENS_TESTS_SERVER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/buffer.h"

typedef struct test_request {
    const char *method, *path; /* "GET", "/owner/name/resolve/main/config.json" */
    const char *head;          /* all of the request's lines */
    int fd;                    /* of the connection, which is closed after the answer */
    int number;                /* 1 for the first request that this server got */
} test_request;

/* The value of header NAME in REQUEST, or "" without it. OUT has room for SIZE bytes. Returns OUT. */
const char *test_request_header(const test_request *request, const char *name, char *out, size_t size);

/* Writes an answer: STATUS ("200 OK"), HEADERS (each line ended by CR LF; may be ""), and to anything but HEAD the body. */
void test_answer(const test_request *request, const char *status, const char *headers, const void *body, size_t size);

typedef struct test_server test_server;

/* Starts one: HANDLER answers each request, on a thread of its own, several at a time. */
test_server *test_server_start(void (*handler)(void *context, const test_request *request), void *context);

/* Ends it; requests that hang are cut off. */
void test_server_stop(test_server *server);
int test_server_port(const test_server *server);

/* Waits until the other side hangs up or the server is stopped. */
void test_server_hang(test_server *server, const test_request *request);

#endif
