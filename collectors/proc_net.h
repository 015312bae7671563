/* What /proc tells where netlink does not: raw sockets on kernels without
 * raw_diag, and which protocols the kernel has. Reads the calling thread's
 * network namespace. One thread. */
#ifndef SOCKWATCH_COLLECTORS_PROC_NET_H
#define SOCKWATCH_COLLECTORS_PROC_NET_H

#include "collectors/proc_raw_parse.h"
#include "core/budget.h"

/* A reading of /proc/thread-self/net/raw and raw6 under way. */
struct proc_raw {
    int fd; /* -1: none is under way */
    uint8_t version;
    bool has_heading; /* of the file that is open: it was seen */
    size_t length;    /* bytes in the buffer, a piece of a line at most */
    char buffer[8192];
};

/* To begin with, and when nothing is under way. */
#define PROC_RAW_NONE ((struct proc_raw){.fd = -1})

/* Returns 0; -EBADMSG: counted and passed over; any other error ends the reading. */
typedef int proc_raw_row_fn(void *arg, const struct proc_raw_row *row);

/* Begins to read; what is under way is given up. Returns 0, ERR_UNSUPPORTED
 * when there is no such file, or -errno. */
int proc_raw_begin(struct proc_raw *r);

/* Goes on until the budget is spent. Without IPv6 there is no raw6, and nothing
 * that it could list.
 *
 * ret_malformed   is increased by the lines that made no sense
 *
 * Returns 1 when there is more, 0 at the end, or a negative error; after 0 and
 * errors nothing is under way. */
int proc_raw_step(struct proc_raw *r, const struct budget *budget, proc_raw_row_fn *on_row, void *arg,
                  uint64_t *ret_malformed);

/* Gives up what is under way, if anything. */
void proc_raw_end(struct proc_raw *r);

/* Whether the kernel has the protocol, by its name in /proc/net/protocols.
 * Returns 1 or 0, or -errno when that cannot be told. */
int proc_has_protocol(const char *name);

#endif
