/* A PostgreSQL server that answers whatever an input says, in the place of libpq: a target that includes this is not linked to the one that opens it. */
#ifndef LENS_TESTS_LYING_PQ_H
#define LENS_TESTS_LYING_PQ_H

#include "fuzzing.h"
#include "store/postgres/libpq.h"

/* ANSWERS_MORE: so many as expected behind the end of the input, then the connection is lost, so that whatever asks until there is nothing more ends. */
enum { PQ_COLUMNS_MOST = 15, PQ_ROWS_MOST = 40, PQ_ANSWERS_MORE = 100 };

typedef struct pq_cell {
    uint8_t *bytes; /* NULL: null */
    int size;
} pq_cell;

struct pg_result {
    ExecStatusType status;
    int rows, columns;
    pq_cell *cells;
    char state[6];
    const char *tuples;
};

struct pg_conn {
    bool bad;
    PGresult *next;
};

static fuzz_rest pq_script; /* what is left of the input */
static int pq_more;
static uint8_t pq_fingerprint[16]; /* of the model that can be opened */

/* SIZE bytes of CELL, with a NUL behind them, to be written to. */
static uint8_t *pq_room(pq_cell *cell, size_t size)
{
    cell->bytes = malloc(size + 1);
    expect(cell->bytes != NULL);
    cell->bytes[size] = '\0';
    cell->size = (int)size;
    return cell->bytes;
}

static void pq_put(pq_cell *cell, const void *bytes, size_t size)
{
    uint8_t *room = pq_room(cell, size);
    if (size)
        memcpy(room, bytes, size);
}

static void pq_put_number(pq_cell *cell, uint64_t number, int size)
{
    uint8_t bytes[8];
    for (int i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> (8 * (size - 1 - i)));
    pq_put(cell, bytes, (size_t)size);
}

/* As pgvector sends it: dimensions, nothing, numbers; of length 1 unless ODD. */
static void pq_put_vector(pq_cell *cell, int dim, int place, bool odd)
{
    uint8_t bytes[4 + 4 * 193] = {(uint8_t)(dim >> 8), (uint8_t)dim};
    static const uint8_t one[4] = {0x3f, 0x80}, nan[4] = {0x7f, 0xc0};
    if (dim)
        memcpy(bytes + 4 + 4 * (place % dim), odd ? nan : one, 4);
    pq_put(cell, bytes, 4 + 4 * (size_t)dim);
}

static void pq_put_text(pq_cell *cell, int which)
{
    static const char *const texts[] = {"colour", "all-minilm-l6-v2", "/p/a.jpg", "/p/b.png", "/p", "/", "JPEG", "a cat", "cat", "vector", "public", "v", "", "../x", "a\nb", "\xff\xfe",
                                        "{\"captions\": true}", "clip-vit-b-32@crop", "/q/new.jpg", "captions.tsv"};
    const char *text = texts[(size_t)which % (sizeof texts / sizeof *texts)];
    pq_put(cell, text, strlen(text));
}

/* One cell in ROW as the input says it. */
static void pq_fill(pq_cell *cell, int row)
{
    static const int64_t odd[] = {-1, 0, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, (int64_t)INT32_MAX + 1, UINT32_MAX, (int64_t)UINT32_MAX + 1, 1000000000000, 16000, 16001, 65536};
    static const int dims[] = {193, 384, 1, 2, 0}, vector_dims[] = {193, 193, 1, 2, 0};
    const uint32_t code = fuzz_number(&pq_script, 1);
    uint32_t more;
    switch (code) {
    case 32: *cell = (pq_cell){0}; break;
    case 33: pq_put_number(cell, (uint64_t)fuzz_number(&pq_script, 4) << 32 | fuzz_number(&pq_script, 4), 8); break;
    case 34: pq_put_number(cell, (uint64_t)odd[fuzz_number(&pq_script, 1) % (sizeof odd / sizeof *odd)], 8); break;
    case 35: pq_put_number(cell, fuzz_number(&pq_script, 4), 4); break;
    case 36: pq_put_number(cell, fuzz_number(&pq_script, 1), 1); break;
    case 37: pq_put_text(cell, (int)fuzz_number(&pq_script, 1)); break;
    case 38: more = fuzz_number(&pq_script, 1);
        more = more < pq_script.size ? more : (uint32_t)pq_script.size;
        pq_put(cell, pq_script.data, more);
        pq_script = (fuzz_rest){pq_script.data + more, pq_script.size - more};
        break;
    case 39: more = fuzz_number(&pq_script, 1);
        pq_put_vector(cell, vector_dims[more % 3 ? 0 : more / 3 % 5], row, more >= 250);
        break;
    case 40: pq_put_number(cell, (uint64_t)row + 1, 8); break;
    case 41: pq_put(cell, pq_fingerprint, 16); break;
    case 42: pq_put_number(cell, (uint64_t)dims[fuzz_number(&pq_script, 1) % 5], 8); break;
    case 43: pq_put_number(cell, UINT64_C(0x3fe0000000000000), 8); break; /* 0.5 */
    case 44: more = fuzz_number(&pq_script, 2);
        memset(pq_room(cell, more), (int)fuzz_number(&pq_script, 1), more);
        break;
    default: pq_put_number(cell, code < 32 ? code + 1 : code, 8); break; /* what is missing of an input is 1 */
    }
}

