/* A person's pictures with words: files of captions, and what a search for words finds by them. */
#ifndef LENS_TESTS_TEXTS_WORLD_H
#define LENS_TESTS_TEXTS_WORLD_H

#include "world.h"

/* cmocka's fixture: *STATE is a world with the pictures a.png, b.jpg and sub/c.png. Torn down by test_world_teardown. */
int texts_world_setup(void **state);

/* Writes TEXT to NAME, below the world's pictures. */
void texts_world_write(const test_world *world, const char *name, const char *text);

/* Indexes the pictures with the model `colour`, and with what follows, options ended by NULL; fails the test unless CAPTIONS came, changed or went. */
void texts_world_index(const test_world *world, long captions, ...) __attribute__((sentinel));

/* The names of the pictures that `search --by text --json` finds for the words that follow, best first, a blank between. Fails the test when it says
 * anything else. The caller frees. */
char *texts_world_found(const test_world *world, const char *first, ...) __attribute__((sentinel));

/* That is NAMES. */
#define texts_world_expect(world, names, ...) texts_world_same(texts_world_found(world, __VA_ARGS__, NULL), names, #__VA_ARGS__)
void texts_world_same(char *found, const char *names, const char *query); /* frees FOUND */

/* The picture NAME has the CAPTIONS, a bar between the lines; "": none. */
void texts_world_captions(const test_world *world, const char *name, const char *captions);

#endif
