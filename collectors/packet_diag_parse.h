/* packet_diag bytes: the request for all packet sockets, and the replies.
 *
 * Pure functions over memory; no descriptor, no kernel. Lengths are checked
 * before every read, attributes we do not know are passed over. Any thread. What
 * goes around them is as for other sockets: inet_diag_walk().
 * Source: linux/packet_diag.h, packet(7), sock_diag(7). */
#ifndef SOCKWATCH_COLLECTORS_PACKET_DIAG_PARSE_H
#define SOCKWATCH_COLLECTORS_PACKET_DIAG_PARSE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One socket. */
struct packet_diag_row {
    uint16_t ethertype; /* which frames it sees; 0: none, it only sends */
    uint32_t ifindex;   /* of one interface; 0: of all */
    uint64_t cookie;
    uint32_t inode;
    struct {
        bool known;
        uint32_t number;
    } uid;
    struct {
        bool known;
        uint32_t count; /* packets since the socket was made; wraps */
    } drops;
};

/* Room for the request. */
#define PACKET_DIAG_REQUEST_MAX 64

/* Writes a dump request. Returns its length in bytes. */
size_t packet_diag_request(uint32_t sequence, char ret_bytes[static PACKET_DIAG_REQUEST_MAX]);

/* Parses one reply.
 *
 * msg      one whole netlink message; borrowed, nothing of it is kept
 * ret_row  filled on success only
 *
 * Returns 0, or -EBADMSG when the message is shorter than its header or of another
 * family. Attributes of the wrong length count as absent. */
int packet_diag_parse(const struct nlmsghdr *msg, struct packet_diag_row *ret_row);

#endif