static void lie_PQclear(PGresult *result)
{
    for (int i = 0; result && i < result->rows * result->columns; i++)
        free(result->cells[i].bytes);
    free(result ? result->cells : NULL);
    free(result);
}

/* The next answer. Its first byte: 0: one row, of ones; from 0xf0: a failure; else the rows, and whether each has cells of its own or all are like the first.
 * NULL: the connection is lost. */
static PGresult *pq_answer(void)
{
    static const char *const states[] = {"57P01", "08006", "53100", "42501", "25006", "55P03", "40P01", "42P01", "3F000", "57014", "XX000", "40001", "23505"};
    static const char *const tuples[] = {"1", "0", "", "2", "-1", "99999999999999999999", "x"};
    if (!pq_script.size && pq_more-- <= 0)
        return NULL;
    const uint32_t first = fuzz_number(&pq_script, 1);
    if (first == 0xff)
        return NULL;
    PGresult *result = malloc(sizeof *result);
    expect(result != NULL);
    *result = (PGresult){.status = PGRES_TUPLES_OK, .rows = 1, .columns = PQ_COLUMNS_MOST, .tuples = "1"};
    if (first >= 0xf0) {
        result->status = PGRES_FATAL_ERROR;
        result->rows = result->columns = 0;
        snprintf(result->state, sizeof result->state, "%s", states[(first - 0xf0) % (sizeof states / sizeof *states)]);
        result->status = first == 0xfe ? PGRES_COPY_OUT : result->status;
    } else if (first) {
        const uint32_t second = fuzz_number(&pq_script, 1);
        result->rows = (int)((first - 1) % (PQ_ROWS_MOST + 1));
        result->columns = (int)(second % (PQ_COLUMNS_MOST + 1));
        result->tuples = tuples[second / 16 % (sizeof tuples / sizeof *tuples)];
    }
    const int count = result->rows * result->columns;
    result->cells = calloc((size_t)count + 1, sizeof *result->cells);
    expect(result->cells != NULL);
    if (!first)
        for (int i = 0; i < count; i++)
            pq_put_number(&result->cells[i], 1, 8);
    const bool alike = first > PQ_ROWS_MOST + 1;
    const fuzz_rest begin = pq_script;
    for (int row = 0; first && row < result->rows; row++) {
        pq_script = alike ? begin : pq_script;
        for (int i = 0; i < result->columns; i++)
            pq_fill(&result->cells[row * result->columns + i], row);
    }
    return result;
}

static int pq_send(PGconn *connection, bool rows)
{
    expect(!connection->next);
    connection->next = rows ? pq_answer() : calloc(1, sizeof *connection->next);
    if (connection->next && !rows)
        *connection->next = (PGresult){.status = PGRES_COMMAND_OK, .tuples = ""};
    connection->bad |= !connection->next;
    return 1;
}

/* ---- libpq's own, which takes a connection that is NULL for a lost one ---- */

static const pq_cell *pq_at(const PGresult *result, int row, int column)
{
    static const pq_cell none;
    return row >= 0 && row < result->rows && column >= 0 && column < result->columns ? &result->cells[row * result->columns + column] : &none;
}

static PGconn *lie_PQconnectdbParams(const char *const *keywords, const char *const *values, int expand)
{
    (void)keywords, (void)values, (void)expand;
    return calloc(1, sizeof(PGconn));
}

static PGPing lie_PQpingParams(const char *const *keywords, const char *const *values, int expand)
{
    (void)keywords, (void)values, (void)expand;
    return PQPING_OK;
}

