/* What is to be known of the Hugging Face hub: its names, its addresses, the settings that its other programs have too, and the three
 * kinds of JSON that are read from it. Functions here ask no one. */
#ifndef LENS_NET_HUB_H
#define LENS_NET_HUB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/names.h"

/* "owner/name" as the hub allows it: letters, digits, "-", "_" and "." in both, neither beginning nor ending with "-" or ".", no ".." and
 * no "--", at most 96 bytes each. */
bool lens_hub_repository(const char *text);

/* "owner--name", the folder of that repository. The caller frees; NULL when memory is short. */
char *lens_hub_folder_name(const char *repository);

/* Whether NAME can be a file of a model folder: plain, as "model-00001-of-00002.safetensors", not hidden, at most 128 bytes. */
bool lens_hub_file_name(const char *name);

/* Whether NAME is such a file, or one in the folder of a sentence model's module, whose name begins with its number: "1_Pooling/config.json". Other folders
 * hold other forms of a model, or thousands of files of something else. */
bool lens_hub_file_path(const char *name);

/* $HF_ENDPOINT without slashes at its end, else https://huggingface.co. NULL on failure: not http or https. The caller frees. */
char *lens_hub_endpoint(lens_error *err);

/* $HF_TOKEN, else what $HF_TOKEN_PATH, $HF_HOME/token, $XDG_CACHE_HOME/huggingface/token or ~/.cache/huggingface/token holds, without white
 * space. *TOKEN is NULL where there is none; the caller frees. -1: a token that cannot be one. */
int lens_hub_token(char **token, lens_error *err);

/* Whether $HF_HUB_OFFLINE says 1, true, yes or on. */
bool lens_hub_offline(void);

/* ENDPOINT/REPOSITORY/resolve/REVISION/FILE, which lens_hub_file_path allows. The caller frees; NULL when memory is short. */
char *lens_hub_file_url(const char *endpoint, const char *repository, const char *revision, const char *file);

/* ENDPOINT/api/models/REPOSITORY/revision/REVISION, and …/discussions: the open requests of the hub's converter alone, as a page of all
 * has only the newest. The same. */
char *lens_hub_listing_url(const char *endpoint, const char *repository, const char *revision);
char *lens_hub_discussions_url(const char *endpoint, const char *repository);

enum { LENS_COMMIT_DIGITS = 40 };

/* Reads the SIZE bytes of a repository's listing. FILES: those that lens_hub_file_path allows; COMMIT [41]: what the
 * revision came to, empty where it does not say. WHAT names it in messages. */
int lens_hub_read_listing(const char *bytes, size_t size, const char *what, lens_names *files, char *commit, lens_error *err);

/* Reads model.safetensors.index.json: the names of the shards, each once. Fails on a name that lens_hub_file_name refuses. */
int lens_hub_read_index(const char *bytes, size_t size, const char *what, lens_names *shards, lens_error *err);

/* Reads a repository's discussions for the newest open request in which the hub's own converter ("SFconvertbot") offers its weights as
 * safetensors. Its number, 0 for none, -1 on failure. */
long lens_hub_read_conversion(const char *bytes, size_t size, const char *what, lens_error *err);

#endif
