/* Rows of a database that says what it likes: the input is its answers, one behind the other (lying_pq.h). A store is opened on it to be read, to be searched,
 * to be written to, copied from and copied into, and as a worker; each must end in an answer or in an error with words. */
#include "encoders/encoder.h"
#include "lying_pq.h"
#include "small_library.h"
#include "store_use.h"

#define PLACE "postgresql:///fuzz"

static int no_id(void *context, int64_t id)
{
    (void)context;
    return id == 3;
}

/* What a store does that searches by itself. */
static void search_store(void)
{
    static const float query[193] = {1};
    static const int64_t ids[] = {1, 2, 7};
    static const char *const folders[] = {"/p", "/"};
    lens_error err = {0};
    lens_store *store = open_store(PLACE, LENS_STORE_READ);
    if (!store)
        return;
    lens_store_filter filter = lens_store_filter_none;
    filter.pattern = "*[0-4]*";
    filter.below = true;
    const lens_store_scope scope = {.folders = folders, .folder_count = 2, .filter = &filter, .without = ids, .without_count = 3};
    lens_store_vectors found = {0};
    if (lens_store_nearest(store, 1, query, 193, &scope, 5, true, &found, &err) == 0) {
        see_rows(store, &found);
        lens_store_vectors_free(&found);
    }
    if (lens_store_vectors_of(store, 1, ids, 3, &scope, &found, &err) == 0) {
        see_rows(store, &found);
        lens_store_vectors_free(&found);
    }
    int64_t count, *in_scope = NULL;
    size_t in_scope_count = 0;
    lens_store_scope_count(store, 1, &scope, &count, &err);
    if (lens_store_scope_ids(store, 1, &scope, &in_scope, &in_scope_count, &err) == 0)
        for (size_t i = 0; i < in_scope_count; i++)
            seen += (double)in_scope[i];
    free(in_scope);
    double mean, deviation;
    bool wanted;
    if (lens_store_spread(store, 1, query, 193, &mean, &deviation, &err) == 0)
        expect(mean == mean && deviation >= 0);
    lens_store_approximate_wanted(store, &wanted, &err);
    lens_store_approximate_covered(store, 1, &count, &err);
    lens_store_picture_ids(store, 1, no_id, NULL, &err);
    lens_store_version(store, &count, &err);
    lens_store_close(store);
}

static void work(void)
{
    lens_error err = {0};
    lens_store *store = open_store(PLACE, LENS_STORE_WRITE);
    if (!store)
        return;
    int64_t worker = 0, own = 0, model;
    static const int64_t models[] = {1};
    lens_store_work items[3] = {{.path = (char *)"/p/a.jpg", .size = 1}}, taken[3] = {{0}};
    lens_names within = {0};
    expect(lens_names_add(&within, strdup("/p")) == 0);
    if (lens_store_work_begin(store, "w", models, 1, 60, &worker, &err) == 0) {
        lens_store_work_offer(store, worker, items, 1, &err);
        const int count = lens_store_work_claim(store, worker, &within, taken, 3, &err);
        expect(count <= 3);
        for (int i = 0; i < count; i++)
            seen += (double)strlen(taken[i].path);
        if (count > 0)
            lens_store_work_free(taken, (size_t)count);
        lens_store_work_left(store, worker, &within, &own, &err);
        lens_store_work_renew(store, worker, 60, &err);
        lens_store_work_end(store, worker, &err);
    }
    lens_store_workers workers = {0};
    if (lens_store_workers_list(store, &workers, &err) == 0)
        lens_store_workers_free(&workers);
    lens_store_approximate_make(store, 1, &(bool){false}, &err);
    lens_store_add_model(store, "colour", 193, lens_hash_of("f", 1), &model, &err);
    lens_names_free(&within);
    lens_store_close(store);
}

/* Into it, from a folder. */
static void copy_into(void)
{
    char from[300];
    lens_error err = {0};
    lens_copy_report report;
    snprintf(from, sizeof from, "%s/library", fuzz_folder());
    const lens_copy_options options = {0};
    if (lens_copy(from, PLACE, &options, &report, &err) != 0)
        expect_words(&err);
}

static void same(void)
{
    char other[300];
    lens_error err = {0};
    lens_same same;
    snprintf(other, sizeof other, "%s/library", fuzz_folder());
    lens_library *library = lens_library_open(other, &err);
    expect_done(library != NULL, &err);
    if (lens_check_same(library, PLACE, see_fault, NULL, &same, &err) < 0)
        expect_words(&err);
    lens_library_close(library);
}

static void begin(void)
{
    lens_error err = {0};
    lens_encoder *encoder = lens_encoder_open_weightless("colour", LENS_TOWER_BOTH, &err);
    expect_done(encoder != NULL, &err);
    memcpy(pq_fingerprint, lens_encoder_about(encoder)->fingerprint.bytes, sizeof pq_fingerprint);
    lens_encoder_close(encoder);
    small_library_make(fuzz_folder());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    if (size < 1)
        return 0;
    if (!begun)
        begin();
    begun = true;
    pq_script = (fuzz_rest){data + 1, size - 1};
    pq_more = PQ_ANSWERS_MORE;
    switch (data[0] % 8) {
    case 0: read_store(PLACE); break;
    case 1: ask_library(PLACE); break;
    case 2: search_store(); break;
    case 3: write_store(PLACE); break;
    case 4: work(); break;
    case 5: copy_library(PLACE); break;
    case 6: copy_into(); break;
    default: same(); break;
    }
    return 0;
}
