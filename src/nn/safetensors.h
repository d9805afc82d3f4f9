/* Weights files: a mapped reader for the safetensors format, one file or the shards of an index, that believes nothing. */
#ifndef LENS_NN_SAFETENSORS_H
#define LENS_NN_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"

typedef enum lens_dtype { LENS_F32, LENS_F16, LENS_BF16, LENS_OTHER } lens_dtype;

enum { LENS_MAX_DIMS = 8 };

/* One tensor of a file. Everything in it lives as long as the lens_weights it came from. */
typedef struct lens_tensor_view {
    const char *name;
    lens_dtype dtype;
    int dims;
    int64_t shape[LENS_MAX_DIMS];
    int64_t count;    /* elements: the product of the shape */
    const void *data; /* little-endian, not necessarily aligned */
    size_t size;      /* bytes */
} lens_tensor_view;

typedef struct lens_weights lens_weights;

/* Opens PATH: a .safetensors file, or a model.safetensors.index.json whose shards lie beside it. Checks the header's
 * length and JSON, every name (no doubles), type, shape (no overflow), offset (in bounds, no overlap, no hole: the format
 * asks for all three) and every shard named. An index is the table of contents: what it names must be in the shard it
 * names, and what else a shard holds is not seen. NULL on failure. Free with lens_weights_close. */
lens_weights *lens_weights_open(const char *path, lens_error *err);

/* The same for a .safetensors file in memory, called PATH in messages. BYTES must outlive the weights. */
lens_weights *lens_weights_view(const void *bytes, size_t size, const char *path, lens_error *err);

void lens_weights_close(lens_weights *weights);

/* WEIGHTS may be NULL: then nothing is in them. */
size_t lens_weights_count(const lens_weights *weights);
const lens_tensor_view *lens_weights_at(const lens_weights *weights, size_t index); /* in order of name; NULL behind the last */
const lens_tensor_view *lens_weights_find(const lens_weights *weights, const char *name); /* NULL when it is not there */

/* Of every name, type, shape and number: equal for the same tensors however they are ordered or sharded. HASH is filled;
 * 0 or -1. */
int lens_weights_hash(const lens_weights *weights, lens_hash *hash, lens_error *err);

/* A copy of tensor NAME as 32-bit floats, after checking that it is there, has exactly the DIMS sizes of SHAPE (-1: any),
 * and holds no NaN or infinity: the message names the file, the tensor and both shapes. F32, F16 and BF16 are converted.
 * The caller frees. NULL on failure. */
float *lens_weights_read(const lens_weights *weights, const char *name, int dims, const int64_t *shape, lens_error *err);

#endif
