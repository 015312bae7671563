#include "collectors/sock_diag.h"
#include "collectors/netlink.h"
#include "collectors/packet_diag_parse.h"
#include "collectors/unix_diag_parse.h"
#include "core/err.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>

/* With 32 KiB the kernel fills messages of 32 KiB; more gains nothing. */
enum { RECEIVE_BYTES = 32768 };

struct sock_diag {
    struct mnl_socket *socket; /* NULL: to be opened before the next dump */
    uint32_t sequence;
    bool under_way; /* an answer is still in the socket */
    _Alignas(struct nlmsghdr) char buffer[RECEIVE_BYTES];
};

int sock_diag_open(struct sock_diag **ret)
{
    struct sock_diag *d = calloc(1, sizeof *d);
    int r;

    if (!d)
        return -ENOMEM;
    r = netlink_open(NETLINK_SOCK_DIAG, 0, &d->socket);
    if (r < 0)
        free(d);
    else
        *ret = d;
    return r;
}

static void drop_socket(struct sock_diag *d)
{
    if (d->socket)
        (void)mnl_socket_close(d->socket); /* what is still in it belongs to nobody */
    d->socket = NULL;
    d->under_way = false;
}

void sock_diag_close(struct sock_diag *d)
{
    if (!d)
        return;
    drop_socket(d);
    free(d);
}

/* Sends a request, which has the next sequence number. */
static int send_request(struct sock_diag *d, const char *request, size_t length)
{
    int r = 0;

    if (d->under_way)
        drop_socket(d);
    if (!d->socket)
        r = netlink_open(NETLINK_SOCK_DIAG, 0, &d->socket);
    if (r < 0)
        return r;
    if (mnl_socket_sendto(d->socket, request, length) < 0) {
        r = -errno;
        drop_socket(d);
    }
    d->under_way = r == 0;
    return r;
}

int sock_diag_begin(struct sock_diag *d, const struct inet_diag_query *query)
{
    char request[INET_DIAG_REQUEST_MAX];

    return send_request(d, request, inet_diag_request(query, ++d->sequence, request));
}

int sock_diag_begin_unix(struct sock_diag *d, uint32_t states)
{
    char request[UNIX_DIAG_REQUEST_MAX];

    return send_request(d, request, unix_diag_request(states, ++d->sequence, request));
}

int sock_diag_begin_packet(struct sock_diag *d)
{
    char request[PACKET_DIAG_REQUEST_MAX];

    return send_request(d, request, packet_diag_request(++d->sequence, request));
}

/* Takes one message of the kernel's. Returns as inet_diag_walk(). */
static int receive_one(struct sock_diag *d, inet_diag_message_fn *on_message, void *arg,
                       uint64_t *ret_malformed)
{
    uint32_t port_id = mnl_socket_get_portid(d->socket);
    ssize_t n;

    do
        n = mnl_socket_recvfrom(d->socket, d->buffer, sizeof d->buffer);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ENOSPC ? ERR_TRUNCATED : -errno; /* libmnl's word for MSG_TRUNC */
    return inet_diag_walk(d->buffer, (size_t)n, d->sequence, port_id, on_message, arg, ret_malformed);
}

int sock_diag_step(struct sock_diag *d, const struct budget *budget, inet_diag_message_fn *on_message,
                   void *arg, uint64_t *ret_malformed)
{
    int r;

    do
        r = receive_one(d, on_message, arg, ret_malformed);
    while (r > 0 && !budget_is_spent(budget));
    if (r < 0)
        drop_socket(d);
    else if (r == 0)
        d->under_way = false;
    return r;
}
