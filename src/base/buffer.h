/* A growable run of bytes, always followed by a NUL that does not count, so that text in it is a C string. */
#ifndef LENS_BASE_BUFFER_H
#define LENS_BASE_BUFFER_H

#include <stddef.h>

typedef struct lens_buffer {
    char *data; /* NULL while empty and never written */
    size_t size, capacity;
} lens_buffer;

/* All return 0, or -1 when memory is short (the buffer is then unchanged). */
int lens_buffer_reserve(lens_buffer *buffer, size_t more);
int lens_buffer_append(lens_buffer *buffer, const void *bytes, size_t size);
int lens_buffer_print(lens_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Frees the bytes and makes BUFFER empty again. */
void lens_buffer_free(lens_buffer *buffer);

#endif
