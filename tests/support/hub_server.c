#include "hub_server.h"

#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/checksum.h"
#include "support.h"

#define OTHER_COMMIT "badc0de0badc0de0badc0de0badc0de0badc0de0" /* of files with a revision */

static bool large(const char *name)
{
    const char *end = strrchr(name, '.');
    return end && strcmp(end, ".safetensors") == 0;
}

static const char *digits(const lens_buffer *bytes, bool git, char *out)
{
    lens_error err;
    lens_checksum *sum = git ? lens_checksum_git(bytes->size, &err) : lens_checksum_sha256(&err);
    assert_non_null(sum);
    lens_checksum_add(sum, bytes->data, bytes->size);
    strcpy(out, lens_checksum_digits(sum));
    lens_checksum_free(sum);
    return out;
}

static test_hub_file *find(test_hub *hub, const char *name, const char *revision)
{
    for (int i = 0; i < TEST_HUB_FILES; i++) {
        test_hub_file *file = &hub->files[i];
        const char *branch = file->revision ? file->revision : "main", *commit = file->revision ? OTHER_COMMIT : TEST_HUB_COMMIT;
        bool there = strcmp(revision, branch) == 0 || strcmp(revision, commit) == 0;
        if (file->name && strcmp(file->name, name) == 0 && there)
            return file;
    }
    return NULL;
}

/* Whether the fault is to happen now. */
static bool faulty(test_hub *hub, const test_request *request)
{
    char line[4200];
    snprintf(line, sizeof line, "%s %s", request->method, request->path);
    pthread_mutex_lock(&hub->lock);
    bool now = hub->fault.where && strstr(line, hub->fault.where) && hub->fault.times > 0;
    if (now)
        hub->fault.times--;
    pthread_mutex_unlock(&hub->lock);
    return now;
}

static void not_found(const test_request *request, const char *code)
{
    char headers[128];
    snprintf(headers, sizeof headers, "X-Error-Code: %s\r\nContent-Length: 9\r\n", code);
    test_answer(request, "404 Not Found", headers, "not found", 9);
}

static void answer_json(const test_request *request, const char *text)
{
    char headers[128];
    snprintf(headers, sizeof headers, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(text));
    test_answer(request, "200 OK", headers, text, strlen(text));
}

static void answer_fault(const test_hub_fault *fault, const test_request *request)
{
    static const char body[4096] = "";
    test_answer(request, fault->status, fault->headers ? fault->headers : fault->endless || fault->trickles ? "" : "Content-Length: 0\r\n", "", 0);
    if (strcmp(request->method, "HEAD") == 0)
        return;
    while ((fault->endless || fault->trickles) && send(request->fd, body, fault->trickles ? 1 : sizeof body, MSG_NOSIGNAL) > 0)
        if (fault->trickles)
            lens_sleep(0.02);
}

static void answer_listing(test_hub *hub, const test_request *request)
{
    lens_buffer text = {0};
    lens_buffer_print(&text, "{\"id\":\"%s\",\"sha\":\"" TEST_HUB_COMMIT "\",\"siblings\":[{\"rfilename\":\"README.md\"}", hub->repository);
    for (int i = 0; i < TEST_HUB_FILES; i++)
        if (hub->files[i].name && !hub->files[i].revision)
            lens_buffer_print(&text, ",{\"rfilename\":\"%s\"}", hub->files[i].name);
    lens_buffer_print(&text, "]}");
    answer_json(request, hub->listing ? hub->listing : text.data);
    lens_buffer_free(&text);
}

/* "/owner/name/resolve/REVISION/FILE" */
static void answer_file(test_hub *hub, const test_request *request, const char *rest, bool cut)
{
    char revision[128], name[256], headers[1024], sum[80], commit[128];
    if (sscanf(rest, "%127[^/]/%255s", revision, name) != 2) {
        not_found(request, "EntryNotFound");
        return;
    }
    const test_hub_file *file = find(hub, name, revision);
    snprintf(commit, sizeof commit, "X-Repo-Commit: %s\r\n", file && file->revision ? OTHER_COMMIT : TEST_HUB_COMMIT);
    if (!file) {
        not_found(request, "EntryNotFound");
    } else if (hub->no_commit) {
        headers[0] = '\0';
        if (!hub->no_length)
            snprintf(headers, sizeof headers, "Content-Length: %zu\r\n", file->bytes.size);
        test_answer(request, "200 OK", headers, file->bytes.data, cut ? file->bytes.size / 2 : file->bytes.size);
    } else if (large(name)) {
        snprintf(headers, sizeof headers,
                 "%sX-Linked-Size: %ld\r\nX-Linked-Etag: \"%s\"\r\nLocation: http://127.0.0.1:%d/store/%s\r\nContent-Length: 0\r\n", commit,
                 (long)file->bytes.size + hub->linked_lie, digits(&file->bytes, false, sum), test_server_port(hub->store), name);
        test_answer(request, "302 Found", headers, "", 0);
    } else {
        snprintf(headers, sizeof headers, "%sETag: \"%s\"\r\nContent-Length: %zu\r\n", commit, digits(&file->bytes, true, sum), file->bytes.size);
        test_answer(request, "200 OK", headers, file->bytes.data, file->bytes.size);
    }
}

