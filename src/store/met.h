/* What an index run met, so that the rest can be swept away. */
#ifndef LENS_STORE_MET_H
#define LENS_STORE_MET_H

#include "base/ids.h"
#include "store/store.h"

/* 0, or LENS_E_ARGUMENT: PATH is not absolute. */
int lens_path_check(const char *path, lens_error *err);

typedef struct lens_met {
    lens_id_list ids; /* pictures that the walk met */
    lens_names kept;  /* what it could not look at, or into: of a folder of links to an absent disk each link */
    bool sorted;      /* both are */
} lens_met;

void lens_met_clear(lens_met *met);
void lens_met_free(lens_met *met);
int lens_met_mark(lens_met *met, int64_t id, lens_error *err);
int lens_met_keep(lens_met *met, const char *path, lens_error *err);

/* Of ROOTS those that lie below ROOT, and so have a sweep of their own, in the order that they had. The others are taken out. */
void lens_met_nested(const char *root, lens_names *roots);

/* Whether the picture ID at PATH was met, or lies where the walk could not look or below one of NESTED, which are sorted. */
bool lens_met_stays(lens_met *met, int64_t id, const char *path, const lens_names *nested);

#endif
