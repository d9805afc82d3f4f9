#include "support_store.h"

#include <math.h>

lens_store *test_store(const char *place, lens_store_mode mode)
{
    lens_error err = {0};
    lens_store *store = lens_store_open(place, mode, 0, &err);
    if (!store)
        fail_msg("%s", err.message);
    return store;
}

int64_t test_model(lens_store *store, const char *name, int dim)
{
    lens_error err = {0};
    int64_t id = 0;
    assert_done(lens_store_add_model(store, name, dim, lens_hash_of(name, strlen(name)), &id, &err), &err);
    assert_true(id > 0);
    return id;
}

lens_hash test_hash(uint64_t content)
{
    return lens_hash_of(&content, sizeof content);
}

void test_vector(uint64_t content, float *values, int dim)
{
    uint64_t state = content * 0x9e3779b97f4a7c15u + 1;
    double sum = 0;
    for (int i = 0; i < dim; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        values[i] = (float)((double)(state >> 40) / (1 << 24) - 0.5);
        sum += (double)values[i] * values[i];
    }
    for (int i = 0; i < dim; i++)
        values[i] = (float)(values[i] / sqrt(sum));
}

int test_write_pictures(lens_store *store, int64_t model, int dim, const char *folder, uint64_t first, size_t count,
                        lens_error *err)
{
    lens_store_entry *entries = calloc(count, sizeof *entries);
    struct lens_store_vector *vectors = calloc(count, sizeof *vectors);
    float *values = calloc(count * (size_t)dim, sizeof *values);
    char **paths = calloc(count, sizeof *paths);
    assert_true(entries && vectors && values && paths);
    for (size_t i = 0; i < count; i++) {
        float *row = values + i * (size_t)dim;
        test_vector(first + i, row, dim);
        paths[i] = test_path(folder, "%05llu.jpg", (unsigned long long)(first + i));
        vectors[i] = (struct lens_store_vector){model, row};
        entries[i] = (lens_store_entry){
            .path = paths[i], .size = 1000, .mtime_ns = 1700000000123456789, .hash = test_hash(first + i), .width = 640, .height = 480,
            .format = "JPEG", .vector_count = 1, .vectors = &vectors[i],
        };
    }
    int result = lens_store_write(store, entries, count, NULL, err);
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths), free(entries), free(vectors), free(values);
    return result;
}

int64_t test_write_picture(lens_store *store, int64_t model, int dim, const char *path, uint64_t content, int64_t moved_from)
{
    lens_error err = {0};
    float *values = calloc((size_t)dim, sizeof *values);
    assert_non_null(values);
    test_vector(content, values, dim);
    struct lens_store_vector vector = {model, values};
    lens_store_entry entry = {
        .path = path, .size = 1000, .mtime_ns = 5, .hash = test_hash(content), .width = 640, .height = 480, .format = "JPEG",
        .moved_from = moved_from, .vector_count = 1, .vectors = &vector,
    };
    int64_t id = 0;
    assert_done(lens_store_write(store, &entry, 1, &id, &err), &err);
    free(values);
    return id;
}

void test_library_fill(const char *place, int dim, size_t count)
{
    lens_store *store = test_store(place, LENS_STORE_WRITE);
    lens_error err;
    int64_t model = test_model(store, "m", dim);
    assert_int_equal(model, 1);
    assert_done(lens_store_add_root(store, "/p", &err), &err);
    assert_done(test_write_pictures(store, model, dim, "/p", 0, count, &err), &err);
    lens_store_close(store);
}

char *test_library_new(int dim, size_t count)
{
    char *folder = test_folder_new();
    test_library_fill(folder, dim, count);
    return folder;
}

int64_t test_id(lens_store *store, const char *path)
{
    lens_error err = {0};
    lens_store_picture picture;
    int found = lens_store_picture_by_path(store, path, &picture, &err);
    if (found < 0)
        fail_msg("%s", err.message);
    int64_t id = found ? picture.id : 0;
    lens_store_picture_free(&picture);
    return id;
}

static void count_fault(void *context, const char *line)
{
    printf("fault: %s\n", line);
    ++*(int *)context;
}

size_t test_store_sound(lens_store *store, int64_t model, int dim)
{
    lens_error err = {0};
    int faults = 0;
    int result = lens_store_check(store, count_fault, &faults, &err);
    if (result < 0)
        fail_msg("%s", err.message);
    assert_int_equal(result, faults);
    assert_int_equal(faults, 0);
    lens_store_vectors view;
    assert_done(lens_store_vectors_open(store, model, NULL, 0, &view, &err), &err);
    assert_int_equal(view.dim, dim);
    float *values = calloc((size_t)dim, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < view.count; i++) {
        assert_true(i == 0 || view.ids[i - 1] < view.ids[i]);
        lens_store_picture picture;
        assert_int_equal(lens_store_picture_by_id(store, view.ids[i], &picture, &err), 1);
        unsigned long long content = 0;
        if (sscanf(strrchr(picture.path, '/'), "/%llu.jpg", &content) == 1) {
            test_vector(content, values, dim);
            assert_memory_equal(view.data + (size_t)view.slots[i] * (size_t)dim, values, (size_t)dim * sizeof *values);
        }
        lens_store_picture_free(&picture);
    }
    free(values);
    size_t count = view.count;
    lens_store_vectors_free(&view);
    return count;
}
