/* Taking from a process that decodes all that decoding does not need: it keeps computing, memory, and the descriptors that it has. */
#ifndef LENS_PIXELS_CONFINE_H
#define LENS_PIXELS_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

#include "pixels/helper.h"

/* Sanitizers need files, processes and all the addresses there are, and so do the counters of a coverage build: there only the process is apart. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(LENS_COVERAGE)
#define LENS_CONFINE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define LENS_CONFINE_SANITIZED 1
#endif
#endif
#ifndef LENS_CONFINE_SANITIZED
#define LENS_CONFINE_SANITIZED 0
#endif

/* For good: limits on memory and files (what would grow one is refused, without a signal), no core; no new rights; then only those system calls that a helper
 * of KIND makes, any other failing with EPERM. An SVG's may open files to read, the system's and fonts only where the kernel has Landlock.
 * What this machine does not have (lens_confine_lacks) is left out. False: it has system calls forbidden, and refused that here. */
bool lens_confine(lens_helper_kind kind, uint64_t max_pixels);

/* Why system calls cannot be forbidden here; NULL when they can. Static. */
const char *lens_confine_lacks(void);

#endif
