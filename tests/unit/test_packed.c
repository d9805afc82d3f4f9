/* Packed weights in a file: src/base/packed.c believes nothing, and src/encoders/packed_place.c never makes an answer another one. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "encoders/family.h"
#include "base/packed.h"
#include "encoders.h"
#include "random_minilm.h"
#include "support.h"
#include "weights.h"

static const lens_hash key = {{1, 2, 3}}, other_key = {{1, 2, 4}};

static char *folder; /* of a model */

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static lens_buffer written(void)
{
    static const char first[] = "the first run", second[200] = {7};
    lens_error err = {0};
    char *place = test_folder_new(), *path = test_path(place, "packed");
    lens_packing *packing = lens_packing_new();
    assert_non_null(packing);
    assert_done(lens_packing_add(packing, "first", first, sizeof first, &err), &err);
    assert_done(lens_packing_add(packing, "empty", first, 0, &err), &err);
    assert_done(lens_packing_add(packing, "second", second, sizeof second, &err), &err);
    assert_done(lens_packing_write(packing, path, &key, &err), &err);
    lens_packing_free(packing);
    lens_buffer bytes = test_read(path);
    free(path);
    test_folder_remove(place);
    return bytes;
}

/* A copy that begins on a boundary of 64, as a mapped file does. */
static void *aligned_copy(const lens_buffer *bytes)
{
    void *copy = aligned_alloc(64, (bytes->size + 63) / 64 * 64 + 64);
    assert_non_null(copy);
    return memcpy(copy, bytes->data, bytes->size);
}

static void test_what_was_written_is_read(void **state)
{
    (void)state;
    lens_error err = {0};
    lens_buffer bytes = written();
    void *copy = aligned_copy(&bytes);
    lens_packed *packed = lens_packed_view(copy, bytes.size, "packed", &key, &err);
    assert_done(packed ? 0 : -1, &err);
    const char *second = lens_packed_find(packed, "second", 200, &err), *first = lens_packed_find_table(packed, "first", 14, &err);
    assert_true(first && second);
    assert_string_equal(first, "the first run");
    assert_int_equal(second[0], 7);
    assert_int_equal((uintptr_t)first % 64, 0);
    assert_int_equal((uintptr_t)second % 64, 0);
    assert_non_null(lens_packed_find(packed, "empty", 0, &err));
    assert_null(lens_packed_find(packed, "first", 13, &err)); /* another size is another thing */
    assert_int_equal(err.code, LENS_E_FORMAT);
    assert_null(lens_packed_find(packed, "third", 14, &err));
    assert_says(&err, "third");
    lens_packed_close(packed);
    free(copy);
    lens_buffer_free(&bytes);
}

static void test_another_key_is_another_file(void **state)
{
    (void)state;
    lens_error err = {0};
    lens_buffer bytes = written();
    void *copy = aligned_copy(&bytes);
    assert_null(lens_packed_view(copy, bytes.size, "packed", &other_key, &err));
    assert_int_equal(err.code, LENS_E_MISSING);
    free(copy);
    lens_buffer_free(&bytes);
}

/* Opens the file and reads all of it; whether every run was there. */
static bool reads(const void *bytes, size_t size)
{
    lens_error err = {0};
    lens_packed *packed = lens_packed_view(bytes, size, "packed", &key, &err);
    const char *first = packed ? lens_packed_find(packed, "first", 14, &err) : NULL;
    const char *second = first ? lens_packed_find(packed, "second", 200, &err) : NULL;
    static const char expected[200] = {7};
    if (second)
        assert_true(strcmp(first, "the first run") == 0 && memcmp(second, expected, sizeof expected) == 0);
    else
        assert_true(err.code == LENS_E_FORMAT || err.code == LENS_E_MISSING);
    lens_packed_close(packed);
    return second;
}

/* Whichever byte is changed, and wherever the file is cut: what is read is what was written, or nothing. */
static void test_damage_is_seen(void **state)
{
    (void)state;
    lens_buffer bytes = written();
    char *copy = aligned_copy(&bytes);
    size_t seen = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        copy[i] ^= 0x41;
        seen += !reads(copy, bytes.size);
        copy[i] ^= 0x41;
    }
    assert_true(seen > bytes.size / 2); /* the gaps between runs may hold anything */
    for (size_t size = 0; size < bytes.size; size++)
        assert_false(reads(copy, size));
    assert_true(reads(copy, bytes.size));
    free(copy);
    lens_buffer_free(&bytes);
}

