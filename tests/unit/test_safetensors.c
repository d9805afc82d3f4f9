/* src/nn/safetensors.c: it reads what is honest, and says about what lies where and how. */
#include <math.h>

#include "nn/safetensors.h"
#include "support.h"
#include "weights.h"

/* With MEMELENS_CORPUS=FOLDER the files tried here are kept there: that is how tests/fuzz/corpus/safetensors was made. */
static void keep_for_the_fuzzer(const lens_buffer *file)
{
    const char *folder = getenv("MEMELENS_CORPUS");
    if (!folder || file->size > 1024)
        return;
    lens_hash hash = lens_hash_of(file->data, file->size);
    char *path = test_path(folder, "%02x%02x%02x%02x", hash.bytes[0], hash.bytes[1], hash.bytes[2], hash.bytes[3]);
    test_write(path, file->data, file->size);
    free(path);
}

/* Opens the file from exactly as many bytes as it has, so that a sanitizer sees a read behind its end. */
static lens_weights *open_bytes(const lens_buffer *file, char **copy, lens_error *err)
{
    keep_for_the_fuzzer(file);
    *copy = malloc(file->size ? file->size : 1);
    assert_non_null(*copy);
    if (file->size)
        memcpy(*copy, file->data, file->size);
    return lens_weights_view(*copy, file->size, "lies.safetensors", err);
}

static void expect_refusal(lens_buffer file, lens_error_code code, const char *words)
{
    lens_error err = {0};
    char *copy;
    lens_weights *weights = open_bytes(&file, &copy, &err);
    if (weights)
        fail_msg("opened, but should have said: %s", words);
    assert_says(&err, words);
    assert_says(&err, "lies.safetensors: ");
    assert_int_equal(err.code, code);
    assert_null(strchr(err.message, '\n'));
    assert_null(strchr(err.message, '\x1b'));
    free(copy);
    lens_buffer_free(&file);
}

static void test_reads_every_float_type(void **state)
{
    (void)state;
    /* The same four numbers in each type: 1.5, -0, the least normal half, the least subnormal half. */
    const uint8_t data[] = {0, 0, 0xc0, 0x3f, 0, 0, 0, 0x80, 0, 0, 0x80, 0x38, 0, 0, 0x80, 0x33, /* F32 */
                            0, 0x3e, 0, 0x80, 0, 4, 1, 0,                                        /* F16 */
                            0xc0, 0x3f, 0, 0x80, 0x80, 0x38, 0x80, 0x33};                        /* BF16 */
    lens_buffer file = test_safetensors("{\"c\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32]},"
                                        "\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
                                        "\"__metadata__\":{\"format\":\"pt\"},"
                                        "\"b\":{\"dtype\":\"F16\",\"shape\":[1,4,1],\"data_offsets\":[16,24]}}   ",
                                        data, sizeof data);
    lens_error err = {0};
    char *copy;
    lens_weights *weights = open_bytes(&file, &copy, &err);
    assert_done(weights ? 0 : -1, &err);
    assert_int_equal(lens_weights_count(weights), 3);
    assert_null(lens_weights_find(weights, "__metadata__"));
    assert_null(lens_weights_find(weights, "aa"));
    assert_null(lens_weights_at(weights, 3));
    const char *names[] = {"a", "b", "c"};
    const int64_t shapes[][3] = {{2, 2}, {-1, 4, 1}, {4}};
    const int dims[] = {2, 3, 1};
    const float expected[] = {1.5f, -0.0f, 6.103515625e-05f, 5.9604644775390625e-08f};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(lens_weights_at(weights, (size_t)i)->name, names[i]);
        assert_int_equal(lens_weights_find(weights, names[i])->count, 4);
        float *numbers = lens_weights_read(weights, names[i], dims[i], shapes[i], &err);
        assert_done(numbers ? 0 : -1, &err);
        assert_memory_equal(numbers, expected, sizeof expected);
        free(numbers);
    }
    lens_weights_close(weights);
    free(copy);
    lens_buffer_free(&file);
}

