#include "exporters/http.h"
#include "exporters/guests.h"
#include "exporters/http_listen.h"
#include "exporters/http_routes.h"

#include <errno.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    /* Of all addresses together. There is always room for one more: the client
     * that was idle for the longest time makes it. */
    CONNECTIONS_MAX = 384,
    /* Of one address: beside these, those that were told to end and have not
     * ended yet, since libmicrohttpd accepts nobody at its own limit. */
    CONNECTION_LIMIT = CONNECTIONS_MAX + 64,
    /* Until a request is there whole, and after the first one. */
    REQUEST_SECONDS = 5,
    IDLE_SECONDS = 30,
    REQUEST_HEAD_MAX_BYTES = 8192,
    /* Request and answer share this memory. It must exceed what we accept, or
     * there would be none left to say that a head is too large. */
    CONNECTION_MEMORY_BYTES = 12032,
    /* Of a body, handed to the kernel at once. */
    BLOCK_BYTES = 32768,
};

struct http_server {
    struct board *board;
    struct bodies *bodies;
    struct guests *guests;
    struct http_listen *listen;
    struct MHD_Response *fixed[HTTP_FIXED_COUNT];
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Answers */

/* What is handed to libmicrohttpd only to be read, though it does not say so. */
static void *only_read(const void *data)
{
    const union {
        const void *given;
        void *taken;
    } pointer = {.given = data};

    return pointer.taken;
}

static enum MHD_Result add_headers(struct MHD_Response *response, const char *type)
{
    const struct {
        const char *name, *value;
    } headers[] = {
        {MHD_HTTP_HEADER_CONTENT_TYPE, type},
        {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"},
    };

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (MHD_add_response_header(response, headers[i].name, headers[i].value) != MHD_YES)
            return MHD_NO;
    return MHD_YES;
}

/* A body on its way to a client. */
struct delivery {
    const struct body *body; /* a reference */
    struct guest *guest;
};

static void end_delivery(void *arg)
{
    struct delivery *d = arg;

    body_unref(d->body);
    free(d);
}

/* What was taken back ends the connection: the client gets less than the head
 * promised, and knows it. */
static ssize_t deliver(void *arg, uint64_t position, char *to, size_t size)
{
    const struct delivery *d = arg;
    ssize_t length = body_read(d->body, (size_t)position, to, size);

    guest_is_active(d->guest);
    return length < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : length;
}

/* Takes the body, also on error. Returns owned, or NULL when memory runs out. */
static struct MHD_Response *new_delivery(const struct body *body, struct guest *guest)
{
    struct delivery *d = calloc(1, sizeof *d);
    struct MHD_Response *response = NULL;

    if (d) {
        *d = (struct delivery){.body = body, .guest = guest};
        response = MHD_create_response_from_callback(body->length, BLOCK_BYTES, deliver, d, end_delivery);
    }
    if (!response) {
        body_unref(body);
        free(d);
    }
    return response;
}

/* An answer that hands out the body piece by piece. Takes the body, also on
 * error. Returns owned, or NULL when memory runs out. */
static struct MHD_Response *new_response(const struct body *body, struct guest *guest, const char *type)
{
    struct MHD_Response *response = new_delivery(body, guest);

