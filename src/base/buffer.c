#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int lens_buffer_reserve(lens_buffer *buffer, size_t more)
{
    if (more > SIZE_MAX / 2 - buffer->size)
        return -1;
    size_t need = buffer->size + more + 1;
    if (need <= buffer->capacity)
        return 0;
    size_t capacity = buffer->capacity ? buffer->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    char *data = realloc(buffer->data, capacity);
    if (!data)
        return -1;
    buffer->data = data;
    buffer->capacity = capacity;
    buffer->data[buffer->size] = '\0';
    return 0;
}

int lens_buffer_append(lens_buffer *buffer, const void *bytes, size_t size)
{
    if (lens_buffer_reserve(buffer, size) != 0)
        return -1;
    if (size)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
    return 0;
}

int lens_buffer_print(lens_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0 || lens_buffer_reserve(buffer, (size_t)size) != 0)
        return -1;
    va_start(args, format);
    vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, args);
    va_end(args);
    buffer->size += (size_t)size;
    return 0;
}

void lens_buffer_free(lens_buffer *buffer)
{
    free(buffer->data);
    *buffer = (lens_buffer){0};
}
