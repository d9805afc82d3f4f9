/* Dot products, one at a time or many at once, by the widest arithmetic that this processor has. Within one set of
 * kernels the sum of two vectors is the same to the last bit whichever function makes it and whatever stands beside it:
 * it depends on nothing but the two vectors. */
#ifndef LENS_SEARCH_DOT_H
#define LENS_SEARCH_DOT_H

#include <stddef.h>

enum { LENS_DOT_ROWS = 4 };

typedef struct lens_dot_kernels {
    const char *name;
    float (*one)(const float *a, const float *b, int dim);
    /* out[i][j] = a[i] . b[j] */
    void (*tile)(const float *const a[LENS_DOT_ROWS], const float *const b[LENS_DOT_ROWS], int dim,
                 float out[LENS_DOT_ROWS][LENS_DOT_ROWS]);
} lens_dot_kernels;

/* The best for this processor. */
const lens_dot_kernels *lens_dot_best(void);

/* The Nth of those that this processor can run, best first; NULL when there are no more. */
const lens_dot_kernels *lens_dot_nth(size_t n);

#endif
