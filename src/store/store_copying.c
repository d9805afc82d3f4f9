/* Libraries as records, whichever store they are in. */
#include "store/backends.h"

int lens_store_export_begin(lens_store *store, lens_error *err)
{
    return ASK(store, export_begin, err);
}

void lens_store_export_end(lens_store *store)
{
    if (store->postgres)
        lens_postgres_export_end(store->postgres);
    else
        lens_folder_export_end(store->folder);
}

int lens_store_export(lens_store *store, lens_store_part part, int64_t model, const lens_record *after, lens_records *out, lens_error *err)
{
    return ASK(store, export, part, model, after, out, err);
}

int lens_store_import(lens_store *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err)
{
    return ASK(store, import, part, model, records, err);
}

int lens_store_expunge(lens_store *store, lens_store_part part, int64_t model, const lens_records *records, lens_error *err)
{
    return ASK(store, expunge, part, model, records, err);
}

int lens_store_mark(lens_store *store, const char *source, lens_error *err)
{
    return ASK(store, mark, source, err);
}

int lens_store_marked(lens_store *store, char **source, lens_error *err)
{
    return ASK(store, marked, source, err);
}

int lens_store_ids_given(lens_store *store, lens_store_ids *out, lens_error *err)
{
    return ASK(store, ids_given, out, err);
}

int lens_store_ids_raise(lens_store *store, const lens_store_ids *ids, lens_error *err)
{
    return ASK(store, ids_raise, ids, err);
}

int lens_store_identity(lens_store *store, lens_hash *identity, lens_error *err)
{
    return ASK(store, identity, identity, err);
}
