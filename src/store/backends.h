/* The two stores behind store.h and texts.h. A function of either does what those headers say of lens_store_ and the rest of its name. */
#ifndef LENS_STORE_BACKENDS_H
#define LENS_STORE_BACKENDS_H

#include "store/folder/folder.h"
#include "store/postgres/postgres.h"

struct lens_store { /* one of the two */
    lens_folder *folder;
    lens_postgres *postgres;
};

#define ASK(store, name, ...) ((store)->postgres ? lens_postgres_##name((store)->postgres, __VA_ARGS__) : lens_folder_##name((store)->folder, __VA_ARGS__))

#endif
