/* What stands between a database's server and whoever asks it, and passes on what either says until it is told to fall silent: from then on the connections
 * stay, what is sent is taken by the system, and nothing comes. */
#ifndef LENS_TESTS_SILENT_PROXY_H
#define LENS_TESTS_SILENT_PROXY_H

#include <stdbool.h>

typedef struct test_proxy test_proxy;

/* Starts one before the server of PLACE, which is reached over loopback (store_place_by_password). *THROUGH: PLACE by way of it, which the caller frees. */
test_proxy *test_proxy_start(const char *place, char **through);
void test_proxy_silence(test_proxy *proxy, bool silent);

/* Ends it and all connections. PROXY may be NULL. */
void test_proxy_stop(test_proxy *proxy);

#endif
