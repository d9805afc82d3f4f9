/* What a program and the process that decodes for it say to each other, over a socket that keeps messages whole. The picture's file and its pixels lie in
 * memory that both map: the file at 0, the pixels at lens_helper_pixels_at. The program makes that memory and makes it larger; it cannot be made smaller. */
#ifndef LENS_PIXELS_HELPER_MESSAGE_H
#define LENS_PIXELS_HELPER_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The file descriptors that a helper finds. LIFELINE is the end of a pipe that nobody writes to: it closes with the program. */
enum { LENS_HELPER_SOCKET = 3, LENS_HELPER_MEMORY = 4, LENS_HELPER_LIFELINE = 5 };

/* From the program: decode the file, or, behind LENS_ANSWER_LARGE, do, or, behind LENS_ANSWER_ROOM, there is room now. */
typedef struct lens_helper_question {
    uint64_t size;       /* of the file, bytes */
    uint64_t max_pixels; /* lens_decode_limits */
    uint64_t room;       /* bytes of the memory */
} lens_helper_question;

typedef enum lens_answer_kind {
    LENS_ANSWER_LARGE = 1, /* it has so many pixels that it waits for the question once more before it decodes them */
    LENS_ANSWER_ROOM,
    LENS_ANSWER_PICTURE,
    LENS_ANSWER_FAILED
} lens_answer_kind;

typedef struct lens_helper_answer {
    uint32_t kind;
    int32_t width, height; /* but FAILED */
    lens_error error;      /* FAILED */
} lens_helper_answer;

/* Where the pixels of a file of SIZE bytes lie. */
static inline size_t lens_helper_pixels_at(size_t size)
{
    return (size + 4095) / 4096 * 4096;
}

#endif
