#include "exporters/http.h"
#include "core/err.h"
#include "exporters/page.h"
#include "exporters/prom.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BACKLOG = 128,
    CONNECTION_LIMIT = 256,
    CONNECTION_IDLE_SECONDS = 30,
    REQUEST_HEAD_MAX_BYTES = 8192,
    /* Request and answer share this memory. It must exceed what we accept, or
     * there would be none left to say that a head is too large. */
    CONNECTION_MEMORY_BYTES = 12032,
};

/* The answers that never change. */
enum fixed {
    FIXED_HEALTHY,
    FIXED_READY,
    FIXED_NOT_READY,
    FIXED_BAD_REQUEST,
    FIXED_NOT_FOUND,
    FIXED_METHOD_NOT_ALLOWED,
    FIXED_TOO_LARGE,
    FIXED_COUNT
};

static const struct {
    unsigned status;
    const char *text;
} fixed_answers[FIXED_COUNT] = {
    [FIXED_HEALTHY] = {MHD_HTTP_OK, "healthy\n"},
    [FIXED_READY] = {MHD_HTTP_OK, "ready\n"},
    [FIXED_NOT_READY] = {MHD_HTTP_SERVICE_UNAVAILABLE, "not ready: no recent poll has completed\n"},
    [FIXED_BAD_REQUEST] = {MHD_HTTP_BAD_REQUEST, "bad request: a request here has no body\n"},
    [FIXED_NOT_FOUND] = {MHD_HTTP_NOT_FOUND, "not found: try / for what there is\n"},
    [FIXED_TOO_LARGE] = {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "request too large: at most 8 KiB\n"},
    [FIXED_METHOD_NOT_ALLOWED] = {MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed: use GET or HEAD\n"},
};

struct listening {
    struct listen_address wanted; /* as configured */
    struct own_socket bound;      /* as the kernel sees it */
    struct MHD_Daemon *daemon;
};

struct http_server {
    struct listening *listening;
    struct own_socket *bound; /* the bound of each, for http_server_sockets() */
    size_t count;
    struct MHD_Response *fixed[FIXED_COUNT];
    pthread_mutex_t lock;                            /* guards the two below */
    struct MHD_Response *published[HTTP_BODY_COUNT]; /* NULL until the first */
    int64_t ready_until_ms;
};

static const char *const body_types[HTTP_BODY_COUNT] = {
    [HTTP_METRICS] = PROM_CONTENT_TYPE,
    [HTTP_PAGE] = PAGE_CONTENT_TYPE,
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Requests: these run in libmicrohttpd's threads. */

static enum MHD_Result answer_fixed(const struct http_server *s, struct MHD_Connection *connection,
                                    enum fixed answer)
{
    return MHD_queue_response(connection, fixed_answers[answer].status, s->fixed[answer]);
}

static enum MHD_Result answer_body(struct http_server *s, struct MHD_Connection *connection,
                                   enum http_body body)
{
    enum MHD_Result result = MHD_NO;
    bool missing;

    (void)pthread_mutex_lock(&s->lock); /* cannot fail: initialised, not recursive */
    missing = !s->published[body];
    if (!missing)
        result = MHD_queue_response(connection, MHD_HTTP_OK, s->published[body]);
    (void)pthread_mutex_unlock(&s->lock);
    return missing ? answer_fixed(s, connection, FIXED_NOT_READY) : result;
}

static enum MHD_Result answer_ready(struct http_server *s, struct MHD_Connection *connection)
{
    int64_t until;

    (void)pthread_mutex_lock(&s->lock); /* cannot fail: initialised, not recursive */
    until = s->ready_until_ms;
    (void)pthread_mutex_unlock(&s->lock);
    return answer_fixed(s, connection, now_ms() <= until ? FIXED_READY : FIXED_NOT_READY);
}

static bool has_body(struct MHD_Connection *connection)
{
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return (length && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static bool is_too_large(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    return info && info->header_size > REQUEST_HEAD_MAX_BYTES;
}

static enum MHD_Result answer(struct http_server *s, struct MHD_Connection *connection, const char *path)
{
    if (strcmp(path, "/metrics") == 0)
        return answer_body(s, connection, HTTP_METRICS);
    if (strcmp(path, "/") == 0)
        return answer_body(s, connection, HTTP_PAGE);
    if (strcmp(path, "/-/healthy") == 0)
        return answer_fixed(s, connection, FIXED_HEALTHY);
    if (strcmp(path, "/-/ready") == 0)
        return answer_ready(s, connection);
    return answer_fixed(s, connection, FIXED_NOT_FOUND);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request_state)
{
    static char seen;

    (void)version;
    (void)upload;
    (void)upload_size;
    if (*request_state)
        return answer(arg, connection, path);
    /* The head alone decides these; answered now, the connection is closed and
     * a body never read. */
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_fixed(arg, connection, FIXED_METHOD_NOT_ALLOWED);
    if (is_too_large(connection))
        return answer_fixed(arg, connection, FIXED_TOO_LARGE);
    if (has_body(connection))
        return answer_fixed(arg, connection, FIXED_BAD_REQUEST);
    *request_state = &seen;
    return MHD_YES;
}

/* Paths are compared as sent: an escaped one is another path. */
static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text);
}

/* What clients do wrong is answered, not logged. */
static void discard_message(void *arg, const char *format, va_list args)
{
    (void)arg;
    (void)format;
    (void)args;
}

/* The server */

/* Takes data, also on error. */
static struct MHD_Response *new_response(size_t length, char *data, const char *type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(length, data, MHD_RESPMEM_MUST_FREE);

    if (!response) {
        free(data);
        return NULL;
    }
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES &&
        MHD_add_response_header(response, "Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'") == MHD_YES)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static int make_fixed_answers(struct http_server *s)
{
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        char *text = strdup(fixed_answers[i].text);

        if (!text)
            return -ENOMEM;
        s->fixed[i] = new_response(strlen(text), text, "text/plain; charset=utf-8");
        if (!s->fixed[i])
            return -ENOMEM;
    }
    return MHD_add_response_header(s->fixed[FIXED_METHOD_NOT_ALLOWED], MHD_HTTP_HEADER_ALLOW, "GET, HEAD") ==
                   MHD_YES
               ? 0
               : -ENOMEM;
}

struct http_server *http_server_new(void)
{
    struct http_server *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return NULL;
    }
    if (make_fixed_answers(s) < 0) {
        http_server_free(s);
        return NULL;
    }
    return s;
}

