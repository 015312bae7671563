/* Connections by unit, while they are counted: for the source of connections, when
 * it is asked for. Which unit a cgroup is, the tree of cgroup2 tells, which needs
 * no privilege; it is walked anew when a cgroup has turned up that is not known,
 * for a hundredth of the time at most, since a removed one is never found. One
 * thread. */
#ifndef SOCKWATCH_COLLECTORS_CONNECTION_UNITS_H
#define SOCKWATCH_COLLECTORS_CONNECTION_UNITS_H

#include "core/budget.h"
#include "core/unit_counts.h"

#include <linux/netlink.h>

struct connection_units;

/* ret   returns owned; filled on success only. Returns 0, -ENOMEM or -EIO. */
int connection_units_open(struct connection_units **ret);
void connection_units_close(struct connection_units *u);

/* Forgets what was counted. */
void connection_units_begin(struct connection_units *u);

/* Counts a TCP socket.
 *
 * msg          what the kernel said of it
 * connection   what was taken of that; gets its cgroup
 *
 * Returns 0 or -ENOMEM. */
int connection_units_add(struct connection_units *u, const struct nlmsghdr *msg, enum direction direction,
                         struct connection *connection);

/* Finds out whose all cgroups are, once all sockets are counted, until the budget
 * is spent.
 *
 * ret   returns owned (a reference); filled when 0 is returned
 *
 * Returns 1 when there is more, 0, or -ENOMEM: this count is lost. */
int connection_units_finish(struct connection_units *u, const struct budget *budget,
                            const struct unit_table **ret);

#endif
