#include "exporters/http.h"
#include "core/err.h"
#include "exporters/page.h"
#include "exporters/prom.h"

#include <errno.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
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
    [FIXED_BAD_REQUEST] = {MHD_HTTP_BAD_REQUEST, "bad request\n"},
    [FIXED_NOT_FOUND] = {MHD_HTTP_NOT_FOUND, "not found: try / for what there is\n"},
    [FIXED_TOO_LARGE] = {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "request too large: at most 8 KiB\n"},
    [FIXED_METHOD_NOT_ALLOWED] = {MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed: use GET or HEAD\n"},
};

struct listening {
    struct ip_port wanted; /* as configured */
    bool v6only;           /* "[::]" beside an IPv4 wildcard on the same port */
    struct ip_port bound;  /* as the kernel sees it */
    struct MHD_Daemon *daemon;
};

struct http_server {
    struct listening *listening;
    struct ip_port *bound; /* the bound of each, for http_server_sockets() */
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

/* What the parser lets pass though it should not. */
struct head_check {
    unsigned hosts;
    bool has_body;
    bool malformed;
};

static enum MHD_Result check_header(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_size,
                                    const char *value, size_t value_size)
{
    struct head_check *check = arg;

    (void)kind;
    (void)value_size;
    check->malformed |= key_size == 0 || strcspn(key, " \t") != key_size;
    check->hosts += strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0;
    check->has_body |=
        strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0 ||
        (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 && value && strcmp(value, "0") != 0);
    return MHD_YES;
}

static bool is_malformed(struct MHD_Connection *connection, const char *path, const char *version)
{
    struct head_check check = {0};
    bool needs_host = strcmp(version, MHD_HTTP_VERSION_1_1) == 0;

    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, check_header,
                                      &check); /* how many does not matter */
    return check.malformed || check.has_body || check.hosts > 1 || (needs_host && check.hosts == 0) ||
           !*path || strncmp(version, "HTTP/1.", strlen("HTTP/1.")) != 0;
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
    if (is_malformed(connection, path, version))
        return answer_fixed(arg, connection, FIXED_BAD_REQUEST);
    *request_state = &seen;
    return MHD_YES;
}

/* The parser closes without a word on bytes in which it finds no request line.
 * Such a client still gets its 400: it sent something, and nothing was sent to
 * it. */
static void on_connection(void *arg, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    static const char bad_request[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const union MHD_ConnectionInfo *info;
    struct tcp_info tcp = {0};
    socklen_t length = sizeof tcp;

    (void)arg;
    (void)socket_context;
    if (what != MHD_CONNECTION_NOTIFY_CLOSED)
        return;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info || getsockopt(info->connect_fd, IPPROTO_TCP, TCP_INFO, &tcp, &length) < 0)
        return;
    if (tcp.tcpi_bytes_received > 0 && tcp.tcpi_bytes_sent == 0 && tcp.tcpi_notsent_bytes == 0)
        (void)send(info->connect_fd, bad_request, sizeof bad_request - 1,
                   MSG_NOSIGNAL | MSG_DONTWAIT); /* who does not listen loses nothing */
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

static socklen_t to_socket_name(const struct ip_port *a, union socket_name *ret)
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
static int read_bound(int fd, const struct ip_port *wanted, struct ip_port *ret)
{
    union socket_name name = {.in6 = {0}};
    socklen_t length = sizeof name;

    if (getsockname(fd, &name.any, &length) < 0)
        return -errno;
    ret->address = ip_addr_unmap(wanted->address);
    ret->port = ntohs(wanted->address.version == 4 ? name.in.sin_port : name.in6.sin6_port);
    return 0;
}

/* Opens a listening socket. "[::]" serves IPv4, too, unless v6only.
 *
 * Returns the descriptor, or -errno. */
static int open_socket(const struct ip_port *wanted, bool v6only, struct ip_port *ret_bound)
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

static int start_listening(struct http_server *s, struct listening *l)
{
    int fd = open_socket(&l->wanted, l->v6only, &l->bound);

    if (fd < 0)
        return fd;
    l->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_TURBO, 0, NULL, NULL,
        on_request, s, MHD_OPTION_EXTERNAL_LOGGER, discard_message, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_LIMIT, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONNECTION_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_END);
    if (l->daemon)
        return 0;
    (void)close(fd); /* nothing was written to it */
    return -ENOMEM;
}

/* Whether they ask for the same socket. */
static bool same_socket(const struct listening *a, const struct listening *b)
{
    return a->wanted.port == b->wanted.port && a->v6only == b->v6only &&
           ip_addr_compare(&a->wanted.address, &b->wanted.address) == 0;
}

