/* The index of words and the list of them: both follow what becomes of the texts (texts.c), and can be made anew of them. */
#include <stdlib.h>

#include "store/folder/internal.h"
#include "store/texts.h"

/* ---- the list of words ---- */

static int compare_words(const void *a, const void *b)
{
    const lens_slice *x = a, *y = b;
    const int order = memcmp(x->at, y->at, x->size < y->size ? x->size : y->size);
    return order ? order : x->size < y->size ? -1 : x->size > y->size;
}

static int count_word(lens_folder *store, bool comes, const lens_slice *word, lens_error *err)
{
    sqlite3_stmt *statement = comes ? lens_sql(store, "INSERT INTO word VALUES (?1, 1) ON CONFLICT (word) DO UPDATE SET texts = texts + 1", err)
                                    : lens_sql(store, "UPDATE word SET texts = texts - 1 WHERE word = ?1", err);
    for (int step = 0; statement; step++) {
        sqlite3_bind_text(statement, 1, word->at, (int)word->size, SQLITE_STATIC);
        if (lens_sql_finish(store, statement, err) != 0)
            return -1;
        if (comes || step)
            return 0;
        statement = lens_sql(store, "DELETE FROM word WHERE word = ?1 AND texts <= 0", err);
    }
    return -1;
}

/* Counts each word of FOLDED once, of a text that COMES or goes. */
static int count_words(lens_folder *store, bool comes, const char *folded, lens_error *err)
{
    size_t count = 0;
    for (const char *at = folded; *at; at += strcspn(at, " "), at += *at == ' ')
        count++;
    lens_slice *words = calloc(count + 1, sizeof *words);
    if (!words)
        return lens_sql_memory(store, err);
    count = 0;
    for (const char *at = folded; *at; at += *at == ' ') {
        const size_t size = strcspn(at, " ");
        if (size)
            words[count++] = (lens_slice){at, size};
        at += size;
    }
    qsort(words, count, sizeof *words, compare_words);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        if (i == 0 || compare_words(&words[i - 1], &words[i]) != 0)
            result = count_word(store, comes, &words[i], err);
    free(words);
    return result;
}

/* ---- the index ---- */

static int follow_one(lens_folder *store, bool comes, int64_t text, const char *folded, lens_error *err)
{
    sqlite3_stmt *statement = comes ? lens_sql(store, "INSERT INTO text_words (rowid, folded) VALUES (?1, ?2)", err)
                                    : lens_sql(store, "INSERT INTO text_words (text_words, rowid, folded) VALUES ('delete', ?1, ?2)", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, text);
    sqlite3_bind_text(statement, 2, folded, -1, SQLITE_STATIC);
    return lens_sql_finish(store, statement, err) == 0 ? count_words(store, comes, folded, err) : -1;
}

int lens_texts_follow(lens_folder *store, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT text, gone, come FROM text_due ORDER BY number", err);
    if (!statement)
        return -1;
    int result;
    bool any = false;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        const int64_t text = sqlite3_column_int64(statement, 0);
        const char *gone = (const char *)sqlite3_column_text(statement, 1), *come = (const char *)sqlite3_column_text(statement, 2);
        any = true;
        if ((gone && *gone && follow_one(store, false, text, gone, err) != 0) || (come && *come && follow_one(store, true, text, come, err) != 0)) {
            result = -1;
            break;
        }
    }
    lens_sql_done(store, statement);
    return result == 0 && any ? lens_sql_run(store, "DELETE FROM text_due", err) : result;
}

/* FTS5's own 'integrity-check' wants to write. */
const char *const lens_texts_faults[LENS_TEXTS_FAULTS] = {
    "SELECT count(*) || ' texts are not in the index of words' FROM text WHERE folded <> ''"
    " AND NOT EXISTS (SELECT 1 FROM text_words_docsize WHERE text_words_docsize.id = text.id) HAVING count(*) > 0",
    "SELECT count(*) || ' texts that are no more are in the index of words' FROM text_words_docsize"
    " WHERE NOT EXISTS (SELECT 1 FROM text WHERE text.id = text_words_docsize.id AND folded <> '') HAVING count(*) > 0",
    "SELECT 'the index of words has not followed ' || count(*) || ' changes' FROM text_due HAVING count(*) > 0",
};

/* 1 when something is wrong with the index, 0 when not, -1 on error. */
static int is_off(lens_folder *store, lens_error *err)
{
    int result = 0;
    for (size_t i = 0; i < LENS_TEXTS_FAULTS && result == 0; i++) {
        sqlite3_stmt *statement = lens_sql(store, lens_texts_faults[i], err);
        if (!statement)
            return -1;
        result = lens_sql_step(store, statement, err);
        lens_sql_done(store, statement);
    }
    return result;
}

/* FTS5's own 'rebuild' would take in the texts that say nothing too, which nobody takes out. */
static int index_anew(lens_folder *store, lens_error *err)
{
    if (lens_sql_run(store, "INSERT INTO text_words (text_words) VALUES ('delete-all');"
                            "INSERT INTO text_words (rowid, folded) SELECT id, folded FROM text WHERE folded <> '';"
                            "DELETE FROM text_due; DELETE FROM word", err) != 0)
        return -1;
    sqlite3_stmt *statement = lens_sql(store, "SELECT folded FROM text WHERE folded <> ''", err);
    if (!statement)
        return -1;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        const char *folded = (const char *)sqlite3_column_text(statement, 0);
        if ((result = folded ? count_words(store, true, folded, err) : lens_sql_memory(store, err)) != 0)
            break;
    }
    lens_sql_done(store, statement);
    return result;
}

int lens_folder_texts_mend(lens_folder *store, bool *mended, lens_error *err)
{
    *mended = false;
    const int off = is_off(store, err);
    if (off <= 0)
        return off;
    if (lens_sql_begin(store, err) != 0)
        return -1;
    const int result = lens_sql_end(store, index_anew(store, err), err);
    *mended = result == 0;
    return result;
}
