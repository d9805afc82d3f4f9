/* The stream of events, to those who are slow to read it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "server/server.h"
#include "support.h"

typedef struct place {
    lens_server server;
    char *folder;
    lens_exchange exchange;
    int client; /* which has little room for what it does not read */
} place;

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                              const char *data, size_t *size, void **request)
{
    (void)url, (void)method, (void)version, (void)data, (void)size;
    place *self = context;
    if (!*request) {
        *request = self;
        return MHD_YES;
    }
    self->exchange = (lens_exchange){.method = "GET", .server = &self->server, .connection = connection};
    lens_api_events(&self->exchange);
    const enum MHD_Result result = MHD_queue_response(connection, self->exchange.status, self->exchange.response);
    MHD_destroy_response(self->exchange.response);
    return result;
}

static place *begin(void)
{
    place *self = calloc(1, sizeof *self);
    lens_error error = {0};
    self->folder = test_folder_new();
    self->server.options.library = self->folder;
    self->server.events = lens_events_new();
    self->server.indexer = lens_indexer_new(&self->server, &error);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    self->server.daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL, answer, self,
                                           MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_END);
    assert_non_null(self->server.daemon);
    address.sin_port = htons(MHD_get_daemon_info(self->server.daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    static const char request[] = "GET /api/index/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const int room = 4096;
    const struct timeval patience = {.tv_sec = 30};
    self->client = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(self->client, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    setsockopt(self->client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(self->client, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(self->client, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    return self;
}

static void end(place *self)
{
    close(self->client);
    lens_events_end(self->server.events);
    MHD_stop_daemon(self->server.daemon);
    lens_indexer_free(self->server.indexer);
    lens_events_free(self->server.events);
    test_folder_remove(self->folder);
    free(self);
}

/* Reads until MARK came (true) or the stream ended; fails the test when it is only silent. */
static bool reads(place *self, const char *mark)
{
    const size_t length = strlen(mark);
    char part[65536 + 64], *found = NULL;
    size_t kept = 0;
    ssize_t size;
    while (!found && (size = recv(self->client, part + kept, 65536 - 1, 0)) > 0) {
        kept += (size_t)size;
        part[kept] = '\0';
        found = strstr(part, mark);
        const size_t tail = kept < length ? kept : length; /* it may be cut in two */
        memmove(part, part + kept - tail, tail);
        kept = tail;
    }
    if (!found && size < 0 && errno != ECONNRESET)
        fail_msg("no %s, and no end: %s", mark, strerror(errno));
    return found != NULL;
}

/* Tells EVENT COUNT times, a kilobyte each. */
static void tell(place *self, const char *event, int count)
{
    char words[1000];
    memset(words, 'x', sizeof words);
    for (int i = 0; i < count; i++)
        lens_events_tell(self->server.events, event, json_pack("{ss#}", "words", words, (int)sizeof words));
}

/* Until the client's connection takes no more: all the room there is for it is some megabytes. */
static void fill(place *self)
{
    assert_true(reads(self, "event: progress")); /* it listens */
    for (int i = 0; i < 512; i++) {
        tell(self, "progress", 32);
        usleep(500);
    }
    tell(self, "progress", 256);
}

static void how_a_run_ended_is_told_to_the_slow_too(void **state)
{
    (void)state;
    place *self = begin();
    fill(self);
    lens_events_tell(self->server.events, "done", json_pack("{sb}", "ok", 1));
    assert_true(reads(self, "event: done\ndata: {\"ok\":true}\n\n"));
    lens_events_tell(self->server.events, "progress", json_pack("{si}", "done", 77));
    assert_true(reads(self, "{\"done\":77}")); /* and it goes on */
    end(self);
}

static void who_reads_nothing_at_all_is_sent_away(void **state)
{
    (void)state;
    place *self = begin();
    fill(self);
    tell(self, "done", 16384); /* the runs of weeks, several times what any connection holds: nobody keeps those for it */
    lens_events_tell(self->server.events, "done", json_pack("{si}", "indexed", 77));
    assert_false(reads(self, "{\"indexed\":77}"));
    end(self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_a_run_ended_is_told_to_the_slow_too),
        cmocka_unit_test(who_reads_nothing_at_all_is_sent_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
