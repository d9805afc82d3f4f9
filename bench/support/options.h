/* The command line of the bench's programs: --NAME VALUE. */
#ifndef BENCH_SUPPORT_OPTIONS_H
#define BENCH_SUPPORT_OPTIONS_H

/* What follows NAME, else OTHERWISE. */
const char *bench_option(int argc, char **argv, const char *name, const char *otherwise);

#endif
