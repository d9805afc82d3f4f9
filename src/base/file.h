/* Paths and whole files. A path is bytes ended by NUL: nothing here takes it for UTF-8. */
#ifndef LENS_BASE_FILE_H
#define LENS_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/buffer.h"
#include "base/error.h"

/* Reads all of PATH into OUT (emptied first), refusing anything but a regular file (a FIFO would wait for ever) and
 * more than LIMIT bytes. Waits no longer than base/patience.h says: LENS_E_SILENT. On failure OUT is empty. */
int lens_file_read(const char *path, size_t limit, lens_buffer *out, lens_error *err);

/* The same in two steps, for whoever does other things while it is read. NULL, with ERR filled, where it cannot begin; else lens_file_read_end has to follow,
 * which frees READING. */
typedef struct lens_file_reading lens_file_reading;
lens_file_reading *lens_file_read_begin(const char *path, size_t limit, lens_error *err);
int lens_file_read_end(lens_file_reading *reading, lens_buffer *out, lens_error *err);

/* stat and lstat with that patience: LENS_E_MISSING where nothing is. Where the system said no, errno is its reason. */
int lens_file_look(const char *path, struct stat *info, lens_error *err);
int lens_file_look_at_link(const char *path, struct stat *info, lens_error *err);

/* PATH without symbolic links, waited for as above. NULL when nothing is there (LENS_E_MISSING) or on failure. The caller frees. */
char *lens_file_real(const char *path, lens_error *err);

/* Maps all of PATH, read-only. An empty file maps to NULL with size 0. Undo with lens_file_unmap. */
int lens_file_map(const char *path, const void **data, size_t *size, lens_error *err);
void lens_file_unmap(const void *data, size_t size);

/* Makes the folder PATH and every folder above it that is missing, for good: what is synced in them later does not go with them in a power cut. */
int lens_folder_make(const char *path, lens_error *err);

/* Removes the folder PATH with all that is in it. Symbolic links are removed, not followed. */
int lens_folder_remove(const char *path, lens_error *err);

/* Puts the folder FROM at TO, on the same disk, in one step where the system can exchange two folders, else in two; a folder that was at TO is
 * removed after it. What is in FROM is synced by its maker. On failure TO is what it was. */
int lens_folder_put(const char *from, const char *to, lens_error *err);

/* Puts SIZE bytes at PATH in one step: a file beside it, synced, renamed over it, the folder synced. */
int lens_file_write(const char *path, const void *bytes, size_t size, lens_error *err);

/* The same for COUNT runs of bytes, one behind the other. */
typedef struct lens_run_of_bytes {
    const void *bytes;
    size_t size;
} lens_run_of_bytes;
int lens_file_write_runs(const char *path, const lens_run_of_bytes *runs, size_t count, lens_error *err);

/* Puts SIZE bytes at PATH, which somebody named to have them there: as lens_file_write does where a file or nothing is there. What is no file (a pipe, a
 * device, /dev/stdout, a symbolic link) is not replaced by one: it is written to, or what it leads to, and may have got a part of it on failure. */
int lens_file_give(const char *path, const void *bytes, size_t size, lens_error *err);

/* Removes the file PATH, if it is there, and syncs its folder: no power cut brings it back. */
int lens_file_remove(const char *path, lens_error *err);

/* Whether NAME is that of such a file beside the other, and of a process that is no more: nobody will ever rename it. A process on another machine, or in a
 * container of its own, looks like that too: so only for what can be made again. */
bool lens_file_is_abandoned(const char *name);

bool lens_file_exists(const char *path); /* also false where no answer comes */

/* Nanoseconds since 1970, of which there are enough for the years 1678 to 2261: what lies beyond counts as their end, so that INT64_MIN and INT64_MAX are no
 * file's. lens_file_mtime_ns: when INFO's file was changed. */
int64_t lens_file_time_ns(const struct timespec *time);
int64_t lens_file_mtime_ns(const struct stat *info);

/* Whether a file of SIZE that was changed at MTIME_NS is at PATH; also false where no answer comes. */
bool lens_file_is(const char *path, int64_t size, int64_t mtime_ns);

/* Whether the disk that statfs told of is one of the network or a program's own (FUSE): one that may go silent, and does not tell of changes. */
bool lens_disk_is_remote(const struct statfs *disk);

/* "FOLDER/NAME" (NAME as it is when it is absolute). NULL when memory is short. The caller frees. */
char *lens_path_join(const char *folder, const char *name);

/* What stands behind the last slash of PATH, in PATH itself: all of it where it has none. */
const char *lens_path_name(const char *path);

/* The folder that PATH lies in; "." for a name alone. NULL when memory is short. The caller frees. */
char *lens_path_folder(const char *path);

/* The absolute form of PATH without ".", ".." and doubled slashes. Symbolic links are left as they are, except that
 * nothing but text is looked at: PATH need not exist. NULL on failure, as for an empty PATH, which names nothing. The caller frees. */
char *lens_path_absolute(const char *path, lens_error *err);

/* Whether PATH is FOLDER or lies below it. Both absolute, as lens_path_absolute gives them. */
bool lens_path_within(const char *path, const char *folder);

#endif
