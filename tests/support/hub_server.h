/* A small Hugging Face hub on this machine, and the other machine that its large files come from. Both can be told to misbehave. */
#ifndef LENS_TESTS_HUB_SERVER_H
#define LENS_TESTS_HUB_SERVER_H

#include "base/buffer.h"
#include "server.h"

#define TEST_HUB_COMMIT "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"
enum { TEST_HUB_FILES = 16, TEST_HUB_FOREVER = 1000 };

typedef struct test_hub_file {
    const char *name, *revision; /* of "main" when NULL, else only at that one, as it stands in an address */
    lens_buffer bytes;
} test_hub_file;

/* What a machine does TIMES times to requests whose method and path hold WHERE ("GET /owner/…"). */
typedef struct test_hub_fault {
    const char *where;
    int times;
    const char *status, *headers; /* it answers so … */
    bool endless, trickles;       /* … and sends bytes beside it until the other side hangs up, as fast as it can or one now and then … */
    bool cut;                     /* … or cuts the body in half … */
    bool hang;                    /* … or sends half of it and falls silent */
} test_hub_fault;

typedef struct test_hub {
    test_server *hub, *store;
    const char *repository; /* "owner/name" */
    test_hub_file files[TEST_HUB_FILES];
    const char *discussions; /* JSON */
    const char *listing;     /* instead of the true one */
    /* Faults; set them while no request is under way. */
    test_hub_fault fault;
    bool ignore_range;   /* 200 and all of it */
    bool no_length;      /* the store, or a plain mirror, says no length … */
    size_t more;         /* … and the store sends so many bytes too many */
    long length_lie;     /* added to the store's Content-Length */
    long linked_lie;     /* added to X-Linked-Size */
    bool other_bytes;    /* the store sends as many, but others */
    bool other_etag;     /* the store's ETag changes with every answer */
    bool no_commit;      /* a plain mirror: no X-Repo-Commit, no X-Linked-… */
    /* What was seen, under LOCK. */
    pthread_mutex_t lock;
    int tokens_at_hub, tokens_at_store; /* requests with Authorization */
    char token[128];                    /* the last one at the hub */
    int ranges;                         /* requests with a Range */
    char range[128], if_range[128];     /* of the last of them */
    int stored;                         /* GETs that the store got */
} test_hub;

/* Starts both. */
test_hub *test_hub_start(const char *repository);
void test_hub_stop(test_hub *hub); /* frees the files' bytes too */

/* Adds a file, copying BYTES. */
void test_hub_add(test_hub *hub, const char *name, const char *revision, const void *bytes, size_t size);

/* "HF_ENDPOINT=http://127.0.0.1:PORT". Static. */
const char *test_hub_endpoint(const test_hub *hub);

#endif