/* What a half is worth, from its definition. */
static double value_of_half(unsigned half)
{
    unsigned exponent = half >> 10 & 31, fraction = half & 1023;
    double size = exponent ? ldexp(1024 + fraction, (int)exponent - 25) : ldexp(fraction, -24);
    return half & 0x8000 ? -size : size;
}

static void test_every_half_is_exact(void **state)
{
    (void)state;
    uint16_t *halves = malloc(65536 * sizeof *halves);
    size_t count = 0;
    for (unsigned half = 0; half < 65536; half++)
        if ((half >> 10 & 31) != 31)
            halves[count++] = (uint16_t)half;
    char header[128];
    snprintf(header, sizeof header, "{\"h\":{\"dtype\":\"F16\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", count, 2 * count);
    lens_buffer file = test_safetensors(header, halves, 2 * count);
    lens_error err = {0};
    lens_weights *weights = lens_weights_view(file.data, file.size, "halves", &err);
    assert_done(weights ? 0 : -1, &err);
    float *numbers = lens_weights_read(weights, "h", 1, (int64_t[]){-1}, &err);
    assert_done(numbers ? 0 : -1, &err);
    for (size_t i = 0; i < count; i++)
        if ((double)numbers[i] != value_of_half(halves[i]) || (signbit(numbers[i]) != 0) != (halves[i] >> 15 != 0))
            fail_msg("half %04x came out as %a", halves[i], (double)numbers[i]);
    free(numbers);
    lens_weights_close(weights);
    lens_buffer_free(&file);
    free(halves);
}

static void test_refuses_what_is_not_finite(void **state)
{
    (void)state;
    const struct {
        const char *type;
        uint32_t bits;
        bool fine;
    } cases[] = {{"F32", 0x7f800000, false}, {"F32", 0xff800000, false}, {"F32", 0x7fc00000, false}, {"F32", 0x7f800001, false},
                 {"F32", 0x7f7fffff, true},  {"F16", 0x7c00, false},     {"F16", 0xfe00, false},     {"F16", 0x7bff, true},
                 {"BF16", 0x7f80, false},    {"BF16", 0xffc0, false},    {"BF16", 0x7f7f, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strcmp(cases[i].type, "F32") == 0 ? 4 : 2;
        uint8_t data[12] = {0};
        for (size_t b = 0; b < size; b++)
            data[2 * size + b] = (uint8_t)(cases[i].bits >> 8 * b); /* the last of three */
        char header[128];
        snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%zu]}}", cases[i].type,
                 3 * size);
        lens_buffer file = test_safetensors(header, data, 3 * size);
        lens_error err = {0};
        lens_weights *weights = lens_weights_view(file.data, file.size, "f", &err);
        assert_done(weights ? 0 : -1, &err);
        float *numbers = lens_weights_read(weights, "x", 1, (int64_t[]){3}, &err);
        assert_int_equal(numbers != NULL, cases[i].fine);
        if (!cases[i].fine)
            assert_string_equal(err.message, "f: tensor x holds a number that is not finite");
        free(numbers);
        lens_weights_close(weights);
        lens_buffer_free(&file);
    }
}

static void test_says_what_was_looked_for(void **state)
{
    (void)state;
    lens_buffer file = test_safetensors("{\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                                        "\"ids\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[24,32]}}",
                                        NULL, 32);
    lens_error err = {0};
    lens_weights *weights = lens_weights_view(file.data, file.size, "m/f", &err);
    assert_done(weights ? 0 : -1, &err);
    assert_null(lens_weights_read(weights, "v", 2, (int64_t[]){2, 3}, &err));
    assert_string_equal(err.message, "m/f: no tensor v");
    assert_null(lens_weights_read(weights, "w", 2, (int64_t[]){-1, 4}, &err));
    assert_string_equal(err.message, "m/f: tensor w is [2, 3], not [any, 4]");
    assert_null(lens_weights_read(weights, "w", 3, (int64_t[]){2, 3, 1}, &err));
    assert_string_equal(err.message, "m/f: tensor w is [2, 3], not [2, 3, 1]");
    assert_null(lens_weights_read(weights, "w", 0, NULL, &err));
    assert_string_equal(err.message, "m/f: tensor w is [2, 3], not []");
    assert_null(lens_weights_read(weights, "ids", 1, (int64_t[]){1}, &err));
    assert_string_equal(err.message, "m/f: tensor ids is of type I64, not of F32, F16 or BF16");
    assert_int_equal(err.code, LENS_E_FORMAT);
    lens_weights_close(weights);
    lens_buffer_free(&file);
}

