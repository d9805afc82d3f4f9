#include "store/postgres/libpq.h"

#include <pthread.h>

static lens_pq lib;
static const lens_dynamic_symbol symbols[] = {LENS_PQ_FUNCTIONS(LENS_DYNAMIC_SYMBOL)};
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char cannot_open[256]; /* why libpq is not there; empty when it is */

static void open_library(void)
{
    lens_dynamic_open("libpq.so.5", symbols, sizeof symbols / sizeof *symbols, cannot_open, sizeof cannot_open);
}

const lens_pq *lens_pq_open(lens_error *err)
{
    pthread_once(&once, open_library);
    if (!cannot_open[0])
        return &lib;
    lens_fail(err, LENS_E_UNSUPPORTED, "a library in PostgreSQL needs libpq (package libpq5): %s", cannot_open);
    return NULL;
}
