/* Finding words. */
#include <stdlib.h>

#include "store/postgres/internal.h"

#define TEXT_COLUMNS "text.id, coalesce(text.picture, 0), coalesce(text.content, 0), text.text, text.folded, coalesce(text.source, 0)"

enum { TEXTS_FIRST = 512, TEXTS_MOST = 1 << 16 /* asked for at once: who asks may want no more after a few */ };

static int each_text(lens_postgres *store, const PGresult *rows, lens_store_text_each each, void *context)
{
    int result = 0;
    for (int i = 0; i < lens_pg_rows(store, rows) && result == 0; i++) {
        const lens_store_text text = {
            .id = lens_pg_int_at(store, rows, i, 0),
            .picture = lens_pg_int_at(store, rows, i, 1),
            .content = lens_pg_int_at(store, rows, i, 2),
            .text = lens_pg_bytes_at(store, rows, i, 3, NULL),
            .folded = lens_pg_bytes_at(store, rows, i, 4, NULL),
            .source = lens_pg_int_at(store, rows, i, 5),
        };
        result = each(context, &text);
    }
    return result;
}

static int ask_texts(lens_postgres *store, const char *sql, lens_pg_args *args, lens_store_text_each each, void *context, lens_error *err)
{
    PGresult *rows = lens_pg_ask(store, sql, args, err);
    if (!rows)
        return -1;
    const int result = each_text(store, rows, each, context);
    lens_pg_done(store, rows);
    return result;
}

/* MATCH, as FTS5 takes it, as a tsquery: "word" 'word', * a beginning, + one word behind another, AND and OR. A word keeps its quotes, so that nothing in
 * it is an operator. */
static int put_query(lens_buffer *out, const char *match)
{
    int result = 0;
    while (*match && result == 0) {
        if (*match == '"') {
            result = lens_buffer_append(out, "'", 1);
            for (match++; *match && result == 0 && !(match[0] == '"' && match[1] != '"'); match++) {
                if (*match == '"')
                    match++;
                if (*match == '\'' || *match == '\\')
                    result = lens_buffer_append(out, match, 1);
                if (result == 0)
                    result = lens_buffer_append(out, match, 1);
            }
            match += *match == '"';
            if (result == 0)
                result = lens_buffer_append(out, "'", 1);
        } else if (*match == '*') {
            result = lens_buffer_print(out, ":*");
            match++;
        } else if (*match == '+') {
            result = lens_buffer_print(out, "<->");
            match++;
        } else if (strncmp(match, "AND", 3) == 0) {
            result = lens_buffer_print(out, "&");
            match += 3;
        } else if (strncmp(match, "OR", 2) == 0) {
            result = lens_buffer_print(out, "|");
            match += 2;
        } else {
            result = lens_buffer_append(out, match++, 1);
        }
    }
    return result;
}

int lens_postgres_texts_match(lens_postgres *store, const char *match, bool ranked, lens_store_text_each each, void *context, lens_error *err)
{
    lens_buffer query = {0};
    int result = put_query(&query, match);
    if (result != 0)
        lens_fail_memory(err);
    int64_t page = TEXTS_FIRST;
    for (int64_t from = 0; result == 0; from += page, page = page < TEXTS_MOST ? page * 4 : page) {
        lens_pg_args args = {0};
        lens_pg_text(&args, query.data ? query.data : "");
        lens_pg_int(&args, from);
        lens_pg_int(&args, page);
        PGresult *rows = lens_pg_ask(store, ranked ? "SELECT " TEXT_COLUMNS " FROM text WHERE words @@ $1::tsquery ORDER BY ts_rank(words, $1::tsquery, 1) DESC, id OFFSET $2 LIMIT $3"
                                                   : "SELECT " TEXT_COLUMNS " FROM text WHERE words @@ $1::tsquery ORDER BY id OFFSET $2 LIMIT $3", &args, err);
        if (!rows) {
            result = -1;
            break;
        }
        const int count = lens_pg_rows(store, rows);
        result = each_text(store, rows, each, context);
        lens_pg_done(store, rows);
        if (count < page)
            break;
    }
    lens_buffer_free(&query);
    return result;
}

int lens_postgres_texts_of(lens_postgres *store, int64_t id, lens_store_text_each each, void *context, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, id);
    return ask_texts(store, "SELECT " TEXT_COLUMNS " FROM text WHERE picture = $1 UNION ALL SELECT " TEXT_COLUMNS
                            " FROM picture JOIN text ON text.content = picture.content WHERE picture.id = $1", &args, each, context, err);
}

int lens_postgres_texts_of_content(lens_postgres *store, int64_t content, lens_store_text_each each, void *context, lens_error *err)
{
    lens_pg_args args = {0};
    lens_pg_int(&args, content);
    return ask_texts(store, "SELECT " TEXT_COLUMNS " FROM text WHERE content = $1 AND folded <> '' UNION ALL SELECT " TEXT_COLUMNS
                            " FROM picture JOIN text ON text.picture = picture.id WHERE picture.content = $1 AND folded <> '' ORDER BY 2, 1", &args, each, context, err);
}

int lens_postgres_words(lens_postgres *store, lens_store_word_each each, void *context, lens_error *err)
{
    PGresult *rows = lens_pg_ask(store, "SELECT word, texts FROM word ORDER BY word", NULL, err);
    if (!rows)
        return -1;
    int result = 0;
    for (int i = 0; i < lens_pg_rows(store, rows) && result == 0; i++) {
        size_t size;
        const char *word = lens_pg_bytes_at(store, rows, i, 0, &size);
        result = each(context, word, size, lens_pg_int_at(store, rows, i, 1));
    }
    lens_pg_done(store, rows);
    return result;
}

int64_t lens_postgres_text_count(lens_postgres *store, lens_error *err)
{
    return lens_pg_count(store, "SELECT CASE WHEN EXISTS (SELECT FROM text WHERE folded <> '') THEN (SELECT count(*) FROM text) ELSE 0 END", NULL, err);
}

int64_t lens_postgres_caption_count(lens_postgres *store, lens_error *err)
{
    return lens_pg_count(store, "SELECT count(*) FROM text WHERE picture IS NOT NULL", NULL, err);
}