static void test_empty_and_scalar_tensors(void **state)
{
    (void)state;
    const float one = 1;
    lens_buffer file = test_safetensors("{\"none\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[0,0]},"
                                        "\"one\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                                        "\"last\":{\"dtype\":\"F16\",\"shape\":[0],\"data_offsets\":[4,4]}}",
                                        &one, sizeof one);
    lens_error err = {0};
    char *copy;
    lens_weights *weights = open_bytes(&file, &copy, &err);
    assert_done(weights ? 0 : -1, &err);
    float *numbers = lens_weights_read(weights, "one", 0, NULL, &err);
    assert_done(numbers ? 0 : -1, &err);
    assert_true(numbers[0] == one);
    free(numbers);
    numbers = lens_weights_read(weights, "none", 2, (int64_t[]){3, 0}, &err);
    assert_done(numbers ? 0 : -1, &err);
    free(numbers);
    lens_weights_close(weights);
    free(copy);
    lens_buffer_free(&file);
    file = test_safetensors("{}", NULL, 0);
    weights = lens_weights_view(file.data, file.size, "empty", &err);
    assert_done(weights ? 0 : -1, &err);
    assert_int_equal(lens_weights_count(weights), 0);
    assert_null(lens_weights_find(weights, "x"));
    assert_null(lens_weights_read(weights, "x", 0, NULL, &err));
    lens_weights_close(weights);
    lens_buffer_free(&file);
}

