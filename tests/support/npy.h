/* Reads NumPy's .npy files: little-endian float32 in C order, which is all that the reference data holds. */
#ifndef LENS_TESTS_NPY_H
#define LENS_TESTS_NPY_H

#include <stddef.h>

enum { TEST_NPY_DIMENSIONS = 4 };

typedef struct test_npy {
    int dimensions;
    size_t shape[TEST_NPY_DIMENSIONS]; /* 1 from shape[dimensions] on */
    size_t count;                      /* of values: the product of the shape */
    float *data;
} test_npy;

/* Fails the test when PATH cannot be read or holds something else. Free with test_npy_free. */
test_npy test_npy_read(const char *path);
void test_npy_free(test_npy *array);

#endif
