/* The library as a whole: looked at, and put in order. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "store/postgres/internal.h"

typedef struct report {
    lens_postgres *store;
    void (*fault)(void *context, const char *line);
    void *context;
    int count;
} report;

/* Every row of SQL is a fault, said in its first column. */
static int say_rows(report *to, const char *sql, lens_error *err)
{
    PGresult *rows = lens_pg_ask(to->store, sql, NULL, err);
    if (!rows)
        return -1;
    for (int i = 0; i < lens_pg_rows(to->store, rows); i++) {
        size_t size;
        const char *words = lens_pg_bytes_at(to->store, rows, i, 0, &size);
        lens_buffer line = {0};
        if (lens_buffer_print(&line, "%s: ", to->store->name) == 0 && lens_text_printable(words, size, &line) == 0 && to->fault)
            to->fault(to->context, line.data);
        lens_buffer_free(&line);
        if (to->count < INT32_MAX)
            to->count++;
    }
    lens_pg_done(to->store, rows);
    return 0;
}

/* What the schema and PostgreSQL's own checksums do not see to. */
static const char *const looks[] = {
    "SELECT 'picture ' || id || ' has no absolute path' FROM picture WHERE substr(path, 1, 1) <> '/'::bytea OR position('\\x00'::bytea IN path) > 0",
    "SELECT 'a rule has no absolute path' FROM rule WHERE substr(path, 1, 1) <> '/'::bytea",
    "SELECT count(*) || ' pictures are counted, and there are ' || (SELECT count(*) FROM picture WHERE content IS NOT NULL) FROM library"
    " WHERE pictures <> (SELECT count(*) FROM picture WHERE content IS NOT NULL) GROUP BY pictures",
    "SELECT 'the list of words has ' || count(*) || ' words that are not as the texts have them; DELETE FROM memelens.word, and the next memelens index makes it anew' FROM (SELECT word, texts FROM word) AS is_now"
    " FULL JOIN (SELECT w AS word, count(*) AS texts FROM text, words_of(folded) AS w GROUP BY w) AS should USING (word)"
    " WHERE is_now.texts IS DISTINCT FROM should.texts HAVING count(*) > 0",
};

static const char *const model_looks[] = {
    "SELECT 'the vector of content ' || content || ' in vector_%lld is not of length 1; memelens forget --model, then index again' FROM vector_%lld"
    " WHERE abs((exact <#> exact) + 1) > 1e-3",
    "SELECT 'vector_%lld has ' || count(*) || ' vectors whose halves are of other vectors; memelens forget --model, then index again' FROM vector_%lld"
    " WHERE (half <-> exact::halfvec) > 1e-3 HAVING count(*) > 0",
};

/* One that is forgotten while all are looked at has no faults. */
static int check_model(report *to, int64_t model, lens_error *err)
{
    char sql[LENS_PG_SQL];
    lens_error why = {0};
    int result = 0, dim = 0;
    for (size_t i = 0; i < sizeof model_looks / sizeof *model_looks && result == 0; i++)
        result = say_rows(to, lens_pg_sql_of(sql, model_looks[i], model), &why);
    if (result != 0 && why.code == LENS_E_MISSING)
        result = lens_pg_model(to->store, model, &dim, &why) == 0 ? 0 : -1;
    if (result != 0 && err)
        *err = why;
    return result;
}

static int check_models(report *to, bool sentences, lens_error *err)
{
    lens_store_models models;
    if ((sentences ? lens_postgres_sentence_models : lens_postgres_models_list)(to->store, &models, err) != 0)
        return -1;
    int result = 0;
    for (size_t m = 0; m < models.count && result == 0; m++)
        result = check_model(to, models.items[m].id, err);
    lens_store_models_free(&models);
    return result;
}

int lens_postgres_check(lens_postgres *store, void (*fault)(void *context, const char *line), void *context, lens_error *err)
{
    report to = {store, fault, context, 0};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (say_rows(&to, looks[i], err) != 0)
            return -1;
    return check_models(&to, false, err) == 0 && check_models(&to, true, err) == 0 ? to.count : -1;
}

/* The list of words by the texts, where there is none: triggers keep it, but someone may have loaded rows without them. Comparing it would read all texts in
 * every run. */
int lens_postgres_texts_mend(lens_postgres *store, bool *mended, lens_error *err)
{
    *mended = false;
    int64_t texts = 0, words = 0;
    if (lens_pg_number(store, "SELECT count(*) FROM text WHERE folded <> ''", NULL, &texts, err) != 0 ||
        lens_pg_number(store, "SELECT count(*) FROM word", NULL, &words, err) != 0)
        return -1;
    if ((texts == 0) == (words == 0))
        return 0;
    if (lens_pg_begin(store, err) != 0)
        return -1;
    const int result = lens_pg_end(store, lens_pg_plain(store, "DELETE FROM memelens.word; INSERT INTO memelens.word SELECT w, count(*) FROM memelens.text,"
                                                               " memelens.words_of(folded) AS w GROUP BY w", err), err);
    *mended = result == 0;
    return result;
}

/* Giving room back is what PostgreSQL does by itself; but a run that has written much leaves it without statistics for a minute. */
int lens_postgres_compact(lens_postgres *store, bool always, lens_error *err)
{
    if (store->mode != LENS_STORE_WRITE)
        return lens_fail(err, LENS_E_ARGUMENT, "%s: the library was opened for reading only", store->name);
    int64_t stale = 0;
    if (lens_pg_number(store, "SELECT coalesce(bool_or(n_mod_since_analyze > 1000 + n_live_tup / 10), false) FROM pg_stat_user_tables WHERE schemaname = 'memelens'",
                       NULL, &stale, err) != 0)
        return -1;
    if (!stale && !always)
        return 0;
    return lens_pg_plain(store, "ANALYZE memelens.picture; ANALYZE memelens.content; ANALYZE memelens.text; ANALYZE memelens.word", err);
}
