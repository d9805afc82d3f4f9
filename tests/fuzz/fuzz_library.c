/* A library's folder as it may come from anyone. The first byte says what is done to a good one: 'd': the rest is its database; 'p': bytes of its
 * files are spoilt, each time file, place, length and bytes; 's': the rest is SQL, run with every right over the schema. Then all that reads a
 * library reads it, and all that writes to one writes: whatever is in it, each must end in an answer or in an error with words. */
#include <sqlite3.h>

#include "library/approximate.h"
#include "library/copies.h"
#include "library/nearness.h"
#include "packed_right.h"
#include "small_library.h"
#include "store/copying.h"
#include "store/texts.h"

enum { FILES_MOST = 8, STEPS_MOST = 200000 };

static char library_path[300];
static struct file {
    char name[128];
    lens_buffer good;
} files[FILES_MOST];
static size_t file_count;
static volatile double seen;

/* ---- a good library ---- */

static void keep_file(const char *name)
{
    char path[500];
    lens_error err = {0};
    struct file *file = &files[file_count++];
    expect(file_count <= FILES_MOST);
    snprintf(file->name, sizeof file->name, "%s", name);
    snprintf(path, sizeof path, "%s/%s", library_path, name);
    expect_done(lens_file_read(path, SIZE_MAX, &file->good, &err) == 0, &err);
}

static void forget_files(void)
{
    for (size_t i = 0; i < file_count; i++)
        lens_buffer_free(&files[i].good);
}

static void keep_beside(const char *path)
{
    if (path && lens_file_exists(path))
        keep_file(strrchr(path, '/') + 1);
}

static void make_library(void)
{
    lens_error err = {0};
    small_library_make(fuzz_folder());
    snprintf(library_path, sizeof library_path, "%s/library", fuzz_folder());
    lens_store *store = lens_store_open(library_path, LENS_STORE_WRITE, 0, &err);
    lens_store_models models;
    lens_store_vectors vectors;
    expect_done(store && lens_store_models_list(store, &models, &err) == 0 && models.count == 1, &err);
    expect_done(lens_store_vectors_open(store, models.items[0].id, NULL, 0, &vectors, &err) == 0, &err);
    expect_done(lens_copies_make(&vectors, &err) == 0, &err);
    free(lens_nearness_penalties(&vectors, 1, &err));
    bool made;
    expect_done(lens_approximate_refresh(store, models.items[0].id, 1, NULL, NULL, &made, &err) == 0, &err);
    char vector_file[300];
    snprintf(vector_file, sizeof vector_file, "%s", vectors.copy);
    *strrchr(vector_file, '.') = '\0'; /* NAME.vectors.bytes */
    lens_store_close(store);
    keep_file("library.db");
    keep_beside(vector_file);
    keep_beside(vectors.copy);
    keep_beside(vectors.near);
    keep_beside(vectors.cells);
    lens_store_vectors_free(&vectors);
    lens_store_models_free(&models);
    atexit(forget_files);
}

/* ---- spoiling it ---- */

static void put_file(const char *name, const void *bytes, size_t size)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s", library_path, name);
    fuzz_put(path, bytes, size);
}

static void spoil(fuzz_rest rest)
{
    while (rest.size > 0) {
        struct file *file = &files[fuzz_number(&rest, 1) % file_count];
        const size_t place = fuzz_number(&rest, 3) % file->good.size, asked = fuzz_number(&rest, 1), room = file->good.size - place;
        uint8_t *bytes = malloc(file->good.size); /* what is spoilt is a copy of what lies there now */
        char path[500];
        lens_buffer now = {0};
        lens_error err = {0};
        expect(bytes != NULL);
        snprintf(path, sizeof path, "%s/%s", library_path, file->name);
        expect_done(lens_file_read(path, SIZE_MAX, &now, &err) == 0 && now.size == file->good.size, &err);
        memcpy(bytes, now.data, now.size);
        const size_t length = asked < room ? asked : room;
        for (size_t i = 0; i < length; i++)
            bytes[place + i] = (uint8_t)fuzz_number(&rest, 1);
        if (file - files >= 2)
            packed_make_right(bytes, now.size, NULL, true);
        fuzz_put(path, bytes, now.size);
        lens_buffer_free(&now);
        free(bytes);
    }
}

