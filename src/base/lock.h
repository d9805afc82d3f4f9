/* Locks between processes that go with who has them, however that ends. */
#ifndef LENS_BASE_LOCK_H
#define LENS_BASE_LOCK_H

#include "base/error.h"

/* Locks what FD has open, called NAME in messages, for whoever has FD (flock: it goes when what is open is closed, or its process ends; two
 * descriptors of one process that were opened apart exclude each other too). While another has it, WAIT is called and then, EVERY seconds later, it
 * is tried again: 0 from WAIT is to wait on, -1 to give up, with ERR filled by WAIT. 0: locked until FD and every copy of it in a child is closed.
 * -1: ERR has what WAIT said or the system's reason; FD stays open and the caller's either way. */
int lens_lock(int fd, const char *name, double every, int (*wait)(void *context, lens_error *err), void *context, lens_error *err);

#endif
