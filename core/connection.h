/* One socket that connections are counted by, as the kernel tells it. Plain data. */
#ifndef SOCKWATCH_CORE_CONNECTION_H
#define SOCKWATCH_CORE_CONNECTION_H

#include "core/net.h"

struct connection {
    struct ip_addr local, remote; /* network byte order; may be IPv4-mapped */
    uint16_t local_port;          /* of a raw socket the IP protocol number */
    uint16_t remote_port;         /* 0: it is connected to nobody */
    uint8_t state;                /* enum sock_state, or what a newer kernel invents */
    uint32_t inode;               /* 0: no process has it yet (not accepted), or any more */
    uint64_t cgroup_id;           /* it was made in; 0: not asked for, or the kernel does not say */
};

/* Who began a connection, as far as a socket tells: somebody listens on its local
 * port, or nobody does. */
enum direction { DIRECTION_INBOUND, DIRECTION_OUTBOUND, DIRECTION_COUNT };

#endif
