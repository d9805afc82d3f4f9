/* libpq, opened at run time: linked, it brings OpenSSL, Kerberos and LDAP along, and most libraries are folders. */
#ifndef LENS_STORE_LIBPQ_H
#define LENS_STORE_LIBPQ_H

#include <libpq-fe.h>

#include "base/dynamic.h"
#include "base/error.h"

#define LENS_PQ_FUNCTIONS(X) \
    X(PQconnectdbParams) X(PQpingParams) X(PQfinish) X(PQstatus) X(PQerrorMessage) X(PQuser) X(PQsetnonblocking) X(PQflush) \
    X(PQsendPrepare) X(PQsendQueryParams) X(PQsendQueryPrepared) X(PQresultStatus) X(PQresultErrorField) X(PQclear) X(PQntuples) X(PQgetvalue) \
    X(PQgetlength) X(PQgetisnull) X(PQcmdTuples) X(PQsetNoticeProcessor) X(PQconninfoParse) X(PQconninfoFree) \
    X(PQsendQuery) X(PQsocket) X(PQconsumeInput) X(PQisBusy) X(PQgetResult) X(PQgetCancel) X(PQcancel) X(PQfreeCancel)

typedef struct lens_pq {
    LENS_PQ_FUNCTIONS(LENS_DYNAMIC_SLOT)
} lens_pq;

/* The functions; NULL with ERR when there is no libpq on this machine. */
const lens_pq *lens_pq_open(lens_error *err);

#endif
