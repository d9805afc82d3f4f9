/* The one error convention of memelens: functions return 0 or -1 (or a pointer or NULL) and fill a
 * lens_error that the caller owns. Nothing below the command line prints or exits. */
#ifndef MEMELENS_ERROR_H
#define MEMELENS_ERROR_H

typedef enum lens_error_code {
    LENS_E_NONE = 0,
    LENS_E_ARGUMENT,    /* the caller asked for something that makes no sense */
    LENS_E_MISSING,     /* a file, model, picture or library that is not there */
    LENS_E_FORMAT,      /* outside bytes that are not what they claim to be */
    LENS_E_UNSUPPORTED, /* well-formed, but not something this build can do */
    LENS_E_LIMIT,       /* over a stated cap */
    LENS_E_VERSION,     /* written by a newer memelens */
    LENS_E_BUSY,        /* another process writes to the library */
    LENS_E_AWAY,        /* the library's database cannot be reached now, or another library was put in its place just then: to be tried again */
    LENS_E_SYSTEM,      /* the operating system said no */
    LENS_E_FULL,        /* no room left on the disk */
    LENS_E_MEMORY,      /* allocation failed */
    LENS_E_CANCELLED,   /* the caller's own callback asked to stop */
    LENS_E_SILENT       /* a disk gave no answer for as long as one waits for it */
} lens_error_code;

typedef struct lens_error {
    lens_error_code code;
    char message[1024]; /* one line: the file and the reason; may hold bytes of a path that is not UTF-8 */
} lens_error;

#endif
