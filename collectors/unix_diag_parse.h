/* unix_diag bytes: the request for all listening unix sockets, and the replies.
 *
 * Pure functions over memory; no descriptor, no kernel. Lengths are checked
 * before every read, attributes we do not know are passed over. Any thread. What
 * goes around them is as for other sockets: inet_diag_walk().
 * Source: linux/unix_diag.h, sock_diag(7). */
#ifndef SOCKWATCH_COLLECTORS_UNIX_DIAG_PARSE_H
#define SOCKWATCH_COLLECTORS_UNIX_DIAG_PARSE_H

#include "collectors/unix_files.h"

#include <linux/netlink.h>

/* One listening socket. */
struct unix_diag_row {
    char path[UNIX_PATH_TEXT_MAX]; /* as unix_path_format() writes it */
    uint64_t cookie;
    uint32_t inode;
    struct {
        bool known;
        uint32_t number; /* the kernel has told it since Linux 5.3 */
    } uid;
    struct {
        bool known;
        uint32_t length, limit; /* connections to be accepted; the backlog */
    } queue;
    struct {
        bool known; /* it is bound to a path */
        struct unix_file is;
    } file;
};

/* Room for the request. */
#define UNIX_DIAG_REQUEST_MAX 64

/* Writes a dump request. Returns its length in bytes. */
size_t unix_diag_request(uint32_t states, uint32_t sequence, char ret_bytes[static UNIX_DIAG_REQUEST_MAX]);

/* Parses one reply.
 *
 * msg      one whole netlink message; borrowed, nothing of it is kept
 * ret_row  filled on success only
 *
 * Returns 0, or -EBADMSG when the message is shorter than its header, of another
 * family, or tells no name, without which nobody listens. Other attributes of the
 * wrong length count as absent. */
int unix_diag_parse(const struct nlmsghdr *msg, struct unix_diag_row *ret_row);

#endif