#define TENSOR(name, type, shape, offsets) "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_refuses_lying_headers(void **state)
{
    (void)state;
    const struct {
        const char *header;
        size_t data;
        const char *words;
    } cases[] = {
        {"", 0, "not a safetensors file"},
        {" {}", 0, "not a safetensors file"},
        {"[]", 0, "not a safetensors file"},
        {"{", 0, "bad JSON"},
        {"{}x", 0, "bad JSON"},
        {"{\"a\":\"\\u0000\"}", 0, "bad JSON"},
        {"{\"\xff\":{}}", 0, "bad JSON"},
        {"{\"\\u001b[2J\":{}}", 0, "control characters"},
        {"{\"\":{}}", 0, "empty"},
        {"{\"a\":1}", 0, "not an object"},
        {"{\"__metadata__\":[]}", 0, "not an object"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("a", "F32", "[1]", "[4,8]") "}", 8, "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "duplicate"},
        /* types */
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor a has no dtype"},
        {"{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor a has no dtype"},
        /* shapes */
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "tensor a has no shape"},
        {"{" TENSOR("a", "F32", "{}", "[0,4]") "}", 4, "tensor a has no shape"},
        {"{" TENSOR("a", "F32", "[-1]", "[0,4]") "}", 4, "impossible shape"},
        {"{" TENSOR("a", "F32", "[1.0]", "[0,4]") "}", 4, "impossible shape"},
        {"{" TENSOR("a", "F32", "[\"1\"]", "[0,4]") "}", 4, "impossible shape"},
        {"{" TENSOR("a", "F32", "[true]", "[0,4]") "}", 4, "impossible shape"},
        {"{" TENSOR("a", "F32", "[9223372036854775807]", "[0,4]") "}", 4, "impossible shape"},
        {"{" TENSOR("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "impossible shape"},
        {"{" TENSOR("a", "U8", "[4294967296,4294967296,4294967297]", "[0,4]") "}", 4, "impossible shape"},
        {"{" TENSOR("a", "F32", "[2305843009213693953]", "[0,4]") "}", 4, "impossible shape"},
        {"{" TENSOR("a", "F4", "[3]", "[0,1]") "}", 1, "impossible shape"},
        {"{" TENSOR("a", "F32", "[99999999999999999999]", "[0,4]") "}", 4, "bad JSON"},
        {"{" TENSOR("a", "F32", "[2]", "[0,4]") "}", 4, "room for 4 bytes, but its shape and type need 8"},
        {"{" TENSOR("a", "F16", "[1]", "[0,4]") "}", 4, "room for 4 bytes, but its shape and type need 2"},
        {"{" TENSOR("a", "F32", "[0]", "[0,4]") "}", 4, "room for 4 bytes, but its shape and type need 0"},
        /* offsets */
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "impossible data_offsets"},
        {"{" TENSOR("a", "F32", "[1]", "[0]") "}", 4, "impossible data_offsets"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4,8]") "}", 4, "impossible data_offsets"},
        {"{" TENSOR("a", "F32", "[1]", "[0.0,4.0]") "}", 4, "impossible data_offsets"},
        {"{" TENSOR("a", "F32", "[1]", "[-4,0]") "}", 4, "impossible data_offsets"},
        {"{" TENSOR("a", "F32", "[1]", "[4,0]") "}", 4, "impossible data_offsets"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 3, "ends at byte 4 of 3: the file is cut short"},
        {"{" TENSOR("a", "F32", "[1]", "[9223372036854775803,9223372036854775807]") "}", 4, "ends at byte 9223372036854775807"},
        {"{" TENSOR("a", "F32", "[1]", "[4,8]") "}", 8, "tensor a begins at byte 4, with a gap"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 5, "1 bytes behind the last tensor"},
        {"{}", 1, "1 bytes behind the last tensor"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[2]", "[4,12]") "}", 12, "tensor b begins at byte 4, inside"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]", "[0,4]") "}", 4, "tensor b begins at byte 0, inside"},
        {"{" TENSOR("b", "F32", "[1]", "[8,12]") "," TENSOR("a", "F32", "[1]", "[0,4]") "}", 12, "tensor b begins at byte 8, with a gap"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[0]", "[4,4]") "}", 8, "inside"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(test_safetensors(cases[i].header, NULL, cases[i].data), LENS_E_FORMAT, cases[i].words);
    expect_refusal(test_safetensors("{" TENSOR("a", "F12", "[1]", "[0,4]") "}", NULL, 4), LENS_E_UNSUPPORTED, "unknown dtype");
    expect_refusal(test_safetensors("{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", NULL, 4), LENS_E_UNSUPPORTED,
                   "9 dimensions");
}

static void test_refuses_wrong_lengths(void **state)
{
    (void)state;
    const char *good = "{" TENSOR("a", "F32", "[1]", "[0,4]") "}";
    size_t whole = 8 + strlen(good) + 4;
    for (size_t size = 0; size < whole; size++) {
        lens_buffer file = test_safetensors(good, NULL, 4);
        file.size = size;
        expect_refusal(file, LENS_E_FORMAT, "");
    }
    for (int byte = 0; byte < 8; byte++) { /* a header longer than the file, up to the largest */
        lens_buffer file = test_safetensors(good, NULL, 4);
        memset(file.data + byte, 0xff, (size_t)(8 - byte));
        expect_refusal(file, LENS_E_FORMAT, byte < 7 ? "header of" : "");
    }
    /* Nested deeper than any stack: refused, not followed. */
    lens_buffer deep = {0};
    assert_int_equal(lens_buffer_append(&deep, "{\"a\":", 5), 0);
    for (int i = 0; i < 200000; i++)
        assert_int_equal(lens_buffer_append(&deep, "[", 1), 0);
    expect_refusal(test_safetensors(deep.data, NULL, 0), LENS_E_FORMAT, "bad JSON");
    lens_buffer_free(&deep);
}