static void lie_PQfinish(PGconn *connection)
{
    if (connection)
        lie_PQclear(connection->next);
    free(connection);
}

static ConnStatusType lie_PQstatus(const PGconn *connection) { return connection && !connection->bad ? CONNECTION_OK : CONNECTION_BAD; }
static char *lie_PQerrorMessage(const PGconn *connection) { (void)connection; return (char *)"FATAL:  a reason\n"; }
static char *lie_PQuser(const PGconn *connection) { (void)connection; return (char *)"somebody"; }
static int lie_PQsetnonblocking(PGconn *connection, int on) { (void)connection, (void)on; return 0; }
static int lie_PQflush(PGconn *connection) { return connection ? 0 : -1; }
static int lie_PQsendQuery(PGconn *connection, const char *sql) { (void)sql; return lie_PQstatus(connection) != CONNECTION_OK ? 0 : pq_send(connection, false); }

static int lie_PQsendPrepare(PGconn *connection, const char *name, const char *sql, int count, const Oid *types)
{
    (void)name, (void)sql, (void)count, (void)types;
    return lie_PQstatus(connection) != CONNECTION_OK ? 0 : pq_send(connection, false);
}

static int lie_PQsendQueryParams(PGconn *connection, const char *sql, int count, const Oid *types, const char *const *values, const int *lengths, const int *formats, int format)
{
    (void)sql, (void)count, (void)types, (void)values, (void)lengths, (void)formats, (void)format;
    return lie_PQstatus(connection) != CONNECTION_OK ? 0 : pq_send(connection, true);
}

static int lie_PQsendQueryPrepared(PGconn *connection, const char *name, int count, const char *const *values, const int *lengths, const int *formats, int format)
{
    (void)name, (void)count, (void)values, (void)lengths, (void)formats, (void)format;
    return lie_PQstatus(connection) != CONNECTION_OK ? 0 : pq_send(connection, true);
}

static PGresult *lie_PQgetResult(PGconn *connection)
{
    PGresult *result = connection ? connection->next : NULL;
    if (connection)
        connection->next = NULL;
    return result;
}

static ExecStatusType lie_PQresultStatus(const PGresult *result) { return result ? result->status : PGRES_FATAL_ERROR; }
static int lie_PQntuples(const PGresult *result) { return result->rows; }
static int lie_PQgetlength(const PGresult *result, int row, int column) { return pq_at(result, row, column)->size; }
static int lie_PQgetisnull(const PGresult *result, int row, int column) { return !pq_at(result, row, column)->bytes; }
static char *lie_PQcmdTuples(PGresult *result) { return (char *)result->tuples; }

static char *lie_PQgetvalue(const PGresult *result, int row, int column)
{
    const bool there = row >= 0 && row < result->rows && column >= 0 && column < result->columns;
    char *bytes = (char *)pq_at(result, row, column)->bytes;
    return bytes ? bytes : there ? (char *)"" : NULL;
}

static char *lie_PQresultErrorField(const PGresult *result, int field)
{
    return !result || !result->state[0] ? NULL : (char *)(field == PG_DIAG_SQLSTATE ? result->state : "a reason");
}

static PQnoticeProcessor lie_PQsetNoticeProcessor(PGconn *connection, PQnoticeProcessor processor, void *context)
{
    (void)connection, (void)context;
    return processor;
}

static PQconninfoOption *lie_PQconninfoParse(const char *place, char **reason)
{
    (void)place, (void)reason;
    return calloc(1, sizeof(PQconninfoOption));
}

static void lie_PQconninfoFree(PQconninfoOption *options) { free(options); }
static int lie_PQsocket(const PGconn *connection) { (void)connection; return -1; }
static int lie_PQconsumeInput(PGconn *connection) { return lie_PQstatus(connection) == CONNECTION_OK; }
static int lie_PQisBusy(PGconn *connection) { (void)connection; return 0; }
static PGcancel *lie_PQgetCancel(PGconn *connection) { (void)connection; return NULL; }
static int lie_PQcancel(PGcancel *handle, char *words, int size) { (void)handle, (void)words, (void)size; return 0; }
static void lie_PQfreeCancel(PGcancel *handle) { (void)handle; }

/* In the place of store/postgres/libpq.c's. */
const lens_pq *lens_pq_open(lens_error *err)
{
#define PQ_LIE(function) .function = lie_##function,
    static const lens_pq pq = {LENS_PQ_FUNCTIONS(PQ_LIE)};
    (void)err;
    return &pq;
}

#endif
