#include "base/id_map.h"

#include <stdlib.h>

enum { FIRST = 64 };

/* Where ID is, or would be: there is a free slot always. */
static struct lens_id_slot *slot_of(const lens_id_map *map, int64_t id)
{
    size_t at = (size_t)(((uint64_t)id * UINT64_C(0x9e3779b97f4a7c15)) >> 32); /* the golden ratio: ids that follow each other lie far apart */
    while (map->slots[at & (map->room - 1)].id && map->slots[at & (map->room - 1)].id != id)
        at++;
    return &map->slots[at & (map->room - 1)];
}

int64_t lens_id_map_get(const lens_id_map *map, int64_t id, int64_t otherwise)
{
    const struct lens_id_slot *slot = map->room ? slot_of(map, id) : NULL;
    return slot && slot->id ? slot->number : otherwise;
}

int lens_id_map_put(lens_id_map *map, int64_t id, int64_t number)
{
    if (2 * (map->count + 1) > map->room) {
        lens_id_map larger = {.count = map->count, .room = map->room ? 2 * map->room : FIRST};
        if (!(larger.slots = calloc(larger.room, sizeof *larger.slots)))
            return -1;
        for (size_t i = 0; i < map->room; i++)
            if (map->slots[i].id)
                *slot_of(&larger, map->slots[i].id) = map->slots[i];
        free(map->slots);
        *map = larger;
    }
    struct lens_id_slot *slot = slot_of(map, id);
    map->count += slot->id == 0;
    *slot = (struct lens_id_slot){id, number};
    return 0;
}

void lens_id_map_free(lens_id_map *map)
{
    free(map->slots);
    *map = (lens_id_map){0};
}
