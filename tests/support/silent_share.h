/* A share of the network that goes silent: a file system of our own (FUSE, by the kernel's own protocol) that shows the files of a folder, flat and for
 * reading only, until it is told to answer no more. */
#ifndef LENS_TESTS_SILENT_SHARE_H
#define LENS_TESTS_SILENT_SHARE_H

#include "support.h"

typedef struct test_share test_share;

/* Mounts the share at the folder AT, with the files that lie in FOLDER now. Skips the test, saying so, where this process may not mount: before anything is
 * allocated. */
test_share *test_share_mount(const char *at, const char *folder);

/* What is silent from now on. READ: the contents of files; ALL: everything. */
typedef enum test_silence { TEST_SILENT_NEVER, TEST_SILENT_READ, TEST_SILENT_ALL } test_silence;
void test_share_silence(test_share *share, test_silence what);

/* What stat says of the share's own folder from now on the kernel may repeat for so many SECONDS without asking, as that of NFS does. */
void test_share_remember(test_share *share, int seconds);

/* How many calls wait for an answer. */
int test_share_waiting(const test_share *share);

/* Whoever waits gets an error then, and the folder is as it was. SHARE may be NULL. */
void test_share_unmount(test_share *share);

#endif
