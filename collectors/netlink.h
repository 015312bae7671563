/* Netlink sockets, opened in one way. One thread at a time. */
#ifndef SOCKWATCH_COLLECTORS_NETLINK_H
#define SOCKWATCH_COLLECTORS_NETLINK_H

#include <stdint.h>

struct mnl_socket;

/* Opens a bound socket on which receiving gives up after some seconds: the
 * kernel answers at once, and one that does not must not hang us.
 *
 * protocol   NETLINK_SOCK_DIAG, NETLINK_ROUTE, ...
 * groups     mask of the multicast groups to receive, 0 for none
 * ret        returns owned, for mnl_socket_close(); filled on success only
 *
 * Returns 0 or -errno. */
int netlink_open(int protocol, uint32_t groups, struct mnl_socket **ret);

#endif
