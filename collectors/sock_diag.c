#include "collectors/sock_diag.h"
#include "core/err.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

/* With 32 KiB the kernel fills messages of 32 KiB; more gains nothing. */
enum { RECEIVE_BYTES = 32768 };

struct sock_diag {
    struct mnl_socket *socket; /* NULL: to be opened before the next dump */
    uint32_t sequence;
    _Alignas(struct nlmsghdr) char buffer[RECEIVE_BYTES];
};

static int open_socket(struct sock_diag *d)
{
    /* The kernel answers while we receive; the timeout only keeps a kernel
     * that does not from hanging us. */
    const struct timeval timeout = {.tv_sec = 5};
    int r;

    d->socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    if (!d->socket)
        return -errno;
    if (mnl_socket_bind(d->socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
        setsockopt(mnl_socket_get_fd(d->socket), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0)
        return 0;
    r = -errno;
    (void)mnl_socket_close(d->socket); /* nothing was written to it */
    d->socket = NULL;
    return r;
}

int sock_diag_open(struct sock_diag **ret)
{
    struct sock_diag *d = calloc(1, sizeof *d);
    int r;

    if (!d)
        return -ENOMEM;
    r = open_socket(d);
    if (r < 0)
        free(d);
    else
        *ret = d;
    return r;
}

void sock_diag_close(struct sock_diag *d)
{
    if (!d)
        return;
    if (d->socket)
        (void)mnl_socket_close(d->socket); /* nothing was written to it */
    free(d);
}

static int receive_all(struct sock_diag *d, inet_diag_message_fn *on_message, void *arg,
                       uint64_t *ret_malformed)
{
    uint32_t port_id = mnl_socket_get_portid(d->socket);
    ssize_t n;
    int r;

    do {
        do
            n = mnl_socket_recvfrom(d->socket, d->buffer, sizeof d->buffer);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return errno == ENOSPC ? ERR_TRUNCATED : -errno; /* libmnl's word for MSG_TRUNC */
        r = inet_diag_walk(d->buffer, (size_t)n, d->sequence, port_id, on_message, arg, ret_malformed);
    } while (r > 0);
    return r;
}

int sock_diag_dump(struct sock_diag *d, const struct inet_diag_query *query, inet_diag_message_fn *on_message,
                   void *arg, uint64_t *ret_malformed)
{
    char request[INET_DIAG_REQUEST_MAX];
    size_t length;
    int r = 0;

    if (!d->socket)
        r = open_socket(d);
    if (r < 0)
        return r;
    length = inet_diag_request(query, ++d->sequence, request);
    if (mnl_socket_sendto(d->socket, request, length) < 0)
        r = -errno;
    else
        r = receive_all(d, on_message, arg, ret_malformed);
    if (r < 0) {
        (void)mnl_socket_close(d->socket); /* what is still in it belongs to nobody */
        d->socket = NULL;
    }
    return r;
}
