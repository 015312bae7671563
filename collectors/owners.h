/* Who holds the listening sockets: which process, of which user and unit.
 *
 * Netlink does not tell, so it has to be looked for among the descriptors of
 * processes, which costs. A socket is looked for when it is new, in the
 * processes of the cgroup that made it first, and in all of them only when
 * that does not tell. Then the one descriptor that was found is looked at once
 * a second, and the whole again ever more seldom. Looking through all
 * processes takes at most a tenth of the time.
 *
 * Other users' processes can be looked into with CAP_SYS_PTRACE and
 * CAP_DAC_READ_SEARCH only; without them the unit and the user of the socket
 * are known all the same. Main thread only. Source: proc(5), sock_diag(7). */
#ifndef SOCKWATCH_COLLECTORS_OWNERS_H
#define SOCKWATCH_COLLECTORS_OWNERS_H

#include "core/listener_table.h"

struct owners;

/* Returns owned, or NULL when memory runs out. */
struct owners *owners_new(void);
void owners_free(struct owners *o);

/* Gives every row its owner, borrowed until the next call.
 *
 * rows   all sockets of the poll; those of the poll before that are not among
 *        them are forgotten
 *
 * Returns 0 or -ENOMEM: some rows may have none then. */
int owners_attach(struct owners *o, struct listener_row *rows, size_t count);

/* Lets everything be looked for anew, also the names of users. */
void owners_refresh(struct owners *o);

#endif