static void test_names_have_an_end(void **state)
{
    (void)state;
    lens_error err = {0};
    char name[LENS_PACKED_NAME + 1];
    memset(name, 'n', sizeof name);
    name[LENS_PACKED_NAME] = '\0';
    lens_packing *packing = lens_packing_new();
    assert_int_equal(lens_packing_add(packing, name, "", 0, &err), -1);
    assert_int_equal(err.code, LENS_E_LIMIT);
    name[LENS_PACKED_NAME - 1] = '\0';
    assert_done(lens_packing_add(packing, name, "", 0, &err), &err);
    lens_packing_free(packing);
}

/* ---- a model's file ---------------------------------------------------------------------------------------------- */

enum { PIXELS = TEST_MODEL_SIDE * TEST_MODEL_SIDE * 3 };

/* The vector of the model for the same pixels, or -1 where it cannot be opened. */
static int vector_of(lens_precision precision, float vector[TEST_MODEL_DIM], lens_error *err)
{
    lens_encoder *encoder = lens_encoder_open(folder, "random", precision, LENS_TOWER_PICTURES, err);
    if (!encoder)
        return -1;
    lens_session *session = test_session(encoder, 1, 1);
    static float pixels[PIXELS];
    uint64_t seed = 3;
    test_random_fill(&seed, -1, 1, PIXELS, pixels);
    assert_done(lens_session_run(session, pixels, 1, vector, err), err);
    lens_session_free(session);
    lens_encoder_close(encoder);
    return 0;
}

static char *packed_path(lens_precision precision)
{
    return test_path(folder, "packed-pictures-%s.bin", lens_precision_name(precision));
}

static bool is_there(lens_precision precision)
{
    char *path = packed_path(precision);
    bool there = lens_file_exists(path);
    free(path);
    return there;
}

static void expect_same(lens_precision precision, const float *expected)
{
    lens_error err = {0};
    float vector[TEST_MODEL_DIM];
    assert_done(vector_of(precision, vector, &err), &err);
    assert_memory_equal(vector, expected, sizeof vector);
}

static bool can(lens_precision precision)
{
    return precision == LENS_PRECISION_F32 || lens_type_is_fast(precision == LENS_PRECISION_BF16 ? LENS_TYPE_BF16 : LENS_TYPE_BYTES);
}

static void test_the_second_opening_gives_the_same(void **state)
{
    (void)state;
    for (lens_precision precision = LENS_PRECISION_F32; precision <= LENS_PRECISION_INT8; precision++) {
        if (!can(precision)) {
            printf("skipped: this processor has no instructions for %s\n", lens_precision_name(precision));
            continue;
        }
        lens_error err = {0};
        float vector[TEST_MODEL_DIM];
        assert_false(is_there(precision));
        assert_done(vector_of(precision, vector, &err), &err);
        assert_true(is_there(precision));
        expect_same(precision, vector);
    }
}

