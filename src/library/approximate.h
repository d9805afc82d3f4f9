/* The cells of a model's vectors beside their file, for libraries that want approximate search: a cache, made again at any time. Exact search is what
 * everything else in the house does, and what this is measured by. */
#ifndef LENS_LIBRARY_APPROXIMATE_H
#define LENS_LIBRARY_APPROXIMATE_H

#include "base/packed.h"
#include "search/cells.h"
#include "store/store.h"

typedef struct lens_approximate {
    lens_packed *packed; /* whose the cells' arrays are */
    lens_cells cells;
    size_t probes;       /* of a query for ten pictures, as was found out when it was built */
    double recall;       /* at ten, in so many cells, of pictures of the library then */
    double ratio;        /* of the time that took to that of the exact scan */
} lens_approximate;

/* The cells of VECTORS, mapped; BYTES are their copies. NULL when there is none that is sound and about them. Free with lens_approximate_close. */
lens_approximate *lens_approximate_open(const lens_store_vectors *vectors, const lens_bytes_view *bytes);
void lens_approximate_close(lens_approximate *self);

/* The same of a file that is open, which goes over, or is closed; and what it has to be made of. */
lens_approximate *lens_approximate_of(lens_packed *packed, const lens_store_vectors *vectors, const lens_bytes_view *bytes);
lens_hash lens_approximate_key(const lens_store_vectors *vectors);

/* Whether there are cells that know of more slots than VECTORS have. */
bool lens_approximate_untrue(const lens_store_vectors *vectors);

/* How many slots the cells of MODEL's vectors cover, the bytes of its file, and what was measured when it was made; 0: there is none, or it is not sound. */
int64_t lens_approximate_covered(lens_store *store, int64_t model, int64_t *bytes, double *recall, double *ratio);

/* The same of SELF, which VECTORS have. */
int64_t lens_approximate_size(const lens_approximate *self, const lens_store_vectors *vectors, int64_t *bytes);

/* Which file it is: another number after it was made again; 0: there is none. */
int64_t lens_approximate_stamp(const lens_store_vectors *vectors);

/* Ranks SOME, rows of ALL in the same order (or ALL themselves), by QUERY [dim]: the WANTED best with a score of LEAST at least, HITS [wanted] with rows of SOME.
 * ROWS are those of ALL over all committed slots. 1; 0 when that is better done exactly: so many are wanted, or so few are left, that cells would
 * be no quicker or miss some; -1. */
int lens_approximate_rank(const lens_approximate *self, const lens_bytes_view *bytes, const lens_slot_rows *rows, const lens_store_vectors *all,
                          const lens_store_vectors *some, const float *query, size_t wanted, float least, int threads, lens_hit *hits, size_t *found,
                          lens_error *err);

/* Whether the library of STORE, whose folder FOLDER is, wants them, and saying so. */
bool lens_approximate_wanted(lens_store *store, const char *folder);
int lens_approximate_want(lens_store *store, const char *folder, bool wanted, lens_error *err);

/* Makes the cells of MODEL's vectors where there are none, or where more than a tenth of them are in none; *MADE: they were made. GO_ON as for lens_cells_build. 0 or -1. */
int lens_approximate_refresh(lens_store *store, int64_t model, int threads, lens_graph_go_on *go_on, void *context, bool *made, lens_error *err);

/* Removes them. 0 or -1. */
int lens_approximate_remove(lens_store *store, int64_t model, lens_error *err);

/* From so many numbers on (250,000 pictures of 512) a search takes long enough for cells to be worth a word. */
#define LENS_APPROXIMATE_PAYS (INT64_C(1) << 27)
/* The same of a database, which compares eight times as slowly. */
#define LENS_APPROXIMATE_PAYS_DATABASE (INT64_C(1) << 24)

#endif