static int enough(void *context)
{
    return ++*(int *)context > STEPS_MOST / 1000;
}

/* Nothing but this database. */
static int allow(void *context, int action, const char *a, const char *b, const char *database, const char *trigger)
{
    (void)context, (void)b, (void)database, (void)trigger;
    const bool elsewhere = action == SQLITE_ATTACH || (action == SQLITE_PRAGMA && a && (strstr(a, "directory") || strstr(a, "journal_mode")));
    return elsewhere ? SQLITE_DENY : SQLITE_OK;
}

static void run_sql(fuzz_rest rest)
{
    char path[500];
    sqlite3 *db = NULL;
    int steps = 0;
    char *text = fuzz_text(rest);
    snprintf(path, sizeof path, "%s/library.db", library_path);
    expect(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
    expect(sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
    sqlite3_set_authorizer(db, allow, NULL);
    sqlite3_progress_handler(db, 1000, enough, &steps);
    for (char *at = text; at && *at; ) { /* statement by statement: one that fails does not end it */
        char *end = strchr(at, '\n');
        if (end)
            *end = '\0';
        sqlite3_exec(db, at, NULL, NULL, NULL);
        at = end ? end + 1 : NULL;
    }
    sqlite3_close(db);
    free(text);
}

/* ---- reading it ---- */

static int see_picture(void *context, const lens_store_picture *picture)
{
    (void)context;
    expect(picture->path != NULL);
    seen += (double)strlen(picture->path) + (picture->format ? picture->format[0] : 0) + (picture->reason ? picture->reason[0] : 0);
    return 0;
}

static int see_text(void *context, const lens_store_text *text)
{
    (void)context;
    seen += (double)(strlen(text->text) + strlen(text->folded));
    return 0;
}

static int see_word(void *context, const char *word, size_t size, int64_t texts)
{
    (void)context;
    seen += (double)(size ? word[size - 1] : 0) + (double)texts;
    return 0;
}

static int see_id(void *context, int64_t id)
{
    (void)context;
    seen += (double)id;
    return 0;
}

static void see_fault(void *context, const char *line)
{
    (void)context;
    expect(*line && !strchr(line, '\n'));
}

static void see_vectors(lens_store *store, int64_t model)
{
    lens_store_vectors vectors;
    lens_error err = {0};
    if (lens_store_vectors_open(store, model, NULL, 0, &vectors, &err) != 0) {
        expect_words(&err);
        return;
    }
    for (size_t i = 0; i < vectors.count; i++) {
        expect(vectors.slots[i] < vectors.committed && (i == 0 || vectors.ids[i] > vectors.ids[i - 1]));
        for (int j = 0; j < vectors.dim; j++)
            seen += (double)vectors.data[(size_t)vectors.slots[i] * (size_t)vectors.dim + (size_t)j];
    }
    float *shapes = malloc((vectors.count + 1) * sizeof *shapes);
    expect(shapes != NULL);
    lens_store_vectors_shapes(store, &vectors, shapes, &err);
    free(shapes);
    free(lens_nearness_penalties(&vectors, 1, &err));
    lens_bytes_view bytes = {0};
    lens_packed *packed = lens_copies_open(&vectors, &bytes);
    for (size_t i = 0; packed && i < bytes.count; i++)
        seen += (double)bytes.codes[i * lens_code_size(vectors.dim)];
    lens_approximate_close(packed ? lens_approximate_open(&vectors, &bytes) : NULL);
    lens_packed_close(packed);
    const char *const labels[] = {"pictures"};
    lens_store_filter filter = lens_store_filter_none;
    filter.pattern = "*[0-4]*";
    filter.below = true;
    filter.labels = labels;
    filter.label_count = 1;
    lens_store_vectors_narrow(store, &vectors, &filter, &err);
    lens_store_vectors_free(&vectors);
}

static void see_models(lens_store *store, bool sentences)
{
    lens_store_models models = {0};
    lens_error err = {0};
    if ((sentences ? lens_store_sentence_models : lens_store_models_list)(store, &models, &err) != 0) {
        expect_words(&err);
        return;
    }
    int64_t contents[4];
    for (size_t i = 0; i < models.count && i < 3; i++) {
        see_vectors(store, models.items[i].id);
        lens_store_sentences_missing(store, models.items[i].id, 0, contents, 4, &err);
    }
    lens_store_models_free(&models);
}

static void see_parts(lens_store *store)
{
    lens_error err = {0};
    if (lens_store_export_begin(store, &err) != 0) {
        expect_words(&err);
        return;
    }
    for (int part = 0; part < LENS_STORE_PARTS; part++) {
        lens_records records = {0};
        err = (lens_error){0};
        if (lens_store_export(store, (lens_store_part)part, 1, NULL, &records, &err) != 0)
            expect_words(&err);
        for (size_t i = 0; i < records.count; i++) {
            lens_buffer words = {0};
            const lens_record record = lens_records_at(&records, i), before = lens_records_at(&records, i ? i - 1 : 0);
            lens_record_fault((lens_store_part)part, 193, record);
            expect(lens_record_name((lens_store_part)part, record, &words) == 0 && lens_record_difference((lens_store_part)part, before, record, &words) == 0);
            lens_record_order(before, record);
            lens_buffer_free(&words);
        }
        lens_records_free(&records);
    }
    lens_store_export_end(store);
}

/* NULL with a reason. */
static lens_store *open_store(lens_store_mode mode)
{
    lens_error err = {0};
    lens_store *store = lens_store_open(library_path, mode, 0, &err);
    if (!store)
        expect_words(&err);
    return store;
}

static void read_store(void)
{
    lens_error err = {0};
    lens_store *store = open_store(LENS_STORE_READ);
    if (!store)
        return;
    lens_names paths = {0};
    if (lens_store_roots(store, &paths, &err) == 0)
        for (size_t i = 0; i < paths.count; i++) {
            char *settings = NULL;
            if (lens_store_root_settings(store, paths.items[i], &settings, &err) == 0)
                free(settings);
        }
    lens_names_free(&paths);
    if (lens_store_forgotten(store, &paths, &err) == 0)
        lens_names_free(&paths);
    lens_store_picture picture;
    if (lens_store_picture_by_id(store, 1, &picture, &err) == 1)
        lens_store_picture_free(&picture);
    if (lens_store_picture_by_path(store, "/p", &picture, &err) == 1)
        lens_store_picture_free(&picture);
    lens_store_pictures_each(store, see_picture, NULL, &err);
    lens_store_pictures_of(store, 0, see_picture, NULL, &err);
    int64_t ids[4];
    const int some = lens_store_pictures_some(store, ids, 4, &err);
    expect(some <= 4);
    see_models(store, false);
    see_models(store, true);
    for (int kind = LENS_SOURCE_FILE; kind <= LENS_SOURCE_EMBEDDED; kind++) {
        lens_store_sources sources = {0};
        if (lens_store_sources_list(store, (lens_source_kind)kind, &sources, &err) == 0)
            lens_store_sources_free(&sources);
    }
    lens_store_texts_match(store, "cat OR dog", true, see_text, NULL, &err);
    lens_store_texts_of(store, 1, see_text, NULL, &err);
    lens_store_texts_of_content(store, 1, see_text, NULL, &err);
    lens_store_words(store, see_word, NULL, &err);
    lens_store_picture_ids(store, 1, see_id, NULL, &err);
    char *version = NULL;
    int64_t read, with_text;
    if (lens_store_readings_version(store, &version, &err) == 0)
        free(version);
    lens_store_readings_count(store, NULL, &read, &with_text, &err);
    lens_store_readings_missing(store, "v", 0, ids, 4, &err);
    see_parts(store);
    lens_store_counts counts;
    lens_store_count(store, &counts, &err);
    lens_store_check(store, see_fault, NULL, &err);
    lens_store_close(store);
}

static void ask(void)
{
    lens_error err = {0};
    lens_library *library = lens_library_open(library_path, &err);
    expect_done(library != NULL, &err);
    const lens_term terms[] = {{.kind = LENS_TERM_ID, .id = 1, .weight = 1}, {.kind = LENS_TERM_WORDS, .text = "cat", .weight = 1}};
    for (int i = 0; i < 2; i++) {
        lens_search_options options = lens_search_options_default();
        options.by = i ? LENS_BY_TEXT : LENS_BY_LOOK;
        options.unhub = options.fold = !i;
        err = (lens_error){0};
        lens_results *results = lens_search(library, &terms[i], 1, &options, &err);
        if (!results)
            expect_words(&err);
        lens_results_free(results);
    }
    lens_status_free(lens_status_get(library, &err));
    lens_texts texts;
    if (lens_texts_get(library, 1, &texts, &err) == 0)
        lens_texts_free(&texts);
    lens_library_close(library);
}

/* ---- writing to it ---- */

static void write_store(void)
{
    lens_error err = {0};
    lens_store *store = open_store(LENS_STORE_WRITE);
    if (!store)
        return;
    float values[193] = {1};
    const struct lens_store_vector vector = {1, values};
    const lens_store_entry entries[] = {
        {.path = "/q/new.jpg", .hash = lens_hash_of("new", 3), .width = 1, .height = 2, .format = "JPEG", .vector_count = 1, .vectors = &vector},
        {.path = "/q/broken.jpg", .reason = "broken"},
    };
    int64_t pictures[2] = {0}, source, number;
    bool mended;
    lens_store_models models = {0};
    const bool fits = lens_store_models_list(store, &models, &err) == 0 && models.count > 0 && models.items[0].id == 1 && models.items[0].dim == 193;
    lens_store_models_free(&models);
    if (fits && lens_store_write(store, entries, 2, pictures, &err) != 0)
        expect_words(&err);
    lens_store_add_root(store, "/q", &err);
    if (lens_store_source_put(store, "/q/captions.tsv", LENS_SOURCE_FILE, NULL, &source, &err) == 0) {
        const lens_store_caption caption = {pictures[0], "a new one", "a new one"};
        lens_store_captions_write(store, source, 1, 1, &caption, 1, true, &number, &err);
    }
    const lens_store_reading reading = {1, "read", "read"};
    lens_store_readings_write(store, "v", &reading, 1, &err);
    lens_store_texts_mend(store, &mended, &err);
    lens_store_compact(store, true, &err);
    lens_store_forget(store, "/q", &number, &err);
    if (lens_store_met_clear(store, &err) == 0)
        lens_store_sweep(store, fuzz_folder(), &number, &err);
    lens_store_forget_model(store, "colour", &err);
    lens_store_close(store);
}

/* What is copied from it is a library like any other. */
static void copy_library(void)
{
    char to[300];
    lens_error err = {0};
    lens_copy_report report;
    snprintf(to, sizeof to, "%s/copy", fuzz_folder());
    const lens_copy_options options = {0};
    if (lens_copy(library_path, to, &options, &report, &err) != 0) {
        expect_words(&err);
    } else {
        lens_store *store = lens_store_open(to, LENS_STORE_READ, 0, &err);
        expect_done(store != NULL, &err);
        lens_store_close(store);
    }
    lens_folder_remove(to, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || !strchr("dps", data[0]))
        return 0;
    if (!file_count)
        make_library();
    lens_error err = {0};
    expect_done(lens_folder_remove(library_path, &err) == 0 && lens_folder_make(library_path, &err) == 0, &err);
    for (size_t i = 0; i < file_count; i++)
        put_file(files[i].name, files[i].good.data, files[i].good.size);
    const fuzz_rest rest = {data + 1, size - 1};
    if (data[0] == 'd')
        put_file("library.db", rest.data, rest.size);
    else if (data[0] == 'p')
        spoil(rest);
    else
        run_sql(rest);
    read_store();
    ask();
    if (size % 4 == 1)
        copy_library();
    write_store();
    return 0;
}
