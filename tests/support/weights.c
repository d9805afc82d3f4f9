#include "weights.h"

#include <math.h>

#include "support.h"

lens_buffer test_safetensors(const char *header, const void *data, size_t size)
{
    lens_buffer file = {0};
    uint64_t length = strlen(header);
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (uint8_t)(length >> 8 * i);
    assert_int_equal(lens_buffer_append(&file, prefix, sizeof prefix), 0);
    assert_int_equal(lens_buffer_append(&file, header, strlen(header)), 0);
    if (data) {
        assert_int_equal(lens_buffer_append(&file, data, size), 0);
    } else {
        assert_int_equal(lens_buffer_reserve(&file, size), 0);
        memset(file.data + file.size, 0, size);
        file.size += size;
    }
    return file;
}

void test_checkpoint_add(test_checkpoint *checkpoint, const char *name, int dims, const int64_t *shape, const float *numbers)
{
    size_t count = 1;
    lens_buffer *header = &checkpoint->header;
    lens_buffer_print(header, "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[", header->size ? ',' : '{', name);
    for (int i = 0; i < dims; i++) {
        lens_buffer_print(header, "%s%lld", i ? "," : "", (long long)shape[i]);
        count *= (size_t)shape[i];
    }
    size_t begin = checkpoint->data.size;
    assert_int_equal(lens_buffer_print(header, "],\"data_offsets\":[%zu,%zu]}", begin, begin + 4 * count), 0);
    assert_int_equal(lens_buffer_append(&checkpoint->data, numbers, 4 * count), 0);
}

void test_checkpoint_write(test_checkpoint *checkpoint, const char *path)
{
    assert_int_equal(lens_buffer_print(&checkpoint->header, "%s", checkpoint->header.size ? "}" : "{}"), 0);
    lens_buffer file = test_safetensors(checkpoint->header.data, checkpoint->data.data, checkpoint->data.size);
    test_write(path, file.data, file.size);
    lens_buffer_free(&file);
    lens_buffer_free(&checkpoint->header);
    lens_buffer_free(&checkpoint->data);
}

void test_random_fill(uint64_t *seed, float low, float high, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        /* Knuth's MMIX generator; its upper bits are the good ones. */
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        out[i] = low + (high - low) * (float)(*seed >> 40) / 16777216.0f;
    }
}

static bool is(const char *fault, const char *name)
{
    return fault && strcmp(fault, name) == 0;
}

void test_random_add(test_random_checkpoint *random, const char *name, int dims, const int64_t *shape, float low, float high)
{
    int64_t sizes[4] = {0};
    size_t count = 1;
    for (int i = 0; i < dims; i++) {
        sizes[i] = shape[i] + (i == 1 && is(random->faults.reshape, name));
        count *= (size_t)sizes[i];
    }
    float *numbers = malloc(count * sizeof *numbers);
    assert_non_null(numbers);
    if (random->faults.zero && strncmp(name, random->faults.zero, strlen(random->faults.zero)) == 0)
        low = high = 0;
    test_random_fill(&random->seed, low, high, count, numbers);
    if (is(random->faults.nan_in, name))
        numbers[count - 1] = NAN;
    if (is(random->faults.negative, name))
        numbers[0] = -2;
    if (!is(random->faults.omit, name))
        test_checkpoint_add(&random->checkpoint, name, dims, sizes, numbers);
    free(numbers);
}

/* A convolution [OUT, IN, KERNEL, KERNEL] called PREFIX + CONV and its batch norm. */
static void add_conv(test_random_checkpoint *writer, const char *prefix, const char *conv, const char *norm, int64_t out, int64_t in,
                     int64_t kernel)
{
    char name[64];
    /* He's range, so that the signal neither dies nor grows on its way. */
    float range = sqrtf(6.0f / (float)(in * kernel * kernel));
    snprintf(name, sizeof name, "%s%s.weight", prefix, conv);
    test_random_add(writer, name, 4, (int64_t[]){out, in, kernel, kernel}, -range, range);
    const struct {
        const char *part;
        float low, high;
    } parts[] = {{"weight", 0.7f, 1.3f}, {"bias", -0.2f, 0.5f}, {"running_mean", -0.2f, 0.2f}, {"running_var", 0.5f, 1.5f}};
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s.%s", prefix, norm, parts[i].part);
        test_random_add(writer, name, 1, &out, parts[i].low, parts[i].high);
    }
}

void test_efficientnet_write(const char *path, uint64_t seed, const test_faults *faults)
{
    static const struct {
        int expansion, kernel, out, repeats;
    } stages[] = {{1, 3, 16, 1}, {6, 3, 24, 2}, {6, 5, 40, 2}, {6, 3, 80, 3}, {6, 5, 112, 3}, {6, 5, 192, 4}, {6, 3, 320, 1}};
    test_random_checkpoint writer = {.seed = seed};
    if (faults)
        writer.faults = *faults;
    add_conv(&writer, "", "conv_stem", "bn1", 32, 3, 3);
    int in = 32;
    for (int stage = 0; stage < 7; stage++)
        for (int repeat = 0; repeat < stages[stage].repeats; repeat++) {
            char prefix[32];
            snprintf(prefix, sizeof prefix, "blocks.%d.%d.", stage, repeat);
            int wide = in * stages[stage].expansion, out = stages[stage].out, kernel = stages[stage].kernel;
            if (stages[stage].expansion == 1) {
                add_conv(&writer, prefix, "conv_dw", "bn1", wide, 1, kernel);
                add_conv(&writer, prefix, "conv_pw", "bn2", out, wide, 1);
            } else {
                add_conv(&writer, prefix, "conv_pw", "bn1", wide, in, 1);
                add_conv(&writer, prefix, "conv_dw", "bn2", wide, 1, kernel);
                add_conv(&writer, prefix, "conv_pwl", "bn3", out, wide, 1);
            }
            in = out;
        }
    add_conv(&writer, "", "conv_head", "bn2", 1280, in, 1);
    if (writer.faults.further)
        test_random_add(&writer, writer.faults.further, 1, (int64_t[]){1}, 0, 1);
    test_checkpoint_write(&writer.checkpoint, path);
}

char *test_model_new(const char *config, uint64_t seed, const test_faults *faults)
{
    char *folder = test_folder_new();
    char *path = test_path(folder, "config.json");
    test_write(path, config, strlen(config));
    free(path);
    path = test_path(folder, "model.safetensors");
    test_efficientnet_write(path, seed, faults);
    free(path);
    return folder;
}
