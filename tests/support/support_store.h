/* Libraries with made-up pictures: content N has hash N and a unit vector drawn from N, so that a vector tells whose it
 * is. */
#ifndef LENS_TESTS_SUPPORT_STORE_H
#define LENS_TESTS_SUPPORT_STORE_H

#include "store/store.h"
#include "store_place.h"

/* The library at PLACE (store_place.h); the test fails when it cannot be opened. Close with lens_store_close. */
lens_store *test_store(const char *place, lens_store_mode mode);

/* Model NAME of DIM in STORE. */
int64_t test_model(lens_store *store, const char *name, int dim);

lens_hash test_hash(uint64_t content);
void test_vector(uint64_t content, float *values, int dim);

/* Writes pictures of contents FIRST to FIRST + COUNT - 1 at paths "FOLDER/N.jpg" (of N five digits) in one batch, with
 * vectors of MODEL. 0 or -1 and ERR. */
int test_write_pictures(lens_store *store, int64_t model, int dim, const char *folder, uint64_t first, size_t count,
                        lens_error *err);

/* The same for one picture at PATH, which must succeed. Returns its id. */
int64_t test_write_picture(lens_store *store, int64_t model, int dim, const char *path, uint64_t content, int64_t moved_from);

/* Makes a library at PLACE, closed: COUNT pictures of contents from 0 on in /p, a root, with vectors of the model "m", the first one. */
void test_library_fill(const char *place, int dim, size_t count);

/* The same in a new folder, where its vectors are in "m-1.vectors". The caller removes it with test_folder_remove. */
char *test_library_new(int dim, size_t count);

/* The id of the picture at PATH, or 0. */
int64_t test_id(lens_store *store, const char *path);

/* Fails the test when lens_store_check finds a fault, or a row of the view of MODEL does not hold the vector of the
 * content that "N.jpg" names. Returns the count of the view. */
size_t test_store_sound(lens_store *store, int64_t model, int dim);

#endif
