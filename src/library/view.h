/* A model's vectors as search takes them. */
#ifndef LENS_LIBRARY_VIEW_H
#define LENS_LIBRARY_VIEW_H

#include "search/scan.h"
#include "store/store.h"

static inline lens_view lens_vectors_view(const lens_store_vectors *vectors)
{
    return (lens_view){.data = vectors->data, .slots = vectors->slots, .ids = vectors->ids, .count = vectors->count, .dim = vectors->dim};
}

#endif
