/* What is kept with a root so that every walk of it is alike: {"exclude": [glob...], "hidden": bool, "device": N, "level": N, "mounts": [path...], "links": {path: N...}}. */
#ifndef LENS_LIBRARY_ROOT_SETTINGS_H
#define LENS_LIBRARY_ROOT_SETTINGS_H

#include <jansson.h>

#include "files/walk.h"
#include "store/store.h"

/* The disk that the root was on, as in st_dev, how many folders above the root it began, the folders below it that other disks were mounted on, and the links below it to others, with their disks. */
extern const char lens_device_key[], lens_level_key[], lens_mounts_key[], lens_links_key[];

/* The settings of ROOT, an object, empty when there are none. NULL on failure. The caller's reference. */
json_t *lens_root_settings(lens_store *store, const char *root, lens_error *err);

/* How SETTINGS want BASE, the root, walked. OUT's patterns are SETTINGS' own, and the list of them is the caller's to free; BASE must outlive
 * it too. */
int lens_root_walk_options(const json_t *settings, const char *base, lens_walk_options *out, lens_error *err);

/* Whether the walk of ROOT comes by PATH, which is it or lies below it: neither it nor a folder between is hidden or excluded there. -1: error. */
int lens_root_comes_by(lens_store *store, const char *root, const char *path, lens_error *err);

#endif
