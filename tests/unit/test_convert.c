/* tools/convert_efficientnet.py on PyTorch's legacy checkpoints, whose pickles are written here opcode by opcode: an honest
 * one becomes safetensors under timm's names, and a hostile one is refused without a step of it being run. */
#include <dirent.h>

#include "nn/safetensors.h"
#include "support.h"

#define CONFIG "{\"architecture\": \"tf_efficientnet_lite0\", \"num_classes\": 1000}"

/* PyTorch's magic number and version, then what it says of the machine. */
#define MAGIC "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19."
#define VERSION "\x80\x02M\xe9\x03."
#define SYSTEM "\x80\x02}(X\x0d\0\0\0little_endian\x88u."

#define PUT(out, text) test_put(out, text, sizeof(text) - 1)

static void put_text(lens_buffer *out, const char *text)
{
    PUT(out, "X");
    test_put_number(out, strlen(text), 4);
    test_put(out, text, strlen(text));
}

static void put_int(lens_buffer *out, uint64_t number)
{
    PUT(out, "J");
    test_put_number(out, number, 4);
}

/* A checkpoint as it is put together: the dictionary's items, the list of storages, and the storages. */
struct checkpoint {
    lens_buffer items, keys, storages;
    int count;
};

/* Adds tensor NAME on a storage of its own, of LENGTH numbers of SIZE bytes at DATA. */
static void add(struct checkpoint *to, const char *name, const char *storage, int dims, const int *shape, const int *stride,
                size_t length, int size, const void *data)
{
    char key[16];
    snprintf(key, sizeof key, "%d", 1000 + to->count++);
    put_text(&to->items, name);
    PUT(&to->items, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(&to->items, "storage");
    assert_int_equal(lens_buffer_print(&to->items, "ctorch\n%s\n", storage), 0);
    put_text(&to->items, key);
    put_text(&to->items, "cpu");
    put_int(&to->items, length);
    PUT(&to->items, "NtQK\0(");
    for (int i = 0; i < dims; i++)
        put_int(&to->items, (uint64_t)shape[i]);
    PUT(&to->items, "t(");
    for (int i = 0; i < dims; i++)
        put_int(&to->items, (uint64_t)stride[i]);
    PUT(&to->items, "t\x89" "ccollections\nOrderedDict\n)RtR");
    put_text(&to->keys, key);
    test_put_number(&to->storages, length, 8);
    test_put(&to->storages, data, length * (size_t)size);
}

/* Writes it to PATH and empties it. */
static void write_checkpoint(struct checkpoint *from, const char *path)
{
    lens_buffer file = {0};
    PUT(&file, MAGIC VERSION SYSTEM "\x80\x02" "ccollections\nOrderedDict\n)R(");
    test_put(&file, from->items.data, from->items.size);
    PUT(&file, "u}X\x09\0\0\0_metadata}sb.\x80\x02](");
    test_put(&file, from->keys.data, from->keys.size);
    PUT(&file, "e.");
    test_put(&file, from->storages.data, from->storages.size);
    test_write(path, file.data, file.size);
    lens_buffer_free(&file), lens_buffer_free(&from->items), lens_buffer_free(&from->keys), lens_buffer_free(&from->storages);
    *from = (struct checkpoint){0};
}

/* What stands at place I of tensor T: any two differ, and a float holds each exactly. */
static float number_at(int t, size_t i)
{
    return (float)(((size_t)t * 7919 + i) % 16777213);
}

/* Adds tensor T, a convolution's as TensorFlow's came, [height, width, in, out], or anything else in order. */
static void add_floats(struct checkpoint *to, int t, const char *name, int dims, const int *shape)
{
    size_t count = 1;
    for (int i = 0; i < dims; i++)
        count *= (size_t)shape[i];
    int stride[4] = {shape[1], 1};
    if (dims == 1)
        stride[0] = 1;
    if (dims == 4)
        memcpy(stride, (int[]){1, shape[0], shape[0] * shape[1] * shape[3], shape[0] * shape[1]}, sizeof stride);
    float *data = malloc(count * sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < count; i++) {
        size_t place = i;
        if (dims == 4) {
            size_t o = i, rest[4]; /* I counted in order of [out, in, height, width] */
            for (int d = 3; d >= 0; d--)
                rest[d] = o % (size_t)shape[d], o /= (size_t)shape[d];
            place = 0;
            for (int d = 0; d < 4; d++)
                place += rest[d] * (size_t)stride[d];
        }
        data[place] = number_at(t, i);
    }
    add(to, name, "FloatStorage", dims, shape, stride, count, 4, data);
    free(data);
}

struct tensor {
    char old[64], new[64];
    int dims, shape[4];
};

struct list {
    struct tensor tensors[256];
    int count;
};

static void list_one(struct list *list, const char *old, const char *new, int dims, const int *shape)
{
    struct tensor *tensor = &list->tensors[list->count++];
    snprintf(tensor->old, sizeof tensor->old, "%s", old);
    snprintf(tensor->new, sizeof tensor->new, "%s", new);
    tensor->dims = dims;
    memcpy(tensor->shape, shape, (size_t)dims * sizeof *shape);
}

static void list_conv(struct list *list, const char *old, const char *old_norm, const char *new, const char *new_norm, int out,
                      int in, int kernel)
{
    char from[64], to[64];
    snprintf(from, sizeof from, "%s.weight", old), snprintf(to, sizeof to, "%s.weight", new);
    list_one(list, from, to, 4, (int[]){out, in, kernel, kernel});
    const char *parts[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++) {
        snprintf(from, sizeof from, "%s.%s", old_norm, parts[i]), snprintf(to, sizeof to, "%s.%s", new_norm, parts[i]);
        list_one(list, from, to, 1, &out);
    }
}

/* Every tensor of EfficientNet-Lite0 under both names. */
static void list_all(struct list *list)
{
    const int stages[7][4] = {{1, 3, 16, 1}, {6, 3, 24, 2}, {6, 5, 40, 2}, {6, 3, 80, 3}, {6, 5, 112, 3}, {6, 5, 192, 4}, {6, 3, 320, 1}};
    list_conv(list, "_conv_stem", "_bn0", "conv_stem", "bn1", 32, 3, 3);
    int in = 32, block = 0;
    for (int stage = 0; stage < 7; stage++)
        for (int repeat = 0; repeat < stages[stage][3]; repeat++, block++) {
            int wide = in * stages[stage][0], kernel = stages[stage][1], out = stages[stage][2];
            char old[4][64], new[4][64];
            bool expands = stages[stage][0] > 1;
            const char *old_names[] = {"_expand_conv", "_bn0", "_depthwise_conv", "_bn1"};
            const char *new_names[] = {"conv_pw", "bn1", "conv_dw", expands ? "bn2" : "bn1"};
            for (int i = 0; i < 4; i++) {
                snprintf(old[i], 64, "_blocks.%d.%s", block, old_names[i]);
                snprintf(new[i], 64, "blocks.%d.%d.%s", stage, repeat, new_names[i]);
            }
            if (expands)
                list_conv(list, old[0], old[1], new[0], new[1], wide, in, 1);
            list_conv(list, old[2], old[3], new[2], new[3], wide, 1, kernel);
            snprintf(old[0], 64, "_blocks.%d._project_conv", block), snprintf(old[1], 64, "_blocks.%d._bn2", block);
            snprintf(new[0], 64, "blocks.%d.%d.%s", stage, repeat, expands ? "conv_pwl" : "conv_pw");
            snprintf(new[1], 64, "blocks.%d.%d.%s", stage, repeat, expands ? "bn3" : "bn2");
            list_conv(list, old[0], old[1], new[0], new[1], out, wide, 1);
            in = out;
        }
    list_conv(list, "_conv_head", "_bn1", "conv_head", "bn2", 1280, in, 1);
    list_one(list, "_fc.weight", "classifier.weight", 2, (int[]){1000, 1280});
    list_one(list, "_fc.bias", "classifier.bias", 1, (int[]){1000});
}

static test_run convert(const char *checkpoint, const char *out, const char *config)
{
    const char *source = getenv("MEMELENS_SOURCE");
    char *script = test_path(source && *source ? source : ".", "tools/convert_efficientnet.py");
    const char *const argv[] = {"/usr/bin/env", "python3", script, checkpoint, out, "--config", config, NULL};
    test_run run = test_run_program(argv, NULL, NULL);
    free(script);
    return run;
}

static int entries_of(const char *folder)
{
    int count = 0;
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(listing);
    return count;
}

static void write_honest_checkpoint(const struct list *list, const char *path)
{
    struct checkpoint checkpoint = {0};
    for (int t = 0; t < list->count; t++) {
        add_floats(&checkpoint, t, list->tensors[t].old, list->tensors[t].dims, list->tensors[t].shape);
        char *var = strstr(list->tensors[t].old, "running_var");
        if (var) { /* the counter that stands beside each norm's statistics, to be dropped */
            char name[96];
            snprintf(name, sizeof name, "%.*snum_batches_tracked", (int)(var - list->tensors[t].old), list->tensors[t].old);
            add(&checkpoint, name, "LongStorage", 0, NULL, NULL, 1, 8, &(int64_t){7});
        }
    }
    write_checkpoint(&checkpoint, path);
}

static void test_an_honest_checkpoint(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    char *checkpoint = test_path(folder, "lite0.pth"), *out = test_path(folder, "deep/er/model");
    char *path = test_path(out, "model.safetensors"), *config_path = test_path(out, "config.json");
    struct list *list = calloc(1, sizeof *list);
    list_all(list);
    assert_int_equal(list->count, 49 * 5 + 2);
    write_honest_checkpoint(list, checkpoint);
    test_run run = convert(checkpoint, out, CONFIG);
    if (run.status != 0)
        fail_msg("%s", run.err.data);
    assert_int_equal(run.out.size + run.err.size, 0);
    test_run_free(&run);

    lens_error err = {0};
    lens_weights *weights = lens_weights_open(path, &err);
    assert_done(weights ? 0 : -1, &err);
    assert_int_equal(lens_weights_count(weights), list->count);
    for (int t = 0; t < list->count; t++) {
        const struct tensor *tensor = &list->tensors[t];
        int64_t shape[4];
        size_t count = 1;
        for (int d = 0; d < tensor->dims; d++) {
            shape[d] = tensor->shape[d];
            count *= (size_t)shape[d];
        }
        float *numbers = lens_weights_read(weights, tensor->new, tensor->dims, shape, &err);
        assert_done(numbers ? 0 : -1, &err);
        for (size_t i = 0; i < count; i++)
            if (numbers[i] != number_at(t, i))
                fail_msg("%s: number %zu is %g, not %g", tensor->new, i, (double)numbers[i], (double)number_at(t, i));
        free(numbers);
        const lens_tensor_view *view = lens_weights_find(weights, tensor->new);
        if (view->size % 64 == 0) /* mapped files begin on a page */
            assert_int_equal((uintptr_t)view->data % 64, 0);
    }
    lens_weights_close(weights);
    lens_buffer config = test_read(config_path);
    assert_non_null(strstr(config.data, "\"tf_efficientnet_lite0\""));
    lens_buffer_free(&config);

    /* Once more, over what is there: the same bytes, and nothing left beside them. */
    lens_buffer first = test_read(path);
    run = convert(checkpoint, out, CONFIG);
    assert_int_equal(run.status, 0);
    test_run_free(&run);
    lens_buffer second = test_read(path);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    assert_int_equal(entries_of(out), 2);
    char *parent = test_path(folder, "deep/er");
    assert_int_equal(entries_of(parent), 1);

    /* But not over what is not ours. */
    char *precious = test_path(out, "thesis.txt");
    test_write(precious, "words", 5);
    run = convert(checkpoint, out, CONFIG);
    assert_int_equal(run.status, 1);
    assert_non_null(strstr(run.err.data, "holds something else"));
    assert_true(lens_file_exists(precious));
    test_run_free(&run);
    lens_buffer_free(&first), lens_buffer_free(&second);
    free(precious), free(parent), free(list), free(checkpoint), free(out), free(path), free(config_path);
    test_folder_remove(folder);
}

/* Converting PATH must fail with one line that has WORDS, and leave nothing behind. Where CANARY stands nothing may appear. */
static void expect_refusal(const char *folder, const char *path, const char *config, const char *words)
{
    char *out = test_path(folder, "out"), *canary = test_path(folder, "canary");
    int before = entries_of(folder);
    test_run run = convert(path, out, config);
    if (lens_file_exists(canary))
        fail_msg("it was run: %s", words);
    if (run.status != 1 || !strstr(run.err.data, words) || strstr(run.err.data, "Traceback"))
        fail_msg("expected '%s', exit 1: exit %d, %s", words, run.status, run.err.data);
    assert_ptr_equal(strchr(run.err.data, '\n'), run.err.data + run.err.size - 1);
    assert_int_equal(entries_of(folder), before);
    test_run_free(&run);
    free(out), free(canary);
}

static void test_a_hostile_pickle_is_not_run(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    char *path = test_path(folder, "evil.pth"), *canary = test_path(folder, "canary");
    lens_buffer command = {0}, evil = {0};
    assert_int_equal(lens_buffer_print(&command, "touch '%s'", canary), 0);

    /* os.system(command), to be put in front of R: a call. */
    PUT(&evil, "cos\nsystem\n(");
    put_text(&evil, command.data);
    PUT(&evil, "t");

    /* That the canary does appear where Python's own pickle reads this: else this test would prove nothing. */
    lens_buffer file = {0};
    PUT(&file, "\x80\x02");
    test_put(&file, evil.data, evil.size);
    PUT(&file, "R.");
    const char *const argv[] = {"/usr/bin/env", "python3", "-c", "import pickle, sys; pickle.load(sys.stdin.buffer)", NULL};
    test_run run = test_run_program(argv, NULL, &file);
    assert_int_equal(run.status, 0);
    assert_true(lens_file_exists(canary));
    assert_int_equal(remove(canary), 0);
    test_run_free(&run);
    lens_buffer_free(&file);

    const struct {
        const char *before; /* the pickle up to the hostile part */
        size_t before_size;
        const char *after;
        size_t after_size;
        bool call; /* with the hostile part */
        const char *words;
    } cases[] = {
#define CASE(before, after, call, words) {before, sizeof(before) - 1, after, sizeof(after) - 1, call, words}
        CASE("\x80\x02", "R.", true, "it asks to run 'os.system'"),                              /* as the magic number */
        CASE(MAGIC VERSION "\x80\x02", "R.", true, "it asks to run 'os.system'"),                /* as the system's */
        CASE(MAGIC VERSION SYSTEM "\x80\x02", "R.", true, "it asks to run 'os.system'"),         /* as the tensors */
        CASE(MAGIC VERSION SYSTEM "\x80\x02}X\x01\0\0\0a", "Rs.", true, "it asks to run"),       /* as one of them */
        CASE(MAGIC VERSION SYSTEM "\x80\x02}.\x80\x02](", "Re.", true, "it asks to run"),        /* in the list of storages */
        CASE(MAGIC VERSION SYSTEM "\x80\x02(", "o.", true, "the opcode OBJ"),
        CASE(MAGIC VERSION SYSTEM "\x80\x02", "\x81.", true, "the opcode NEWOBJ"),
        CASE(MAGIC VERSION SYSTEM "\x80\x02(Vx\nios\nsystem\n.", "", false, "the opcode"),
        CASE(MAGIC VERSION SYSTEM "\x80\x02(ios\nsystem\n.", "", false, "the opcode INST"),
        CASE(MAGIC VERSION SYSTEM "\x80\x04X\x02\0\0\0osX\x06\0\0\0system\x93.", "", false, "protocol"),
        CASE(MAGIC VERSION SYSTEM "X\x02\0\0\0osX\x06\0\0\0system\x93.", "", false, "the opcode STACK_GLOBAL"),
        CASE(MAGIC VERSION SYSTEM "\x80\x02\x82\x01.", "", false, "the opcode EXT1"),
        CASE(MAGIC VERSION SYSTEM "\x80\x02" "cos\nsystem\n}b.", "", false, "a state for something"),
        CASE(MAGIC VERSION SYSTEM "\x80\x02(X\x07\0\0\0storagecos\nsystem\nX\x01\0\0\0kX\x03\0\0\0cpuK\x01NtQ.", "", false,
             "a storage of unknown type"),
        CASE(MAGIC VERSION SYSTEM "\x80\x02" "ctorch._utils\n_rebuild_tensor_v2\ncos\nsystem\nR.", "", false, "a malformed tensor"),
        CASE(MAGIC VERSION SYSTEM "\x80\x02" "ccollections\nOrderedDict\n(cos\nsystem\ntR.", "", false, "it asks to run"),
        CASE(MAGIC VERSION SYSTEM "\x80\x02)" ")R.", "", false, "a call of something that is no name"),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_put(&file, cases[i].before, cases[i].before_size);
        if (cases[i].call)
            test_put(&file, evil.data, evil.size);
        test_put(&file, cases[i].after, cases[i].after_size);
        test_write(path, file.data, file.size);
        lens_buffer_free(&file);
        expect_refusal(folder, path, CONFIG, cases[i].words);
    }
    lens_buffer_free(&command), lens_buffer_free(&evil);
    free(path), free(canary);
    test_folder_remove(folder);
}

/* A checkpoint of one tensor. */
static void write_one(const char *path, const char *name, const char *storage, int dims, const int *shape, const int *stride,
                      size_t length)
{
    struct checkpoint checkpoint = {0};
    void *data = calloc(length ? length : 1, 8);
    assert_non_null(data);
    add(&checkpoint, name, storage, dims, shape, stride, length, strcmp(storage, "LongStorage") == 0 ? 8 : 4, data);
    write_checkpoint(&checkpoint, path);
    free(data);
}

static void test_lying_checkpoints(void **state)
{
    (void)state;
    char *folder = test_folder_new();
    char *path = test_path(folder, "lie.pth");
    const struct {
        const char *name, *storage;
        int dims, shape[4], stride[4];
        size_t length;
        const char *words;
    } cases[] = {
        {"_conv_stem.weight", "FloatStorage", 4, {32, 3, 3, 3}, {27, 9, 3, 1}, 864, "_bn0.weight is missing"},
        {"_conv_stem.weight", "FloatStorage", 4, {32, 3, 3, 3}, {27, 9, 3, 1}, 863, "a tensor larger than its storage"},
        {"_conv_stem.weight", "FloatStorage", 4, {32, 3, 3, 3}, {0, 9, 3, 1}, 864, "a tensor with gaps or overlaps"},
        {"_conv_stem.weight", "FloatStorage", 4, {32, 3, 3, 3}, {54, 18, 6, 2}, 4096, "a tensor with gaps or overlaps"},
        {"_conv_stem.weight", "FloatStorage", 4, {32, 3, 3, 3}, {-27, 9, 3, 1}, 864, "a malformed tensor shape"},
        {"_conv_stem.weight", "FloatStorage", 4, {3, 32, 3, 3}, {288, 9, 3, 1}, 864,
         "_conv_stem.weight is [3, 32, 3, 3], but tf_efficientnet_lite0 has [32, 3, 3, 3]"},
        {"_conv_stem.weight", "LongStorage", 4, {32, 3, 3, 3}, {27, 9, 3, 1}, 864, "not made of 32-bit floats"},
        {"_conv_stem.weight", "HalfStorage", 4, {32, 3, 3, 3}, {27, 9, 3, 1}, 864, "a storage of unknown type"},
        {"_conv_stem.wait", "FloatStorage", 1, {1}, {1}, 1, "unexpected tensor _conv_stem.wait"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_one(path, cases[i].name, cases[i].storage, cases[i].dims, cases[i].shape, cases[i].stride, cases[i].length);
        expect_refusal(folder, path, CONFIG, cases[i].words);
    }

    /* Cut short at each of its parts, and too long. */
    write_one(path, "_conv_stem.weight", "FloatStorage", 4, (int[]){32, 3, 3, 3}, (int[]){27, 9, 3, 1}, 864);
    lens_buffer whole = test_read(path);
    const size_t sizes[] = {0, 1, 14, 20, 60, 150, whole.size - 864 * 4 - 9, whole.size - 864 * 4 - 1, whole.size - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        test_write(path, whole.data, sizes[i]);
        expect_refusal(folder, path, CONFIG, "lie.pth: ");
    }
    PUT(&whole, "x");
    test_write(path, whole.data, whole.size);
    expect_refusal(folder, path, CONFIG, "bytes behind the last storage");
    lens_buffer_free(&whole);

    test_write(path, "PK\3\4", 4);
    expect_refusal(folder, path, CONFIG, "newer zip form");
    test_write(path, "what?", 5);
    expect_refusal(folder, path, CONFIG, "not a pickle");
    expect_refusal(folder, path, "{\"architecture\":1}", "no architecture");
    expect_refusal(folder, path, "{", "--config: ");
    expect_refusal(folder, path, "@/nowhere", "/nowhere: No such file");
    expect_refusal(folder, "/nowhere.pth", CONFIG, "/nowhere.pth: No such file");
    static const char big_endian[] = MAGIC VERSION "\x80\x02}X\x0d\0\0\0little_endian\x89s.";
    test_write(path, big_endian, sizeof big_endian - 1);
    expect_refusal(folder, path, CONFIG, "little-endian");
    struct checkpoint empty = {0};
    write_checkpoint(&empty, path);
    expect_refusal(folder, path, "{\"architecture\":\"tf_efficientnet_lite9\"}", "unknown architecture 'tf_efficientnet_lite9'");
    expect_refusal(folder, path, CONFIG, "_conv_stem.weight is missing");
    free(path);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_honest_checkpoint),
        cmocka_unit_test(test_a_hostile_pickle_is_not_run),
        cmocka_unit_test(test_lying_checkpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