/* Whether the IPv4 wildcard is wanted on the port, too. */
static bool has_ipv4_wildcard(const struct ip_ports *addresses, uint16_t port)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (addresses->items[i].address.version == 4 && ip_addr_is_any(addresses->items[i].address) &&
            addresses->items[i].port == port)
            return true;
    return false;
}

static void say(struct buf *messages, const char *before, const struct ip_port *a, const char *after)
{
    char where[ENDPOINT_TEXT_MAX];

    ip_port_format(a, where);
    buf_fmt(messages, "%s %s: %s\n", before, where, after);
}

/* A host without IPv6 can do without "[::]", which becomes 0.0.0.0, and without
 * "[::1]" where there are other addresses. Returns 0 when it does. */
static int start_without_ipv6(struct http_server *s, struct listening *l, size_t address_count, int error,
                              struct buf *messages)
{
    static const struct ip_addr any4 = {.version = 4};
    struct listening fallback = {.wanted = {.address = any4, .port = l->wanted.port}};

    if (l->wanted.address.version != 6)
        return error;
    if (ip_addr_is_loopback(l->wanted.address) && address_count > 1 &&
        (error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL)) {
        say(messages, "not listening on", &l->wanted, "no IPv6 loopback on this host");
        return 0;
    }
    if (error != -EAFNOSUPPORT || !ip_addr_is_any(l->wanted.address))
        return error;
    if (l->v6only) { /* 0.0.0.0 is there anyway */
        say(messages, "not listening on", &l->wanted, "no IPv6 on this host");
        return 0;
    }
    say(messages, "listening on 0.0.0.0 instead of", &l->wanted, "no IPv6 on this host");
    error = start_listening(s, &fallback);
    l->daemon = fallback.daemon;
    l->bound = fallback.bound;
    return error;
}

static int start_address(struct http_server *s, struct listening *l, size_t address_count,
                         struct buf *messages)
{
    int r = start_listening(s, l);

    if (r < 0)
        r = start_without_ipv6(s, l, address_count, r, messages);
    if (r < 0)
        say(messages, "cannot listen on", &l->wanted, err_str(r));
    return r;
}

static struct listening *find_listening(struct listening *items, size_t count, const struct listening *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (same_socket(&items[i], wanted))
            return &items[i];
    return NULL;
}

/* Opens again what was given up for addresses that could not be had. */
static void take_back(struct http_server *s, struct buf *messages)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->listening[i].daemon)
            (void)start_address(s, &s->listening[i], s->count, messages); /* which says what failed */
}

/* Starts those of next that are not open yet. On error, ends them again. */
static int start_all(struct http_server *s, struct listening *next, size_t count, struct buf *messages)
{
    size_t tried = 0;
    int r = 0;

    for (; r == 0 && tried < count; tried++) {
        const struct listening *existing = find_listening(s->listening, s->count, &next[tried]);

        if (existing)
            next[tried] = *existing;
        else
            r = start_address(s, &next[tried], count, messages);
    }
    for (size_t i = 0; r < 0 && i < tried; i++)
        if (!find_listening(s->listening, s->count, &next[i]))
            stop_listening(&next[i]);
    return r;
}

int http_server_listen(struct http_server *s, const struct ip_ports *addresses, struct buf *messages)
{
    struct listening *next = calloc(addresses->count + 1, sizeof *next);
    struct ip_port *bound = calloc(addresses->count + 1, sizeof *bound);
    int r = next && bound ? 0 : -ENOMEM;

    if (r < 0)
        goto out;
    for (size_t i = 0; i < addresses->count; i++) {
        const struct ip_port *a = &addresses->items[i];

        next[i].wanted = *a;
        next[i].v6only =
            a->address.version == 6 && ip_addr_is_any(a->address) && has_ipv4_wildcard(addresses, a->port);
    }
    for (size_t i = 0; i < s->count; i++)
        if (!find_listening(next, addresses->count, &s->listening[i]))
            stop_listening(&s->listening[i]);
    r = start_all(s, next, addresses->count, messages);
    if (r < 0) {
        take_back(s, messages);
        goto out;
    }
    for (size_t i = 0; i < addresses->count; i++)
        bound[i] = next[i].bound;
    free(s->listening);
    free(s->bound);
    s->listening = next;
    s->bound = bound;
    s->count = addresses->count;
    next = NULL;
    bound = NULL;
out:
    free(next);
    free(bound);
    return r;
}

struct ip_ports http_server_sockets(const struct http_server *s)
{
    return (struct ip_ports){.items = s->bound, .count = s->count};
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
