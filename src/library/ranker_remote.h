/* A ranker where the store searches, as a database does: rows come as they are needed. The rest of a ranker's name says what each does. */
#ifndef LENS_LIBRARY_RANKER_REMOTE_H
#define LENS_LIBRARY_RANKER_REMOTE_H

#include "library/ranker.h"

int lens_remote_open(lens_ranker *self, lens_error *err);
int lens_remote_rank(lens_ranker *self, size_t wanted, float least, lens_fold_hit *hits, size_t *found, lens_error *err);
bool lens_remote_may_be(lens_ranker *self, int64_t id);
int lens_remote_fetch(lens_ranker *self, const int64_t *ids, size_t count, lens_error *err);

#endif
