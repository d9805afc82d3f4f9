#include "server/serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/patience.h"
#include "server/server.h"

enum { TOKEN_LEAST = 16, TOKEN_MOST = 256 };
static const size_t thumbs_most = (size_t)128 << 20; /* bytes that are held */
static const size_t uploads_least = (size_t)64 << 20, bodies_least = (size_t)256 << 20; /* more where larger pictures are taken */
static const double ending_seconds = 20, look_every = 0.1, sweep_every = 1;

lens_serve_options lens_serve_options_default(void)
{
    return (lens_serve_options){
        .listen = "127.0.0.1:8080", .max_upload = (uint64_t)32 << 20, .max_pixels = (uint64_t)100 * 1000 * 1000, .patience = 60};
}

static void say(const lens_server *server, const char *line)
{
    if (server->options.say)
        server->options.say(server->options.context, line);
}

static int read_token(lens_server *server, lens_error *err)
{
    const char *path = server->options.token_file;
    lens_buffer file = {0};
    if (!path)
        return 0;
    if (lens_file_read(path, 4096, &file, err) != 0)
        return -1;
    const char *text = file.data ? file.data : "";
    const size_t length = strcspn(text, " \t\r\n");
    int result = 0;
    for (size_t i = 0; i < length; i++) /* it also travels as a cookie */
        if (text[i] < '!' || text[i] > '~' || strchr("\",;\\", text[i]))
            result = lens_fail(err, LENS_E_ARGUMENT, "%s: a token is made of ASCII without blanks, quotes, commas, semicolons and backslashes", path);
    if (result == 0 && (length < TOKEN_LEAST || length > TOKEN_MOST))
        result = lens_fail(err, LENS_E_ARGUMENT, "%s: the token wants %d to %d characters: `openssl rand -hex 16 | install -m 600 /dev/stdin %s`", path, TOKEN_LEAST,
                           TOKEN_MOST, path);
    if (result == 0 && !(server->token = strndup(text, length)))
        result = lens_fail_memory(err);
    lens_buffer_free(&file);
    return result;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static int check_origins(const lens_server *server, lens_error *err)
{
    const lens_serve_names *origins = &server->options.origins;
    for (size_t i = 0; i < origins->count; i++)
        if (!lens_guard_is_origin(origins->items[i]))
            return lens_fail(err, LENS_E_ARGUMENT,
                             "--allow-origin %s: an origin is what a browser sends as one, as https://page.example or http://10.0.0.2:8501: in small "
                             "letters, without a path, and without :80 or :443",
                             origins->items[i]);
    return 0;
}

static int check_hosts(const lens_server *server, lens_error *err)
{
    const lens_serve_names *hosts = &server->options.hosts;
    for (size_t i = 0; i < hosts->count; i++)
        if (!lens_guard_is_host(hosts->items[i]))
            return lens_fail(err, LENS_E_ARGUMENT, "--host %s: a name is wanted as pictures.example, without http:// and without a port", hosts->items[i]);
    return 0;
}

static int prepare(lens_server *server, lens_error *err)
{
    char name[256] = "";
    const size_t picture = (size_t)server->options.max_upload;
    gethostname(name, sizeof name - 1);
    if (lens_daemon_listen(server, err) != 0 || check_origins(server, err) != 0 || check_hosts(server, err) != 0 || read_token(server, err) != 0)
        return -1;
    if (!server->loopback && !server->token && !server->options.no_auth)
        return lens_fail(err, LENS_E_ARGUMENT,
                         "%s can be reached from other machines: give a token with --token-file FILE, or --no-auth if anyone may look",
                         server->options.listen);
    server->local = server->loopback && !server->options.hosts.count;
    server->show_paths = server->local || server->options.show_paths;
    server->pixels_most = larger(server->options.max_pixels, lens_index_options_default().max_pixels);
    server->body_most = picture / 3 * 4 + LENS_BODY_SMALL; /* in base64 it is a third longer; several of them may make one query */
    server->bodies_most = (long long)larger(bodies_least, 2 * server->body_most);
    server->name = strdup(name);
    server->thumbs = lens_cache_new(thumbs_most);
    server->uploads = lens_cache_new(larger(uploads_least, 2 * picture));
    server->metrics = lens_metrics_new();
    server->events = lens_events_new();
    if (!server->name || !server->thumbs || !server->uploads || !server->metrics || !server->events)
        return lens_fail_memory(err);
    server->warm = lens_warm_new(server->options.library, err);
    if (!server->warm || !(server->indexer = lens_indexer_new(server, err)) || lens_workers_start(server, err) != 0)
        return -1;
    return lens_daemon_start(server, err);
}

/* A file that everybody on this machine may read keeps nothing from them. What hands secrets to a service (/run/secrets) has them alone in a folder of its own. */
static void say_who_knows_the_token(const lens_server *server)
{
    struct stat info;
    char line[4400];
    if (!server->token || lens_file_look(server->options.token_file, &info, NULL) != 0 || !S_ISREG(info.st_mode) || !(info.st_mode & S_IROTH))
        return;
    snprintf(line, sizeof line, "%s can be read by every user of this machine: `chmod 600 %s`", server->options.token_file, server->options.token_file);
    say(server, line);
}

/* "listening at http://127.0.0.1:8080/ (a token is asked for)" */
static void say_where(const lens_server *server)
{
    char line[512], host[256];
    const char *listen = server->options.listen, *colon = strrchr(listen, ':');
    snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
    if (!*host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "[::]") == 0)
        snprintf(host, sizeof host, "%s", server->name);
    snprintf(line, sizeof line, "listening at http://%s:%u/%s", host, server->port,
             server->token ? " (a token is asked for)" : server->loopback ? "" : " (open to everyone who can reach it)");
    say(server, line);
}

int lens_serve(const lens_serve_options *options, lens_error *err)
{
    lens_server server = {.options = *options};
    pthread_mutex_init(&server.lock, NULL);
    signal(SIGPIPE, SIG_IGN); /* what is said to a pipe that nobody reads any more is lost, and no reason to end */
    const lens_disk_patience before = lens_patience_set((lens_disk_patience){.goes_on = options->go_on, .context = options->context});
    int result = prepare(&server, err);
    lens_patience_set(before);
    if (result == 0) {
        say_where(&server);
        say_who_knows_the_token(&server);
        double swept = lens_seconds();
        while (!options->go_on || options->go_on(options->context)) {
            lens_sleep(look_every);
            if (lens_seconds() - swept < sweep_every)
                continue;
            swept = lens_seconds();
            lens_daemon_sweep(&server);
            lens_events_beat(server.events);
            lens_decode_apart_look();
        }
    }
    lens_indexer_end(server.indexer);
    lens_events_end(server.events);
    lens_daemon_stop(&server, ending_seconds);
    lens_workers_free(&server);
    lens_indexer_free(server.indexer);
    lens_events_free(server.events);
    lens_warm_free(server.warm);
    lens_cache_free(server.thumbs);
    lens_cache_free(server.uploads);
    lens_metrics_free(server.metrics);
    pthread_mutex_destroy(&server.lock);
    free(server.name);
    free(server.token);
    return result;
}
