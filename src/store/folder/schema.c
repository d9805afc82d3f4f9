/* The tables of a library, and how a library of an older version becomes one of today.
 *
 * Rows are kept lean: 10,000 pictures cost some 2.5 MB beside their vectors. Paths and reasons are BLOBs, for they are
 * bytes, not text. AUTOINCREMENT where an id may be kept by someone else: it never comes to mean another row. */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "store/folder/internal.h"

/* An unfinished copy of another library says that it is something else, so that no memelens of any version takes it for a library; what it is a copy of is
 * then in a table `copying`. */
enum { APPLICATION = 0x4c656e73, /* "Lens" */ APPLICATION_COPYING = 0x4c656e43, /* "LenC" */ VERSION = LENS_SCHEMA_VERSION };

/* The vectors of sentences that no longer say what is written about CONTENTS. */
#define STALE(contents) \
    "DELETE FROM vector WHERE content IN (" contents ") AND model IN (SELECT id FROM model WHERE sentences);"

/* A step that a release has gone is never changed: tests/cli/test_upgrade.c holds each kept library against a new one. What SQLite writes down of a
 * table has to be found in a step, or the library is called a stranger's (refuse_foreign): a step that alters a table with a CHECK has those words,
 * as they then are, in a comment of SQL beside it, or makes a table of its own instead. */
static const char *const steps[VERSION] = {
    /* 0 -> 1 */
    /* One row about the whole. `mark` tells this library's vector files from those of any other; `generation` is the
     * greatest number that a vector file was ever given. */
    "CREATE TABLE library (one INTEGER PRIMARY KEY CHECK (one = 1), mark BLOB NOT NULL, generation INTEGER NOT NULL) STRICT;"
    "INSERT INTO library VALUES (1, randomblob(8), 0);"
    /* For all that is at or below PATH, unless a rule below says otherwise: to be indexed, or (`out`) to stay out. How a
     * root is walked (`settings`) is the library's own text. */
    "CREATE TABLE rule (path BLOB PRIMARY KEY, out INTEGER NOT NULL, settings BLOB) STRICT, WITHOUT ROWID;"
    /* `slots`: how many were ever committed to the vector file, dead ones among them. */
    "CREATE TABLE model (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, dim INTEGER NOT NULL,"
    " fingerprint BLOB NOT NULL, generation INTEGER NOT NULL UNIQUE, file TEXT NOT NULL, slots INTEGER NOT NULL) STRICT;"
    "CREATE TABLE content (id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, width INTEGER NOT NULL,"
    " height INTEGER NOT NULL, format TEXT NOT NULL) STRICT;"
    /* A path that holds a content, or the reason why it holds none. */
    "CREATE TABLE picture (id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, content INTEGER REFERENCES content, reason BLOB,"
    " CHECK ((content IS NULL) <> (reason IS NULL))) STRICT;"
    "CREATE INDEX picture_content ON picture (content);"
    /* The index by slot holds the content too (it is part of the key): a search reads that index alone. */
    "CREATE TABLE vector (content INTEGER NOT NULL REFERENCES content ON DELETE CASCADE,"
    " model INTEGER NOT NULL REFERENCES model, slot INTEGER NOT NULL, PRIMARY KEY (content, model)) STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX vector_slot ON vector (model, slot);",
    /* 1 -> 2: words */
    /* A model of sentences: its vectors are of what is written about a content. */
    "ALTER TABLE model ADD COLUMN sentences INTEGER NOT NULL DEFAULT 0;"
    /* A file that captions come from, as it was when they were read; `path` is empty for what lies inside the pictures' own files. */
    "CREATE TABLE source (id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, settings BLOB) STRICT;"
    /* What is said about a picture (it has a source), or was read in a content (it has the version of what read it; empty where there is nothing
     * to be read). `folded` is the text as it is searched: lower-case words with a blank between. */
    "CREATE TABLE text (id INTEGER PRIMARY KEY AUTOINCREMENT, picture INTEGER REFERENCES picture ON DELETE CASCADE,"
    " content INTEGER REFERENCES content ON DELETE CASCADE, source INTEGER REFERENCES source ON DELETE CASCADE, version TEXT,"
    " text TEXT NOT NULL, folded TEXT NOT NULL,"
    " CHECK ((picture IS NULL) <> (content IS NULL)), CHECK ((picture IS NULL) = (source IS NULL)), CHECK ((content IS NULL) = (version IS NULL))) STRICT;"
    "CREATE UNIQUE INDEX text_of_picture ON text (picture, source) WHERE picture IS NOT NULL;"
    "CREATE UNIQUE INDEX text_of_content ON text (content) WHERE content IS NOT NULL;"
    "CREATE INDEX text_of_source ON text (source) WHERE source IS NOT NULL;"
    /* Every word of the texts, and in how many: what a misspelt one may have meant. */
    "CREATE TABLE word (word TEXT PRIMARY KEY, texts INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE VIRTUAL TABLE text_words USING fts5 (folded, content = 'text', content_rowid = 'id', tokenize = 'ascii');"
    /* Texts also go with their picture, so it is triggers that note what the index is to follow; they must not write to it themselves, as nothing that a
     * schema says is trusted to use FTS5. lens_sql_end follows before it commits: between transactions this table is empty. */
    "CREATE TABLE text_due (number INTEGER PRIMARY KEY, text INTEGER NOT NULL, gone TEXT, come TEXT) STRICT;"
    "CREATE TRIGGER text_comes AFTER INSERT ON text BEGIN INSERT INTO text_due (text, come) VALUES (new.id, new.folded);"
    " " STALE("SELECT new.content UNION SELECT content FROM picture WHERE id = new.picture") " END;"
    "CREATE TRIGGER text_goes AFTER DELETE ON text BEGIN INSERT INTO text_due (text, gone) VALUES (old.id, old.folded);"
    " " STALE("SELECT old.content UNION SELECT content FROM picture WHERE id = old.picture") " END;"
    "CREATE TRIGGER text_changes AFTER UPDATE OF text, folded ON text BEGIN INSERT INTO text_due (text, gone, come) VALUES (old.id, old.folded, new.folded);"
    " " STALE("SELECT new.content UNION SELECT content FROM picture WHERE id = new.picture") " END;"
    /* When the captions of a picture go with it, text_goes no longer sees whose content they were of, which a copy may still hold. */
    "CREATE TRIGGER picture_goes BEFORE DELETE ON picture WHEN EXISTS (SELECT 1 FROM text WHERE picture = old.id) BEGIN"
    " " STALE("SELECT old.content") " END;"
    "CREATE TRIGGER picture_changes AFTER UPDATE OF content ON picture WHEN old.content IS NOT new.content BEGIN"
    " " STALE("SELECT old.content UNION SELECT new.content") " END;",
};

