/* What fuzz targets do with a store that is not as it should be: read all of it, search, write, copy it. */
#ifndef LENS_TESTS_STORE_USE_H
#define LENS_TESTS_STORE_USE_H

#include "fuzzing.h"
#include "library/approximate.h"
#include "library/copies.h"
#include "library/nearness.h"
#include "memelens.h"
#include "store/copying.h"
#include "store/texts.h"

static volatile double seen;

/* ---- reading it ---- */

static inline int see_picture(void *context, const lens_store_picture *picture)
{
    (void)context;
    expect(picture->path != NULL);
    seen += (double)strlen(picture->path) + (picture->format ? picture->format[0] : 0) + (picture->reason ? picture->reason[0] : 0);
    return 0;
}

static inline int see_text(void *context, const lens_store_text *text)
{
    (void)context;
    seen += (double)(strlen(text->text) + strlen(text->folded));
    return 0;
}

static inline int see_word(void *context, const char *word, size_t size, int64_t texts)
{
    (void)context;
    seen += (double)(size ? word[size - 1] : 0) + (double)texts;
    return 0;
}

static inline int see_id(void *context, int64_t id)
{
    (void)context;
    seen += (double)id;
    return 0;
}

static inline void see_fault(void *context, const char *line)
{
    (void)context;
    expect(*line && !strchr(line, '\n'));
}

static inline void see_rows(lens_store *store, const lens_store_vectors *vectors)
{
    for (size_t i = 0; i < vectors->count; i++) {
        size_t row;
        expect(vectors->slots[i] < vectors->committed && (i == 0 || vectors->ids[i] > vectors->ids[i - 1]));
        expect(lens_store_vectors_row(vectors, vectors->ids[i], &row) && row == i);
        for (int j = 0; j < vectors->dim; j++)
            seen += (double)vectors->data[(size_t)vectors->slots[i] * (size_t)vectors->dim + (size_t)j];
    }
    float *shapes = malloc((vectors->count + 1) * sizeof *shapes);
    lens_error err = {0};
    expect(shapes != NULL);
    if (lens_store_vectors_shapes(store, vectors, shapes, &err) == 0)
        for (size_t i = 0; i < vectors->count; i++)
            seen += (double)shapes[i];
    free(shapes);
}

static inline void see_vectors(lens_store *store, int64_t model)
{
    lens_store_vectors vectors;
    lens_error err = {0};
    if (lens_store_vectors_open(store, model, NULL, 0, &vectors, &err) != 0) {
        expect_words(&err);
        return;
    }
    see_rows(store, &vectors);
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

static inline void see_models(lens_store *store, bool sentences)
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

static inline void see_parts(lens_store *store)
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
static inline lens_store *open_store(const char *place, lens_store_mode mode)
{
    lens_error err = {0};
    lens_store *store = lens_store_open(place, mode, 0, &err);
    if (!store)
        expect_words(&err);
    return store;
}

static inline void read_store(const char *place)
{
    lens_error err = {0};
    lens_store *store = open_store(place, LENS_STORE_READ);
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

static inline void ask_library(const char *place)
{
    lens_error err = {0};
    lens_library *library = lens_library_open(place, &err);
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

static inline void write_store(const char *place)
{
    lens_error err = {0};
    lens_store *store = open_store(place, LENS_STORE_WRITE);
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
    lens_store_readings_write(store, NULL, "v", &reading, 1, &err);
    lens_store_texts_mend(store, &mended, &err);
    lens_store_compact(store, true, &err);
    lens_store_forget(store, "/q", &number, &err);
    if (lens_store_met_clear(store, &err) == 0)
        lens_store_sweep(store, fuzz_folder(), &number, &err);
    lens_store_forget_model(store, "colour", &err);
    lens_store_close(store);
}

/* What is copied from it is a library like any other. */
static inline void copy_library(const char *place)
{
    char to[300];
    lens_error err = {0};
    lens_copy_report report;
    snprintf(to, sizeof to, "%s/copy", fuzz_folder());
    const lens_copy_options options = {0};
    if (lens_copy(place, to, &options, &report, &err) != 0) {
        expect_words(&err);
    } else {
        lens_store *store = lens_store_open(to, LENS_STORE_READ, 0, &err);
        expect_done(store != NULL, &err);
        lens_store_close(store);
    }
    lens_folder_remove(to, NULL);
}

#endif
