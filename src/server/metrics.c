/* Counting, and /metrics in the text format of Prometheus. */
#include <stdlib.h>

#include "server/server.h"

enum { CLASSES = 6 };
static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
enum { BOUNDS = sizeof bounds / sizeof *bounds };

/* Of one route: what lens_metrics_new gives is an array of them, in the order of the routes. */
struct lens_metrics {
    atomic_ullong answers[CLASSES], within[BOUNDS], count, microseconds;
};

lens_metrics *lens_metrics_new(void)
{
    return calloc(lens_route_count(), sizeof(lens_metrics));
}

void lens_metrics_free(lens_metrics *metrics)
{
    free(metrics);
}

void lens_metrics_count(lens_metrics *metrics, const lens_route *route, unsigned status, double seconds)
{
    const size_t at = (size_t)(route - lens_route_at(0));
    atomic_fetch_add(&metrics[at].answers[status / 100 < CLASSES ? status / 100 : 0], 1);
    atomic_fetch_add(&metrics[at].count, 1);
    atomic_fetch_add(&metrics[at].microseconds, (unsigned long long)(seconds * 1e6));
    for (int i = BOUNDS; i-- > 0 && seconds <= bounds[i];)
        atomic_fetch_add(&metrics[at].within[i], 1);
}

static void put_gauge(lens_buffer *out, const char *name, const char *help, double value)
{
    lens_buffer_print(out, "# HELP memelens_%s %s\n# TYPE memelens_%s gauge\nmemelens_%s %.17g\n", name, help, name, name, value);
}

static void put_requests(lens_buffer *out, const lens_metrics *metrics)
{
    lens_buffer_print(out, "# HELP memelens_requests_total Requests answered.\n# TYPE memelens_requests_total counter\n");
    for (size_t i = 0; i < lens_route_count(); i++)
        for (unsigned class = 1; class < CLASSES; class++) {
            const unsigned long long count = atomic_load(&metrics[i].answers[class]);
            if (count)
                lens_buffer_print(out, "memelens_requests_total{method=\"%s\",route=\"%s\",code=\"%uxx\"} %llu\n", lens_route_at(i)->method,
                                  lens_route_at(i)->path, class, count);
        }
    lens_buffer_print(out, "# HELP memelens_request_seconds Time from a request's first line to the end of its answer.\n"
                           "# TYPE memelens_request_seconds histogram\n");
    for (size_t i = 0; i < lens_route_count(); i++) {
        const unsigned long long count = atomic_load(&metrics[i].count);
        const char *method = lens_route_at(i)->method, *path = lens_route_at(i)->path;
        if (!count)
            continue;
        for (int b = 0; b < BOUNDS; b++)
            lens_buffer_print(out, "memelens_request_seconds_bucket{method=\"%s\",route=\"%s\",le=\"%g\"} %llu\n", method, path, bounds[b],
                              atomic_load(&metrics[i].within[b]));
        lens_buffer_print(out, "memelens_request_seconds_bucket{method=\"%s\",route=\"%s\",le=\"+Inf\"} %llu\n", method, path, count);
        lens_buffer_print(out, "memelens_request_seconds_sum{method=\"%s\",route=\"%s\"} %.6f\n", method, path,
                          (double)atomic_load(&metrics[i].microseconds) / 1e6);
        lens_buffer_print(out, "memelens_request_seconds_count{method=\"%s\",route=\"%s\"} %llu\n", method, path, count);
    }
}

void lens_api_metrics(lens_exchange *exchange)
{
    lens_server *server = exchange->server;
    lens_buffer out = {0};
    lens_error error = {0};
    lens_status *status = lens_status_get(exchange->library, &error);
    if (!status && error.code == LENS_E_CANCELLED) {
        lens_answer_failure(exchange, &error);
        return;
    }
    json_t *run = lens_indexer_state(server->indexer);
    put_requests(&out, server->metrics);
    put_gauge(&out, "in_flight", "Requests that are being answered.", atomic_load(&server->in_flight));
    put_gauge(&out, "bodies_bytes", "Bytes of requests that are held.", (double)atomic_load(&server->bodies));
    put_gauge(&out, "thumbnails_bytes", "Bytes of thumbnails that are held.", (double)lens_cache_size(server->thumbs));
    put_gauge(&out, "uploads_bytes", "Bytes of uploaded pictures that are held.", (double)lens_cache_size(server->uploads));
    put_gauge(&out, "pictures", "Pictures of the library.", status ? (double)status->pictures : 0);
    put_gauge(&out, "pictures_failed", "Pictures that could not be read.", status ? (double)status->failed : 0);
    put_gauge(&out, "library_bytes", "Bytes of the library.", status ? (double)status->bytes : 0);
    put_gauge(&out, "indexing", "Whether an index run is under way.", json_is_true(json_object_get(run, "running")));
    put_gauge(&out, "indexing_done", "Pictures that this run has finished.", json_number_value(json_object_get(run, "done")));
    put_gauge(&out, "indexing_total", "Pictures that this run has found.", json_number_value(json_object_get(run, "total")));
    lens_answer_bytes(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", out.data ? out.data : "", out.size);
    lens_buffer_free(&out);
    lens_status_free(status);
    json_decref(run);
}
