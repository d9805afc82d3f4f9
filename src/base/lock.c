#include "base/lock.h"

#include <errno.h>
#include <sys/file.h>

#include "base/clock.h"

int lens_lock(int fd, const char *name, double every, int (*wait)(void *context, lens_error *err), void *context, lens_error *err)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return lens_fail_errno(err, errno, "%s: cannot be locked", name);
        if (wait(context, err) != 0)
            return -1;
        lens_sleep(every);
    }
    return 0;
}
