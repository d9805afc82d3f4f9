/* From ids to numbers. An id is never 0. */
#ifndef LENS_BASE_ID_MAP_H
#define LENS_BASE_ID_MAP_H

#include <stddef.h>
#include <stdint.h>

/* {0} is empty. */
typedef struct lens_id_map {
    struct lens_id_slot {
        int64_t id, number;
    } *slots; /* [room]: open addressing; id 0: free */
    size_t count, room; /* ROOM is a power of two, or 0 */
} lens_id_map;

/* The number of ID, OTHERWISE when it has none. */
int64_t lens_id_map_get(const lens_id_map *map, int64_t id, int64_t otherwise);
/* 0, or -1 when memory is short. */
int lens_id_map_put(lens_id_map *map, int64_t id, int64_t number);
void lens_id_map_free(lens_id_map *map);

#endif