/* What a header costs in memory is bounded before it is read. */
static void test_refuses_endless_headers(void **state)
{
    (void)state;
    lens_buffer header = {0};
    assert_int_equal(lens_buffer_print(&header, "{\"__metadata__\":"), 0);
    test_put_arrays(&header, 7000000);
    test_put(&header, "}", 2);
    expect_refusal(test_safetensors(header.data, NULL, 0), LENS_E_LIMIT, "more than 1048576 values");
    lens_buffer_free(&header);
    const size_t length = 100000001; /* of pages that nobody touches */
    char *bytes = calloc(1, 8 + length);
    assert_non_null(bytes);
    memcpy(bytes, "\x01\xe1\xf5\x05\0\0\0\0{", 9);
    lens_error err = {0};
    assert_null(lens_weights_view(bytes, 8 + length, "lies.safetensors", &err));
    assert_says(&err, "lies.safetensors: a header of 100000001 bytes, more than the 100000000 that the format allows");
    free(bytes);
    char *folder = test_folder_new();
    lens_buffer index = {0};
    assert_int_equal(lens_buffer_print(&index, "{\"weight_map\":"), 0);
    test_put_arrays(&index, 1000000);
    test_put(&index, "}", 1);
    char *path = test_path(folder, "model.safetensors.index.json");
    test_write(path, index.data, index.size);
    assert_null(lens_weights_open(path, &err));
    assert_says(&err, "model.safetensors.index.json: more than 1048576 values");
    free(path);
    lens_buffer_free(&index);
    test_folder_remove(folder);
}

static void test_many_tensors(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    test_checkpoint checkpoint = {0};
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%d", i * 7919 % COUNT);
        float number = (float)(i * 7919 % COUNT);
        test_checkpoint_add(&checkpoint, name, 1, (int64_t[]){1}, &number);
    }
    char *folder = test_folder_new();
    char *path = test_path(folder, "many.safetensors");
    test_checkpoint_write(&checkpoint, path);
    lens_error err = {0};
    lens_weights *weights = lens_weights_open(path, &err);
    assert_done(weights ? 0 : -1, &err);
    assert_int_equal(lens_weights_count(weights), COUNT);
    for (size_t i = 1; i < COUNT; i++)
        assert_true(strcmp(lens_weights_at(weights, i - 1)->name, lens_weights_at(weights, i)->name) < 0);
    for (int i = 0; i < COUNT; i += 997) {
        char name[32];
        snprintf(name, sizeof name, "t%d", i);
        float *number = lens_weights_read(weights, name, 1, (int64_t[]){1}, &err);
        assert_done(number ? 0 : -1, &err);
        assert_true(*number == (float)i);
        free(number);
    }
    lens_weights_close(weights);
    free(path);
    test_folder_remove(folder);
}

/* Two shards: "a" and "both" in the first, "b" and again "both" in the second. */
static char *folder_of_shards(void)
{
    char *folder = test_folder_new();
    const float numbers[] = {1, 2, 3, 4};
    const char *second[] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        test_checkpoint checkpoint = {0};
        test_checkpoint_add(&checkpoint, "both", 1, (int64_t[]){1}, numbers + 2 * i);
        test_checkpoint_add(&checkpoint, second[i], 1, (int64_t[]){1}, numbers + 2 * i + 1);
        char *path = test_path(folder, "model-%d.safetensors", i);
        test_checkpoint_write(&checkpoint, path);
        free(path);
    }
    return folder;
}

static lens_weights *open_index(const char *folder, const char *index, lens_error *err)
{
    char *path = test_path(folder, "model.safetensors.index.json");
    test_write(path, index, strlen(index));
    lens_weights *weights = lens_weights_open(path, err);
    free(path);
    return weights;
}

static void test_shards(void **state)
{
    (void)state;
    char *folder = folder_of_shards();
    lens_error err = {0};
    lens_weights *weights = open_index(folder,
                                       "{\"metadata\":{\"total_size\":16},\"weight_map\":{\"b\":\"model-1.safetensors\","
                                       "\"both\":\"model-1.safetensors\",\"a\":\"model-0.safetensors\"}}",
                                       &err);
    assert_done(weights ? 0 : -1, &err);
    assert_int_equal(lens_weights_count(weights), 3);
    const char *names[] = {"a", "b", "both"};
    const float expected[] = {2, 4, 3};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(lens_weights_at(weights, i)->name, names[i]);
        float *number = lens_weights_read(weights, names[i], 1, (int64_t[]){1}, &err);
        assert_done(number ? 0 : -1, &err);
        assert_true(*number == expected[i]);
        free(number);
    }
    assert_null(lens_weights_read(weights, "c", 1, (int64_t[]){1}, &err));
    assert_says(&err, "model.safetensors.index.json: no tensor c");
    lens_weights_close(weights);
    test_folder_remove(folder);
}

