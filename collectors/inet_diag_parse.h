/* inet_diag bytes: the requests we send and the replies the kernel gives.
 *
 * Pure functions over memory; no descriptor, no kernel. Lengths are checked
 * before every read, attributes we do not know are passed over. Any thread.
 * Source: linux/inet_diag.h, linux/sock_diag.h, sock_diag(7). */
#ifndef SOCKWATCH_COLLECTORS_INET_DIAG_PARSE_H
#define SOCKWATCH_COLLECTORS_INET_DIAG_PARSE_H

#include "core/connection.h"

#include <linux/netlink.h>

/* Which sockets, by who chose their local port. */
enum port_choice {
    PORTS_ALL,
    PORTS_BOUND, /* chosen by the program */
    PORTS_AUTO,  /* chosen by the kernel */
};

/* What to ask for. */
struct inet_diag_query {
    uint8_t family;   /* AF_INET, AF_INET6, or for TCP also AF_UNSPEC: both in one walk */
    uint8_t protocol; /* IPPROTO_TCP, ... */
    uint32_t states;  /* mask of 1 << enum sock_state */
    enum port_choice ports;
    bool with_memory;                /* the socket's memory, which counts drops */
    const struct port_range *ranges; /* only local ports of these; borrowed */
    size_t range_count;              /* 0: all; INET_DIAG_RANGES_MAX at most */
};

/* The kernel looks through them for each socket. */
enum { INET_DIAG_RANGES_MAX = 64 };

/* One socket, addresses in network byte order as the kernel gives them. */
struct inet_diag_row {
    struct ip_addr address; /* local; may be IPv4-mapped */
    uint16_t port;          /* local; for raw sockets the IP protocol number */
    uint8_t state;          /* enum sock_state, or what a newer kernel invents */
    uint32_t ifindex;
    uint64_t cookie;
    uint32_t rqueue; /* LISTEN: completed connections not yet accepted; else bytes */
    uint32_t wqueue; /* LISTEN: the backlog limit; else bytes */
    uint32_t uid;
    uint32_t inode;
    bool v6only;        /* false where the kernel does not say */
    uint64_t cgroup_id; /* of the cgroup2 directory it was made in; 0 where the kernel does not say */
    struct {
        bool known;     /* it was asked for and told */
        uint32_t count; /* connection attempts or datagrams since the socket was made; wraps */
    } drops;
};

/* Room for any request. */
#define INET_DIAG_REQUEST_MAX 2048

/* Writes a dump request. Returns its length in bytes. */
size_t inet_diag_request(const struct inet_diag_query *query, uint32_t sequence,
                         char ret_bytes[static INET_DIAG_REQUEST_MAX]);

/* Parses one reply.
 *
 * msg      one whole netlink message; borrowed, nothing of it is kept
 * ret_row  filled on success only
 *
 * Returns 0, or -EBADMSG when the message is shorter than its header or of a
 * family that was not asked for. Attributes of the wrong length count as absent. */
int inet_diag_parse(const struct nlmsghdr *msg, struct inet_diag_row *ret_row);

/* Only what connections are counted by. Returns as inet_diag_parse(). */
int inet_diag_parse_connection(const struct nlmsghdr *msg, struct connection *ret_connection);

/* The cgroup2 directory in which a reply's socket was made, for which its
 * attributes are looked through; 0 where the kernel does not say. */
uint64_t inet_diag_parse_cgroup(const struct nlmsghdr *msg);

/* Handles one message of a dump. Returns 0; -EBADMSG: malformed, counted and
 * passed over; any other error ends the dump. msg is borrowed. */
typedef int inet_diag_message_fn(void *arg, const struct nlmsghdr *msg);

/* Walks what one receive call returned.
 *
 * ret_malformed   is increased by the messages that made no sense, those among
 *                 them that end the walk
 *
 * Returns 1 when the dump goes on, 0 when it is complete, ERR_UNSUPPORTED when
 * the kernel has no handler (it says so as an error for a missing family, but
 * inside NLMSG_DONE for a missing protocol), ERR_SEQUENCE, ERR_INTERRUPTED,
 * -EBADMSG when bytes are left over, or what the kernel or on_message said. */
int inet_diag_walk(const void *bytes, size_t length, uint32_t sequence, uint32_t port_id,
                   inet_diag_message_fn *on_message, void *arg, uint64_t *ret_malformed);

#endif
