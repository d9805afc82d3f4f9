/* A bounded queue of pointers between threads: it is what keeps memory bounded when decoding runs ahead of encoding. */
#ifndef LENS_BASE_QUEUE_H
#define LENS_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lens_queue lens_queue;

/* NULL when memory is short. Free with lens_queue_free, when no thread uses it any more. */
lens_queue *lens_queue_new(size_t capacity);
void lens_queue_free(lens_queue *queue);

/* Waits for room. False when the queue was closed: ITEM is then still the caller's. */
bool lens_queue_push(lens_queue *queue, void *item);

/* Waits for an item. False when the queue is closed and empty. */
bool lens_queue_pop(lens_queue *queue, void **item);

/* Like pop, but waits at most SECONDS: false too when nothing came by then. */
bool lens_queue_pop_within(lens_queue *queue, void **item, double seconds);

/* Waits for an item, and takes with it as many more as are there, at most MOST (1 or more) and at most what each of SHARERS threads may
 * have of all of them. How many; 0 when the queue is closed and empty. */
size_t lens_queue_pop_share(lens_queue *queue, void **items, size_t most, size_t sharers);

/* The same without waiting: 0 when there is nothing. */
size_t lens_queue_take_share(lens_queue *queue, void **items, size_t most, size_t sharers);

/* How many items wait. */
size_t lens_queue_count(lens_queue *queue);

/* No more pushes; what is inside can still be popped. */
void lens_queue_close(lens_queue *queue);

#endif
