/* LENS_CLONES before a function: one compilation for any processor, and others for processors with longer vectors, chosen when the
 * program starts. For plain loops that the compiler vectorises. Not under sanitizers whose start comes after the choice. */
#ifndef LENS_BASE_CLONES_H
#define LENS_BASE_CLONES_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LENS_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LENS_CLONES
#endif

#endif
