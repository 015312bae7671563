/* Asks the daemon that runs on this host for what only it knows: which sockets are
 * its own, and how often a listener was restarted, which one look at the kernel
 * does not tell. Whoever may be somebody else is not asked. Blocks. */
#ifndef SOCKWATCH_DAEMON_RUNNING_H
#define SOCKWATCH_DAEMON_RUNNING_H

#include "config/config.h"
#include "exporters/view.h"

/* Finds the sockets that are sockwatch's own: those at one of web.listen's
 * addresses that are the service's, or root's, the caller's or of a user named
 * sockwatch and say that they are.
 *
 * ret   filled on success only; its cookies are owned, for free()
 *
 * Returns 0 or -ENOMEM. */
int running_own(const struct config *config, const struct inventory *inv, struct own_sockets *ret);

/* How often each listener was restarted, as the daemon counts.
 *
 * verdict   about the table: only listeners that are sockwatch's own are asked
 *
 * Returns owned, for free(): one number a listener of the table, VIEW_UNKNOWN
 * where the daemon does not know it; NULL when no daemon answers, or memory
 * runs out. */
uint64_t *running_restarts(const struct listener_table *table, const struct verdict *verdict);

#endif