    if (!response || add_headers(response, type) == MHD_YES)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static struct MHD_Response *new_fixed_response(enum http_fixed fixed)
{
    const char *text = http_fixed_answer(fixed)->text;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(strlen(text), only_read(text), NULL, NULL);

    if (response && add_headers(response, HTTP_FIXED_CONTENT_TYPE) == MHD_YES &&
        (fixed != HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
        return response;
    if (response)
        MHD_destroy_response(response);
    return NULL;
}

/* Requests: these run in libmicrohttpd's threads. */

/* Whoever connected, noted by on_connection(). */
static struct guest *guest_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static enum MHD_Result answer_fixed(const struct http_server *s, struct MHD_Connection *connection,
                                    enum http_fixed fixed)
{
    return MHD_queue_response(connection, http_fixed_answer(fixed)->status, s->fixed[fixed]);
}

static enum MHD_Result answer_body(struct http_server *s, struct MHD_Connection *connection,
                                   const struct http_route *route)
{
    struct MHD_Response *response;
    const struct body *body;
    enum MHD_Result result;
    int r = bodies_get(s->bodies, route->body, &body);

    if (r < 0)
        return answer_fixed(s, connection, r == -EAGAIN ? HTTP_NOT_READY : HTTP_NO_MEMORY);
    response = new_response(body, guest_of(connection), route->content_type);
    if (!response)
        return answer_fixed(s, connection, HTTP_NO_MEMORY);
    result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response); /* lives on while somebody receives it */
    return result;
}

static enum MHD_Result answer_ready(const struct http_server *s, struct MHD_Connection *connection)
{
    bool ready = now_ms() <= board_ready_until(s->board);

    return answer_fixed(s, connection, ready ? HTTP_READY : HTTP_NOT_READY);
}

static enum MHD_Result answer(struct http_server *s, struct MHD_Connection *connection, const char *path)
{
    const struct http_route *route = http_route_find(http_target_path(path));

    if (!route)
        return answer_fixed(s, connection, HTTP_NOT_FOUND);
    switch (route->kind) {
    case ROUTE_BODY: return answer_body(s, connection, route);
    case ROUTE_FIXED: return answer_fixed(s, connection, route->fixed);
    case ROUTE_READY: return answer_ready(s, connection);
    }
    return MHD_NO;
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

/* libmicrohttpd 1.0 refuses these itself. Before, it tells no length; but the
 * version stands behind the target, in the same memory. So where the target as a
 * string ends earlier, it has a NUL, and what is behind that is hidden. */
static bool has_nul(const char *target_end, const char *version)
{
    return version != target_end + 1;
}

static bool is_malformed(struct MHD_Connection *connection, const char *path, const char *version)
{
    struct head_check check = {0};
    bool needs_host = strcmp(version, MHD_HTTP_VERSION_1_1) == 0;

    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, check_header,
                                      &check); /* how many does not matter */
    return check.malformed || check.has_body || check.hosts > 1 || (needs_host && check.hosts == 0) ||
           !http_target_path(path) || strncmp(version, "HTTP/1.", strlen("HTTP/1.")) != 0;
}

static bool is_too_large(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    return info && info->header_size > REQUEST_HEAD_MAX_BYTES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request_state)
{
    static char seen;
    const char *target_end = *request_state;

    (void)upload;
    (void)upload_size;
    if (*request_state == &seen)
        return answer(arg, connection, path);
    guest_is_active(guest_of(connection));
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                    (unsigned)IDLE_SECONDS); /* fails for no such option only */
    /* The head alone decides these; answered now, the connection is closed and
     * a body never read. */
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_fixed(arg, connection, HTTP_METHOD_NOT_ALLOWED);
    if (is_too_large(connection))
        return answer_fixed(arg, connection, HTTP_TOO_LARGE);
    if (has_nul(target_end, version) || is_malformed(connection, path, version))
        return answer_fixed(arg, connection, HTTP_BAD_REQUEST);
    *request_state = &seen;
    return MHD_YES;
}

/* What the client has not read by now it does without. libmicrohttpd, which
 * watches the descriptor, finds its end and closes it. */
static void dismiss(int fd)
{
    const struct linger at_once = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* or the kernel keeps the rest */
    (void)shutdown(fd, SHUT_RDWR); /* fails when the client has ended it */
}

static void on_connect(struct http_server *s, int fd, void **socket_context)
{
    *socket_context = guests_add(s->guests, fd);
    if (!*socket_context)
        dismiss(fd);
}

/* The parser closes without a word on bytes in which it finds no request line.
 * Such a client still gets its 400: it sent something, and nothing was sent to
 * it. */
static void on_close(int fd)
{
    static const char bad_request[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    struct tcp_info tcp = {0};
    socklen_t length = sizeof tcp;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &length) < 0)
        return;
    if (tcp.tcpi_bytes_received > 0 && tcp.tcpi_bytes_sent == 0 && tcp.tcpi_notsent_bytes == 0)
        (void)send(fd, bad_request, sizeof bad_request - 1,
                   MSG_NOSIGNAL | MSG_DONTWAIT); /* who does not listen loses nothing */
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

    switch (what) {
    case MHD_CONNECTION_NOTIFY_STARTED: on_connect(arg, fd, socket_context); break;
    case MHD_CONNECTION_NOTIFY_CLOSED:
        on_close(fd);
        guest_leave(*socket_context);
        break;
    }
}

/* Notes for on_request() where the target ends, which still has its query. */
static void *note_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    (void)arg;
    (void)connection;
    return only_read(target ? target + strlen(target) : "");
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

static void *begin_serving(void *arg, int fd)
{
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_TURBO, 0, NULL, NULL,
        on_request, arg, MHD_OPTION_EXTERNAL_LOGGER, discard_message, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_LIMIT, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)REQUEST_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_URI_LOG_CALLBACK, note_target, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, arg, MHD_OPTION_END);

    if (!daemon)
        (void)close(fd); /* nothing was written to it */
    return daemon;
}

static void end_serving(void *served)
{
    MHD_stop_daemon(served); /* closes its socket */
}

static int make_parts(struct http_server *s, const struct http_neighbours *neighbours)
{
    const struct http_service service = {
        .begin = begin_serving, .end = end_serving, .arg = s, .neighbours = *neighbours};

    s->bodies = bodies_new(s->board);
    s->guests = guests_new(CONNECTIONS_MAX, dismiss);
    s->listen = http_listen_new(&service);
    if (!s->bodies || !s->guests || !s->listen)
        return -ENOMEM;
    for (int i = 0; i < HTTP_FIXED_COUNT; i++) {
        s->fixed[i] = new_fixed_response((enum http_fixed)i);
        if (!s->fixed[i])
            return -ENOMEM;
    }
    return 0;
}

struct http_server *http_server_new(struct board *b, const struct http_neighbours *neighbours)
{
    struct http_server *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->board = b;
    if (make_parts(s, neighbours) < 0) {
        http_server_free(s);
        return NULL;
    }
    return s;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    http_listen_free(s->listen);
    for (size_t i = 0; i < HTTP_FIXED_COUNT; i++)
        if (s->fixed[i])
            MHD_destroy_response(s->fixed[i]);
    bodies_free(s->bodies);
    guests_free(s->guests);
    free(s);
}

int http_server_listen(struct http_server *s, const struct ip_ports *addresses, struct buf *messages)
{
    return http_listen_set(s->listen, addresses, messages);
}

struct ip_ports http_server_sockets(const struct http_server *s)
{
    return http_listen_sockets(s->listen);
}

struct own_sockets http_server_own(const struct http_server *s)
{
    return http_listen_own(s->listen);
}