/* Whether WORDS make a table that computes nothing, as those that SQLite keeps for itself and behind text_words, which each version words as it likes, and what
 * an owner may have added: its brackets are those about the columns, of keys, and about lengths, while a computed column, a check or a default needs others. */
static bool is_plain_table(const char *words)
{
    static const char begin[] = "CREATE TABLE ";
    static const char *const keys[] = {"PRIMARY KEY", "PRIMARY KEY ", "UNIQUE", "UNIQUE "};
    if (strncmp(words, begin, strlen(begin)) != 0)
        return false;
    const char *open = strchr(words, '(');
    while (open && (open = strchr(open + 1, '('))) {
        bool known = open[1 + strspn(open + 1, "0123456789, ")] == ')';
        for (size_t i = 0; i < sizeof keys / sizeof *keys && !known; i++)
            known = (size_t)(open - words) > strlen(keys[i]) && strncmp(open - strlen(keys[i]), keys[i], strlen(keys[i])) == 0;
        if (!known)
            return false;
    }
    return true;
}

static bool is_ours(const char *words)
{
    for (int i = 0; i < VERSION; i++)
        if (strstr(steps[i], words))
            return true;
    return is_plain_table(words);
}

/* Views, triggers, virtual tables, columns and indices that are computed run what they say whenever rows are asked for, for as long as they like, and the file
 * may come from anywhere: only what is in STEPS, and tables that compute nothing, may be there. A row's words are looked at and not its type, which not every version of SQLite holds against
 * them. */
static int refuse_foreign(lens_folder *store, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", err);
    if (!statement)
        return -1;
    int result;
    while ((result = lens_sql_step(store, statement, err)) > 0) {
        const char *words = (const char *)sqlite3_column_text(statement, 0);
        if (words && is_ours(words))
            continue;
        result = lens_fail(err, LENS_E_FORMAT, "%s/%s: has a view, a trigger, an index or a computed column that is not of memelens; take it out, or move the library away and index again",
                           store->folder, LENS_DATABASE);
        break;
    }
    lens_sql_done(store, statement);
    return result;
}

static int unfinished(lens_folder *store, lens_error *err)
{
    char *source = NULL;
    if (lens_schema_marked(store, &source, err) != 0)
        return -1;
    lens_fail(err, LENS_E_UNSUPPORTED, "%s: an unfinished copy of %s; the same `memelens copy` goes on with it", store->folder, source ? source : "another library");
    free(source);
    return -1;
}

static int newer(const lens_folder *store, long long version, lens_error *err)
{
    return lens_fail(err, LENS_E_VERSION, "%s/%s: a library of version %lld, and this memelens knows up to version %d; use a newer one", store->folder,
                     LENS_DATABASE, version, VERSION);
}

int lens_schema_look_at_header(const lens_folder *store, const uint8_t header[LENS_SCHEMA_HEADER], lens_error *err)
{
    enum { USER_VERSION = 60, APPLICATION_ID = 68 }; /* where SQLite's file format has them */
    const uint32_t version = lens_big_32(header + USER_VERSION), application = lens_big_32(header + APPLICATION_ID);
    const bool ours = memcmp(header, "SQLite format 3", 16) == 0 && (application == APPLICATION || application == APPLICATION_COPYING);
    return ours && version > VERSION && version <= INT32_MAX ? newer(store, version, err) : 0;
}

