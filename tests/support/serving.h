/* `memelens serve` in a world, and raw requests to it. */
#ifndef LENS_TESTS_SERVING_H
#define LENS_TESTS_SERVING_H

#include <sys/types.h>

#include "world.h"

typedef struct test_serving {
    pid_t pid;
    int out; /* what it says */
    int port;
} test_serving;

/* How many files servers that are started from now on may have open, by a limit that they cannot raise; 0: as many as we. */
extern unsigned test_serving_files;

/* Starts it on a port of its own, with the options MORE (ended by NULL; may be NULL; "--listen", ":0" is everywhere), and waits until it listens. */
test_serving test_serving_start(const test_world *world, const char *const *more);

/* SIGTERM; fails unless it ends with 0. */
void test_serving_stop(test_serving *serving);

/* A connection to PORT of this machine by IPv4 or IPv6 (AF_INET, AF_INET6), which waits half a minute for what it reads; -1: none. */
int test_dial(int family, int port);

typedef struct test_reply {
    int status;        /* 0: the connection ended without an answer */
    lens_buffer head;  /* its lines */
    lens_buffer body;
} test_reply;

/* Sends the SIZE bytes of REQUEST as they are, then (if ENDS) no more, and reads what comes until the other side closes or half a minute passed. */
test_reply test_serving_raw(const test_serving *serving, const void *request, size_t size, bool ends);

/* "METHOD PATH" with the lines of HEADERS (each ended by CR LF; may be ""; Host and Connection are added) and BODY (may be NULL). */
test_reply test_serving_ask(const test_serving *serving, const char *method, const char *path, const char *headers, const void *body, size_t size);
void test_reply_free(test_reply *reply);

/* Fails unless METHOD PATH is answered with STATUS. */
void test_serving_expect(const test_serving *serving, int status, const char *method, const char *path, const char *headers, const char *body);

/* The same, giving the answer's JSON. The caller frees. */
json_t *test_serving_json(const test_serving *serving, int status, const char *method, const char *path, const char *headers, const char *body);

#endif
