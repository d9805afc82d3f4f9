/* One index run, as its threads share it:
 *
 *     walker (one)  -> jobs ->  workers (one a core)  -> done ->  the thread that called lens_index
 *     finds what is new         read, hash, decode,                writes to the store, tells events
 *                               prepare, encode in batches
 *
 * Jobs is long, so that the total is known early (a job is a path and a few numbers); done is short, so that memory is
 * bounded by what the workers hold. */
#ifndef LENS_LIBRARY_INDEX_RUN_H
#define LENS_LIBRARY_INDEX_RUN_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/id_map.h"
#include "base/patience.h"
#include "base/queue.h"
#include "files/walk.h"
#include "library/internal.h"

enum {
    LENS_INDEX_JOBS = 1 << 17, /* jobs waiting at most */
    LENS_INDEX_DONE = 64,
    LENS_INDEX_BATCH = 8, /* pictures a worker encodes at once: small, so that the activations stay in the cache */
};

typedef enum lens_outcome {
    LENS_OUTCOME_INDEXED,
    LENS_OUTCOME_UNCHANGED, /* touched, but the same bytes */
    LENS_OUTCOME_MOVED,
    LENS_OUTCOME_FAILED,
    LENS_OUTCOME_GONE, /* vanished between the walk and the reading */
    LENS_OUTCOME_NOTE, /* no picture: something to tell the person */
} lens_outcome;

/* A picture on its way through the run. */
typedef struct lens_job {
    char *path;
    int64_t size, mtime_ns;
    int64_t known_id;      /* of the path's row before this run; 0 when it had none */
    int64_t known_content; /* of that row; 0 when it had none or had failed */
    lens_outcome outcome;
    char *reason; /* why it failed, or the note */
    bool retry;   /* the failure may pass without the file changing: try again in the next run */
    bool same;    /* its bytes are those of KNOWN_CONTENT */
    bool held;    /* its bytes are those of a content: what fails now, the models before may have */
    lens_hash hash;
    int width, height;
    lens_format format;
    int64_t moved_from;
    float **vectors; /* [models]; NULL where the store has it, or the model cannot have one */
    int pending;     /* vectors still to come */
    char *embedded;  /* what the file says about itself, "" for nothing; NULL: not looked at */
} lens_job;

typedef struct lens_index_model {
    lens_encoder *encoder;
    char *name; /* as the store has it */
    int64_t id; /* in the store */
    int dim;
} lens_index_model;

/* A folder that a disk is mounted on. */
typedef struct lens_mount {
    char *path;
    int64_t device; /* as in st_dev; 0: it is not there */
    bool ordinary;  /* it need not be known again: a folder now as any other */
    bool link;      /* a link leads there: where that is not there at all, somebody has removed it */
} lens_mount;

/* The disk that a root was on when a run last looked at it. */
typedef struct lens_disk {
    int64_t device; /* as in st_dev; 0: unknown */
    int level;      /* how many folders above the root it began; -1: unknown */
} lens_disk;

/* A root, or a part of one, that the run looks at. */
typedef struct lens_target {
    char *path;
    const char *absent; /* why it is not walked, and nothing below it is swept away; NULL: it is there */
    bool removed;       /* a picture that is gone: not walked, and swept away */
    bool fresh;         /* no run has looked at it before */
    json_t *settings;   /* of its root */
    lens_walk_options walk;
    lens_mount *mounts; /* that the walk has met, and those of earlier walks that are not there; the walker's, until it has ended */
    size_t mount_count, mount_capacity;
    bool walked;        /* to its end */
} lens_target;

typedef struct lens_run {
    const lens_index_options *options;
    lens_store *store;
    pthread_mutex_t store_lock; /* the store is one connection: whoever uses it holds this */
    lens_store *reader;         /* a second one for the workers' questions: they need not wait while a batch reaches the disk */
    pthread_mutex_t reader_lock;
    const lens_library_place *place;
    lens_index_model *models;
    size_t model_count;
    bool further; /* one of them is new to a library that has others: what failed for those it may have */
    lens_names roots, forgotten;
    lens_disk *disks;  /* [roots.count] */
    lens_names mounts; /* folders below the roots that other disks were mounted on when they were last walked; sorted */
    lens_mount *links; /* links below the roots to folders that were on other disks then */
    size_t link_count, link_capacity;
    lens_target *targets; /* walked each by itself: a walk stops before another target below it */
    size_t target_count;
    size_t target; /* the walker's */
    struct lens_sidecar *sidecars; /* the walker's, until it has ended */
    size_t sidecar_count, sidecar_capacity;

    bool shares;    /* the store is one that many index into: jobs come from its list (index_share.c) */
    int64_t worker; /* then */
    lens_store_work *offers; /* the walker's: what it has found and not put on the list yet */
    size_t offer_count;
    atomic_llong claimed_jobs;

    lens_queue *jobs, *done;
    atomic_bool stop;
    atomic_bool walking;
    atomic_int workers_left;
    int threads;
    atomic_llong found, unchanged, failed_before;

    lens_id_map moves; /* of a content: the id up to which its pictures are known to be there, or have been found to be moved; under reader_lock */

    pthread_mutex_t error_lock;
    lens_error error; /* the first that ends the run */
    bool failed;
} lens_run;