static void test_refuses_lying_indexes(void **state)
{
    (void)state;
    char *folder = folder_of_shards();
    const struct {
        const char *index, *words;
    } cases[] = {
        {"[]", "not a JSON object"},
        {"{}", "no weight_map"},
        {"{\"weight_map\":[]}", "no weight_map"},
        {"{\"weight_map\":{\"a\":1}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\"\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\"..\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\"../model-0.safetensors\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\"x\\\\y\"}}", "no plain file name"},
        {"{\"weight_map\":{\"a\":\"x\\u001b[2J\"}}", "no plain file name"},
        {"{\"weight_map\":{\"\\n\":\"x\"}}", "control characters"},
        {"{\"weight_map\":{\"a\":\"model-2.safetensors\"}}", "model-2.safetensors: No such file"},
        {"{\"weight_map\":{\"a\":\"model-1.safetensors\"}}", "tensor a should be in model-1.safetensors, but is not"},
        {"{\"weight_map\":{\"a\":\"model-0.safetensors\",\"c\":\"model-0.safetensors\"}}", "tensor c should be in"},
        {"{\"weight_map\":{\"a\":\"model.safetensors.index.json\"}}", "model.safetensors.index.json: "},
        {"{\"weight_map\":{\"a\":\"model-0.safetensors\",\"a\":\"model-1.safetensors\"}}", "duplicate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_error err = {0};
        lens_weights *weights = open_index(folder, cases[i].index, &err);
        if (weights)
            fail_msg("opened: %s", cases[i].index);
        assert_says(&err, cases[i].words);
    }
    test_folder_remove(folder);
}

static void test_hash_is_of_the_tensors(void **state)
{
    (void)state;
    const float ab[] = {1, 2}, ba[] = {2, 1};
    const char *straight = "{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]", "[4,8]") "}";
    const struct {
        const char *header;
        const float *data;
        bool same;
    } cases[] = {
        {straight, ab, true},
        {straight, ba, false},
        /* the same tensors in another order */
        {"{\"__metadata__\":{}," TENSOR("a", "F32", "[1]", "[4,8]") "," TENSOR("b", "F32", "[1]", "[0,4]") "}", ba, true},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("c", "F32", "[1]", "[4,8]") "}", ab, false},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "I32", "[1]", "[4,8]") "}", ab, false},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1,1]", "[4,8]") "}", ab, false},
    };
    lens_hash first;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lens_buffer file = test_safetensors(cases[i].header, cases[i].data, 8);
        lens_error err = {0};
        lens_weights *weights = lens_weights_view(file.data, file.size, "f", &err);
        assert_done(weights ? 0 : -1, &err);
        lens_hash hash;
        assert_done(lens_weights_hash(weights, &hash, &err), &err);
        if (i == 0)
            first = hash;
        assert_int_equal(memcmp(&hash, &first, sizeof hash) == 0, cases[i].same);
        lens_weights_close(weights);
        lens_buffer_free(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_every_float_type),
        cmocka_unit_test(test_every_half_is_exact),
        cmocka_unit_test(test_refuses_what_is_not_finite),
        cmocka_unit_test(test_says_what_was_looked_for),
        cmocka_unit_test(test_empty_and_scalar_tensors),
        cmocka_unit_test(test_refuses_lying_headers),
        cmocka_unit_test(test_refuses_wrong_lengths),
        cmocka_unit_test(test_refuses_endless_headers),
        cmocka_unit_test(test_many_tensors),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_refuses_lying_indexes),
        cmocka_unit_test(test_hash_is_of_the_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
