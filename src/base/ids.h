/* Ids of pictures and what belongs to them, many of them. An empty array may be NULL. */
#ifndef LENS_BASE_IDS_H
#define LENS_BASE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void lens_ids_sort(int64_t *ids, size_t count);

/* Whether ID is one of IDS [count], which are in order. */
bool lens_ids_have(const int64_t *ids, size_t count, int64_t id);

typedef struct lens_id_list {
    int64_t *items;
    size_t count, capacity;
} lens_id_list;

/* 0, or -1 when memory is short. */
int lens_id_list_add(lens_id_list *list, int64_t id);
void lens_id_list_free(lens_id_list *list);

#endif