static void stop_listening(struct listening *l)
{
    if (l->daemon)
        MHD_stop_daemon(l->daemon); /* closes its socket */
    l->daemon = NULL;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        stop_listening(&s->listening[i]);
    for (size_t i = 0; i < HTTP_BODY_COUNT; i++)
        if (s->published[i])
            MHD_destroy_response(s->published[i]);
    for (size_t i = 0; i < FIXED_COUNT; i++)
        if (s->fixed[i])
            MHD_destroy_response(s->fixed[i]);
    (void)pthread_mutex_destroy(&s->lock); /* nobody is left to hold it */
    free(s->listening);
    free(s->bound);
    free(s);
}

union socket_name {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static socklen_t to_socket_name(const struct listen_address *a, union socket_name *ret)
{
    *ret = (union socket_name){.in6 = {0}}; /* the largest member */
    if (a->address.version == 4) {
        ret->in.sin_family = AF_INET;
        ret->in.sin_port = htons(a->port);
        memcpy(&ret->in.sin_addr, a->address.bytes, sizeof ret->in.sin_addr);
        return sizeof ret->in;
    }
    ret->in6.sin6_family = AF_INET6;
    ret->in6.sin6_port = htons(a->port);
    memcpy(&ret->in6.sin6_addr, a->address.bytes, sizeof ret->in6.sin6_addr);
    return sizeof ret->in6;
}

/* Reads back what was bound: port 0 has become a real one. */
static int read_bound(int fd, const struct listen_address *wanted, struct own_socket *ret)
{
    union socket_name name = {.in6 = {0}};
    socklen_t length = sizeof name;

    if (getsockname(fd, &name.any, &length) < 0)
        return -errno;
    ret->address = wanted->address;
    ret->port = ntohs(wanted->address.version == 4 ? name.in.sin_port : name.in6.sin6_port);
    return 0;
}

/* Opens a listening socket. "[::]" serves IPv4, too, unless v6only.
 *
 * Returns the descriptor, or -errno. */
static int open_socket(const struct listen_address *wanted, bool v6only, struct own_socket *ret_bound)
{
    int family = wanted->address.version == 4 ? AF_INET : AF_INET6, on = 1, only = v6only, r;
    union socket_name name;
    socklen_t length = to_socket_name(wanted, &name);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) < 0) ||
        bind(fd, &name.any, length) < 0 || listen(fd, BACKLOG) < 0) {
        r = -errno;
    } else {
        r = read_bound(fd, wanted, ret_bound);
    }
    if (r < 0) {
        (void)close(fd); /* nothing was written to it */
        return r;
    }
    return fd;
}

static int start_listening(struct http_server *s, struct listening *l, bool v6only)
{
    int fd = open_socket(&l->wanted, v6only, &l->bound);

    if (fd < 0)
        return fd;
    l->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL,
                                 NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, discard_message, NULL,
                                 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                 (unsigned)CONNECTION_LIMIT, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)CONNECTION_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                 (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
                                 NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (l->daemon)
        return 0;
    (void)close(fd); /* nothing was written to it */
    return -ENOMEM;
}

static bool same_address(const struct listen_address *a, const struct listen_address *b)
{
    return a->port == b->port && ip_addr_compare(&a->address, &b->address) == 0;
}

