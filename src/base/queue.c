#include "base/queue.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

struct lens_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled, drained;
    size_t capacity, count, first;
    bool closed;
    void *items[];
};

lens_queue *lens_queue_new(size_t capacity)
{
    lens_queue *queue = calloc(1, sizeof *queue + capacity * sizeof queue->items[0]);
    if (!queue)
        return NULL;
    queue->capacity = capacity;
    pthread_mutex_init(&queue->lock, NULL);
    lens_cond_init(&queue->filled);
    pthread_cond_init(&queue->drained, NULL);
    return queue;
}

void lens_queue_free(lens_queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->drained);
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

bool lens_queue_push(lens_queue *queue, void *item)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == queue->capacity && !queue->closed)
        pthread_cond_wait(&queue->drained, &queue->lock);
    bool open = !queue->closed;
    if (open) {
        queue->items[(queue->first + queue->count++) % queue->capacity] = item;
        pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->lock);
    return open;
}

/* Called with the lock held, and an item there. */
static void *take_one(lens_queue *queue)
{
    void *item = queue->items[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
    pthread_cond_signal(&queue->drained);
    return item;
}

/* Called with the lock held; releases it. */
static bool take(lens_queue *queue, void **item)
{
    bool got = queue->count > 0;
    if (got)
        *item = take_one(queue);
    pthread_mutex_unlock(&queue->lock);
    return got;
}

bool lens_queue_pop(lens_queue *queue, void **item)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed)
        pthread_cond_wait(&queue->filled, &queue->lock);
    return take(queue, item);
}

static size_t share(lens_queue *queue, void **items, size_t most, size_t sharers, bool waits)
{
    pthread_mutex_lock(&queue->lock);
    while (waits && queue->count == 0 && !queue->closed)
        pthread_cond_wait(&queue->filled, &queue->lock);
    size_t share = (queue->count + sharers - 1) / sharers, count = share < most ? share : most;
    for (size_t i = 0; i < count; i++)
        items[i] = take_one(queue);
    pthread_mutex_unlock(&queue->lock);
    return count;
}

size_t lens_queue_pop_share(lens_queue *queue, void **items, size_t most, size_t sharers)
{
    return share(queue, items, most, sharers, true);
}

size_t lens_queue_take_share(lens_queue *queue, void **items, size_t most, size_t sharers)
{
    return share(queue, items, most, sharers, false);
}

bool lens_queue_pop_within(lens_queue *queue, void **item, double seconds)
{
    const double until = lens_seconds() + seconds;
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed && lens_cond_wait(&queue->filled, &queue->lock, until))
        ;
    return take(queue, item);
}

size_t lens_queue_count(lens_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    const size_t count = queue->count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

void lens_queue_close(lens_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_cond_broadcast(&queue->drained);
    pthread_mutex_unlock(&queue->lock);
}
