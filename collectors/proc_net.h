/* What /proc tells where netlink does not: raw sockets on kernels without
 * raw_diag, which protocols the kernel has, and the names of interfaces. Reads
 * the calling thread's network namespace. Main thread only. */
#ifndef SOCKWATCH_COLLECTORS_PROC_NET_H
#define SOCKWATCH_COLLECTORS_PROC_NET_H

#include "collectors/proc_raw_parse.h"

/* Returns 0; -EBADMSG: counted and passed over; any other error ends the reading. */
typedef int proc_raw_row_fn(void *arg, const struct proc_raw_row *row);

/* Reads /proc/thread-self/net/raw and raw6. Without IPv6 there is no raw6,
 * and nothing that it could list.
 *
 * ret_malformed   is increased by the lines that made no sense
 *
 * Returns 0, ERR_UNSUPPORTED when there is no such file, or -errno. */
int proc_raw_read(proc_raw_row_fn *on_row, void *arg, uint64_t *ret_malformed);

/* Whether the kernel has the protocol, by its name in /proc/net/protocols.
 * Returns 1 or 0, or -errno when that cannot be told. */
int proc_has_protocol(const char *name);

/* The interface's name; "if" and its number when it has gone meanwhile or is
 * not printable ASCII. */
void proc_interface_name(uint32_t ifindex, char ret_name[static INTERFACE_NAME_MAX]);

#endif
