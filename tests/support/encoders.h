/* Encoders that must open, and such as must not. */
#ifndef LENS_TESTS_ENCODERS_H
#define LENS_TESTS_ENCODERS_H

#include "encoders/family.h"

/* The model in FOLDER under NAME, in f32 on BACKEND, or the test fails. The caller closes it. */
lens_encoder *test_encoder(const char *folder, const char *name, lens_tower towers, lens_backend backend);

/* A session of ENCODER, or the test fails. The caller frees it. */
lens_session *test_session(const lens_encoder *encoder, int batch, int threads);

/* FOLDER does not open as NAME: it fails with CODE, in one line that has WORDS in it, and FOLDER where it is a file that is wrong. */
void test_encoder_refused(const char *folder, const char *name, lens_precision precision, lens_tower towers, lens_error_code code, const char *words);

#endif
