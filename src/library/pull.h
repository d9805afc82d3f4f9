/* What the ways to fetch a model share. pull.c gives a job to one of them, proves what it brought and puts it in place. */
#ifndef LENS_LIBRARY_PULL_H
#define LENS_LIBRARY_PULL_H

#include "encoders/catalogue.h"
#include "library/internal.h"

typedef struct lens_pull_job {
    const char *name;                  /* as it was asked for */
    const lens_catalogue_entry *entry; /* NULL for a repository that is not in the catalogue */
    const char *repository, *revision; /* of the hub */
    const char *workspace;             /* MODELS/NAME.part: this process's alone, kept while a later run can go on from what is in it */
    const char *model;                 /* MODELS/NAME.part/model: what will be MODELS/NAME; made by the way to fetch */
    bool (*event)(void *context, const lens_pull_event *event);
    void *context;
} lens_pull_job;

/* Fill job->model: 0, or -1 with ERR. *REFUSED: this build cannot open such a model, and what came of it so far is of no use. */
int lens_pull_package(const lens_pull_job *job, lens_error *err);
int lens_pull_hub(const lens_pull_job *job, bool *refused, lens_error *err);

/* A step in words, to the person. */
void lens_pull_say(const lens_pull_job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The note beside a model that says where it came from. */
#define LENS_PULL_NOTE "memelens.json"

#endif