/* Sets the time of the weights' file, which is half of what tells it from another. */
static void set_time(const char *path, const struct timespec *time)
{
    const struct timespec times[2] = {*time, *time};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A file with the same size and time is the one that was packed; any other is read. */
static void test_weights_are_read_when_they_change(void **state)
{
    (void)state;
    lens_error err = {0};
    float before[TEST_MODEL_DIM], after[TEST_MODEL_DIM];
    char *path = test_path(folder, "model.safetensors");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_done(vector_of(LENS_PRECISION_F32, before, &err), &err);
    test_efficientnet_write(path, 77, NULL);
    set_time(path, &info.st_mtim);
    expect_same(LENS_PRECISION_F32, before);
    info.st_mtim.tv_sec++;
    set_time(path, &info.st_mtim);
    assert_done(vector_of(LENS_PRECISION_F32, after, &err), &err);
    assert_memory_not_equal(before, after, sizeof before);
    expect_same(LENS_PRECISION_F32, after);
    char *packed = packed_path(LENS_PRECISION_F32);
    assert_int_equal(unlink(packed), 0);
    free(packed);
    expect_same(LENS_PRECISION_F32, after);
    free(path);
}

static void test_a_damaged_file_is_made_again(void **state)
{
    (void)state;
    lens_error err = {0};
    float vector[TEST_MODEL_DIM];
    assert_done(vector_of(LENS_PRECISION_F32, vector, &err), &err);
    char *path = packed_path(LENS_PRECISION_F32);
    lens_buffer whole = test_read(path);
    for (size_t i = 0; i < 24; i++) {
        const size_t at = i < 8 ? 16 * i : whole.size / 17 * (i - 7);
        whole.data[at] ^= 0x10;
        test_write(path, whole.data, whole.size);
        whole.data[at] ^= 0x10;
        expect_same(LENS_PRECISION_F32, vector);
    }
    test_write(path, whole.data, whole.size / 2);
    expect_same(LENS_PRECISION_F32, vector);
    lens_buffer again = test_read(path);
    assert_int_equal(again.size, whole.size);
    assert_memory_equal(again.data, whole.data, whole.size);
    lens_buffer_free(&again);
    lens_buffer_free(&whole);
    free(path);
}

/* A file that cannot be written costs time, and nothing else. */
static void test_a_folder_of_someone_elses(void **state)
{
    (void)state;
    lens_error err = {0};
    float vector[TEST_MODEL_DIM];
    assert_done(vector_of(LENS_PRECISION_F32, vector, &err), &err);
    char *path = packed_path(LENS_PRECISION_F32), *inside = test_path(path, "full");
    assert_int_equal(unlink(path), 0);
    assert_done(lens_folder_make(inside, &err), &err);
    expect_same(LENS_PRECISION_F32, vector);
    assert_done(lens_folder_remove(path, &err), &err);
    free(inside);
    free(path);
}

/* The vector of TEXT by the model of sentences in SENTENCES, of which so many tokens are taken. */
static void sentence_vector(const char *sentences, const char *text, int most, float vector[MINILM_WIDTH])
{
    lens_error err = {0};
    char *path = test_path(sentences, "sentence_bert_config.json"), json[40];
    snprintf(json, sizeof json, "{\"max_seq_length\":%d}", most);
    test_write(path, json, strlen(json));
    free(path);
    lens_encoder *encoder = lens_encoder_open(sentences, "random", LENS_PRECISION_F32, LENS_TOWER_WORDS, &err);
    assert_done(encoder ? 0 : -1, &err);
    lens_session *session = test_session(encoder, 1, 1);
    assert_done(lens_session_run_words(session, text, vector, &err), &err);
    lens_session_free(session);
    lens_encoder_close(encoder);
}

/* How long a text may be stands beside the model, not in what packed weights depend on: they are good for any. */
static void test_longer_texts_than_when_it_was_packed(void **state)
{
    (void)state;
    static const char text[] = "red cat hat red red cats hat hat cat red";
    char *sentences = test_minilm_folder(MINILM_GOOD_CONFIG, "", NULL);
    char *packed = test_path(sentences, "packed-words-f32.bin"), *more = test_path(sentences, "more.safetensors");
    float longer[MINILM_WIDTH], fresh[MINILM_WIDTH];
    test_write(more, "", 0);
    assert_int_equal(truncate(more, 8 << 20), 0); /* small models are not packed */
    sentence_vector(sentences, text, 4, longer);
    assert_true(lens_file_exists(packed));
    sentence_vector(sentences, text, MINILM_POSITIONS, longer);
    assert_int_equal(unlink(packed), 0);
    sentence_vector(sentences, text, MINILM_POSITIONS, fresh);
    assert_memory_equal(longer, fresh, sizeof fresh);
    free(packed);
    free(more);
    test_folder_remove(sentences);
}

static int make_model(void **state)
{
    (void)state;
    folder = test_model_new(TEST_MODEL_CONFIG("tf_efficientnet_lite0", ",\"crop_pct\":1.0"), 5, NULL);
    return 0;
}

static int remove_model(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_another_key_is_another_file),
        cmocka_unit_test(test_damage_is_seen),
        cmocka_unit_test(test_names_have_an_end),
        cmocka_unit_test_setup_teardown(test_the_second_opening_gives_the_same, make_model, remove_model),
        cmocka_unit_test_setup_teardown(test_weights_are_read_when_they_change, make_model, remove_model),
        cmocka_unit_test_setup_teardown(test_a_damaged_file_is_made_again, make_model, remove_model),
        cmocka_unit_test_setup_teardown(test_a_folder_of_someone_elses, make_model, remove_model),
        cmocka_unit_test(test_longer_texts_than_when_it_was_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