/* Notes ERROR as what ends the run (the first one wins) and asks every thread to stop. */
void lens_run_fail(lens_run *run, const lens_error *error);

/* Whether nobody asked for a stop: as lens_patience asks. ARGUMENT: the lens_run. */
bool lens_run_goes_on(void *argument);

/* NULL when memory is short, which is then noted as the run's failure. */
lens_job *lens_job_new(lens_run *run, const char *path);
void lens_job_free(const lens_run *run, lens_job *job);

/* Names the options' paths as roots, or takes every known root, sees which are there, and fills run->targets, roots and forgotten. */
int lens_targets_choose(lens_run *run, lens_error *err);
void lens_targets_free(lens_run *run);

/* Keeps what the walks have found out about the roots themselves. */
int lens_targets_keep(lens_run *run, lens_error *err);

/* ---- index_disk.c: the disk that a root is on ---- */

/* Puts into SETTINGS what disk ROOT is on, of which INFO tells, unless that cannot be told of another one; what SETTINGS say of that. */
void lens_disk_put(json_t *settings, const char *root, const struct stat *info);
lens_disk lens_disk_of(const json_t *settings);

/* Whether ROOT, of which INFO tells, is on another disk than DISK, by its number and by where it begins, or where that cannot be told. Of a DISK that is unknown none is another. */
bool lens_disk_exchanged(const char *root, const struct stat *info, const lens_disk *disk);

/* ---- index_mounts.c: disks that are absent ---- */

/* Reads what earlier runs knew of the roots' disks into RUN; frees it. */
int lens_mounts_load(lens_run *run, lens_error *err);
void lens_mounts_free(lens_run *run);

/* Whether the root above PATH is there now, and the disk further down that PATH was on: on an absent disk nothing is gone. A disk can be taken away at any time, so
 * this is asked whenever something seems to be gone. */
bool lens_root_present(const lens_run *run, const char *path);

/* The same of something that may be elsewhere now: on an absent disk nothing has moved; but the folder that a disk was mounted on may have another name. */
bool lens_may_have_moved(const lens_run *run, const char *path);

/* Why something is kept that was not met. */
extern const char lens_unmounted_words[], lens_empty_share_words[], lens_exchanged_words[], lens_silent_words[], lens_absent_words[], lens_disk_absent_words[],
    lens_mount_gone_words[];

/* Which of these it is where FOLDER, of which INFO tells, is where disk DEVICE (0: none is known) was, and nothing is left but the folder itself; is a share, and
 * empty; or gives no answer. Else NULL. */
const char *lens_folder_left(const char *folder, const struct stat *info, int64_t device);

/* The same of the root above PATH. */
const char *lens_disk_left(const lens_run *run, const char *path);

/* Whether the folder that PATH lies in is there, and its disk. -1: memory is short. */
int lens_folder_there(const char *path, int64_t device);

/* The walk of TARGET is in the folder PATH. Why what is known of it is to be kept, where a disk was mounted there that is not now, or was shared; else NULL. */
const char *lens_mounts_meet(lens_run *run, lens_target *target, const char *path, const lens_walk_folder *folder);

/* TARGET has been walked, and PATH is one of the run's mounts. True when that is a folder below TARGET which is not there at all: the same. What the walk could
 * not come to is known as before. */
bool lens_mounts_miss(lens_run *run, lens_target *target, const char *path);

/* The same of the run's links: those that are still there are known as before, wherever they lead now. */
void lens_links_miss(lens_run *run, lens_target *target);

/* Puts into SETTINGS, TARGET's root's, which disks its walk has met. Whether they are others than before. */
bool lens_mounts_keep(const lens_target *target, json_t *settings);

/* Where the store is shared: begins as one of its workers; puts PATH on its list (takes JOB); puts what was not yet put there; takes PATH off it; ends.
 * The walker offers, the thread lens_index_sharer takes. */
int lens_share_begin(lens_run *run, lens_error *err);
void lens_share_offer(lens_run *run, lens_job *job);
void lens_share_flush(lens_run *run);
void lens_share_drop(lens_run *run, const char *path);
void lens_share_end(lens_run *run);

/* Thread bodies. ARGUMENT: the lens_run. */
void *lens_index_walker(void *argument);
void *lens_index_worker(void *argument);
void *lens_index_sharer(void *argument);

#endif