static void at_hub(void *context, const test_request *request)
{
    test_hub *hub = context;
    bool cut = false;
    char prefix[300], token[128];
    pthread_mutex_lock(&hub->lock);
    if (*test_request_header(request, "Authorization", token, sizeof token)) {
        hub->tokens_at_hub++;
        snprintf(hub->token, sizeof hub->token, "%s", token);
    }
    pthread_mutex_unlock(&hub->lock);
    if (faulty(hub, request)) {
        if (hub->fault.status)
            answer_fault(&hub->fault, request);
        else if (!hub->fault.cut)
            test_server_hang(hub->hub, request);
        if (hub->fault.status || !hub->fault.cut)
            return;
        cut = true;
    }
    snprintf(prefix, sizeof prefix, "/%s/resolve/", hub->repository);
    if (strncmp(request->path, prefix, strlen(prefix)) == 0) {
        answer_file(hub, request, request->path + strlen(prefix), cut);
        return;
    }
    snprintf(prefix, sizeof prefix, "/api/models/%s/", hub->repository);
    if (strncmp(request->path, prefix, strlen(prefix)) == 0) {
        const char *rest = request->path + strlen(prefix);
        if (strcmp(rest, "revision/main") == 0)
            answer_listing(hub, request);
        else if (strncmp(rest, "discussions", 11) == 0)
            /* Of all requests the hub's page has the newest only. */
            answer_json(request, hub->discussions && strstr(rest, "author=SFconvertbot") ? hub->discussions : "{\"discussions\":[]}");
        else
            not_found(request, "RevisionNotFound");
        return;
    }
    test_answer(request, "401 Unauthorized", "X-Error-Code: RepoNotFound\r\nContent-Length: 0\r\n", "", 0);
}

static void at_store(void *context, const test_request *request)
{
    test_hub *hub = context;
    char range[128], if_range[128], token[128], headers[512], length[64] = "", etag[64];
    test_request_header(request, "Range", range, sizeof range);
    test_request_header(request, "If-Range", if_range, sizeof if_range);
    pthread_mutex_lock(&hub->lock);
    hub->tokens_at_store += *test_request_header(request, "Authorization", token, sizeof token) != '\0';
    hub->stored++;
    if (*range) {
        hub->ranges++;
        snprintf(hub->range, sizeof hub->range, "%s", range);
        snprintf(hub->if_range, sizeof hub->if_range, "%s", if_range);
    }
    snprintf(etag, sizeof etag, "\"store-%d\"", hub->other_etag ? hub->stored : 0);
    pthread_mutex_unlock(&hub->lock);
    const char *name = strrchr(request->path, '/') + 1;
    const test_hub_file *file = NULL;
    for (int i = 0; i < TEST_HUB_FILES && !file; i++)
        if (hub->files[i].name && strcmp(hub->files[i].name, name) == 0)
            file = &hub->files[i];
    bool fault = faulty(hub, request);
    if (!file) {
        not_found(request, "");
        return;
    }
    if (fault && hub->fault.status) {
        answer_fault(&hub->fault, request);
        return;
    }
    lens_buffer body = {0};
    assert_int_equal(lens_buffer_append(&body, file->bytes.data, file->bytes.size), 0);
    for (size_t i = 0; hub->other_bytes && i < body.size; i++)
        body.data[i] ^= 1;
    size_t from = 0;
    if (*range && !hub->ignore_range && (!*if_range || strcmp(if_range, etag) == 0))
        from = strtoul(range + strlen("bytes="), NULL, 10);
    if (from >= body.size && from > 0) {
        test_answer(request, "416 Range Not Satisfiable", "Content-Length: 0\r\n", "", 0);
        lens_buffer_free(&body);
        return;
    }
    size_t size = body.size - from, sent = size;
    if (!hub->no_length)
        snprintf(length, sizeof length, "Content-Length: %ld\r\n", (long)size + hub->length_lie);
    snprintf(headers, sizeof headers, "ETag: %s\r\n%s", etag, length);
    if (from)
        snprintf(headers + strlen(headers), sizeof headers - strlen(headers), "Content-Range: bytes %zu-%zu/%zu\r\n", from, body.size - 1, body.size);
    if (fault && (hub->fault.cut || hub->fault.hang))
        sent = size / 2;
    if (hub->more) {
        assert_int_equal(lens_buffer_reserve(&body, hub->more), 0);
        memset(body.data + body.size, 0, hub->more);
        sent += hub->more;
    }
    test_answer(request, from ? "206 Partial Content" : "200 OK", headers, body.data + from, sent);
    lens_buffer_free(&body);
    if (fault && hub->fault.hang)
        test_server_hang(hub->store, request);
}

test_hub *test_hub_start(const char *repository)
{
    test_hub *hub = calloc(1, sizeof *hub);
    assert_non_null(hub);
    pthread_mutex_init(&hub->lock, NULL);
    hub->repository = repository;
    hub->store = test_server_start(at_store, hub);
    hub->hub = test_server_start(at_hub, hub);
    return hub;
}

void test_hub_stop(test_hub *hub)
{
    test_server_stop(hub->hub);
    test_server_stop(hub->store);
    for (int i = 0; i < TEST_HUB_FILES; i++)
        lens_buffer_free(&hub->files[i].bytes);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

void test_hub_add(test_hub *hub, const char *name, const char *revision, const void *bytes, size_t size)
{
    for (int i = 0; i < TEST_HUB_FILES; i++) {
        test_hub_file *file = &hub->files[i];
        if (file->name)
            continue;
        *file = (test_hub_file){.name = name, .revision = revision};
        assert_int_equal(lens_buffer_append(&file->bytes, bytes, size), 0);
        return;
    }
    fail_msg("too many files");
}

const char *test_hub_endpoint(const test_hub *hub)
{
    static char text[64];
    snprintf(text, sizeof text, "HF_ENDPOINT=http://127.0.0.1:%d", test_server_port(hub->hub));
    return text;
}