/* An IPv4 wildcard on the same port needs the IPv6 one to keep to IPv6. */
static bool needs_v6only(const struct listen_addresses *addresses, const struct listen_address *a)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (addresses->items[i].address.version == 4 && ip_addr_is_any(addresses->items[i].address) &&
            addresses->items[i].port == a->port)
            return true;
    return false;
}

static void say(struct buf *messages, const char *before, const struct listen_address *a, const char *after)
{
    char where[ENDPOINT_TEXT_MAX];

    listen_address_format(a, where);
    buf_fmt(messages, "%s %s: %s\n", before, where, after);
}

/* Starts one address, or finds out that the host can do without it. */
static int start_address(struct http_server *s, struct listening *l, const struct listen_addresses *addresses,
                         struct buf *messages)
{
    static const struct ip_addr any4 = {.version = 4};
    bool is_v6 = l->wanted.address.version == 6;
    int r = start_listening(s, l, needs_v6only(addresses, &l->wanted));

    if (r == -EAFNOSUPPORT && is_v6 && ip_addr_is_any(l->wanted.address)) {
        struct listening fallback = {.wanted = {.address = any4, .port = l->wanted.port}};

        say(messages, "listening on 0.0.0.0 instead of", &l->wanted, "no IPv6 on this host");
        r = start_listening(s, &fallback, false);
        l->daemon = fallback.daemon;
        l->bound = fallback.bound;
    }
    if ((r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) && is_v6 && ip_addr_is_loopback(l->wanted.address) &&
        addresses->count > 1) {
        say(messages, "not listening on", &l->wanted, "no IPv6 loopback on this host");
        return 0;
    }
    if (r < 0)
        say(messages, "cannot listen on", &l->wanted, err_str(r));
    return r;
}

static struct listening *find_listening(struct http_server *s, const struct listen_address *wanted)
{
    for (size_t i = 0; i < s->count; i++)
        if (same_address(&s->listening[i].wanted, wanted))
            return &s->listening[i];
    return NULL;
}

static bool is_wanted(const struct listen_addresses *addresses, const struct listening *l)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (same_address(&addresses->items[i], &l->wanted))
            return true;
    return false;
}

static struct listen_addresses wanted_before(const struct http_server *s, struct listen_address *items)
{
    for (size_t i = 0; i < s->count; i++)
        items[i] = s->listening[i].wanted;
    return (struct listen_addresses){items, s->count};
}

/* Opens again what was given up for addresses that could not be had. */
static void take_back(struct http_server *s, const struct listen_addresses *before, struct buf *messages)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->listening[i].daemon)
            (void)start_address(s, &s->listening[i], before, messages); /* which says what failed */
}

int http_server_listen(struct http_server *s, const struct listen_addresses *addresses, struct buf *messages)
{
    struct listening *next = calloc(addresses->count + 1, sizeof *next);
    struct own_socket *bound = calloc(addresses->count + 1, sizeof *bound);
    struct listen_address *items = calloc(s->count + 1, sizeof *items);
    struct listen_addresses before;
    size_t started = 0;
    int r = next && bound && items ? 0 : -ENOMEM;

    if (r < 0)
        goto out;
    before = wanted_before(s, items);
    for (size_t i = 0; i < s->count; i++)
        if (!is_wanted(addresses, &s->listening[i]))
            stop_listening(&s->listening[i]);
    for (; r == 0 && started < addresses->count; started++) {
        struct listening *existing = find_listening(s, &addresses->items[started]);

        next[started].wanted = addresses->items[started];
        if (existing)
            next[started] = *existing;
        else
            r = start_address(s, &next[started], addresses, messages);
    }
    if (r < 0) {
        for (size_t i = 0; i < started; i++)
            if (!find_listening(s, &next[i].wanted))
                stop_listening(&next[i]);
        take_back(s, &before, messages);
        goto out;
    }
    free(s->listening);
    free(s->bound);
    s->listening = next;
    s->bound = bound;
    s->count = addresses->count;
    for (size_t i = 0; i < s->count; i++)
        s->bound[i] = s->listening[i].bound;
    next = NULL;
    bound = NULL;
out:
    free(next);
    free(bound);
    free(items);
    return r;
}

struct own_sockets http_server_sockets(const struct http_server *s)
{
    return (struct own_sockets){s->bound, s->count};
}

int http_server_publish(struct http_server *s, enum http_body body, char *data, size_t length)
{
    struct MHD_Response *next = new_response(length, data, body_types[body]), *previous;

    if (!next)
        return -ENOMEM;
    (void)pthread_mutex_lock(&s->lock); /* cannot fail: initialised, not recursive */
    previous = s->published[body];
    s->published[body] = next;
    (void)pthread_mutex_unlock(&s->lock);
    if (previous)
        MHD_destroy_response(previous); /* lives on while somebody receives it */
    return 0;
}

void http_server_set_ready(struct http_server *s, int64_t until_mono_ms)
{
    (void)pthread_mutex_lock(&s->lock); /* cannot fail: initialised, not recursive */
    s->ready_until_ms = until_mono_ms;
    (void)pthread_mutex_unlock(&s->lock);
}
