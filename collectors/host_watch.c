#include "collectors/host_watch.h"
#include "collectors/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

/* RTMGRP_ has no names for the rules' groups. */
#define GROUP(number) (1u << ((number)-1))

/* So many messages are passed over in one call; a storm of them must not hold
 * it up. */
enum { MESSAGES_MAX = 256, MESSAGE_BYTES = 16384 };

struct host_watch {
    struct mnl_socket *socket;
    char buffer[MESSAGE_BYTES];
};

int host_watch_open(struct host_watch **ret)
{
    const uint32_t groups = GROUP(RTNLGRP_LINK) | GROUP(RTNLGRP_IPV4_IFADDR) | GROUP(RTNLGRP_IPV6_IFADDR) |
                            GROUP(RTNLGRP_IPV4_ROUTE) | GROUP(RTNLGRP_IPV6_ROUTE) | GROUP(RTNLGRP_IPV4_RULE) |
                            GROUP(RTNLGRP_IPV6_RULE);
    struct host_watch *w = calloc(1, sizeof *w);
    int r = w ? netlink_open(NETLINK_ROUTE, groups, &w->socket) : -ENOMEM;

    if (r < 0)
        free(w);
    else
        *ret = w;
    return r;
}

void host_watch_close(struct host_watch *w)
{
    if (!w)
        return;
    (void)mnl_socket_close(w->socket); /* nothing was written to it */
    free(w);
}

int host_watch_fd(const struct host_watch *w)
{
    return mnl_socket_get_fd(w->socket);
}

bool host_watch_changed(struct host_watch *w)
{
    bool changed = false;

    for (int i = 0; i < MESSAGES_MAX; i++) {
        ssize_t n = recv(host_watch_fd(w), w->buffer, sizeof w->buffer, MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        changed = true; /* also when it was too much to be kept (ENOBUFS) */
    }
    return changed;
}
