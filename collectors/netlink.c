#include "collectors/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <sys/socket.h>
#include <sys/time.h>

int netlink_open(int protocol, uint32_t groups, struct mnl_socket **ret)
{
    const struct timeval timeout = {.tv_sec = 5};
    struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
    int r;

    if (!socket)
        return -errno;
    if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) == 0 &&
        setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0) {
        *ret = socket;
        return 0;
    }
    r = -errno;
    (void)mnl_socket_close(socket); /* nothing was written to it */
    return r;
}
