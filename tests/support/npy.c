/* The format: numpy.lib.format, versions 1.0 and 2.0. */
#include "npy.h"

#include "support.h"

static const char *after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? at + strlen(key) : NULL;
}

test_npy test_npy_read(const char *path)
{
    lens_buffer file = test_read(path);
    const unsigned char *bytes = (const unsigned char *)file.data;
    if (file.size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 2)
        fail_msg("%s: not an .npy file", path);
    size_t start = bytes[6] == 1 ? 10 : 12;
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (start == 12)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > file.size - start)
        fail_msg("%s: cut short", path);

    char *header = strndup(file.data + start, length);
    assert_non_null(header);
    const char *descr = after(header, "'descr': "), *order = after(header, "'fortran_order': "), *shape = after(header, "'shape': (");
    if (!descr || strncmp(descr, "'<f4'", 5) != 0 || !order || strncmp(order, "False", 5) != 0 || !shape)
        fail_msg("%s: not float32 in C order: %s", path, header);

    test_npy array = {.count = 1};
    for (int i = 0; i < TEST_NPY_DIMENSIONS; i++)
        array.shape[i] = 1;
    for (char *end; *shape != ')'; shape = end + strspn(end, ", ")) {
        size_t side = strtoul(shape, &end, 10);
        if (end == shape || array.dimensions == TEST_NPY_DIMENSIONS || (side && array.count > SIZE_MAX / 4 / side))
            fail_msg("%s: odd shape: %s", path, header);
        array.shape[array.dimensions++] = side;
        array.count *= side;
    }
    free(header);
    if (file.size - start - length != array.count * sizeof(float))
        fail_msg("%s: %zu values expected, %zu bytes found", path, array.count, file.size - start - length);
    array.data = malloc(array.count ? array.count * sizeof(float) : 1);
    assert_non_null(array.data);
    memcpy(array.data, file.data + start + length, array.count * sizeof(float));
    lens_buffer_free(&file);
    return array;
}

void test_npy_free(test_npy *array)
{
    free(array->data);
    *array = (test_npy){0};
}