/* Counts the tables, and until lens_sql_done holds the database for us as it is: another process may just be making the library, or be ending a copy into it, and
 * what is then read piece by piece would be half from before and half from after. NULL with ERR. */
static sqlite3_stmt *hold(lens_folder *store, int64_t *tables, lens_error *err)
{
    sqlite3_stmt *statement = lens_sql(store, "SELECT count(*) FROM sqlite_schema", err);
    if (!statement)
        return NULL;
    if (lens_sql_step(store, statement, err) < 0) {
        lens_sql_done(store, statement);
        return NULL;
    }
    *tables = sqlite3_column_int64(statement, 0);
    return statement;
}

static int look(lens_folder *store, int64_t tables, lens_error *err)
{
    int64_t application = 0, version = 0;
    if (lens_sql_number(store, "PRAGMA application_id", &application, err) != 0 || lens_sql_number(store, "PRAGMA user_version", &version, err) != 0)
        return -1;
    if (application == 0 && version == 0 && tables == 0)
        return 0;
    if ((application != APPLICATION && application != APPLICATION_COPYING) || version < 1)
        return lens_fail(err, LENS_E_FORMAT, "%s/%s: a database, but not a library of memelens", store->folder, LENS_DATABASE);
    if (version > VERSION)
        return newer(store, version, err);
    if (refuse_foreign(store, err) != 0)
        return -1;
    store->version = (int)version;
    return application == APPLICATION_COPYING && !store->copies ? unfinished(store, err) : 1;
}

int lens_schema_look(lens_folder *store, lens_error *err)
{
    store->version = 0;
    int64_t tables = 0;
    sqlite3_stmt *held = hold(store, &tables, err);
    if (!held)
        return -1;
    const int result = look(store, tables, err);
    lens_sql_done(store, held);
    return result;
}

int lens_schema_mark(lens_folder *store, const char *source, lens_error *err)
{
    char words[96];
    snprintf(words, sizeof words, "DROP TABLE IF EXISTS copying; PRAGMA application_id = %d", source ? APPLICATION_COPYING : APPLICATION);
    if (lens_sql_run(store, words, err) != 0 || (source && lens_sql_run(store, "CREATE TABLE copying (source BLOB NOT NULL) STRICT", err) != 0))
        return -1;
    sqlite3_stmt *statement = source ? lens_sql(store, "INSERT INTO copying VALUES (?1)", err) : NULL;
    if (!statement)
        return source ? -1 : 0;
    lens_sql_bind_path(statement, 1, source);
    return lens_sql_finish(store, statement, err);
}

static int read_source(lens_folder *store, char **source, lens_error *err)
{
    int64_t application = 0;
    if (lens_sql_number(store, "PRAGMA application_id", &application, err) != 0)
        return -1;
    if (application != APPLICATION_COPYING)
        return 0;
    bool short_of_memory = false;
    sqlite3_stmt *statement = lens_sql(store, "SELECT source FROM copying", err);
    const int result = statement ? lens_sql_step(store, statement, err) : -1;
    if (result > 0)
        *source = lens_sql_text(statement, 0, &short_of_memory);
    if (statement)
        lens_sql_done(store, statement);
    return short_of_memory ? lens_sql_memory(store, err) : result < 0 ? -1 : 0;
}

int lens_schema_marked(lens_folder *store, char **source, lens_error *err)
{
    *source = NULL;
    int64_t tables = 0;
    sqlite3_stmt *held = hold(store, &tables, err);
    if (!held)
        return -1;
    const int result = read_source(store, source, err);
    lens_sql_done(store, held);
    return result;
}

static int migrate(lens_folder *store, lens_error *err)
{
    int64_t version = 0;
    if (lens_sql_number(store, "PRAGMA user_version", &version, err) != 0)
        return -1;
    for (int64_t i = version; i < VERSION; i++)
        if (lens_sql_run(store, steps[i], err) != 0)
            return -1;
    char words[96];
    int size = snprintf(words, sizeof words, "PRAGMA user_version = %d", VERSION);
    if (version == 0) /* else it is one already, if not an unfinished copy, which it stays */
        snprintf(words + size, sizeof words - (size_t)size, "; PRAGMA application_id = %d", APPLICATION);
    return lens_sql_run(store, words, err);
}

int lens_schema_raise(lens_folder *store, lens_error *err)
{
    int64_t version = 0;
    if (lens_sql_number(store, "PRAGMA user_version", &version, err) != 0)
        return -1;
    store->version = (int)version;
    if (version == VERSION)
        return 0;
    /* Half a schema is never seen: both numbers are part of the transaction. */
    if (lens_sql_begin(store, err) != 0 || lens_sql_end(store, migrate(store, err), err) != 0)
        return -1;
    store->version = VERSION;
    return 0;
}
